"""One compiled condition, and what asking it can answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tocsin.core.policy import CannotJudge
from tocsin.expressions.errors import ExpressionError, Fault
from tocsin.expressions.explain import explain
from tocsin.expressions.syntax import faults_in
from tocsin.expressions.tokens import Reference, references, tokenize
from tocsin.expressions.vocabulary import Vocabulary, environment

MAX_TEXT = 4096
_CONDITION = ("BOOL", "DYN")
_VALUE = ("BOOL", "DYN", "INT", "UINT", "DOUBLE", "STRING", "DURATION")
_FAULTS = (RuntimeError, TypeError, ValueError, ArithmeticError, LookupError, MemoryError)


@dataclass(frozen=True, slots=True)
class Program:
    """`names` are the declared names that the text mentions: nothing else needs binding."""

    text: str
    references: tuple[Reference, ...]
    names: frozenset[str]
    _expression: Any

    def ask(self, activation: Any) -> Any:
        """Return the value, or `CannotJudge` with CEL's own words. Never raises."""
        try:
            answer = self._expression.eval(activation)
            value = answer.value()
            if value is True or value is False:
                return value
            return CannotJudge(str(value)) if answer.type().name() in ("ERROR", "UNKNOWN") else value
        except _FAULTS as error:
            return CannotJudge(str(error))


def activation(vocabulary: Vocabulary, data: Mapping[str, Any]) -> Any:
    """Bind names once, for any number of programs of the vocabulary."""
    return environment(vocabulary).Activation(data)


def condition(vocabulary: Vocabulary, text: str) -> Program:
    """Compile a text whose value is true or false."""
    return _compile(
        vocabulary, text, _CONDITION, "a condition must be true or false, this is {kind}: compare it with something"
    )


def value(vocabulary: Vocabulary, text: str) -> Program:
    """Compile a text whose value is a number, a text or true/false."""
    return _compile(vocabulary, text, _VALUE, "a value must be a number, a text or true/false, this is {kind}")


_SHOWN = {"STRING": "a text", "INT": "a number", "UINT": "a number", "DOUBLE": "a number", "DURATION": "a duration"}


@lru_cache(maxsize=16384)
def _compile(vocabulary: Vocabulary, text: str, kinds: tuple[str, ...], otherwise: str) -> Program:
    _refuse_odd_texts(text)
    tokens = tokenize(text)
    try:
        expression = environment(vocabulary).compile(text)
    except RuntimeError as error:
        raise ExpressionError(explain(str(error), text, tokens, vocabulary)) from None
    found = tuple(references(tokens, vocabulary))
    faults = list(faults_in(tokens, found, vocabulary))
    kind = expression.return_type().name()
    if kind.startswith("optional_type"):
        faults.append(Fault("this may be absent: write .orValue(0.0) behind it, or . for .?", 1))
    elif kind not in kinds:
        faults.append(Fault(otherwise.format(kind=_SHOWN.get(kind, kind.lower())), 1))
    if faults:
        raise ExpressionError(faults)
    return Program(text, found, frozenset(reference.name for reference in found), expression)


def _refuse_odd_texts(text: str) -> None:
    if not text.strip():
        raise ExpressionError([Fault("a condition is empty", 1)])
    if len(text) > MAX_TEXT:
        raise ExpressionError([Fault(f"a condition is longer than {MAX_TEXT} characters", 1)])
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ExpressionError([Fault("a condition holds a character that no text can hold", 1)])
