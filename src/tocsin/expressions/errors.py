"""What can be wrong with a condition's text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.errors import TocsinError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a text. Line and column count from 1, columns in characters."""

    message: str
    column: int
    line: int = 1


class ExpressionError(TocsinError):
    """A condition cannot be used; `faults` holds all that is wrong with it, `message` and `column` are the first one's."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"column {fault.column}: {fault.message}" for fault in faults))
        self.faults = tuple(faults)
        self.message = faults[0].message
        self.column = faults[0].column
