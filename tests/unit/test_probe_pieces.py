"""The parts of the probes that need no socket: requests, redirects, bodies, answers, names, races, words for failures."""

from __future__ import annotations

import asyncio
import errno
import gzip
import socket
import zlib
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.model import Reason
from tocsin.core.policy import HttpTarget
from tocsin.probes.dial import interleaved, race
from tocsin.probes.failures import ProbeFailed, of_lookup_error, of_os_error
from tocsin.probes.http.answer import Answer
from tocsin.probes.http.body import Body, body_for
from tocsin.probes.http.headers import Headers
from tocsin.probes.http.redirect import Redirects
from tocsin.probes.http.request import first_request
from tocsin.probes.resolver import Address, Lookup, Resolver
from tocsin.probes.workers import Workers

FOUR, SIX = Address(socket.AF_INET, "192.0.2.1"), Address(socket.AF_INET6, "2001:db8::1")


# --- requests ---


def test_a_request_is_ready_as_bytes() -> None:
    request = first_request(HttpTarget("http://erp.test/health?x=1"))
    lines = request.raw.split(b"\r\n")
    assert lines[0] == b"GET /health?x=1 HTTP/1.1"
    assert lines[1] == b"Host: erp.test"
    assert b"Accept-Encoding: gzip, deflate" in lines
    assert request.raw.endswith(b"\r\n\r\n")
    assert b"Connection" not in request.raw


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("HTTP://ERP.test:80", b"erp.test", b"/"),
        ("https://erp.test:443/", b"erp.test", b"/"),
        ("https://erp.test:80/a?", b"erp.test:80", b"/a"),
        ("http://[2001:DB8::1]:8080/a;b=c?d=%20&e=f#g", b"[2001:db8::1]:8080", b"/a;b=c?d=%20&e=f"),
        ("http://li:p%40w@erp.test/a b", b"erp.test", b"/a%20b"),
        ("http://bücher.test/ü", b"xn--bcher-kva.test", b"/%C3%BC"),
    ],
)
def test_addresses_become_host_and_path(url: str, host: bytes, path: bytes) -> None:
    raw = first_request(HttpTarget(url)).raw
    assert raw.startswith(b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n")


def test_user_and_password_of_an_address_become_a_header_and_nothing_else() -> None:
    request = first_request(HttpTarget("http://li:p%40w@erp.test/"))
    assert b"Authorization: Basic bGk6cEB3" in request.raw
    assert "p%40w" not in request.url
    assert "p%40w" not in repr(request)


@pytest.mark.parametrize("url", ["", "erp.test", "ftp://erp.test/", "http://", "http:///x", "http://erp.test:0x/"])
def test_what_is_no_address_of_a_web_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        first_request(HttpTarget(url))


@pytest.mark.parametrize(
    ("target", "closes"),
    [
        (HttpTarget("http://a/", fresh=timedelta(0)), True),
        (HttpTarget("http://a/", method="POST"), True),
        (HttpTarget("http://a/", method="HEAD"), False),
        (HttpTarget("http://a/", fresh=None), False),
    ],
)
def test_a_connection_that_is_not_kept_is_announced(target: HttpTarget, closes: bool) -> None:
    assert (b"\r\nConnection: close\r\n" in first_request(target).raw) is closes


# --- redirects ---


def follow(location: str, url: str = "http://erp.test/a/b", **options: object) -> tuple[str, bytes]:
    redirects = Redirects(first_request(HttpTarget(url, **options)), 10)  # type: ignore[arg-type]
    following = redirects.follow(302, Headers([(b"Location", location.encode())]))
    return following.url, following.raw


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("c", "http://erp.test/a/c"),
        ("/c?d", "http://erp.test/c?d"),
        ("?x", "http://erp.test/a/b?x"),
        ("//crm.test/x#y", "http://crm.test/x"),
        ("https://erp.test:8443", "https://erp.test:8443/"),
        ("/ü b", "http://erp.test/%C3%BC%20b"),
        ("HTTPS://li:secret@ERP.test/", "https://erp.test/"),
    ],
)
def test_a_place_is_read_as_browsers_do(location: str, url: str) -> None:
    assert follow(location)[0] == url


@pytest.mark.parametrize(
    ("location", "goes_along"),
    [
        ("/in", True),
        ("https://erp.test/", True),
        ("http://erp.test:8080/", False),
        ("https://erp.test:8443/", False),
        ("https://crm.test/", False),
    ],
)
def test_secrets_go_along_only_to_their_origin_or_its_https(location: str, goes_along: bool) -> None:
    raw = follow(location, headers=(("X-Key", "s"),), basic=("u", "p"))[1]
    assert (b"X-Key: s" in raw) is goes_along
    assert (b"Authorization" in raw) is goes_along


def test_secrets_do_not_go_back_from_https_to_http() -> None:
    assert b"Authorization" not in follow("http://erp.test/", "https://erp.test/", basic=("u", "p"))[1]


def test_a_page_that_sets_a_cookie_and_asks_again_is_no_circle() -> None:
    redirects = Redirects(first_request(HttpTarget("http://erp.test/")), 10)
    to_itself = [(b"Location", b"/")]
    again = redirects.follow(302, Headers([*to_itself, (b"Set-Cookie", b"s=1; Path=/")]))
    assert b"Cookie: s=1" in again.raw
    with pytest.raises(ProbeFailed, match="in a circle"):
        redirects.follow(302, Headers(to_itself))


def test_cookies_stay_with_their_host() -> None:
    redirects = Redirects(first_request(HttpTarget("http://erp.test/")), 10)
    there = redirects.follow(302, Headers([(b"Location", b"http://crm.test/"), (b"Set-Cookie", b"s=1")]))
    assert b"Cookie" not in there.raw
    back = redirects.follow(302, Headers([(b"Location", b"http://erp.test/x"), (b"Set-Cookie", b"t=2")]))
    assert b"Cookie: s=1\r\n" in back.raw


# --- bodies ---


def unpack(coding: str, *pieces: bytes, limit: int = 1 << 20) -> bytes:
    body: Body = body_for(True, limit, coding, True)
    for piece in pieces:
        body.add(piece)
    return body.whole()


@given(st.binary(max_size=2000), st.sampled_from(["gzip", "deflate"]), st.integers(1, 50))
def test_a_packed_body_in_any_pieces_comes_out_whole(data: bytes, coding: str, size: int) -> None:
    packed = gzip.compress(data) if coding == "gzip" else zlib.compress(data)
    assert unpack(coding, *(packed[i : i + size] for i in range(0, len(packed), size))) == data


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_limit_holds_to_the_byte(size: int, limit: int) -> None:
    packed = gzip.compress(b"\0" * size)
    if len(packed) > limit or size > limit:
        with pytest.raises(ProbeFailed, match="max_body"):
            unpack("gzip", packed, limit=limit)
    else:
        assert len(unpack("gzip", packed, limit=limit)) == size


def test_an_empty_packed_body_is_empty() -> None:
    assert unpack("gzip") == b""


# --- answers ---


def answer(**options: bool) -> Answer:
    return Answer("GET", needs_body=True, max_body=1 << 20, unpacks=True, follows=options.get("follows", False))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40))
def test_an_answer_in_any_pieces_is_the_same(sizes: list[int]) -> None:
    raw = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-T: t\r\n\r\n"
    )
    one = answer()
    while raw:
        size = sizes[len(raw) % len(sizes)]
        one.feed(raw[:size])
        raw = raw[size:]
    assert one.is_complete
    assert one.keeps_alive
    assert (one.status, one.body(), dict(one.headers)) == (
        200,
        b"hello world",
        {"x-a": "b", "transfer-encoding": "chunked"},
    )


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_fail(data: bytes) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        one = answer()
        with suppress(ProbeFailed):
            one.feed(start + data)
            one.end()
            assert one.is_complete


@pytest.mark.parametrize(
    ("raw", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", False),
    ],
)
def test_whether_a_connection_may_be_kept(raw: bytes, keeps: bool) -> None:
    one = answer()
    one.feed(raw)
    assert (one.is_complete, one.keeps_alive) == (True, keeps)


def test_headers_are_read_whatever_their_characters() -> None:
    headers = Headers([(b"A", "漢".encode()), (b"B", b"\xfc"), (b"Content-Type", b'text/html; Charset="GB18030"')])
    assert (headers["a"], headers["b"], headers.charset(), len(headers)) == ("漢", "ü", "gb18030", 3)
    assert Headers([]).charset() == "utf-8"


# --- names and races ---


def test_addresses_take_turns_by_family_with_ipv6_first() -> None:
    other = Address(socket.AF_INET, "192.0.2.2")
    assert interleaved([FOUR, other, SIX]) == [SIX, FOUR, other]


def test_the_first_to_succeed_wins_and_the_others_are_called_off() -> None:
    ended: list[str] = []

    async def attempt(address: Address) -> str:
        try:
            if address is SIX:
                await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append(address.ip)
            raise
        return address.ip

    async def work() -> str:
        won = await race([FOUR, SIX], attempt, ended.append)
        await asyncio.sleep(0)
        return won

    assert asyncio.run(work()) == FOUR.ip
    assert ended == [SIX.ip]


def test_the_failure_that_says_most_is_told() -> None:
    async def attempt(address: Address) -> str:
        raise of_os_error(OSError(errno.ENETUNREACH if address is SIX else errno.ECONNREFUSED, ""), address.ip)

    with pytest.raises(ProbeFailed, match=r"192\.0\.2\.1 refused"):
        asyncio.run(race([SIX, FOUR], attempt, str))


class Names:
    """A name service that counts its questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now = 1000.0

    def look(self, host: str, ip: str) -> list[Address]:
        self.asked.append(host)
        if host == "gone.test":
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [] if host == "empty.test" else [FOUR]


def test_answers_are_remembered_for_a_while_and_failures_for_a_moment() -> None:
    names = Names()
    resolver = Resolver(names.look, lambda: names.now)

    async def ask(host: str) -> str:
        try:
            return (await resolver.resolve(host, "any"))[0].ip
        except ProbeFailed as failed:
            return failed.failure.reason.value

    async def work() -> None:
        for wait_s, questions in ((0.0, 1), (29.0, 1), (2.0, 2)):
            names.now += wait_s
            assert await ask("erp.test") == FOUR.ip
            assert names.asked.count("erp.test") == questions
        for wait_s, questions in ((0.0, 1), (0.5, 1), (1.0, 2)):
            names.now += wait_s
            assert [await ask("gone.test"), await ask("empty.test")] == ["dns", "dns"]
            assert names.asked.count("gone.test") == questions
        resolver.close()

    asyncio.run(work())


def test_the_same_question_is_asked_once_and_giving_up_takes_it_from_nobody() -> None:
    names = Names()
    resolver = Resolver(names.look)

    async def work() -> None:
        lookups: list[Lookup] = []
        asking = [asyncio.ensure_future(resolver.resolve("erp.test", "any", lookups.append)) for _ in range(3)]
        await asyncio.sleep(0)
        asking[0].cancel()
        assert await asking[1] == await asking[2] == (FOUR,)
        assert names.asked == ["erp.test"]
        assert lookups[0] is lookups[1] is lookups[2]
        resolver.close()

    asyncio.run(work())


@pytest.mark.parametrize(("host", "ip"), [("192.0.2.7", "any"), ("2001:DB8::7", "6"), ("fe80::1%lo", "6")])
def test_an_address_is_not_looked_up(host: str, ip: str) -> None:
    names = Names()
    found = asyncio.run(Resolver(names.look).resolve(host, ip))
    assert [a.ip for a in found] == [host.lower().partition("%")[0]]
    assert found[0].host.partition("%")[2] == ("1" if "%" in host else "")
    assert names.asked == []


def test_an_address_of_the_wrong_family_is_a_failure() -> None:
    with pytest.raises(ProbeFailed, match="no address for IPv6"):
        asyncio.run(Resolver().resolve("192.0.2.7", "6"))


def test_work_that_fails_says_so_to_whoever_waits() -> None:
    def fail() -> None:
        raise OSError(5, "broken")

    async def work() -> None:
        workers = Workers("test", 2)
        with pytest.raises(OSError, match="broken"):
            await workers.submit(fail)
        assert await workers.submit(lambda: 7) == 7
        workers.close()

    asyncio.run(work())


# --- words ---


@pytest.mark.parametrize(
    ("number", "peer", "reason"),
    [
        (errno.ECONNREFUSED, "192.0.2.1:80", Reason.REFUSED),
        (errno.EHOSTUNREACH, "192.0.2.1:80", Reason.UNREACHABLE),
        (errno.ENETUNREACH, "[2001:db8::1]:80", Reason.UNREACHABLE),
        (errno.EADDRNOTAVAIL, "[2001:db8::1]:80", Reason.UNREACHABLE),
        (errno.EADDRNOTAVAIL, "192.0.2.1:80", Reason.INTERNAL),
        (errno.EMFILE, "192.0.2.1:80", Reason.INTERNAL),
        (errno.ECONNRESET, "192.0.2.1:80", Reason.RESET),
        (errno.EPIPE, "192.0.2.1:80", Reason.RESET),
        (errno.ETIMEDOUT, "192.0.2.1:80", Reason.TIMEOUT),
        (errno.EIO, "192.0.2.1:80", Reason.UNREACHABLE),
    ],
)
def test_what_the_system_says_has_a_reason(number: int, peer: str, reason: Reason) -> None:
    failure = of_os_error(OSError(number, "x"), peer).failure
    assert failure.reason is reason
    assert peer in failure.text


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "not known"), Reason.DNS),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), Reason.DNS),
        (socket.gaierror(socket.EAI_SYSTEM, "too many files"), Reason.INTERNAL),
        (UnicodeError("label too long"), Reason.DNS),
        (RuntimeError("?"), Reason.INTERNAL),
    ],
)
def test_what_the_name_service_says_has_a_reason(error: Exception, reason: Reason) -> None:
    assert of_lookup_error(error, "erp.test", "any").failure.reason is reason
