"""What `doctor` looks at on this machine: the daemon, who may open what, disk, time zones, holidays."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.command import Options
from tocsin.cli.finding import Finding, Level
from tocsin.errors import DaemonUnreachable, TocsinError

if TYPE_CHECKING:
    from tocsin.config.settings import Settings
    from tocsin.core.policy import Rulebook

PING_S = 3.0
LATE_IN_THE_YEAR = 11


def daemon(options: Options) -> list[Finding]:
    try:
        found = options.client(PING_S).call("ping")
    except DaemonUnreachable as error:
        text = str(error).partition(";")[0]
        return [Finding("daemon", Level.WARNING, text, "start it with 'tocsin run' or 'systemctl start tocsin'")]
    except TocsinError as error:
        return [Finding("daemon", Level.PROBLEM, str(error), "see its log")]
    version = found.get("version", "") if isinstance(found, dict) else ""
    return [Finding("daemon", Level.OK, f"answers {version}".rstrip())]


# --- who may open what ---


def rights(settings: Settings) -> list[Finding]:
    findings = [*_folder(settings.data_dir), *_secret_files(settings), *_settings_file(settings), *_socket(settings)]
    return findings or [Finding("rights", Level.OK, f"{settings.data_dir} and the secrets")]


def _folder(folder: Path) -> list[Finding]:
    if not folder.is_dir():
        return [Finding("rights", Level.WARNING, f"{folder}: is not there yet", "the daemon makes it")]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [Finding("rights", Level.PROBLEM, f"{folder}: cannot be written", "give it to Tocsin's account (chown)")]
    if folder.stat().st_mode & stat.S_IWOTH and not folder.stat().st_mode & stat.S_ISVTX:
        return [Finding("rights", Level.PROBLEM, f"{folder}: everybody may write into it", "chmod o-w it")]
    return []


def _secret_files(settings: Settings) -> list[Finding]:
    """Those that rules name are judged where the rules are read; here every file in the folder, used or not."""
    from tocsin.config.secrets import too_open

    if settings.secrets_dir is None:
        return []
    files = [file for file in sorted(settings.secrets_dir.iterdir()) if file.is_file()]
    open_ones = [(file, why) for file in files if (why := too_open(file, file.stat().st_mode)) is not None]
    return [Finding("rights", Level.PROBLEM, f"{file} {why}") for file, why in open_ones]


def _settings_file(settings: Settings) -> list[Finding]:
    file, slack = settings.file, settings.slack
    has_token = any((slack.bot_token, slack.app_token, slack.signing_secret))
    if file is None or not has_token or not file.stat().st_mode & stat.S_IROTH or not _holds_token(file):
        return []
    advice = "put them into secrets_dir, or chmod o-r the file"
    return [Finding("rights", Level.WARNING, f"{file}: holds tokens, and everybody may read it", advice)]


def _holds_token(file: Path) -> bool:
    text = file.read_text(encoding="utf-8", errors="replace")
    return any(word in text for word in ("xoxb-", "xapp-", "signing_secret:"))


def _socket(settings: Settings) -> list[Finding]:
    try:
        mode = settings.socket.stat().st_mode
    except OSError:
        return []
    if mode & stat.S_IRWXO:
        text = f"{settings.socket}: everybody may act through it (mode {stat.S_IMODE(mode):04o})"
        return [Finding("rights", Level.PROBLEM, text, "chmod 0660 it; the daemon makes it so")]
    return []


# --- disk ---


def disk(settings: Settings) -> list[Finding]:
    from tocsin.store.engine import located

    _, path = located(settings.database, settings.base)
    folders = [settings.data_dir, *([path.parent] if path is not None else [])]
    seen: dict[int, Finding] = {}
    for folder in folders:
        place = next((f for f in (folder, *folder.parents) if f.exists()), Path("/"))
        seen.setdefault(place.stat().st_dev, _free(folder, place, settings.disk_free))
    return list(seen.values())


def _free(folder: Path, place: Path, least: int) -> Finding:
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    text = f"{folder}: {free / 1024**3:,.1f} GiB free"
    if free < least:
        return Finding("disk", Level.PROBLEM, f"{text}, less than disk_free ({least / 1024**3:,.1f} GiB)", "make room")
    if found.f_files and found.f_favail < 1000:
        return Finding("disk", Level.PROBLEM, f"{folder}: only {found.f_favail} files more fit on it", "make room")
    return Finding("disk", Level.OK, text)


# --- calendars ---


def zones(settings: Settings) -> list[Finding]:
    from importlib.metadata import PackageNotFoundError, version
    from zoneinfo import TZPATH, ZoneInfo

    here = datetime.now(ZoneInfo(settings.timezone))
    try:
        packaged = f"tzdata {version('tzdata')}"
    except PackageNotFoundError:
        packaged = "no tzdata package"
    own = next((place for place in TZPATH if (Path(place) / settings.timezone).exists()), None)
    source = own or packaged
    if settings.timezone == "UTC" and not settings.is_given("timezone"):
        text = "no time zone is set, here or on the machine: local times are UTC"
        return [Finding("time zone", Level.WARNING, text, "set timezone")]
    return [Finding("time zone", Level.OK, f"{settings.timezone}: {here:%Y-%m-%d %H:%M %Z} (from {source})")]


def holidays(rulebook: Rulebook, now: datetime | None = None) -> list[Finding]:
    """Whether the holidays that calendars rely on are known for this year, and near its end for the next."""
    at = now or datetime.now(UTC)
    wanted = [at.year, *([at.year + 1] if at.month >= LATE_IN_THE_YEAR else [])]
    findings = []
    for calendar in rulebook.calendars.values():
        if calendar.covered_years is None:
            continue
        missing = [year for year in wanted if year not in calendar.covered_years]
        findings += [_guessed(calendar.name, year, is_now=year == at.year) for year in missing]
        if not missing:
            findings.append(Finding("holidays", Level.OK, f"{calendar.name}: known up to {max(wanted)}"))
    return findings


def _guessed(calendar: str, year: int, *, is_now: bool) -> Finding:
    advice = "update the package holidays, or name holidays and working_days yourself"
    level = Level.PROBLEM if is_now else Level.WARNING
    return Finding("holidays", level, f"{calendar}: the holidays of {year} are a guess", advice)
