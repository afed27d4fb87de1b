"""What is particular to PostgreSQL: one daemon by an advisory lock, and a commit whose answer was lost.

The lock belongs to the writing connection itself. Whoever writes holds it, also after a reconnect; and since the server lets it go only
when the session before has ended, that session's last transaction is decided by then: it can be asked for.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from tocsin.errors import StoreError
from tocsin.store.schema import meta

STATEMENT_TIMEOUT_MS = 30_000
LOCK = int.from_bytes(b"tocsin", "big")
LEFTOVER_ENDS_WITHIN_S = 2.0
COMMIT_KEY = "last_commit"
PASSING = frozenset({"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"})
"""Serialization failure, deadlock, lock not available, too many connections, the server stops, crashed, starts."""

_SETTINGS = {
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 60_000,
    "timezone": "UTC",
    "client_encoding": "UTF8",
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
_NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_TAKE = "SELECT pg_try_advisory_lock(%s)"
_HOLDERS = """
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32) + objid::bigint = %s AND objsubid = 1 AND pid <> pg_backend_pid()"""
_END_LEFTOVERS = f"SELECT pg_terminate_backend(pid) {_HOLDERS} AND application_name = %s"  # constants
_HOLDER = f"SELECT pid, coalesce(host(client_addr), 'this machine') {_HOLDERS}"  # constants


def shown(url: URL) -> str:
    """The address as people wrote it, without its password."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def write_engine(url: URL) -> Engine:
    """One connection that holds the lock for as long as it lives."""
    name = f"tocsin writer {secrets.token_hex(4)}"
    engine = _engine(url, name, pool_size=1, max_overflow=0)

    def connect(dialect: Any, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        connection = dialect.connect(*arguments, **options)
        try:
            _take_lock(connection, name, url)
        except BaseException:
            connection.close()
            raise
        return connection

    event.listen(engine, "do_connect", connect)
    return engine


def read_engine(url: URL) -> Engine:
    return _engine(url, "tocsin reader", pool_size=2, max_overflow=4, default_transaction_read_only="on")


def _engine(url: URL, name: str, *, pool_size: int, max_overflow: int, **settings: str) -> Engine:
    options = " ".join(f"-c {key}={value}" for key, value in {**_SETTINGS, **settings}.items())
    connect_args = {"options": options, "application_name": name, **_NETWORK}
    try:
        return create_engine(url, pool_size=pool_size, max_overflow=max_overflow, connect_args=connect_args)
    except ImportError as error:
        raise StoreError(
            f"database: PostgreSQL needs psycopg, which is not here: {error} (pip install 'tocsin[postgresql]')",
            permanent=True,
        ) from None


def _take_lock(connection: Any, name: str, url: URL) -> None:
    """Take the lock, or say who has it.

    The session of a daemon that was just killed ends by itself in a moment; one of our own that the server has not yet missed is ended.
    """
    connection.autocommit = True
    with connection.cursor() as cursor:
        until = time.monotonic() + LEFTOVER_ENDS_WITHIN_S
        while not cursor.execute(_TAKE, [LOCK]).fetchone()[0]:
            cursor.execute(_END_LEFTOVERS, [LOCK, name])
            if time.monotonic() > until:
                raise _occupied(cursor.execute(_HOLDER, [LOCK]).fetchone(), url)
            time.sleep(0.05)
    connection.autocommit = False


def _occupied(holder: tuple[int, str] | None, url: URL) -> StoreError:
    who = f"process {holder[0]} of the server, from {holder[1]}" if holder else "just gone"
    return StoreError(
        f"{shown(url)}: another Tocsin ({who}) works on this database (stop it, or give this one its own)",
        permanent=True,
    )


# --- commits whose answer was lost ---


def prepare_mark(engine: Engine) -> None:
    """Make the row in which each commit leaves its mark."""
    with engine.begin() as connection:
        if connection.execute(select(meta.c.value).where(meta.c.key == COMMIT_KEY)).scalar() is None:
            connection.execute(insert(meta).values(key=COMMIT_KEY, value=""))


def leave_mark(connection: Connection) -> str:
    """Mark this transaction, if it wrote anything: the mark is there afterwards if and only if it was committed."""
    mark = secrets.token_hex(16)
    wrote = text("pg_current_xact_id_if_assigned() IS NOT NULL")
    connection.execute(update(meta).where(meta.c.key == COMMIT_KEY, wrote).values(value=mark))
    return mark


def is_committed(engine: Engine, mark: str) -> bool:
    with engine.connect() as connection:
        return connection.execute(select(meta.c.value).where(meta.c.key == COMMIT_KEY)).scalar() == mark


def is_passing(error: BaseException) -> bool:
    """Whether trying again may help: the connection is gone or could not be made, or others were in the way."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    is_unreachable = state is None and isinstance(error, OperationalError | InterfaceError)
    return error.connection_invalidated or is_unreachable or state in PASSING or str(state).startswith("08")
