"""`explain` and `what-if`: why this severity, these notices, this deadline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import print_facts, print_json, print_table, say, word
from tocsin.cli.times import local


def add_to(app: typer.Typer) -> None:
    command(app, "explain")(explain)
    command(app, "what-if")(what_if)


def explain(
    options: Options,
    subject: Annotated[str, typer.Argument(metavar="ID|SYSTEM/CHECK", help="An incident or a check.")],
) -> int:
    """Say why: the rule with its file and line, the notices, the deadlines."""
    found = options.client().call("explain", {"subject": subject})
    print_json(found) if options.json else print_nested(found)
    return 0


def print_nested(value: Any, indent: int = 0) -> None:
    """Any answer, readable: labels and values, lists as lines."""
    space = "  " * indent
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _print_member(str(key).replace("_", " "), inner, indent)
    elif isinstance(value, list):
        for inner in value:
            _print_item(inner, indent)
    else:
        say(f"{space}{_scalar(value)}")


def _print_member(label: str, value: Any, indent: int) -> None:
    space = "  " * indent
    if value in (None, "", [], {}):
        return
    if isinstance(value, Mapping | list):
        say(f"{space}{label}:")
        print_nested(value, indent + 1)
    else:
        say(f"{space}{label}: {_instant(label, value)}")


def _print_item(value: Any, indent: int) -> None:
    space = "  " * indent
    if isinstance(value, Mapping):
        known = (
            f"{str(k).replace('_', ' ')}: {_instant(str(k), v)}"
            for k, v in value.items()
            if v not in (None, "", [], {})
        )
        say(f"{space}- {', '.join(known)}")
    else:
        say(f"{space}- {_scalar(value)}")


def _instant(label: str, value: Any) -> str:
    is_instant = isinstance(value, str) and (label in ("at", "from", "to") or label.endswith((" at", "_at", " since")))
    try:
        return local(value) if is_instant else _scalar(value)
    except ValueError:
        return _scalar(value)


def _scalar(value: Any) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def what_if(options: Options) -> int:
    """x"""
    return 0
