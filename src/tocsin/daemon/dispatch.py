"""The one way out: what the outbox promises is sent, channel by channel, until it was delivered or can never be.

Commit, send, then mark. After a start, and whenever an answer was lost, a message is looked up by its key before it is repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.core.bundle import EVENT as BUNDLE
from tocsin.core.fallback import LATE_AFTER, promised_at
from tocsin.core.model import Incident, IncidentState, Notice, NoticeKind
from tocsin.core.pace import free_at, is_tight, paced
from tocsin.core.policy import Rulebook
from tocsin.daemon import bundling, marks
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.fallback import Overdue, divert, follow, show_present
from tocsin.daemon.marks import Task
from tocsin.errors import DeliveryError, StoreError
from tocsin.log import get_log
from tocsin.ports import Channel, Message, Reference, Store, Transaction, WallClock

log = get_log(__name__)

SEND_WITHIN_S = 30.0
LONGEST_BACKOFF = timedelta(minutes=1)
SEND_ANYWAY_AFTER = timedelta(minutes=2)
LOOK_BACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Context:
    """What messages are written with."""

    rulebook: Callable[[], Rulebook]
    language: str
    timezone: str
    public_url: str


class Dispatcher:
    """One worker a channel while it has something to send; a slow channel holds up nobody else."""

    def __init__(
        self,
        store: Store,
        clock: WallClock,
        alarms: Alarms,
        channels: Callable[[], Mapping[str, Channel]],
        context: Context,
    ) -> None:
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._channels = channels
        self._context = context
        self._overdue = Overdue(store, context.rulebook)
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._paces: dict[str, datetime] = {}
        self._resume_at: dict[str, datetime] = {}
        self._strikes: dict[str, int] = {}
        self._failing: dict[str, str] = {}
        self.wake: Callable[[], None] = lambda: None

    async def step(self, now: datetime) -> datetime | None:
        """Start a worker for each channel that may send now; returns when the next one may."""
        look_at = await self._overdue.step(now)
        waiting = await self._store.write(lambda tx: tx.channels_with_pending())
        later: list[datetime] = [] if look_at is None else [look_at]
        for channel, at in waiting:
            start_at = max((t for t in (at, self._resume_at.get(channel)) if t is not None), default=now)
            if start_at > now:
                later.append(start_at)
            elif channel not in self._workers or self._workers[channel].done():
                self._workers[channel] = asyncio.create_task(self._work(channel), name=f"dispatch {channel}")
        return min(later, default=None)

    async def close(self, within_s: float) -> None:
        """Let what is on the wire end, within a limit."""
        workers = [task for task in self._workers.values() if not task.done()]
        if workers:
            _, unfinished = await asyncio.wait(workers, timeout=within_s)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _work(self, channel: str) -> None:
        try:
            while not self._is_paused(channel):
                task = await self._store.write(lambda tx: self._next(tx, channel, self._clock.now()))
                if task is None:
                    break
                await self._deliver(channel, task)
        except StoreError as error:
            self._alarms.raise_("storage", str(error))
            self._resume_at[channel] = self._clock.now() + timedelta(seconds=1)
        finally:
            self.wake()

    def _next(self, tx: Transaction, channel: str, now: datetime) -> Task | None:
        """What to send next; where too much waits, it is put together first."""
        pace = self._context.rulebook().pace_of(channel)
        if pace is not None and pace.bundles and is_tight(pace, self._paces.get(channel), now):
            bundling.bundle(tx, channel, pace, now)
        return marks.next_task(tx, channel, now, self._alarm_day)

    def _is_paused(self, channel: str) -> bool:
        return self._resume_at.get(channel, self._clock.now()) > self._clock.now()

    def _alarm_day(self, notice: Notice) -> str:
        """The thread of the day on which it was promised: looked up after midnight, it is still found there."""
        return f"alarms:{notice.at.astimezone(ZoneInfo(self._context.timezone)):%Y-%m-%d}"

    # --- one notice ---

    async def _deliver(self, name: str, task: Task) -> None:
        channel = self._channels().get(name)
        if channel is None:
            await self._give_up(task, f"there is no channel {name!r} any more")
            return
        if _is_unheard(channel, task) or _is_past(task):
            await self._store.write(lambda tx: tx.settle_notice(task.pending.id, "covered", self._clock.now()))
            return
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                reference = await self._find_or_send(channel, self._message(name, channel, task), task)
        except TimeoutError:
            await self._failed(name, task, DeliveryError(f"no answer within {SEND_WITHIN_S:.0f} s", unknown=True))
        except DeliveryError as error:
            await self._failed(name, task, error)
        except Exception as error:
            # A fault of our own in one message must neither end the worker nor keep it spinning: it is put off like a lost answer.
            log.exception(
                "A notice could not be sent", action="notice_fault", channel=name, key=task.pending.notice.key
            )
            await self._failed(
                name, task, DeliveryError(f"a fault in sending: {error!r} (please report this)", unknown=True)
            )
        else:
            await self._sent(name, task, reference)

    async def _find_or_send(self, channel: Channel, message: Message, task: Task) -> Reference | None:
        is_repeatable = message.kind is NoticeKind.EDIT
        if task.pending.is_unknown and not is_repeatable:
            try:
                found = await _find(channel, message, task.pending.notice.at)
            except DeliveryError:
                if self._clock.now() - task.pending.notice.at < SEND_ANYWAY_AFTER:
                    raise
                # Rather told twice than not at all.
                found = None
            if found is not None:
                return found
        return await channel.send(message)

    def _message(self, name: str, channel: Channel, task: Task) -> Message:
        notice, case, rulebook = task.pending.notice, task.case, self._context.rulebook()
        incident = case.incident if case is not None else None
        system = rulebook.systems.get(incident.system) if incident is not None else None
        language = rulebook.language_of(name) or self._context.language
        # Without a root message a line has nowhere to stand: it goes out as the page.
        has_threads = channel.is_told_by_edits()
        is_orphan = has_threads and task.root is None and notice.kind in (NoticeKind.REPLY, NoticeKind.BROADCAST)
        now = self._clock.now()
        late_by = now - promised_at(notice)
        base = self._context.public_url.rstrip("/")
        return Message(
            key=notice.key,
            kind=NoticeKind.PAGE if is_orphan and incident is not None else notice.kind,
            event=notice.event,
            at=notice.at,
            language=language,
            data=notice.data,
            incident=incident,
            clocks=tuple(c for c in case.clocks if c.superseded_at is None) if case is not None else (),
            system=system,
            owner=rulebook.owner_of(system, language) if system is not None else None,
            people=rulebook.people,
            root=task.root,
            link=_link(base, incident, notice),
            now=now,
            timezone=self._context.timezone,
            promised_at=notice.at,
            late_by=late_by if late_by >= LATE_AFTER and notice.kind is not NoticeKind.EDIT else None,
            late_because=task.pending.error or "",
        )

    async def _sent(self, channel: str, task: Task, reference: Reference | None) -> None:
        now, rulebook = self._clock.now(), self._context.rulebook()

        def mark(tx: Transaction) -> None:
            marks.sent(tx, channel, task, reference, now)
            incident = task.case.incident if task.case is not None else None
            if incident is not None and task.pending.notice.kind is NoticeKind.EDIT:
                follow(tx, rulebook, task.pending.notice, incident, now)
            elif incident is not None and reference is not None and task.root is None:
                show_present(tx, task.pending.notice, incident, now)

        await self._store.write(mark)
        self._resume_at.pop(channel, None)
        self._keep_pace(channel, now)
        self._strikes.pop(channel, None)
        if self._failing.pop(channel, None) is not None and not self._failing:
            self._alarms.clear("delivery")

    async def _failed(self, channel: str, task: Task, error: DeliveryError) -> None:
        if error.is_root_gone and task.root is not None:
            await self._store.write(lambda tx: marks.root_gone(tx, channel, task, str(error), self._clock.now()))
            return
        if error.permanent:
            await self._give_up(task, str(error))
            return
        pending, now = task.pending, self._clock.now()
        next_at = now + (error.retry_after if error.retry_after is not None else _backoff(pending.attempts))
        is_unknown = pending.is_unknown or error.unknown
        await self._store.write(lambda tx: tx.postpone_notice(pending.id, next_at, str(error), is_unknown=is_unknown))
        self._pause(channel, error, now)
        log.warning(
            "A notice was not delivered",
            action="notice_postponed",
            channel=channel,
            key=pending.notice.key,
            error=str(error),
        )
        if pending.attempts >= 4:
            self._fail(channel, f"{channel}: {error} (tried {pending.attempts + 1} times, trying on)")

    def _pause(self, channel: str, error: DeliveryError, now: datetime) -> None:
        """Hold the channel up when it asks for that or fails again and again; one bad message holds up nobody else."""
        strikes = self._strikes.get(channel, 0) + 1
        self._strikes[channel] = strikes
        if error.retry_after is not None:
            self._resume_at[channel] = now + error.retry_after
        elif strikes > 1:
            self._resume_at[channel] = now + _backoff(strikes - 2)

    async def _give_up(self, task: Task, why: str) -> None:
        now, notice, rulebook = self._clock.now(), task.pending.notice, self._context.rulebook()

        def end(tx: Transaction) -> str | None:
            marks.dead(tx, task, why, now)
            return divert(tx, rulebook, notice, why, now)

        to = await self._store.write(end)
        instead = f"told in {to} instead; " if to is not None else ""
        # Stands until somebody looks: that the next message gets through does not bring this one back.
        self._alarms.raise_("undelivered", f"{notice.channel}: {why} ({instead}see `tocsin notices list --state dead`)")

    def _keep_pace(self, channel: str, now: datetime) -> None:
        """Hold the channel up until it takes the next message."""
        pace = self._context.rulebook().pace_of(channel)
        if pace is None:
            self._paces.pop(channel, None)
            return
        level = paced(pace, self._paces.get(channel), now)
        self._paces[channel] = level
        if (free := free_at(pace, level)) > now:
            self._resume_at[channel] = free

    def _fail(self, channel: str, text: str) -> None:
        """A channel that cannot be told is an alarm; alarms that cannot be told do not raise it again."""
        self._failing[channel] = text
        self._alarms.raise_("delivery", text)


async def _find(channel: Channel, message: Message, promised_at: datetime) -> Reference | None:
    """Look where the message would go now, and where it went if there was no thread for it yet when it was first sent."""
    since = promised_at - LOOK_BACK
    found = await channel.find(message, since=since)
    root = message.root
    if found is None and root is not None and (root.at is None or root.at >= promised_at):
        found = await channel.find(replace(message, root=None), since=since)
    return found


def _link(base: str, incident: Incident | None, notice: Notice) -> str:
    """Where the page shows it; empty where there is no page for it."""
    if not base:
        return ""
    if incident is not None:
        return f"{base}/incidents/{incident.id}"
    return f"{base}/incidents" if notice.event == BUNDLE else ""


def _is_unheard(channel: Channel, task: Task) -> bool:
    """Whether there is nothing to edit, or the channel is not told of such lines."""
    notice = task.pending.notice
    if notice.kind is NoticeKind.EDIT:
        return task.root is None or not channel.is_told_by_edits()
    return not channel.hears(notice.kind, notice.event)


def _is_past(task: Task) -> bool:
    """Whether a page that quiet hours held back calls for nothing any more: somebody answered, or it is over."""
    incident = task.case.incident if task.case is not None else None
    is_held_back = "not_before" in task.pending.notice.data and task.root is None
    return is_held_back and incident is not None and incident.state is not IncidentState.OPEN


def _backoff(attempts: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(attempts, 6)), LONGEST_BACKOFF)
