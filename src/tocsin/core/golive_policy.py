"""How go-lives are watched: the section `golive` of the rules, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.core.model import Severity
    from tocsin.core.policy import ResponsePolicy, Step, System, Threshold

EXIT = ("open_p1 == 0", "answered_in_time >= 0.95", 'quiet_for >= duration("12h")')
"""When a watch may end, where the rules do not say it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How closely a system under a go-live watch is looked at. It never loosens: of the profile and the rules the smaller holds."""

    every: timedelta = timedelta(seconds=5)
    fail_after: Threshold | None = None
    targets: float = 0.5


@dataclass(frozen=True, slots=True)
class GoLivePolicy:
    """`ladder` are the steps of the ladder that `escalate` names, `remind` shares of the time until the review.

    `signoff` are the people who must sign; empty: the owner. `notify` are the channels that are told; empty: those of the systems.
    `status_at` is the time of day, in `zone`, at which the daily status is written.
    """

    profile: Profile = Profile()
    watch_for: timedelta = timedelta(hours=72)
    exit: tuple[str, ...] = EXIT
    checkpoint_every: timedelta = timedelta(hours=1)
    status_at: timedelta = timedelta(hours=9)
    zone: str = "UTC"
    remind: tuple[float, ...] = (0.5, 0.75, 0.9, 1.0)
    escalate: str = ""
    ladder: tuple[Step, ...] = ()
    signoff: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class Tightened:
    """What a system under watch was before, and the policies that its incidents start with meanwhile, by severity."""

    plain: System
    response: Mapping[Severity, ResponsePolicy]
    phase: str
