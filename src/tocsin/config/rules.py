"""Rule files, or a stored configuration, to one rulebook: whole and checked, or all that is wrong at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.config.build import build
from tocsin.config.context import Context
from tocsin.config.findings import Findings
from tocsin.config.folders import read_folders
from tocsin.config.joined import Joined, from_document
from tocsin.config.secrets import Secrets
from tocsin.config.settings import Settings
from tocsin.core.policy import Rulebook
from tocsin.errors import Problem

Now = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A rulebook, what is odd about it, and the document that it can be made of again (JSON, no secrets in it)."""

    rulebook: Rulebook
    warnings: tuple[Problem, ...]
    document: Mapping[str, Any]


def load_rules(folders: Sequence[Path], *, settings: Settings, secrets: Secrets, now: Now = utc_now) -> Loaded:
    """Read all rule files of the folders. Raises `ConfigurationError`. `now` is asked at each judging of a certificate."""
    joined, unread = read_folders(folders, settings)
    return _loaded(joined, unread, settings, secrets, now)


def rulebook_from_document(
    document: Mapping[str, Any], *, settings: Settings, secrets: Secrets, now: Now = utc_now
) -> Loaded:
    """Make a rulebook again of `Loaded.document`. Raises `ConfigurationError`."""
    return _loaded(from_document(document), [], settings, secrets, now)


def _loaded(joined: Joined, unread: list[Problem], settings: Settings, secrets: Secrets, now: Now) -> Loaded:
    findings = Findings(joined)
    findings.add(joined.problems)
    rulebook = build(joined, Context(settings, secrets, findings, now))
    findings.raise_if_any()
    return Loaded(rulebook, (*settings.warnings, *unread, *findings.warnings), joined.as_document())
