"""Who may ask for what until logins exist."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tocsin.web.guard import MAX_BODY, TimeLimit
from web_parts import a_desk, an_app, ask, run

FORWARDED = [
    {"Forwarded": "for=203.0.113.5"},
    {"X-Forwarded-For": "203.0.113.5"},
    {"X-Forwarded-Host": "tocsin.example.com"},
    {"X-Forwarded-Anything": "1"},
    {"X-Real-IP": "203.0.113.5"},
    {"Via": "1.1 proxy"},
    {"CF-Connecting-IP": "203.0.113.5"},
]
STRANGE_HOSTS = [
    "tocsin.example.com",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "10.0.0.5:8600",
    "[2001:db8::1]:8600",
    "127.1",
    "",
]


@pytest.mark.parametrize("headers", FORWARDED, ids=lambda h: next(iter(h)))
@pytest.mark.parametrize(
    "path", ["/", "/api/v1/incidents", "/incidents/142", "/events", "/metrics", "/readyz", "/static/tocsin.css"]
)
def test_a_forwarded_request_gets_no_page(headers: Mapping[str, str], path: str) -> None:
    answer = ask(an_app(), "GET", path, headers=headers)
    assert answer.status_code == 403
    assert "no logins yet" in answer.text


@pytest.mark.parametrize("host", STRANGE_HOSTS)
def test_a_host_that_is_not_loopback_gets_no_page(host: str) -> None:
    assert ask(an_app(), "GET", "/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9000", "LOCALHOST:9000", "127.0.0.1", "127.8.8.8:1", "[::1]:8600", "[::1]"]
)
def test_every_way_to_write_loopback_gets_the_page(host: str) -> None:
    assert ask(an_app(), "GET", "/", headers={"Host": host}).status_code == 200


def test_a_peer_that_is_not_loopback_gets_no_page() -> None:
    assert ask(an_app(), "GET", "/", peer="10.0.0.9").status_code == 403


def test_two_hosts_are_no_host() -> None:
    answer = ask(an_app(), "GET", "/", headers=[("Host", "127.0.0.1"), ("Host", "evil.example.com")])
    assert answer.status_code == 403


def test_what_carries_its_own_proof_may_come_through_a_proxy() -> None:
    async def accept(headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        return 200, "text/plain", headers["x-slack-signature"].encode() + b" " + body

    outside = {"X-Forwarded-For": "203.0.113.5", "Host": "tocsin.example.com"}
    app = an_app(slack_events=accept)
    answer = ask(app, "POST", "/slack/events", headers={**outside, "X-Slack-Signature": "v0=ab"}, content=b"payload=1")
    assert (answer.status_code, answer.text) == (200, "v0=ab payload=1")
    assert ask(app, "GET", "/healthz", headers=outside).status_code == 200
    for path in ("/act/token", "/hook/token", "/heartbeat/token"):
        assert ask(app, "GET", path, headers=outside).status_code == 404, "let through; nothing lives there yet"


def test_a_refused_api_request_is_answered_in_json() -> None:
    answer = ask(an_app(), "GET", "/api/v1/incidents", headers={"Via": "1.1 proxy"})
    assert answer.json()["ok"] is False
    assert "proxy" in answer.json()["errors"][0]["message"]


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8600"},
    {"Origin": "https://evil.example.com"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/incidents/142/ack", "/api/v1/incidents/142/ack"])
def test_an_act_from_another_origin_is_refused(headers: Mapping[str, str], path: str) -> None:
    desk = a_desk()
    assert ask(an_app(desk), "POST", path, headers=headers).status_code == 403
    assert desk.incidents[142]["state"] == "open"


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://127.0.0.1:8600"}, {"Sec-Fetch-Site": "same-origin"}], ids=str
)
def test_an_act_from_the_page_or_a_script_is_done(headers: Mapping[str, str]) -> None:
    desk = a_desk()
    assert ask(an_app(desk), "POST", "/api/v1/incidents/142/ack", headers=headers).status_code == 200
    assert desk.incidents[142]["state"] == "acknowledged"


def test_a_body_beyond_the_limit_is_refused_before_it_is_used() -> None:
    desk = a_desk()
    answer = ask(an_app(desk), "POST", "/incidents/142/note", content=b"text=" + b"x" * MAX_BODY)
    assert answer.status_code == 413
    assert [verb for verb, _, _ in desk.asked] == []


def test_a_request_that_takes_too_long_is_ended() -> None:
    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    run(TimeLimit(hang, limit_s=0.01)({"type": "http", "path": "/", "method": "GET"}, receive, send))
    assert sent[0]["status"] == 503  # type: ignore[index]


def test_the_event_stream_has_no_time_limit() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.02)
        await PlainTextResponse("done")(scope, receive, send)

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    run(TimeLimit(slow, limit_s=0.001)({"type": "http", "path": "/events", "method": "GET"}, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/v1/incidents", "/metrics", "/static/tocsin.js"])
def test_every_answer_tells_the_browser_how_to_treat_it(path: str) -> None:
    headers = ask(an_app(), "GET", path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


def test_a_fault_of_our_own_is_a_plain_500_without_its_inside() -> None:
    desk = a_desk()
    desk.trouble = RuntimeError("secret detail")
    for path in ("/", "/api/v1/incidents"):
        answer = ask(an_app(desk), "GET", path)
        assert answer.status_code == 500
        assert "secret detail" not in answer.text
        assert "x-content-type-options" in answer.headers
