"""The raw entries of the joined sections, name by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from tocsin.config.findings import Findings
from tocsin.config.scalars import parse_name, parse_system_name

M = TypeVar("M", bound=BaseModel)


class Entries:
    def __init__(self, raw: Mapping[str, Any], findings: Findings) -> None:
        self.raw = raw
        self._findings = findings

    def named(self, section: str) -> Iterator[tuple[str, Any]]:
        """Yield the entries whose names can be names."""
        for name, raw in (self.raw.get(section) or {}).items():
            try:
                parse_system_name(name) if section == "systems" else parse_name(name)
            except ValueError as error:
                self._findings.error((section, name), str(error), at_key=True)
                continue
            yield name, raw

    def of(self, section: str, model: type[M]) -> Iterator[tuple[str, M]]:
        """Yield the entries that are what the model says."""
        for name, raw in self.named(section):
            entry = self._findings.validated(model, raw, (section, name))
            if entry is not None:
                yield name, entry

    def has(self, section: str) -> bool:
        return bool(self.raw.get(section))
