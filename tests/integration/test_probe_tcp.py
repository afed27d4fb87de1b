"""What a server can do to a tcp check, on both loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from probe_parts import SHORT, authority, observe, reason_of, run, tcp_check, text_of, until
from tocsin.core.model import Observation, Reason
from tocsin.core.policy import Tls
from tocsin.probes.opening import Opener
from tocsin.probes.resolver import Resolver
from tocsin.probes.tcp import TcpProber
from tocsin.probes.tls import Certificates, Contexts
from tocsin.testing.servers import (
    Script,
    ScriptedServer,
    Visit,
    dripping,
    flooding,
    hanging,
    resetting,
    sending,
    unused_port,
)

pytestmark = pytest.mark.parametrize("client", ["wire", "asyncio"])


@asynccontextmanager
async def prober() -> AsyncIterator[TcpProber]:
    opener = Opener(Resolver(), Contexts())
    made = TcpProber(opener, Certificates())
    try:
        yield made
    finally:
        await made.close()
        opener.resolver.close()
        opener.contexts.close()


def probe(client: str, greet: Script, **options: Any) -> Observation:
    async def work() -> Observation:
        async with ScriptedServer(greet=greet) as server, prober() as one:
            return await observe(one, tcp_check(server.port, **options))

    return run(client, work)


def test_a_port_that_accepts_is_good(client: str) -> None:
    seen = probe(client, hanging())
    assert seen.failure is None
    assert None not in (seen.phases.dns, seen.phases.connect)
    assert (seen.phases.tls, seen.phases.first_byte) == (None, None)


def test_a_port_that_refuses_is_down(client: str) -> None:
    async def work() -> Observation:
        async with prober() as one:
            return await observe(one, tcp_check(unused_port()))

    assert reason_of(run(client, work)) is Reason.REFUSED


def test_a_greeting_is_found(client: str) -> None:
    seen = probe(client, hanging(b"220 mail.example.com ", b"ESMTP\r\n"), expect="^220 .*ESMTP")
    assert seen.failure is None
    assert seen.phases.first_byte is not None


def test_an_answer_to_what_was_sent_is_found(client: str) -> None:
    async def pong(visit: Visit) -> None:
        assert await visit.reader.readline() == b"PING\r\n"
        await visit.send(b"+PONG\r\n")
        await visit.hang()

    assert probe(client, pong, send=b"PING\r\n", expect=r"^\+PONG").failure is None


@pytest.mark.parametrize(
    ("greet", "reason", "word"),
    [
        (sending(b"421 too busy\x00\r\n"), Reason.EXPECTATION, 'answer = "421 too busy�"'),
        (sending(b""), Reason.EXPECTATION, "answer = nothing"),
        (hanging(b"421 no"), Reason.TIMEOUT, "waiting for the expected answer"),
        (dripping(), Reason.TIMEOUT, "waiting for the expected answer"),
        (flooding(b""), Reason.EXPECTATION, "…"),
        (resetting(b"half"), Reason.RESET, "reset"),
    ],
)
def test_what_was_not_expected_is_down(client: str, greet: Script, reason: Reason, word: str) -> None:
    seen = probe(client, greet, expect="^220", timeout=SHORT)
    assert reason_of(seen) is reason
    assert word in text_of(seen)


def test_what_comes_late_in_a_long_answer_is_found(client: str) -> None:
    seen = probe(client, hanging(b"x" * 40_000, b"y", b" ready"), expect="ready$", timeout=timedelta(seconds=2))
    assert seen.failure is None
    assert seen.latency_s < 1.0


def test_a_pattern_that_is_slow_elsewhere_is_quick(client: str) -> None:
    async def work() -> float:
        async with ScriptedServer(greet=sending(b"x" * 60_000)) as server, prober() as one:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await observe(one, tcp_check(server.port, expect="(x+x+)+y"))
            return loop.time() - began

    assert run(client, work) < 2.0


def test_a_greeting_in_tls_is_found_with_the_certificate(client: str, tmp_path: Path) -> None:
    ca = authority(tmp_path)

    async def work() -> Observation:
        greet = hanging(b"* OK IMAP4rev1 ready\r\n")
        async with ScriptedServer(greet=greet, tls=ca.serving("127.0.0.1")) as server, prober() as one:
            return await observe(one, tcp_check(server.port, tls=Tls(ca=str(ca.path)), expect="^.{2}OK"))

    seen = run(client, work)
    assert seen.failure is None
    assert seen.certificate is not None
    assert seen.phases.tls is not None


def test_what_is_under_way_at_the_end_is_told_once(client: str) -> None:
    async def work() -> list[Observation]:
        told: list[Observation] = []
        async with ScriptedServer(greet=hanging()) as server:
            async with prober() as one:
                one.start(tcp_check(server.port, expect="x"), told.append)
                await until(lambda: server.connections)
            await asyncio.sleep(0.02)
        return told

    assert [reason_of(o) for o in run(client, work)] == [Reason.INTERNAL]
