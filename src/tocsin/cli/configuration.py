"""The configuration as the commands that need no daemon read it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.command import Options
from tocsin.errors import StoreError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tocsin.config import Settings
    from tocsin.core.policy import Rulebook

DEMO = Path("var/demo/tocsin.yaml")
ELSEWHERE = (Path("tocsin.yaml"), Path("/etc/tocsin/tocsin.yaml"))


def config_of(options: Options) -> Path | None:
    """The settings file: the one that was named, else the demo's where nothing else is to be found."""
    if options.config is not None or os.environ.get("TOCSIN_CONFIG") or any(path.exists() for path in ELSEWHERE):
        return options.config
    return DEMO if DEMO.exists() else None


def load(path: Path | None, environ: Mapping[str, str]) -> tuple[Settings, Rulebook]:
    """Settings and rules, whole and checked; raises `ConfigurationError` with all that is wrong."""
    from tocsin.config import load_rules, load_settings

    settings = load_settings(path, environ)
    return settings, load_rules(settings)


def settings_of(options: Options) -> Settings:
    from tocsin.config import load_settings

    return load_settings(config_of(options), os.environ)


@contextmanager
def reading_database(options: Options) -> Iterator[Connection]:
    """A read-only connection to the database of the settings. Nothing is made where none is."""
    from sqlalchemy.exc import SQLAlchemyError

    from tocsin.store import engine as engines

    url = engines.parse_url(settings_of(options).database)
    path = engines.file_of(url)
    if path is not None and not path.exists():
        raise UsageError(f"{path}: no such database (start the daemon once, or name the settings with --config)")
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
