"""One thing that `doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` says where and what; `advice` what to do, where there is something to do."""

    area: str
    level: Level
    text: str
    advice: str = ""

    def line(self) -> str:
        return f"{self.text} ({self.advice})" if self.advice else self.text

    def as_dict(self) -> dict[str, str]:
        return {"area": self.area, "level": self.level.value, "text": self.text, "advice": self.advice}
