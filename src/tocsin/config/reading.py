"""Reads the settings file and what lies over it into `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.config import later
from tocsin.config.document import Document
from tocsin.config.findings import Findings
from tocsin.config.joined import SECTIONS
from tocsin.config.settings import Settings
from tocsin.config.sources import Layered, add_environment, add_secret_files, layered
from tocsin.config.yaml_positions import read_yaml
from tocsin.config.zones import local_zone
from tocsin.errors import ConfigurationError, Problem

MAX_FILE = 8 * 1024 * 1024
MAX_SOCKET_PATH = 107
"""`sun_path` of Linux holds 108 bytes, the last of them zero."""

_RULE_SECTIONS = frozenset((*SECTIONS, *later.SECTIONS))


def read_file(path: Path, shown: str) -> Document:
    """Read a YAML file; one that cannot be read is a problem like any other."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            return Document(shown, problems=[Problem(shown, 0, 0, f"is larger than {MAX_FILE // 1024**2} MiB")])
        return read_yaml(content.decode("utf-8-sig"), shown)
    except OSError as error:
        return Document(shown, problems=[Problem(shown, 0, 0, f"cannot be read: {error.strerror}")])
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return Document(shown, problems=[Problem(shown, line, 1, "is not UTF-8 text in this line")])


@dataclass(frozen=True, slots=True)
class Read:
    """Settings, and all that is wrong with them: then they are what is left without it, or None.

    `has_folders` is False when it is not known where the rules are.
    """

    settings: Settings | None
    problems: tuple[Problem, ...]
    has_folders: bool


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises `ConfigurationError` with all that is wrong."""
    found = read_settings(path, environ)
    if found.settings is None or found.problems:
        raise ConfigurationError(found.problems)
    return found.settings


def read_settings(path: Path | None, environ: Mapping[str, str]) -> Read:
    """Read the settings. Never raises."""
    document = read_file(path, str(path)) if path else Document("the defaults", value={})
    base = path.parent.absolute() if path else Path.cwd()
    layers = layered(document)
    credentials = _folder(environ.get("CREDENTIALS_DIRECTORY"), base)
    add_secret_files(layers, [folder for folder in (_secrets_dir(layers, environ, base), credentials) if folder])
    add_environment(layers, environ)
    findings = Findings(layers)
    settings = _validated(layers, findings)
    if settings is not None:
        settings = _completed(settings, layers, base, environ)
        _check(settings, findings)
        settings._file = path.absolute() if path else None
        settings._credentials = credentials
        settings._places = {key: layers.problem((key,), "") for key in layers.value}
        settings._warnings = (*layers.warnings, *findings.warnings)
    return Read(settings, findings.errors, ("rules",) not in findings.wrong)


def _folder(text: str | None, base: Path) -> Path | None:
    return base / text if text else None


def _secrets_dir(layers: Layered, environ: Mapping[str, str], base: Path) -> Path | None:
    """The folder is needed before the rest is checked; what is wrong with it is said then."""
    written = environ.get("TOCSIN_SECRETS_DIR") or layers.value.get("secrets_dir")
    return _folder(written, base) if isinstance(written, str) else None


def _validated(layers: Layered, findings: Findings) -> Settings | None:
    document = layers.document
    findings.add(document.problems)
    if document.value is not None and not isinstance(document.value, dict):
        findings.error((), "must be a mapping of settings, as listen: 127.0.0.1:8600")
        return None
    raw = later.refuse(layers.value, later.SETTINGS, findings)
    for key in [key for key in raw if key in _RULE_SECTIONS]:
        findings.error(
            (key,), f"{key} belongs into a rule file, in a folder of rules, not into the settings", at_key=True
        )
        del raw[key]
    return findings.validated(Settings, _without_blanks(raw), ())


def _without_blanks(raw: dict[str, Any]) -> dict[str, Any]:
    """A key without a value is a key left out, as in `metrics_listen:`."""
    return {
        key: _without_blanks(value) if isinstance(value, dict) else value
        for key, value in raw.items()
        if value is not None
    }


def _completed(settings: Settings, layers: Layered, base: Path, environ: Mapping[str, str]) -> Settings:
    """Make paths absolute; database and socket lie in `data_dir` unless they were named."""
    given = layers.value
    data_dir = base / settings.data_dir
    database = settings.database if "database" in given else f"sqlite:///{data_dir}/tocsin.db"
    return settings.model_copy(
        update={
            "data_dir": data_dir,
            "database": _absolute_database(database, base),
            "socket": base / settings.socket if "socket" in given else data_dir / "tocsin.sock",
            "rules": [base / folder for folder in settings.rules],
            "secrets_dir": base / settings.secrets_dir if settings.secrets_dir else None,
            "timezone": settings.timezone if "timezone" in given else local_zone(environ),
        }
    )


def _absolute_database(url: str, base: Path) -> str:
    scheme, _, rest = url.partition("://")
    if not scheme.startswith("sqlite"):
        return url
    file, question, options = rest.removeprefix("/").partition("?")
    return f"{scheme}:///{base / file}{question}{options}"


def _check(settings: Settings, findings: Findings) -> None:
    """What no single key shows."""
    length = len(bytes(settings.socket))
    if length > MAX_SOCKET_PATH:
        text = f"the path is {length} bytes long, a socket's may have {MAX_SOCKET_PATH}: {settings.socket}"
        findings.error(("socket",), text)
    if settings.secrets_dir and not settings.secrets_dir.is_dir():
        findings.error(("secrets_dir",), f"{settings.secrets_dir} is no folder")
    if settings.metrics_listen and settings.metrics_listen == settings.listen and settings.listen.port:
        findings.error(("metrics_listen",), "is the same as listen (which serves the metrics already)")
    if settings.history_keep < settings.minutes_keep:
        findings.error(("history_keep",), "is shorter than minutes_keep (hours are kept at least as long as minutes)")
    if settings.history_max is not None and not settings.database.startswith("sqlite"):
        findings.error(("history_max",), "is for SQLite (with PostgreSQL, say how long: history_keep, minutes_keep)")
    _check_slack(settings, findings)


def _check_slack(settings: Settings, findings: Findings) -> None:
    slack = settings.slack
    for key, prefix in (("bot_token", "xoxb-"), ("app_token", "xapp-")):
        token = getattr(slack, key)
        if token is not None and not token.get_secret_value().startswith(prefix):
            findings.warn(("slack", key), f"does not start with {prefix}: is it another of the app's tokens?")
    if slack.bot_token is None and (slack.app_token or slack.signing_secret):
        findings.warn(("slack",), "bot_token is not set: nothing can be sent to Slack", at_key=True)
    if slack.bot_token is not None and slack.channel is None:
        findings.warn(("slack",), "channel is not set: only systems with a notify of their own are told", at_key=True)
