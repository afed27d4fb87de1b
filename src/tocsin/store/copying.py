"""Everything from one database into another, empty one: SQLite and PostgreSQL, in either direction, row for row and verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    DateTime,
    Inspector,
    MetaData,
    Table,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)

from tocsin.errors import StoreError
from tocsin.store import journal
from tocsin.store.schema import UtcDateTime
from tocsin.store.upgrade import make_schema, stored_revision

BATCH = 1000
VERSION_TABLE = "alembic_version"

Progress = Callable[[str, int, int], None]
"""Called with a table's name, how many rows are copied, and how many there are."""


def copy_all(source: Connection, target: Connection, progress: Progress) -> dict[str, int]:
    """Copy all tables in the caller's transactions and verify the target; returns the rows by table.

    The target is made with the source's schema, whichever version that is.
    """
    revision = stored_revision(source)
    if revision is None:
        raise StoreError("there is nothing to copy: the source is not Tocsin's database", permanent=True)
    if inspect(target).get_table_names():
        raise StoreError("the target is not empty (copy into a new database)", permanent=True)
    make_schema(target, revision)
    tables = tables_of(source)
    counts = {table.name: _count(source, table) for table in tables}
    for table in tables:
        _copy_table(source, target, table, counts[table.name], progress)
    _continue_numbering(target, tables)
    _compare(target, tables, counts)
    return counts


def tables_of(connection: Connection) -> list[Table]:
    """The tables as they are, those that others refer to first. Types are as Tocsin reads and writes them."""
    found = MetaData()
    event.listen(found, "column_reflect", _as_ours)
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != VERSION_TABLE]


def _as_ours(_inspector: Inspector, _table: Table, column: Any) -> None:
    if isinstance(column["type"], DateTime):
        column["type"] = UtcDateTime()
    elif isinstance(column["type"], JSON):
        column["type"] = JSON(none_as_null=column["nullable"])


def count_rows(connection: Connection) -> dict[str, int]:
    return {table.name: _count(connection, table) for table in tables_of(connection)}


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _copy_table(source: Connection, target: Connection, table: Table, total: int, progress: Progress) -> None:
    copied = 0
    for rows in _batches(source, table):
        target.execute(insert(table), rows)
        copied += len(rows)
        progress(table.name, copied, total)


def _batches(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    query = select(table).order_by(*_key_of(table)).execution_options(stream_results=True, yield_per=BATCH)
    for rows in source.execute(query).mappings().partitions():
        yield [dict(row) for row in rows]


def _key_of(table: Table) -> list[Column[Any]]:
    return list(table.primary_key.columns)


def _continue_numbering(target: Connection, tables: Sequence[Table]) -> None:
    """PostgreSQL counts its ids apart from the rows: go on behind the last one."""
    if target.dialect.name != "postgresql":
        return
    for table in tables:
        if "id" in table.columns:
            last = target.execute(select(func.max(table.c.id))).scalar()
            values = {"table": table.name, "last": last or 1, "is_used": last is not None}
            target.execute(text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last, :is_used)"), values)


def _compare(target: Connection, tables: Sequence[Table], counts: dict[str, int]) -> None:
    for table in tables:
        arrived = _count(target, table)
        if arrived != counts[table.name]:
            raise StoreError(
                f"the copy is not whole: {table.name} has {arrived} rows of {counts[table.name]} (nothing was kept)",
                permanent=True,
            )
    found = journal.verify(target)
    if found.broken is not None:
        raise StoreError(f"the copied journal is broken: {found.broken[1]} (see 'tocsin log verify')", permanent=True)
