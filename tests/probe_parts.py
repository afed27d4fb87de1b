"""Parts of the tests of probes: the clients that are compared, checks with plain judges, certificates."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tocsin.core.model import Observation, Reason, Sample
from tocsin.core.policy import Check, HttpTarget, Judge, Judged, TcpTarget
from tocsin.core.verdict import judge
from tocsin.ports import Prober
from tocsin.probes.http.library import LibraryProber
from tocsin.probes.http.wire import WireProber
from tocsin.probes.opening import Opener
from tocsin.probes.resolver import Look, Resolver, look_up
from tocsin.probes.tls import Certificates, Contexts

T = TypeVar("T")
NOW = datetime(2026, 11, 4, 10, 0, tzinfo=UTC)
CLIENTS = ("wire", "wire on asyncio", "library")
SHORT = timedelta(milliseconds=300)
GOOD = Judged()


class Judging:
    """A judge that wants a 2xx, and perhaps something of the body."""

    def __init__(self, needs_body: bool = True, wrong: Callable[[Observation], str | None] | None = None) -> None:
        self.needs_body = needs_body
        self._wrong = wrong

    def __call__(self, observation: Observation) -> Judged:
        if not 200 <= observation.status < 300:
            return Judged(failed=f"status = {observation.status}", is_default_status=True)
        failed = self._wrong(observation) if self._wrong else None
        return Judged(failed=failed) if failed else GOOD


def http_check(
    url: str,
    *,
    timeout: timedelta = timedelta(seconds=5),
    judged_by: Judge | None = None,
    name: str = "health",
    **options: Any,
) -> Check:
    return Check("erp", name, "http", HttpTarget(url, **options), judged_by or Judging(), timeout=timeout)


def tcp_check(
    port: int, *, host: str = "127.0.0.1", timeout: timedelta = timedelta(seconds=5), **options: Any
) -> Check:
    return Check("erp", "port", "tcp", TcpTarget(host, port, **options), Judging(needs_body=False), timeout=timeout)


def run(client: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run on the loop that belongs to the client."""
    factory = uvloop.new_event_loop if client == "wire" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work())


@asynccontextmanager
async def prober(client: str, look: Look = look_up, max_idle: int = 100) -> AsyncIterator[Prober]:
    opener, certificates = Opener(Resolver(look), Contexts()), Certificates()
    made: Prober = (
        LibraryProber(opener, certificates)
        if client == "library"
        else WireProber(opener, certificates, max_idle=max_idle)
    )
    try:
        yield made
    finally:
        await made.close()
        opener.resolver.close()
        opener.contexts.close()


async def observe(with_: Prober, check: Check) -> Observation:
    """One probe; fails when `done` is called twice, or later than it may be."""
    answered: asyncio.Future[Observation] = asyncio.get_running_loop().create_future()
    with_.start(check, answered.set_result)
    return await asyncio.wait_for(answered, check.timeout.total_seconds() + 2.0)


async def sample(with_: Prober, check: Check) -> Sample:
    return judge(check, await observe(with_, check), NOW)


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something holds; pytest's timeout is the limit."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def reason_of(observation: Observation) -> Reason:
    return observation.failure.reason if observation.failure is not None else Reason.OK


def text_of(observation: Observation) -> str:
    return observation.failure.text if observation.failure is not None else ""


# --- certificates ---


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder; its own certificate is `path`."""

    folder: Path
    path: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    def serving(self, *hosts: str, **options: Any) -> ssl.SSLContext:
        """A server's context with a certificate of this authority for these names and addresses."""
        return serving(self.issue(*hosts, **options))

    def issue(self, *hosts: str, begins: timedelta = timedelta(days=-1), ends: timedelta = timedelta(days=90)) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        certificate = _certificate(name, key, self.name, self.key, hosts, begins, ends, is_authority=False)
        return _store(self.folder, certificate, key)


def authority(folder: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tocsin, Tests + Co"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Tests' own authority"),
        ]
    )
    days = timedelta(days=3650)
    certificate = _certificate(name, key, name, key, (), timedelta(days=-1), days, is_authority=True)
    return Authority(folder, _store(folder, certificate, None), name, key)


def self_signed(folder: Path, host: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    ends = timedelta(days=90)
    certificate = _certificate(name, key, name, key, (host,), timedelta(days=-1), ends, is_authority=False)
    return serving(_store(folder, certificate, key))


def serving(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def _certificate(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    hosts: tuple[str, ...],
    begins: timedelta,
    ends: timedelta,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _store(folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None) -> Path:
    path = folder / f"{certificate.serial_number:x}.pem"
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    if key is not None:
        pem += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    path.write_bytes(pem)
    return path
