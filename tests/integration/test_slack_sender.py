"""One Slack channel against the double: what is posted, edited and found again, and what every fault means."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slack_parts import acknowledged, message, reply
from tocsin.channels.slack.api import SlackApi
from tocsin.channels.slack.sender import PAGE_SIZE, PAGES_AT_MOST, SlackChannel
from tocsin.core.model import NoticeKind
from tocsin.errors import DeliveryError
from tocsin.ports import Message, Reference
from tocsin.testing.slack import Fault, Pace, SlackDouble


@asynccontextmanager
async def channel_of(slack: SlackDouble, timeout_s: float = 5.0) -> AsyncIterator[SlackChannel]:
    api = SlackApi(slack.bot_token, api_url=slack.api_url, timeout_s=timeout_s)
    try:
        yield SlackChannel(api, slack.channel)
    finally:
        await api.close()


Act = Callable[[SlackDouble, SlackChannel], Awaitable[None]]


def with_slack(act: Act, *, pace: Pace | None = None, timeout_s: float = 5.0) -> None:
    async def run() -> None:
        async with SlackDouble(pace=pace) as slack, channel_of(slack, timeout_s) as channel:
            await act(slack, channel)

    asyncio.run(run())


async def failure(channel: SlackChannel, told: Message) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.send(told)
    return caught.value


def a_moment_ago() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=5)


def test_a_page_stands_in_the_channel_with_its_key() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        reference = await channel.send(message())
        [posted] = slack.messages()
        assert reference == Reference("C0DEMO", posted.ts)
        assert posted.key == "142:v1:opened:page:incidents"
        assert posted.text.startswith("🔴 P1 open: ERP #142")
        assert [button["action_id"] for _, button in posted.buttons()] == ["tocsin_ack", "tocsin_resolve"]

    with_slack(act)


def test_an_edit_changes_the_message_and_keeps_its_key() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        root = await channel.send(message())
        assert await channel.send(acknowledged(root=root)) == root
        [posted] = slack.messages()
        assert posted.text.startswith("🔵 P1 acknowledged")
        assert posted.key == "142:v1:opened:page:incidents"
        assert posted.edits == 1

    with_slack(act)


def test_replies_stand_in_the_thread_and_a_broadcast_in_the_channel_too() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        root = await channel.send(message())
        await channel.send(reply("noted", {"actor": "person:li.na", "text": "looking"}, root))
        await channel.send(replace(reply("rose", {"from": "P2", "to": "P1"}, root), kind=NoticeKind.BROADCAST))
        _, quiet, loud = slack.messages()
        assert root is not None
        assert (quiet.thread_ts, quiet.is_broadcast) == (root.message, False)
        assert (loud.thread_ts, loud.is_broadcast) == (root.message, True)

    with_slack(act)


def test_the_days_alarms_share_one_thread() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        alarm = message(NoticeKind.ALARM, "alarm", incident=None, data={"alarm": "storage", "text": "disk full"})
        root = await channel.send(alarm)
        await channel.send(replace(alarm, event="alarm_over", root=root))
        first, second = slack.messages()
        assert first.thread_ts is None
        assert second.thread_ts == first.ts

    with_slack(act)


def test_a_line_without_a_thread_is_told_with_the_page() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        reference = await channel.send(replace(reply("noted", {"actor": "local", "text": "hello"}), root=None))
        [posted] = slack.roots()
        assert reference == Reference("C0DEMO", posted.ts)
        assert posted.text.startswith("🔴 P1 open")

    with_slack(act)


def test_an_edit_without_a_message_cannot_be_done() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        assert (await failure(channel, acknowledged())).permanent

    with_slack(act)


@pytest.mark.parametrize(
    ("fault", "permanent", "unknown", "seconds"),
    [
        (Fault.limited("1"), False, False, 1),
        (Fault.limited("30"), False, False, 30),
        (Fault.limited(None), False, False, 1),
        (Fault.limited("tomorrow"), False, False, 1),
        (Fault.limited("86400"), False, False, 300),
        (Fault.broken(500), False, True, None),
        (Fault.broken(502), False, True, None),
        (Fault.broken(503), False, True, None),
        (Fault.garbled(), False, True, None),
        (Fault.garbled("[1]"), False, True, None),
        (Fault.garbled("null"), False, True, None),
        (Fault.garbled("hello", content_type="text/plain"), False, True, None),
        (Fault.garbled(""), False, True, None),
        (Fault.portal(), False, True, None),
        (Fault.reset(), False, True, None),
        (Fault.reset(acts=True), False, True, None),
        (Fault.refused("internal_error"), False, True, None),
        (Fault.refused("ratelimited"), False, False, 1),
        (Fault.refused("channel_not_found"), True, False, None),
        (Fault.refused("token_revoked"), True, False, None),
        (Fault.refused("msg_too_long"), True, False, None),
    ],
)
def test_a_fault_is_understood(fault: Fault, permanent: bool, unknown: bool, seconds: float | None) -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        slack.script("chat.postMessage", [fault])
        error = await failure(channel, message())
        assert (error.permanent, error.unknown) == (permanent, unknown)
        assert error.retry_after == (None if seconds is None else timedelta(seconds=seconds))
        assert slack.bot_token not in str(error)
        # The library never tried again by itself, and the next attempt goes through.
        assert len(slack.calls_of("chat.postMessage")) == 1
        assert await channel.send(message()) is not None

    with_slack(act)


def test_a_hang_ends_at_the_limit_and_leaves_it_in_doubt() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        slack.script("chat.postMessage", [Fault.hang(acts=True)])
        error = await failure(channel, message())
        assert error.unknown
        assert "no answer in time" in str(error)
        assert len(slack.calls_of("chat.postMessage")) == 1

    with_slack(act, timeout_s=0.3)


def test_untold_pauses_grow_until_a_message_goes_through() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        slack.script("chat.postMessage", [Fault.limited(None)] * 8 + [None, Fault.limited(None)])
        pauses = [(await failure(channel, message())).retry_after for _ in range(8)]
        assert [p.total_seconds() for p in pauses if p is not None] == [1, 2, 4, 8, 16, 32, 60, 60]
        await channel.send(message())
        assert (await failure(channel, message())).retry_after == timedelta(seconds=1)

    with_slack(act)


def test_nobody_listening_means_that_nothing_was_sent() -> None:
    async def act() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            api = SlackApi("xoxb-x", api_url=f"http://127.0.0.1:{taken.getsockname()[1]}/api/")
            try:
                error = await failure(SlackChannel(api, "C0DEMO"), message())
            finally:
                await api.close()
        assert (error.permanent, error.unknown) == (False, False)

    asyncio.run(act())


def test_a_name_that_does_not_resolve_means_that_nothing_was_sent() -> None:
    async def act() -> None:
        api = SlackApi("xoxb-x", api_url="http://slack.invalid/api/")
        try:
            error = await failure(SlackChannel(api, "C0DEMO"), message())
        finally:
            await api.close()
        assert (error.permanent, error.unknown) == (False, False)

    asyncio.run(act())


@pytest.mark.parametrize(
    "fault", [Fault.reset(acts=True), Fault.broken(503, acts=True), Fault.garbled(), Fault.garbled("null")]
)
def test_a_message_whose_answer_was_lost_is_found_again(fault: Fault) -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        slack.script("chat.postMessage", [fault])
        assert (await failure(channel, message())).unknown
        [posted] = slack.messages()
        assert await channel.find(message(), since=a_moment_ago()) == Reference("C0DEMO", posted.ts)

    with_slack(act)


def test_a_message_that_never_arrived_is_not_found() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        await channel.send(message(key="another"))
        slack.script("chat.postMessage", [Fault.reset()])
        await failure(channel, message())
        assert await channel.find(message(), since=a_moment_ago()) is None

    with_slack(act)


def test_a_reply_is_looked_for_in_its_thread_and_not_in_the_channel() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        root = await channel.send(message())
        line = reply("noted", {"actor": "local", "text": "x"}, root)
        stands_at = await channel.send(line)
        assert await channel.find(line, since=a_moment_ago()) == stands_at
        assert slack.calls_of("conversations.history") == []
        assert len(slack.calls_of("conversations.replies")) == 1

    with_slack(act)


def test_an_edit_is_never_looked_for() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        assert await channel.find(acknowledged(root=Reference("C0DEMO", "1.1")), since=a_moment_ago()) is None
        assert not slack.calls

    with_slack(act)


def test_the_look_up_reads_every_page_since_the_promise() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        first = await channel.send(message())
        for number in range(PAGE_SIZE + 5):
            await channel.send(message(key=f"noise-{number}"))
        assert await channel.find(message(), since=a_moment_ago()) == first
        assert len(slack.calls_of("conversations.history")) == 2
        assert await channel.find(message(), since=datetime.now(UTC) + timedelta(minutes=1)) is None

    with_slack(act)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.refused("missing_scope", needed="channels:history"),
        Fault.refused("ratelimited"),
        Fault.broken(),
        Fault.portal(),
        Fault.reset(),
    ],
)
def test_a_look_up_that_fails_is_in_doubt_and_never_permanent(fault: Fault) -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        # Twice: a look-up changes nothing, so the HTTP library may ask again by itself when a connection breaks.
        slack.script("conversations.history", [fault, fault])
        with pytest.raises(DeliveryError) as caught:
            await channel.find(message(), since=a_moment_ago())
        assert (caught.value.permanent, caught.value.unknown) == (False, True)

    with_slack(act)


def test_a_look_up_without_end_is_given_up() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        endless = '{"ok": true, "messages": [], "response_metadata": {"next_cursor": "more"}}'
        slack.script("conversations.history", [Fault.garbled(endless)] * (PAGES_AT_MOST + 1))
        with pytest.raises(DeliveryError, match="more than 4000 messages"):
            await channel.find(message(), since=a_moment_ago())

    with_slack(act)


def test_a_deleted_message_cannot_be_edited_any_more() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        root = await channel.send(message())
        assert root is not None
        slack.workspace.delete(root.place, root.message)
        error = await failure(channel, acknowledged(root=root))
        assert (error.permanent, error.unknown) == (True, False)
        assert "message_not_found" in str(error)

    with_slack(act)


def test_an_edit_is_never_in_doubt() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        root = await channel.send(message())
        slack.script("chat.update", [Fault.reset(acts=True), Fault.broken(), Fault.limited("7")])
        errors = [await failure(channel, acknowledged(root=root)) for _ in range(3)]
        assert [(e.permanent, e.unknown) for e in errors] == [(False, False)] * 3
        assert errors[2].retry_after == timedelta(seconds=7)

    with_slack(act)


def test_an_archived_channel_a_revoked_token_and_a_channel_without_the_app_are_told_apart() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        slack.workspace.channels["C0DEMO"].is_archived = True
        assert "is_archived" in str(await failure(channel, message()))
        slack.workspace.channels["C0DEMO"].is_member = False
        assert "/invite" in str(await failure(channel, message()))
        slack.is_revoked = True
        assert "install it again" in str(await failure(channel, message()))

    with_slack(act)


def test_slacks_own_pace_is_answered_with_its_pause() -> None:
    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        for number in range(2):
            await channel.send(message(key=str(number)))
        assert (await failure(channel, message())).retry_after == timedelta(seconds=1)

    with_slack(act, pace=Pace(per_second=1.0, burst=2))


def test_a_proxy_of_the_environment_is_not_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def act(slack: SlackDouble, channel: SlackChannel) -> None:
        assert await channel.send(message()) is not None

    with_slack(act)
