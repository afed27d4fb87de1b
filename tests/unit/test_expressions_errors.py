"""A condition that cannot be right is refused when it is compiled, at its column, with what would be right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tocsin.expressions import (
    ExpressionError,
    check_condition,
    check_regex,
    check_tcp_condition,
    check_value,
    compile_decision,
    compile_exit,
)

DECISION = [
    ('system.teir == "core"', '1: unknown name "system.teir" (did you mean "system.tier"?)'),
    ('text != "" && statu == "down"', '15: unknown name "statu" (did you mean "status"?)'),
    ('text == "中文" && foo', '17: unknown name "foo" (known here: system.name, system.tier,'),
    ("system == 'x'", "1: system alone is nothing: write system.name or system.tier or system.owner"),
    (
        "status == 200",
        '8: status is a word here ("up", "degraded", "down", "unobserved"); it is a number only in a probe\'s conditions',
    ),
    ('json.status == "UP"', "1: json belongs to a probe's conditions, not to decision rules"),
    (
        'certificate.expires_in < duration("1h")',
        "1: certificate.expires_in belongs to a probe's conditions, not to decision rules",
    ),
    ("answered_in_time > 0.9", "1: answered_in_time belongs to a go-live's exit, not to decision rules"),
    ('status == "dwon"', '11: status is never "dwon" (did you mean "down"?)'),
    ('"dwon" != status', '1: status is never "dwon" (did you mean "down"?)'),
    ('status in ["down", "degradd"]', '20: status is never "degradd" (did you mean "degraded"?)'),
    ('reason == "time_out"', '11: reason is never "time_out" (did you mean "timeout"?)'),
    ('reason == "xyz"', '11: reason is never "xyz" (one of ok, timeout, refused,'),
    ('check.kind == "htp"', '15: check.kind is never "htp" (did you mean "http"?)'),
    ('down_for > duration("1d")', "21: CEL durations take h, m, s, ms; write 24h"),
    ('down_for > duration("1w2d3h30m")', "21: CEL durations take h, m, s, ms; write 219h30m"),
    ('down_for > duration("90")', '21: "90" has no unit; write duration("90s")'),
    ('down_for > duration("soon")', '21: "soon" is no duration (h, m, s, ms, as in 1h30m)'),
    ("down_for > 300", '10: a duration is compared with a duration: write duration("300s")'),
    ('down_for > "5m"', '10: a duration is compared with a duration: write duration("5m")'),
    ('text.matches("[a")', "14: invalid regular expression: missing ]: [a (RE2: no look-around, no back-references)"),
    ('matches(text, "(?<=a)b")', "15: invalid regular expression: invalid perl operator: (?<"),
    (
        'timestamp("monday") < timestamp("2026-11-23T22:00:00Z")',
        '11: "monday" is no timestamp (write it as "2026-11-23T22:00:00Z")',
    ),
    (
        'timestamp("2026-11-23T22:00:00Z").getHours("Mars/X") > 8',
        '44: unknown time zone "Mars/X" (write it as "Asia/Shanghai")',
    ),
    ("failing >= 1.0", "9: a whole number meets one with decimals: wrap it in double(…)"),
    ('values["a"] + 1 > 2.0', "15: a number with decimals meets a whole one: write 1.0"),
    ('values["a"] * 2 > failing', "15: values.a is a number with decimals: write 2.0"),
    ("system.name", "1: a condition must be true or false, this is a text: compare it with something"),
    ("failing", "1: a condition must be true or false, this is a number: compare it with something"),
    ("down_for", "1: a condition must be true or false, this is a duration: compare it with something"),
    ("[1]", "1: a condition must be true or false, this is list"),
    ("", "1: a condition is empty"),
    ("  ", "1: a condition is empty"),
    ("true || " * 1000 + "true", "1: a condition is longer than 4096 characters"),
    ('text == "a\0b"', "1: a condition holds a character that no text can hold"),
    ('status = "down"', "8: write == to compare"),
    ('status == "down" and failing > 1', "18: write && for and"),
    ("not true", "1: write ! for not"),
    ("failing > 1 == True", "16: write true for True"),
    ("(failing > 1", "13: missing ')' at its end"),
    ("failing >", "10: it ends too early"),
    ('text == "abc', "9: cannot read '\"abc'"),
    ("text.contain('x')", '6: unknown function contain (did you mean "contains"?)'),
    ("fooo(1)", "1: unknown function fooo"),
    ("text > 1", "6: > cannot be applied to a text and a whole number"),
]


def faults(compile_it: Callable[[str], object], text: str) -> list[str]:
    with pytest.raises(ExpressionError) as caught:
        compile_it(text)
    return [f"{fault.column}: {fault.message}" for fault in caught.value.faults]


@pytest.mark.parametrize(("text", "expected"), DECISION)
def test_a_wrong_rule_is_refused_with_advice(text: str, expected: str) -> None:
    found = faults(compile_decision, text)
    assert len(found) == 1, found
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'status == "down"',
            '8: status is a number here, the one of HTTP; the words "up", "degraded", "down" belong to decision rules',
        ),
        ('system.tier == "core"', "1: system.tier belongs to decision rules, not to a probe's conditions"),
        ("certificate.expires > 1", '1: unknown name "certificate.expires" (did you mean "certificate.expires_in"?)'),
        ("certificate == 1", "1: certificate alone is nothing: write certificate.expires_in or certificate.issuer"),
        ('headers["Content-Type"] == "x"', '1: header names are in lower case here: write headers["content-type"]'),
        ("headers.ETag == 'x'", '1: header names are in lower case here: write headers["etag"]'),
        ("json.n / 2 == json.m", "10: json.n is a number with decimals: write 2.0"),
        ("1 + json.n == json.m", "1: json.n is a number with decimals: write 1.0"),
        ("latency", "1: a condition must be true or false, this is a duration: compare it with something"),
        ("json.?ok", "1: this may be absent: write .orValue(0.0) behind it, or . for .?"),
    ],
)
def test_a_wrong_condition_of_a_probe_is_refused_with_advice(text: str, expected: str) -> None:
    assert faults(check_condition, text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("answered_in_time >= 1", "21: a number with decimals meets a whole one: write 1.0"),
        ("1 <= answered_in_time", "1: a number with decimals meets a whole one: write 1.0"),
        ("quiet_for > 12", '11: a duration is compared with a duration: write duration("12s")'),
        ("open_p3 == 0", '1: unknown name "open_p3" (did you mean "open_p2"?)'),
        ("open_p1 == 0 && status == 200", "17: status belongs to a probe's conditions, not to a go-live's exit"),
    ],
)
def test_a_wrong_exit_is_refused_with_advice(text: str, expected: str) -> None:
    assert faults(compile_exit, text) == [expected]


def test_all_unknown_names_are_told_at_once() -> None:
    assert [fault.split(":")[0] for fault in faults(compile_decision, 'statu == "down" && reasn == "dns"')] == [
        "1",
        "20",
    ]


def test_a_fault_behind_a_line_end_knows_its_line() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_decision('status == "down" &&\n  (reason == "dsn" || foo)')
    assert [(fault.line, fault.column) for fault in caught.value.faults] == [(2, 23)]
    with pytest.raises(ExpressionError) as caught:
        compile_decision('status == "down" &&\n  reason == "dsn"')
    assert [(fault.line, fault.column) for fault in caught.value.faults] == [(2, 13)]


@pytest.mark.parametrize(
    "text", ["[json.a]", "json.items.map(i, i.id)", "{'a': 1}", "null", "b'x'", "latency > duration('1s') ? 1 : 'a'"]
)
def test_a_value_is_a_number_a_text_or_true_or_false(text: str) -> None:
    with pytest.raises(ExpressionError):
        check_value(text)


@pytest.mark.parametrize(
    "text", ["json.a", "status", "latency", "json.a == 1.0", "body", "json.?a.orValue(0.0)", "size(json.items)"]
)
def test_what_can_be_kept_is_a_value(text: str) -> None:
    check_value(text)


def test_a_tcp_check_has_no_answer_of_http() -> None:
    check_tcp_condition('latency > duration("1s")')
    assert faults(check_tcp_condition, "status == 200") == [
        "1: status belongs to a probe's conditions, not to the conditions of a tcp check"
    ]


@pytest.mark.parametrize("pattern", ["^SSH-2", r'\d+ "ok" \\', "中.*", ""])
def test_a_regular_expression_is_checked_as_it_is(pattern: str) -> None:
    check_regex(pattern)


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", r"(a)\1", "a{1001}"])
def test_a_regular_expression_that_re2_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError, match="invalid regular expression"):
        check_regex(pattern)


@pytest.mark.parametrize(
    "text",
    [
        'text.contains("dwon") && status == "down"',
        'text == "status" || text == "duration(\'1d\')"',
        'values.exists(name, name == "dwon")',
        "// status == 'dwon'\n failing > 1",
        'system.tier in ["core", "other"]',
        'r"\\d" == text || text.matches(r"\\d+")',
    ],
)
def test_what_is_right_is_not_complained_about(text: str) -> None:
    compile_decision(text)
