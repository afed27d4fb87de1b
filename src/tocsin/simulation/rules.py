"""The small configuration that scripts play on: three systems, every kind of rule, policies with and without a resolution target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tocsin.core.calendar import ALWAYS
from tocsin.core.model import Observation, Severity
from tocsin.core.policy import (
    CannotJudge,
    ChannelSpec,
    Check,
    Facts,
    Judged,
    Person,
    ResponsePolicy,
    Rulebook,
    SeverityRule,
    System,
    TcpTarget,
    Threshold,
)

EVERY = timedelta(seconds=10)
CHANNELS = ("ops", "managers")
STAND_IN = "duty"
"""The channel that hears what `ops` cannot be told."""
PEOPLE = ("li.na", "wang.wei")
CHECKS: dict[str, tuple[str, ...]] = {"crm": ("api", "web"), "erp": ("db", "health"), "oa": ("web",)}
THRESHOLDS = {"erp/db": Threshold(2, 2), "erp/health": Threshold(3, 3), "crm/api": Threshold(2, 5)}


class NothingToJudge:
    """Samples are fed as they are; no observation is ever judged here."""

    needs_body = False

    def __call__(self, observation: Observation) -> Judged:  # noqa: ARG002
        return Judged()


@dataclass(frozen=True, slots=True)
class Holds:
    """A rule's condition that can always be judged."""

    test: Callable[[Facts], bool]

    def __call__(self, facts: Facts) -> bool | CannotJudge:
        return self.test(facts)


def rulebook(dropped: frozenset[str]) -> Rulebook:
    """The configuration without the checks (`system/check`) that were dropped."""
    systems = {name: _system(name, dropped) for name in CHECKS}
    return Rulebook(
        systems={name: system for name, system in systems.items() if system.checks},
        severity=_severity(),
        response=_response(),
        calendars={"24x7": ALWAYS},
        people={name: Person(name, name, login=name) for name in PEOPLE},
        channels=_channels(),
        alarms_to=("ops",),
        default_channel="ops",
        version=f"without {','.join(sorted(dropped)) or 'nothing'}",
    )


def _channels() -> dict[str, ChannelSpec]:
    known = {name: ChannelSpec(name, "slack") for name in (*CHANNELS, STAND_IN)}
    return known | {"ops": ChannelSpec("ops", "slack", fallback=STAND_IN)}


def _system(name: str, dropped: frozenset[str]) -> System:
    checks = tuple(_check(name, check) for check in CHECKS[name] if f"{name}/{check}" not in dropped)
    return System(
        name=name,
        title={"": name.upper()},
        owner="li.na",
        checks=checks,
        tier="core" if name == "erp" else "office",
        notify=CHANNELS if name == "oa" else (),
    )


def _check(system: str, name: str) -> Check:
    return Check(
        system=system,
        name=name,
        kind="tcp",
        target=TcpTarget("simulated", 1),
        judge=NothingToJudge(),
        every=EVERY,
        fail_after=THRESHOLDS.get(f"{system}/{name}", Threshold(2, 2)),
        recover_after=1 if name == "db" else 2,
        version="1",
    )


def _severity() -> tuple[SeverityRule, ...]:
    """`oa` is never graver than P3, and its degradation is nobody's incident; `crm` rises when it stays down."""

    def rule(line: int, name: str, severity: Severity, holds: Callable[[Facts], bool]) -> SeverityRule:
        return SeverityRule(name, name, severity, Holds(holds), "rules/simulated.yaml", line)

    return (
        rule(1, "core down", Severity.P1, lambda f: f.system_tier == "core" and f.status == "down"),
        rule(2, "long down", Severity.P1, lambda f: f.system_name == "crm" and f.down_for > timedelta(minutes=30)),
        rule(3, "fails", Severity.P2, lambda f: f.system_name != "oa"),
        rule(4, "office down", Severity.P3, lambda f: f.status == "down"),
    )


def _response() -> dict[Severity, ResponsePolicy]:
    hours = {n: timedelta(hours=n) for n in (1, 4, 24)}
    remind = (0.5, 1.0, 1.5)
    return {
        Severity.P1: ResponsePolicy(Severity.P1, hours[1], hours[4], remind=remind, version="1"),
        Severity.P2: ResponsePolicy(Severity.P2, hours[4], hours[24], remind=(0.75, 1.0), version="1"),
    }
