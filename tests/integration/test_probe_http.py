"""What a server can do to an http check: the same verdict on the wire client and on the library's, on either loop."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from datetime import timedelta

import pytest

from probe_parts import CLIENTS, SHORT, Judging, http_check, observe, prober, reason_of, run, text_of, until
from tocsin.core.model import Observation, Reason
from tocsin.core.policy import Check
from tocsin.probes.resolver import Address
from tocsin.testing.servers import (
    Script,
    ScriptedServer,
    Seen,
    Silent,
    Visit,
    answering,
    dripping,
    flooding,
    hanging,
    head,
    redirecting,
    resetting,
    sending,
    unused_port,
)

pytestmark = pytest.mark.parametrize("client", CLIENTS)

CHUNKED = ("Transfer-Encoding", "chunked")
OPEN_CHUNKED = head(200, [CHUNKED])


def probe(client: str, script: Script, *, path: str = "/", **options: object) -> Observation:
    """One probe of a server with this script."""

    async def work() -> Observation:
        async with ScriptedServer(script) as server, prober(client) as one:
            return await observe(one, http_check(server.url(path), **options))  # type: ignore[arg-type]

    return run(client, work)


def probe_again(
    client: str, script: Script, times: int = 2, **options: object
) -> tuple[list[Observation], ScriptedServer]:
    """Probes of the same check, one after the other."""

    async def work() -> tuple[list[Observation], ScriptedServer]:
        async with ScriptedServer(script) as server, prober(client) as one:
            check = http_check(server.url(), **options)  # type: ignore[arg-type]
            seen = []
            for _ in range(times):
                seen.append(await observe(one, check))
                # The server's goodbye, when there is one, arrives before the next probe.
                await asyncio.sleep(0.02)
            return seen, server

    return run(client, work)


def assert_fails(observation: Observation, reason: Reason, *words: str) -> None:
    assert reason_of(observation) is reason, observation
    for word in words:
        assert word in text_of(observation)


# --- what is good ---


def test_a_good_answer_is_told_with_all_its_facts(client: str) -> None:
    headers = [("Content-Type", "text/plain; charset=ISO-8859-1"), ("X-Twice", "a"), ("x-twice", "b")]
    seen = probe(client, answering(200, b"f\xfcr dich", headers), path="/health?deep=1")
    assert seen.failure is None
    assert (seen.status, seen.http_version, seen.body, seen.charset) == (200, "1.1", b"f\xfcr dich", "iso-8859-1")
    assert seen.url.endswith("/health?deep=1")
    assert seen.headers["x-twice"] == "a, b"
    assert set(seen.headers) == {"content-type", "x-twice", "content-length"}
    phases = seen.phases
    assert phases.tls is None
    assert None not in (phases.dns, phases.connect, phases.first_byte, phases.transfer)
    assert sum(p or 0.0 for p in phases.as_dict().values()) <= seen.latency_s < 1.0


def test_a_body_that_nobody_asks_for_is_not_kept(client: str) -> None:
    seen = probe(client, answering(200, b"x" * 1000), judged_by=Judging(needs_body=False))
    assert (seen.failure, seen.body) == (None, b"")


def test_the_request_is_as_the_check_says(client: str) -> None:
    async def work() -> Seen:
        async with ScriptedServer() as server, prober(client) as one:
            check = http_check(
                server.url("/in?q=a%20b"),
                method="PUT",
                body=b"hello",
                headers=(("Host", "erp.internal"), ("X-Key", "k")),
                basic=("li", "p:w"),
                compression=False,
            )
            assert (await observe(one, check)).failure is None
            return server.requests[0]

    seen = run(client, work)
    assert (seen.method, seen.path, seen.body) == ("PUT", "/in?q=a%20b", b"hello")
    assert seen.headers["host"] == "erp.internal"
    assert seen.headers["x-key"] == "k"
    assert seen.headers["authorization"] == "Basic bGk6cDp3"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["content-length"] == "5"
    assert seen.headers["user-agent"].startswith("Tocsin/")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_head_request_has_no_body_whatever_the_length_says(client: str, method: str) -> None:
    async def script(visit: Visit) -> None:
        length = [("Content-Length", "5")]
        await visit.send(head(200, length) + (b"" if visit.request.method == "HEAD" else b"hello"))

    seen, server = probe_again(client, script, method=method)
    assert [s.failure for s in seen] == [None, None]
    assert server.connections == 1


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_ends_with_its_head(client: str, status: int) -> None:
    seen = probe(client, hanging(head(status)), timeout=SHORT)
    assert (seen.failure, seen.status) == (None, status)


def test_answers_of_the_kind_1xx_are_passed_over(client: str) -> None:
    early = head(103, [("Link", "</a.css>")]) + b"HTTP/1.1 100 Continue\r\n\r\n"
    seen = probe(client, sending(early, head(200, [("Content-Length", "2")]) + b"ok"))
    assert (seen.failure, seen.status, seen.body) == (None, 200, b"ok")
    assert "link" not in seen.headers


def test_a_body_without_a_length_ends_with_the_connection(client: str) -> None:
    seen = probe(client, sending(head(200, version="1.0") + b"to the ", b"end"))
    assert (seen.failure, seen.http_version, seen.body) == (None, "1.0", b"to the end")


def test_chunks_with_trailers_and_extensions_are_read(client: str) -> None:
    chunks = b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Late: yes\r\n\r\n"
    seen = probe(client, hanging(OPEN_CHUNKED, *(chunks[i : i + 1] for i in range(len(chunks)))), timeout=SHORT * 4)
    assert (seen.failure, seen.body) == (None, b"hello world")
    assert "x-late" not in seen.headers


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\n  c\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_what_old_servers_send_and_browsers_take_is_taken(client: str, sent: bytes) -> None:
    seen = probe(client, sending(sent))
    assert (seen.failure, seen.body) == (None, b"ok")


# --- packed bodies ---


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"hello")),
        ("x-gzip", gzip.compress(b"hello")),
        ("gzip", gzip.compress(b"he") + gzip.compress(b"llo") + b"\0" * 20),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", _raw_deflate(b"hello")),
        ("identity", b"hello"),
        ("unknown", b"hello"),
    ],
)
def test_a_packed_body_is_unpacked(client: str, coding: str, packed: bytes) -> None:
    seen = probe(client, answering(200, packed, [("Content-Encoding", coding)]))
    assert (seen.failure, seen.body) == (None, b"hello")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_said_to_be_packed_and_is_not_fails(client: str, coding: str) -> None:
    seen = probe(client, answering(200, b"not packed at all", [("Content-Encoding", coding)]))
    assert_fails(seen, Reason.PROTOCOL, f"not valid {coding}")


def test_a_packed_body_that_is_cut_fails(client: str) -> None:
    seen = probe(client, answering(200, gzip.compress(b"hello" * 99)[:-12], [("Content-Encoding", "gzip")]))
    assert_fails(seen, Reason.PROTOCOL, "ends in the middle")


def test_a_gzip_bomb_is_defused(client: str) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    seen = probe(client, answering(200, bomb, [("Content-Encoding", "gzip")]))
    assert_fails(seen, Reason.TOO_LARGE, "max_body (1 MiB)")


def test_a_packed_body_that_nobody_asks_for_is_not_unpacked(client: str) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    headers = [("Content-Encoding", "gzip")]
    assert probe(client, answering(200, bomb, headers), judged_by=Judging(needs_body=False)).failure is None


# --- too much ---


@pytest.mark.parametrize("needs_body", [True, False])
@pytest.mark.parametrize("kind", ["length", "chunked", "to the end"])
def test_a_body_beyond_max_body_fails(client: str, kind: str, needs_body: bool) -> None:
    body = b"x" * 2049
    headers = {"length": [("Content-Length", "2049")], "chunked": [CHUNKED], "to the end": []}[kind]
    sent = b"801\r\n" + body + b"\r\n0\r\n\r\n" if kind == "chunked" else body
    seen = probe(client, sending(head(200, headers) + sent), max_body=2048, judged_by=Judging(needs_body))
    assert_fails(seen, Reason.TOO_LARGE, "max_body (2 KiB)")


def test_a_body_of_just_max_body_is_good(client: str) -> None:
    assert probe(client, answering(200, b"x" * 2048), max_body=2048).failure is None


def test_a_flood_ends_at_max_body(client: str) -> None:
    assert_fails(probe(client, flooding(head(200))), Reason.TOO_LARGE)


def test_endless_headers_end_at_their_limit(client: str) -> None:
    start = b"HTTP/1.1 200 OK\r\n"
    assert_fails(probe(client, flooding(start, b"X-More: and more\r\n" * 100)), Reason.TOO_LARGE, "headers")


def test_an_endless_header_line_ends_at_its_limit(client: str) -> None:
    assert_fails(probe(client, flooding(b"HTTP/1.1 200 OK\r\nX-More: ")), Reason.TOO_LARGE, "headers")


def test_a_huge_header_fails(client: str) -> None:
    huge = [("X-Huge", "x" * 70_000), ("Content-Length", "0")]
    assert_fails(probe(client, sending(head(200, huge))), Reason.TOO_LARGE, "headers are larger than 64 KiB")


def test_too_many_headers_fail(client: str) -> None:
    many = [(f"X-{i}", "1") for i in range(250)]
    assert_fails(probe(client, answering(200, b"", many)), Reason.TOO_LARGE, "more than 200 headers")


def test_endless_interim_answers_end(client: str) -> None:
    seen = probe(client, flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100))
    assert_fails(seen, Reason.TOO_LARGE, "headers")


# --- too slow ---


def test_a_server_that_never_accepts_runs_into_the_timeout(client: str) -> None:
    async def work() -> Observation:
        silent = Silent()
        try:
            async with prober(client) as one:
                return await observe(one, http_check(silent.url(), timeout=SHORT))
        finally:
            silent.close()

    assert_fails(run(client, work), Reason.TIMEOUT, "0.3s", "waiting for the first byte", "127.0.0.1:")


def test_a_server_whose_queue_is_full_runs_into_the_timeout(client: str) -> None:
    async def work() -> Observation:
        silent = Silent(is_full=True)
        try:
            async with prober(client) as one:
                return await observe(one, http_check(silent.url(), timeout=SHORT))
        finally:
            silent.close()

    assert_fails(run(client, work), Reason.TIMEOUT, "while connecting")


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        (b"", "waiting for the first byte"),
        (head(200, [("Content-Length", "10")]), "reading the body"),
        (head(200, [("Content-Length", "10")]) + b"12345", "reading the body"),
        (OPEN_CHUNKED + b"5\r\nhel", "reading the body"),
    ],
)
def test_a_server_that_hangs_runs_into_the_timeout(client: str, sent: bytes, word: str) -> None:
    seen = probe(client, hanging(sent), timeout=SHORT)
    assert_fails(seen, Reason.TIMEOUT, word)
    assert 0.29 < seen.latency_s < 1.0


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (head(200, [("Content-Length", "1000000")]), b"x"),
        (OPEN_CHUNKED, b"1\r\nx\r\n"),
    ],
)
def test_a_drip_runs_into_the_timeout(client: str, start: bytes, drop: bytes) -> None:
    assert_fails(probe(client, dripping(start, drop), timeout=SHORT), Reason.TIMEOUT)


def test_redirects_count_against_the_timeout_as_a_whole(client: str) -> None:
    async def script(visit: Visit) -> None:
        await asyncio.sleep(0.12)
        await visit.answer(302, b"", [("Location", visit.request.path + "x")])

    assert_fails(probe(client, script, timeout=SHORT), Reason.TIMEOUT)


# --- broken ---


def test_a_port_without_a_server_refuses(client: str) -> None:
    async def work() -> Observation:
        async with prober(client) as one:
            return await observe(one, http_check(f"http://127.0.0.1:{unused_port()}/"))

    assert_fails(run(client, work), Reason.REFUSED, "127.0.0.1:", "refused")


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nX: ", ""),
        (head(200, [("Content-Length", "10")]) + b"12345", "in the middle"),
        (OPEN_CHUNKED + b"5\r\nhel", "in the middle"),
        (OPEN_CHUNKED + b"5\r\nhello\r\n", "in the middle"),
    ],
)
def test_a_connection_closed_too_early_is_a_reset(client: str, sent: bytes, word: str) -> None:
    assert_fails(probe(client, sending(sent)), Reason.RESET, word)


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", head(200, [("Content-Length", "10")]) + b"12345", head(200)]
)
def test_a_reset_is_a_reset(client: str, sent: bytes) -> None:
    assert_fails(probe(client, resetting(sent)), Reason.RESET)


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"220 mail.example.com ESMTP\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46" + b"\0" * 40,
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        OPEN_CHUNKED + b"nonsense\r\nhello\r\n",
        OPEN_CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
        OPEN_CHUNKED + b"fffffffffffffffffffff\r\nhello\r\n",
    ],
)
def test_what_is_no_http_is_a_protocol_failure(client: str, sent: bytes) -> None:
    assert_fails(probe(client, sending(sent)), Reason.PROTOCOL)


def test_bytes_after_the_answer_do_no_harm(client: str) -> None:
    spare = head(200, [("Content-Length", "2")]) + b"ok" + b"GARBAGE" + head(500)
    seen, _ = probe_again(client, sending(spare, then_close=False), times=3)
    assert [(s.failure, s.status, s.body) for s in seen] == [(None, 200, b"ok")] * 3


# --- kept connections ---


def test_a_connection_is_kept_for_the_next_probe(client: str) -> None:
    seen, server = probe_again(client, answering(200, b"ok"), times=3)
    assert [s.failure for s in seen] == [None] * 3
    assert server.connections == 1
    assert seen[0].phases.connect is not None
    assert seen[1].phases.connect is None
    assert seen[1].phases.dns is None
    assert seen[1].phases.first_byte is not None


def test_always_fresh_is_a_new_connection_for_each_probe(client: str) -> None:
    seen, server = probe_again(client, answering(200, b"ok"), times=3, fresh=timedelta(0))
    assert [s.failure for s in seen] == [None] * 3
    assert server.connections == 3
    assert server.requests[0].headers["connection"] == "close"


def test_a_connection_older_than_fresh_is_made_anew(client: str) -> None:
    _, server = probe_again(client, answering(200, b"ok"), times=3, fresh=timedelta(microseconds=1))
    assert server.connections == 3


def test_a_post_never_uses_a_connection_again(client: str) -> None:
    """A server that hangs up in that moment would get it twice."""
    _, server = probe_again(client, answering(200, b"ok"), times=2, method="POST", body=b"x")
    assert server.connections == 2


@pytest.mark.parametrize("closes", [[("Connection", "close")], []])
def test_a_connection_that_the_server_closed_is_made_anew(client: str, closes: list[tuple[str, str]]) -> None:
    async def script(visit: Visit) -> None:
        await visit.answer(200, b"ok", closes)
        visit.close()

    seen, server = probe_again(client, script, times=3)
    assert [s.failure for s in seen] == [None] * 3
    assert server.connections == 3


def test_a_kept_connection_that_dies_under_the_request_is_tried_again_once(client: str) -> None:
    async def script(visit: Visit) -> None:
        if visit.served > 1:
            visit.reset()
        else:
            await visit.answer(200, b"ok")

    seen, server = probe_again(client, script, times=2)
    assert [s.failure for s in seen] == [None, None]
    assert (server.connections, len(server.requests)) == (2, 3)


def test_a_fresh_connection_that_dies_is_not_tried_again(client: str) -> None:
    async def script(visit: Visit) -> None:
        visit.close()

    seen, server = probe_again(client, script, times=1)
    assert reason_of(seen[0]) is Reason.RESET
    assert len(server.requests) == 1


def test_after_a_failure_the_next_probe_starts_clean(client: str) -> None:
    async def script(visit: Visit) -> None:
        if visit.number == 1:
            await visit.send(head(200, [("Content-Length", "10")]) + b"half")
            await visit.hang()
        await visit.answer(200, b"whole")

    seen, _ = probe_again(client, script, times=2, timeout=SHORT)
    assert reason_of(seen[0]) is Reason.TIMEOUT
    assert (seen[1].failure, seen[1].body) == (None, b"whole")


# --- redirects ---


def test_a_redirect_is_followed_with_its_cookies(client: str) -> None:
    async def work() -> list[Seen]:
        script = redirecting(
            lambda seen: "/in" if seen.path == "/" else None, headers=[("Set-Cookie", "a=b; Path=/; HttpOnly")]
        )
        async with ScriptedServer(script) as server, prober(client) as one:
            check = http_check(server.url(), headers=(("Cookie", "own=1"), ("Authorization", "Bearer s")))
            first = await observe(one, check)
            assert (first.failure, first.status, first.url) == (None, 200, server.url("/in"))
            await observe(one, check)
            return server.requests

    seen = run(client, work)
    assert [s.path for s in seen] == ["/", "/in", "/", "/in"]
    assert [s.headers["cookie"] for s in seen] == ["own=1", "own=1; a=b"] * 2
    assert seen[1].headers["authorization"] == "Bearer s"


def test_another_origin_sees_no_secret(client: str) -> None:
    async def work() -> Seen:
        async with ScriptedServer() as other:
            script = redirecting(lambda _: other.url("/there"), headers=[("Set-Cookie", "a=b")])
            async with ScriptedServer(script) as server, prober(client) as one:
                headers = (("X-Api-Key", "s"), ("Cookie", "c=s"), ("Accept-Language", "de"), ("Host", "erp.internal"))
                seen = await observe(one, http_check(server.url(), headers=headers, basic=("u", "p")))
                assert (seen.failure, seen.url) == (None, other.url("/there"))
                return other.requests[0]

    seen = run(client, work)
    # Cookies go by host, without the port (RFC 6265, 8.5).
    assert seen.headers.get("cookie") == "a=b"
    assert not {"authorization", "x-api-key"} & set(seen.headers)
    assert seen.headers["accept-language"] == "de"
    assert seen.headers["host"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (307, "POST", "POST", b"x"),
        (308, "PUT", "PUT", b"x"),
        (301, "HEAD", "HEAD", b""),
    ],
)
def test_the_method_after_a_redirect(client: str, status: int, method: str, then: str, body: bytes) -> None:
    async def work() -> Seen:
        script = redirecting(lambda seen: "/in" if seen.path == "/" else None, status)
        async with ScriptedServer(script) as server, prober(client) as one:
            check = http_check(server.url(), method=method, body=b"x" if method != "HEAD" else b"")
            assert (await observe(one, check)).failure is None
            return server.requests[1]

    seen = run(client, work)
    assert (seen.method, seen.body) == (then, body)


def test_a_body_does_not_go_to_another_origin(client: str) -> None:
    async def work() -> Observation:
        async with (
            ScriptedServer() as other,
            ScriptedServer(redirecting(lambda _: other.url(), 307)) as server,
            prober(client) as one,
        ):
            seen = await observe(one, http_check(server.url(), method="POST", body=b"secret"))
            assert not other.requests
            return seen

    assert_fails(run(client, work), Reason.REDIRECT, "another origin")


@pytest.mark.parametrize(
    ("to", "word"),
    [
        (lambda seen: seen.path, "in a circle"),
        (lambda seen: "/a" if seen.path == "/b" else "/b", "in a circle"),
        (lambda seen: seen.path + "x", "more than 10 redirects"),
        (lambda _: "ftp://127.0.0.1/", "no http"),
        (lambda _: "javascript:alert(1)", "no http"),
        (lambda _: "http://127.0.0.1:99999/", "no http"),
        (lambda _: "/" + "x" * 9000, "longer than"),
    ],
)
def test_redirects_that_lead_nowhere_fail(client: str, to: object, word: str) -> None:
    assert_fails(probe(client, redirecting(to)), Reason.REDIRECT, word)  # type: ignore[arg-type]


def test_a_redirect_is_judged_where_none_is_followed(client: str) -> None:
    seen = probe(client, redirecting(lambda _: "/in"), redirects=0)
    assert (seen.failure, seen.status) == (None, 302)


def test_a_redirect_without_a_place_is_judged(client: str) -> None:
    assert probe(client, answering(301, b"where to?")).status == 301


def test_the_body_of_a_redirect_does_not_matter(client: str) -> None:
    async def script(visit: Visit) -> None:
        if visit.request.path == "/in":
            await visit.answer(200, b"arrived")
        else:
            await visit.send(head(302, [("Location", "/in"), ("Content-Length", "5000000")]) + b"x" * 5000)
            await visit.hang()

    seen = probe(client, script, max_body=100, timeout=timedelta(seconds=2))
    assert (seen.failure, seen.body) == (None, b"arrived")


# --- names and addresses ---


def test_a_name_that_does_not_exist_is_a_dns_failure(client: str) -> None:
    def look(host: str, ip: str) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def work() -> Observation:
        async with prober(client, look) as one:
            return await observe(one, http_check("http://erp.invalid/"))

    assert_fails(run(client, work), Reason.DNS, "erp.invalid", "not known")


def test_a_name_service_that_hangs_runs_into_the_timeout(client: str, waiting: Waiting) -> None:
    async def work() -> Observation:
        async with prober(client, waiting.look) as one:
            return await observe(one, http_check("http://erp.test/", timeout=SHORT))

    assert_fails(run(client, work), Reason.TIMEOUT, "looking up erp.test")


def test_an_ipv6_server_is_reached(client: str) -> None:
    async def work() -> Observation:
        async with ScriptedServer(host="::1") as server, prober(client) as one:
            seen = await observe(one, http_check(server.url("/six")))
            assert server.requests[0].headers["host"] == f"[::1]:{server.port}"
            return seen

    assert run(client, work).failure is None


@pytest.mark.parametrize(("ip", "works"), [("any", True), ("6", True), ("4", False)])
def test_only_the_wanted_addresses_are_used(client: str, ip: str, works: bool) -> None:
    async def work() -> Observation:
        async with ScriptedServer(host="::1") as server, prober(client) as one:
            return await observe(one, http_check(server.url(), ip=ip))

    seen = run(client, work)
    assert reason_of(seen) is (Reason.OK if works else Reason.DNS)


def test_a_dead_address_is_overtaken_by_a_living_one(client: str) -> None:
    async def work() -> Observation:
        silent = Silent(is_full=True)
        try:
            async with ScriptedServer(host="::1") as server:
                # The same port on IPv4 does not answer; the order of the system puts it first.
                def look(host: str, ip: str) -> list[Address]:
                    return [Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET6, "::1")]

                async with prober(client, look) as one:
                    return await observe(one, http_check(server.url(host="erp.test"), timeout=timedelta(seconds=2)))
        finally:
            silent.close()

    assert run(client, work).failure is None


# --- ends ---


def test_what_is_under_way_at_the_end_is_told_once(client: str) -> None:
    async def work() -> list[Observation]:
        told: list[Observation] = []
        async with ScriptedServer(hanging()) as server:
            async with prober(client) as one:
                for number in range(3):
                    one.start(http_check(server.url(), name=f"c{number}"), told.append)
                await until(lambda: len(server.requests) == 3)
            await asyncio.sleep(0.05)
        return told

    assert [reason_of(o) for o in run(client, work)] == [Reason.INTERNAL] * 3


def test_a_check_that_went_away_keeps_no_connection(client: str) -> None:
    async def work() -> None:
        gone = asyncio.Event()

        async def script(visit: Visit) -> None:
            await visit.answer(200, b"ok")
            await visit.hang()
            gone.set()

        async with ScriptedServer(script) as server, prober(client) as one:
            check = http_check(server.url())
            await observe(one, check)
            one.forget(check)
            await asyncio.wait_for(gone.wait(), 2.0)

    run(client, work)


@pytest.mark.parametrize(
    "options", [{"headers": (("X", "a\r\nEvil: 1"),)}, {"headers": (("X", "漢"),)}, {"basic": ("u\r\n", "p")}]
)
def test_what_cannot_be_sent_is_our_own_trouble(client: str, options: dict[str, object]) -> None:
    async def work() -> tuple[Observation, int]:
        async with ScriptedServer() as server, prober(client) as one:
            return await observe(one, http_check(server.url(), **options)), len(server.requests)  # type: ignore[arg-type]

    seen, requests = run(client, work)
    if "basic" in options:
        assert seen.failure is None
    else:
        assert_fails(seen, Reason.INTERNAL, "cannot be sent")
        assert requests == 0


def test_no_text_shows_a_secret(client: str) -> None:
    secret = "hunter2"
    headers = (("Authorization", f"Bearer {secret}"), ("X-Key", secret))

    def check(port: int, path: str) -> Check:
        url = f"http://li:{secret}@127.0.0.1:{port}{path}"
        return http_check(url, headers=headers, basic=("li", secret), timeout=SHORT)

    async def script(visit: Visit) -> None:
        match visit.request.path:
            case "/loop":
                await visit.answer(302, b"", [("Location", "/loop")])
            case "/garbage":
                await visit.send(b"garbage")
                visit.close()
            case "/hang":
                await visit.hang()
            case "/away":
                await visit.answer(302, b"", [("Location", f"ftp://li:{secret}@127.0.0.1/")])
            case _:
                visit.reset()

    async def work() -> list[Observation]:
        async with ScriptedServer(script) as server, prober(client) as one:
            ports = [server.port] * 5 + [unused_port()]
            paths = ["/loop", "/garbage", "/hang", "/away", "/reset", "/refused"]
            return [await observe(one, check(port, path)) for port, path in zip(ports, paths, strict=True)]

    seen = run(client, work)
    assert all(o.failure is not None for o in seen)
    assert not [o for o in seen if secret in text_of(o) or secret in o.url]


class Waiting:
    """A name service that does not answer until it is told to."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def look(self, host: str, ip: str) -> list[Address]:
        self.gate.wait(10.0)
        return [Address(socket.AF_INET, "127.0.0.1")]


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    made = Waiting()
    yield made
    made.gate.set()
