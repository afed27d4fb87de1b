"""Which severity rules give: the first that matches, and what becomes of one that cannot be judged."""

from __future__ import annotations

from datetime import timedelta

from case_parts import HOUR, P1, P2, P3, T0, a_rulebook, a_system, bad, cannot, is_core, is_down, minute, rule, slow
from tocsin.core.incident import facts_of, judge_all
from tocsin.core.model import RuleReference
from tocsin.core.policy import Facts
from tocsin.core.severity import RuleFault, judge

FACTS = facts_of(a_system(), bad(values={"errors": 3.0}), (bad(), slow("login")), minute(10))


def test_the_first_rule_that_matches_gives_the_severity_and_is_the_reason() -> None:
    verdict = judge([rule("office", P1, lambda f: f.system_tier == "office"), rule("core", P3, is_core, 7)], FACTS)
    assert verdict.severity is P3
    assert verdict.rule == RuleReference("core", "rules/severity.yaml", 7, "when core")
    assert verdict.faults == ()


def test_a_graver_rule_further_down_is_not_asked() -> None:
    assert judge([rule("core", P2, is_core), rule("down", P1, is_down)], FACTS).severity is P2


def test_where_no_rule_matches_there_is_no_severity() -> None:
    verdict = judge([rule("never", P1, lambda f: False)], FACTS)
    assert (verdict.severity, verdict.rule, verdict.faults) == (None, None, ())
    assert judge([], FACTS).severity is None


def test_a_rule_that_cannot_be_judged_does_not_match_and_the_next_ones_are_asked() -> None:
    verdict = judge([rule("broken", P1, cannot("no such value")), rule("core", P3, is_core)], FACTS)
    assert verdict.severity is P3
    assert [(fault.rule.name, fault.because) for fault in verdict.faults] == [("broken", "no such value")]


def test_where_nothing_matches_but_a_rule_could_not_be_judged_it_is_p2_by_that_rule() -> None:
    broken = rule("broken", P1, cannot("no such value"), 4)
    verdict = judge([rule("never", P1, lambda f: False), broken], FACTS)
    reference = RuleReference("broken", "rules/severity.yaml", 4, "when broken")
    assert verdict.severity is P2
    assert verdict.rule == reference
    assert verdict.faults == (RuleFault(reference, "no such value"),)


def test_rules_are_asked_about_the_check_and_its_system() -> None:
    assert (FACTS.system_name, FACTS.system_tier, FACTS.system_owner) == ("erp", "core", "li.na")
    assert (FACTS.check_name, FACTS.check_kind, FACTS.status, FACTS.reason) == ("health", "http", "down", "status")
    assert FACTS.text == "status == 200 (status = 503) of health"
    assert FACTS.down_for == timedelta(minutes=10)
    assert FACTS.values == {"errors": 3.0}
    assert (FACTS.failing, FACTS.checks) == (2, 2)


def test_a_check_that_fails_since_a_moment_ahead_of_this_clock_is_down_for_nothing() -> None:
    assert facts_of(a_system(), bad(since=minute(5)), (), T0).down_for == timedelta(0)


def test_each_failing_check_is_asked_about_unless_it_is_held_or_unobserved() -> None:
    failing = (bad("health"), slow("login"), bad("held", is_held=True), bad("gone quiet", is_observed=False))
    verdicts = judge_all(a_rulebook(), a_system(), failing, T0)
    assert {name: verdict.severity for name, verdict in verdicts.items()} == {"health": P1, "login": P2}


def test_a_rule_may_ask_for_how_long_a_check_has_been_failing() -> None:
    def is_long(facts: Facts) -> bool:
        return facts.down_for >= HOUR

    rules = [rule("long", P1, is_long), rule("failing", P2)]
    asked = [judge(rules, facts_of(a_system(), bad(), (bad(),), minute(m))).severity for m in (0, 59, 60)]
    assert asked == [P2, P2, P1]
