"""A channel that is far behind is told in one message what would take it too long to be told one by one."""

from __future__ import annotations

from datetime import datetime

from tocsin.core.bundle import bundle_of
from tocsin.core.model import Entry
from tocsin.core.pace import Pace, most_waiting
from tocsin.ports import Transaction

AT_MOST = 5000


def bundle(tx: Transaction, channel: str, pace: Pace, now: datetime) -> None:
    """Put what waits too long into one notice, in its place: the gravest by themselves, so that they stay first."""
    waiting = tx.count_waiting(channel, now)
    for is_gravest, count in zip((True, False), waiting, strict=True):
        if count > most_waiting(pace, gravest=is_gravest):
            _replace(tx, channel, now, is_gravest)


def _replace(tx: Transaction, channel: str, now: datetime, is_gravest: bool) -> None:
    waiting = tx.bundleable(channel, now, AT_MOST, gravest=is_gravest)
    numbers = [one.id for one in waiting]
    notices = [one.notice for one in waiting]
    about = tx.incidents_of({notice.incident for notice in notices if notice.incident is not None})
    made = bundle_of(channel, numbers[-1], notices, about, now)
    tx.settle_notices(numbers, "bundled", now, f"told in {made.key}")
    tx.promise([made])
    data = {"channel": channel, "key": made.key, "first": numbers[0], "last": numbers[-1], "notices": len(numbers)}
    tx.append([Entry(now, "tocsin", "notices_bundled", "outbox", data)])
