"""One person as a way out: their direct conversation with the app, opened when something is first said in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tocsin.channels.slack.api import SlackApi
from tocsin.channels.slack.failures import RateLimitError
from tocsin.channels.slack.sender import SlackChannel
from tocsin.core.model import NoticeKind
from tocsin.errors import DeliveryError
from tocsin.ports import Message, Reference


class DirectMessages(SlackChannel):
    """Tells one person. Where Slack does not let the conversation be opened it is still written to, by the person's id."""

    def __init__(self, api: SlackApi, user: str) -> None:
        super().__init__(api, user)
        self._user = user

    async def send(self, message: Message) -> Reference | None:
        try:
            await self._open()
        except RateLimitError as error:
            raise self._with_pause(error) from error
        except DeliveryError as error:
            # Posting to a person's id needs no scope but that of posting; what is in doubt is tried again.
            if not error.permanent:
                raise DeliveryError(str(error), retry_after=error.retry_after) from error
        reference = await super().send(message)
        if reference is not None and message.kind is not NoticeKind.EDIT:
            self._channel = reference.place
        return reference

    async def find(self, message: Message, *, since: datetime) -> Reference | None:
        try:
            await self._open()
        except DeliveryError as error:
            raise DeliveryError(
                f"cannot look the message up: {error}", unknown=True, retry_after=error.retry_after
            ) from error
        return await super().find(message, since=since)

    async def _open(self) -> None:
        if self._channel != self._user:
            return
        answer = await self._api.post("conversations.open", {"users": self._user})
        opened = answer.get("channel")
        if isinstance(opened, Mapping) and isinstance(opened.get("id"), str):
            self._channel = str(opened["id"])
