"""Facts of the peer's certificate; parsed once for each certificate."""

from __future__ import annotations

import ssl
from functools import lru_cache

from tocsin.core.model import Certificate


def certificate_of(connection: ssl.SSLObject | ssl.SSLSocket | None) -> Certificate | None:
    der = connection.getpeercert(binary_form=True) if connection is not None else None
    return _parsed(der) if der else None


@lru_cache(maxsize=4096)
def _parsed(der: bytes) -> Certificate | None:
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(der)
        return Certificate(certificate.not_valid_after_utc, certificate.issuer.rfc4514_string())
    except ValueError:
        return None
