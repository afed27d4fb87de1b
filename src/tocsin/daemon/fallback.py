"""When a channel cannot tell something, or does not confirm it in time, the next one is told instead, saying so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin.core.fallback import KEY_MAX, diverted, due_at, followers, key_in, next_channel
from tocsin.core.model import Entry, Incident, Notice, NoticeKind, Priority
from tocsin.core.policy import Rulebook
from tocsin.ports import PendingNotice, Store, Transaction

LOOKED_AT = 2000
LOOK_EVERY = timedelta(seconds=5)


def divert(tx: Transaction, rulebook: Rulebook, notice: Notice, why: str, now: datetime) -> str | None:
    """Promise the fact to the next channel; returns which, or None where there is none or it is told of the fact anyway."""
    to = next_channel(rulebook, notice)
    if to is None:
        return None
    has_root = notice.incident is not None and tx.reference(to, f"incident:{notice.incident}") is not None
    made = diverted(notice, to, why, now, has_root=has_root)
    if (notice.kind is NoticeKind.EDIT and not has_root) or tx.is_promised(made.key):
        return None
    tx.promise([made])
    if has_root and made.kind is not NoticeKind.EDIT:
        tx.promise([replace(made, key=f"edit:{made.key}"[:KEY_MAX], kind=NoticeKind.EDIT)])
    subject = "outbox" if notice.incident is None else f"incident:{notice.incident}"
    data = {"channel": notice.channel, "to": to, "event": notice.event, "key": notice.key, "because": why}
    tx.append([Entry(now, "tocsin", "notice_diverted", subject, data)])
    return to


def show_present(tx: Transaction, notice: Notice, incident: Incident, now: datetime) -> None:
    """A page that stands in for another was perhaps accepted long before that was known: no edit since then has reached it."""
    if notice.channel not in incident.channels:
        key = f"edit:{notice.key}"[:KEY_MAX]
        tx.promise([replace(notice, key=key, kind=NoticeKind.EDIT, priority=Priority.ANSWER, at=now)])


def follow(tx: Transaction, rulebook: Rulebook, notice: Notice, incident: Incident, now: datetime) -> None:
    """A message that stands in another channel in place of one here is brought up to date with it."""
    for name in followers(rulebook, notice.channel):
        if name not in incident.channels and tx.reference(name, f"incident:{incident.id}") is not None:
            tx.promise([replace(notice, key=key_in(notice, name), channel=name, at=now)])


class Overdue:
    """Finds what a channel has not confirmed in time. Each notice is looked at once in a life of the daemon: its key sees to the rest."""

    def __init__(self, store: Store, rulebook: Callable[[], Rulebook]) -> None:
        self._store = store
        self._rulebook = rulebook
        self._done: set[int] = set()
        self._looked_at: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Tell the next channel of what waits too long; returns when to look again, None while nothing waits."""
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + LOOK_EVERY:
            return self._looked_at + LOOK_EVERY
        self._looked_at = now
        rulebook = self._rulebook()
        waiting = dict(await self._store.write(lambda tx: tx.unconfirmed(LOOKED_AT)))
        self._done &= waiting.keys()
        due = {number: at + rulebook.fallback_after for number, at in waiting.items() if number not in self._done}
        late = [number for number, at in due.items() if at <= now]
        if late:
            self._done |= set(await self._store.write(lambda tx: _divert_all(tx, rulebook, late, now)))
        return min((max(at, now + LOOK_EVERY) for number, at in due.items() if number not in self._done), default=None)


def _divert_all(tx: Transaction, rulebook: Rulebook, listed: list[int], now: datetime) -> list[int]:
    """Returns those that are done with; what quiet hours held back is waited for."""
    done = []
    for number in listed:
        pending = tx.pending_notice(number)
        if pending is None or now - due_at(pending.notice) < rulebook.fallback_after:
            continue
        divert(tx, rulebook, pending.notice, _why(pending, rulebook.fallback_after), now)
        done.append(number)
    return done


def _why(pending: PendingNotice, bound: timedelta) -> str:
    said = f": {pending.error}" if pending.error else ""
    return f"not confirmed within {bound.total_seconds():.0f} s{said}"
