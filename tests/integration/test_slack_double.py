"""The Slack double itself: it refuses what Slack refuses, forgets what is old, and shows its channel on a page whose buttons work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from slack_parts import message
from tocsin.channels.slack.api import SlackApi
from tocsin.channels.slack.sender import SlackChannel
from tocsin.testing.slack import Pace, SlackDouble
from tocsin.testing.slack_emoji import drawn
from tocsin.testing.slack_mrkdwn import mrkdwn
from tocsin.testing.slack_workspace import MESSAGES_KEPT

Act = Callable[[SlackDouble, AsyncWebClient], Awaitable[None]]


def with_client(act: Act, **options: Any) -> None:
    async def run() -> None:
        async with SlackDouble(**options) as slack:
            await act(slack, AsyncWebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[]))

    asyncio.run(run())


async def error_of(call: Awaitable[Any]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


def test_slacks_own_library_can_talk_to_it() -> None:
    async def act(slack: SlackDouble, client: AsyncWebClient) -> None:
        assert (await client.auth_test())["user_id"] == "U0TOCSIN"
        posted = await client.chat_postMessage(
            channel="C0DEMO", text="hello", metadata={"event_type": "a", "event_payload": {"key": "k"}}
        )
        await client.chat_postMessage(channel="C0DEMO", text="reply", thread_ts=posted["ts"])
        await client.chat_update(channel="C0DEMO", ts=posted["ts"], text="changed")
        bare = await client.conversations_history(channel="C0DEMO")
        assert [m["text"] for m in bare["messages"]] == ["changed"]
        assert "metadata" not in bare["messages"][0]
        whole = await client.conversations_replies(channel="C0DEMO", ts=posted["ts"], include_all_metadata=True)
        assert [m["text"] for m in whole["messages"]] == ["changed", "reply"]
        assert whole["messages"][0]["metadata"]["event_payload"] == {"key": "k"}
        assert (await client.users_info(user="U0LINA"))["user"]["real_name"] == "Li Na"
        assert (await client.conversations_info(channel="C0DEMO"))["channel"]["name"] == "incidents"
        assert (await client.views_open(trigger_id="1", view={"type": "modal"}))["view"]["type"] == "modal"

    with_client(act)


def test_it_refuses_what_slack_refuses() -> None:
    async def act(slack: SlackDouble, client: AsyncWebClient) -> None:
        post = client.chat_postMessage
        assert await error_of(post(channel="C0NONE", text="x")) == "channel_not_found"
        assert await error_of(post(channel="C0DEMO", text="x", thread_ts="1.1")) == "thread_not_found"
        assert await error_of(post(channel="C0DEMO", text="x", blocks=[{"type": "nonsense"}])) == "invalid_blocks"
        assert await error_of(client.chat_update(channel="C0DEMO", ts="1.1", text="x")) == "message_not_found"
        assert await error_of(client.users_info(user="U0NOBODY")) == "user_not_found"
        assert await error_of(client.api_call("chat.sing")) == "unknown_method"
        slack.methods.scopes.remove("channels:history")
        assert await error_of(client.conversations_history(channel="C0DEMO")) == "missing_scope"

    with_client(act)


@pytest.mark.parametrize(
    ("token", "error"), [("", "not_authed"), ("xoxb-other", "invalid_auth"), ("xapp-double", "not_allowed_token_type")]
)
def test_it_lets_in_only_its_own_token(token: str, error: str) -> None:
    async def act(slack: SlackDouble, client: AsyncWebClient) -> None:
        client.token = token
        assert await error_of(client.auth_test()) == error
        slack.is_revoked = True

    with_client(act)


def test_a_channel_takes_a_burst_and_then_its_pace() -> None:
    async def act(slack: SlackDouble, client: AsyncWebClient) -> None:
        for _ in range(3):
            await client.chat_postMessage(channel="C0DEMO", text="x")
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel="C0DEMO", text="x")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "2"

    with_client(act, pace=Pace(per_second=0.5, burst=3))


def test_old_messages_are_forgotten() -> None:
    async def act(slack: SlackDouble, client: AsyncWebClient) -> None:
        for number in range(MESSAGES_KEPT + 3):
            slack.methods.call("chat.postMessage", {"channel": "C0DEMO", "text": str(number)})
        assert len(slack.messages()) == MESSAGES_KEPT
        assert slack.messages()[0].text == "3"
        assert len({m.ts for m in slack.messages()}) == MESSAGES_KEPT

    with_client(act)


def test_slacks_own_socket_client_can_listen_to_it() -> None:
    async def act(slack: SlackDouble, client: AsyncWebClient) -> None:
        heard: list[str] = []

        async def listen(socket: Any, request: SocketModeRequest) -> None:
            heard.append(request.payload["actions"][0]["action_id"])
            await socket.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

        await SlackChannel(api := SlackApi(slack.bot_token, api_url=slack.api_url), "C0DEMO").send(message())
        await api.close()
        listening = SocketModeClient(slack.app_token, web_client=client)
        listening.socket_mode_request_listeners.append(listen)  # type: ignore[arg-type]
        await listening.connect()
        await slack.sockets.until_connected()
        await slack.click("tocsin_ack", 142)
        assert heard == ["tocsin_ack"]
        with pytest.raises(LookupError):
            await slack.click("tocsin_ack", 7)
        await listening.close()

    with_client(act)


def test_an_address_for_a_socket_is_good_for_one_connection() -> None:
    async def act(slack: SlackDouble, client: AsyncWebClient) -> None:
        address = str((await client.apps_connections_open(app_token=slack.app_token))["url"])
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(address) as connection:
                assert (await connection.receive_json())["type"] == "hello"
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(address)

    with_client(act)


def test_the_page_shows_the_channel_and_presses_its_buttons() -> None:
    async def act(slack: SlackDouble, client: AsyncWebClient) -> None:
        api = SlackApi(slack.bot_token, api_url=slack.api_url)
        await SlackChannel(api, "C0DEMO").send(message())
        await api.close()
        async with aiohttp.ClientSession(slack.page_url) as session:
            async with session.get("/") as page:
                assert "Demo workspace" in await page.text()
                assert "default-src 'none'" in page.headers["Content-Security-Policy"]
            async with session.get("/page/state") as answer:
                state = await answer.json()
            [shown] = state["channels"][0]["messages"]
            assert "P1 open: ERP #142" in shown["html"]
            assert 'data-action="tocsin_ack"' in shown["html"]
            async with session.get(f"/page/state?have={state['version']}") as answer:
                assert answer.status == 204
            pressed = {"channel": "C0DEMO", "ts": shown["ts"], "action": "tocsin_ack", "user": "U0LINA"}
            async with session.post("/page/click", json=pressed) as answer:
                assert answer.status == 502
            async with session.post("/page/click", json={**pressed, "user": "U0NOBODY"}) as answer:
                assert answer.status == 404
            async with session.post("/page/click", data=pressed) as answer:
                assert answer.status == 415

    with_client(act)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _slanted_ ~gone~", "<b>bold</b> <i>slanted</i> <s>gone</s>"),
        ("2*3*4 snake_case_name", "2*3*4 snake_case_name"),
        ("`a *b*` c", "<code>a *b*</code> c"),
        ("```\n<b>\n```", "<pre>&lt;b&gt;</pre>"),
        ("<@U0LINA> &lt;script&gt;", '<span class="mention">@Li Na</span> &lt;script&gt;'),
        ("<!channel>", '<span class="mention loud">@channel</span>'),
        ("<script>", "script"),
        ("<javascript:alert(1)|x>", "javascript:alert(1)|x"),
        (
            '<https://x.example/?a=1&amp;b="|y>',
            '<a href="https://x.example/?a=1&amp;b=&quot;" target="_blank" rel="noopener noreferrer">y</a>',
        ),
        ("<!date^17^{ago}|then>", '<time data-at="17" data-format="{ago}">then</time>'),
    ],
)
def test_markup_is_shown_as_slack_shows_it_and_nothing_else_gets_through(text: str, html: str) -> None:
    assert mrkdwn(text, {"U0LINA": "Li Na"}) == html


def test_emoji_are_drawn_in_text_and_not_in_tags() -> None:
    assert drawn('<p title="🔴">🔴</p>').startswith('<p title="🔴"><svg')
