"""The outbox over the real store to the Slack double: what is promised arrives once, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tocsin.channels.slack.api import SlackApi
from tocsin.channels.slack.sender import SlackChannel
from tocsin.core.acts import acknowledge, note
from tocsin.core.case import Case, Decision, FailingCheck
from tocsin.core.incident import reconcile
from tocsin.core.model import Observation, Severity, Status
from tocsin.core.policy import ChannelSpec, Check, Facts, HttpTarget, Judged, Rulebook, SeverityRule, System
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.clock import SystemClock
from tocsin.daemon.dispatch import Context, Dispatcher
from tocsin.store.store import SqlStore
from tocsin.testing.slack import SlackDouble
from tocsin.testing.slack_faults import Fault


class Good:
    needs_body = False

    def __call__(self, observation: Observation) -> Judged:
        return Judged()


def is_down(facts: Facts) -> bool:
    return facts.status == "down"


def rulebook(*systems: str) -> Rulebook:
    made = {
        name: System(name, {"": name}, "li.na", (Check(name, "health", "http", HttpTarget("http://x/"), Good()),))
        for name in systems
    }
    return Rulebook(
        systems=made,
        severity=(SeverityRule("down", 'status == "down"', Severity.P1, is_down, "rules/x.yaml", 1),),
        channels={"slack": ChannelSpec("slack", "slack", {"channel": "C0DEMO"})},
        default_channel="slack",
    )


@dataclass
class House:
    """A store, a dispatcher and a channel on the double."""

    rules: Rulebook
    store: SqlStore
    dispatcher: Dispatcher
    alarms: Alarms
    slack: SlackDouble
    clock: SystemClock

    async def fail(self, system: str) -> int:
        check = FailingCheck("health", "http", Status.DOWN, "status", "status == 200 (status = 503)", self.clock.now())
        return await self.decide(
            system, lambda case, now: reconcile(case, self.rules, self.rules.systems[system], (check,), now)
        )

    async def decide(self, system: str, decision: Callable[[Case, datetime], Decision]) -> int:
        case = await self.store.write(
            lambda tx: tx.commit_decision(before := tx.case(system), decision(before, self.clock.now()))
        )
        assert case.incident is not None
        return case.incident.id

    async def states(self) -> list[str]:
        found = await self.store.read(lambda q: q.notices(state=None, incident=None, limit=100))
        return [str(row["state"]) for row in found]

    async def until_told(self, within: timedelta = timedelta(seconds=8)) -> None:
        async with asyncio.timeout(within.total_seconds()):
            while "pending" in await self.states():
                await self.dispatcher.step(self.clock.now())
                await asyncio.sleep(0.01)


@asynccontextmanager
async def house(folder: Path, *systems: str) -> AsyncIterator[House]:
    rules, clock = rulebook(*systems), SystemClock()
    async with SlackDouble() as slack:
        store = SqlStore(f"sqlite:///{folder / 'tocsin.db'}")
        api = SlackApi(slack.bot_token, api_url=slack.api_url, timeout_s=1.0)
        alarms = Alarms(store, clock, lambda: ())
        channels = {"slack": SlackChannel(api, slack.channel)}
        dispatcher = Dispatcher(store, clock, alarms, lambda: channels, Context(lambda: rules, "en", "UTC", ""))
        try:
            yield House(rules, store, dispatcher, alarms, slack, clock)
        finally:
            await dispatcher.close(1.0)
            await api.close()
            await store.close()


def run(folder: Path, systems: tuple[str, ...], walk: Callable[[House], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with house(folder, *systems) as built:
            await walk(built)

    asyncio.run(inside())


def test_page_line_and_edit_are_one_message_with_one_line_below(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail("erp")
        await h.decide("erp", lambda case, now: acknowledge(case, h.rules, "person:li.na", now, now))
        await h.until_told()
        root, line = h.slack.messages()
        assert (root.is_reply, line.is_reply, root.edits) == (False, True, 1)
        assert not h.alarms.current()

    run(tmp_path, ("erp",), walk)


def test_many_changes_at_once_are_one_edit(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail("erp")
        await h.until_told()
        await h.decide("erp", lambda case, now: acknowledge(case, h.rules, "person:li.na", now, now))
        for number in range(5):
            await h.decide("erp", lambda case, now, n=number: note(case, h.rules, "person:li.na", f"line {n}", now))  # type: ignore[misc]
        await h.until_told()
        assert h.slack.roots()[0].edits == 1
        assert sum(message.is_reply for message in h.slack.messages()) == 6

    run(tmp_path, ("erp",), walk)


def test_answer_that_was_lost_is_looked_up_and_not_repeated(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        h.slack.script("chat.postMessage", [Fault.reset(acts=True)])
        await h.fail("erp")
        await h.until_told()
        assert len(h.slack.messages()) == 1
        assert len(h.slack.calls_of("chat.postMessage")) == 1

    run(tmp_path, ("erp",), walk)


def test_one_message_that_slack_refuses_holds_up_nobody_else(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        h.slack.script("chat.postMessage", [Fault.refused("msg_too_long")])
        await h.fail("erp")
        await h.fail("crm")
        await h.until_told()
        assert sorted(await h.states()) == ["dead", "sent"]
        assert [alarm.name for alarm in h.alarms.current()] == ["undelivered"]

    run(tmp_path, ("erp", "crm"), walk)


def test_what_is_said_after_somebody_deleted_the_message_goes_out_as_a_new_one(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail("erp")
        await h.until_told()
        h.slack.workspace.delete(h.slack.channel, h.slack.roots()[0].ts)
        await h.decide("erp", lambda case, now: acknowledge(case, h.rules, "person:li.na", now, now))
        await h.until_told()
        (root,) = h.slack.messages()
        assert not root.is_reply
        assert "dead" not in await h.states()
        assert not h.alarms.current()

    run(tmp_path, ("erp",), walk)
