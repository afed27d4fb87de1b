"""Socket Mode: clicks are answered at once, done once, and the connections come back whatever happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from slack_parts import PEOPLE, FakeDesk, message
from tocsin.channels.slack.api import SlackApi
from tocsin.channels.slack.inbox import SlackInbox
from tocsin.channels.slack.sender import SlackChannel
from tocsin.channels.slack.socket import SlackSocket
from tocsin.testing.slack import Fault, SlackDouble

Act = Callable[[SlackDouble, SlackSocket, SlackInbox], Awaitable[None]]


def with_socket(
    act: Act, desk: FakeDesk, *, before: Callable[[SlackDouble], None] | None = None, **options: Any
) -> None:
    """Run with a page of #142 in the channel and a socket that is being held."""

    async def run() -> None:
        async with SlackDouble() as slack:
            api = SlackApi(slack.bot_token, api_url=slack.api_url)
            inbox = SlackInbox(desk, lambda: PEOPLE, api)
            kept = {"first_pause_s": 0.01, "connections": 1, **options}
            held = SlackSocket(api, slack.app_token, inbox, lambda: datetime.now(UTC), **kept)
            await SlackChannel(api, slack.channel).send(message())
            if before is not None:
                before(slack)
            task = asyncio.create_task(held.run())
            try:
                async with asyncio.timeout(20):
                    await act(slack, held, inbox)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                await inbox.close()
                await api.close()
        assert not held.is_connected

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # what is waited for is only to be seen
        await asyncio.sleep(0.005)


def test_a_click_is_answered_at_once_and_done_by_the_person() -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await slack.sockets.until_connected()
        assert await slack.click("tocsin_ack", 142) < 0.3
        await inbox.close()
        [(verb, arguments, actor, _)] = desk.calls
        assert (verb, arguments, actor) == ("ack", {"incident": "142"}, "person:li.na")
        assert held.is_connected
        assert held.problem is None

    with_socket(act, desk)


def test_an_envelope_that_comes_twice_is_done_once() -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await slack.sockets.until_connected(2)
        await slack.click("tocsin_ack", 142, copies=3)
        await slack.click("tocsin_resolve", 142)
        await slack.click("tocsin_resolve", 142)
        await inbox.close()
        assert [verb for verb, *_ in desk.calls] == ["ack", "resolve", "resolve"]

    with_socket(act, desk, connections=2)


def test_a_click_is_answered_before_anything_is_done_with_it() -> None:
    class SlowDesk(FakeDesk):
        """Does nothing before the click was answered: asked too early, it would never be."""

        answered = asyncio.Event()

        async def call(self, *args: Any, **more: Any) -> Any:
            await self.answered.wait()
            return await super().call(*args, **more)

    desk = SlowDesk({})

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await slack.sockets.until_connected()
        await slack.click("tocsin_ack", 142)
        assert desk.calls == []
        desk.answered.set()
        await inbox.close()
        assert len(desk.calls) == 1

    with_socket(act, desk)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "link_disabled"])
def test_when_slack_asks_for_another_connection_it_gets_one(reason: str) -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await slack.sockets.until_connected()
        await slack.sockets.disconnect(reason)
        await until(lambda: slack.sockets.opened == 2)
        await slack.sockets.until_connected()
        await slack.click("tocsin_ack", 142)
        await inbox.close()
        assert len(desk.calls) == 1

    with_socket(act, desk)


def test_a_connection_that_breaks_is_made_again() -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await slack.sockets.until_connected()
        slack.sockets.drop()
        await until(lambda: slack.sockets.opened == 2)
        await slack.sockets.until_connected()
        await slack.click("tocsin_ack", 142)
        await inbox.close()
        assert len(desk.calls) == 1

    with_socket(act, desk)


def test_no_click_is_lost_while_connections_are_renewed() -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await slack.sockets.until_connected(2)

        async def press(after_s: float) -> float:
            await asyncio.sleep(after_s)
            return await slack.click("tocsin_resolve", 142, within_s=0.5)

        # One that meets a connection saying goodbye may stay unanswered; it is done all the same.
        await asyncio.gather(*(press(number * 0.004) for number in range(100)), return_exceptions=True)
        await inbox.close()
        assert slack.sockets.opened > 10
        assert len(desk.calls) == 100

    with_socket(act, desk, connections=2, renew_after_s=0.05, overlap_s=0.2)


def test_a_connection_that_is_open_and_dead_is_given_up() -> None:
    def mute(slack: SlackDouble) -> None:
        slack.sockets.is_answering_pings = False

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await until(lambda: slack.sockets.opened >= 2)

    with_socket(act, FakeDesk(), before=mute, ping_s=0.1)


def test_an_old_connection_is_renewed() -> None:
    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await until(lambda: slack.sockets.opened >= 3)

    with_socket(act, FakeDesk(), renew_after_s=0.05, overlap_s=0.05)


@pytest.mark.parametrize(
    "fault", [Fault.broken(), Fault.portal(), Fault.reset(), Fault.garbled('{"ok": true}'), Fault.limited("1")]
)
def test_a_failure_to_connect_is_said_and_tried_again(fault: Fault) -> None:
    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await until(lambda: held.problem is not None and "Slack" in held.problem)
        await slack.sockets.until_connected()
        await until(lambda: held.problem is None)

    with_socket(act, FakeDesk(), before=lambda slack: slack.script("apps.connections.open", [fault]))


def test_a_revoked_token_is_said_with_what_to_do_and_not_hammered() -> None:
    def revoke(slack: SlackDouble) -> None:
        slack.is_revoked = True

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await until(lambda: held.problem is not None and "install it again" in held.problem)
        await asyncio.sleep(0.1)
        assert not held.is_connected
        assert len(slack.calls_of("apps.connections.open")) == 1

    with_socket(act, FakeDesk(), before=revoke)


def test_a_ghost_connection_is_noticed() -> None:
    def haunt(slack: SlackDouble) -> None:
        slack.sockets.ghosts = 1

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await until(lambda: held.problem is not None and "1 more" in held.problem)
        clicks = [slack.click("tocsin_ack", 142, within_s=0.2) for _ in range(2)]
        results = await asyncio.gather(*clicks, return_exceptions=True)
        assert [isinstance(r, TimeoutError) for r in results].count(True) == 1

    with_socket(act, FakeDesk(), before=haunt)


def test_a_connection_that_ends_without_a_greeting_counts_as_none() -> None:
    def turn_away(slack: SlackDouble) -> None:
        slack.sockets.is_greeting = False

    async def act(slack: SlackDouble, held: SlackSocket, inbox: SlackInbox) -> None:
        await slack.sockets.until_connected()
        assert not held.is_connected
        await slack.sockets.disconnect("link_disabled")
        await until(lambda: held.problem is not None and "link_disabled" in held.problem)
        slack.sockets.is_greeting = True
        await until(lambda: held.is_connected)

    with_socket(act, FakeDesk(), before=turn_away)
