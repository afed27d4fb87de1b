"""All rule files as one configuration, each entry still knowing the file and line it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.config import later
from tocsin.config.document import Document, Path
from tocsin.config.words import suggestion
from tocsin.errors import Problem

MAPS = ("systems", "response", "calendars", "people", "teams", "channels", "oncall", "escalation", "golive")
"""Sections of named entries; of `golive` they are its keys."""
SECTIONS = ("defaults", "severity", *MAPS)
STORED = "the stored configuration"


@dataclass(slots=True)
class Joined:
    """`rules` names file and line of each severity rule, as they are shown to people and stored."""

    sections: dict[str, Any] = field(default_factory=dict)
    rules: list[tuple[str, int]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _origins: dict[Path, tuple[Document, Path]] = field(default_factory=dict)

    def add(self, document: Document, label: str) -> None:
        """Join one file to what was joined before. `label` is how its rules name it."""
        self.problems.extend(document.problems)
        if document.value is None:
            return
        if not isinstance(document.value, dict):
            self._complain(document, (), f"must hold sections, as systems: or severity: ({', '.join(SECTIONS)})")
            return
        for name, content in document.value.items():
            self._section(document, label, name, content)

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        document, inner = self._origin(path)
        if document is None:
            return Problem(STORED, 0, 0, f"{'.'.join(map(str, path))}: {message}")
        return document.problem(document.mark(inner, at_key=at_key), message)

    def problem_inside(self, path: Path, text: str, line: int, column: int, message: str) -> Problem:
        document, inner = self._origin(path)
        if document is None:
            return self.problem(path, message)
        return document.problem(document.mark_inside(inner, text, line, column), message)

    def as_document(self) -> dict[str, Any]:
        """What is stored: the raw entries, secrets by their names only."""
        return {"format": 1, "sections": self.sections, "rules": [list(place) for place in self.rules]}

    def _origin(self, path: Path) -> tuple[Document | None, Path]:
        for length in range(len(path), 0, -1):
            found = self._origins.get(path[:length])
            if found is not None:
                document, inner = found
                return document, (*inner, *path[length:])
        return None, path

    def _section(self, document: Document, label: str, name: str, content: Any) -> None:
        if name in later.SECTIONS:
            self._complain(document, (name,), f"{name} is not in this version (leave it out)", at_key=True)
        elif name not in SECTIONS:
            self._complain(document, (name,), f'unknown section "{name}"{_advice(name)}', at_key=True)
        elif content is None:
            return
        elif name == "severity":
            self._list(document, label, content)
        elif name == "defaults":
            self._defaults(document, content)
        else:
            self._map(document, (name,), content)

    def _list(self, document: Document, label: str, content: Any) -> None:
        if not isinstance(content, list):
            self._complain(
                document, ("severity",), "severity must be a list of rules, each - {name: …, when: …, is: P1}"
            )
            return
        joined = self.sections.setdefault("severity", [])
        for at, entry in enumerate(content):
            self._origins["severity", len(joined)] = (document, ("severity", at))
            mark = document.values["severity", at]
            self.rules.append((label, mark.line))
            joined.append(entry)

    def _defaults(self, document: Document, content: Any) -> None:
        """Defaults are joined key by key, so that two files may each set some of them."""
        if isinstance(content, dict) and isinstance(content.get("check"), dict) and len(content) == 1:
            self._map(document, ("defaults", "check"), content["check"])
        else:
            self._map(document, ("defaults",), content)

    def _map(self, document: Document, path: Path, content: Any) -> None:
        if not isinstance(content, dict):
            self._complain(document, path, f"{path[-1]} must be a mapping of names to entries")
            return
        joined = self.sections
        for step in path:
            if not isinstance(joined.get(str(step)), dict):
                joined[str(step)] = {}
            joined = joined[str(step)]
        for name, entry in content.items():
            inner = (*path, name)
            if name in joined:
                self._complain(
                    document,
                    inner,
                    f'{_thing(path)} "{name}" stands twice (first in {self._first(inner)})',
                    at_key=True,
                )
                continue
            joined[name] = entry
            self._origins[inner] = (document, inner)

    def _first(self, path: Path) -> str:
        document, inner = self._origins[path]
        mark = document.keys[inner]
        return f"{document.file}:{mark.line}:{mark.column}"

    def _complain(self, document: Document, path: Path, message: str, *, at_key: bool = False) -> None:
        self.problems.append(document.problem(document.mark(path, at_key=at_key), message))


_THINGS: Mapping[str, str] = {
    "systems": "system",
    "response": "policy",
    "calendars": "calendar",
    "people": "person",
    "teams": "team",
    "channels": "channel",
    "oncall": "on-call schedule",
    "escalation": "ladder",
    "golive": "key",
}


def _thing(path: Path) -> str:
    return _THINGS.get(str(path[0]), "default")


_SETTINGS = (
    *("database", "data_dir", "listen", "metrics_listen", "public_url", "trusted_proxies", "tls", "socket", "rules"),
    *("language", "timezone", "slack", "secrets_dir", "alarms_to", "blind_after", "reopen_within"),
)


def _advice(name: str) -> str:
    if name in _SETTINGS:
        return " (it is a setting: write it into tocsin.yaml)"
    return suggestion(name, SECTIONS)


def from_document(document: Mapping[str, Any]) -> Joined:
    """Make the joined configuration again of what `as_document` gave."""
    sections, rules = document.get("sections"), document.get("rules")
    if document.get("format") != 1 or not isinstance(sections, dict) or not isinstance(rules, list):
        return Joined(problems=[Problem(STORED, 0, 0, "was stored by another version of Tocsin")])
    return Joined(sections=sections, rules=[(str(file), int(line)) for file, line in rules])
