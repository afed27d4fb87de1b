"""The errors that cross rooms. Third-party exceptions are translated into these at the border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


class TocsinError(Exception):
    """Something that Tocsin can name. Its text says where, what, and what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file. Line and column count from 1 (columns in characters); 0 when the whole file is meant."""

    file: str
    line: int
    column: int
    message: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}" if self.line else f"{self.file}: {self.message}"

    def with_caret(self) -> str:
        """The problem, its line, and a caret under its column."""
        if not self.source:
            return str(self)
        wide = sum(2 if ord(c) > 0x2E7F else 1 for c in self.source[: self.column - 1])
        return f"{self}\n    {self.source}\n    {' ' * wide}^"

    def as_dict(self) -> dict[str, str | int]:
        return {"file": self.file, "line": self.line, "column": self.column, "message": self.message}


class ConfigurationError(TocsinError):
    """The configuration cannot be used; `problems` holds all that is wrong with it. Exit code 2."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = tuple(problems)


class UsageError(TocsinError):
    """What was asked makes no sense as asked. Exit code 2."""


class Refused(TocsinError):
    """Understood, and refused. Exit code 1."""


class NotFound(Refused):
    """There is no such thing."""


class StoreError(TocsinError):
    """The store did not do it. `permanent` means that trying again cannot help."""

    def __init__(self, text: str, *, permanent: bool = False) -> None:
        super().__init__(text)
        self.permanent = permanent


class DaemonUnreachable(TocsinError):
    """No daemon answers on the socket. Exit code 3."""


class DeliveryError(TocsinError):
    """A channel did not confirm a message.

    `permanent`: trying again as it is cannot help. `unknown`: it may have arrived, so it is looked up before it is repeated.
    `is_root_gone`: the message that it belongs to is not there any more, so it has to go out as a message of its own.
    """

    def __init__(
        self,
        text: str,
        *,
        permanent: bool = False,
        unknown: bool = False,
        retry_after: timedelta | None = None,
        is_root_gone: bool = False,
    ) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.unknown = unknown
        self.retry_after = retry_after
        self.is_root_gone = is_root_gone
