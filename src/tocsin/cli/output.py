"""What the commands print: one JSON document, a table on a terminal, aligned text in a pipe."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

STYLES = {
    "up": "green",
    "degraded": "yellow",
    "down": "bold red",
    "unobserved": "dim",
    "P1": "bold red",
    "P2": "yellow",
    "open": "bold red",
    "acknowledged": "yellow",
    "resolved": "green",
    "met": "green",
    "breached": "bold red",
    "late": "bold red",
    "soon": "yellow",
    "void": "dim",
    "ok": "green",
}
"""The style of a word: a status, a severity, a state, an outcome."""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    style: str = ""


def word(text: str | None) -> Cell:
    """A word in its own colour."""
    return Cell(text or "-", STYLES.get(text or "", ""))


def print_json(document: Any) -> None:
    """The one document of a `--json` call."""
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    sys.stdout.write(json.dumps(document, ensure_ascii=ascii_only, indent=2) + "\n")


def say(text: str = "") -> None:
    sys.stdout.write(printable(text) + "\n")


def hint(text: str) -> None:
    """A remark that is no part of the answer: standard error."""
    sys.stderr.write(printable(text) + "\n")


def say_styled(text: str, style: str) -> None:
    if not sys.stdout.isatty():
        return say(text)
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(Text(printable(text), style=style))
    return None


def printable(text: str) -> str:
    """The text without control characters: what a watched system answers must not drive the terminal."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else "\ufffd" for c in text)


def one_line(text: str) -> str:
    """The text without line ends, for a cell."""
    return printable(" ".join(text.splitlines())).replace("\t", " ").rstrip()


def width(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two, combining marks none."""
    return sum(_columns(c) for c in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str | Cell]], *, empty: str = "") -> None:
    """A table; `empty` instead when there are no rows."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells and empty:
        say(empty)
    elif sys.stdout.isatty():
        _print_rich(headers, cells)
    else:
        _print_plain(headers, cells, sys.stdout)


def _cell(value: str | Cell) -> Cell:
    cell = Cell(value) if isinstance(value, str) else value
    return Cell(one_line(cell.text), cell.style)


def _print_plain(headers: Sequence[str], rows: Sequence[Sequence[Cell]], out: TextIO) -> None:
    lines = [list(headers), *([cell.text for cell in row] for row in rows)]
    widths = [max(width(line[i]) for line in lines) for i in range(len(headers))]
    for line in lines:
        padded = (text + " " * (widths[i] - width(text)) for i, text in enumerate(line))
        out.write("  ".join(padded).rstrip() + "\n")


def _print_rich(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    from rich.console import Console

    Console(highlight=False).print(rich_table(headers, rows))


def rich_table(headers: Sequence[str], rows: Iterable[Sequence[str | Cell]]) -> Any:
    """The same table as a rich renderable."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        cells = [_cell(value) for value in row]
        table.add_row(*(Text(cell.text, style=cell.style) for cell in cells))
    return table


def print_facts(facts: Iterable[tuple[str, str | Cell | None]]) -> None:
    """Labels and values, one a line, values aligned; a fact without value is left out."""
    rows = [(label, _cell(value)) for label, value in facts if value is not None and _cell(value).text]
    if not rows:
        return
    widest = max(width(label) for label, _ in rows)
    for label, cell in rows:
        padding = " " * (widest - width(label))
        if sys.stdout.isatty() and cell.style:
            from rich.console import Console
            from rich.text import Text

            Console(highlight=False).print(Text.assemble(f"{label}{padding}  ", (cell.text, cell.style)))
        else:
            sys.stdout.write(f"{label}{padding}  {cell.text}\n")
