"""What the store and the journal keep of a change of a check's status, one by one or for many systems at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tocsin.core.check import Transition
from tocsin.core.model import Entry, Sample, Status
from tocsin.ports import StoredCheck, Transaction

Change = tuple[str, Transition, Sample]

MANY = 200


@dataclass(frozen=True, slots=True)
class FirstLook:
    """A system whose checks were all found up when they were first looked at: nothing to decide, only to write down."""

    system: str
    changes: tuple[Change, ...]
    checks: tuple[StoredCheck, ...]


def is_first_look(changes: Sequence[Change], checks: Sequence[StoredCheck]) -> bool:
    """Whether the changes say nothing but that checks which had no status yet are up."""
    is_new = all(change.previous is Status.UNOBSERVED and change.status is Status.UP for _, change, _ in changes)
    return bool(changes) and is_new and not any(Status(check.status).is_failing for check in checks)


def write(tx: Transaction, system: str, change: Change) -> None:
    """Write one change of status, unless the answer to its first commit was lost."""
    if tx.keep_transition(_row(system, change)):
        tx.append([_entry(system, change)])


def write_first_looks(tx: Transaction, looks: Sequence[FirstLook]) -> list[str]:
    """Write what is known of many systems after their first look. Returns those that have an incident, which must be decided on."""
    busy = {incident.system for incident in tx.unresolved_incidents()}
    calm = [look for look in looks if look.system not in busy]
    rows = {
        (look.system, change[0]): (_row(look.system, change), look, change) for look in calm for change in look.changes
    }
    written = tx.keep_transitions([row for row, _, _ in rows.values()])
    tx.append(
        [_entry(look.system, change) for row, look, change in rows.values() if (row["system"], row["check"]) in written]
    )
    tx.save_checks([replace(check, is_held=False) for look in calm for check in look.checks])
    return [look.system for look in looks if look.system in busy]


def _row(system: str, change: Change) -> dict[str, Any]:
    check, transition, sample = change
    return {
        "system": system,
        "check": check,
        "at": transition.at,
        "first_at": transition.first_at,
        "previous": transition.previous.value,
        "status": transition.status.value,
        "reason": sample.reason.value,
        "text": sample.text,
    }


def _entry(system: str, change: Change) -> Entry:
    check, transition, sample = change
    data = {
        "from": transition.previous.value,
        "to": transition.status.value,
        "first_at": transition.first_at.isoformat(),
        "reason": sample.reason.value,
        "text": sample.text,
    }
    return Entry(transition.at, "tocsin", "check_changed", f"check:{system}/{check}", data)
