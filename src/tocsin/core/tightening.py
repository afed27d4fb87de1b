"""The rules as they hold while go-lives are watched: checks closer together, decided sooner, shorter targets. Never looser.

Clocks that run already keep their instants: they were worked out when they started.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tocsin.core.golive import GoLive
from tocsin.core.golive_policy import Profile, Tightened
from tocsin.core.policy import Check, ResponsePolicy, Rulebook, Step, System, Threshold


def tightened(rulebook: Rulebook, golives: Iterable[GoLive]) -> Rulebook:
    """The rulebook under the watches that run now; of one that was tightened before, what no watch asks for any more is taken back."""
    phases = {system: one.phase.value for one in golives if one.phase.is_running for system in one.systems}
    plain = {**rulebook.systems, **{name: was.plain for name, was in rulebook.tightened.items()}}
    watched = {name: phase for name, phase in phases.items() if name in plain}
    if not watched and not rulebook.tightened:
        return rulebook
    profile = rulebook.golive.profile
    response = {severity: _policy(policy, profile) for severity, policy in rulebook.response.items()}
    systems = {name: _system(one, profile) if name in watched else one for name, one in plain.items()}
    kept = {name: Tightened(plain[name], response, phase) for name, phase in watched.items()}
    return replace(rulebook, systems={name: systems[name] for name in rulebook.systems}, tightened=kept)


def _system(system: System, profile: Profile) -> System:
    return replace(system, checks=tuple(_check(check, profile) for check in system.checks))


def _check(check: Check, profile: Profile) -> Check:
    every = min(check.every, profile.every)
    fail_after = _sooner(check.fail_after, profile.fail_after)
    return replace(check, every=every, confirm_every=min(check.confirm_every, every), fail_after=fail_after)


def _sooner(own: Threshold, other: Threshold | None) -> Threshold:
    """The threshold that fewer bad samples reach, and of two such the one that looks further back."""
    if other is None:
        return own
    return min(own, other, key=lambda threshold: (threshold.count, -threshold.window))


def _policy(policy: ResponsePolicy, profile: Profile) -> ResponsePolicy:
    share = min(1.0, profile.targets)
    if share == 1.0:
        return policy
    return replace(
        policy,
        acknowledge=policy.acknowledge * share,
        resolve=None if policy.resolve is None else policy.resolve * share,
        update=None if policy.update is None else policy.update * share,
        ladder=tuple(_step(step, share) for step in policy.ladder),
        version=f"{policy.version}*{share:g}",
    )


def _step(step: Step, share: float) -> Step:
    """A step at a span moves with the target, as one at a share of it does."""
    return step if isinstance(step.at, float) else replace(step, at=step.at * share)
