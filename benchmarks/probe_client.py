"""What one HTTP probe costs the prober in CPU: the wire client against the library, kept and new connections, with and without TLS.

    python -m benchmarks.probe_client [ORIGINS] [ROUNDS]

Each origin is an address of its own on loopback, served by another process, which is not counted. Medians of alternating rounds.
Targets: wire 0.04 ms kept; in TLS 0.45 ms resumed, and new at most 1.15 of the bare handshake.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import process_time
from typing import NamedTuple

import uvloop

from tocsin.core.model import Observation
from tocsin.core.policy import Check, HttpTarget, Judged, Tls
from tocsin.ports import Prober
from tocsin.probes.http.wire import WireProber
from tocsin.probes.opening import Opener
from tocsin.probes.resolver import Resolver
from tocsin.probes.tls import Certificates, Contexts

AT_ONCE = 20
BODY = b'{"status":"UP","sessions":182,"build":"2026.11.3"}'
HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 02:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: %s\r\n\r\n"
)
GOOD = Judged()


class Mode(NamedTuple):
    """`closes`: the server hangs up after each answer, so that the next probe resumes its TLS session."""

    name: str
    tls: bool
    fresh: timedelta
    closes: bool = False


MODES = (
    Mode("kept", False, timedelta(minutes=5)),
    Mode("new", False, timedelta(0)),
    Mode("TLS kept", True, timedelta(minutes=5)),
    Mode("TLS resumed", True, timedelta(minutes=5), closes=True),
    Mode("TLS new", True, timedelta(0)),
)


class Good:
    needs_body = False

    def __call__(self, observation: Observation) -> Judged:
        return GOOD


# --- the other process ---


class Endpoint(asyncio.Protocol):
    def __init__(self, closes: bool) -> None:
        self._closes = closes
        self._answer = HEAD % (len(BODY), b"close" if closes else b"keep-alive") + BODY

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)  # type: ignore[attr-defined]
        if self._closes or b"Connection: close" in data:
            self._transport.close()


async def serve(certificate: Path, tell: int) -> None:
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    ports = []
    for mode in MODES:
        make = partial(Endpoint, mode.closes)
        server = await loop.create_server(make, "0.0.0.0", 0, backlog=4096, ssl=context if mode.tls else None)
        ports.append(str(server.sockets[0].getsockname()[1]))
    os.write(tell, " ".join(ports).encode() + b"\n")
    await asyncio.Event().wait()


@contextmanager
def serving(certificate: Path) -> Iterator[list[int]]:
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            uvloop.run(serve(certificate, ends[1]))
        finally:
            os._exit(1)
    try:
        with os.fdopen(ends[0]) as told:
            yield [int(port) for port in told.readline().split()]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


# --- this one ---


def checks(mode: Mode, port: int, authority: Path, origins: int) -> list[Check]:
    scheme = "https" if mode.tls else "http"
    tls = Tls(ca=str(authority), server_name="origin.test")
    made = []
    for number in range(origins):
        url = f"{scheme}://127.1.{number // 250}.{1 + number % 250}:{port}/health"
        made.append(Check("s", str(number), "http", HttpTarget(url, tls=tls, fresh=mode.fresh), Good()))
    return made


def wire(opener: Opener) -> Prober:
    return WireProber(opener, Certificates(), max_idle=100_000)


def library(opener: Opener) -> Prober:
    from tocsin.probes.http.library import LibraryProber

    return LibraryProber(opener, Certificates())


async def play(prober: Prober, probes: Iterator[Check]) -> None:
    """Probe one after the other, `AT_ONCE` at the same time."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    under_way = 0

    def begin() -> None:
        nonlocal under_way
        check = next(probes, None)
        if check is not None:
            under_way += 1
            prober.start(check, end)
        elif not under_way:
            ended.set()

    def end(observation: Observation) -> None:
        nonlocal under_way
        if observation.failure is not None:
            raise SystemExit(f"a probe failed: {observation.failure.text}")
        under_way -= 1
        loop.call_soon(begin)

    for _ in range(AT_ONCE):
        begin()
    await ended.wait()


async def cost_ms(make: Callable[[Opener], Prober], watched: list[Check], probes: int) -> float:
    """CPU of one probe, once every connection that can be kept is there."""
    opener = Opener(Resolver(), Contexts())
    prober = make(opener)
    await play(prober, iter(watched * 2))
    began = process_time()
    await play(prober, islice(cycle(watched), probes))
    took = process_time() - began
    await prober.close()
    opener.contexts.close()
    return took / probes * 1000


def handshake_ms(port: int, authority: Path, times: int = 300) -> float:
    """CPU of a bare connection with a full handshake, one request and its answer, on a blocking socket."""
    context = ssl.create_default_context(cafile=str(authority))
    request = b"GET /health HTTP/1.1\r\nHost: origin.test\r\nConnection: close\r\n\r\n"
    began = process_time()
    for _ in range(times):
        plain = socket.create_connection(("127.0.0.1", port))
        with context.wrap_socket(plain, server_hostname="origin.test") as secure:
            secure.sendall(request)
            secure.recv(4096)
    return (process_time() - began) / times * 1000


def certificates(folder: Path) -> tuple[Path, Path]:
    """An authority and a server's certificate, RSA 2048 as most are."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Benchmark CA", "origin.test")]
    paths = []
    for number, (key, name) in enumerate(zip(keys, names, strict=True)):
        builder = x509.CertificateBuilder(
            issuer_name=names[0],
            subject_name=name,
            public_key=key.public_key(),
            serial_number=number + 1,
            not_valid_before=datetime.now(UTC) - timedelta(days=1),
            not_valid_after=datetime.now(UTC) + timedelta(days=90),
        ).add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
        san = x509.SubjectAlternativeName([x509.DNSName("origin.test")])
        certificate = builder.add_extension(san, critical=False).sign(keys[0], hashes.SHA256())
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        pem += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        paths.append(folder / f"{number}.pem")
        paths[-1].write_bytes(pem)
    return paths[0], paths[1]


CLIENTS: dict[str, tuple[Callable[[Opener], Prober], Callable[[], asyncio.AbstractEventLoop]]] = {
    "wire": (wire, uvloop.new_event_loop),
    "wire, asyncio's loop": (wire, asyncio.new_event_loop),
    "httpx": (library, uvloop.new_event_loop),
}


def main(origins: int, rounds: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    measured: dict[tuple[str, Mode], list[float]] = {}
    bare = []
    with tempfile.TemporaryDirectory() as folder:
        authority, certificate = certificates(Path(folder))
        with serving(certificate) as ports:
            for _ in range(rounds):
                bare.append(handshake_ms(ports[-1], authority))
                for mode, port in zip(MODES, ports, strict=True):
                    watched = checks(mode, port, authority, origins)
                    for name, (make, loop) in CLIENTS.items():
                        probes = max(300, origins) if make is library or mode.tls else max(3000, origins)
                        with asyncio.Runner(loop_factory=loop) as runner:
                            cost = runner.run(cost_ms(make, watched, probes))
                        measured.setdefault((name, mode), []).append(cost)
    report({key: median(costs) for key, costs in measured.items()}, median(bare), origins, rounds)


def report(costs: dict[tuple[str, Mode], float], bare: float, origins: int, rounds: int) -> None:
    print(f"CPU of one probe in ms, {origins} origins, {AT_ONCE} at once, medians of {rounds} alternating rounds")
    print(f"{'':14}" + "".join(f"{name:>22}" for name in CLIENTS) + f"{'httpx / wire':>14}")
    for mode in MODES:
        row = [costs[name, mode] for name in CLIENTS]
        print(f"{mode.name:14}" + "".join(f"{cost:22.3f}" for cost in row) + f"{row[-1] / row[0]:14.1f}")
    new = costs["wire", MODES[-1]]
    print(f"a bare TLS connection with one request: {bare:.3f}; wire / bare {new / bare:.2f}")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*(numbers + [500, 5][len(numbers) :]))
