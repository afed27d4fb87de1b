"""Where settings come from besides the file: the environment, and files of secrets named like settings."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_settings import EnvSettingsSource

from tocsin.config.document import Document
from tocsin.config.document import Path as KeyPath
from tocsin.config.secrets import too_open
from tocsin.config.settings import PREFIX, Settings, SlackSettings
from tocsin.config.words import suggestion
from tocsin.errors import Problem

ENVIRONMENT = "environment"
_NOT_SETTINGS = ("TOCSIN_CONFIG", "TOCSIN_SECRET_")
_NESTED: Mapping[str, type[BaseModel]] = {"slack": SlackSettings}


@dataclass(slots=True)
class Layered:
    """The settings of all sources laid over each other; `origins` tells of what did not come from the file."""

    document: Document
    value: dict[str, Any]
    origins: dict[KeyPath, str] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)

    def put(self, path: KeyPath, value: Any, origin: str) -> None:
        inner = self.value
        for step in path[:-1]:
            if not isinstance(inner.get(str(step)), dict):
                inner[str(step)] = {}
            inner = inner[str(step)]
        inner[str(path[-1])] = value
        self.origins[path] = origin

    def problem(self, path: KeyPath, message: str, *, at_key: bool = False) -> Problem:
        for length in range(len(path), 0, -1):
            if origin := self.origins.get(path[:length]):
                is_variable = origin.startswith(PREFIX)
                return Problem(
                    ENVIRONMENT if is_variable else origin, 0, 0, f"{origin}: {message}" if is_variable else message
                )
        return self.document.problem(self.document.mark(path, at_key=at_key), message)

    def problem_inside(self, path: KeyPath, text: str, line: int, column: int, message: str) -> Problem:
        del text, line, column
        return self.problem(path, message)


def setting_paths() -> Iterator[KeyPath]:
    """Yield the path of every setting that has a value of its own."""
    for name in Settings.model_fields:
        nested = _NESTED.get(name)
        yield from ((name, inner) for inner in nested.model_fields) if nested else [(name,)]
    yield ("tls",)
    yield ("trusted_proxies",)


def layered(document: Document) -> Layered:
    value = copy.deepcopy(document.value) if isinstance(document.value, dict) else {}
    return Layered(document, value)


def add_secret_files(layers: Layered, folders: Sequence[Path]) -> None:
    """Take `slack_bot_token` or `slack__bot_token` as the setting of that name; the first folder that has it holds."""
    for path in setting_paths():
        for file in (folder / joint.join(map(str, path)) for folder in folders for joint in ("__", "_")):
            text = _content(file, layers)
            if text:
                layers.put(path, text, str(file))
                break


def _content(file: Path, layers: Layered) -> str:
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
        if (why := too_open(file, file.stat().st_mode)) is not None:
            layers.document.problems.append(Problem(str(file), 0, 0, why))
            return ""
        return text
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        layers.document.problems.append(Problem(str(file), 0, 0, f"cannot be read: {told}"))
        return ""


class Environment(EnvSettingsSource):
    """pydantic-settings' reading of the environment: the one that was handed in, not the process's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): text for name, text in self._environ.items() if text}


def add_environment(layers: Layered, environ: Mapping[str, str]) -> None:
    """Take `TOCSIN_LISTEN`, `TOCSIN_SLACK__BOT_TOKEN` …; empty ones are as if they were not there."""
    known = {PREFIX + "__".join(map(str, path)).upper(): path for path in setting_paths()}
    found = Environment(environ)()
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name.startswith(_NOT_SETTINGS) or not text:
            continue
        if name in known:
            layers.put(known[name], _at(found, known[name], text), name)
        else:
            advice = suggestion(name, list(known), fallback="")
            layers.warnings.append(Problem(ENVIRONMENT, 0, 0, f"{name} is no setting and is not used{advice}"))


def _at(found: Mapping[str, Any], path: KeyPath, text: str) -> Any:
    """The value of a setting; the text itself for one that the model does not have (it is refused by name later)."""
    value: Any = found
    for step in path:
        value = value.get(str(step)) if isinstance(value, Mapping) else None
    return text if value is None else value
