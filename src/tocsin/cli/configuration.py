"""The configuration as the commands that need no daemon read it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tocsin.cli.command import Options
from tocsin.config.locate import settings_file
from tocsin.errors import StoreError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from tocsin.config.settings import Settings
    from tocsin.core.policy import Rulebook

DEMO = Path("var/demo/tocsin.yaml")


def config_of(options: Options) -> Path | None:
    """The settings file: the one that was named, else the demo's where nothing else is to be found."""
    found = settings_file(options.config, os.environ)
    return DEMO if found is None and DEMO.exists() else found


def load(path: Path | None, environ: Mapping[str, str]) -> tuple[Settings, Rulebook]:
    """Settings and rules, whole and checked; raises `ConfigurationError` with all that is wrong."""
    from tocsin.config import load as read

    found = read(path, environ)
    return found.settings, found.rules.rulebook


def settings_of(options: Options) -> Settings:
    """The settings alone: the journal can be read while the rules are broken."""
    from tocsin.config import load_settings

    return load_settings(config_of(options), os.environ)


def zone_of(settings: Settings) -> ZoneInfo:
    return ZoneInfo(settings.timezone)


def database_of(settings: Settings) -> tuple[URL, Path | None]:
    """The database's address, and its file when it is one that exists. Nothing is made where none is."""
    from tocsin.store import engine as engines

    url = engines.parse_url(settings.database)
    path = engines.file_of(url)
    if path is None:
        return url, None
    path = settings.base / path
    if not path.exists():
        raise UsageError(f"{path}: no such database (start the daemon once, or name the settings with --config)")
    return url.set(database=str(path)), path


@contextmanager
def reading_database(options: Options) -> Iterator[Connection]:
    """A read-only connection to the database of the settings."""
    from sqlalchemy.exc import SQLAlchemyError

    from tocsin.store import engine as engines

    url, _ = database_of(settings_of(options))
    engine = engines.read_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        origin = str(getattr(error, "orig", None) or error).splitlines()[0]
        name = url.render_as_string(hide_password=True)
        raise StoreError(f"{name}: {origin} (is it Tocsin's database? see 'tocsin db status')") from error
    finally:
        engine.dispose()
