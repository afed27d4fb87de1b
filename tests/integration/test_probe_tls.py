"""TLS: what is wrong with a certificate is said in words, on both clients and for tcp checks; sessions are resumed between full looks."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from probe_parts import (
    CLIENTS,
    SHORT,
    Authority,
    Judging,
    authority,
    http_check,
    observe,
    prober,
    reason_of,
    run,
    self_signed,
    serving,
    text_of,
)
from tocsin.core.model import Observation, Reason
from tocsin.core.policy import Tls
from tocsin.probes.tls import read_unverified
from tocsin.testing.servers import ScriptedServer, Visit, answering, hanging, head, sending

DAY = timedelta(days=1)
ISSUER = "CN=Tests' own authority,O=Tocsin\\, Tests \\+ Co,C=CN"

each_client = pytest.mark.parametrize("client", CLIENTS)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls"))


def probe(client: str, server_tls: ssl.SSLContext | None, tls: Tls, **options: Any) -> Observation:
    async def work() -> Observation:
        async with ScriptedServer(answering(200, b"ok"), tls=server_tls) as server, prober(client) as one:
            url = server.url(host=options.pop("host", None)).replace("http:", "https:")
            return await observe(one, http_check(url, tls=tls, **options))

    return run(client, work)


@each_client
def test_a_good_certificate_is_told_with_its_facts(client: str, ca: Authority) -> None:
    seen = probe(client, ca.serving("127.0.0.1", ends=30 * DAY), Tls(ca=str(ca.path)))
    assert (seen.failure, seen.status) == (None, 200)
    assert seen.phases.tls is not None
    assert seen.certificate is not None
    assert seen.certificate.issuer == ISSUER
    assert abs(seen.certificate.expires_at - datetime.now(UTC) - 30 * DAY) < timedelta(minutes=1)


@each_client
@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("expired", "has expired"),
        ("future", "not valid yet"),
        ("wrong host", "not for this name"),
        ("wrong address", "not for this name"),
        ("self-signed", "is self-signed"),
        ("unknown authority", "not trusted"),
    ],
)
def test_a_bad_certificate_fails_in_words(client: str, ca: Authority, kind: str, word: str) -> None:
    server, trusted, host = {
        "expired": (ca.serving("127.0.0.1", begins=-9 * DAY, ends=-DAY), str(ca.path), None),
        "future": (ca.serving("127.0.0.1", begins=DAY), str(ca.path), None),
        "wrong host": (ca.serving("other.example.com"), str(ca.path), "localhost"),
        "wrong address": (ca.serving("127.0.0.2"), str(ca.path), None),
        "self-signed": (self_signed(ca.folder, "127.0.0.1"), None, None),
        "unknown authority": (ca.serving("127.0.0.1"), None, None),
    }[kind]
    seen = probe(client, server, Tls(ca=trusted), host=host)
    assert reason_of(seen) is Reason.TLS
    assert word in text_of(seen)


@each_client
def test_what_is_not_verified_is_read_all_the_same(client: str, ca: Authority) -> None:
    seen = probe(client, ca.serving("elsewhere", begins=-9 * DAY, ends=-DAY), Tls(verify=False))
    assert seen.failure is None
    assert seen.certificate is not None
    assert seen.certificate.issuer == ISSUER
    assert seen.certificate.expires_at < datetime.now(UTC)


def test_both_ways_to_read_a_certificate_agree(ca: Authority) -> None:
    """Verified ones are read by OpenSSL, the others by a library."""
    pem = ca.issue("127.0.0.1").read_text()
    read = read_unverified(ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----BEGIN PRIVATE")]))
    seen = probe("wire", serving(_write(ca.folder / "same.pem", pem)), Tls(ca=str(ca.path)))
    assert seen.certificate == read


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@each_client
def test_the_name_asked_for_may_be_another(client: str, ca: Authority) -> None:
    seen = probe(client, ca.serving("erp.example.com"), Tls(ca=str(ca.path), server_name="erp.example.com"))
    assert seen.failure is None


@each_client
def test_a_client_certificate_is_shown_to_its_own_origin_only(client: str, ca: Authority) -> None:
    asking = ca.serving("127.0.0.1")
    asking.verify_mode = ssl.CERT_OPTIONAL
    asking.load_verify_locations(ca.path)
    own = ca.issue("tocsin")

    async def work() -> list[bool]:
        shown: list[bool] = []

        async def script(visit: Visit) -> None:
            shown.append(bool(visit.writer.get_extra_info("peercert")))
            await visit.answer(200, b"ok")

        async def away(visit: Visit) -> None:
            shown.append(bool(visit.writer.get_extra_info("peercert")))
            await visit.answer(302, b"", [("Location", other.url())])

        async with (
            ScriptedServer(script, tls=asking) as other,
            ScriptedServer(away, tls=asking) as server,
            prober(client) as one,
        ):
            tls = Tls(ca=str(ca.path), cert=str(own))
            assert (await observe(one, http_check(server.url(), tls=tls))).failure is None
        return shown

    assert run(client, work) == [True, False]


@each_client
def test_a_server_that_demands_a_certificate_is_a_tls_failure(client: str, ca: Authority) -> None:
    demanding = ca.serving("127.0.0.1")
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(ca.path)
    seen = probe(client, demanding, Tls(ca=str(ca.path)))
    assert reason_of(seen) in (Reason.TLS, Reason.RESET)


@each_client
@pytest.mark.parametrize("tls", [Tls(ca="/no/such/ca.pem"), Tls(cert="/no/such/cert.pem")])
def test_a_file_that_is_missing_is_our_own_trouble(client: str, tls: Tls) -> None:
    seen = probe(client, None, tls)
    assert reason_of(seen) is Reason.INTERNAL
    assert "/no/such/" in text_of(seen)


@each_client
@pytest.mark.parametrize(
    ("script", "reason", "word"),
    [
        (sending(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.TLS, "no TLS is spoken"),
        (sending(b""), Reason.TLS, "closed during the handshake"),
        (hanging(), Reason.TIMEOUT, "during the TLS handshake"),
    ],
)
def test_a_port_without_tls_says_so(client: str, script: Any, reason: Reason, word: str) -> None:
    async def work() -> Observation:
        async with ScriptedServer(greet=script) as server, prober(client) as one:
            url = server.url().replace("http:", "https:")
            return await observe(one, http_check(url, timeout=SHORT))

    seen = run(client, work)
    assert reason_of(seen) is reason
    assert word in text_of(seen)


@each_client
def test_a_connection_in_tls_is_kept_too(client: str, ca: Authority) -> None:
    async def work() -> int:
        async with ScriptedServer(tls=ca.serving("127.0.0.1")) as server, prober(client) as one:
            check = http_check(server.url(), tls=Tls(ca=str(ca.path)))
            seen = [await observe(one, check) for _ in range(3)]
            assert [s.failure for s in seen] == [None] * 3
            assert all(s.certificate == seen[0].certificate for s in seen)
            return server.connections

    assert run(client, work) == 1


@each_client
def test_a_large_body_comes_whole_through_tls(client: str, ca: Authority) -> None:
    body = bytes(range(256)) * 3000

    async def work() -> Observation:
        async with ScriptedServer(answering(200, body), tls=ca.serving("127.0.0.1")) as server, prober(client) as one:
            return await observe(one, http_check(server.url(), tls=Tls(ca=str(ca.path))))

    assert run(client, work).body == body


@each_client
def test_a_body_without_a_length_ends_with_the_connection_in_tls(client: str, ca: Authority) -> None:
    script = sending(head(200) + b"to the end")

    async def work() -> Observation:
        async with ScriptedServer(script, tls=ca.serving("127.0.0.1")) as server, prober(client) as one:
            return await observe(one, http_check(server.url(), tls=Tls(ca=str(ca.path))))

    seen = run(client, work)
    assert (seen.failure, seen.body) == (None, b"to the end")


@pytest.mark.parametrize("client", ["wire", "wire on asyncio"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("fresh", "resumed"),
    [(timedelta(minutes=5), [False, True, True]), (timedelta(0), [False] * 3), (None, [False, True, True])],
)
def test_sessions_are_resumed_between_full_handshakes(
    client: str, ca: Authority, version: ssl.TLSVersion, fresh: timedelta | None, resumed: list[bool]
) -> None:
    context = ca.serving("127.0.0.1")
    context.maximum_version = version

    async def work() -> list[bool]:
        seen: list[bool] = []

        async def script(visit: Visit) -> None:
            seen.append(visit.writer.get_extra_info("ssl_object").session_reused)
            await visit.answer(200, b"ok", [("Connection", "close")])
            visit.close()

        async with ScriptedServer(script, tls=context) as server, prober(client) as one:
            check = http_check(server.url(), tls=Tls(ca=str(ca.path)), fresh=fresh, judged_by=Judging())
            for _ in range(3):
                observation = await observe(one, check)
                assert observation.certificate is not None
        return seen

    assert run(client, work) == resumed


@pytest.mark.parametrize("client", ["wire"])
def test_a_renewed_authority_file_is_taken_up(client: str, ca: Authority, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority(tmp_path).path.read_bytes())

    async def work() -> tuple[Observation, Observation]:
        async with ScriptedServer(tls=ca.serving("127.0.0.1")) as server, prober(client) as one:
            check = http_check(server.url(), tls=Tls(ca=str(trusted)))
            before = await observe(one, check)
            trusted.write_bytes(ca.path.read_bytes())
            os.utime(trusted, ns=(1, 1))
            return before, await observe(one, check)

    before, after = run(client, work)
    assert reason_of(before) is Reason.TLS
    assert after.failure is None
