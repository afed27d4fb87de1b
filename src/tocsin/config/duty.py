"""What may stand under `oncall:`, `escalation:` and a person's `quiet`: the models, and how turns are written."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from tocsin.config.hours import DAYS
from tocsin.config.scalars import Line, Name, Span, Strict, parse_any_span, parse_name, text_schema
from tocsin.config.words import suggestion
from tocsin.core.escalation import KINDS

DAY = timedelta(days=1)
_HANDOVER = re.compile(r"(?:([a-z]{3}) )?(\d{1,2}):(\d{2})")
_SHARE = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)%")
_LONGEST_TURN = timedelta(days=366)


def parse_rotation(value: object) -> timedelta:
    """How long a turn lasts: daily, weekly, whole days as 3d, or hours that divide a day as 12h. Raises ValueError."""
    if value in ("daily", "weekly"):
        return DAY if value == "daily" else 7 * DAY
    try:
        length = parse_any_span(value)
    except ValueError:
        near = suggestion(str(value), ["daily", "weekly"], fallback=" (write daily, weekly, 3d or 12h)")
        raise ValueError(f'unknown rotation "{value}"{near}') from None
    divides_a_day = timedelta(0) < length < DAY and not DAY % length and not length % timedelta(hours=1)
    if not divides_a_day and (length < DAY or length % DAY):
        raise ValueError(
            f'"{value}" is neither whole days nor hours that divide a day (write daily, weekly, 3d or 12h)'
        )
    if length > _LONGEST_TURN:
        raise ValueError(f"{value} is too long a turn (at most 366d)")
    return length


def parse_handover(value: object) -> tuple[int | None, timedelta]:
    """The weekday (Monday is 0, None for every day) and the time of the day. Raises ValueError."""
    match = _HANDOVER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"\"{value}\" is no hand-over (write 'mon 09:00', or '09:00' for every day)")
    if match[1] and match[1] not in DAYS:
        raise ValueError(f'unknown day "{match[1]}"{suggestion(match[1], DAYS)}')
    hour, minute = int(match[2]), int(match[3])
    if hour > 23 or minute > 59:
        raise ValueError(f'"{value}" has a time that no clock shows (00:00 to 23:59)')
    return (DAYS.index(match[1]) if match[1] else None), timedelta(hours=hour, minutes=minute)


def _at(value: object) -> float | timedelta:
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        try:
            return parse_any_span(value)
        except ValueError:
            raise ValueError(f'"{value}" is neither a share of the target nor a span (write 25%, 15m or 0m)') from None
    if float(match[1]) > 1000:
        raise ValueError(f"{value} is not between 0% and 1000%")
    return timedelta(0) if not float(match[1]) else float(match[1]) / 100


def _targets(value: object) -> list[str]:
    """`{person: li.na}`, or a list of such."""
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise ValueError("tells nobody (write tell: {person: li.na})")
    return [_target(one) for one in listed]


def _target(value: object) -> str:
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError("must be {person: …}, {oncall: …}, {team: …} or {channel: …}, or a list of these")
    ((kind, name),) = value.items()
    if kind not in KINDS:
        raise ValueError(f'unknown kind of target "{kind}"{suggestion(str(kind), KINDS)}')
    return f"{kind}:{parse_name(name)}"


def _often_enough(span: timedelta) -> timedelta:
    if span < timedelta(minutes=1):
        raise ValueError("must be at least 1m")
    return span


_TARGET: dict[str, Any] = {
    "type": "object",
    "properties": {kind: {"type": "string"} for kind in KINDS},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
Hours = Annotated[dict[str, Any], Field(description="days to hours, as in calendars; always")]


class StepRule(Strict):
    at: Annotated[
        float | timedelta, BeforeValidator(_at), WithJsonSchema({"type": "string", "examples": ["0m", "25%", "30m"]})
    ] = Field(description="when: a share of the response target, or a span of working time")
    tell: Annotated[
        list[str],
        BeforeValidator(_targets),
        WithJsonSchema({"anyOf": [_TARGET, {"type": "array", "items": _TARGET, "minItems": 1}]}),
    ] = Field(description="whom: {person: …}, {oncall: …}, {team: …}, {channel: …}, or a list")
    repeat: Annotated[Span, AfterValidator(_often_enough)] | None = Field(
        default=None, description="again each so often, until somebody answers"
    )


class OverrideRule(Strict):
    person: Name
    from_: str = Field(alias="from", description="local in the schedule's zone, as 2026-12-24 09:00")
    to: str


class TurnsRule(Strict):
    """Who takes turns, and when they hand over."""

    timezone: Annotated[str, text_schema()] | None = Field(default=None, description="of the hand-overs; the settings'")
    rotation: Annotated[str, text_schema(examples=["daily", "weekly", "3d", "12h"])] | None = Field(
        default=None, description="how long a turn lasts; weekly"
    )
    handover: Annotated[str, text_schema(examples=["mon 09:00", "09:00"])] | None = Field(
        default=None, description="when the next one takes over; mon 09:00, or 09:00"
    )
    since: Annotated[str, text_schema(format="date")] | None = Field(
        default=None, description="the first member's first turn begins on this day or after it; 2024-01-01"
    )
    members: list[Name] | None = Field(default=None, description="people, in the order of their turns")
    hours: Hours | None = None


class LayerRule(TurnsRule):
    name: Line | None = Field(default=None, description="as it is shown; its place")


class OnCallRule(TurnsRule):
    layers: list[LayerRule] | None = Field(default=None, min_length=1, description="the first that covers wins")
    overrides: list[OverrideRule] = Field(default_factory=list, description="somebody else for a while")
    calendar: Name = Field(default="24x7", description="when somebody has to be on call; 24x7")


class QuietRule(Strict):
    hours: Hours
    timezone: Annotated[str, text_schema()] | None = None
