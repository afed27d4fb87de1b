"""The channels that stand behind the rulebook's names, made anew when the rulebook changes; and Slack's two ways in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from tocsin.core.escalation import PERSON
from tocsin.core.policy import ChannelSpec, Person, Rulebook
from tocsin.ports import Channel, Desk

if TYPE_CHECKING:
    from tocsin.channels.slack.api import SlackApi
    from tocsin.channels.slack.http import Answer
    from tocsin.channels.slack.inbox import SlackInbox
    from tocsin.config.settings import Settings

People = Callable[[], Mapping[str, Person]]


class WaysOut:
    """Slack is imported only when there is a token for it; a channel that could not be told is not in `current`."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self._now = now
        self._slack = settings.slack
        self._language = settings.language
        self._specs: dict[str, ChannelSpec] = {}
        self._channels: dict[str, Channel] = {}
        self._api: SlackApi | None = None
        self._inbox: SlackInbox | None = None

    @property
    def has_slack(self) -> bool:
        return self._slack.bot_token is not None

    def current(self) -> Mapping[str, Channel]:
        return self._channels

    async def apply(self, rulebook: Rulebook) -> None:
        """Close what is no longer wanted, make what is new; what stays as it is is left alone."""
        wanted = {**rulebook.channels, **_people(rulebook)}
        for name in [known for known, spec in self._specs.items() if wanted.get(known) != spec]:
            self._specs.pop(name)
            channel = self._channels.pop(name, None)
            if channel is not None:
                await channel.close()
        for name, spec in wanted.items():
            if name in self._specs:
                continue
            made = self._make(spec)
            self._specs[name] = spec
            if made is not None:
                self._channels[name] = made

    def _make(self, spec: ChannelSpec) -> Channel | None:
        match spec.kind:
            case "slack":
                if not self.has_slack:
                    return None
                from tocsin.channels.slack.sender import SlackChannel

                return SlackChannel(self._slack_api(), str(spec.options["channel"]))
            case "person":
                if not self.has_slack:
                    return None
                from tocsin.channels.slack.direct import DirectMessages

                return DirectMessages(self._slack_api(), str(spec.options["user"]))
            case "webhook":
                from tocsin.channels.webhook import WebhookChannel

                return WebhookChannel(str(spec.options["url"]), str(spec.options["secret"]), self._now)
            case _:
                raise AssertionError(spec.kind)

    def _slack_api(self) -> SlackApi:
        from tocsin.channels.slack.api import SlackApi

        if self._api is None:
            assert self._slack.bot_token is not None
            self._api = SlackApi(self._slack.bot_token.get_secret_value(), api_url=self._slack.api_url)
        return self._api

    # --- in ---

    def inbox(self, desk: Desk, people: People) -> Callable[[], Awaitable[None]] | None:
        """What listens over Socket Mode; None without an app token."""
        if self._slack.app_token is None or not self.has_slack:
            return None
        from tocsin.channels.slack.socket import SlackSocket

        token = self._slack.app_token.get_secret_value()
        return SlackSocket(self._slack_api(), token, self._inbox_of(desk, people), self._now).run

    def events(self, desk: Desk, people: People) -> Callable[[Mapping[str, str], bytes], Awaitable[Answer]] | None:
        """What answers signed requests; None without a signing secret (then nothing is trusted)."""
        if self._slack.signing_secret is None or not self.has_slack:
            return None
        from tocsin.channels.slack.http import SlackEvents

        secret = self._slack.signing_secret.get_secret_value()
        return SlackEvents(secret, self._inbox_of(desk, people), self._now).receive

    def _inbox_of(self, desk: Desk, people: People) -> SlackInbox:
        from tocsin.channels.slack.inbox import SlackInbox

        if self._inbox is None:
            self._inbox = SlackInbox(desk, people, self._slack_api(), language=self._language)
        return self._inbox

    async def close(self) -> None:
        if self._inbox is not None:
            await self._inbox.close(2.0)
        for channel in self._channels.values():
            await channel.close()
        if self._api is not None:
            await self._api.close()


def _people(rulebook: Rulebook) -> dict[str, ChannelSpec]:
    """A way to each person with a Slack id, by the name under which ladders reach them. Nothing is opened before it is used."""
    reachable = [person for person in rulebook.people.values() if person.slack]
    return {
        f"{PERSON}{person.id}": ChannelSpec(f"{PERSON}{person.id}", "person", {"user": person.slack})
        for person in reachable
    }
