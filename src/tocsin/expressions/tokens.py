"""A condition's text in tokens, so that names and literals can be looked at where they stand.

CEL itself judges the grammar; here it is enough to tell strings, numbers, names and signs apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from tocsin.expressions.vocabulary import Vocabulary

_TOKEN = re.compile(
    r"""
    (?P<SPACE>\s+|//[^\n]*)
  | (?P<STRING>[rRbB]{0,2}(?:\"\"\"(?s:.*?)\"\"\"|'''(?s:.*?)'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<DOUBLE>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<INT>0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?)
  | (?P<NAME>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<SIGN>&&|\|\||[=!<>]=|\.\?|\[\?|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Sort(Enum):
    STRING = auto()
    DOUBLE = auto()
    INT = auto()
    NAME = auto()
    SIGN = auto()


@dataclass(frozen=True, slots=True)
class Token:
    sort: Sort
    text: str
    line: int
    column: int

    @property
    def plain(self) -> str | None:
        """The string that a literal stands for; None when it needs escapes resolved."""
        quoted = self.text.lstrip("rRbB")
        width = 3 if quoted[:3] in ('"""', "'''") else 1
        inner = quoted[width:-width]
        return None if "\\" in inner else inner


@dataclass(frozen=True, slots=True)
class Reference:
    """A declared name with the fixed steps that follow it: `json.items[0].id` is json, then items, 0, id.

    `first` and `last` are the places of its outermost tokens in the list of tokens.
    """

    name: str
    steps: tuple[str | int, ...]
    first: int
    last: int
    is_optional: bool = False

    @property
    def text(self) -> str:
        return self.name + "".join(_step(step) for step in self.steps)


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f'["{step}"]'


def tokenize(text: str) -> list[Token]:
    tokens: list[Token] = []
    line, start = 1, 0
    for match in _TOKEN.finditer(text):
        kind, found = match.lastgroup, match.group()
        if kind is not None and kind != "SPACE":
            tokens.append(Token(Sort[kind], found, line, match.start() - start + 1))
        if "\n" in found:
            line += found.count("\n")
            start = match.start() + found.rindex("\n") + 1
    return tokens


def references(tokens: Sequence[Token], vocabulary: Vocabulary) -> Iterator[Reference]:
    """Find every use of a declared name."""
    at = 0
    while at < len(tokens):
        found = _reference(tokens, at, vocabulary) if _may_start(tokens, at) else None
        if found is not None:
            yield found
            at = found.last
        at += 1


def _may_start(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].sort is Sort.NAME and (at == 0 or tokens[at - 1].text not in (".", ".?"))


def _reference(tokens: Sequence[Token], at: int, vocabulary: Vocabulary) -> Reference | None:
    name, last = tokens[at].text, at
    if name not in vocabulary.kinds:
        name, last = ".".join(token.text for token in tokens[at : at + 3 : 2]), at + 2
        if name not in vocabulary.kinds or tokens[at + 1].text != ".":
            return None
    steps: list[str | int] = []
    is_optional = False
    while (step := _next_step(tokens, last)) is not None:
        is_optional = is_optional or "?" in tokens[last + 1].text
        last, value = step
        steps.append(value)
    return Reference(name, tuple(steps), at, last, is_optional)


def _next_step(tokens: Sequence[Token], last: int) -> tuple[int, str | int] | None:
    sign, *rest = [*tokens[last + 1 : last + 4], *[None] * 3][:3]
    after = rest[0]
    if sign is None or after is None:
        return None
    if sign.text in (".", ".?") and after.sort is Sort.NAME:
        is_call = rest[1] is not None and rest[1].text == "("
        return None if is_call else (last + 2, after.text)
    if sign.text in ("[", "[?") and rest[1] is not None and rest[1].text == "]":
        if after.sort is Sort.INT and after.text.isdecimal():
            return last + 3, int(after.text)
        if after.sort is Sort.STRING and after.plain is not None:
            return last + 3, after.plain
    return None
