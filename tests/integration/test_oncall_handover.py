"""Hand-overs, overrides by hand, imports and gaps, over the real store to Slack's double."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from duty_parts import RULES, START, House, run
from tocsin.errors import NotFound, UsageError

LINA, WANG = "D0LINA", "D0WANG"


def test_whoever_takes_over_is_told_what_is_open(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.turn()
        incident = await h.fail()
        await h.ask("ack", incident=incident)
        await h.turn(minutes=119)
        assert h.said_to(WANG) == []
        await h.turn(minutes=1)
        (digest,) = h.said_to(WANG)
        assert digest.text.splitlines() == [
            "🤝 <@U0WANG> is now on call for erp, until 12:00, Tue 1 Dec. Before: Li Na.",
            "• P1 · erp is down · #1 · acknowledged",
        ]
        (line,) = await h.journal("oncall_handover")
        assert (line["at"], line["data"]["previous"], line["data"]["person"]) == (
            "2026-11-24T04:00:00.000000Z",
            "li.na",
            "wang.wei",
        )

    run(tmp_path, walk)


def test_a_digest_is_no_alarm_and_starts_no_thread_of_alarms(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.turn()
        await h.turn(minutes=120)
        await h.turn(minutes=7 * 24 * 60)
        assert [(one.is_reply, one.text.splitlines()[-1]) for one in h.said_to(LINA)] == [
            (False, "当前没有未关闭的事件。")
        ]

    run(tmp_path, walk)


def test_a_hand_over_during_a_stop_is_told_once_at_its_true_instant(tmp_path: Path) -> None:
    async def before(h: House) -> None:
        await h.turn()

    async def after(h: House) -> None:
        await h.turn()
        await h.turn(minutes=1)
        (line,) = await h.journal("oncall_handover")
        assert line["at"] == "2026-11-24T04:00:00.000000Z"
        assert len(h.said_to(WANG)) == 1

    run(tmp_path, before)
    run(tmp_path, after, at=START + timedelta(hours=5))


def test_a_hand_over_that_is_older_than_a_day_is_for_the_journal_only(tmp_path: Path) -> None:
    async def before(h: House) -> None:
        await h.turn()

    async def after(h: House) -> None:
        await h.turn()
        assert len(await h.journal("oncall_handover")) == 1
        assert h.said_to(WANG) == []

    run(tmp_path, before)
    run(tmp_path, after, at=START + timedelta(days=2))


def test_the_first_start_tells_nobody(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.turn()
        assert await h.journal("oncall_handover") == []
        assert h.said_to(LINA) == []

    run(tmp_path, walk)


# --- overrides ---


def test_an_override_by_hand_changes_who_is_paged_and_outlives_a_restart(tmp_path: Path) -> None:
    async def override(h: House) -> None:
        await h.turn()
        shown = await h.ask(
            "oncall_override",
            name="erp",
            person="wang.wei",
            **{"from": "2026-11-24T10:00+08:00", "to": "2026-11-24T12:00+08:00"},
        )
        assert (shown["person"], shown["until"]) == ("wang.wei", "2026-12-01T04:00:00Z")
        await h.turn()
        assert h.said_to(WANG)[-1].text.startswith("🤝 <@U0WANG> is now on call for erp")
        (line,) = await h.journal("oncall_overridden")
        assert (line["actor"], line["subject"], line["data"]["person"]) == ("person:li.na", "oncall:erp", "wang.wei")

    async def restarted(h: House) -> None:
        await h.fail()
        await h.turn()
        assert h.said_to(LINA) == []
        assert h.said_to(WANG)[-1].text.startswith("🔴 P1")

    run(tmp_path, override)
    run(tmp_path, restarted)


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        ({"name": "crm"}, NotFound, "there is no on-call schedule 'crm' (known: erp)"),
        ({"person": "li"}, UsageError, "unknown person 'li' (known: li.na, no.slack, wang.wei)"),
        ({"to": "2026-11-24T09:00+08:00"}, UsageError, "the override ends before it starts"),
        ({"to": "2026-11-24T09:00"}, UsageError, "'2026-11-24T09:00' has no offset"),
        ({"to": "2030-11-24T09:00Z"}, UsageError, "the override is longer than 366 days"),
    ],
)
def test_a_wrong_override_is_refused(
    tmp_path: Path, arguments: dict[str, str], error: type[Exception], expected: str
) -> None:
    async def walk(h: House) -> None:
        given = {"name": "erp", "person": "li.na", "from": "2026-11-24T10:00+08:00", "to": "2026-11-24T12:00+08:00"}
        with pytest.raises(error, match=r".*") as caught:
            await h.ask("oncall_override", **{**given, **arguments})
        assert str(caught.value).startswith(expected)
        assert await h.ask("oncall_overrides") == []

    run(tmp_path, walk)


def test_an_import_replaces_what_was_imported_before_and_is_still_to_come(tmp_path: Path) -> None:
    def shift(person: str, day: int) -> dict[str, str]:
        return {"person": person, "from": f"2026-12-0{day}T00:00Z", "to": f"2026-12-0{day}T12:00Z"}

    async def walk(h: House) -> None:
        await h.ask("oncall_import", name="erp", source="team.ics", shifts=[shift("li.na", 1), shift("li.na", 2)])
        await h.ask("oncall_import", name="erp", source="team.ics", shifts=[shift("no.slack", 3)])
        await h.ask("oncall_import", name="erp", source="other.ics", shifts=[shift("li.na", 4)])
        stored = await h.ask("oncall_overrides")
        assert [(one["person"], one["from"][:10], one["source"]) for one in stored] == [
            ("no.slack", "2026-12-03", "import:team.ics"),
            ("li.na", "2026-12-04", "import:other.ics"),
        ]
        assert len(await h.journal("oncall_imported")) == 3

    run(tmp_path, walk)


# --- gaps ---


def test_a_gap_is_an_alarm_a_week_before_it_comes(tmp_path: Path) -> None:
    rules = RULES.replace("members: [li.na, wang.wei]}", "members: [li.na], hours: {mon-fri: ['00:00-24:00']}}")

    async def walk(h: House) -> None:
        await h.turn()
        assert h.alarm("oncall_gap") == (
            "nobody is on call for erp from 2026-11-28 00:00 to 2026-11-30 00:00 (Asia/Shanghai) (see `tocsin oncall show erp`)"
        )

    run(tmp_path, walk, rules)


def test_covering_the_gap_clears_the_alarm(tmp_path: Path) -> None:
    rules = RULES.replace("members: [li.na, wang.wei]}", "members: [li.na], hours: {mon-fri: ['00:00-24:00']}}")

    async def walk(h: House) -> None:
        await h.turn()
        times = {"from": "2026-11-28T00:00+08:00", "to": "2026-11-30T00:00+08:00"}
        await h.ask("oncall_override", name="erp", person="wang.wei", **times)
        await h.turn()
        assert h.alarm("oncall_gap") is None

    run(tmp_path, walk, rules)
