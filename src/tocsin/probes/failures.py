"""What can go wrong on the way to an answer, in the words of the closed list of reasons."""

from __future__ import annotations

import errno
import os
import socket
import ssl

from tocsin.core.model import Reason, TransportFailure
from tocsin.log import get_log

log = get_log(__name__)

OWN_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
UNREACHABLE_ERRNOS = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
        errno.EACCES,
        errno.EPERM,
        errno.EAFNOSUPPORT,
    }
)
RESET_ERRNOS = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ESHUTDOWN})
OWN_LOOKUP_ERRORS = frozenset({socket.EAI_MEMORY, socket.EAI_SYSTEM})

# X509_V_ERR_… of OpenSSL's x509_vfy.h.
NOT_YET_VALID, EXPIRED, SELF_SIGNED, SELF_SIGNED_IN_CHAIN, REVOKED = 9, 10, 18, 19, 23
NO_ISSUER = frozenset({2, 20, 21})
WRONG_NAME = frozenset({62, 64})


class ProbeFailed(Exception):
    """The probe ends here, without an answer that could be judged."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.failure = TransportFailure(reason, text)


def of_os_error(error: OSError, peer: str) -> ProbeFailed:
    """Name what the system said while connecting to `peer`, or reading from it."""
    match error.errno:
        case errno.ECONNREFUSED:
            return ProbeFailed(Reason.REFUSED, f"{peer} refused the connection")
        case errno.ETIMEDOUT:
            return ProbeFailed(Reason.TIMEOUT, f"{peer} did not answer in time (the system gave up)")
        case number if number in OWN_ERRNOS or _is_out_of_ports(error, peer):
            return ProbeFailed(Reason.INTERNAL, f"no connection to {peer} could be made: {_said(error)}")
        case number if number in UNREACHABLE_ERRNOS:
            return ProbeFailed(Reason.UNREACHABLE, f"{peer} cannot be reached: {_said(error)}")
        case number if number in RESET_ERRNOS:
            return ProbeFailed(Reason.RESET, f"{peer} reset the connection")
        case _:
            return ProbeFailed(Reason.UNREACHABLE, f"the connection to {peer} failed: {_said(error)}")


def of_lookup_error(error: Exception, host: str, ip: str) -> ProbeFailed:
    if isinstance(error, socket.gaierror):
        if error.errno in OWN_LOOKUP_ERRORS:
            return ProbeFailed(Reason.INTERNAL, f"{host} could not be looked up: {_said(error)}")
        return ProbeFailed(Reason.DNS, f"{host} does not resolve{_family(ip)}: {_said(error)}")
    if isinstance(error, UnicodeError | ValueError):
        return ProbeFailed(Reason.DNS, f"{host} is no host name")
    return ProbeFailed(Reason.INTERNAL, f"{host} could not be looked up: {type(error).__name__}")


def no_address(host: str, ip: str) -> ProbeFailed:
    return ProbeFailed(Reason.DNS, f"{host} has no address{_family(ip)}")


def of_tls_error(error: ssl.SSLError, name: str) -> ProbeFailed:
    """Say what is wrong with the peer's certificate, or with its TLS."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return cut_in_handshake(name)
    if not isinstance(error, ssl.SSLCertVerificationError):
        return ProbeFailed(Reason.TLS, f"TLS with {name} failed: {_tls_words(error)}")
    said = error.verify_message
    match error.verify_code:
        case code if code == EXPIRED:
            why = "has expired"
        case code if code == NOT_YET_VALID:
            why = "is not valid yet"
        case code if code == SELF_SIGNED:
            why = "is self-signed"
        case code if code == SELF_SIGNED_IN_CHAIN:
            why = "comes from an authority that is not trusted (its root is self-signed)"
        case code if code in NO_ISSUER:
            why = "comes from an authority that is not trusted, or its intermediate certificate is not sent"
        case code if code in WRONG_NAME:
            why = f"is not for this name ({said.rstrip('.')})"
        case code if code == REVOKED:
            why = "was revoked"
        case _:
            why = f"is not trusted ({said})"
    return ProbeFailed(Reason.TLS, f"the certificate of {name} {why}")


def cut_in_handshake(name: str) -> ProbeFailed:
    return ProbeFailed(Reason.TLS, f"TLS with {name} failed: the connection was closed during the handshake")


def of_own_fault(error: Exception, check: str) -> ProbeFailed:
    log.error("A probe stumbled over our own code", action="probe_stumbled", check=check, exc_info=error)
    return ProbeFailed(Reason.INTERNAL, f"not probed: a fault in Tocsin itself ({type(error).__name__}; see its log)")


def late(text: str) -> ProbeFailed:
    return ProbeFailed(Reason.LATE, text)


def _is_out_of_ports(error: OSError, peer: str) -> bool:
    """With IPv4 this errno means that no local port was left; with IPv6 also that there is no route."""
    return error.errno == errno.EADDRNOTAVAIL and not peer.startswith("[")


def _said(error: OSError) -> str:
    """The system's words; asyncio puts its own in their place."""
    if error.errno is None or isinstance(error, socket.gaierror):
        return error.strerror or type(error).__name__
    return os.strerror(error.errno)


def _family(ip: str) -> str:
    return f" for IPv{ip}" if ip in ("4", "6") else ""


def _tls_words(error: ssl.SSLError) -> str:
    words = (error.reason or "protocol error").replace("_", " ").lower()
    if words in ("wrong version number", "record layer failure", "http request"):
        return f"{words} (no TLS is spoken on this port)"
    return words
