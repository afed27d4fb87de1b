"""What is wrong with settings is told where it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.config import load, load_settings
from tocsin.errors import ConfigurationError


def problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, environ: dict[str, str]) -> list[str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(Path("tocsin.yaml"), environ)
    return [str(problem) for problem in caught.value.problems]


CASES = [
    ("listne: a", '1:1: unknown key "listne" (did you mean "listen"?)'),
    ("[]", "1:1: must be a mapping of settings, as listen: 127.0.0.1:8600"),
    ("a: [1, 2\nb: 3", "2:2: not YAML: did not find expected ',' or ']'"),
    (
        "listen: 0.0.0.0:8600",
        "1:9: listen: 0.0.0.0 can be reached from outside; until logins exist it is loopback only (127.0.0.1:8600)",
    ),
    ("listen: tocsin.example.com:8600", "1:9: listen: tocsin.example.com can be reached from outside;"),
    ("listen: 8600", "1:9: listen: must be host:port, as 127.0.0.1:8600"),
    ("listen: 127.0.0.1", '1:9: listen: "127.0.0.1" is no host:port (as 127.0.0.1:8600 or [::1]:8600)'),
    ("listen: 127.0.0.1:70000", "1:9: listen: port 70000 is not between 0 and 65535"),
    (
        "listen: 127.0.0.1:1\nmetrics_listen: 127.0.0.1:1",
        "2:17: is the same as listen (which serves the metrics already)",
    ),
    (
        "public_url: tocsin.example.com",
        '1:13: public_url: "tocsin.example.com" does not start with http:// or https://',
    ),
    ("tls: {cert: a, key: b}", "1:1: tls is not in this version (leave it out)"),
    ("trusted_proxies: [10.0.0.1]", "1:1: trusted_proxies is not in this version (leave it out)"),
    ("systems: {}", "1:1: systems belongs into a rule file, in a folder of rules, not into the settings"),
    ("oncall: {a: 1}", "1:1: oncall belongs into a rule file, in a folder of rules, not into the settings"),
    ("language: de", "1:11: language: \"de\" must be 'en' or 'zh_CN'"),
    ("timezone: Asia/Shangai", '1:11: timezone: unknown time zone "Asia/Shangai" (did you mean "Asia/Shanghai"?)'),
    ("timezone: ../etc/passwd", '1:11: timezone: unknown time zone "../etc/passwd"'),
    ("timezone: 8", "1:11: timezone: must be the name of a time zone, as Asia/Shanghai"),
    ("database: mysql://h/d", "1:11: database: must start with sqlite:/// or postgresql://"),
    ("database: 'sqlite://'", "1:11: database: names no file"),
    ("database: 'sqlite:///:memory:'", "1:11: database: names no file"),
    ("data_dir: 5", "1:11: data_dir: must be a path"),
    ("rules: 5", "1:8: rules: must be a list of folders, as [rules]"),
    ("rules: [5]", "1:8: rules: must be a list of folders, as [rules]"),
    ("secrets_dir: nowhere", "1:14: "),
    ("slack: C1", "1:8: slack: must be a mapping of keys to values"),
    ("slack: {chanel: C1}", '1:9: unknown key "chanel" (did you mean "channel"?)'),
    ("slack: {channel: 5}", "1:18: channel: must be the id of a channel, as C0123ABCD"),
    (
        "slack: {bot_token: 'xoxb 1'}",
        "1:20: bot_token: holds a blank, a line end or something outside ASCII: that is no token",
    ),
    ("slack: {bot_token: 5}", "1:20: bot_token: must be text, and not empty"),
    ("slack: {api_url: slack.com}", '1:18: api_url: "slack.com" does not start with http:// or https://'),
    ("alarms_to: managers and more", '1:12: alarms_to: "managers and more" cannot be a name'),
    ("blind_after: 120", "1:14: blind_after: 120 has no unit: write a span with its units"),
    ("reopen_within: soon", '1:16: reopen_within: "soon" is no span: write a span with its units'),
    (f"socket: {'x' * 120}", "1:9: the path is "),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_wrong_setting_is_told_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    found = problems(tmp_path, monkeypatch, text, {})
    assert len(found) == 1, found
    assert found[0].startswith(f"tocsin.yaml:{expected}")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TOCSIN_LISTEN": "0.0.0.0:1"}, "environment: TOCSIN_LISTEN: listen: 0.0.0.0 can be reached from outside;"),
        ({"TOCSIN_SLACK__CHANNEL": "a b"}, "environment: TOCSIN_SLACK__CHANNEL: channel: must be the id of a channel"),
        ({"TOCSIN_TLS": "x"}, "environment: TOCSIN_TLS: tls is not in this version (leave it out)"),
        ({"TOCSIN_SECRETS_DIR": "nowhere"}, "environment: TOCSIN_SECRETS_DIR: "),
    ],
)
def test_a_wrong_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: str
) -> None:
    (found,) = problems(tmp_path, monkeypatch, "", environ)
    assert found.startswith(expected)


def test_a_wrong_secret_file_is_named_and_its_content_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slack_bot_token").write_text("xoxb hunter2")
    (found,) = problems(tmp_path, monkeypatch, "", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert (
        found
        == f"{tmp_path}/slack_bot_token: bot_token: holds a blank, a line end or something outside ASCII: that is no token"
    )


def test_a_wrong_token_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text("slack: {bot_token: 'hunter2 hunter2', chanel: C1}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(Path("tocsin.yaml"), {})
    assert len(caught.value.problems) == 2
    assert not any("hunter2" in problem.with_caret() for problem in caught.value.problems)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none.yaml: cannot be read: No such file or directory"):
        load_settings(tmp_path / "none.yaml", {})


def test_errors_of_settings_and_rules_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text("language: de\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("sytems: {}\n")
    with pytest.raises(ConfigurationError) as caught:
        load(Path("tocsin.yaml"), {})
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [
        ("tocsin.yaml", 1),
        ("rules/a.yaml", 1),
    ]


def test_rules_are_not_looked_for_where_nobody_knows_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text("rules: 5\n")
    with pytest.raises(ConfigurationError) as caught:
        load(Path("tocsin.yaml"), {})
    assert len(caught.value.problems) == 1
