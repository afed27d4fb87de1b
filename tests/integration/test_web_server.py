"""The embedded server: taking the port, answering, and ending in time whatever its readers do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from tocsin.errors import UsageError
from tocsin.web import server as server_module
from tocsin.web.app import build_metrics_app
from tocsin.web.listen import bind, owner_of
from tocsin.web.server import WebServer
from web_parts import a_desk, an_app, ask, run, served, some_metrics


async def read_head(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readuntil(b"\r\n\r\n")


def test_a_port_in_use_is_told_with_who_has_it_and_what_to_do() -> None:
    async def work() -> None:
        async with served(an_app()) as first:
            with pytest.raises(UsageError) as caught:
                await WebServer(an_app(), "127.0.0.1", first.port).start()
            told = str(caught.value)
            assert told.startswith(f"listen: port {first.port} is in use by process {os.getpid()} (")
            assert "set listen: to another port" in told

    run(work())


def test_a_free_port_has_no_owner() -> None:
    listener = bind("listen", "127.0.0.1", 0)
    port = listener.getsockname()[1]
    assert owner_of(port) is not None
    listener.close()
    assert owner_of(port) is None


@pytest.mark.parametrize(
    ("host", "said"), [("203.0.113.77", "no address of this machine"), ("no such host", "no address of this machine")]
)
def test_an_address_that_is_not_ours_is_told(host: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        bind("metrics_listen", host, 0)
    assert str(caught.value).startswith("metrics_listen: ")


def test_the_page_is_served_over_a_real_connection_without_naming_the_server() -> None:
    async def work() -> None:
        async with served(an_app()) as server, httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{server.port}/")
            assert answer.status_code == 200
            assert "server" not in answer.headers

    run(work())


def test_the_daemon_keeps_its_signal_handlers() -> None:
    async def work() -> None:
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        async with served(an_app()):
            assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before

    run(work())


def test_stopping_ends_open_event_streams_at_once() -> None:
    async def work() -> None:
        async with served(an_app()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in await read_head(reader)
            began = time.monotonic()
            await server.stop()
            assert time.monotonic() - began < 1.5
            assert (await reader.read()).endswith(b"0\r\n\r\n"), "ended properly, not cut off"
            writer.close()

    run(work())


def test_stopping_does_not_wait_for_a_reader_that_never_reads() -> None:
    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b"# x\n" * 50_000
            await asyncio.sleep(0)

    async def work() -> None:
        app = build_metrics_app(metrics=flood, health=dict, ready=list)
        async with served(app) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await read_head(reader)
            began = time.monotonic()
            await server.stop(within_s=1)
            assert time.monotonic() - began < 2.5
            writer.close()

    run(work())


def test_a_head_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEADERS_LIMIT_S", 0.2)

    async def work() -> None:
        async with served(an_app()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            writer.close()

    run(work())


def test_a_stopped_server_has_given_its_port_back() -> None:
    async def work() -> int:
        async with served(an_app()) as server:
            return server.port

    port = run(work())
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))


def test_stopping_what_never_started_is_nothing() -> None:
    run(WebServer(an_app(), "127.0.0.1", 0).stop())


def test_the_second_address_serves_only_what_machines_ask_and_to_anybody() -> None:
    reasons = ["the scheduler has not turned for 12 s"]
    app = build_metrics_app(metrics=some_metrics(), health=lambda: {"status": "ok"}, ready=lambda: reasons)

    async def work() -> None:
        async with served(app, setting="metrics_listen") as server, httpx.AsyncClient() as client:
            client.base_url = httpx.URL(f"http://127.0.0.1:{server.port}")
            outside = {"Host": "monitor.example.com", "X-Forwarded-For": "203.0.113.9"}
            assert (await client.get("/metrics", headers=outside)).status_code == 200
            assert (await client.get("/healthz", headers=outside)).json() == {"status": "ok"}
            unready = await client.get("/readyz", headers=outside)
            assert (unready.status_code, unready.json()) == (503, {"ready": False, "reasons": reasons})
            for path in ("/", "/events", "/api/v1/incidents", "/slack/events", "/static/tocsin.css"):
                assert (await client.get(path)).status_code == 404
            assert (await client.post("/metrics")).status_code == 405

    run(work())


def test_ready_is_200_without_reasons() -> None:
    answer = ask(an_app(), "GET", "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": []})


def test_without_slack_its_address_is_not_there() -> None:
    assert ask(an_app(a_desk()), "POST", "/slack/events", content=b"x").status_code == 404


def test_slack_gets_the_status_and_the_body_that_its_channel_answers() -> None:
    async def refuse(headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        return 401, "text/plain; charset=utf-8", b"bad signature"

    answer = ask(
        an_app(slack_events=refuse), "POST", "/slack/events", content=b"x", headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert (answer.status_code, answer.text) == (401, "bad signature")
