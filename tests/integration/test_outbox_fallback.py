"""When a channel cannot tell something, the next one is told, at once and saying so; and what comes late says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from case_parts import a_system
from outbox_parts import Outbox, a_notice, channel_specs, walk
from tocsin.core.acts import acknowledge
from tocsin.core.model import NoticeKind, Priority
from tocsin.core.policy import ChannelSpec
from tocsin.errors import DeliveryError

SPECS = channel_specs("ops", "spare", ops={"fallback": "spare"})
ARCHIVED = DeliveryError("the channel is archived", permanent=True)
REFUSED = DeliveryError("connection refused")
MINUTE = timedelta(minutes=1)


async def _ack(o: Outbox) -> None:
    now = o.clock.now()
    await o.store.write(
        lambda tx: tx.commit_decision(case := tx.case("erp"), acknowledge(case, o.rules, "person:li.na", now, now))
    )


def test_what_a_channel_refuses_for_good_goes_to_the_next_saying_so(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].is_dead = ARCHIVED
        await o.fail("erp")
        await o.turn()
        page = next(told.message for told in o.channels["spare"].told if told.message.event == "opened")
        assert (page.kind, page.data["instead_of"], page.data["because"]) == (
            NoticeKind.PAGE,
            "ops",
            "the channel is archived",
        )
        (diverted,) = [one for one in await o.journal("notice_diverted") if one["event"] == "opened"]
        assert (diverted["channel"], diverted["to"]) == ("ops", "spare")
        (alarm,) = o.alarms.current()
        assert alarm.name == "undelivered"
        assert "told in spare instead" in alarm.text

    walk(tmp_path, SPECS, steps)


def test_could_not_tell_anyone_goes_out_before_everything_else_on_the_next_channel(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].is_dead = ARCHIVED
        await o.promise(a_notice("ops", "first", o.clock.now()))
        await o.turn()
        found = await o.store.read(lambda q: q.notices(state="sent", incident=None, limit=10))
        assert {row["channel"] for row in found} == {"spare"}
        pending = [told.message for told in o.channels["spare"].told if told.message.event == "alarm"]
        assert {message.data.get("alarm") for message in pending} == {None, "undelivered"}

    walk(tmp_path, SPECS, steps)


def test_the_stand_in_goes_on_hearing_of_the_incident_and_its_message_shows_the_end(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].is_dead = ARCHIVED
        await o.fail("erp")
        await o.turn()
        await _ack(o)
        await o.turn()
        told = [(one.message.kind.value, one.message.event) for one in o.channels["spare"].told]
        assert ("reply", "acknowledged") in told
        last = [one.message for one in o.channels["spare"].told if one.message.kind is NoticeKind.EDIT][-1]
        assert last.incident is not None
        assert last.incident.acknowledged_by == "person:li.na"

    walk(tmp_path, SPECS, steps)


def test_a_message_that_stands_elsewhere_is_kept_up_to_date_when_the_channel_is_back(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].fails = [ARCHIVED]
        await o.fail("erp")
        await o.turn()
        await _ack(o)
        await o.turn()
        for name in ("ops", "spare"):
            shown = o.channels[name].told[-1].message.incident
            assert shown is not None
            assert (name, shown.state.value) == (name, "acknowledged")

    walk(tmp_path, SPECS, steps)


def test_what_is_not_confirmed_in_time_goes_to_the_next_as_well_and_once(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].is_dead = REFUSED
        await o.fail("erp")
        await o.pass_time(MINUTE)
        assert o.channels["spare"].told == []
        await o.pass_time(2 * MINUTE)
        pages = [told.message for told in o.channels["spare"].told if told.message.kind is NoticeKind.PAGE]
        assert [page.data["because"] for page in pages] == ["not confirmed within 120 s: connection refused"]
        assert (await o.states())["1:v0:opened:page:ops"] == "pending"
        await o.pass_time(30 * MINUTE)
        assert o.channels["spare"].events.count("opened") == 1

    walk(tmp_path, SPECS, steps)


def test_a_message_that_comes_late_says_how_late_and_why(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].is_dead = REFUSED
        await o.fail("erp")
        await o.pass_time(7 * MINUTE)
        o.channels["ops"].is_dead = None
        await o.pass_time(2 * MINUTE)
        page = o.channels["ops"].told[0].message
        assert page.late_by is not None
        assert page.late_by >= 7 * MINUTE
        assert page.late_because == "connection refused"

    walk(tmp_path, SPECS, steps)


def test_what_comes_in_time_says_nothing_of_lateness(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        await o.fail("erp")
        await o.turn()
        assert o.channels["ops"].told[0].message.late_by is None

    walk(tmp_path, SPECS, steps)


def test_the_chain_goes_on_to_those_who_hear_of_tocsins_own_troubles_and_ends(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        for name in ("ops", "spare", "managers"):
            o.channels[name].is_dead = ARCHIVED
        await o.fail("erp")
        await o.turn()
        states = await o.states()
        tried = [name for name in ("ops", "spare", "managers", "last") if states.get(f"1:v0:opened:page:{name}")]
        assert tried == ["ops", "spare", "managers", "last"]
        assert states["1:v0:opened:page:last"] == "sent"
        assert "pending" not in states.values()

    specs = channel_specs("ops", "spare", "managers", "last", ops={"fallback": "spare"}, spare={"fallback": "ops"})
    walk(tmp_path, specs, steps, alarms_to=("managers", "last"))


def test_channels_that_stand_in_for_each_other_end_as_a_dead_letter_with_an_alarm(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].is_dead = o.channels["spare"].is_dead = ARCHIVED
        await o.fail("erp")
        await o.turn()
        states = await o.states()
        assert set(states.values()) <= {"dead", "covered"}
        assert [alarm.name for alarm in o.alarms.current()] == ["undelivered"]

    walk(tmp_path, channel_specs("ops", "spare", ops={"fallback": "spare"}, spare={"fallback": "ops"}), steps)


def test_whoever_was_promised_the_same_fact_is_not_told_twice(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].is_dead = ARCHIVED
        await o.fail("erp")
        await o.turn()
        assert o.channels["spare"].events.count("opened") == 1
        assert not [one for one in await o.journal("notice_diverted") if one["event"] == "opened"]

    system = a_system(checks=("health",))
    walk(tmp_path, SPECS, steps, systems=(replace(system, notify=("ops", "spare")),))


def test_a_line_that_rings_nobody_stays_away_from_those_who_hear_of_alarms_only(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["hook"].is_dead = ARCHIVED
        await o.promise(
            a_notice("hook", "line", o.clock.now(), kind=NoticeKind.REPLY, event="noted", incident=7),
            a_notice("hook", "page", o.clock.now(), kind=NoticeKind.PAGE, event="opened", incident=8),
        )
        await o.turn()
        assert sorted(o.channels["managers"].events) == ["alarm", "opened"]

    specs = {**channel_specs("managers"), "hook": ChannelSpec("hook", "webhook")}
    walk(tmp_path, specs, steps)


def test_a_channel_that_hangs_delays_nobody_else(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].hangs = True
        now = o.clock.now()
        await o.promise(a_notice("ops", "a", now), *(a_notice("spare", f"{n}", now) for n in range(20)))
        await o.dispatcher.step(now)
        while len(o.channels["spare"].told) < 20:
            await o.store.read(lambda q: q.outbox(now))
        assert o.channels["ops"].told == []

    walk(tmp_path, SPECS, steps)


def test_a_dead_channel_costs_its_own_notices_only(tmp_path: Path) -> None:
    async def steps(o: Outbox) -> None:
        o.channels["ops"].is_dead = ARCHIVED
        now = o.clock.now()
        for n in range(20):
            await o.promise(a_notice("ops", f"a{n}", now), a_notice("spare", f"b{n}", now, priority=Priority.REPEAT))
        await o.turn()
        states = await o.states()
        assert {state for key, state in states.items() if key.startswith("b")} == {"sent"}
        assert {state for key, state in states.items() if key.startswith("a") and key.endswith("ops")} == {"dead"}

    walk(tmp_path, channel_specs("ops", "spare"), steps)
