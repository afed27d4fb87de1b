"""What the dispatcher reads before it sends, and writes afterwards: each in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.core.case import Case
from tocsin.core.model import Entry, Notice, NoticeKind
from tocsin.ports import PendingNotice, Reference, Transaction


@dataclass(frozen=True, slots=True)
class Task:
    """A notice to deliver, with what is true of its incident at this moment."""

    pending: PendingNotice
    case: Case | None
    root: Reference | None
    subject: str
    read_up_to: int


def next_task(tx: Transaction, channel: str, now: datetime, alarm_day: Callable[[Notice], str]) -> Task | None:
    """What to send next, with its incident as it is now."""
    for pending in tx.pending_notices(channel, now, 1):
        incident = pending.notice.incident
        subject = f"incident:{incident}"
        if incident is None:
            # Alarms share a thread of their day, the lines of a go-live watch have one of their own; a digest stands by itself.
            is_alarm = pending.notice.kind is NoticeKind.ALARM
            alone = pending.notice.data.get("thread") or f"notice:{pending.id}"
            subject = alarm_day(pending.notice) if is_alarm else alone
        case = tx.case_of(incident) if incident is not None else None
        return Task(pending, case, tx.reference(channel, subject), subject, tx.last_notice_id())
    return None


def sent(tx: Transaction, channel: str, task: Task, reference: Reference | None, now: datetime) -> None:
    pending, notice = task.pending, task.pending.notice
    tx.settle_notice(pending.id, "sent", now)
    if notice.kind is NoticeKind.EDIT:
        # It showed the incident as read with the task: edits promised up to then are covered, not what came after.
        if notice.incident is not None:
            tx.cover_edits(channel, notice.incident, task.read_up_to, now)
        return
    if reference is not None and task.root is None:
        tx.keep_reference(channel, task.subject, reference, now)
    data: dict[str, Any] = {"channel": channel, "event": notice.event, "kind": notice.kind.value, "key": notice.key}
    data["delay_s"] = round((now - notice.at).total_seconds(), 3)
    tx.append([Entry(now, "tocsin", "notice_sent", _subject(pending), data)])


def root_gone(tx: Transaction, channel: str, task: Task, why: str, now: datetime) -> None:
    """Somebody deleted the incident's message: what is still to be said goes out as a new one, which stands in its place."""
    tx.forget_reference(channel, task.subject)
    if task.pending.notice.kind is NoticeKind.EDIT:
        tx.settle_notice(task.pending.id, "covered", now, why)
    else:
        tx.postpone_notice(task.pending.id, now, why, is_unknown=False)


def dead(tx: Transaction, task: Task, why: str, now: datetime) -> None:
    pending, notice = task.pending, task.pending.notice
    tx.settle_notice(pending.id, "dead", now, why)
    data = {
        "channel": notice.channel,
        "event": notice.event,
        "kind": notice.kind.value,
        "key": notice.key,
        "error": why,
    }
    tx.append([Entry(now, "tocsin", "notice_failed", _subject(pending), data)])


def _subject(pending: PendingNotice) -> str:
    incident = pending.notice.incident
    return f"notice:{pending.id}" if incident is None else f"incident:{incident}"
