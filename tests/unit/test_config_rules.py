"""What rule files mean, once they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.config import load, load_settings, rulebook_from_document
from tocsin.config.rules import Loaded
from tocsin.core.model import Observation, Severity
from tocsin.core.policy import Check, Facts, HttpTarget, TcpTarget, Threshold, Tls
from tocsin.errors import ConfigurationError

ERP = """
defaults:
  check: {every: 15s, timeout: 3s, fresh: never}
systems:
  erp:
    title: {en: ERP, zh_CN: 企业资源计划}
    owner: li.na
    tier: core
    runbook: https://wiki.example.com/erp
    notify: [erp-channel]
    checks:
      health:
        http: https://erp.example.com/health
        fail_after: 2 of 5
        headers: {Authorization: {secret: erp_token}}
        expect:
          - status == 200
          - json.status == "UP"
        degraded_when: [latency > duration("800ms")]
        values: {concurrency: json.sessions}
      port: {tcp: '[::1]:8000', every: 600ms, send: "PING\\r\\n", expect: ^PONG, tls: {verify: false}}
people:
  li.na: {name: Li Na, slack: U123, login: lina, language: zh_CN}
channels:
  erp-channel: {slack: C0456, language: zh_CN}
  hook: {webhook: https://example.com/in, secret: {secret: hook_key}}
"""
SECRETS = {"TOCSIN_SECRET_ERP_TOKEN": "Bearer abc", "TOCSIN_SECRET_HOOK_KEY": "k3y"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "tocsin.yaml").write_text("slack: {channel: C01}\n")
    return tmp_path


def loaded(folder: Path, files: Mapping[str, str], environ: Mapping[str, str] = SECRETS) -> Loaded:
    for old in (folder / "rules").iterdir():
        old.unlink()
    for name, text in files.items():
        (folder / "rules" / name).write_text(text, encoding="utf-8")
    return load(folder / "tocsin.yaml", environ).rules


def check(folder: Path, written: str) -> Check:
    text = f"systems:\n  s:\n    owner: o\n    checks:\n      c: {{{written}}}\n"
    return loaded(folder, {"a.yaml": text}).rulebook.systems["s"].checks[0]


def test_a_system_is_read_whole(folder: Path) -> None:
    rulebook = loaded(folder, {"a.yaml": ERP}).rulebook
    system = rulebook.systems["erp"]
    assert (system.title, system.owner, system.tier) == ({"en": "ERP", "zh_CN": "企业资源计划"}, "li.na", "core")
    assert rulebook.channels_of(system) == ("erp-channel",)
    health, port = system.checks
    assert (health.id, health.kind, health.every, health.timeout) == (
        "erp/health",
        "http",
        timedelta(seconds=15),
        timedelta(seconds=3),
    )
    assert health.fail_after == Threshold(2, 5)
    assert health.values == ("concurrency",)
    assert health.target == HttpTarget(
        "https://erp.example.com/health", headers=(("Authorization", "Bearer abc"),), fresh=None
    )
    assert port.target == TcpTarget("::1", 8000, b"PING\r\n", "^PONG", Tls(verify=False))
    assert port.every == port.confirm_every == timedelta(milliseconds=600)


def test_conditions_are_compiled_into_the_judge(folder: Path) -> None:
    health = loaded(folder, {"a.yaml": ERP}).rulebook.systems["erp"].checks[0]
    good = Observation(0.1, status=200, body=b'{"status": "UP", "sessions": 7}')
    assert health.judge.needs_body
    assert health.judge(good).values == {"concurrency": 7.0}
    assert (
        health.judge(replace(good, body=b'{"status": "DOWN"}')).failed == 'json.status == "UP" (json.status = "DOWN")'
    )


def test_what_is_not_written_has_its_default(folder: Path) -> None:
    made = check(folder, "http: 'http://a/'")
    assert made.target == HttpTarget("http://a/")
    assert (made.every, made.timeout, made.fail_after, made.recover_after, made.confirm_every) == (
        timedelta(seconds=30),
        timedelta(seconds=5),
        Threshold(3, 3),
        2,
        timedelta(seconds=10),
    )


@pytest.mark.parametrize(
    ("every", "confirm_every"), [("30s", "10s"), ("2s", "1s"), ("500ms", "500ms"), ("1h", "20m"), ("1s", "1s")]
)
def test_confirming_is_a_third_of_every_within_its_bounds(folder: Path, every: str, confirm_every: str) -> None:
    from tocsin.config.spans import parse_span

    assert check(folder, f"http: 'http://a', every: {every}").confirm_every == parse_span(confirm_every)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("fresh: always", {"fresh": timedelta()}),
        ("fresh: never", {"fresh": None}),
        ("fresh: 30s", {"fresh": timedelta(seconds=30)}),
        ("max_body: 64KiB", {"max_body": 65536}),
        ("max_body: 500", {"max_body": 500}),
        ("ip: 6", {"ip": "6"}),
        ("redirects: 0", {"redirects": 0}),
        ("compression: false", {"compression": False}),
        ("method: POST, body: '{}'", {"method": "POST", "body": b"{}"}),
        ("basic: {user: a, password: {secret: hook_key}}", {"basic": ("a", "k3y")}),
        ("proxy: 'http://proxy:3128'", {"proxy": "http://proxy:3128"}),
        ("tls: {server_name: b, verify: false}", {"tls": Tls(server_name="b", verify=False)}),
    ],
)
def test_options_of_http_reach_the_target(folder: Path, written: str, expected: dict[str, object]) -> None:
    made = check(folder, f"http: 'https://a', {written}")
    assert isinstance(made.target, HttpTarget)
    assert {name: getattr(made.target, name) for name in expected} == expected


def test_a_host_in_another_script_becomes_ascii(folder: Path) -> None:
    target = check(folder, "http: 'https://例子.测试:8443/path?q=1'").target
    assert isinstance(target, HttpTarget)
    assert target.url == "https://xn--fsqu00a.xn--0zwm56d:8443/path?q=1"


def test_tls_files_start_at_the_folder_of_the_settings(folder: Path) -> None:
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    target = check(folder, "http: 'https://a', tls: {ca: ca.pem}").target
    assert isinstance(target, HttpTarget)
    assert target.tls.ca == str(folder / "ca.pem")


def test_no_rules_at_all_are_a_configuration_with_built_in_policy(folder: Path) -> None:
    rulebook = loaded(folder, {}).rulebook
    assert rulebook.systems == {}
    assert {severity: policy.acknowledge for severity, policy in rulebook.response.items()} == {
        Severity.P1: timedelta(hours=1),
        Severity.P2: timedelta(hours=4),
    }
    assert [(rule.name, rule.file, rule.line, rule.severity) for rule in rulebook.severity] == [
        ("core system down", "built-in", 0, Severity.P1),
        ("anything else that fails", "built-in", 0, Severity.P2),
    ]


def test_without_rules_in_the_default_folder_it_is_said_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None, {}).rules
    assert [str(warning) for warning in found.warnings] == ["rules: is not there: no rules are read"]


def test_a_severity_rule_knows_its_file_and_line(folder: Path) -> None:
    text = "severity:\n  - {name: a, when: 'true', is: P1}\n\n  - name: b\n    when: 'false'\n    is: P2\n"
    rules = loaded(
        folder, {"web.yaml": text, "a.yaml": "severity:\n  - {name: c, when: 'false', is: P2}\n"}
    ).rulebook.severity
    assert [(rule.name, rule.file, rule.line) for rule in rules] == [
        ("c", "rules/a.yaml", 2),
        ("a", "rules/web.yaml", 2),
        ("b", "rules/web.yaml", 4),
    ]


def test_policies_are_read(folder: Path) -> None:
    text = (
        "response:\n"
        "  P1: {acknowledge: 1h, resolve: 4h, calendar: 24x7, remind: [50%, 75%, 150%]}\n"
        "  P2: {acknowledge: 4h, remind: []}\n"
    )
    response = loaded(folder, {"a.yaml": text}).rulebook.response
    assert set(response) == {Severity.P1, Severity.P2}
    assert (response[Severity.P1].resolve, response[Severity.P1].remind) == (timedelta(hours=4), (0.5, 0.75, 1.5))
    assert response[Severity.P2].remind == ()


def test_a_calendar_of_the_files_can_be_named(folder: Path) -> None:
    text = (
        "calendars:\n"
        "  office: {timezone: Asia/Shanghai, hours: {mon-fri: ['09:00-17:00']}}\n"
        "response: {P2: {acknowledge: 4h, calendar: office}}\n"
    )
    rulebook = loaded(folder, {"a.yaml": text}).rulebook
    assert set(rulebook.calendars) == {"24x7", "office"}
    assert rulebook.response[Severity.P2].calendar == "office"


def test_the_faults_of_a_calendar_are_told_at_their_places(folder: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(
            folder,
            {
                "a.yaml": "calendars:\n  office:\n    timezone: Asia/Shangai\n    hours: {mon: ['25:00-26:00']}\n    hollidays: []\n"
            },
        )
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(3, 15), (4, 19), (5, 5)]


def test_people_channels_and_alarms_are_read(folder: Path) -> None:
    (folder / "tocsin.yaml").write_text("slack: {channel: C01}\nalarms_to: [hook, slack]\nreopen_within: 5m\n")
    rulebook = loaded(folder, {"a.yaml": ERP}).rulebook
    assert rulebook.people["li.na"].slack == "U123"
    assert rulebook.default_channel == "slack"
    assert rulebook.channels["slack"].options == {"channel": "C01"}
    assert rulebook.channels["erp-channel"].language == "zh_CN"
    assert (rulebook.channels["hook"].kind, rulebook.channels["hook"].options) == (
        "webhook",
        {"url": "https://example.com/in", "secret": "k3y"},
    )
    assert rulebook.alarms_to == ("hook", "slack")
    assert rulebook.reopen_within == timedelta(minutes=5)


def test_alarms_go_to_the_default_channel(folder: Path) -> None:
    assert loaded(folder, {}).rulebook.alarms_to == ("slack",)


def test_alarms_to_an_unknown_channel_are_an_error_of_the_settings(folder: Path) -> None:
    (folder / "tocsin.yaml").write_text("alarms_to: [hok]\n")
    with pytest.raises(ConfigurationError) as caught:
        loaded(folder, {"a.yaml": "channels: {hook: {webhook: 'https://a'}}"})
    assert str(caught.value).endswith('tocsin.yaml:1:12: alarms_to: unknown channel "hok" (did you mean "hook"?)')


def test_an_owner_is_a_plain_word_where_nobody_is_declared(folder: Path) -> None:
    assert check(folder, "http: 'http://a'").system == "s"


def test_a_team_can_own_a_system(folder: Path) -> None:
    text = (
        "systems: {s: {owner: ops, checks: {c: {http: 'http://a'}}}}\npeople: {a: {}}\nteams: {ops: {members: [a]}}\n"
    )
    assert loaded(folder, {"a.yaml": text}).rulebook.systems["s"].owner == "ops"


def warnings(folder: Path, files: Mapping[str, str]) -> list[str]:
    return [str(warning) for warning in loaded(folder, files).warnings]


def test_what_is_not_read_is_warned_about(folder: Path) -> None:
    files = {"a_test.yaml": "cases: [", "b.yml": "x: [", ".hidden.yaml": "x: [", "notes.txt": ""}
    (folder / "tocsin.yaml").write_text("rules: [rules, more]\n")
    (folder / "more" / "deep").mkdir(parents=True)
    assert warnings(folder, files) == [
        "rules/b.yml: is not read (rule files are named b.yaml)",
        "rules/notes.txt: is not read (rule files are named notes.yaml)",
        "more/deep: is a folder inside a folder of rules and is not read (name it under rules: in the settings)",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "severity: [{name: a, when: 'true', is: P3}]",
            "rules/a.yaml:1:40: P3 has no policy under response: its incidents have no clocks and are told once",
        ),
        (
            "severity:\n  - {name: a, when: 'failing > 1', is: P1}\n  - {name: b, when: 'failing  > 1', is: P2}",
            'rules/a.yaml:3:21: is never reached: "a" before it matches first',
        ),
        (
            "severity:\n  - {name: a, when: 'true', is: P1}\n  - {name: b, when: 'failing > 1', is: P2}",
            'rules/a.yaml:3:21: is never reached: "a" before it matches first',
        ),
        (
            "response: {P1: {acknowledge: 4h, resolve: 1h}, P2: {acknowledge: 4h}}",
            "rules/a.yaml:1:43: resolve is sooner than acknowledge",
        ),
        (
            (
                "systems: {s: {owner: o, tier: core, checks: {c: {http: 'http://a'}}}}\n"
                "severity: [{name: a, when: 'system.tier == \"coer\"', is: P1}]"
            ),
            'rules/a.yaml:2:28: no system.tier is "coer" (did you mean "core"?)',
        ),
        (
            "systems: {s: {owner: o, checks: {c: {http: 'http://a', tls: {verify: false}}}}}",
            "rules/a.yaml:1:56: tls is set, but the address is http:// and not https://",
        ),
    ],
)
def test_what_is_odd_is_warned_about(folder: Path, text: str, expected: str) -> None:
    found = warnings(folder, {"a.yaml": text})
    assert [warning for warning in found if "P2 has no policy" not in warning] == [expected]


def test_systems_that_nobody_is_told_about_are_warned_about_once(folder: Path) -> None:
    (folder / "tocsin.yaml").write_text("language: en\n")
    systems = "".join(f"  s{n}: {{owner: o, checks: {{c: {{http: 'http://a'}}}}}}\n" for n in range(5))
    (warning,) = warnings(folder, {"a.yaml": f"systems:\n{systems}"})
    assert "nobody is told about s0, s1, s2 and 2 more" in warning


def test_the_shipped_policy_loads_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = Path(__file__).parents[2] / "rules"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text(f"rules: [{shipped}]\nslack: {{channel: C1}}\n")
    found = load(Path("tocsin.yaml"), {}).rules
    assert found.warnings == ()
    assert found.rulebook.response[Severity.P1].acknowledge == timedelta(hours=1)
    assert found.rulebook.response[Severity.P2].acknowledge == timedelta(hours=4)
    facts = Facts("erp", "core", "o", "c", "http", "down", "timeout", "", timedelta(), {}, 1, 1)
    assert next(rule.severity for rule in found.rulebook.severity if rule.predicate(facts)) is Severity.P1
    assert [rule.file for rule in found.rulebook.severity] == ["rules/severity.yaml"] * 2


# --- the stored document and versions ---------------------------------------------------------------------------------


def test_a_rulebook_is_made_again_of_its_document(folder: Path) -> None:
    first = loaded(folder, {"a.yaml": ERP, "b.yaml": "severity:\n  - {name: a, when: 'true', is: P1}\n"})
    text = json.dumps(first.document)
    assert "Bearer abc" not in text
    assert "k3y" not in text
    settings = load_settings(folder / "tocsin.yaml", SECRETS)
    again = rulebook_from_document(json.loads(text), settings=settings, secrets=settings.secrets(SECRETS)).rulebook
    assert again.version == first.rulebook.version
    assert again.systems["erp"].checks[0].version == first.rulebook.systems["erp"].checks[0].version
    assert [(rule.file, rule.line) for rule in again.severity] == [("rules/b.yaml", 2)]


def test_a_document_of_another_version_is_refused(folder: Path) -> None:
    settings = load_settings(folder / "tocsin.yaml", {})
    with pytest.raises(ConfigurationError, match="was stored by another version of Tocsin"):
        rulebook_from_document({"format": 2}, settings=settings, secrets=settings.secrets({}))


def test_a_secret_that_went_away_is_told_of_the_stored_document_too(folder: Path) -> None:
    first = loaded(folder, {"a.yaml": ERP})
    settings = load_settings(folder / "tocsin.yaml", {})
    with pytest.raises(ConfigurationError) as caught:
        rulebook_from_document(first.document, settings=settings, secrets=settings.secrets({}))
    assert [problem.file for problem in caught.value.problems] == ["the stored configuration"] * 2


def test_the_same_text_gives_the_same_versions(folder: Path) -> None:
    one, two = (loaded(folder, {"a.yaml": ERP}).rulebook for _ in range(2))
    assert one.version == two.version
    assert [check.version for check in one.systems["erp"].checks] == [
        check.version for check in two.systems["erp"].checks
    ]


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("every: 15s", "every: 16s", False),
        ('"UP"', '"OK"', False),
        ("800ms", "900ms", False),
        ("/health\n", "/healthz\n", False),
        ("fresh: never", "fresh: always", False),
        ("tier: core", "tier: other", True),
        ("owner: li.na", "owner: li.na  # since May", True),
        ("zh_CN: 企业资源计划", "zh_CN: 资源", True),
    ],
)
def test_a_check_has_a_new_version_when_what_it_measures_changed(
    folder: Path, old: str, new: str, is_same: bool
) -> None:
    versions = [
        loaded(folder, {"a.yaml": text}).rulebook.systems["erp"].checks[0].version
        for text in (ERP, ERP.replace(old, new))
    ]
    assert (versions[0] == versions[1]) is is_same


def test_a_new_secret_is_a_new_version(folder: Path) -> None:
    versions = {
        loaded(folder, {"a.yaml": ERP}, {**SECRETS, "TOCSIN_SECRET_ERP_TOKEN": token})
        .rulebook.systems["erp"]
        .checks[0]
        .version
        for token in ("Bearer a", "Bearer b")
    }
    assert len(versions) == 2


def test_no_secret_shows_in_what_is_printed_of_a_rulebook(folder: Path) -> None:
    printed = repr(loaded(folder, {"a.yaml": ERP}).rulebook)
    assert "Bearer abc" not in printed
    assert "k3y" not in printed
