"""CEL's compile errors in words that say what would be right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from tocsin.expressions.errors import Fault
from tocsin.expressions.tokens import Sort, Token
from tocsin.expressions.vocabulary import ALL, PROBE, Vocabulary

_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '(?:([^']*)\.)?\((.*)\)'")
_NUMBERS = {"int", "double", "uint"}
_SAID_ELSEWHERE = {"True": "true", "False": "false", "None": "null", "and": "&&", "or": "||", "not": "!"}
_FUNCTIONS = (
    *("contains", "endsWith", "matches", "size", "startsWith"),
    *("all", "exists", "exists_one", "filter", "has", "map"),
    *("bool", "double", "duration", "int", "string", "timestamp", "type"),
    *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear"),
    *("getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds"),
    *("hasValue", "optional.none", "optional.of", "orValue"),
)
_TYPES = {
    "int": "a whole number",
    "uint": "a whole number",
    "double": "a number with decimals",
    "string": "a text",
    "bool": "true/false",
    "google.protobuf.Duration": "a duration",
    "google.protobuf.Timestamp": "a timestamp",
    "null": "null",
    "dyn": "a JSON value",
}


def explain(error: str, text: str, tokens: Sequence[Token], vocabulary: Vocabulary) -> list[Fault]:
    """Turn the text of a compile error into faults; never empty."""
    found = [(int(line), int(column), message) for line, column, message in _ERROR.findall(error)]
    faults = [_fault(line, column, message, text, tokens, vocabulary) for line, column, message in found]
    if any(message.startswith("Syntax error") for _, _, message in found):
        return [_odd_word(tokens) or faults[0]]
    return faults or [Fault(_tidy(error), 1)]


def _fault(line: int, column: int, message: str, text: str, tokens: Sequence[Token], vocabulary: Vocabulary) -> Fault:
    if undeclared := _UNDECLARED.match(message):
        return _unknown_name(line, column, undeclared[1], text, vocabulary)
    if overload := _OVERLOAD.match(message):
        kinds = [kind.strip() for kind in overload[3].split(",")]
        return _no_overload(line, column, overload[1], kinds, tokens, vocabulary)
    return Fault(_tidy(message), column, line)


def _tidy(message: str) -> str:
    message = message.removeprefix("Syntax error: ").removesuffix(" [INVALID_ARGUMENT]")
    if message.startswith("token recognition error at: "):
        return f"cannot read {message.removeprefix('token recognition error at: ')}"
    message = re.sub(r" expecting \{.*\}", "", message)
    message = message.replace("mismatched input '<EOF>'", "it ends too early").replace("at '<EOF>'", "at its end")
    return message.replace("mismatched input", "did not expect").replace("extraneous input", "did not expect")


def _odd_word(tokens: Sequence[Token]) -> Fault | None:
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.text in _SAID_ELSEWHERE and not (before and before.text == "."):
            return Fault(f"write {_SAID_ELSEWHERE[token.text]} for {token.text}", token.column, token.line)
        if token.text == "=":
            return Fault("write == to compare", token.column, token.line)
    return None


def _unknown_name(line: int, column: int, name: str, text: str, vocabulary: Vocabulary) -> Fault:
    row = [*text.split("\n"), ""][line - 1]
    if row[column - 1 : column] == "(" and row[: column - 1].endswith(name):
        return Fault(f"unknown function {name}{_near(name, _FUNCTIONS)}", column - len(name), line)
    start = column - max(name.rfind("."), 0)
    if row[start - 1 :][: len(name)] != name:
        start = column
    return Fault(_name_advice(name, vocabulary), start, line)


def _name_advice(name: str, vocabulary: Vocabulary) -> str:
    if name in _SAID_ELSEWHERE:
        return f"write {_SAID_ELSEWHERE[name]} for {name}"
    if under := vocabulary.names_under(name):
        return f"{name} alone is nothing: write {' or '.join(under)}"
    for other in ALL:
        for known in other.kinds:
            if name == known or name.startswith(f"{known}."):
                return f"{known} belongs to {other.place}, not to {vocabulary.place}"
    near = _near(name, list(vocabulary.kinds))
    return f'unknown name "{name}"{near or " (known here: " + ", ".join(vocabulary.kinds) + ")"}'


def _near(name: str, known: Sequence[str]) -> str:
    found = get_close_matches(name, known, 1)
    return f' (did you mean "{found[0]}"?)' if found else ""


def _no_overload(
    line: int, column: int, sign: str, kinds: Sequence[str], tokens: Sequence[Token], vocabulary: Vocabulary
) -> Fault:
    at = next((i for i, token in enumerate(tokens) if (token.line, token.column) == (line, column)), None)
    sides = [] if at is None else [*tokens[max(at - 1, 0) : at], *tokens[at + 1 : at + 2]]
    if len(kinds) == 2 and set(kinds) <= _NUMBERS:
        return _mixed_numbers(sides, line, column)
    if any(token.text == "status" for token in sides) and set(kinds) == {"int", "string"}:
        return Fault(_status_advice(vocabulary), column, line)
    if "google.protobuf.Duration" in kinds and len(kinds) == 2:
        literals = (token.text for token in sides if token.sort not in (Sort.NAME, Sort.SIGN))
        text = next(literals, "5s").strip("\"'")
        unit = "s" if text.replace(".", "").isdecimal() else ""
        return Fault(f'a duration is compared with a duration: write duration("{text}{unit}")', column, line)
    shown = " and ".join(_TYPES.get(kind, kind) for kind in kinds)
    return Fault(f"{sign.replace('_', ' ').strip()} cannot be applied to {shown}", column, line)


def _mixed_numbers(sides: Sequence[Token], line: int, column: int) -> Fault:
    for token in sides:
        if token.sort is Sort.INT:
            return Fault(f"a number with decimals meets a whole one: write {token.text}.0", token.column, token.line)
    return Fault("a whole number meets one with decimals: wrap it in double(…)", column, line)


def _status_advice(vocabulary: Vocabulary) -> str:
    if vocabulary is PROBE:
        return 'status is a number here, the one of HTTP; the words "up", "degraded", "down" belong to decision rules'
    return (
        'status is a word here ("up", "degraded", "down", "unobserved"); it is a number only in a probe\'s conditions'
    )
