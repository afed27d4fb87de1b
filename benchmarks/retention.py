"""Old history goes while checks are polled: how late are probes meanwhile, and how long does a commit wait?

    python -m benchmarks.retention [MEGABYTES] [SECONDS]

A database of so many megabytes (1000) is made, its history is pruned and compacted for so many seconds (60) while 500 checks of a local
server are probed twice a second; before that the same without retention. Target: the 99th percentile of lateness under 50 ms.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from tocsin.config import load
from tocsin.core.policy import Rulebook
from tocsin.core.sketch import Sketch
from tocsin.daemon.clock import SystemClock
from tocsin.daemon.history import History
from tocsin.daemon.live import LiveState
from tocsin.daemon.loop import run
from tocsin.daemon.poll import Poller
from tocsin.daemon.retention import Keep, Retention
from tocsin.ports import Transaction
from tocsin.probes import build_probes
from tocsin.store.store import SqlStore

CHECKS = 500
EVERY = "500ms"
COMMIT_EVERY_S = 0.1
AGE = timedelta(days=60)


def fill(database: Path, megabytes: int) -> None:
    """Minutes of 500 checks, 60 days old, and as many failing samples."""
    import sqlite3

    sketch = Sketch()
    for latency in (0.01, 0.02, 0.05, 0.4):
        sketch.add(latency)
    first = datetime.now(UTC).replace(second=0, microsecond=0) - AGE
    values = '{"sessions": {"count": 4, "sum": 40.0, "min": 9.0, "max": 11.0, "last": 10.0}}'
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous=OFF")
    minute = 0
    while database.stat().st_size < megabytes * 1_000_000:
        at = (first + timedelta(minutes=minute)).replace(tzinfo=None).isoformat(" ", "microseconds")
        rows = [(f"s{n}", "health", at, 4, 0, 0, 0, 0.48, 0.4, sketch.to_bytes(), values) for n in range(CHECKS)]
        connection.executemany("INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        bad = [(f"s{n}", "health", at, "down", "timeout", "no answer within 5 s" * 5, 5.0) for n in range(CHECKS)]
        columns = 'system, "check", at, status, reason, text, duration_s'
        connection.executemany(f"INSERT INTO failures ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", bad)
        minute += 1
        if minute % 10 == 0:
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.commit()
    connection.close()


class Lateness(Poller):
    """A poller that keeps every probe's lateness."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.late_s: list[float] = []

    def _launch(self, watched, now):  # type: ignore[no-untyped-def]
        self.late_s.append(max(0.0, time.monotonic() - watched.planned_at))
        super()._launch(watched, now)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    writer.close()


def rulebook(folder: Path, port: int) -> Rulebook:
    (folder / "rules").mkdir(exist_ok=True)
    checks = [
        f'  s{n}: {{owner: x, checks: {{health: {{http: "http://127.0.0.1:{port}/{n}"}}}}}}' for n in range(CHECKS)
    ]
    text = f"defaults: {{check: {{every: {EVERY}}}}}\nsystems:\n" + "\n".join(checks)
    (folder / "rules" / "all.yaml").write_text(text + "\n")
    (folder / "tocsin.yaml").write_text("timezone: UTC\n")
    return load(folder / "tocsin.yaml", {}).rules.rulebook


def promise(tx: Transaction) -> None:
    tx.put_fact("benchmark", "kept")


async def commits(store: SqlStore, took_s: list[float]) -> None:
    """What promises pay: a small commit, again and again."""
    while True:
        before = time.monotonic()
        await store.write(lambda tx, at=before: tx.put_fact("benchmark", str(at)))  # type: ignore[misc]
        took_s.append(time.monotonic() - before)
        await asyncio.sleep(COMMIT_EVERY_S)


def shown(name: str, values: list[float]) -> str:
    cut = quantiles(values, n=1000)
    return (
        f"{name} ms: p50 {cut[499] * 1000:.2f}, p99 {cut[989] * 1000:.2f}, "
        f"p99.9 {cut[998] * 1000:.2f}, max {max(values) * 1000:.1f} ({len(values)})"
    )


async def measured(database: Path, seconds: float, *, with_retention: bool) -> None:
    clock = SystemClock()
    store = SqlStore(f"sqlite:///{database}")
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    live, probes = LiveState(Rulebook()), build_probes()
    history = History(store, clock.now())
    poller = Lateness(live, probes, history, clock, lambda _system: None)
    poller.watch(rulebook(database.parent, server.sockets[0].getsockname()[1]), {})
    poller.start()
    took_s: list[float] = []
    promising = asyncio.create_task(commits(store, took_s))
    await asyncio.sleep(3)
    poller.late_s.clear()
    took_s.clear()
    before = await store.read(lambda q: q.used_bytes()) or 0
    keep = Keep(failures=timedelta(days=50))
    pruning = (
        asyncio.create_task(Retention(store, keep, lambda _full: None).run(clock.now())) if with_retention else None
    )
    began = time.monotonic()
    if pruning is not None:
        await asyncio.wait({pruning}, timeout=seconds)
    else:
        await asyncio.sleep(seconds)
    lasted = time.monotonic() - began
    after = await store.read(lambda q: q.used_bytes()) or 0
    poller.stop()
    for task in (promising, *([pruning] if pruning is not None else [])):
        task.cancel()
    await asyncio.gather(promising, *([pruning] if pruning is not None else []), return_exceptions=True)
    await probes.close()
    server.close()
    await store.close()
    what = (
        f"pruned {(before - after) / 1e6:,.0f} MB in {lasted:.0f} s" if with_retention else f"without, {lasted:.0f} s"
    )
    print(f"{what}\n  {shown('lateness of probes', poller.late_s)}\n  {shown('a commit', took_s)}", flush=True)


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    with tempfile.TemporaryDirectory(prefix="tocsin-retention-") as folder:
        database = Path(folder) / "tocsin.db"
        asyncio.run(SqlStore(f"sqlite:///{database}").close())
        fill(database, megabytes)
        print(f"database of {database.stat().st_size / 1e6:,.0f} MB, {CHECKS} checks each {EVERY}")
        run(measured(database, min(seconds, 20.0), with_retention=False))
        run(measured(database, seconds, with_retention=True))


if __name__ == "__main__":
    main()
