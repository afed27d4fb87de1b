"""A click, over Socket Mode and as a signed request, is the same verb by the same person; nobody else gets in."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slack_parts import PEOPLE, FakeDesk, message
from tocsin.channels.slack.api import SlackApi
from tocsin.channels.slack.http import SlackEvents
from tocsin.channels.slack.inbox import SlackInbox
from tocsin.channels.slack.sender import SlackChannel
from tocsin.core.policy import Person
from tocsin.errors import NotFound, Refused, StoreError
from tocsin.testing.slack import Fault, SlackDouble

Act = Callable[[SlackDouble, SlackInbox, SlackEvents], Awaitable[None]]


def now() -> datetime:
    return datetime.now(UTC)


def with_inbox(act: Act, desk: Any, *, people: dict[str, Person] | None = None, at_once: int = 100) -> None:
    """Run with a page of #142 standing in the channel."""

    async def run() -> None:
        async with SlackDouble() as slack:
            api = SlackApi(slack.bot_token, api_url=slack.api_url)
            inbox = SlackInbox(desk, lambda: PEOPLE if people is None else people, api, at_once=at_once)
            try:
                await SlackChannel(api, slack.channel).send(message())
                await act(slack, inbox, SlackEvents(slack.signing_secret, inbox, now))
            finally:
                await inbox.close()
                await api.close()

    asyncio.run(run())


async def press(slack: SlackDouble, inbox: SlackInbox, action: str = "tocsin_ack", user: str = "U0LINA") -> None:
    await inbox.handle(slack.click_payload(action, 142, user=user), now())


def test_acknowledge_is_the_desks_ack_by_the_known_person_at_the_time_of_the_click() -> None:
    desk = FakeDesk({"acknowledged_by": "person:li.na"})

    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        before = now()
        payload = slack.click_payload("tocsin_ack", 142)
        await inbox.handle(payload, now() + timedelta(seconds=20))
        [(verb, arguments, actor, at)] = desk.calls
        assert (verb, arguments, actor) == ("ack", {"incident": "142"}, "person:li.na")
        assert at is not None
        assert before <= at <= now()
        assert slack.private() == []

    with_inbox(act, desk)


def test_resolve_is_the_desks_resolve() -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        await press(slack, inbox, "tocsin_resolve", "U0WANG")
        assert [(verb, actor) for verb, _, actor, _ in desk.calls] == [("resolve", "person:wang.wei")]

    with_inbox(act, desk)


@pytest.mark.parametrize("action_ts", [None, "soon", "nan", "1.5", "99999999999"])
def test_a_click_whose_own_time_makes_no_sense_counts_from_its_arrival(action_ts: str | None) -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        payload, arrived = slack.click_payload("tocsin_ack", 142), now()
        payload["actions"][0]["action_ts"] = action_ts
        await inbox.handle(payload, arrived)
        assert desk.calls[0][3] == arrived

    with_inbox(act, desk)


def test_a_stranger_may_not_act_and_is_told_privately_what_to_ask_for() -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        await press(slack, inbox, user="U0GUEST")
        assert desk.calls == []
        [said] = slack.private()
        assert said.user == "U0GUEST"
        assert "`people:`" in said.text
        assert "`slack: U0GUEST`" in said.text

    with_inbox(act, desk)


def test_a_slack_id_that_two_people_have_is_nobodys() -> None:
    desk = FakeDesk({})
    twins = {"a": Person("a", "A", slack="U0LINA"), "b": Person("b", "B", slack="U0LINA")}

    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        await press(slack, inbox)
        assert desk.calls == []
        assert "a, b" in slack.private("U0LINA")[0].text

    with_inbox(act, desk, people=twins)


def test_people_without_a_slack_id_are_not_taken_for_a_click_without_a_user() -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        payload = slack.click_payload("tocsin_ack", 142)
        payload["user"] = {}
        await inbox.handle(payload, now())
        assert desk.calls == []

    with_inbox(act, desk, people={"no.slack": Person("no.slack", "No Slack")})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Refused("it still fails (health: refused)"), "Left as it was: it still fails (health: refused)"),
        (NotFound("there is no incident #142"), "Left as it was: there is no incident #142"),
        (StoreError("the disk is full"), "*not* recorded (the disk is full)"),
    ],
)
def test_what_was_not_done_is_said_privately_in_the_persons_language(error: Any, expected: str) -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        await press(slack, inbox, "tocsin_resolve")
        assert expected in slack.private("U0LINA")[0].text
        await press(slack, inbox, "tocsin_resolve", "U0WANG")
        assert "未" in slack.private("U0WANG")[0].text

    with_inbox(act, FakeDesk(error=error))


def test_when_storage_fails_another_way_to_acknowledge_is_named() -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        await press(slack, inbox)
        assert "tocsin ack 142" in slack.private("U0LINA")[0].text

    with_inbox(act, FakeDesk(error=StoreError("locked")))


def test_whoever_is_second_is_told_who_was_first() -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        await press(slack, inbox, user="U0LINA")
        assert "by Wang Wei" in slack.private("U0LINA")[0].text

    with_inbox(act, FakeDesk({"acknowledged_by": "person:wang.wei"}))


def test_a_private_answer_goes_the_other_way_when_the_first_fails() -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        payload = slack.click_payload("tocsin_ack", 142, user="U0GUEST")
        payload["response_url"] = slack.page_url + "no-such-place"
        await inbox.handle(payload, now())
        assert len(slack.private("U0GUEST")) == 1
        assert len(slack.calls_of("chat.postEphemeral")) == 1

    with_inbox(act, FakeDesk())


def test_a_private_answer_that_is_lost_stops_nothing() -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        payload = slack.click_payload("tocsin_ack", 142, user="U0GUEST")
        payload["response_url"] = ""
        slack.script("chat.postEphemeral", [Fault.refused("user_not_in_channel")])
        await inbox.handle(payload, now())
        assert slack.private() == []

    with_inbox(act, FakeDesk())


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"type": "event_callback", "event": {"type": "message"}},
        {"type": "block_actions"},
        {"type": "block_actions", "actions": "x", "user": 5},
        {"type": "block_actions", "actions": [None, {"action_id": "somebody_elses", "value": "142"}]},
    ],
)
def test_what_is_no_button_of_ours_is_left_alone(payload: dict[str, Any]) -> None:
    desk = FakeDesk()

    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        await inbox.handle(payload, now())
        assert desk.calls == []
        assert slack.private() == []

    with_inbox(act, desk)


# --- signed requests --------------------------------------------------------------------------------------------------


def test_a_signed_click_is_answered_at_once_and_done_afterwards() -> None:
    desk = FakeDesk({})

    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        request = slack.signed_click("tocsin_ack", 142)
        assert await events.receive(request.headers, request.body) == (200, "text/plain; charset=utf-8", b"")
        assert desk.calls == []
        await inbox.close()
        assert [verb for verb, *_ in desk.calls] == ["ack"]

    with_inbox(act, desk)


def test_slack_checking_the_address_gets_its_challenge_back() -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB"}).encode()
        status, kind, answer = await events.receive(slack.sign(body, "application/json"), body)
        assert (status, kind, json.loads(answer)) == (200, "application/json", {"challenge": "3eZbrw1aB"})

    with_inbox(act, FakeDesk())


def _without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda h: {},
        lambda h: _without(h, "X-Slack-Signature"),
        lambda h: _without(h, "X-Slack-Request-Timestamp"),
        lambda h: h | {"X-Slack-Signature": "v0=00"},
        lambda h: h | {"X-Slack-Signature": "v0=é"},
        lambda h: h | {"X-Slack-Request-Timestamp": "yesterday"},
        lambda h: h | {"X-Slack-Request-Timestamp": "9" * 400},
        lambda h: h | {"X-Slack-Request-Timestamp": "9" * 5000},
        lambda h: h | {"X-Slack-Request-Timestamp": str(int(time.time()) + 1)},
    ],
)
def test_a_request_without_a_valid_signature_is_not_let_in(spoil: Callable[[dict[str, str]], dict[str, str]]) -> None:
    desk = FakeDesk()

    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        request = slack.signed_click("tocsin_ack", 142)
        status, _, _ = await events.receive(spoil(dict(request.headers)), request.body)
        await inbox.close()
        assert (status, desk.calls) == (401, [])

    with_inbox(act, desk)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_request_from_another_time_is_not_let_in(seconds: int) -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        request = slack.signed_form({"payload": "{}"}, at=time.time() + seconds)
        assert (await events.receive(request.headers, request.body))[0] == 401

    with_inbox(act, FakeDesk())


def test_a_body_that_was_changed_is_not_let_in() -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        request = slack.signed_click("tocsin_ack", 142)
        assert (await events.receive(request.headers, request.body + b"&x=1"))[0] == 401
        assert (await events.receive(request.headers, b"\xff\xfe"))[0] == 401

    with_inbox(act, FakeDesk())


def test_a_huge_body_is_refused_before_anything_is_worked_out() -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        assert (await events.receive({}, b"x" * (1024 * 1024 + 1)))[0] == 413

    with_inbox(act, FakeDesk())


@pytest.mark.parametrize(
    "body", [b"payload=nonsense", b"payload=[1]", b"&" * 60 + b"a=1" * 60, b"payload=" + b"[" * 9000]
)
def test_a_signed_request_that_says_nothing_is_told_so_or_ignored(body: bytes) -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        headers = slack.sign(body, "application/x-www-form-urlencoded")
        assert (await events.receive(headers, body))[0] in (200, 400)

    with_inbox(act, FakeDesk())


def test_an_empty_signing_secret_lets_nobody_in() -> None:
    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        with pytest.raises(ValueError, match="signing_secret"):
            SlackEvents("", inbox, now)

    with_inbox(act, FakeDesk())


class StuckDesk(FakeDesk):
    """Answers nobody until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()

    async def call(self, verb: str, arguments: Any, *, actor: str, at: datetime | None = None) -> Any:
        await self.let_go.wait()
        return await super().call(verb, arguments, actor=actor, at=at)


def test_more_than_can_be_worked_on_is_refused_and_not_piled_up() -> None:
    desk = StuckDesk()

    async def act(slack: SlackDouble, inbox: SlackInbox, events: SlackEvents) -> None:
        request = slack.signed_click("tocsin_ack", 142)
        statuses = [(await events.receive(request.headers, request.body))[0] for _ in range(4)]
        assert statuses == [200, 200, 503, 503]
        desk.let_go.set()
        await inbox.close()
        assert len(desk.calls) == 2
        assert (await events.receive(request.headers, request.body))[0] == 200

    with_inbox(act, desk, at_once=2)


def test_closing_does_not_wait_for_ever() -> None:
    desk = StuckDesk()

    async def act(slack: SlackDouble, inbox: SlackInbox, _: SlackEvents) -> None:
        inbox.accept(slack.click_payload("tocsin_ack", 142), now())
        await inbox.close(within_s=0.05)
        assert inbox.has_room
        assert desk.calls == []

    with_inbox(act, desk)
