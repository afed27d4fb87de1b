"""What is wrong in rule files is told at its line and column, with what would be right, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.config import load_rules, load_settings
from tocsin.errors import ConfigurationError, Problem


def problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> tuple[Problem, ...]:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        path = tmp_path / "rules" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "tocsin.yaml").write_text("slack: {channel: C01}\n")
    settings = load_settings(Path("tocsin.yaml"), {})
    with pytest.raises(ConfigurationError) as caught:
        load_rules(
            settings.rules, settings=settings, secrets=settings.secrets({"TOCSIN_SECRET_BROKEN": "a\r\nX-Evil: 1"})
        )
    return caught.value.problems


def system(*, rest: str = "", check: str = "http: https://a.example.com/") -> str:
    """A system in six lines: what is given as `rest` stands in line 4, the check in line 6 from column 13 on."""
    return f"systems:\n  erp:\n    owner: li.na\n    {rest or 'tier: core'}\n    checks:\n      h: {{ {check} }}\n"


def rule(when: str) -> str:
    return f"severity:\n  - name: a\n    when: {when}\n    is: P1\n"


CHECK_CASES = [
    ("http: ftp://a", '6:18: http: "ftp://a" does not start with http:// or https://'),
    ("http: a.example.com", '6:18: http: "a.example.com" does not start with http:// or https://'),
    ("http: https://", '6:18: http: "https://" names no host'),
    ("http: 'https://a:99999/'", '6:18: http: "https://a:99999/" is no URL: Port out of range 0-65535'),
    ("http: 'https://a:0/'", "6:18: http: port 0 is not between 1 and 65535"),
    ("http: 'https://a b/'", '6:18: http: "a b" is no host name'),
    (
        "http: 'https://a/b c'",
        "6:18: http: a URL holds no blanks and nothing outside ASCII (write it percent-encoded, as %20)",
    ),
    ("http: 'https://a/#top'", "6:18: http: #top never leaves a browser (leave it out)"),
    (
        "http: 'https://u:p@a/'",
        "6:18: http: holds a user or password: write them under basic: {user: …, password: {secret: …}}",
    ),
    ("http: 5", "6:18: http: must be a URL (http:// or https://…)"),
    ("http: ", "6:12: http: has no value"),
    ("tcp: db", '6:17: tcp: "db" is no host:port (as 127.0.0.1:8600 or [::1]:8600)'),
    ("tcp: 'db:0'", "6:17: tcp: port 0 is not between 1 and 65535"),
    ("tcp: 'db:65536'", "6:17: tcp: port 65536 is not between 1 and 65535"),
    ("tcp: '::1:80'", "6:17: tcp: write the IPv6 address in brackets: [::1]"),
    ("tcp: '300.1.1.1:80'", "6:17: tcp: 300.1.1.1 is no IPv4 address"),
    (
        "tcp: 'a:1', expect: '('",
        "6:32: invalid regular expression: missing ): ( (RE2: no look-around, no back-references)",
    ),
    (
        "tcp: 'a:1', expect: 'a(?=b)'",
        "6:32: invalid regular expression: invalid perl operator: (?= (RE2: no look-around, no back-references)",
    ),
    ("tcp: 'a:1', values: {}", '6:24: unknown key "values" (known here: every,'),
    ("every: 5s", "6:7: the kind is missing: http: https://… or tcp: host:port"),
    ("htp: https://a", '6:7: the kind is missing: http: https://… or tcp: host:port (did you mean "http"?)'),
    ("http: https://a, tcp: 'a:1'", "6:29: a check has one kind, this has http and tcp"),
    ("dns: a", "6:12: dns is not in this version (leave it out)"),
    ("tls: 'a:443'", "6:12: a check of kind tls is not in this version (http or tcp)"),
    ("http: https://a, enabled: false", "6:29: enabled is not in this version (leave it out)"),
    (
        "http: https://a, every: 15",
        "6:36: every: 15 has no unit: write a span with its units, as 500ms, 90s, 1h30m, 30d or 2w",
    ),
    ("http: https://a, every: 99ms", "6:36: every: must be at least 100ms"),
    ("http: https://a, every: 32d", "6:36: every: must be at most 4w3d"),
    (
        "http: https://a, every: soon",
        '6:36: every: "soon" is no span: write a span with its units, as 500ms, 90s, 1h30m, 30d or 2w',
    ),
    ("http: https://a, timeout: 0s", "6:38: timeout: must be more than nothing"),
    ("http: https://a, timeout: 1h", "6:38: timeout: must be at most 10m"),
    (
        "http: https://a, fail_after: 0",
        '6:41: fail_after: "0" must be at least 1, at most 100, and of no fewer samples than it counts',
    ),
    (
        "http: https://a, fail_after: 3 of 2",
        '6:41: fail_after: "3 of 2" must be at least 1, at most 100, and of no fewer samples than it counts',
    ),
    ("http: https://a, fail_after: yes", '6:41: fail_after: "yes" is neither a number nor "2 of 5"'),
    ("http: https://a, fail_after: 1.5", '6:41: fail_after: "1.5" is neither a number nor "2 of 5"'),
    ("http: https://a, recover_after: 0", "6:44: recover_after: must be at least 1"),
    ("http: https://a, recover_after: '2'", "6:44: recover_after: must be a whole number"),
    ("http: https://a, confirm_every: 31s", "6:44: confirm_every is longer than every (30s)"),
    ("http: https://a, confirm_every: 1ms", "6:44: confirm_every: must be at least 100ms"),
    ("http: https://a, redirects: -1", "6:40: redirects: must be at least 0"),
    ("http: https://a, redirects: 51", "6:40: redirects: must be at most 50"),
    ("http: https://a, max_body: 1GB", '6:39: max_body: "1GB" is no size (write 512KiB or 1MiB)'),
    ("http: https://a, max_body: 65MiB", "6:39: max_body: 65MiB is not between 1B and 64MiB"),
    (
        "http: https://a, fresh: sometimes",
        '6:36: fresh: "sometimes" is no span: write a span with its units, as 500ms, 90s, 1h30m, 30d or 2w',
    ),
    ("http: https://a, ip: 5", '6:33: ip: "5" is none of any, 4, 6'),
    ("http: https://a, compression: no", "6:42: compression: must be true or false"),
    (
        "http: https://a, method: FETCH",
        '6:37: method: unknown method "FETCH" (one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS)',
    ),
    ("http: https://a, headers: {'A B': x}", "6:38: headers: 'A B' cannot be the name of a header"),
    (
        "http: https://a, headers: {Connection: x}",
        "6:38: headers: Connection is set by the probe itself (leave it out)",
    ),
    ("http: https://a, headers: {X-A: x, x-a: y}", "6:38: headers: x-a stands twice (case does not matter)"),
    (
        r'http: https://a, headers: {X-A: "x\r\nX-B: y"}',
        "6:44: X-A: holds a line end, which would start another header",
    ),
    ("http: https://a, headers: {X-A: 中}", "6:44: X-A: holds something outside printable ASCII"),
    ("http: https://a, headers: {X-A: 5}", '6:44: X-A: must be text or {secret: name} (write "5" in quotes)'),
    ("http: https://a, headers: {X-A: {secrt: x}}", "6:44: X-A: must be text or {secret: name}"),
    (
        "http: https://a, headers: {X-A: {secret: broken}}",
        '6:44: secret "broken" holds a line end, which would start another header',
    ),
    (
        "http: https://a, headers: {X-A: {secret: nowhere}}",
        '6:44: secret "nowhere" is not there (looked for TOCSIN_SECRET_NOWHERE; secrets_dir is not set)',
    ),
    (
        "http: https://a, headers: {X-A: {secret: ../../etc/passwd}}",
        '6:44: "../../etc/passwd" cannot name a secret (letters, digits, _ . -)',
    ),
    ("http: https://a, basic: {user: a}", '6:29: "password" is missing'),
    ("http: https://a, basic: {user: 'a:b', password: c}", "6:43: a user's name holds no colon here (RFC 7617)"),
    (
        "http: https://a, basic: {user: a, password: b}, headers: {authorization: x}",
        "6:29: basic and a header Authorization exclude each other",
    ),
    ("http: https://a, proxy: socks5://p", '6:36: proxy: "socks5://p" does not start with http:// or https://'),
    ("http: https://a, tls: {ca: nowhere.pem}", "nowhere.pem cannot be read: No such file or directory"),
    ("http: https://a, tls: {key: k.pem}", "6:34: tls: key without cert"),
    ("http: https://a, tls: {verify: 'false'}", "6:43: verify: must be true or false"),
    ("http: https://a, expect: status == 200", "6:37: expect: must be a list"),
    ("http: https://a, expect: [5]", '6:38: expect: must be text (write "5" in quotes)'),
    ("http: https://a, expect: ['statsu == 200']", '6:39: unknown name "statsu" (did you mean "status"?)'),
    ("http: https://a, expect: ['json.ok && statsu == 200']", '6:50: unknown name "statsu" (did you mean "status"?)'),
    (
        "http: https://a, degraded_when: ['latency > 5']",
        '6:54: a duration is compared with a duration: write duration("5s")',
    ),
    ("http: https://a, values: {Load: json.load}", '6:38: Load: "Load" cannot name a value (small letters, digits, _)'),
    (
        "http: https://a, values: {load: json.?load}",
        "6:44: this may be absent: write .orValue(0.0) behind it, or . for .?",
    ),
    ("http: https://a, exepct: []", '6:29: unknown key "exepct" (did you mean "expect"?)'),
    (
        "tcp: 'a:1', degraded_when: ['json.x']",
        "6:41: json belongs to a probe's conditions, not to the conditions of a tcp check",
    ),
]


@pytest.mark.parametrize(("check", "expected"), CHECK_CASES)
def test_a_wrong_check_is_told_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str, expected: str
) -> None:
    found = [str(problem) for problem in problems(tmp_path, monkeypatch, {"a.yaml": system(check=check)})]
    assert len(found) == 1, found
    place = "rules/a.yaml:" if expected[0].isdigit() else ""
    assert found[0].startswith(place + expected) or found[0].endswith(expected)


SYSTEM_CASES = [
    ("tittle: ERP", '4:5: unknown key "tittle" (did you mean "title"?)'),
    ("title: {fr: ERP}", '4:12: title: unknown language "fr" (known here: en, zh_CN)'),
    ("title: 5", "4:12: title: must be text, or {en: …, zh_CN: …}"),
    ("title: ''", "4:12: title: must be text, and not empty"),
    ("tier: very core", '4:11: tier: "very core" must be one word, as core'),
    ("runbook: javascript:alert(1)", '4:14: runbook: "javascript:alert(1)" does not start with http:// or https://'),
    ("notify: []", "4:13: notify: must not be empty"),
    ("notify: erp-channel", "4:13: notify: must be a list"),
    ("notify: [erp-chanel]", '4:14: unknown channel "erp-chanel" (known: slack)'),
    ("notify: [slak]", '4:14: unknown channel "slak" (did you mean "slack"?)'),
    ("calendar: weekdays", '4:15: unknown calendar "weekdays" (known: 24x7)'),
    ("depends_on: [core-db]", "4:5: depends_on is not in this version (leave it out)"),
    ("enabled: false", "4:5: enabled is not in this version (leave it out)"),
    ("slo: {target: 99.9}", "4:5: slo is not in this version (leave it out)"),
    ("owner: wang", '4:5: "owner" stands twice (first in line 3)'),
]


@pytest.mark.parametrize(("line", "expected"), SYSTEM_CASES)
def test_a_wrong_system_is_told_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: str
) -> None:
    found = problems(tmp_path, monkeypatch, {"a.yaml": system(rest=line)})
    assert [str(problem) for problem in found] == [f"rules/a.yaml:{expected}"]


FILE_CASES = [
    (
        "[]",
        (
            "1:1: must hold sections, as systems: or severity: (defaults, severity, systems, response, calendars,"
            " people, teams, channels, oncall, escalation, golive)"
        ),
    ),
    ("sytems: {}", '1:1: unknown section "sytems" (did you mean "systems"?)'),
    ("listen: 127.0.0.1:8600", '1:1: unknown section "listen" (it is a setting: write it into tocsin.yaml)'),
    *[
        (f"{section}: {{a: 1}}", f"1:1: {section} is not in this version (leave it out)")
        for section in ("maintenance", "routes", "silences", "remediation", "slo")
    ],
    ("systems: [erp]", "1:10: systems must be a mapping of names to entries"),
    ("systems: {erp: 5}", "1:11: erp must be a mapping with an owner and checks"),
    ("systems: {'142': {}}", """1:11: "142" cannot name a system: it reads like the number of an incident"""),
    ("systems: {'a/b': {}}", '1:11: "a/b" cannot be a name (letters, digits, . _ - and at most 64 of them)'),
    ("systems: {erp: {owner: a, checks: {}}}", "1:27: erp has no checks (at least one, as health: {http: https://…})"),
    ("systems: {erp: {owner: a, checks: [x]}}", "1:35: checks must be a mapping of names to checks"),
    (
        "systems: {erp: {owner: a, checks: {h: https://a}}}",
        "1:39: h must be a mapping with its kind, as {http: https://…}",
    ),
    (
        "systems: {erp: {checks: {h: {http: 'https://a'}}}}",
        '1:11: "owner" is missing (the process owner: a person or a team)',
    ),
    ("severity: {}", "1:11: severity must be a list of rules, each - {name: …, when: …, is: P1}"),
    ("severity: [a]", "1:12: severity: must be a mapping of keys to values"),
    ("severity:\n  - {name: a, is: P1}", '2:5: "when" is missing (a condition in CEL)'),
    ("severity:\n  - {when: 'true', is: P1}", '2:5: "name" is missing (what is wrong, in a few words)'),
    ("severity:\n  - {name: a, when: 'true'}", '2:5: "is" is missing (P1, P2, P3 or P4)'),
    ("severity:\n  - {name: a, when: 'true', is: P0}", '2:33: is: unknown severity "P0" (use P1, P2, P3 or P4)'),
    ("severity:\n  - {name: a, when: 'true', is: p1}", '2:33: is: unknown severity "p1" (use P1, P2, P3 or P4)'),
    ("severity:\n  - {name: a, when: 5, is: P1}", '2:21: when: must be text (write "5" in quotes)'),
    ("severity:\n  - {name: a, when: true, is: P1}", '2:21: when: must be text (write "True" in quotes)'),
    (
        "severity:\n  - {name: a, when: 'true', is: P1}\n  - {name: a, when: 'false', is: P2}",
        '3:12: severity rule "a" stands twice (first in rules/a.yaml:2)',
    ),
    ("response: {P5: {acknowledge: 1h}}", '1:12: unknown severity "P5" (use P1, P2, P3 or P4)'),
    ("response: {P1: {}}", '1:12: "acknowledge" is missing (how soon somebody must answer, as 1h)'),
    ("response: {P1: {acknowledge: 0s}}", "1:30: acknowledge: must be more than nothing"),
    ("response: {P1: {acknowledge: 1h, update: 0s}}", "1:42: update: must be more than nothing"),
    ("response: {P1: {acknowledge: 1h, escalate: x}}", '1:44: unknown ladder "x" (add it under escalation:)'),
    ("response: {P1: {acknowledge: 1h, calendar: x}}", '1:44: unknown calendar "x" (known: 24x7)'),
    (
        "response: {P1: {acknowledge: 1h, remind: [100%, 50%]}}",
        "1:42: remind: 50% stands behind 100%: write the shares in ascending order, each once",
    ),
    (
        "response: {P1: {acknowledge: 1h, remind: [50%, 50%]}}",
        "1:42: remind: 50% stands behind 50%: write the shares in ascending order, each once",
    ),
    ("response: {P1: {acknowledge: 1h, remind: [0.5]}}", '1:42: remind: "0.5" is no share of the target (write 75%)'),
    ("response: {P1: {acknowledge: 1h, remind: [0%]}}", "1:42: remind: 0% is not between 0% and 1000%"),
    ("response: {P1: {acknowledge: 1h, remind: 50%}}", "1:42: remind: must be a list of shares, as [50%, 100%]"),
    ("defaults: {check: {http: 'https://a'}}", '1:20: unknown key "http" (known here: every,'),
    ("defaults: {system: {}}", '1:12: unknown key "system" (known here: check)'),
    ("defaults: {check: {every: 1ms}}", "1:27: every: must be at least 100ms"),
    ("people: {li.na: {slack: Li Na}}", '1:25: slack: "Li Na" is no id of a Slack user (as U0123ABCD)'),
    ("people: {li.na: {email: li.na}}", '1:25: email: "li.na" is no address of mail'),
    ("people: {li.na: {language: de}}", """1:28: language: "de" must be 'en' or 'zh_CN'"""),
    (
        "people: {li.na: {phone: 1}}",
        '1:18: unknown key "phone" (known here: name, slack, email, login, language, quiet)',
    ),
    ("people: {a: {slack: U12}, b: {slack: U12}}", '1:38: slack "U12" is already that of a'),
    ("people: {a: {login: x}, b: {login: x}}", '1:36: login "x" is already that of a'),
    ("teams: {ops: {members: []}}", "1:24: members: must not be empty"),
    ("teams: {ops: {members: [li.na]}}", '1:25: unknown person "li.na" (add it under people:)'),
    ("people: {a: {}}\nteams: {a: {members: [a]}}", '2:9: "a" is the name of a person already'),
    ("people: {a: {}}\nteams: {b: {members: [a], channel: x}}", '2:36: unknown channel "x" (known: slack)'),
    ("channels: {slack: {slack: C1}}", '1:12: the name "slack" is taken: it is slack.channel of the settings'),
    ("channels: {a: {}}", "1:12: a must have one kind: slack: C0123ABCD or webhook: https://…"),
    (
        "channels: {a: {slack: C1, webhook: 'https://a'}}",
        "1:12: a must have one kind: slack: C0123ABCD or webhook: https://…",
    ),
    (
        "channels: {a: {slack: C1, secret: x}}",
        '1:27: unknown key "secret" (known here: language, fallback, pace, slack)',
    ),
    ("channels: {a: {webhook: example.com}}", '1:25: webhook: "example.com" does not start with http:// or https://'),
    ("channels: {a: {webhook: 'https://a', secret: {secret: none}}}", '1:46: secret "none" is not there'),
    ("channels: {a: {dingtalk: x}}", "1:16: dingtalk is not in this version (leave it out)"),
    ("calendars: {24x7: {hours: {mon: ['09:00-17:00']}}}", '1:13: "24x7" is the calendar that is always there'),
    ("calendars: {a: 5}", "1:16: a must be a mapping with hours"),
    (
        "systems: {erp: {owner: li.an, checks: {h: {http: 'https://a'}}}}\npeople: {li.na: {}}",
        '1:24: unknown owner "li.an" (did you mean "li.na"?)',
    ),
    ("systems: {erp: {owner: x, checks: {h: {http: 'https://a'}}}}\nteams: {ops: {members: [li.na]}}", "unknown"),
]


@pytest.mark.parametrize(("text", "expected"), FILE_CASES)
def test_a_wrong_file_is_told_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    found = [str(problem) for problem in problems(tmp_path, monkeypatch, {"a.yaml": text})]
    if expected == "unknown":
        assert [problem.split(": ", 1)[1] for problem in found] == [
            'unknown owner "x" (known: ops)',
            'unknown person "li.na" (add it under people:)',
        ]
    else:
        assert len(found) == 1, found
        assert found[0].startswith(f"rules/a.yaml:{expected}")


RULE_CASES = [
    ('system.teir == "core"', '3:11: unknown name "system.teir" (did you mean "system.tier"?)'),
    (
        "'status == 200'",
        '3:19: status is a word here ("up", "degraded", "down", "unobserved"); it is a number only in a probe\'s conditions',
    ),
    ("'status == \"dwon\"'", '3:22: status is never "dwon" (did you mean "down"?)'),
    ("'down_for > duration(\"1d\")'", "3:32: CEL durations take h, m, s, ms; write 24h"),
    ("'json.ok'", "3:12: json belongs to a probe's conditions, not to decision rules"),
    ("'system.name'", "3:12: a condition must be true or false, this is a text: compare it with something"),
    ("''", "3:12: a condition is empty"),
    ('|\n      status == "down"\n        && foo', '5:12: unknown name "foo" (known here:'),
]


@pytest.mark.parametrize(("when", "expected"), RULE_CASES)
def test_a_wrong_condition_is_told_at_its_own_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, expected: str
) -> None:
    found = [str(problem) for problem in problems(tmp_path, monkeypatch, {"a.yaml": rule(when)})]
    assert len(found) == 1, found
    assert found[0].startswith(f"rules/a.yaml:{expected}")


def test_all_errors_of_all_files_come_at_once_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "a.yaml": "systems:\n  erp:\n    tittle: x\n    owner: a\n    checks: {h: {http: a, every: 5, expect: [statsu == 1]}}\n",
        "b.yaml": "a: [\n",
        "c.yaml": "severity:\n  - {name: a, when: 'system.teir == \"x\"', is: P9}\nmaintenance: {a: 1}\n",
    }
    places = [(problem.file, problem.line, problem.column) for problem in problems(tmp_path, monkeypatch, files)]
    assert places == [
        ("rules/a.yaml", 3, 5),
        ("rules/a.yaml", 5, 24),
        ("rules/a.yaml", 5, 34),
        ("rules/a.yaml", 5, 46),
        ("rules/b.yaml", 2, 1),
        ("rules/c.yaml", 2, 22),
        ("rules/c.yaml", 2, 47),
        ("rules/c.yaml", 3, 1),
    ]


def test_a_name_that_stands_in_two_files_names_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.yaml": system(), "b.yaml": f"# second\n{system()}"}
    assert [str(problem) for problem in problems(tmp_path, monkeypatch, files)] == [
        'rules/b.yaml:3:3: system "erp" stands twice (first in rules/a.yaml:2:3)'
    ]


def test_a_default_that_stands_in_two_files_names_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.yaml": "defaults: {check: {every: 5s}}", "b.yaml": "defaults: {check: {timeout: 5s, every: 6s}}"}
    assert [str(problem) for problem in problems(tmp_path, monkeypatch, files)] == [
        'rules/b.yaml:1:33: default "every" stands twice (first in rules/a.yaml:1:20)'
    ]


def test_the_line_and_a_caret_stand_under_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems(tmp_path, monkeypatch, {"a.yaml": rule("'状态 == \"中\" && foo'").replace("状态", "text")})
    assert problem.with_caret().splitlines()[1:] == [
        "        when: 'text == \"中\" && foo'",
        "                               ^",
    ]


def test_a_secret_in_the_line_of_an_error_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = "http: https://a, headers: {Authorization: Bearer hunter2}, tmeout: 5s"
    (problem,) = problems(tmp_path, monkeypatch, {"a.yaml": system(check=check)})
    assert "hunter2" not in problem.with_caret()
    assert problem.source[problem.column - 1 :].startswith("tmeout")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: \xff\n", "rules/a.yaml:1:1: is not UTF-8 text in this line"),
        (b"#" * (8 * 1024 * 1024 + 1), "rules/a.yaml: is larger than 8 MiB"),
    ],
)
def test_a_file_that_is_no_text_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, expected: str
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_bytes(content)
    assert [str(problem) for problem in problems(tmp_path, monkeypatch, {})] == [expected]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").symlink_to("nowhere.yaml")
    found = problems(tmp_path, monkeypatch, {})
    assert [str(problem) for problem in found] == ["rules/a.yaml: cannot be read: No such file or directory"]


def test_a_folder_that_was_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text("language: en\nrules: [policies]\n")
    settings = load_settings(Path("tocsin.yaml"), {})
    with pytest.raises(ConfigurationError) as caught:
        load_rules(settings.rules, settings=settings, secrets=settings.secrets({}))
    assert str(caught.value) == "tocsin.yaml:2:8: rules: policies is not there (name folders of rule files)"
