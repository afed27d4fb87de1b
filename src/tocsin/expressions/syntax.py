"""What CEL finds only at run time, found at load: literals that cannot be, words that nothing ever equals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from tocsin.expressions.errors import ExpressionError, Fault
from tocsin.expressions.tokens import Reference, Sort, Token
from tocsin.expressions.vocabulary import DECISION, Kind, Vocabulary, environment

_ZONED = frozenset(
    (
        *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear"),
        *("getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds"),
    )
)
_LONG_SPAN = re.compile(r"^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?((?:\d+(?:m|s|ms))*)$")


def faults_in(tokens: Sequence[Token], found: Sequence[Reference], vocabulary: Vocabulary) -> Iterator[Fault]:
    """Find what compiles and can never be right."""
    for at, token in enumerate(tokens):
        if token.sort is Sort.NAME and at + 1 < len(tokens) and tokens[at + 1].text == "(":
            literal = _last_literal(tokens, at + 1)
            fault = _call_fault(token.text, literal) if literal else None
            if fault and literal:
                yield Fault(fault, literal.column, literal.line)
    for reference in found:
        yield from _word_faults(tokens, reference, vocabulary)
        yield from _header_faults(tokens, reference)
        yield from _whole_number_faults(tokens, reference, vocabulary)


def check_regex(pattern: str) -> None:
    """Raise `ExpressionError` when the pattern is not one (RE2)."""
    quoted = "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}" for c in pattern)
    fault = _call_fault("matches", Token(Sort.STRING, f'"{quoted}"', 1, 1))
    if fault:
        raise ExpressionError([Fault(fault, 1)])


def _last_literal(tokens: Sequence[Token], opening: int) -> Token | None:
    """The string literal that is the last argument of a call: `x.matches("…")`, `matches(x, "…")`."""
    depth = 0
    for at in range(opening, len(tokens)):
        depth += (tokens[at].text in ("(", "[", "{", "[?")) - (tokens[at].text in (")", "]", "}"))
        if depth == 0:
            last = tokens[at - 1]
            return last if last.sort is Sort.STRING and tokens[at - 2].text in ("(", ",") else None
    return None


def _call_fault(function: str, literal: Token) -> str | None:
    match function:
        case "duration":
            return f"{_duration_advice(literal)}" if _fails(f"duration({literal.text})") else None
        case "timestamp":
            wrong = _fails(f"timestamp({literal.text})")
            return f'{literal.text} is no timestamp (write it as "2026-11-23T22:00:00Z")' if wrong else None
        case "matches":
            why = _fails(f'"".matches({literal.text})')
            return (
                f"{why.removeprefix('INVALID_ARGUMENT: ')} (RE2: no look-around, no back-references)" if why else None
            )
        case _ if function in _ZONED:
            wrong = _fails(f'timestamp("2026-01-01T00:00:00Z").getHours({literal.text})')
            return f'unknown time zone {literal.text} (write it as "Asia/Shanghai")' if wrong else None
        case _:
            return None


def _fails(text: str) -> str | None:
    """Ask CEL itself for the value of a constant; None when it has one."""
    env = environment(DECISION)
    answer = env.compile(text).eval(env.Activation({}))
    return str(answer.value()) if answer.type().name() == "ERROR" else None


def _duration_advice(literal: Token) -> str:
    text = literal.plain or ""
    if (long := _LONG_SPAN.match(text)) and (long[1] or long[2]):
        hours = int(long[1] or 0) * 168 + int(long[2] or 0) * 24 + int(long[3] or 0)
        return f"CEL durations take h, m, s, ms; write {hours}h{long[4]}"
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return f'{literal.text} has no unit; write duration("{text}s")'
    return f"{literal.text} is no duration (h, m, s, ms, as in 1h30m)"


def _word_faults(tokens: Sequence[Token], reference: Reference, vocabulary: Vocabulary) -> Iterator[Fault]:
    words = vocabulary.words.get(reference.name)
    if not words:
        return
    for token in compared(tokens, reference):
        if token.plain is not None and token.plain not in words:
            near = get_close_matches(token.plain, words, 1)
            advice = f'did you mean "{near[0]}"?' if near else "one of " + ", ".join(words)
            yield Fault(f'{reference.name} is never "{token.plain}" ({advice})', token.column, token.line)


def compared(tokens: Sequence[Token], reference: Reference) -> Iterator[Token]:
    """The string literals that a name is compared with by ==, != or in."""
    after = tokens[reference.last + 1 : reference.last + 3]
    before = tokens[max(reference.first - 2, 0) : reference.first]
    for pair in (after, before[::-1]):
        if len(pair) == 2 and pair[0].text in ("==", "!=") and pair[1].sort is Sort.STRING:
            yield pair[1]
    if [token.text for token in after] == ["in", "["]:
        for token in tokens[reference.last + 3 :]:
            if token.sort is Sort.STRING:
                yield token
            elif token.text != ",":
                return


def _header_faults(tokens: Sequence[Token], reference: Reference) -> Iterator[Fault]:
    if reference.name == "headers" and reference.steps:
        name = str(reference.steps[0])
        if name != name.lower():
            token = tokens[reference.first]
            yield Fault(
                f'header names are in lower case here: write headers["{name.lower()}"]', token.column, token.line
            )


def _whole_number_faults(tokens: Sequence[Token], reference: Reference, vocabulary: Vocabulary) -> Iterator[Fault]:
    """`json.n + 1` compiles as whole numbers, and then never works: numbers out of JSON are doubles."""
    if vocabulary.kinds[reference.name] not in (Kind.DYN, Kind.VALUES) or not reference.steps:
        return
    after = tokens[reference.last + 1 : reference.last + 3]
    before = tokens[max(reference.first - 2, 0) : reference.first][::-1]
    for pair in (after, before):
        if len(pair) == 2 and pair[0].text in tuple("+-*/") and pair[1].sort is Sort.INT:
            number = pair[1]
            yield Fault(
                f"{reference.text} is a number with decimals: write {number.text}.0", number.column, number.line
            )
