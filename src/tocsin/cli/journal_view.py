"""How entries of the journal look to people: their plain facts. `--json` shows everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.cli.output import one_line
from tocsin.cli.times import local


def details(data: Mapping[str, Any] | None) -> str:
    """An entry's facts in one line: `severity: P1, text: …`. Of what is nested, only what reads well in a line."""
    return "(erased)" if data is None else one_line(", ".join(_facts(data)))


def _facts(data: Mapping[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        shown = _shown(key, value)
        if shown:
            yield f"{key}: {shown}"


def _shown(key: str, value: Any) -> str:
    match value:
        case {"due_at": str(due), "clock": kind}:
            return f"{kind} due {local(due)}"
        case {"name": str(name), "file": str(file), "line": int(line)}:
            return f"{name} ({file}:{line})"
        case dict() | None:
            return ""
        case list():
            return "; ".join(filter(None, (_shown(key, inner) for inner in value)))
        case bool():
            return "yes" if value else "no"
        case str() if key.endswith(("_at", "since")):
            return _instant(value)
        case _:
            return str(value)


def _instant(text: str) -> str:
    try:
        return local(text)
    except ValueError:
        return text
