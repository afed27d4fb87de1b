"""From `golive:` to how go-lives are watched: the profile, the exit criteria, the ladder, who signs, who is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from tocsin.config.context import Context, digest
from tocsin.config.ladders import Ladder
from tocsin.config.scalars import Every, FailAfter, Name, Shares, Span, Strict
from tocsin.core.golive_policy import EXIT, GoLivePolicy, Profile
from tocsin.core.policy import ChannelSpec, Person, Threshold
from tocsin.expressions import ExpressionError, compile_exit

_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
LONGEST = timedelta(days=366)


def _share(value: object) -> float:
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if not match or not 0 < float(match[1]) <= 100:
        raise ValueError(f'"{value}" is no share of the targets (write 50%; at most 100%: a profile never loosens)')
    return float(match[1]) / 100


def _time(value: object) -> timedelta:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"\"{value}\" is no time of the day (write '09:00')")
    return timedelta(hours=int(match[1]), minutes=int(match[2]))


class ProfileRule(Strict):
    every: Every = Field(default=timedelta(seconds=5), description="from probe to probe at most; 5s")
    fail_after: FailAfter = Field(default=Threshold(2, 2), description="bad samples in a row at most, or 2 of 5; 2")
    targets: Annotated[float, BeforeValidator(_share), WithJsonSchema({"type": "string", "examples": ["50%"]})] = Field(
        default=0.5, description="share of the response targets; 50%"
    )


class GoLiveRule(Strict):
    profile: ProfileRule = Field(default_factory=ProfileRule)
    watch_for: Span = Field(default=timedelta(hours=72), description="until the review; 72h")
    exit: list[str] = Field(default=list(EXIT), min_length=1, description="conditions in CEL under which it may end")
    checkpoint_every: Span = Field(default=timedelta(hours=1), description="from checkpoint to checkpoint; 1h")
    status_at: Annotated[timedelta, BeforeValidator(_time), WithJsonSchema({"type": "string"})] = Field(
        default=timedelta(hours=9), description="time of the daily status; '09:00'"
    )
    remind: Shares = Field(default=[0.5, 0.75, 0.9, 1.0], description="shares of the time until the review")
    escalate: Name | None = Field(default=None, description="a ladder for the review, by its name under escalation:")
    signoff: list[Name] = Field(default_factory=list, description="people who must sign; the owner")
    notify: list[Name] = Field(default_factory=list, description="channels; those of the systems")


def golive_policy(
    raw: Any,
    context: Context,
    people: Mapping[str, Person],
    channels: Mapping[str, ChannelSpec],
    ladders: Mapping[str, Ladder],
) -> GoLivePolicy:
    """Build the section; what is wrong with it is noted."""
    rule = context.findings.validated(GoLiveRule, raw or {}, ("golive",)) or GoLiveRule()
    for at, person in enumerate(rule.signoff):
        context.known(person, people, "person", ("golive", "signoff", at), section="people")
    for at, channel in enumerate(rule.notify):
        context.known(channel, channels, "channel", ("golive", "notify", at), section="channels")
    if rule.escalate is not None:
        context.known(rule.escalate, ladders, "ladder", ("golive", "escalate"), section="escalation")
    if rule.watch_for > LONGEST:
        context.findings.error(("golive", "watch_for"), f"must be at most {LONGEST.days}d")
    if rule.checkpoint_every < timedelta(minutes=1):
        context.findings.error(("golive", "checkpoint_every"), "must be at least 1m")
    _check_exit(rule, context)
    ladder = ladders.get(rule.escalate or "", ())
    profile = Profile(rule.profile.every, rule.profile.fail_after, rule.profile.targets)
    return GoLivePolicy(
        profile=profile,
        watch_for=rule.watch_for,
        exit=tuple(rule.exit),
        checkpoint_every=rule.checkpoint_every,
        status_at=rule.status_at,
        zone=context.settings.timezone,
        remind=tuple(rule.remind),
        escalate=rule.escalate or "",
        ladder=ladder,
        signoff=tuple(rule.signoff),
        notify=tuple(rule.notify),
        version=digest(["golive", rule.model_dump(), [[step.at, step.tell, step.repeat] for step in ladder]]),
    )


def _check_exit(rule: GoLiveRule, context: Context) -> None:
    """Those that stand in the rules; the built-in ones need no CEL to be loaded at a start."""
    for at, text in enumerate(rule.exit):
        if text in EXIT:
            continue
        try:
            compile_exit(text)
        except ExpressionError as error:
            context.findings.expression(("golive", "exit", at), text, error)
