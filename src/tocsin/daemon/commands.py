"""What can be asked of the daemon and done through it: each verb exists once, here, whoever asks (page, API, socket, Slack)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.core import acts, calling, clock_acts
from tocsin.core.case import Case, Decision, FailingCheck, refuse
from tocsin.core.model import ClockKind, Entry, Incident, Severity
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.answers import Answers
from tocsin.daemon.apply import Applier
from tocsin.daemon.live import LiveState, Watched
from tocsin.daemon.oncall import OnCallVerbs
from tocsin.errors import NotFound, Refused, UsageError
from tocsin.ports import Channel, Store, Transaction, WallClock

Arguments = Mapping[str, Any]
Act = Callable[[Transaction, Case, datetime], Decision]

NOTE_LIMIT = 4000


class Changes:
    """Tells whoever watches that something worth showing changed. Ends all watching when the daemon drains."""

    def __init__(self) -> None:
        self._count = 0
        self._event = asyncio.Event()
        self._is_over = False

    def happened(self) -> None:
        self._count += 1
        event, self._event = self._event, asyncio.Event()
        event.set()

    def end(self) -> None:
        self._is_over = True
        self.happened()

    async def watch(self) -> AsyncIterator[int]:
        while not self._is_over:
            seen, event = self._count, self._event
            yield seen
            if self._count == seen:
                await event.wait()


@dataclass(frozen=True, slots=True)
class Tools:
    """What the verbs work with."""

    live: LiveState
    store: Store
    clock: WallClock
    alarms: Alarms
    applier: Applier
    answers: Answers
    changes: Changes
    channels: Callable[[], Mapping[str, Channel]]
    reload: Callable[[str], Awaitable[dict[str, Any]]]
    wake_dispatch: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """What was asked, by whom, and when (the instant of the click)."""

    arguments: Arguments
    actor: str
    at: datetime

    def text(self, name: str) -> str:
        value = str(self.arguments.get(name) or "").strip()
        if not value:
            raise UsageError(f"`{name}` is missing")
        if len(value) > NOTE_LIMIT:
            raise UsageError(f"`{name}` is {len(value)} characters long (at most {NOTE_LIMIT})")
        return value

    def optional(self, name: str) -> str:
        return self.text(name) if self.arguments.get(name) else ""

    def whole(self, name: str) -> int | None:
        """A whole number that may be left out."""
        return None if self.arguments.get(name) is None else self.number(name, default=0, low=0, high=2**53)

    def number(self, name: str, *, default: int, low: int, high: int) -> int:
        value = self.arguments.get(name, default)
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise UsageError(f"`{name}` is {value!r} (a whole number from {low} to {high})") from None
        if not low <= number <= high:
            raise UsageError(f"`{name}` is {number} (a whole number from {low} to {high})")
        return number


Verb = Callable[[Ask], Awaitable[Any]]


class Commands:
    """Implements `ports.Desk`. `more` are verbs that live in rooms of their own."""

    def __init__(self, tools: Tools, more: Mapping[str, Verb] | None = None) -> None:
        self._tools = tools
        self._verbs: dict[str, Callable[[Ask], Awaitable[Any]]] = {
            "ping": self._ping,
            "status": self._status,
            "board": self._board,
            "incident_list": self._incident_list,
            "incident_show": self._incident_show,
            "ack": self._ack,
            "unack": self._unack,
            "note": self._note,
            "severity": self._severity,
            "resolve": self._resolve,
            "reopen": self._reopen,
            "assign": self._assign,
            "pause": self._pause,
            "resume": self._resume,
            "replan": self._replan,
            "exclude": self._exclude,
            "escalate": self._escalate,
            "explain": self._explain,
            "what_if": self._what_if,
            "history": self._history,
            "notices_list": self._notices_list,
            "notices_retry": self._notices_retry,
            "channel_list": self._channel_list,
            "channel_test": self._channel_test,
            "log_tail": self._log_tail,
            "reload": self._reload,
            **OnCallVerbs(tools).verbs,
            **(more or {}),
        }

    async def call(self, verb: str, arguments: Arguments, *, actor: str, at: datetime | None = None) -> Any:
        """Do a verb as `actor`; `at` is the instant of the click when that is not now."""
        known = self._verbs.get(verb)
        if known is None:
            raise UsageError(f"unknown verb {verb!r} (known: {', '.join(sorted(self._verbs))})")
        return await known(Ask(arguments, actor, at or self._tools.clock.now()))

    def changes(self) -> AsyncIterator[int]:
        return self._tools.changes.watch()

    # --- asking ---

    async def _ping(self, ask: Ask) -> Any:
        return {"ok": True, "actor": ask.actor}

    async def _status(self, _: Ask) -> Any:
        return await self._tools.answers.status()

    async def _board(self, _: Ask) -> Any:
        return await self._tools.answers.board()

    async def _incident_list(self, ask: Ask) -> Any:
        limit = ask.number("limit", default=200, low=1, high=1000)
        before = ask.whole("before")
        return await self._tools.answers.incidents(
            everything=bool(ask.arguments.get("all")), limit=limit, before=before
        )

    async def _incident_show(self, ask: Ask) -> Any:
        return await self._tools.answers.incident(await self._incident_id(ask.arguments))

    async def _explain(self, ask: Ask) -> Any:
        subject = ask.text("subject")
        if "/" in subject:
            return self._tools.answers.explain_check(*subject.split("/", 1))
        return await self._tools.answers.explain_incident(await self._incident_id({"incident": subject}))

    async def _what_if(self, ask: Ask) -> Any:
        moment = ask.arguments.get("at")
        return self._tools.answers.what_if(
            ask.text("system"),
            check=ask.arguments.get("check"),
            status=ask.text("status"),
            at=_instant(moment) if moment else self._tools.clock.now(),
        )

    async def _history(self, ask: Ask) -> Any:
        subject = ask.text("subject")
        system, _, check = subject.partition("/")
        start, end = _instant(ask.text("from")), _instant(ask.text("to"))
        if end <= start:
            raise UsageError(f"history: `to` ({end.isoformat()}) is not after `from` ({start.isoformat()})")
        return await self._tools.answers.history(system, check or None, start, end)

    async def _notices_list(self, ask: Ask) -> Any:
        state, incident = ask.arguments.get("state"), ask.whole("incident")
        limit = ask.number("limit", default=200, low=1, high=1000)
        return await self._tools.store.read(lambda q: q.notices(state=state, incident=incident, limit=limit))

    async def _channel_list(self, _: Ask) -> Any:
        return await self._tools.answers.channels()

    async def _log_tail(self, ask: Ask) -> Any:
        count = ask.number("count", default=50, low=1, high=5000)
        return await self._tools.store.read(lambda q: q.journal_tail(count))

    # --- acting ---

    async def _ack(self, ask: Ask) -> Any:
        rulebook = self._tools.live.rulebook
        return await self._act(
            ask.arguments, lambda _, case, now: acts.acknowledge(case, rulebook, ask.actor, ask.at, now)
        )

    async def _unack(self, ask: Ask) -> Any:
        reason, rulebook = ask.optional("reason"), self._tools.live.rulebook
        return await self._act(
            ask.arguments, lambda _, case, now: acts.unacknowledge(case, rulebook, ask.actor, reason, now)
        )

    async def _note(self, ask: Ask) -> Any:
        text, rulebook = ask.text("text"), self._tools.live.rulebook
        return await self._act(ask.arguments, lambda _, case, now: acts.note(case, rulebook, ask.actor, text, now))

    async def _assign(self, ask: Ask) -> Any:
        person, rulebook = ask.text("person"), self._tools.live.rulebook
        people = rulebook.people
        if person not in people:
            raise UsageError(
                f"unknown person {person!r} (known: {', '.join(sorted(people)) or 'nobody; add people: to the rules'})"
            )
        return await self._act(ask.arguments, lambda _, case, now: acts.assign(case, rulebook, ask.actor, person, now))

    async def _pause(self, ask: Ask) -> Any:
        kinds, reason, rulebook = _kinds(ask), ask.text("reason"), self._tools.live.rulebook
        return await self._act(
            ask.arguments, lambda _, case, now: clock_acts.pause(case, rulebook, ask.actor, kinds, reason, now)
        )

    async def _resume(self, ask: Ask) -> Any:
        kinds, reason, rulebook = _kinds(ask), ask.optional("reason"), self._tools.live.rulebook
        return await self._act(
            ask.arguments, lambda _, case, now: clock_acts.resume(case, rulebook, ask.actor, kinds, reason, now)
        )

    async def _replan(self, ask: Ask) -> Any:
        reason, rulebook = ask.optional("reason"), self._tools.live.rulebook
        return await self._act(
            ask.arguments, lambda _, case, now: clock_acts.replan(case, rulebook, ask.actor, reason, now)
        )

    async def _exclude(self, ask: Ask) -> Any:
        kind, reason = _kind(ask.text("clock")), ask.text("reason")
        return await self._act(
            ask.arguments, lambda _, case, now: clock_acts.exclude(case, ask.actor, kind, reason, now)
        )

    async def _escalate(self, ask: Ask) -> Any:
        target, rulebook = ask.optional("to"), self._tools.live.rulebook
        if target and (wrong := calling.unknown_target(rulebook, target)) is not None:
            raise UsageError(wrong)
        return await self._act(
            ask.arguments, lambda _, case, now: calling.escalate(case, rulebook, ask.actor, target, now)
        )

    async def _severity(self, ask: Ask) -> Any:
        named = ask.text("severity").upper()
        if named not in {known.value for known in Severity}:
            raise UsageError(f"unknown severity {named!r} (use P1, P2, P3 or P4)")
        reason = ask.text("reason")
        rulebook = self._tools.live.rulebook
        return await self._act(
            ask.arguments,
            lambda _, case, now: acts.set_severity(case, rulebook, ask.actor, Severity(named), reason, now),
        )

    async def _resolve(self, ask: Ask) -> Any:
        text, anyway = ask.optional("note"), bool(ask.arguments.get("anyway"))
        rulebook = self._tools.live.rulebook
        held: list[Watched] = []

        def work(tx: Transaction, case: Case, now: datetime) -> Decision:
            failing = [] if case.incident is None else self._failing_of(case.incident, now)
            decision = acts.resolve(case, rulebook, ask.actor, text, failing, now, anyway=anyway)
            if decision.refused is None and failing:
                tx.hold_checks(case.system, [check.name for check in failing])
                held.extend(self._tools.live.watched[case.system][check.name] for check in failing)
            return decision

        result = await self._act(ask.arguments, work)
        for watched in held:
            watched.is_held = True
        return result

    def _failing_of(self, incident: Incident, now: datetime) -> list[FailingCheck]:
        return [check for check in self._tools.live.failing(incident.system, now) if check.name in incident.checks]

    async def _reopen(self, ask: Ask) -> Any:
        reason, rulebook = ask.optional("reason"), self._tools.live.rulebook

        def work(tx: Transaction, case: Case, now: datetime) -> Decision:
            other = tx.has_other_unresolved(case.incident) if case.incident is not None else None
            if other is not None:
                return refuse(case, f"#{other} is open for the same system: work on that one")
            decision = acts.reopen(case, rulebook, ask.actor, reason, now)
            if decision.refused is None:
                tx.release_checks(case.system)
            return decision

        result = await self._act(ask.arguments, work)
        for watched in self._tools.live.watched.get(result["system"], {}).values():
            watched.is_held = False
        # What fails still is of this incident again, and its recovery will end it.
        self._tools.applier.consider(result["system"])
        return result

    async def _act(self, arguments: Arguments, act: Act) -> Any:
        """Decide and commit on one incident, then answer with it."""
        incident = await self._incident_id(arguments)
        now = self._tools.clock.now()

        def unit(tx: Transaction) -> tuple[Case, Decision]:
            case = tx.case_of(incident)
            if case is None:
                raise NotFound(f"there is no incident #{incident}")
            decision = act(tx, case, now)
            if decision.refused is not None:
                raise Refused(f"#{incident}: {decision.refused}")
            tx.commit_decision(case, decision)
            return tx.case(case.system), decision

        self._tools.applier.remember(*await self._tools.store.write(unit))
        return await self._tools.answers.incident(incident)

    async def _incident_id(self, arguments: Arguments) -> int:
        """An ID is #142, 142, or a system with one open incident."""
        named = str(arguments.get("incident", "")).strip()
        number = named.removeprefix("#")
        if number.isdecimal():
            return int(number)
        if not named:
            raise UsageError("which incident? (#142, 142, or a system with one open incident)")
        unresolved = await self._tools.answers.incidents(everything=False, limit=1000, before=None)
        mine = [entry["id"] for entry in unresolved if entry["system"] == named]
        if len(mine) == 1:
            return int(mine[0])
        if mine:
            listed = ", ".join(f"#{found}" for found in mine)
            raise UsageError(f"{named} has {len(mine)} open incidents: name one of {listed}")
        if named in self._tools.live.rulebook.systems:
            raise NotFound(f"{named} has no open incident")
        raise NotFound(f"there is neither an incident nor a system {named!r}")

    # --- telling and configuration ---

    async def _notices_retry(self, ask: Ask) -> Any:
        which = ask.whole("id")

        def unit(tx: Transaction) -> int:
            count = tx.retry_notices(which)
            if count:
                tx.append([Entry(ask.at, ask.actor, "notices_retried", "outbox", {"count": count, "notice": which})])
            return count

        count = await self._tools.store.write(unit)
        self._tools.alarms.clear("undelivered")
        self._tools.wake_dispatch()
        return {"retried": count}

    async def _channel_test(self, ask: Ask) -> Any:
        name = ask.text("channel")
        channel = self._tools.channels().get(name)
        if channel is None:
            raise NotFound(
                f"there is no channel {name!r} (known: {', '.join(sorted(self._tools.channels())) or 'none'})"
            )
        return await self._tools.answers.test_channel(name, channel, ask.actor, ask.at)

    async def _reload(self, ask: Ask) -> Any:
        return await self._tools.reload(ask.actor)


def _kinds(ask: Ask) -> tuple[ClockKind, ...]:
    named = ask.optional("clock")
    return (_kind(named),) if named else ()


def _kind(named: str) -> ClockKind:
    known = [kind.value for kind in (ClockKind.RESPONSE, ClockKind.UPDATE, ClockKind.RESOLUTION)]
    if named not in known:
        raise UsageError(f"unknown clock {named!r} (use {', '.join(known[:-1])} or {known[-1]})")
    return ClockKind(named)


def _instant(value: str) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise UsageError(f"{value!r} is not an instant (use 2026-12-04T22:00:00+08:00)") from None
    if at.tzinfo is None:
        raise UsageError(f"{value!r} has no offset (use 2026-12-04T22:00:00+08:00, or ...Z)")
    return at
