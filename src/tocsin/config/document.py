"""A file that was read, with the place of every key and value in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tocsin.errors import Problem

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a key or a value starts; line and column from 1. `style` is that of a scalar: plain (""), ', ", | or >."""

    line: int
    column: int
    style: str = ""


@dataclass(slots=True)
class Document:
    """A file's value with its places. `problems` is what is wrong with it as YAML; the value then is what could be read."""

    file: str
    value: Any = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def mark(self, path: Path, *, at_key: bool = False) -> Mark | None:
        """Where a value (or its key) stands, or the nearest thing around it."""
        exact = self.keys.get(path) if at_key else None
        exact = exact or self.values.get(path)
        return exact if exact or not path else self.mark(path[:-1], at_key=at_key)

    def mark_inside(self, path: Path, text: str, line: int, column: int) -> Mark | None:
        """Where a line and column of a scalar's text stand in the file; the scalar's start where that cannot be told."""
        mark = self.values.get(path)
        if mark is None or not 0 < mark.line <= len(self.lines):
            return self.mark(path)
        if mark.style == "|":
            return self._in_block(mark, line, column)
        written = self.lines[mark.line - 1][mark.column - 1 :]
        if line != 1 or "\n" in text:
            return mark
        if mark.style == "":
            return Mark(mark.line, mark.column + column - 1) if written.startswith(text) else mark
        offset = _offset_in_quotes(written, mark.style, column)
        return mark if offset is None else Mark(mark.line, mark.column + offset)

    def _in_block(self, mark: Mark, line: int, column: int) -> Mark:
        following = self.lines[mark.line :]
        indent = next((len(row) - len(row.lstrip()) for row in following if row.strip()), 0)
        return Mark(mark.line + line, indent + column)

    def problem(self, mark: Mark | None, message: str) -> Problem:
        if mark is None:
            return Problem(self.file, 0, 0, message)
        return Problem(self.file, mark.line, mark.column, message, self.source(mark.line))

    def source(self, line: int) -> str:
        return masked(self.lines[line - 1]) if 0 < line <= len(self.lines) else ""


def _offset_in_quotes(written: str, quote: str, column: int) -> int | None:
    """How far behind the opening quote the text's column stands; None behind an escape of more than two characters."""
    at = 1
    for _ in range(column - 1):
        pair = written[at : at + 2]
        if (quote == '"' and pair[:1] == "\\" and pair[1:] in ("x", "u", "U")) or not pair:
            return None
        at += 2 if (pair == "''" and quote == "'") or (quote == '"' and pair[:1] == "\\") else 1
    return at


_SECRET = re.compile(
    r"""\{\s*secret\s*:\s*[\w.-]+\s*\}"""  # only names a secret
    r"""|((?:token|secret|password|authorization|api[-_]?key|cookie)["']?\s*:\s*["']?)([^\s"'{},][^"'{},]*)""",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)([^\s/@]+)(?=@)")


def masked(line: str) -> str:
    """A line as it may be shown: what looks like a secret is stars, of the same length so that a caret still points right."""
    for pattern in (_SECRET, _URL_PASSWORD):
        line = pattern.sub(lambda match: match[1] + "*" * len(match[2]) if match[1] else match[0], line)
    return line
