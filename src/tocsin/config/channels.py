"""What may stand in an entry of `channels:`: one model a kind, and what the daemon is told of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tocsin.config.addresses import parse_url
from tocsin.config.scalars import Name, SecretText, SlackPlace, Strict, text_schema
from tocsin.config.spans import parse_span
from tocsin.core.pace import PACES, Pace

_PACE = re.compile(r"([0-9]{1,6}) per ([0-9a-z]{1,20})")


def parse_pace(value: object) -> Pace:
    """`20 per 1m`: so many messages in so long, a quarter of them (five at most) at once."""
    match = _PACE.fullmatch(value) if isinstance(value, str) else None
    if not match or int(match[1]) < 1:
        raise ValueError(f'"{value}" is no pace (write 20 per 1m)')
    per = parse_span(match[2])
    if not timedelta(seconds=1) <= per <= timedelta(hours=1):
        raise ValueError(f"{match[2]} is not between 1s and 1h")
    count = int(match[1])
    return Pace(count, per, burst=max(1, min(5, count // 4)))


def _url(value: object) -> object:
    return parse_url(value) if isinstance(value, str) else value


PaceRule = Annotated[
    Pace, BeforeValidator(parse_pace), text_schema(pattern=r"^\d+ per \d+(s|m|h)$", examples=["20 per 1m"])
]
SecretUrl = Annotated[SecretText, BeforeValidator(_url)]


class ChannelRule(Strict):
    """What every channel may have."""

    language: Literal["en", "zh_CN"] | None = None
    fallback: Name | None = Field(default=None, description="the channel that is told when this one cannot be")
    pace: PaceRule | None = Field(default=None, description="how fast it takes messages, as 20 per 1m; its kind's own")


class SlackChannel(ChannelRule):
    slack: SlackPlace = Field(description="the id of a Slack channel")

    def options(self) -> dict[str, Any]:
        return {"channel": self.slack}


class WebhookChannel(ChannelRule):
    webhook: SecretUrl
    secret: SecretText | None = Field(default=None, description="signs what is sent")

    def options(self) -> dict[str, Any]:
        return {"url": self.webhook, "secret": self.secret}


Rule = SlackChannel | WebhookChannel
CHANNELS: dict[str, type[Rule]] = {"slack": SlackChannel, "webhook": WebhookChannel}
EXAMPLES = "slack: C0123ABCD or webhook: https://…"


def pace_of(kind: str, rule: ChannelRule) -> Pace | None:
    """The pace that was written, else the kind's own."""
    own = PACES.get(kind)
    if rule.pace is None or own is None:
        return rule.pace or own
    return Pace(rule.pace.count, rule.pace.per, rule.pace.burst, own.bundles)
