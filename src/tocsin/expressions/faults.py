"""Why a condition could not be judged, and what its names were: the words for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from tocsin.core.policy import CannotJudge
from tocsin.expressions.program import Program
from tocsin.expressions.tokens import Reference

MAX_SHOWN = 120
_ABSENT = object()
_NO_KEY = re.compile(r'Key not found in map : "(.*)"', re.DOTALL)
_NO_ELEMENT = re.compile(r"index=(-?\d+) size=(\d+)")
_NO_OVERLOAD = re.compile(r"No matching overloads found : (\S+?)\((.*)\)")
_NO_NAME = re.compile(r'No value with name "([^"]*)"')
_KINDS = {"string": "a text", "double": "a number", "int": "a whole number", "null_type": "null", "bool": "true/false"}


def because(answer: Any, program: Program, bound: Mapping[str, Any], missing: Mapping[str, str], where: str) -> str:
    """Say why there is no verdict. `missing` tells for each name that could not be bound why; `where` keys are looked for."""
    if not isinstance(answer, CannotJudge):
        return f"it is {shown(answer)}, neither true nor false"
    told = answer.because
    if (name := _NO_NAME.search(told)) and name[1] in missing:
        return missing[name[1]]
    if key := _NO_KEY.search(told):
        return f'key "{printable(key[1])}" is not {where}'
    if element := _NO_ELEMENT.search(told):
        return f"there is no element {element[1]} in a list of {element[2]}"
    if overload := _NO_OVERLOAD.search(told):
        return _overload(overload[1], overload[2])
    if "budget" in told:
        return "it takes too many steps"
    if "non-message type" in told:
        return next(_keyless(program, bound), "a value that has no keys is asked for one")
    return printable(told.split(": ", 1)[-1])


def _overload(sign: str, kinds: str) -> str:
    sides = [_KINDS.get(kind.strip(), kind.strip()) for kind in kinds.split(",")]
    return f"{sign.replace('_', ' ').strip()} cannot be applied to {' and '.join(sides)}"


def _keyless(program: Program, bound: Mapping[str, Any]) -> Iterator[str]:
    for reference in program.references:
        value, path = bound.get(reference.name, _ABSENT), reference.name
        for step in reference.steps:
            if value is not _ABSENT and not isinstance(value, dict if isinstance(step, str) else dict | list):
                yield f"{path} is {shown(value)} and has no keys"
                break
            value, path = _step(value, step), Reference(path, (step,), 0, 0).text


def resolved(program: Program, bound: Mapping[str, Any]) -> str:
    """What the names in a condition were: `json.status = "DOWN", latency = 1.2s`."""
    told: dict[str, str] = {}
    for reference in program.references:
        value = bound.get(reference.name, _ABSENT)
        for step in reference.steps:
            value = _step(value, step)
        told[reference.text] = "is absent" if value is _ABSENT else f"= {shown(value)}"
    return ", ".join(f"{name} {value}" for name, value in told.items())


def _step(value: Any, step: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(step, _ABSENT)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _ABSENT


def shown(value: Any) -> str:
    """A value as people read it, at most about 120 characters."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case int():
            return str(value)
        case str():
            return f'"{printable(value)}"'
        case timedelta():
            return span(value)
        case None:
            return "null"
        case Mapping():
            return f"an object of {len(value)} keys"
        case list():
            return f"a list of {len(value)}"
        case _:
            return printable(str(value))


def printable(text: str) -> str:
    """Cut, with all that a terminal or a chat could take for a command made a blank."""
    cut = text[:MAX_SHOWN] + ("…" if len(text) > MAX_SHOWN else "")
    return "".join(character if character.isprintable() else " " for character in cut)


def span(value: timedelta) -> str:
    """`850ms`, `1.2s`, `3m20s`, `9d4h`."""
    seconds = value.total_seconds()
    if seconds < 0:
        return f"-{span(-value)}"
    if seconds < 60:
        return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.3g}s"
    parts, rest = [], int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])
