"""A channel's pace is kept; what would wait too long is told in one message, the gravest first; and nothing is lost."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

from case_parts import a_system
from outbox_parts import Outbox, a_notice, channel_specs, walk
from tocsin.core.model import NoticeKind, Priority
from tocsin.core.pace import PACES, Pace

SLACK = {"ops": {"pace": PACES["slack"]}}
SECOND = timedelta(seconds=1)


def test_messages_keep_the_pace_after_a_short_burst(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        begin = o.clock.now()
        await o.promise(*(a_notice("ops", f"{n}", begin) for n in range(9)))
        await o.pass_time(20 * SECOND)
        after = [(told.at - begin) / SECOND for told in o.channels["ops"].told]
        assert after == [0, 0, 0, 0, 0, 1, 2, 3, 4]

    walk(tmp_path, channel_specs("ops", **SLACK), steps)


def test_a_page_of_p1_takes_the_next_turn(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        begin = o.clock.now()
        await o.promise(*(a_notice("ops", f"{n}", begin) for n in range(30)))
        await o.pass_time(3 * SECOND)
        urgent = a_notice("ops", "p1", o.clock.now(), kind=NoticeKind.PAGE, priority=Priority.P1, incident=1)
        await o.promise(urgent)
        await o.pass_time(1 * SECOND)
        assert o.channels["ops"].told[-1].message.key == urgent.key

    walk(tmp_path, channel_specs("ops", **SLACK), steps)


def test_a_thousand_incidents_in_a_minute_at_slacks_pace(tmp_path: Path) -> None:
    """60 of them are P1: each is told within five seconds, the others in few messages, and every notice ends as told."""
    core = [a_system(f"core{n}", ("health",), tier="core") for n in range(60)]
    office = [a_system(f"office{n}", ("health",), tier="office") for n in range(940)]

    async def steps(o: Outbox) -> None:
        for second in range(60):
            await o.fail(core[second].name, *(system.name for system in office[second * 16 : second * 16 + 16]))
            await o.pass_time(SECOND)
        await o.pass_time(120 * SECOND)
        told = o.channels["ops"].told
        states = Counter((await o.states_of(NoticeKind.PAGE)).values())
        assert states["pending"] == states["dead"] == 0
        assert states["sent"] + states["bundled"] >= 1000
        await _gravest_in_time(o)
        assert len(told) < 200
        assert sum(one.message.event == "bundle" for one in told) < 40

    walk(tmp_path, channel_specs("ops", **SLACK), steps, systems=(*core, *office))


async def _gravest_in_time(o: Outbox) -> None:
    at = {told.message.key: told.at for told in o.channels["ops"].told}
    for row in await o.all_notices():
        if row["kind"] != "page" or row["event"] != "opened" or not await o.is_p1(row["incident"]):
            continue
        key = row["key"] if row["state"] == "sent" else row["error"].removeprefix("told in ")
        assert at[key] - o.promised(row) <= 5 * SECOND, row


def test_many_p1_at_once_are_one_message_after_the_burst(tmp_path: Path) -> None:
    core = [a_system(f"core{n}", ("health",), tier="core") for n in range(40)]

    async def steps(o: Outbox) -> None:
        begin = o.clock.now()
        await o.fail(*(system.name for system in core))
        await o.pass_time(5 * SECOND)
        told = o.channels["ops"].told
        assert [one.message.event for one in told] == ["opened"] * 4 + ["bundle"]
        bundle = told[-1].message
        assert told[-1].at - begin <= 5 * SECOND
        assert (bundle.data["incidents"], bundle.data["severities"]) == (36, {"P1": 36})
        assert bundle.link == "https://tocsin.example.com/incidents"
        (line,) = await o.journal("notices_bundled")
        assert line["notices"] == 36

    walk(tmp_path, channel_specs("ops", **SLACK), steps, systems=core)


def test_machines_get_every_message_by_itself(tmp_path: Path) -> None:
    core = [a_system(f"core{n}", ("health",), tier="core") for n in range(40)]

    async def steps(o: Outbox) -> None:
        await o.fail(*(system.name for system in core))
        await o.pass_time(60 * SECOND)
        assert Counter(o.channels["pager"].events) == {"opened": 40}

    pace = Pace(60, timedelta(minutes=1), burst=2, bundles=False)
    walk(tmp_path, channel_specs("pager", pager={"pace": pace}), steps, systems=core)
