"""Reading YAML: the core schema of 1.2, with places, within bounds."""

from __future__ import annotations

import pytest

from tocsin.config.document import Mark, masked
from tocsin.config.yaml_positions import read_yaml


def said(text: str) -> list[str]:
    return [str(problem) for problem in read_yaml(text, "f.yaml").problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("y", "y"),
        ("22:30", "22:30"),
        ("2026-12-24", "2026-12-24"),
        ("1h30m", "1h30m"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("0777", 777),
        ("0o17", 15),
        ("0x1F", 31),
        ("-5", -5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'5'", "5"),
        ('"no"', "no"),
        ("50%", "50%"),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(written: str, value: object) -> None:
    assert read_yaml(f"a: {written}", "f.yaml").value == {"a": value}


def test_every_key_and_value_knows_its_place_in_characters() -> None:
    document = read_yaml("系统: {名: 甲, erp: [1, 'two']}\n", "f.yaml")
    assert document.value == {"系统": {"名": "甲", "erp": [1, "two"]}}
    assert document.keys["系统", "erp"] == Mark(1, 12)
    assert document.values["系统", "erp", 1] == Mark(1, 21, "'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", 'f.yaml:3:1: "a" stands twice (first in line 1)'),
        (
            "a: !!python/object:os.system x",
            "f.yaml:1:4: tags are not allowed here (leave out tag:yaml.org,2002:python/object:os.system)",
        ),
        ("a: !mine x", "f.yaml:1:4: tags are not allowed here (leave out !mine)"),
        ("80: x", 'f.yaml:1:1: a key must be text (write "80" in quotes)'),
        ("true: x", 'f.yaml:1:1: a key must be text (write "true" in quotes)'),
        ("? [a]\n: x", "f.yaml:1:3: a key must be text"),
        ("a: {<<: {b: 1}}", "f.yaml:1:5: merge keys (<<) are not part of YAML 1.2 (use defaults.check)"),
        ("a: *nowhere", "f.yaml:1:4: *nowhere points to nothing that stands complete before it"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document starts here (one document a file: leave out ---)"),
        ("a:\n\t- b", "f.yaml:2:1: a value cannot start like this (indent with blanks, not tabs; quote @ and `)"),
        ("a: b: c", 'f.yaml:1:5: a second ":" in one line (quote the text, or start a new line)'),
        ("ok: 1\na: \x07", "f.yaml:2:4: a control character (U+0007) is not allowed"),
    ],
)
def test_what_is_no_plain_yaml_is_told_at_its_place(text: str, expected: str) -> None:
    assert said(text) == [expected]


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 50_000, "{a: " * 5_000])
def test_deep_nesting_is_refused_and_does_no_harm(text: str) -> None:
    assert said(text)[0].endswith("nested more than 64 deep")


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "aliases make more than 500000 values of this file" in said("\n".join(lines))[0]


def test_an_alias_stands_for_its_value() -> None:
    document = read_yaml("a: &hours ['09:00-12:00']\nb: *hours", "f.yaml")
    assert document.value == {"a": ["09:00-12:00"], "b": ["09:00-12:00"]}
    assert document.problems == []


def test_an_anchor_cannot_hold_itself() -> None:
    assert said("a: &x [*x]") == ["f.yaml:1:8: *x points to nothing that stands complete before it"]


@pytest.mark.parametrize("text", ["", "# nothing here\n", "---\n"])
def test_an_empty_file_is_an_empty_value(text: str) -> None:
    document = read_yaml(text, "f.yaml")
    assert document.value is None
    assert document.problems == []


@pytest.mark.parametrize(
    ("written", "column", "expected"),
    [
        ("abc def", 5, Mark(1, 8)),
        ("'abc def'", 5, Mark(1, 9)),
        ("'it''s def'", 6, Mark(1, 11)),
        (r'"a \"b\" def"', 7, Mark(1, 13)),
        (r'"\u4e2d def"', 3, Mark(1, 4, '"')),
        ("|\n    abc\n     def", 2, Mark(2, 6)),
        (">\n    abc\n    def", 2, Mark(1, 4, ">")),
    ],
)
def test_a_place_inside_a_text_is_found_in_the_file(written: str, column: int, expected: Mark) -> None:
    document = read_yaml(f"a: {written}", "f.yaml")
    found = document.mark_inside(("a",), document.value["a"], 1, column)
    assert found is not None
    assert (found.line, found.column) == (expected.line, expected.column)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("slack: {bot_token: xoxb-12, channel: C1}", "slack: {bot_token: *******, channel: C1}"),
        ("  Authorization: Bearer abc", "  Authorization: **********"),
        ("  Authorization: {secret: erp_token}", "  Authorization: {secret: erp_token}"),
        ("database: postgresql://u:pw@h/d", "database: postgresql://u:**@h/d"),
        ('signing_secret: "abc"', 'signing_secret: "***"'),
        ("when: status == 1", "when: status == 1"),
    ],
)
def test_a_line_is_shown_without_what_looks_like_a_secret(line: str, shown: str) -> None:
    assert masked(line) == shown
