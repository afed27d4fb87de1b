"""The conditions under which a go-live watch may end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tocsin.core.policy import CannotJudge
from tocsin.expressions.faults import because
from tocsin.expressions.program import activation, condition
from tocsin.expressions.vocabulary import EXIT


def compile_exit(text: str) -> Callable[[int, int, float, timedelta], bool | CannotJudge]:
    """Compile an exit condition over (open_p1, open_p2, answered_in_time, quiet_for). Raises `ExpressionError`."""
    program = condition(EXIT, text)

    def is_met(open_p1: int, open_p2: int, answered_in_time: float, quiet_for: timedelta) -> bool | CannotJudge:
        bound = {
            "open_p1": open_p1,
            "open_p2": open_p2,
            "answered_in_time": float(answered_in_time),
            "quiet_for": quiet_for,
        }
        answer = program.ask(activation(EXIT, bound))
        return answer if isinstance(answer, bool) else CannotJudge(because(answer, program, bound, {}, "there"))

    return is_met
