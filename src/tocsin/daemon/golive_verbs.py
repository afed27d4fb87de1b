"""What can be asked of go-live watches and done to them: each verb once, whoever asks (command line, page, API, Slack)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tocsin.core import golive_acts as acts
from tocsin.core.golive import GoLive, GoLiveDecision, Phase
from tocsin.core.golive_acts import Plan, Remark
from tocsin.core.golive_passing import checkpoint
from tocsin.core.golive_review import Compile, Criterion, incident_as_data
from tocsin.daemon import golive_views as views
from tocsin.daemon.golive import GoLives, drawn_of, judged
from tocsin.daemon.golive_figures import GoLiveFigures
from tocsin.errors import NotFound, Refused, UsageError
from tocsin.ports import Transaction

if TYPE_CHECKING:
    from tocsin.daemon.commands import Ask, Tools

Drawn = Mapping[str, Any]
Act = Callable[[GoLive, Drawn, tuple[Criterion, ...], datetime], GoLiveDecision]
LISTED = 200
SHORTEST = timedelta(minutes=1)
VERSION_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Readers:
    """How exit criteria and spans are read: both are languages of the rules."""

    exit: Compile
    span: Callable[[object], timedelta]


class GoLiveVerbs:
    def __init__(
        self, tools: Tools, golives: GoLives, figures: GoLiveFigures, readers: Readers, wake: Callable[[], None]
    ) -> None:
        self._tools = tools
        self._golives = golives
        self._figures = figures
        self._compiled = readers.exit
        self._read_span = readers.span
        self._wake = wake
        self.verbs: dict[str, Callable[[Ask], Awaitable[Any]]] = {
            "golive_list": self._list,
            "golive_show": self._show,
            "golive_series": self._series,
            "golive_log": self._log,
            "golive_start": self._start,
            "golive_note": self._note,
            "golive_checkpoint": self._checkpoint,
            "golive_extend": self._extend,
            "golive_review": self._review,
            "golive_signoff": self._sign_off,
            "golive_cancel": self._cancel,
            "golive_rollback": self._roll_back,
        }

    # --- asking ---

    async def _list(self, ask: Ask) -> Any:
        """Those that have not ended; with `all` the others too, the newest first."""
        found = await self._tools.store.read(lambda q: q.golives(LISTED))
        chosen = [one for one in found if ask.arguments.get("all") or not one.phase.has_ended]
        return [views.brief(one, self._tools.live.rulebook) for one in chosen]

    async def _show(self, ask: Ask) -> Any:
        return await self._shown(await self._found(ask), self._tools.clock.now())

    async def _shown(self, golive: GoLive, now: datetime) -> dict[str, Any]:
        (cases, criteria), lines = await self._tools.store.read(
            lambda q: (judged(q, golive, self._compiled, now), q.journal_of(f"golive:{golive.id}"))
        )
        measured = await self._golives.measured(golive, golive.started_at or golive.starts_at, now)
        return {
            **views.brief(golive, self._tools.live.rulebook),
            "exit": [one.as_data() for one in criteria],
            "verdict": acts.verdict_of(criteria),
            "incidents": [incident_as_data(case) for case in cases],
            "figures": measured,
            "checkpoints": views.checkpoints(lines),
            "timeline": views.timeline(lines),
            "now": views.instant(now),
        }

    async def _series(self, ask: Ask) -> Any:
        golive, now = await self._found(ask), self._tools.clock.now()
        zone = self._tools.live.rulebook.golive.zone
        return [await self._figures.series(golive, system, zone, now) for system in golive.systems]

    async def _log(self, ask: Ask) -> Any:
        """Everything that the documents are written from, what is not written yet among it."""
        golive, now = await self._found(ask), self._tools.clock.now()
        shown = await self._shown(golive, now)
        start, end = golive.started_at or golive.created_at, golive.ended_at or now
        read = await self._tools.store.read(lambda q: views.evidence(q, golive, start, end))
        incidents = [await self._tools.answers.incident(one["id"]) for one in shown["incidents"]]
        zone = self._tools.live.rulebook.golive.zone
        series = [await self._figures.series(golive, system, zone, now) for system in golive.systems]
        people = {name: person.name for name, person in self._tools.live.rulebook.people.items()}
        return {**shown, **read, "incidents": incidents, "series": series, "zone": zone, "people": people}

    # --- acting ---

    async def _start(self, ask: Ask) -> Any:
        rulebook, now = self._tools.live.rulebook, self._tools.clock.now()
        asked = self._plan(ask, now)

        def unit(tx: Transaction) -> GoLive:
            for other in tx.golives():
                if other.version == asked.version and set(other.systems) & set(asked.systems):
                    raise Refused(
                        f"{', '.join(other.systems)} {other.version} is watched already (go-live #{other.id})"
                    )
            decision = acts.plan(rulebook, tx.next_golive(), asked, ask.actor, now)
            tx.commit_golive(None, decision)
            return decision.golive

        golive = await self._tools.store.write(unit)
        return await self._done(golive, now)

    def _plan(self, ask: Ask, now: datetime) -> Plan:
        rulebook = self._tools.live.rulebook
        systems = _names(ask.arguments.get("systems"))
        for name in systems:
            if name not in rulebook.systems:
                raise NotFound(f"there is no system {name!r} (known: {', '.join(rulebook.systems) or 'none'})")
        version, owner, at = ask.text("version"), ask.optional("owner"), ask.optional("at")
        if len(version) > VERSION_LIMIT:
            raise UsageError(f"`version` is {len(version)} characters long (at most {VERSION_LIMIT})")
        if owner and owner not in rulebook.people and owner not in rulebook.teams:
            raise UsageError(f"unknown owner {owner!r} (a person or a team of the rules)")
        starts_at = _moment(at, rulebook.golive.zone) if at else now
        if starts_at < now - timedelta(days=1):
            raise UsageError(f"`at` is {at}: a watch begins now or later (leave it out to begin now)")
        return Plan(systems, version, starts_at, owner, self._span(ask, "for") if ask.arguments.get("for") else None)

    async def _note(self, ask: Ask) -> Any:
        text, kind = ask.text("text"), ask.optional("kind") or Remark.NOTE.value
        if kind not in {one.value for one in Remark}:
            raise UsageError(f"unknown kind of note {kind!r} (use {', '.join(one.value for one in Remark)})")
        rulebook, remark = self._tools.live.rulebook, Remark(kind)
        return await self._act(
            ask, lambda g, drawn, _, now: acts.note(g, rulebook, ask.actor, text, remark, drawn, now)
        )

    async def _checkpoint(self, ask: Ask) -> Any:
        text, rulebook = ask.optional("text"), self._tools.live.rulebook
        return await self._act(ask, lambda g, drawn, _, now: checkpoint(g, rulebook, ask.actor, text, drawn, now))

    async def _extend(self, ask: Ask) -> Any:
        span, why, rulebook = self._span(ask, "for"), ask.text("reason"), self._tools.live.rulebook
        return await self._act(ask, lambda g, drawn, _, now: acts.extend(g, rulebook, ask.actor, span, why, drawn, now))

    async def _review(self, ask: Ask) -> Any:
        """What the machine says; with `held` also that the review took place."""
        if not ask.arguments.get("held"):
            return await self._show(ask)
        text, rulebook = ask.optional("text"), self._tools.live.rulebook
        return await self._act(
            ask, lambda g, drawn, found, now: acts.review(g, rulebook, ask.actor, text, found, drawn, now)
        )

    async def _sign_off(self, ask: Ask) -> Any:
        text, anyway, rulebook = ask.optional("text"), bool(ask.arguments.get("anyway")), self._tools.live.rulebook
        return await self._act(
            ask,
            lambda g, drawn, found, now: acts.sign_off(g, rulebook, ask.actor, text, found, drawn, now, anyway=anyway),
        )

    async def _cancel(self, ask: Ask) -> Any:
        why, rulebook = ask.text("reason"), self._tools.live.rulebook
        return await self._act(ask, lambda g, drawn, _, now: acts.cancel(g, rulebook, ask.actor, why, drawn, now))

    async def _roll_back(self, ask: Ask) -> Any:
        why, rulebook = ask.text("reason"), self._tools.live.rulebook
        return await self._act(ask, lambda g, drawn, _, now: acts.roll_back(g, rulebook, ask.actor, why, drawn, now))

    async def _act(self, ask: Ask, act: Act) -> Any:
        """Decide and commit on one watch, by its incidents as they are in the same transaction; then answer with it."""
        golive, now = await self._found(ask), self._tools.clock.now()
        since = max(golive.started_at or golive.starts_at, now - golive.checkpoint_every)
        measured = await self._golives.measured(golive, since, now) if golive.phase.is_running else []

        def unit(tx: Transaction) -> GoLive:
            before = tx.golive(golive.id)
            if before is None:
                raise NotFound(f"there is no go-live #{golive.id}")
            cases, criteria = judged(tx, before, self._compiled, now)
            decision = act(before, drawn_of(measured, cases, criteria), criteria, now)
            if decision.refused is not None:
                raise Refused(f"go-live #{before.id}: {decision.refused}")
            tx.commit_golive(before, decision)
            return decision.golive

        return await self._done(await self._tools.store.write(unit), now)

    async def _done(self, golive: GoLive, now: datetime) -> Any:
        """What was promised goes out, the watch is tightened or let go at once, and the answer is the watch."""
        self._tools.wake_dispatch()
        self._wake()
        self._golives.tighten(await self._tools.store.write(lambda tx: tx.golives()))
        self._tools.changes.happened()
        return await self._shown(golive, now)

    def _span(self, ask: Ask, name: str) -> timedelta:
        try:
            span = self._read_span(ask.text(name))
        except ValueError as error:
            raise UsageError(f"`{name}`: {error}") from None
        if not SHORTEST <= span <= acts.LONGEST:
            raise UsageError(f"`{name}`: {ask.text(name)} is not between 1m and {acts.LONGEST.days}d")
        return span

    async def _found(self, ask: Ask) -> GoLive:
        """An ID is 3, #3, or a system under one watch that has not ended."""
        named = str(ask.arguments.get("golive", "")).strip()
        number = named.removeprefix("#")
        if number.isdecimal():
            found = await self._tools.store.read(lambda q: q.golive(int(number))) if len(number) < 10 else None
            if found is None:
                raise NotFound(f"there is no go-live #{number} (see `tocsin golive list --all`)")
            return found
        if not named:
            raise UsageError("which go-live? (3, #3, or a system that is under one)")
        listed = await self._tools.store.read(lambda q: q.golives(LISTED))
        mine = [one for one in listed if named in one.systems and not one.phase.has_ended]
        if not mine:
            raise NotFound(f"{named!r} is neither a go-live nor a system under one (see `tocsin golive list`)")
        running = [one for one in mine if one.phase is not Phase.PLANNED] or mine
        if len(running) > 1:
            told = ", ".join(f"#{one.id} ({one.version})" for one in running)
            raise UsageError(f"{named} is under {len(running)} go-lives: name one of {told}")
        return running[0]


def _names(value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(name, str) for name in listed):
        raise UsageError("`systems` is missing (a list of systems)")
    return tuple(dict.fromkeys(name.strip() for name in listed))


def _moment(text: str, zone: str) -> datetime:
    """An instant, or a local time in the zone of the settings; one that does not exist or exists twice is refused."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no moment (write 2026-12-04T22:00, or 2026-12-04T22:00:00+08:00)") from None
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    first, second = (moment.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        raise UsageError(f"{text} does not exist, or exists twice, in {zone}: the clocks are changed (add its offset)")
    return first
