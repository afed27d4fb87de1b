"""A store with something in every table, and everything that a database holds, to compare."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tocsin.config import load
from tocsin.core.case import FailingCheck
from tocsin.core.incident import reconcile
from tocsin.core.model import Entry, Status
from tocsin.core.policy import Rulebook
from tocsin.core.sketch import Sketch
from tocsin.ports import Reference, StoredCheck, Transaction
from tocsin.store import engine as engines
from tocsin.store.copying import tables_of
from tocsin.store.store import SqlStore

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


def fill(database: str, *, systems: int = 3, minutes: int = 90) -> None:
    """Write a short history with incidents, clocks, notices, messages and roll-ups."""

    async def scenario() -> None:
        store = SqlStore(database)
        try:
            for number in range(systems):
                await store.write(lambda tx, n=number: _system(tx, f"s{n}"))  # type: ignore[misc]
                rows = [rollup(f"s{number}", START + timedelta(minutes=m), down=m % 7 == 0) for m in range(minutes)]
                await store.write(lambda tx, r=rows: tx.keep_rollups(r), bulk=True)  # type: ignore[misc]
        finally:
            await store.close()

    asyncio.run(scenario())


def _system(tx: Transaction, name: str) -> None:
    tx.keep_configuration(f"v-{name}", '{"systems": {}}', "tocsin", START)
    tx.save_check(StoredCheck(name, "health", "http", "down", START, START, "timeout", "no answer\n中文", {"a": 1.5}))
    transition = {"system": name, "check": "health", "at": START, "first_at": START, "previous": "up"}
    tx.keep_transition({**transition, "status": "down", "reason": "timeout", "text": "no answer"})
    tx.keep_failures([failure(name, START + timedelta(seconds=s)) for s in range(20)])
    tx.append([Entry(START, "tocsin", "check_changed", f"check:{name}/health", {"to": "down"})])
    rulebook = a_rulebook(name)
    failing = (FailingCheck("health", "http", Status.DOWN, "timeout", "no answer", START, {}),)
    before = tx.case(name)
    tx.commit_decision(before, reconcile(before, rulebook, rulebook.systems[name], failing, START))
    tx.keep_reference("slack", f"incident:{name}", Reference("C1", f"1.{name}"), START)
    tx.put_fact(f"fact of {name}", "kept")
    tx.ran(f"job of {name}", START)


def a_rulebook(name: str) -> Rulebook:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "rules").mkdir()
        check = '{health: {http: "http://127.0.0.1:1/"}}'
        (path / "rules" / "all.yaml").write_text(
            f"systems: {{{name}: {{owner: li.na, tier: core, notify: [hook], checks: {check}}}}}\n"
            "people: {li.na: {name: Li Na}}\n"
            "channels: {hook: {webhook: 'http://127.0.0.1:1/', secret: s}}\n"
        )
        (path / "tocsin.yaml").write_text("rules: [rules]\ntimezone: UTC\n")
        return load(path / "tocsin.yaml", {}).rules.rulebook


def rollup(system: str, minute: datetime, *, down: bool = False, check: str = "health") -> dict[str, Any]:
    sketch = Sketch()
    for latency in (0.125, 0.25, 0.5):
        sketch.add(latency)
    return {
        "system": system,
        "check": check,
        "minute": minute,
        "up": 0 if down else 3,
        "degraded": 0,
        "down": 3 if down else 0,
        "unobserved": 1,
        "latency_sum_s": 0.875,
        "latency_max_s": 0.5,
        "latency": sketch.to_bytes(),
        "values": {"sessions": {"count": 3, "sum": 30.0, "min": 9.0, "max": 11.0, "last": 10.0}},
    }


def failure(system: str, at: datetime) -> dict[str, Any]:
    facts = {"system": system, "check": "health", "at": at, "status": "down"}
    return {**facts, "reason": "timeout", "text": "no answer", "duration_s": 5.0}


def whole(database: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, in the order of the keys."""
    engine = engines.read_engine(engines.parse_url(database))
    try:
        with engine.connect() as connection:
            return {
                table.name: [
                    dict(row)
                    for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
                ]
                for table in tables_of(connection)
            }
    finally:
        engine.dispose()
