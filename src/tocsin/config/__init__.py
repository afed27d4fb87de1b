"""Settings and rules: files in, checked values out. Importing this loads nothing heavy; reading does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.config.rules import Loaded
    from tocsin.config.secrets import Secrets
    from tocsin.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Configuration:
    """One whole configuration, read and checked."""

    settings: Settings
    rules: Loaded


def load(path: Path | None, environ: Mapping[str, str]) -> Configuration:
    """Read the settings, then the rules in their folders. Raises `ConfigurationError` with all that is wrong.

    `path` is the settings file as `locate.settings_file` finds it; None: the defaults.
    """
    from tocsin.config.reading import read_settings
    from tocsin.errors import ConfigurationError

    found = read_settings(path, environ)
    settings, problems = found.settings, found.problems
    if settings is not None and found.has_folders:
        try:
            rules = load_rules(settings.rules, settings=settings, secrets=settings.secrets(environ))
            if not problems:
                return Configuration(settings, rules)
        except ConfigurationError as error:
            problems = (*problems, *error.problems)
    raise ConfigurationError(problems)


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings file (None: the defaults) with what the environment and the secrets say over it."""
    from tocsin.config.reading import load_settings as read

    return read(path, environ)


def load_rules(folders: Sequence[Path], *, settings: Settings, secrets: Secrets) -> Loaded:
    """Read all rule files of the folders into one rulebook."""
    from tocsin.config.rules import load_rules as read

    return read(folders, settings=settings, secrets=secrets)


def rulebook_from_document(document: Mapping[str, Any], *, settings: Settings, secrets: Secrets) -> Loaded:
    """Make the rulebook again of a stored `Loaded.document`."""
    from tocsin.config.rules import rulebook_from_document as read

    return read(document, settings=settings, secrets=secrets)


def json_schema() -> dict[str, dict[str, Any]]:
    """JSON Schemas for editors, by what they are for: "settings" (tocsin.yaml) and "rules" (rule files)."""
    from tocsin.config.jsonschema import json_schema as make

    return make()
