"""TLS as a probe needs it: contexts built away from the loop, sessions to resume, and the facts of a certificate."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tocsin.core.model import Certificate, Reason
from tocsin.core.policy import Tls
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.workers import Workers

Key = tuple[str | None, str | None, str | None, bool, tuple[str, ...]]
Stamp = tuple[int, ...]

CERTIFICATES = 32_768
SHORT_NAMES = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "domainComponent": "DC",
    "streetAddress": "STREET",
    "userId": "UID",
    "UID": "UID",
}
DOTTED_NAMES = {
    "1.2.840.113549.1.9.1": "emailAddress",
    "2.5.4.5": "serialNumber",
    "2.5.4.97": "organizationIdentifier",
    "2.5.4.4": "surname",
    "2.5.4.42": "givenName",
    "2.5.4.12": "title",
}
"""Attributes whose short name is OpenSSL's, where cryptography shows their number."""


def for_another_origin(tls: Tls) -> Tls:
    """What of a check's TLS options holds after a redirect to another origin: whom we trust, not who we are."""
    return replace(tls, cert=None, key=None, server_name=None)


@dataclass(frozen=True, slots=True)
class TlsSession:
    """What is needed to resume; `until` (monotonic) is when the certificate is to be looked at again."""

    context: ssl.SSLContext
    session: ssl.SSLSession
    until: float
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class _Ready:
    files: tuple[str, ...]
    stamp: Stamp
    context: ssl.SSLContext


class Contexts:
    """One context for all checks with the same options: the authorities of a machine cost 25 ms and a megabyte."""

    def __init__(self) -> None:
        self._workers = Workers("tls", 1)
        self._ready: dict[Key, _Ready] = {}
        self._building: dict[Key, asyncio.Future[ssl.SSLContext]] = {}

    async def get(self, tls: Tls, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """Return the context; built anew when one of its files was written. Raises ProbeFailed when one cannot be used."""
        key = (tls.ca, tls.cert, tls.key, tls.verify, alpn)
        ready = self._ready.get(key)
        if ready is not None and ready.stamp == _stamp(ready.files):
            return ready.context
        future = self._building.get(key) or self._build(key, tls, alpn)
        await asyncio.wait([future])
        return future.result()

    def close(self) -> None:
        self._workers.close()

    def _build(self, key: Key, tls: Tls, alpn: tuple[str, ...]) -> asyncio.Future[ssl.SSLContext]:
        files = _files(tls)
        stamp = _stamp(files)

        def built(done: asyncio.Future[ssl.SSLContext]) -> None:
            del self._building[key]
            if done.exception() is None:
                self._ready[key] = _Ready(files, stamp, done.result())

        future = self._building[key] = self._workers.submit(lambda: _build(tls, alpn))
        future.add_done_callback(built)
        return future


class Certificates:
    """Certificates read so far, by the hash of their bytes: each is parsed once."""

    def __init__(self) -> None:
        self._known: dict[bytes, Certificate] = {}

    def of(self, tls: ssl.SSLObject) -> Certificate | None:
        der = tls.getpeercert(True)
        if der is None:
            return None
        digest = hashlib.sha256(der).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._known[digest] = _read(tls, der)
            if len(self._known) > CERTIFICATES:
                del self._known[next(iter(self._known))]
        return known


def _files(tls: Tls) -> tuple[str, ...]:
    """What a context is read from: a renewed certificate is taken up with the next connection."""
    own = ssl.get_default_verify_paths().cafile if tls.verify and not tls.ca else tls.ca
    return tuple(file for file in (own, tls.cert, tls.key) if file)


def _stamp(files: tuple[str, ...]) -> Stamp:
    return tuple(_written_at(file) for file in files)


def _written_at(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns  # noqa: PTH116  # for each connection: a Path costs three times as much
    except OSError:
        return 0


def _build(tls: Tls, alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Loaded here, in a thread, because only an unverified certificate needs it (18 MB, 0.1 s).
        import cryptography.x509  # noqa: F401
    try:
        if tls.verify and tls.ca:
            context.load_verify_locations(tls.ca)
        elif tls.verify:
            context.load_default_certs()
        if tls.cert:
            # A password asked for on the terminal would hang the daemon.
            context.load_cert_chain(tls.cert, tls.key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise ProbeFailed(Reason.INTERNAL, _unusable(tls, error)) from error
    return context


def _unusable(tls: Tls, error: Exception) -> str:
    names = ", ".join(f"{option} {file}" for option in ("ca", "cert", "key") if (file := getattr(tls, option)))
    why = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else str(error)
    return f"not probed: the files of its tls options cannot be used ({names}): {why or type(error).__name__}"


def _read(tls: ssl.SSLObject, der: bytes) -> Certificate:
    facts = tls.getpeercert()
    if facts:
        seconds = ssl.cert_time_to_seconds(str(facts["notAfter"]))
        issuer: Iterable[Iterable[tuple[str, str]]] = facts["issuer"]  # type: ignore[assignment]
        return Certificate(datetime.fromtimestamp(seconds, UTC), _name(issuer))
    return read_unverified(der)


def read_unverified(der: bytes) -> Certificate:
    """OpenSSL parses only what it verified; for the rest the slower library is needed."""
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    named = [
        [(DOTTED_NAMES.get(a.oid.dotted_string, a.rfc4514_attribute_name), str(a.value)) for a in rdn]
        for rdn in certificate.issuer.rdns
    ]
    return Certificate(certificate.not_valid_after_utc, _name(named))


def _name(rdns: Iterable[Iterable[tuple[str, str]]]) -> str:
    """A name as RFC 4514 writes it: the most specific part first."""
    parts = ["+".join(f"{SHORT_NAMES.get(key, key)}={_escaped(value)}" for key, value in rdn) for rdn in rdns]
    return ",".join(reversed(parts))


def _escaped(value: str) -> str:
    text = "".join(f"\\{c}" if c in ',+"\\<>;' else c for c in value)
    return f"\\{text}" if text.startswith((" ", "#")) else text
