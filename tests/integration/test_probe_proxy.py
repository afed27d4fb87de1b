"""Probes through a proxy: what the wire client does not speak goes through the library."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from pathlib import Path

import pytest

from probe_parts import authority, http_check, observe, prober, reason_of, run, text_of
from tocsin.core.model import Observation, Reason
from tocsin.core.policy import Tls
from tocsin.testing.servers import Script, ScriptedServer, Visit, answering, sending, unused_port

OWN = ("li", "p:w")
WANTED = "Basic " + base64.b64encode(b"li:p:w").decode()


async def proxy(visit: Visit) -> None:
    """CONNECT makes a tunnel; what comes with a whole URL is fetched, as far as this test needs it."""
    if visit.request.headers.get("proxy-authorization") != WANTED:
        await visit.answer(407)
    elif visit.request.method == "CONNECT":
        host, _, port = visit.request.path.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await visit.send(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await asyncio.gather(_copy(visit.reader, writer), _copy(reader, visit.writer))
        finally:
            writer.close()
    else:
        await visit.answer(200, f"fetched {visit.request.path}".encode())


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()


def through(script: Script, url: str, user: str = "li:p%3Aw@", tls: Tls | None = None) -> Observation:
    async def work() -> Observation:
        async with ScriptedServer(script) as middle, prober("library") as one:
            at = f"http://{user}127.0.0.1:{middle.port}"
            return await observe(one, http_check(url, proxy=at, tls=tls or Tls()))

    return run("library", work)


def test_a_proxy_fetches_plain_http() -> None:
    seen = through(proxy, "http://erp.test/health?x=1")
    assert (seen.failure, seen.body) == (None, b"fetched http://erp.test/health?x=1")
    assert seen.url == "http://erp.test/health?x=1"


def test_a_proxy_makes_a_tunnel_for_https(tmp_path: Path) -> None:
    ca = authority(tmp_path)

    async def work() -> Observation:
        async with (
            ScriptedServer(answering(200, b"in"), tls=ca.serving("erp.example.com")) as server,
            ScriptedServer(proxy) as middle,
            prober("library") as one,
        ):
            at = f"http://li:p%3Aw@127.0.0.1:{middle.port}"
            tls = Tls(ca=str(ca.path), server_name="erp.example.com")
            return await observe(one, http_check(server.url("/x"), proxy=at, tls=tls))

    seen = run("library", work)
    assert (seen.failure, seen.body) == (None, b"in")
    assert seen.certificate is not None
    assert seen.phases.tls is not None


@pytest.mark.parametrize("url", ["http://erp.test/", "https://erp.test/"])
@pytest.mark.parametrize(
    ("script", "user", "word"),
    [(proxy, "li:hunter2@", "407"), (sending(b""), "", "")],
)
def test_a_proxy_that_does_not_help_says_so(url: str, script: Script, user: str, word: str) -> None:
    seen = through(script, url, user)
    assert reason_of(seen) is (Reason.PROXY if word else Reason.RESET)
    assert word in text_of(seen)
    assert "hunter2" not in text_of(seen)


def test_a_proxy_that_cannot_be_reached_is_the_proxy_s_failure() -> None:
    async def work() -> Observation:
        async with prober("library") as one:
            at = f"http://li:hunter2@127.0.0.1:{unused_port()}"
            return await observe(one, http_check("http://erp.test/", proxy=at))

    seen = run("library", work)
    assert reason_of(seen) is Reason.PROXY
    assert "refused" in text_of(seen)
    assert "hunter2" not in text_of(seen)
