"""The signed webhook against a real server: what is posted, how it is signed, and what each answer means."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from slack_parts import CLOCKS, OPENED, acknowledged, clock, message, recovered
from tocsin.channels.webhook import WebhookChannel, document
from tocsin.core.model import NoticeKind
from tocsin.errors import DeliveryError

SECRET = "a shared secret"
NOW = datetime(2026, 12, 9, 19, 12, 3, tzinfo=UTC)


@dataclass
class Receiver:
    """Takes in posts and answers as it is told."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    act: Callable[[web.Request], Awaitable[None]] | None = None
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.posts.append((dict(request.headers), await request.read()))
        if self.act is not None:
            await self.act(request)
        return web.Response(status=self.status, headers=self.headers, text=self.text)


def with_receiver(act: Callable[[Receiver, WebhookChannel], Awaitable[None]], receiver: Receiver | None = None) -> None:
    async def run() -> None:
        taking = receiver or Receiver()
        app = web.Application()
        app.router.add_post("/in", taking.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        taking.url = f"http://127.0.0.1:{runner.addresses[0][1]}/in"
        channel = WebhookChannel(taking.url, SECRET, lambda: NOW)
        try:
            await act(taking, channel)
        finally:
            await channel.close()
            await runner.cleanup()

    asyncio.run(run())


async def failure(channel: WebhookChannel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.send(message())
    return caught.value


def test_a_notice_is_posted_as_json_with_the_incident_as_the_api_shows_it() -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        assert await channel.send(message(data={"a": 1})) is None
        [(_, body)] = receiver.posts
        posted = json.loads(body)
        assert posted["version"] == 1
        assert (posted["key"], posted["event"], posted["kind"]) == ("142:v1:opened:page:incidents", "opened", "page")
        assert (posted["at"], posted["data"]) == ("2026-12-09T19:12:00Z", {"a": 1})
        incident = posted["incident"]
        assert (incident["id"], incident["severity"], incident["state"]) == (142, "P1", "open")
        assert incident["reason"] == "core system down"
        assert incident["rule"]["line"] == 3
        assert incident["acknowledged_at"] is None
        assert incident["clocks"][0] == {
            "clock": "response",
            "due_at": "2026-12-09T20:12:00Z",
            "outcome": None,
            "met_at": None,
            "breached_at": None,
            "detected_late": False,
        }

    with_receiver(act)


def test_the_receiver_can_work_the_signature_out_for_itself() -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        await channel.send(message())
        [(headers, body)] = receiver.posts
        assert headers["X-Tocsin-Timestamp"] == str(int(NOW.timestamp()))
        signed = headers["X-Tocsin-Timestamp"].encode() + b"." + body
        assert headers["X-Tocsin-Signature"] == "v1=" + hmac.new(SECRET.encode(), signed, "sha256").hexdigest()
        assert headers["Idempotency-Key"] == "142:v1:opened:page:incidents"

    with_receiver(act)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_delivered(status: int) -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        await channel.send(message())
        await channel.send(message(key="second"))
        assert len(receiver.posts) == 2

    with_receiver(act, Receiver(status))


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_a_refusal_is_permanent_and_quoted(status: int) -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        error = await failure(channel)
        assert (error.permanent, error.unknown) == (True, False)
        assert str(error) == f"the webhook answered {status}: no such hook"

    with_receiver(act, Receiver(status, text="no such\nhook"))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_trouble_that_passes_is_tried_again(status: int) -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        error = await failure(channel)
        assert (error.permanent, error.unknown) == (False, False)
        assert error.retry_after is None

    with_receiver(act, Receiver(status))


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7), ("0", 1), ("86400", 300), ("9" * 400, 300), ("soon", None), ("-1", None)]
)
def test_a_pause_is_kept_within_bounds(said: str, seconds: float | None) -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        expected = None if seconds is None else timedelta(seconds=seconds)
        assert (await failure(channel)).retry_after == expected

    with_receiver(act, Receiver(429, {"Retry-After": said}))


def test_a_redirect_is_not_followed() -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        error = await failure(channel)
        assert error.permanent
        assert "https://elsewhere.example/" in str(error)
        assert len(receiver.posts) == 1

    with_receiver(act, Receiver(307, {"Location": "https://elsewhere.example/"}))


def test_a_lost_answer_is_in_doubt_and_there_is_nothing_to_look_in() -> None:
    async def abort(request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()

    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        assert (await failure(channel)).unknown
        assert len(receiver.posts) == 1
        assert await channel.find(message(), since=OPENED) is None

    with_receiver(act, Receiver(act=abort))


def test_nobody_listening_means_that_nothing_was_sent() -> None:
    async def act() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            channel = WebhookChannel(f"http://127.0.0.1:{taken.getsockname()[1]}/", SECRET, lambda: NOW)
            error = await failure(channel)
            await channel.close()
        assert (error.permanent, error.unknown) == (False, False)

    asyncio.run(act())


def test_a_huge_answer_is_not_read() -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        assert len(str(await failure(channel))) < 300

    with_receiver(act, Receiver(400, text="x" * 20_000_000))


def test_edits_mean_nothing_here() -> None:
    assert not WebhookChannel("http://x.example/", SECRET, lambda: NOW).is_told_by_edits()


def test_every_state_of_an_incident_and_an_alarm_can_be_written() -> None:
    old = clock(hours=9, superseded_at=OPENED)
    alarm = message(NoticeKind.ALARM, "alarm", incident=None, data={"alarm": "storage"})
    documents: list[Any] = [document(m) for m in (acknowledged(), recovered(), message(clocks=(old, *CLOCKS)), alarm)]
    assert documents[0]["incident"]["acknowledged_by"] == "person:li.na"
    assert documents[1]["incident"]["resolution"] == "recovered"
    assert [len(documents[2]["incident"][key]) for key in ("clocks", "superseded")] == [2, 1]
    assert documents[3]["incident"] is None
    assert json.dumps(documents)


def test_a_key_that_is_not_ascii_still_makes_a_header() -> None:
    async def act(receiver: Receiver, channel: WebhookChannel) -> None:
        await channel.send(replace(message(), key="142:通知\n"))
        assert receiver.posts[0][0]["Idempotency-Key"] == "142:\\u901a\\u77e5\\n"

    with_receiver(act)
