"""A go-live on simulated time, over the real store to Slack's double: incidents, a stop, an extension, a breach."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from duty_parts import RULES, START, House, run
from tocsin.config.spans import parse_span
from tocsin.core.model import Reason, Sample, Severity, Status
from tocsin.core.policy import Rulebook
from tocsin.daemon.commands import Commands
from tocsin.daemon.golive import GoLives
from tocsin.daemon.golive_figures import GoLiveFigures
from tocsin.daemon.golive_verbs import GoLiveVerbs, Readers
from tocsin.daemon.history import History
from tocsin.daemon.live import Watched
from tocsin.daemon.retention import Keep, Retention
from tocsin.errors import NotFound, Refused, UsageError
from tocsin.expressions import compile_exit

GOLIVE = RULES + "golive: {escalate: review-ladder, watch_for: 72h}\n"
GOLIVE = GOLIVE.replace("escalation:\n", "escalation:\n  review-ladder: [{at: 100%, tell: {person: wang.wei}}]\n")
HOUR, MINUTE, WEEK = timedelta(hours=1), timedelta(minutes=1), timedelta(weeks=1)


@dataclass
class Site:
    """The parts of a go-live around a house."""

    house: House
    history: History = field(init=False)
    golives: GoLives = field(init=False)

    def __post_init__(self) -> None:
        h = self.house
        self.history = History(h.store, h.clock.now())
        figures = GoLiveFigures(h.store, h.live, self.history)
        self.golives = GoLives(h.store, h.live, figures, h.alarms, compile_exit, self.take_in, lambda: None)
        verbs = GoLiveVerbs(h.tools, self.golives, figures, Readers(compile_exit, parse_span), lambda: None)
        h.commands = Commands(h.tools, verbs.verbs)
        check = h.live.rulebook.systems["erp"].checks[0]
        h.live.watched = {"erp": {"health": Watched(check, stale_after=timedelta(days=9))}}

    def take_in(self, rulebook: Rulebook) -> None:
        self.house.live.rulebook = rulebook

    async def ask(self, verb: str, actor: str = "person:li.na", **arguments: Any) -> Any:
        return await self.house.ask(verb, actor, **arguments)

    async def measure(self, start: datetime, end: datetime, sessions: float, down_every: int = 0) -> None:
        """One sample each ten minutes."""
        check, at, count = self.house.live.rulebook.systems["erp"].checks[0], start, 0
        while at < end:
            count += 1
            status = Status.DOWN if down_every and count % down_every == 0 else Status.UP
            values = {"concurrency": sessions, "error_rate": 0.01}
            self.history.add(check, Sample(at, status, Reason.OK, 0.1, values=values))
            self.house.live.watched["erp"]["health"].observed_at = at
            at += 10 * MINUTE
        await self.history.flush(end)

    async def drain(self) -> None:
        """Let everything that was promised go out, at the pace of the channel."""
        for _ in range(3000):
            if not await self.house.ready():
                return
            await self.house.dispatcher.step(self.house.clock.now())
            await asyncio.sleep(0.001)
            self.house.clock.advance(timedelta(seconds=2))
        raise AssertionError("it is never told")

    async def until(self, end: datetime) -> None:
        """Let the loops turn at each instant that is due."""
        clock = self.house.clock
        while (now := clock.now()) < end:
            again = await self.golives.step(now)
            clock.advance(min(max(again - now, MINUTE), end - now, 20 * MINUTE))
            await self.house.timekeeper.step(clock.now())
            await self.drain()
        await self.golives.step(end)


def test_72_hours_with_an_incident_a_breached_review_an_extension_and_signatures(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        site = Site(h)
        await site.measure(START - WEEK, START - WEEK + 6 * HOUR, sessions=100.0)
        started = await site.ask("golive_start", systems=["erp"], version="2.3")
        assert (started["state"], started["review_due_at"]) == ("watching", "2026-11-27T02:00:00.000000Z")
        assert h.live.rulebook.systems["erp"].checks[0].every == timedelta(seconds=5)
        await site.measure(START, START + 3 * HOUR, sessions=250.0, down_every=9)
        await site.until(START + 3 * HOUR)
        shown = await site.ask("golive_show", golive="erp")
        (figures,) = shown["figures"]
        assert (figures["live"]["concurrency"], figures["before"]["concurrency"], figures["weeks"]) == (250.0, 100.0, 1)
        assert figures["live"]["availability"] == 1 - 2 / 18
        assert [one["kind"] for one in shown["checkpoints"]] == ["opening", "regular"]

        incident = await h.fail()
        case = await h.store.read(lambda q: q.incident(incident))
        assert case is not None
        assert case["clocks"][0]["target_s"] == 1800.0  # an hour, halved by the profile
        await site.until(START + 4 * HOUR)
        await h.ask("ack", incident=incident)
        assert (await site.ask("incident_show", incident=incident))["golives"] == [1]
        judged = await site.ask("golive_review", golive="1")
        assert judged["verdict"] == "extend"
        assert [(one["rule"], one["met"], one["value"]) for one in judged["exit"]] == [
            ("open_p1 == 0", False, 1),
            ("answered_in_time >= 0.95", False, 0.0),
            ('quiet_for >= duration("12h")', False, 0),
        ]
        await h.ask("resolve", incident=incident, note="restarted", anyway=True)
        await site.until(START + 73 * HOUR)
        overdue = await site.ask("golive_show", golive="1")
        assert [(c["outcome"], c["breached_at"]) for c in overdue["clocks"]] == [
            ("breached", "2026-11-27T02:00:00.000000Z")
        ]
        extended = await site.ask("golive_extend", golive="1", reason="one more night", **{"for": "24h"})
        assert (extended["state"], extended["review_due_at"]) == ("extended", "2026-11-28T03:00:00.000000Z")
        await site.until(START + 80 * HOUR)
        with pytest.raises(Refused, match="it may not end yet: answered_in_time"):
            await site.ask("golive_signoff", golive="1")
        ended = await site.ask("golive_signoff", golive="1", text="the late answer was a drill", anyway=True)
        assert (ended["state"], [c["outcome"] for c in ended["clocks"]]) == ("signed_off", ["breached", "met"])
        assert h.live.rulebook.systems["erp"].checks[0].every == timedelta(seconds=30)
        assert h.live.rulebook.tightened == {}
        await site.drain()
        posted = h.said_to(h.slack.channel)
        roots = [one for one in posted if not one.is_reply and "2.3" in one.text]
        assert len(roots) == 1
        assert "signed off" in roots[0].text
        called = [one.text for one in h.said_to("D0WANG")]
        assert any("<@U0WANG>" in text or "Wang Wei" in text for text in called)

    run(tmp_path, walk, GOLIVE.replace("watch_for: 72h", "watch_for: 72h, checkpoint_every: 3h"))


def test_a_restart_in_the_middle_loses_nothing_and_a_breach_meanwhile_is_told_late(tmp_path: Path) -> None:
    async def before(h: House) -> None:
        site = Site(h)
        await site.ask("golive_start", systems=["erp"], version="2.3")
        await site.ask("golive_note", golive="erp", text="cut over", kind="change")
        await site.until(START + 2.5 * HOUR)

    async def after(h: House) -> None:
        site = Site(h)
        await site.golives.step(h.clock.now())
        assert h.live.rulebook.systems["erp"].checks[0].every == timedelta(seconds=5)
        shown = await site.ask("golive_show", golive="1")
        (clock,) = shown["clocks"]
        assert (clock["breached_at"], clock["detected_late"]) == ("2026-11-27T02:00:00.000000Z", True)
        assert shown["checkpoints"][-1]["missed"] == 71
        assert [line["data"]["text"] for line in shown["timeline"] if line["action"] == "golive_noted"] == ["cut over"]
        sequences = [line["sequence"] for line in shown["timeline"]]
        await site.golives.step(h.clock.now())
        again = await site.ask("golive_show", golive="1")
        assert [line["sequence"] for line in again["timeline"]] == sequences

    run(tmp_path, before, GOLIVE)
    run(tmp_path, after, GOLIVE, at=START + 74 * HOUR)


def test_a_rollback_ends_a_watch_and_frees_the_system_for_the_next(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        site = Site(h)
        planned = await site.ask("golive_start", systems=["erp"], version="2.3", at="2026-11-24 12:00")
        assert (planned["state"], planned["starts_at"]) == ("planned", "2026-11-24T04:00:00.000000Z")
        await site.until(START + 2 * HOUR + MINUTE)
        with pytest.raises(Refused, match=r"is watched already \(go-live #1\)"):
            await site.ask("golive_start", systems=["erp"], version="2.3")
        ended = await site.ask("golive_rollback", golive="erp", reason="orders were lost")
        assert (ended["state"], ended["clocks"][0]["outcome"]) == ("rolled_back", "void")
        assert h.live.rulebook.tightened == {}
        again = await site.ask("golive_start", systems=["erp"], version="2.3")
        assert again["id"] == 2
        assert [one["id"] for one in await site.ask("golive_list")] == [2]
        assert [one["id"] for one in await site.ask("golive_list", all=True)] == [2, 1]

    run(tmp_path, walk, GOLIVE)


@pytest.mark.parametrize(
    ("verb", "arguments", "error", "text"),
    [
        ("golive_start", {"systems": ["nope"], "version": "1"}, NotFound, "there is no system 'nope'"),
        ("golive_start", {"systems": [], "version": "1"}, UsageError, "`systems` is missing"),
        ("golive_start", {"systems": ["erp"]}, UsageError, "`version` is missing"),
        ("golive_start", {"systems": ["erp"], "version": "1", "for": "3"}, UsageError, "no unit|no span"),
        ("golive_start", {"systems": ["erp"], "version": "1", "at": "soon"}, UsageError, "is no moment"),
        ("golive_start", {"systems": ["erp"], "version": "1", "at": "2020-01-01"}, UsageError, "begins now or later"),
        ("golive_start", {"systems": ["erp"], "version": "1", "owner": "x"}, UsageError, "unknown owner 'x'"),
        ("golive_show", {"golive": "9"}, NotFound, "there is no go-live #9"),
        ("golive_show", {"golive": "erp"}, NotFound, "neither a go-live nor a system under one"),
        ("golive_show", {}, UsageError, "which go-live"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    tmp_path: Path, verb: str, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    async def walk(h: House) -> None:
        with pytest.raises(error, match=text):
            await Site(h).ask(verb, **arguments)

    run(tmp_path, walk, GOLIVE)


def test_minutes_of_a_watch_that_runs_are_not_compacted_however_old_they_are(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        site = Site(h)
        await site.ask("golive_start", systems=["erp"], version="2.3", **{"for": "200d"})
        await site.measure(START, START + HOUR, sessions=1.0)
        later = START + timedelta(days=60)
        retention = Retention(h.store, Keep(), lambda _: None)
        await retention.run(later)
        assert len(await h.store.read(lambda q: q.minutes("erp", START, START + HOUR))) == 6
        await site.ask("golive_cancel", golive="1", reason="over")
        await retention.run(later)
        assert await h.store.read(lambda q: q.minutes("erp", START, START + HOUR)) == []
        assert len(await h.store.read(lambda q: q.hours("erp", START, START + HOUR))) == 1

    run(tmp_path, walk, GOLIVE)


def test_what_is_not_written_yet_is_shown(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        site = Site(h)
        await site.ask("golive_start", systems=["erp"], version="2.3")
        check = h.live.rulebook.systems["erp"].checks[0]
        site.history.add(check, Sample(h.clock.now(), Status.UP, Reason.OK, 0.1, values={"concurrency": 7.0}))
        h.clock.advance(MINUTE / 2)
        (figures,) = (await site.ask("golive_show", golive="1"))["figures"]
        assert figures["live"]["concurrency"] == 7.0
        assert (figures["before"], figures["weeks"]) == (None, 0)

    run(tmp_path, walk, GOLIVE)


def test_the_severity_of_a_halved_target_is_still_its_own(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await Site(h).ask("golive_start", systems=["erp"], version="2.3")
        policy = h.live.rulebook.policy_for("erp", Severity.P1)
        assert policy is not None
        assert policy.acknowledge == HOUR / 2
        assert h.live.rulebook.response[Severity.P1].acknowledge == HOUR

    run(tmp_path, walk, GOLIVE)
