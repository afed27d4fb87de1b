"""The daemon's parts around a ladder, from the rule file to the Slack double, on a clock that moves when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tocsin.config import load
from tocsin.core.case import Case, FailingCheck
from tocsin.core.incident import reconcile
from tocsin.core.model import Status
from tocsin.core.policy import Rulebook
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.answers import Answers
from tocsin.daemon.apply import Applier
from tocsin.daemon.auditor import Auditor
from tocsin.daemon.commands import Changes, Commands, Tools
from tocsin.daemon.dispatch import Context, Dispatcher
from tocsin.daemon.handover import HandOver
from tocsin.daemon.history import History
from tocsin.daemon.live import LiveState
from tocsin.daemon.overrides import FACT, laid_over, read
from tocsin.daemon.timekeeper import Timekeeper
from tocsin.daemon.ways_out import WaysOut
from tocsin.simulation.clock import SimulatedClock
from tocsin.store.store import SqlStore
from tocsin.testing.slack import SlackDouble
from tocsin.testing.slack_workspace import Posted

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in Shanghai."""

RULES = """
systems:
  erp: {owner: li.na, tier: core, checks: {health: {http: http://127.0.0.1:1/}}}
people:
  li.na: {name: Li Na, slack: U0LINA, language: zh_CN}
  wang.wei: {name: Wang Wei, slack: U0WANG}
  no.slack: {name: No Slack}
response:
  P1: {acknowledge: 1h, remind: [], escalate: core-ladder}
oncall:
  erp: {timezone: Asia/Shanghai, handover: 'tue 12:00', since: '2026-11-17', members: [li.na, wang.wei]}
escalation:
  core-ladder:
    - {at: 0m, tell: {oncall: erp}}
    - {at: 50%, tell: [{person: wang.wei}, {person: no.slack}]}
"""


@dataclass
class House:
    rules: Rulebook
    store: SqlStore
    slack: SlackDouble
    clock: SimulatedClock
    ways: WaysOut
    live: LiveState
    alarms: Alarms
    tools: Tools
    commands: Commands
    timekeeper: Timekeeper
    dispatcher: Dispatcher
    handover: HandOver
    auditor: Auditor = field(init=False)

    def __post_init__(self) -> None:
        self.auditor = Auditor(self.store, self.alarms)

    async def fail(self) -> int:
        now = self.clock.now()
        check = FailingCheck("health", "http", Status.DOWN, "status", "status == 200 (status = 503)", now)

        def unit(tx: Any) -> Case:
            before = tx.case("erp")
            rulebook = self.live.rulebook
            return tx.commit_decision(before, reconcile(before, rulebook, rulebook.systems["erp"], (check,), now))  # type: ignore[no-any-return]

        case = await self.store.write(unit)
        assert case.incident is not None
        return case.incident.id

    async def turn(self, minutes: float = 0) -> None:
        """Let time pass and every loop have its round, until all that was promised is settled."""
        self.clock.advance(timedelta(minutes=minutes))
        now = self.clock.now()
        await self.timekeeper.step(now)
        await self.handover.step(now)
        await self.tell()
        await self.auditor.step(now)

    async def tell(self) -> None:
        async with asyncio.timeout(8):
            while any(await self.ready()):
                await self.dispatcher.step(self.clock.now())
                await asyncio.sleep(0.01)

    async def ready(self) -> list[str]:
        """The notices that could be sent now."""
        now = self.clock.now()
        found = await self.store.read(lambda q: q.notices(state="pending", incident=None, limit=100))
        return [n["key"] for n in found if n["next_at"] is None or datetime.fromisoformat(n["next_at"]) <= now]

    async def ask(self, verb: str, actor: str = "person:li.na", **arguments: Any) -> Any:
        return await self.commands.call(verb, arguments, actor=actor)

    def said_to(self, channel: str) -> list[Posted]:
        known = self.slack.workspace.channels
        return list(known[channel].messages) if channel in known else []

    async def journal(self, action: str) -> list[dict[str, Any]]:
        lines = await self.store.read(lambda q: q.journal_tail(500))
        return [line for line in lines if line["action"] == action]

    def alarm(self, name: str) -> str | None:
        return next((one.text for one in self.alarms.current() if one.name == name), None)


@asynccontextmanager
async def house(folder: Path, rules: str = RULES, at: datetime = START) -> AsyncIterator[House]:
    async with SlackDouble() as slack:
        (folder / "rules").mkdir(exist_ok=True)
        (folder / "rules" / "a.yaml").write_text(rules, encoding="utf-8")
        settings = f"slack: {{channel: {slack.channel}, api_url: {slack.api_url!r}}}\ntimezone: Asia/Shanghai\n"
        (folder / "tocsin.yaml").write_text(settings)
        read_in = load(folder / "tocsin.yaml", {"TOCSIN_SLACK__BOT_TOKEN": slack.bot_token})
        store, clock = SqlStore(f"sqlite:///{folder / 'tocsin.db'}"), SimulatedClock(at)
        ways = WaysOut(read_in.settings, clock.now)
        rulebook = laid_over(read_in.rules.rulebook, read(await store.write(lambda tx: tx.get_fact(FACT))))
        await ways.apply(rulebook)
        made = _house(rulebook, store, slack, clock, ways)
        try:
            yield made
        finally:
            await made.dispatcher.close(1.0)
            await ways.close()
            await store.close()


def _house(rules: Rulebook, store: SqlStore, slack: SlackDouble, clock: SimulatedClock, ways: WaysOut) -> House:
    live, alarms = LiveState(rules), Alarms(store, clock, lambda: ())
    applier = Applier(live, store, clock, alarms, lambda _: None)
    history = History(store, clock.now())
    answers = Answers(live, store, clock, alarms, history, ways.current, {"language": "en"})

    async def reload(_: str) -> dict[str, Any]:
        return {}

    tools = Tools(live, store, clock, alarms, applier, answers, Changes(), ways.current, reload, lambda: None)
    context = Context(lambda: live.rulebook, "en", "Asia/Shanghai", "")
    return House(
        rules=rules,
        store=store,
        slack=slack,
        clock=clock,
        ways=ways,
        live=live,
        alarms=alarms,
        tools=tools,
        commands=Commands(tools),
        timekeeper=Timekeeper(store, alarms, applier.remember, lambda: live.rulebook),
        dispatcher=Dispatcher(store, clock, alarms, ways.current, context),
        handover=HandOver(store, alarms, lambda: live.rulebook, lambda: None),
    )


def run(folder: Path, walk: Callable[[House], Awaitable[None]], rules: str = RULES, at: datetime = START) -> None:
    async def inside() -> None:
        async with house(folder, rules, at) as made:
            await walk(made)

    asyncio.run(inside())
