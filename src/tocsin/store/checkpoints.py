"""Checkpoints of the journal's head, held against the chain and against their signatures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from tocsin.store.journal import Head, head_of
from tocsin.store.schema import journal

ACTION = "journal_checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How many there are, how many are signed, by which keys (as they name themselves); `broken` as in a verification."""

    count: int
    signed: int
    keys: tuple[str, ...]
    broken: tuple[int, str] | None


def check(connection: Connection, is_signed_right: Callable[[Mapping[str, Any]], bool]) -> Checkpoints:
    """Hold every checkpoint that is left against the entry that it names. The chain itself is verified before."""
    count = signed = 0
    keys: dict[str, None] = {}
    for sequence, data in _all(connection):
        count += 1
        why = _wrong_with(connection, data)
        if why is None and "signature" in data:
            signed += 1
            keys[str(data["key"])] = None
            why = None if is_signed_right(data) else "its signature does not fit what it says"
        if why is not None:
            return Checkpoints(count, signed, tuple(keys), (sequence, f"the checkpoint in entry {sequence}: {why}"))
    return Checkpoints(count, signed, tuple(keys), None)


def against(connection: Connection, kept: Iterable[Mapping[str, Any]]) -> tuple[int, str] | None:
    """The first checkpoint kept elsewhere that this journal does not bear out, and why; None when it bears out all."""
    head = head_of(connection)
    for data in kept:
        why = _wrong_with(connection, data)
        if why is None and int(data["sequence"]) > head.sequence:
            why = f"it says that the journal had {data['sequence']} entries, it has {head.sequence}"
        if why is not None:
            return int(data["sequence"]), f"a checkpoint that was kept elsewhere: {why}"
    return None


def _all(connection: Connection) -> list[tuple[int, dict[str, Any]]]:
    query = select(journal.c.sequence, journal.c.data).where(journal.c.action == ACTION).order_by(journal.c.sequence)
    return [(row[0], json.loads(row[1])) for row in connection.execute(query) if row[1] is not None]


def _wrong_with(connection: Connection, data: Mapping[str, Any]) -> str | None:
    named = Head(int(data["sequence"]), str(data["hash"]))
    found = connection.execute(select(journal.c.hash).where(journal.c.sequence == named.sequence)).scalar()
    if found is not None and found != named.hash:
        return f"it says that entry {named.sequence} had another hash"
    return None
