"""Time zones by their IANA names, and the machine's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tocsin.config.words import suggestion

_FOLDER = "zoneinfo/"


def parse_zone(value: object) -> str:
    """Return the zone's name if there is such a zone. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("must be the name of a time zone, as Asia/Shanghai")
    if not _is_zone(value):
        near = suggestion(value, sorted(available_timezones()), fallback=" (as Asia/Shanghai or UTC)")
        raise ValueError(f'unknown time zone "{value}"{near}')
    return value


def local_zone(environ: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> str:
    """The machine's zone: TZ, else where /etc/localtime points to, else UTC."""
    candidates = [environ.get("TZ", "").removeprefix(":")]
    if localtime.is_symlink():
        _, _, name = os.fspath(localtime.readlink()).partition(_FOLDER)
        candidates.append(name.removeprefix("posix/"))
    return next((name for name in candidates if name and _is_zone(name)), "UTC")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
