"""Schedules and ladders as they are read, and what is wrong with them at its line and column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.config import load
from tocsin.core.model import Severity
from tocsin.core.oncall import who
from tocsin.core.policy import Rulebook, Step
from tocsin.errors import ConfigurationError

PEOPLE = "people: {li.na: {slack: U01}, wang.wei: {slack: U02, quiet: {hours: {mon-sun: ['22:00-07:00']}}}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "tocsin.yaml").write_text("slack: {channel: C01}\ntimezone: Europe/Berlin\n")
    return tmp_path


def rulebook(folder: Path, text: str, head: str = PEOPLE) -> Rulebook:
    (folder / "rules" / "a.yaml").write_text(head + text, encoding="utf-8")
    return load(folder / "tocsin.yaml", {}).rules.rulebook


def problems(folder: Path, text: str, head: str = PEOPLE) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        rulebook(folder, text, head)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in caught.value.problems]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# --- schedules ---


def test_a_schedule_is_read_whole(folder: Path) -> None:
    text = (
        "oncall:\n  erp: {timezone: Asia/Shanghai, rotation: weekly, handover: 'mon 09:00', members: [li.na, wang.wei],"
        " since: '2026-11-02', overrides: [{person: wang.wei, from: '2026-11-04 09:00', to: '2026-11-05 09:00'}]}\n"
    )
    erp = rulebook(folder, text).oncall["erp"]
    assert who(erp, at("2026-11-02T09:00:00+08:00")) == "li.na"
    assert who(erp, at("2026-11-02T08:59:59+08:00")) == "wang.wei"
    assert who(erp, at("2026-11-04T09:00:00+08:00")) == "wang.wei"
    assert who(erp, at("2026-11-05T09:00:00+08:00")) == "li.na"


def test_layers_have_zones_and_hours_of_their_own(folder: Path) -> None:
    text = (
        "oncall:\n  erp:\n    layers:\n"
        "      - {name: asia, timezone: Asia/Shanghai, hours: {mon-sun: ['08:00-20:00']}, members: [li.na], rotation: daily}\n"
        "      - {members: [wang.wei]}\n"
    )
    erp = rulebook(folder, text).oncall["erp"]
    assert [one.name for one in erp.layers] == ["asia", "layer 2"]
    assert who(erp, at("2026-11-02T08:00:00+08:00")) == "li.na"
    assert who(erp, at("2026-11-02T20:00:00+08:00")) == "wang.wei"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{members: []}", "3:9: a rotation with nobody: name its people, as members: [li.na, wang.wei]"),
        ("{rotation: daily}", "3:3: a rotation with nobody: name its people, as members: [li.na, wang.wei]"),
        ("{members: [li.nah]}", '3:19: unknown person "li.nah" (did you mean "li.na"?)'),
        ("{members: [li.na], rotation: weakly}", '3:37: unknown rotation "weakly" (did you mean "weekly"?)'),
        (
            "{members: [li.na], rotation: 36h}",
            '3:37: "36h" is neither whole days nor hours that divide a day (write daily, weekly, 3d or 12h)',
        ),
        (
            "{members: [li.na], handover: 'mon 24:00'}",
            '3:37: "mon 24:00" has a time that no clock shows (00:00 to 23:59)',
        ),
        ("{members: [li.na], handover: '09:00'}", "3:37: on which day? (write 'mon 09:00')"),
        (
            "{members: [li.na], rotation: 3d, handover: 'mon 09:00'}",
            "3:51: turns of 3d do not begin on the same day each week (write '09:00', and since:)",
        ),
        (
            "{members: [li.na], timezone: Europe/Berlim}",
            '3:37: unknown time zone "Europe/Berlim" (did you mean "Europe/Berlin"?)',
        ),
        ("{members: [li.na], since: '2026-02-30'}", '3:34: "2026-02-30" is no day (write 2026-12-24)'),
        ("{members: [li.na], calendar: office}", '3:37: unknown calendar "office" (known: 24x7)'),
        (
            "{members: [li.na], layers: [{members: [li.na]}]}",
            "3:9: members stands beside layers (write it into the layers, or leave the layers out)",
        ),
        (
            "{members: [li.na], hours: {mon: ['09:00-09:00']}}",
            '3:41: "09:00-09:00" has no length (the whole day is 00:00-24:00)',
        ),
        ("{members: [li.na], menbers: [x]}", '3:27: unknown key "menbers" (did you mean "members"?)'),
    ],
)
def test_a_wrong_schedule_is_told_at_its_place(folder: Path, entry: str, expected: str) -> None:
    assert problems(folder, f"oncall:\n  erp: {entry}\n") == [expected]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (
            "2026-11-05 09:00",
            "2026-11-04 09:00",
            "the override ends before it starts: 2026-11-04 09:00 is not after 2026-11-05 09:00 (swap from and to)",
        ),
        (
            "2026-03-29 02:30",
            "2026-04-01 09:00",
            (
                "2026-03-29 02:30 does not exist in Europe/Berlin: the clocks are put forward "
                "(the first moment after it is 2026-03-29T03:00:00+02:00)"
            ),
        ),
        (
            "2026-10-01 09:00",
            "2026-10-25 02:30",
            (
                "2026-10-25 02:30 exists twice in Europe/Berlin: the clocks are put back"
                " (write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00)"
            ),
        ),
        (
            "tomorrow morning at nine",
            "2026-10-25 09:00",
            "\"tomorrow morning at nine\" is no moment (write '2026-12-24 09:00', local, or '2026-12-24T09:00+08:00')",
        ),
    ],
)
def test_a_wrong_override_is_told(folder: Path, start: str, end: str, expected: str) -> None:
    override = f"{{person: li.na, from: '{start}', to: '{end}'}}"
    (told,) = problems(folder, f"oncall:\n  erp: {{members: [li.na], overrides: [{override}]}}\n")
    assert told.partition(" ")[2] == expected
    assert told.startswith("3:")


# --- ladders ---

LADDER = """
response:
  P1: {acknowledge: 1h, escalate: core, acknowledge_for: 30m}
oncall: {erp: {members: [li.na, wang.wei]}}
teams: {erp-ops: {members: [li.na], channel: managers}}
channels: {managers: {slack: C2}}
escalation:
  core:
"""


def test_a_ladder_is_read_whole_and_belongs_to_the_policy(folder: Path) -> None:
    steps = (
        "    - {at: 0m, tell: {oncall: erp}}\n    - {at: 25%, tell: {person: li.na}}\n"
        "    - {at: 45m, tell: [{channel: managers}, {team: erp-ops}], repeat: 30m}\n"
    )
    policy = rulebook(folder, LADDER + steps).response[Severity.P1]
    assert policy.ladder == (
        Step(timedelta(0), ("oncall:erp",)),
        Step(0.25, ("person:li.na",)),
        Step(timedelta(minutes=45), ("channel:managers", "team:erp-ops"), timedelta(minutes=30)),
    )
    assert (policy.escalate, policy.acknowledge_for) == ("core", timedelta(minutes=30))


def test_another_ladder_is_another_version_of_the_policy(folder: Path) -> None:
    versions = {
        rulebook(folder, LADDER + f"    - {{at: {at}, tell: {{person: li.na}}}}\n").response[Severity.P1].version
        for at in ("10%", "20%")
    }
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("    - {at: 0m, tell: {oncall: crm}}", '10:31: unknown on-call schedule "crm" (known: erp)'),
        ("    - {at: 0m, tell: {person: li}}", '10:31: unknown person "li" (known: li.na, wang.wei)'),
        (
            "    - {at: 0m, tell: [{channel: m}, {team: erp-ops}]}",
            '10:33: unknown channel "m" (known: slack, managers)',
        ),
        (
            "    - {at: 0m, tell: {persom: li.na}}",
            '10:22: tell: unknown kind of target "persom" (did you mean "person"?)',
        ),
        ("    - {at: 0m, tell: []}", "10:22: tell: tells nobody (write tell: {person: li.na})"),
        (
            "    - {at: 0m}",
            '10:7: "tell" is missing (whom: {person: …}, {oncall: …}, {team: …}, {channel: …}, or a list)',
        ),
        (
            "    - {at: soon, tell: {person: li.na}}",
            '10:12: at: "soon" is neither a share of the target nor a span (write 25%, 15m or 0m)',
        ),
        (
            "    - {at: 50%, tell: {person: li.na}}\n    - {at: 25%, tell: {team: erp-ops}}",
            "11:12: 25% stands behind 50%: write the steps in order, each once",
        ),
        (
            "    - {at: 50%, tell: {person: li.na}}\n    - {at: 20m, tell: {team: erp-ops}}",
            "11:12: 20m stands behind 50% (of the 1h of P1): write the steps in order, each once",
        ),
        ("    - {at: 0m, tell: {person: li.na}, repeat: 5s}", "10:47: repeat: must be at least 1m"),
        ("    []", "10:5: core reaches nobody: it has no step (write - {at: 0m, tell: …})"),
    ],
)
def test_a_wrong_ladder_is_told_at_its_place(folder: Path, steps: str, expected: str) -> None:
    assert problems(folder, f"{LADDER.rstrip()}\n{steps}\n") == [expected]


def test_a_ladder_that_reaches_nobody_is_refused(folder: Path) -> None:
    (folder / "tocsin.yaml").write_text("language: en\n")
    text = (
        "response: {P1: {acknowledge: 1h, escalate: core}}\nescalation:\n  core:\n    - {at: 0m, tell: {person: a}}\n"
    )
    assert problems(folder, text, "people: {a: {}}\n") == [
        "5:22: reaches nobody: person:a has no Slack id and no channel (give one, or set slack.channel)"
    ]


def test_an_unknown_ladder_is_told_and_one_that_nobody_uses_is_warned_about(folder: Path) -> None:
    assert problems(folder, "response: {P1: {acknowledge: 1h, escalate: cor}}\n") == [
        '2:44: unknown ladder "cor" (add it under escalation:)'
    ]
    (folder / "rules" / "a.yaml").write_text(PEOPLE + "escalation: {core: [{at: 0m, tell: {person: li.na}}]}\n")
    (warning,) = load(folder / "tocsin.yaml", {}).rules.warnings
    assert warning.message == "no policy under response escalates by core"


def test_wrong_quiet_hours_are_told_at_their_place(folder: Path) -> None:
    assert problems(folder, "", "people: {a: {quiet: {hours: {mon: ['25:00-26:00']}}}}\n")[0].startswith("1:36: ")
