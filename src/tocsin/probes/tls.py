"""TLS as a probe needs it: contexts built away from the loop, sessions to resume, and the facts of a certificate."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tocsin.core.model import Certificate, Reason
from tocsin.core.policy import Tls
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.workers import Workers

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


class Contexts:
    """One context for all checks with the same options: the authorities of a machine cost 25 ms and a megabyte."""

    def __init__(self) -> None:
        self._workers = Workers("tls", 1)
        self._ready: dict[tuple[object, ...], tuple[object, ssl.SSLContext]] = {}
        self._building: dict[tuple[object, ...], asyncio.Future[ssl.SSLContext]] = {}

    def ready(self, tls: Tls, alpn: tuple[str, ...] = ()) -> ssl.SSLContext | None:
        """The context, when it was built since its files changed last."""
        stamp, context = self._ready.get(_key(tls, alpn), (None, None))
        return context if context is not None and stamp == _stamp(tls) else None

    async def get(self, tls: Tls, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """Raises ProbeFailed when a file of the options cannot be used."""
        context = self.ready(tls, alpn)
        if context is not None:
            return context
        key, stamp = _key(tls, alpn), _stamp(tls)
        future = self._building.get(key)
        if future is None:
            future = self._building[key] = self._workers.submit(lambda: _build(tls, alpn))
            future.add_done_callback(lambda done: self._built(key, stamp, done))
        await asyncio.wait([future])
        return future.result()

    def close(self) -> None:
        self._workers.close()

    def _built(self, key: tuple[object, ...], stamp: object, done: asyncio.Future[ssl.SSLContext]) -> None:
        del self._building[key]
        if done.exception() is None:
            self._ready[key] = stamp, done.result()


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


def _key(tls: Tls, alpn: tuple[str, ...]) -> tuple[object, ...]:
    return tls.ca, tls.cert, tls.key, tls.verify, alpn


def _stamp(tls: Tls) -> object:
    """When the files were written: a renewed certificate is taken up with the next connection."""
    files = [tls.ca or (ssl.get_default_verify_paths().cafile if tls.verify else None), tls.cert, tls.key]
    return tuple(_written_at(file) for file in files)


def _written_at(file: str | None) -> int | None:
    try:
        return Path(file).stat().st_mtime_ns if file else None
    except OSError:
        return None


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
