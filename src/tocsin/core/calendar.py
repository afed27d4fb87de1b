"""Working time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Calendar:
    name: str
    version: str


ALWAYS = Calendar("24x7", "24x7")
