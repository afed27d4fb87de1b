"""The calendar's jobs on a real store: what is old goes, what is young stays, checkpoints are signed."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from filled_store import failure, rollup, whole
from tocsin.core.model import Entry
from tocsin.daemon import retention
from tocsin.daemon.housekeeping import Housekeeping
from tocsin.daemon.retention import Keep, Retention
from tocsin.daemon.seal import Seal, fingerprint, is_signed_right
from tocsin.errors import StoreError
from tocsin.ports import Transaction
from tocsin.store import checkpoints, journal
from tocsin.store import engine as engines
from tocsin.store.store import SqlStore

T = TypeVar("T")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class StandingClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def with_store(database: str, scenario: Callable[[SqlStore], Coroutine[Any, Any, T]]) -> T:
    async def opened() -> T:
        store = SqlStore(database)
        try:
            return await scenario(store)
        finally:
            await store.close()

    return run(opened())


def silent(_is_over_full: bool) -> None:
    pass


def house(store: SqlStore, folder: Path, keep: Keep | None = None) -> Housekeeping:
    return Housekeeping(store, StandingClock(), "UTC", Seal(folder), Retention(store, keep or Keep(), silent))


def rows(system: str, first: datetime, count: int) -> list[dict[str, Any]]:
    return [rollup(system, first + n * MINUTE) for n in range(count)]


def test_old_history_goes_and_the_rest_stays(database: str) -> None:
    async def scenario(store: SqlStore) -> dict[str, Any]:
        for age in (500, 36, 34):
            at = NOW - age * DAY
            await store.write(lambda tx, t=at: tx.keep_rollups(rows("erp", t, 120)))  # type: ignore[misc]
        for age in (91, 89):
            await store.write(lambda tx, a=age: tx.keep_failures([failure("erp", NOW - a * DAY)]))  # type: ignore[misc]
        return await Retention(store, Keep(), silent).run(NOW)

    gone = with_store(database, scenario)
    assert gone == {"failures": 1, "transitions": 0, "hourly_rollups": 0, "rollups": 240, "journal": 0}
    tables = whole(database)
    assert {row["minute"].date() for row in tables["rollups"]} == {(NOW - 34 * DAY).date()}
    assert [row["hour"] for row in tables["hourly_rollups"]] == [NOW - 36 * DAY, NOW - 36 * DAY + timedelta(hours=1)]
    assert [row["at"] for row in tables["failures"]] == [NOW - 89 * DAY]


def test_old_journal_goes_after_an_entry_that_says_so(database: str) -> None:
    async def scenario(store: SqlStore) -> dict[str, Any]:
        for age in (402, 401, 399, 1):
            at = NOW - age * DAY
            await store.write(lambda tx, t=at: tx.append([Entry(t, "tocsin", "noted", "n", {})]))  # type: ignore[misc]
        return await Retention(store, Keep(), silent).run(NOW)

    assert with_store(database, scenario)["journal"] == 2
    left = whole(database)["journal"]
    assert [(row["sequence"], row["action"]) for row in left] == [(3, "noted"), (4, "noted"), (5, "journal_pruned")]
    assert verified(database).broken is None
    assert with_store(database, lambda store: Retention(store, Keep(), silent).run(NOW))["journal"] == 0


def verified(database: str) -> journal.Verification:
    engine = engines.read_engine(engines.parse_url(database))
    try:
        with engine.connect() as connection:
            return journal.verify(connection)
    finally:
        engine.dispose()


def test_database_over_its_cap_keeps_less_history_and_all_of_the_journal(sqlite: str) -> None:
    told: list[bool] = []

    async def scenario(store: SqlStore) -> tuple[int, int]:
        for age in range(80):
            at = NOW - age * DAY
            await store.write(lambda tx, t=at: tx.keep_failures([failure("erp", t)] * 100))  # type: ignore[misc]
            await store.write(lambda tx, t=at: tx.append([Entry(t, "tocsin", "noted", "n", {})]))  # type: ignore[misc]
        full = await store.read(lambda q: q.used_bytes())
        assert full is not None
        await Retention(store, Keep(history_max=full // 2), told.append).run(NOW)
        used = await store.read(lambda q: q.used_bytes())
        assert used is not None
        return full, used

    full, used = with_store(sqlite, scenario)
    assert used <= full // 2
    tables = whole(sqlite)
    assert len(tables["journal"]) == 80
    ages = [(NOW - row["at"]).days for row in tables["failures"]]
    assert min(ages) == 0
    assert 9 <= max(ages) < 60
    assert told == [False]


def test_cap_that_cannot_be_held_is_told(sqlite: str) -> None:
    told: list[bool] = []
    with_store(sqlite, lambda store: Retention(store, Keep(history_max=1), told.append).run(NOW))
    assert told == [True]


def test_no_slice_is_larger_than_the_limit(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "REST_S", 0.0)
    largest = 0

    async def scenario(store: SqlStore) -> None:
        for system in range(20):
            await store.write(lambda tx, s=f"s{system}": tx.keep_rollups(rows(s, NOW - 40 * DAY, 60)))  # type: ignore[misc]
        await store.write(lambda tx: tx.keep_failures([failure("erp", NOW - 99 * DAY)] * 1200))
        written = store.write

        async def counted(work: Any, *, bulk: bool = False) -> Any:
            nonlocal largest
            count = await written(work, bulk=bulk)
            largest = max(largest, count or 0)
            return count

        store.write = counted  # type: ignore[method-assign]
        assert (await Retention(store, Keep(), silent).run(NOW))["rollups"] == 1200

    with_store(sqlite, scenario)
    assert largest == 500


# --- checkpoints ---


def test_checkpoint_is_signed_by_a_key_that_is_made_once(database: str, tmp_path: Path) -> None:
    async def scenario(store: SqlStore) -> None:
        await house(store, tmp_path / "keys").checkpoint(NOW)
        await house(store, tmp_path / "keys").checkpoint(NOW + DAY)

    with_store(database, scenario)
    key = tmp_path / "keys" / "journal.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    found = checked(database)
    assert (found.count, found.signed, found.broken) == (2, 2, None)
    public, shown = (tmp_path / "keys" / "journal.pub").read_text().split()
    assert found.keys == (public,)
    assert fingerprint(public) == shown
    actions = [row["action"] for row in whole(database)["journal"]]
    assert actions == ["journal_key_made", "journal_checkpoint", "journal_checkpoint"]


def checked(database: str) -> checkpoints.Checkpoints:
    engine = engines.read_engine(engines.parse_url(database))
    try:
        with engine.connect() as connection:
            return checkpoints.check(connection, is_signed_right)
    finally:
        engine.dispose()


def test_checkpoint_of_another_head_and_one_with_a_forged_signature_are_found(sqlite: str, tmp_path: Path) -> None:
    seal = Seal(tmp_path)
    seal.open()

    async def write(store: SqlStore, data: dict[str, Any]) -> None:
        await store.write(lambda tx: tx.append([Entry(NOW, "tocsin", "journal_checkpoint", "journal", data)]))

    async def scenario(store: SqlStore) -> None:
        await write(store, seal.sign(0, journal.GENESIS, "then"))
        head = verified(sqlite)
        await write(store, seal.sign(1, head.head, "then") | {"at": "another day"})

    with_store(sqlite, scenario)
    assert checked(sqlite).broken == (2, "the checkpoint in entry 2: its signature does not fit what it says")
    other = f"sqlite:///{tmp_path / 'other.db'}"

    async def rewritten(store: SqlStore) -> None:
        await write(store, seal.sign(0, journal.GENESIS, "then"))
        await write(store, seal.sign(1, "f" * 64, "then"))

    with_store(other, rewritten)
    assert checked(other).broken == (2, "the checkpoint in entry 2: it says that entry 1 had another hash")


def test_signature_holds_only_for_what_was_signed(tmp_path: Path) -> None:
    seal = Seal(tmp_path)
    assert seal.open()
    data = seal.sign(7, "a" * 64, "2026-11-24T09:00:00+00:00")
    assert is_signed_right(data)
    for change in ({"sequence": 8}, {"hash": "b" * 64}, {"at": ""}, {"signature": "AAAA"}, {"key": "x"}, {"key": None}):
        assert not is_signed_right({**data, **change}), change


def test_file_that_is_no_key_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "journal.key").write_text("hello")
    with pytest.raises(ValueError, match="is no Ed25519 key"):
        Seal(tmp_path).open()
    assert (tmp_path / "journal.key").read_text() == "hello"


def last_runs(tx: Transaction) -> tuple[datetime | None, datetime | None]:
    return tx.last_run("retention"), tx.last_run("checkpoint")


def test_checkpoint_without_a_usable_key_is_written_unsigned(sqlite: str, tmp_path: Path) -> None:
    (tmp_path / "journal.key").write_text("hello")
    with_store(sqlite, lambda store: house(store, tmp_path).checkpoint(NOW))
    found = checked(sqlite)
    assert (found.count, found.signed, found.broken) == (1, 0, None)


def test_missed_job_runs_at_the_next_start_and_a_new_database_gets_a_checkpoint(sqlite: str, tmp_path: Path) -> None:
    async def scenario(store: SqlStore) -> list[str]:
        await store.write(lambda tx: tx.ran("retention", NOW - 3 * DAY))
        await store.write(lambda tx: tx.keep_failures([failure("erp", NOW - 99 * DAY)]))
        keeper = house(store, tmp_path)
        await keeper.start()
        try:
            for _ in range(500):
                if await store.write(last_runs) == (NOW, NOW):
                    break
                await asyncio.sleep(0.02)
        finally:
            keeper.stop()
        return [line["action"] for line in await store.read(lambda q: q.journal_after(0, 10))]

    assert with_store(sqlite, scenario) == ["journal_key_made", "journal_checkpoint"]
    assert whole(sqlite)["failures"] == []


def test_job_that_finds_no_store_comes_again_soon(sqlite: str, tmp_path: Path) -> None:
    async def scenario(store: SqlStore) -> list[str]:
        keeper = house(store, tmp_path)
        await store.write(lambda tx: (tx.ran("checkpoint", NOW), tx.ran("retention", NOW)))
        await keeper.start()
        read = store.read

        async def away(_work: Any) -> Any:
            raise StoreError("the store cannot be read")

        try:
            store.read = away  # type: ignore[method-assign]
            await keeper.run("checkpoint")
            store.read = read  # type: ignore[method-assign]
            return [job.id for job in keeper._scheduler.get_jobs()]
        finally:
            keeper.stop()

    assert "checkpoint, again" in with_store(sqlite, scenario)
