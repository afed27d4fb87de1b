"""What `doctor` looks at in Tocsin's own data: the database, its clock, the key of the journal's checkpoints."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.finding import Finding, Level
from tocsin.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from tocsin.config.settings import Settings

CLOCK_WARNING = timedelta(seconds=1)
CLOCK_PROBLEM = timedelta(seconds=30)


def database(settings: Settings) -> list[Finding]:
    from sqlalchemy.exc import SQLAlchemyError

    from tocsin.store import engine as engines

    try:
        url, path = engines.located(settings.database, settings.base)
        if path is not None and not path.exists():
            return [Finding("database", Level.WARNING, f"{path}: is not there yet", "the daemon makes it")]
        engine = engines.read_engine(url)
        try:
            with engine.connect() as connection:
                return _examined(connection, url, path)
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        text = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return [
            Finding("database", Level.PROBLEM, f"{engines.shown(url)}: {text}", "check that it runs, and its address")
        ]
    except StoreError as error:
        return [Finding("database", Level.PROBLEM, str(error))]


def _examined(connection: Connection, url: URL, path: Path | None) -> list[Finding]:
    from tocsin.store.engine import shown
    from tocsin.store.upgrade import REVISION, is_newer, stored_revision

    stored, name = stored_revision(connection), shown(url)
    if stored is None:
        advice = "the daemon makes its tables there" if path is None else "name Tocsin's database"
        return [Finding("database", Level.WARNING, f"{name}: holds no tables of Tocsin's", advice)]
    if is_newer(stored):
        text = f"{name}: was written by a newer Tocsin (schema {stored}, this one knows {REVISION})"
        return [Finding("database", Level.PROBLEM, text, "install that version, or restore a backup")]
    if stored != REVISION:
        advice = "run 'tocsin db upgrade'" if path is None else "the daemon upgrades it after a copy"
        level = Level.PROBLEM if path is None else Level.WARNING
        return [Finding("database", level, f"{name}: has schema {stored}, this version needs {REVISION}", advice)]
    found = [Finding("database", Level.OK, f"{name}: schema {stored}{_size(path)}")]
    return found if path is not None else [*found, clock("the database", _now_of(connection), datetime.now(UTC))]


def _size(path: Path | None) -> str:
    return "" if path is None else f", {path.stat().st_size / 1e6:,.1f} MB"


def _now_of(connection: Connection) -> datetime:
    found = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    assert isinstance(found, datetime)
    return found


def clock(
    whose: str,
    theirs: datetime,
    ours: datetime,
    *,
    warning: timedelta = CLOCK_WARNING,
    problem: timedelta = CLOCK_PROBLEM,
) -> Finding:
    """How far this machine's clock and another's lie apart."""
    apart = abs(theirs - ours)
    text = f"{apart.total_seconds():.1f} s apart from {whose}"
    if apart < warning:
        return Finding("clock", Level.OK, text)
    advice = "set both by NTP; deadlines are told by this machine's clock"
    return Finding("clock", Level.PROBLEM if apart >= problem else Level.WARNING, text, advice)


def seal(settings: Settings) -> list[Finding]:
    """The key that signs checkpoints: its fingerprint, to be written down elsewhere."""
    from tocsin.daemon.seal import KEY_FILE, PUBLIC_FILE

    key, public = settings.data_dir / KEY_FILE, settings.data_dir / PUBLIC_FILE
    try:
        mode = key.stat().st_mode
        shown = public.read_text(encoding="ascii").split()[1]
    except (FileNotFoundError, NotADirectoryError):
        return [Finding("journal key", Level.WARNING, f"{key}: is not there yet", "the daemon makes it")]
    except (OSError, ValueError, IndexError) as error:
        advice = "give it to Tocsin's account; moved away, a new one is made"
        return [Finding("journal key", Level.PROBLEM, f"{key}: cannot be read ({error})", advice)]
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"{key}: others may open it (mode {stat.S_IMODE(mode):04o})"
        return [Finding("journal key", Level.PROBLEM, text, "chmod 0600 it; whoever read it can sign as Tocsin")]
    return [Finding("journal key", Level.OK, shown)]
