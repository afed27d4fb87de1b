"""Severity rules and the like: predicates over the facts of one failing check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.core.policy import CannotJudge, Facts, Predicate
from tocsin.expressions.faults import because
from tocsin.expressions.program import Program, activation, condition
from tocsin.expressions.syntax import compared
from tocsin.expressions.tokens import references, tokenize
from tocsin.expressions.vocabulary import DECISION

_FACTS: Mapping[str, Callable[[Facts], Any]] = {
    "system.name": lambda facts: facts.system_name,
    "system.tier": lambda facts: facts.system_tier,
    "system.owner": lambda facts: facts.system_owner,
    "check.name": lambda facts: facts.check_name,
    "check.kind": lambda facts: facts.check_kind,
    "status": lambda facts: str(facts.status),
    "reason": lambda facts: str(facts.reason),
    "text": lambda facts: facts.text,
    "down_for": lambda facts: facts.down_for,
    "values": lambda facts: dict(facts.values),
    "failing": lambda facts: facts.failing,
    "checks": lambda facts: facts.checks,
}


@dataclass(frozen=True, slots=True)
class _Rule:
    program: Program

    def __call__(self, facts: Facts) -> bool | CannotJudge:
        bound = {name: _FACTS[name](facts) for name in self.program.names}
        answer = self.program.ask(activation(DECISION, bound))
        if isinstance(answer, bool):
            return answer
        return CannotJudge(because(answer, self.program, bound, {}, "among the values"))


def compile_decision(text: str) -> Predicate:
    """Compile a `when`. Raises `ExpressionError`."""
    return _Rule(condition(DECISION, text))


def compared_words(text: str) -> Iterator[tuple[str, str]]:
    """Find each name that a `when` compares with a literal, and the literal."""
    tokens = tokenize(text)
    for reference in references(tokens, DECISION):
        for token in compared(tokens, reference):
            if token.plain is not None:
                yield reference.text, token.plain
