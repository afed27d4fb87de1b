"""The conditions of a check, compiled into one judge of what its probe saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.core.model import Observation, Value
from tocsin.core.policy import CannotJudge, Judge, Judged
from tocsin.expressions.answer import bind
from tocsin.expressions.faults import because, printable, resolved, span
from tocsin.expressions.program import Program, activation, condition, value
from tocsin.expressions.vocabulary import PROBE, TCP, Vocabulary

GOOD = Judged()
EXPIRES_SOON = timedelta(days=14)
Now = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def check_condition(text: str) -> None:
    """Raise `ExpressionError` when the text is no condition of `expect` or `degraded_when`."""
    condition(PROBE, text)


def check_tcp_condition(text: str) -> None:
    """Raise `ExpressionError` when the text is no condition of a tcp check's `degraded_when`."""
    condition(TCP, text)


def check_value(text: str) -> None:
    """Raise `ExpressionError` when the text is no entry of `values`."""
    value(PROBE, text)


def compile_probe(
    expect: Sequence[str],
    degraded_when: Sequence[str],
    values: Mapping[str, str],
    https: bool,
    *,
    now: Now = utc_now,
) -> Judge:
    """Compile all conditions of an http check. Raises `ExpressionError` for the first that is wrong.

    The default status rule holds unless an `expect` reads `status`; an https check is degraded when its certificate expires
    within 14 days, unless a `degraded_when` reads `certificate.expires_in`.
    """
    expected = tuple(condition(PROBE, text) for text in expect)
    degrading = tuple(condition(PROBE, text) for text in degraded_when)
    kept = tuple((name, value(PROBE, text)) for name, text in values.items())
    has_default = not any("status" in program.names for program in expected)
    warns = https and not any("certificate.expires_in" in program.names for program in degrading)
    return _judge(PROBE, expected, degrading, kept, has_default, warns, now)


def compile_tcp(degraded_when: Sequence[str], *, now: Now = utc_now) -> Judge:
    """Compile the conditions of a tcp check: an answer that came is good unless it was too slow."""
    degrading = tuple(condition(TCP, text) for text in degraded_when)
    return _judge(TCP, (), degrading, (), has_default=False, warns=False, now=now)


def _judge(
    vocabulary: Vocabulary,
    expected: tuple[Program, ...],
    degrading: tuple[Program, ...],
    kept: tuple[tuple[str, Program], ...],
    has_default: bool,
    warns: bool,
    now: Now,
) -> Judge:
    defaults = _Defaults(has_default, warns, now)
    programs = [*expected, *degrading, *(program for _, program in kept)]
    if not programs:
        return defaults
    names = frozenset[str]().union(*(program.names for program in programs))
    return _Conditions(vocabulary, defaults, expected, degrading, kept, names, now)


class _Defaults:
    """What holds without a word in the configuration. No CEL: this is every probe's path."""

    needs_body = False

    def __init__(self, has_status: bool, warns: bool, now: Now) -> None:
        self._has_status = has_status
        self._warns = warns
        self._now = now

    def __call__(self, observation: Observation) -> Judged:
        if self._has_status and not 200 <= observation.status < 300:
            text = f"status >= 200 && status < 300 (status = {observation.status})"
            return Judged(failed=text, is_default_status=True)
        if self._warns and observation.certificate is not None:
            left = observation.certificate.expires_at - self._now()
            if left < EXPIRES_SOON:
                return Judged(degraded=f"the certificate expires within 14d (certificate.expires_in = {span(left)})")
        return GOOD


@dataclass(frozen=True, slots=True)
class _Seen:
    """One observation with its names bound, for all conditions."""

    bound: Mapping[str, Any]
    missing: Mapping[str, str]
    activation: Any

    def first(self, programs: Iterable[Program], wrong: bool) -> str | None:
        """The text of the first condition that answers `wrong` or cannot be judged."""
        for program in programs:
            answer = program.ask(self.activation)
            if answer is wrong:
                values = resolved(program, self.bound)
                return f"{program.text} ({values})" if values else program.text
            if not isinstance(answer, bool):
                why = because(answer, program, self.bound, self.missing, "in the answer")
                return f"{program.text} cannot be judged: {why}"
        return None


class _Conditions:
    def __init__(
        self,
        vocabulary: Vocabulary,
        defaults: _Defaults,
        expected: tuple[Program, ...],
        degrading: tuple[Program, ...],
        kept: tuple[tuple[str, Program], ...],
        names: frozenset[str],
        now: Now,
    ) -> None:
        self.needs_body = bool(names & {"json", "body"})
        self._vocabulary = vocabulary
        self._defaults = defaults
        self._expected = expected
        self._degrading = degrading
        self._kept = kept
        self._names = names
        self._now = now

    def __call__(self, observation: Observation) -> Judged:
        bound, missing = bind(self._names, observation, self._now())
        seen = _Seen(bound, missing, activation(self._vocabulary, bound))
        values = {
            name: found for name, program in self._kept if (found := _kept(program.ask(seen.activation))) is not None
        }
        default = self._defaults(observation)
        if default.failed:
            return Judged(default.failed, None, values, is_default_status=True)
        failed = seen.first(self._expected, False)
        if failed:
            return Judged(failed, None, values)
        degraded = seen.first(self._degrading, True) or default.degraded
        return Judged(None, degraded, values) if degraded or values else GOOD


def _kept(answer: Any) -> Value | None:
    """An entry of `values` as it is stored; None when there is none."""
    match answer:
        case CannotJudge():
            return None
        case bool():
            return answer
        case int() | float():
            return float(answer) if math.isfinite(answer) else None
        case timedelta():
            return answer.total_seconds()
        case str():
            return printable(answer)
        case _:
            return None
