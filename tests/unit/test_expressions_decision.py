"""Severity rules: asked about facts, they answer true, false, or why they cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.model import Reason, Status
from tocsin.core.policy import CannotJudge, Facts
from tocsin.expressions import compared_words, compile_decision, compile_exit

FACTS = Facts(
    system_name="erp",
    system_tier="core",
    system_owner="li.na",
    check_name="health",
    check_kind="http",
    status=Status.DOWN,
    reason=Reason.DNS,
    text="no such host",
    down_for=timedelta(minutes=3),
    values={"error_rate": 0.25, "version": "7.1", "ready": True},
    failing=2,
    checks=5,
)
TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('system.name == "erp" && system.tier == "core" && system.owner == "li.na"', True),
        ('check.name == "health" && check.kind == "http"', True),
        ('status == "down" && reason == "dns"', True),
        ('status in ["up", "degraded"]', False),
        ('text.matches("no .* host")', True),
        ('down_for >= duration("3m")', True),
        ('down_for > duration("180s")', False),
        ('values["error_rate"] > 0.2 && values["version"] == "7.1" && values["ready"]', True),
        ('"load" in values', False),
        ("failing == 2 && checks == 5", True),
        ("failing * 2 > checks", False),
        ("true", True),
    ],
)
def test_every_fact_can_be_asked_for(text: str, expected: bool) -> None:
    assert compile_decision(text)(FACTS) is expected


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ('values["load"] > 1.0', 'key "load" is not among the values'),
        ('values["version"] > 1.0', "> cannot be applied to a text and a number"),
        ('values["version"]', 'it is "7.1", neither true nor false'),
        (
            f"{TEN}.all(a, {TEN}.all(b, {TEN}.all(c, {TEN}.all(d, {TEN}.all(e, a + b + c + d + e > 0)))))",
            "it takes too many steps",
        ),
    ],
)
def test_a_rule_that_cannot_be_judged_says_why(text: str, because: str) -> None:
    assert compile_decision(text)(FACTS) == CannotJudge(because)


def test_what_another_part_answers_first_need_not_be_judged() -> None:
    assert compile_decision('status == "down" || values["load"] > 1.0')(FACTS) is True
    assert compile_decision('values["load"] > 1.0 || status == "down"')(FACTS) is True


@given(text=st.text(max_size=50), value=st.floats() | st.text(max_size=20) | st.booleans())
def test_no_fact_makes_a_rule_raise(text: str, value: float | str | bool) -> None:
    facts = replace(FACTS, text=text, values={"v": value})
    answer = compile_decision('values["v"] > 1.0 || text == "x"')(facts)
    assert isinstance(answer, bool | CannotJudge)


def test_words_that_a_rule_compares_are_found() -> None:
    text = 'system.tier == "core" && "erp" != system.name || check.name in ["a", "b"] && text.contains("c")'
    assert list(compared_words(text)) == [
        ("system.tier", "core"),
        ("system.name", "erp"),
        ("check.name", "a"),
        ("check.name", "b"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open_p1 == 0", True),
        ("open_p2 == 0", False),
        ("answered_in_time >= 0.95", True),
        ('quiet_for >= duration("12h")', False),
    ],
)
def test_an_exit_is_asked_about_the_watch(text: str, expected: bool) -> None:
    assert compile_exit(text)(0, 2, 1, timedelta(hours=11)) is expected
