"""What people do in Slack: a click becomes the same verb that the page and the command line use, by a person the rules know.

Both ways in (Socket Mode, signed HTTP) end here, after the click itself was answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.channels.slack.api import SlackApi
from tocsin.channels.slack.blocks import ACKNOWLEDGE, RESOLVE
from tocsin.channels.slack.text import escaped, inline
from tocsin.channels.slack.view import name_of
from tocsin.core.policy import Person
from tocsin.errors import DeliveryError, Refused, TocsinError
from tocsin.log import get_log
from tocsin.ports import Desk
from tocsin.words import Words, words

log = get_log(__name__)

AT_ONCE = 100
DESK_WITHIN_S = 30.0
OLDEST_CLICK = timedelta(minutes=5)
VERBS: Mapping[str, str] = {ACKNOWLEDGE: "ack", RESOLVE: "resolve"}


@dataclass(frozen=True, slots=True)
class Click:
    """A pressed button. `at` is the instant at which it was pressed."""

    verb: str
    incident: str
    user: str
    at: datetime
    channel: str
    answer_url: str


class SlackInbox:
    """Takes in what Slack delivers. At most `at_once` things are worked on; the rest is refused, so Slack shows that it failed."""

    def __init__(
        self,
        desk: Desk,
        people: Callable[[], Mapping[str, Person]],
        api: SlackApi,
        *,
        language: str = "en",
        at_once: int = AT_ONCE,
    ) -> None:
        self._desk = desk
        self._people = people
        self._api = api
        self._language = language
        self._at_once = at_once
        self._working: set[asyncio.Task[None]] = set()

    @property
    def has_room(self) -> bool:
        return len(self._working) < self._at_once

    def accept(self, payload: Mapping[str, Any], received_at: datetime) -> None:
        """Start the work and return at once."""
        task = asyncio.create_task(self.handle(payload, received_at), name="slack inbox")
        self._working.add(task)
        task.add_done_callback(self._ended)

    async def handle(self, payload: Mapping[str, Any], received_at: datetime) -> None:
        """Do what a payload asks for. What is not a button of ours is left alone."""
        for click in _clicks(payload, received_at):
            await self._press(click)

    async def close(self, within_s: float = 5.0) -> None:
        """Let what was begun end, within a limit."""
        if self._working:
            _, late = await asyncio.wait(self._working, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A click was not handled", action="slack_click_failed", exc_info=error)

    # --- one click ---

    async def _press(self, click: Click) -> None:
        people = self._people()
        known = [person for person in people.values() if person.slack and person.slack == click.user]
        if len(known) != 1:
            await self._tell(click, self._why_unknown(click, known))
            return
        person = known[0]
        said = await self._act(click, person, words("slack", person.language or self._language))
        if said is not None:
            await self._tell(click, said)

    def _why_unknown(self, click: Click, known: list[Person]) -> str:
        log.warning("A click of someone unknown", action="slack_stranger", user=click.user, verb=click.verb)
        say, user = words("slack", self._language), inline(click.user, 40)
        if not known:
            return say("private.stranger", user=user)
        return say("private.ambiguous", user=user, people=inline(", ".join(p.id for p in known), 500))

    async def _act(self, click: Click, person: Person, say: Words) -> str | None:
        """Do it at the desk. Returns what the person should be told, if anything: success shows in the message itself."""
        actor, incident = f"person:{person.id}", inline(click.incident, 40)
        try:
            async with asyncio.timeout(DESK_WITHIN_S):
                done = await self._desk.call(click.verb, {"incident": click.incident}, actor=actor, at=click.at)
        except Refused as error:
            return say("private.refused", why=escaped(error, 1000))
        except (TocsinError, TimeoutError) as error:
            log.error(
                "A click was not recorded", action="slack_click_failed", incident=click.incident, error=str(error)
            )
            why = escaped(str(error) or type(error).__name__, 1000)
            return say("private.failed", incident=incident, verb=click.verb, why=why)
        return self._who_was_first(click, done, actor, incident, say)

    def _who_was_first(self, click: Click, done: Any, actor: str, incident: str, say: Words) -> str | None:
        first = done.get("acknowledged_by") if isinstance(done, Mapping) else None
        if click.verb != "ack" or first in (None, actor):
            return None
        return say(
            "private.acknowledged_already", incident=incident, who=inline(name_of(first, self._people(), say), 100)
        )

    async def _tell(self, click: Click, text: str) -> None:
        """Answer privately: by the address that came with the click, else in the channel for this user only."""
        try:
            try:
                if click.answer_url:
                    await self._api.answer_privately(click.answer_url, text)
                    return
            except DeliveryError as error:
                log.info("A private answer goes the other way", action="slack_answer_retry", error=str(error))
            arguments = {"channel": click.channel, "user": click.user, "text": text}
            await self._api.post("chat.postEphemeral", arguments)
        except DeliveryError as error:
            log.warning("A private answer was lost", action="slack_answer_lost", user=click.user, error=str(error))


def _clicks(payload: Mapping[str, Any], received_at: datetime) -> Iterator[Click]:
    if payload.get("type") != "block_actions":
        return
    for action in _list(payload.get("actions")):
        verb = VERBS.get(str(action.get("action_id")))
        if verb is None:
            continue
        yield Click(
            verb=verb,
            incident=str(action.get("value") or ""),
            user=_id_of(payload, "user"),
            at=_pressed_at(action, received_at),
            channel=_id_of(payload, "channel"),
            answer_url=str(payload.get("response_url") or ""),
        )


def _list(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _id_of(payload: Mapping[str, Any], key: str) -> str:
    found = payload.get(key)
    return str(found.get("id") or "") if isinstance(found, Mapping) else ""


def _pressed_at(action: Mapping[str, Any], received_at: datetime) -> datetime:
    """Slack's own time of the click, unless the two clocks plainly disagree: what was late on the way is not the person's fault."""
    try:
        pressed = datetime.fromtimestamp(float(str(action.get("action_ts"))), UTC)
    except (ValueError, OverflowError, OSError):
        return received_at
    return pressed if timedelta(0) <= received_at - pressed <= OLDEST_CLICK else received_at
