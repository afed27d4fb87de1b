"""The journal: append-only and hash-chained.

`data_digest = H(salt, data)` and `hash = H(previous, sequence, at, actor, action, subject, data_digest)`, H being SHA-256 in hex over
the JSON array of its arguments. Data (with its salt) may be erased later; the chain stays valid.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from tocsin.core.model import Entry
from tocsin.store.schema import journal, meta, storable

GENESIS = "0" * 64
HEAD_KEY = "journal_head"
BASE_KEY = "journal_base"
PRUNED = "journal_pruned"

_HEAD = select(meta.c.value).where(meta.c.key == HEAD_KEY)
_LOCKED_HEAD = _HEAD.with_for_update()
_MOVE_HEAD = meta.update().where(meta.c.key == HEAD_KEY)
_ADD = insert(journal)


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's place and hash; what every later entry stands on."""

    sequence: int
    hash: str


def digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def instant(at: datetime) -> str:
    """An instant as it stands in hashes and files: RFC 3339 in UTC with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def head_of(connection: Connection) -> Head:
    """The chain's head, as a reader sees it."""
    return _head_from(connection.execute(_HEAD).scalar())


def _head_from(value: str | None) -> Head:
    if value is None:
        return Head(0, GENESIS)
    sequence, _, hashed = value.partition(" ")
    return Head(int(sequence), hashed)


def append(connection: Connection, entries: Iterable[Entry]) -> Head:
    """Write entries at the end of the chain; returns the new head."""
    head = _head_from(connection.execute(_LOCKED_HEAD).scalar())
    rows = []
    for entry in entries:
        head, row = _chained(head, entry)
        rows.append(row)
    if rows:
        connection.execute(_ADD, rows)
        _keep_head(connection, head)
    return head


def _chained(head: Head, entry: Entry) -> tuple[Head, dict[str, Any]]:
    data = storable(json.dumps(entry.data, ensure_ascii=False, sort_keys=True, separators=(",", ":")))
    salt = secrets.token_hex(16)
    data_digest = digest(salt, data)
    sequence = head.sequence + 1
    hashed = digest(head.hash, sequence, instant(entry.at), entry.actor, entry.action, entry.subject, data_digest)
    row = {
        "sequence": sequence,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "data": data,
        "salt": salt,
        "data_digest": data_digest,
        "previous": head.hash,
        "hash": hashed,
    }
    return Head(sequence, hashed), row


def _keep_head(connection: Connection, head: Head) -> None:
    value = f"{head.sequence} {head.hash}"
    updated = connection.execute(_MOVE_HEAD, {"value": value})
    if updated.rowcount == 0:
        connection.execute(insert(meta).values(key=HEAD_KEY, value=value))


def read(
    connection: Connection, *, after: int = 0, limit: int = 1000, subject: str | None = None
) -> list[dict[str, Any]]:
    """Entries after a sequence number, oldest first, as plain rows with `data` parsed (None where it was erased)."""
    query = select(journal).where(journal.c.sequence > after).order_by(journal.c.sequence).limit(limit)
    if subject is not None:
        query = query.where(journal.c.subject == subject)
    return [as_line(row) for row in connection.execute(query).mappings()]


def read_all(connection: Connection, *, after: int = 0, batch: int = 2000) -> Iterator[dict[str, Any]]:
    while rows := read(connection, after=after, limit=batch):
        yield from rows
        after = rows[-1]["sequence"]


def newest(connection: Connection, count: int) -> list[dict[str, Any]]:
    """The last `count` entries, oldest first."""
    query = select(journal).order_by(journal.c.sequence.desc()).limit(count)
    return [as_line(row) for row in connection.execute(query).mappings()][::-1]


def as_line(row: Mapping[Any, Any]) -> dict[str, Any]:
    """An entry as it stands in the ops log and in `log` commands."""
    return {
        "sequence": row["sequence"],
        "at": instant(row["at"]),
        "actor": row["actor"],
        "action": row["action"],
        "subject": row["subject"],
        "data": None if row["data"] is None else json.loads(row["data"]),
        "data_digest": row["data_digest"],
        "previous": row["previous"],
        "hash": row["hash"],
    }


@dataclass(frozen=True, slots=True)
class Verification:
    """`broken` is None when the chain is whole, else the first place that does not fit and why."""

    entries: int
    first: int | None
    last: int | None
    head: str
    broken: tuple[int, str] | None

    def as_dict(self) -> dict[str, Any]:
        broken = None if self.broken is None else {"sequence": self.broken[0], "why": self.broken[1]}
        return {
            "ok": self.broken is None,
            "entries": self.entries,
            "first": self.first,
            "last": self.last,
            "head": self.head,
            "broken": broken,
        }


def verify(connection: Connection) -> Verification:
    """Walk the whole chain: any edit, deletion, reordering or cut is found and named.

    The chain may begin behind entry 1 only if an entry of its own says that those before were old enough to go.
    """
    base = _head_from(connection.execute(select(meta.c.value).where(meta.c.key == BASE_KEY)).scalar())
    expected, previous, count, first = base.sequence + 1, base.hash, 0, None
    announced = 0
    query = select(journal).order_by(journal.c.sequence).execution_options(stream_results=True)
    result = connection.execute(query)
    rows = iter(result.mappings())
    while (row := _next_row(rows)) is not None:
        why = _unreadable(expected, row) if isinstance(row, Exception) else _wrong_with(row, expected, previous)
        if why is not None or isinstance(row, Exception):
            result.close()
            return Verification(count, first, expected - 1 if count else None, previous, (expected, why or ""))
        first = row["sequence"] if first is None else first
        if row["action"] == PRUNED and row["data"] is not None:
            announced = max(announced, int(json.loads(row["data"])["through"]))
        expected, previous, count = row["sequence"] + 1, row["hash"], count + 1
    last = expected - 1 if count else None
    wrong = _wrong_with_end(connection, expected - 1, previous) or _wrong_with_start(base.sequence, announced)
    return Verification(count, first, last, previous, wrong)


def _wrong_with_start(removed: int, announced: int) -> tuple[int, str] | None:
    if removed <= announced:
        return None
    return removed, f"entries up to {removed} were removed, and no entry says that they were old enough"


def _next_row(rows: Iterator[Mapping[Any, Any]]) -> Mapping[Any, Any] | Exception | None:
    """The next entry, None at the end; the error where somebody wrote what cannot even be read (an instant that is none)."""
    try:
        return next(rows, None)
    except (ValueError, TypeError, AssertionError) as error:
        return error


def _unreadable(sequence: int, error: Exception) -> str:
    return f"entry {sequence} was edited: it cannot be read ({error})"


def _wrong_with(row: Mapping[Any, Any], expected: int, previous: str) -> str | None:
    sequence = row["sequence"]
    if sequence != expected:
        missing = f"entry {expected}" if sequence == expected + 1 else f"entries {expected} to {sequence - 1}"
        return f"{missing} missing: entry {sequence} follows entry {expected - 1}"
    if row["previous"] != previous:
        return f"entry {sequence} does not stand on the entry before it: moved, or the one before was replaced"
    told = (row["salt"], row["data"], row["actor"], row["action"], row["subject"], row["data_digest"])
    if not all(value is None or isinstance(value, str) for value in told):
        return _unreadable(sequence, TypeError("bytes stand where text was"))
    if row["data"] is not None and digest(row["salt"], row["data"]) != row["data_digest"]:
        return f"the data of entry {sequence} was edited"
    hashed = digest(
        previous, sequence, instant(row["at"]), row["actor"], row["action"], row["subject"], row["data_digest"]
    )
    if hashed != row["hash"]:
        return f"entry {sequence} was edited: its hash does not fit its content"
    return None


def _wrong_with_end(connection: Connection, last: int, hashed: str) -> tuple[int, str] | None:
    row = connection.execute(select(meta.c.value).where(meta.c.key == HEAD_KEY)).scalar()
    if row is None:
        count = connection.execute(select(func.count()).select_from(journal)).scalar_one()
        return (1, "the record of the journal's head is missing") if count else None
    sequence, _, head = row.partition(" ")
    if int(sequence) > last:
        return last + 1, f"the end is cut off: the head was entry {sequence}, the last one here is {last}"
    if int(sequence) < last or head != hashed:
        return last, f"the record of the head (entry {sequence}) does not fit the last entry ({last})"
    return None
