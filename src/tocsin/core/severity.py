"""How grave: rules are asked in order for one failing check, the first that matches gives the severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.core.model import RuleReference, Severity
from tocsin.core.policy import CannotJudge, Facts, SeverityRule

FALLBACK = Severity.P2


@dataclass(frozen=True, slots=True)
class RuleFault:
    """A rule that could not be judged; it does not match, and it is an alarm."""

    rule: RuleReference
    because: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The severity that the rules give a failing check (None: no rule matches, no incident), by which rule, and what failed on the way."""

    severity: Severity | None
    rule: RuleReference | None
    faults: tuple[RuleFault, ...] = ()


def judge(rules: Sequence[SeverityRule], facts: Facts) -> Verdict:
    """Ask the rules. When none matches but one could not be judged, the answer is P2: rather woken than not told."""
    faults: list[RuleFault] = []
    for rule in rules:
        reference = RuleReference(rule.name, rule.file, rule.line, rule.when)
        answer = rule.predicate(facts)
        if isinstance(answer, CannotJudge):
            faults.append(RuleFault(reference, answer.because))
        elif answer:
            return Verdict(rule.severity, reference, tuple(faults))
    if faults:
        return Verdict(FALLBACK, faults[0].rule, tuple(faults))
    return Verdict(None, None)
