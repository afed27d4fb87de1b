"""What can be asked of the daemon and done through it: each verb exists once, here, whoever asks (page, API, socket, Slack)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.core import incident as decide
from tocsin.core.incident import Case, Decision
from tocsin.core.model import Entry, Severity
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.answers import Answers
from tocsin.daemon.apply import Applier
from tocsin.daemon.live import LiveState
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


class Commands:
    """Implements `ports.Desk`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._verbs: dict[str, Callable[[Arguments, str, datetime], Awaitable[Any]]] = {
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
            "explain": self._explain,
            "what_if": self._what_if,
            "history": self._history,
            "notices_list": self._notices_list,
            "notices_retry": self._notices_retry,
            "channel_list": self._channel_list,
            "channel_test": self._channel_test,
            "log_tail": self._log_tail,
            "reload": self._reload,
        }

    async def call(self, verb: str, arguments: Arguments, *, actor: str, at: datetime | None = None) -> Any:
        """Do a verb as `actor`; `at` is the instant of the click when that is not now."""
        known = self._verbs.get(verb)
        if known is None:
            raise UsageError(f"unknown verb {verb!r} (known: {', '.join(sorted(self._verbs))})")
        return await known(arguments, actor, at or self._tools.clock.now())

    def changes(self) -> AsyncIterator[int]:
        return self._tools.changes.watch()

    # --- asking ---

    async def _ping(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        return {"ok": True, "actor": actor}

    async def _status(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        return await self._tools.answers.status()

    async def _board(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        return await self._tools.answers.board()

    async def _incident_list(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        limit = _number(arguments, "limit", default=200, low=1, high=1000)
        before = arguments.get("before")
        return await self._tools.answers.incidents(
            everything=bool(arguments.get("all")), limit=limit, before=None if before is None else int(before)
        )

    async def _incident_show(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        return await self._tools.answers.incident(await self._incident_id(arguments))

    async def _explain(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        subject = _text(arguments, "subject")
        if "/" in subject:
            return self._tools.answers.explain_check(*subject.split("/", 1))
        return await self._tools.answers.explain_incident(await self._incident_id({"incident": subject}))

    async def _what_if(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        moment = arguments.get("at")
        return self._tools.answers.what_if(
            _text(arguments, "system"),
            check=arguments.get("check"),
            status=_text(arguments, "status"),
            at=_instant(moment) if moment else self._tools.clock.now(),
        )

    async def _history(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        subject = _text(arguments, "subject")
        system, _, check = subject.partition("/")
        start, end = _instant(_text(arguments, "from")), _instant(_text(arguments, "to"))
        if end <= start:
            raise UsageError(f"history: `to` ({end.isoformat()}) is not after `from` ({start.isoformat()})")
        return await self._tools.answers.history(system, check or None, start, end)

    async def _notices_list(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        state, incident = arguments.get("state"), arguments.get("incident")
        limit = _number(arguments, "limit", default=200, low=1, high=1000)
        return await self._tools.store.read(
            lambda q: q.notices(state=state, incident=None if incident is None else int(incident), limit=limit)
        )

    async def _channel_list(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        return await self._tools.answers.channels()

    async def _log_tail(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        count = _number(arguments, "count", default=50, low=1, high=5000)
        return await self._tools.store.read(lambda q: q.journal_tail(count))

    # --- acting ---

    async def _ack(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        return await self._act(arguments, lambda _, case, now: decide.acknowledge(case, actor, at, now))

    async def _unack(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        reason = _optional(arguments, "reason")
        return await self._act(arguments, lambda _, case, now: decide.unacknowledge(case, actor, reason, now))

    async def _note(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        text = _text(arguments, "text")
        return await self._act(arguments, lambda _, case, now: decide.note(case, actor, text, now))

    async def _assign(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        person = _text(arguments, "person")
        people = self._tools.live.rulebook.people
        if person not in people:
            raise UsageError(
                f"unknown person {person!r} (known: {', '.join(sorted(people)) or 'nobody; add people: to the rules'})"
            )
        return await self._act(arguments, lambda _, case, now: decide.assign(case, actor, person, now))

    async def _severity(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        named = _text(arguments, "severity").upper()
        if named not in {known.value for known in Severity}:
            raise UsageError(f"unknown severity {named!r} (use P1, P2, P3 or P4)")
        reason = _text(arguments, "reason")
        rulebook = self._tools.live.rulebook
        return await self._act(
            arguments, lambda _, case, now: decide.set_severity(case, rulebook, actor, Severity(named), reason, now)
        )

    async def _resolve(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        text, anyway = _optional(arguments, "note"), bool(arguments.get("anyway"))
        live = self._tools.live

        def work(tx: Transaction, case: Case, now: datetime) -> Decision:
            failing = live.failing(case.system, now) if case.incident is not None else ()
            mine = [check for check in failing if case.incident is not None and check.name in case.incident.checks]
            decision = decide.resolve(case, actor, text, mine, now, anyway=anyway)
            if decision.refused is None and mine:
                tx.hold_checks(case.system, [check.name for check in mine])
            return decision

        result = await self._act(arguments, work)
        if anyway:
            self._hold(result["system"])
        return result

    def _hold(self, system: str) -> None:
        for watched in self._tools.live.watched.get(system, {}).values():
            watched.is_held = watched.is_held or watched.state.status.is_failing

    async def _reopen(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        reason, rulebook = _optional(arguments, "reason"), self._tools.live.rulebook

        def work(tx: Transaction, case: Case, now: datetime) -> Decision:
            other = tx.has_other_unresolved(case.incident) if case.incident is not None else None
            if other is not None:
                return decide.refuse(case, f"#{other} is open for the same system: work on that one")
            return decide.reopen(case, rulebook, actor, reason, now)

        return await self._act(arguments, work)

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
            after = tx.case_of(incident)
            assert after is not None
            return after, decision

        case, decision = await self._tools.store.write(unit)
        if case.incident is not None and case.incident.id == self._newest_id(case):
            self._tools.applier.remember(case, decision)
        return await self._tools.answers.incident(incident)

    def _newest_id(self, case: Case) -> int:
        """The id of the incident that the live state holds for this system (an older one must not replace it)."""
        known = self._tools.live.cases.get(case.system)
        held = known.incident.id if known is not None and known.incident is not None else 0
        assert case.incident is not None
        return case.incident.id if case.incident.is_unresolved else max(held, case.incident.id)

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

    async def _notices_retry(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        which = arguments.get("id")

        def unit(tx: Transaction) -> int:
            count = tx.retry_notices(None if which is None else int(which))
            if count:
                tx.append([Entry(at, actor, "notices_retried", "outbox", {"count": count, "notice": which})])
            return count

        count = await self._tools.store.write(unit)
        self._tools.alarms.clear("delivery")
        self._tools.wake_dispatch()
        return {"retried": count}

    async def _channel_test(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        name = _text(arguments, "channel")
        channel = self._tools.channels().get(name)
        if channel is None:
            raise NotFound(
                f"there is no channel {name!r} (known: {', '.join(sorted(self._tools.channels())) or 'none'})"
            )
        return await self._tools.answers.test_channel(name, channel, actor, at)

    async def _reload(self, arguments: Arguments, actor: str, at: datetime) -> Any:
        return await self._tools.reload(actor)


def _text(arguments: Arguments, name: str) -> str:
    value = str(arguments.get(name) or "").strip()
    if not value:
        raise UsageError(f"`{name}` is missing")
    if len(value) > NOTE_LIMIT:
        raise UsageError(f"`{name}` is {len(value)} characters long (at most {NOTE_LIMIT})")
    return value


def _optional(arguments: Arguments, name: str) -> str:
    return _text(arguments, name) if arguments.get(name) else ""


def _number(arguments: Arguments, name: str, *, default: int, low: int, high: int) -> int:
    value = arguments.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise UsageError(f"`{name}` is {value!r} (a whole number from {low} to {high})") from None
    if not low <= number <= high:
        raise UsageError(f"`{name}` is {number} (a whole number from {low} to {high})")
    return number


def _instant(value: str) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise UsageError(f"{value!r} is not an instant (use 2026-12-04T22:00:00+08:00)") from None
    if at.tzinfo is None:
        raise UsageError(f"{value!r} has no offset (use 2026-12-04T22:00:00+08:00, or ...Z)")
    return at
