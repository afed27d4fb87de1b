"""What went wrong below the answer, in our closed list of reasons and in words."""

from __future__ import annotations

import errno
import socket
import ssl

from tocsin.core.model import Reason, TransportFailure

_REFUSED = (errno.ECONNREFUSED,)
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL)
_RESET = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)
_OWN = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def cause_of(error: BaseException) -> BaseException:
    """The innermost cause that says something: a TLS or system error below a library's own."""
    found = error
    seen = {id(error)}
    while (below := found.__cause__ or found.__context__) is not None and id(below) not in seen:
        seen.add(id(below))
        found = below
        if isinstance(found, ssl.SSLError | socket.gaierror):
            return found
        if isinstance(found, OSError) and found.errno is not None:
            return found
    return found


def failure_of(error: BaseException) -> TransportFailure:
    """Name an error of a connection."""
    if isinstance(error, BaseExceptionGroup):
        return failure_of(error.exceptions[-1])
    if isinstance(error, ssl.SSLError):
        return TransportFailure(Reason.TLS, _tls_text(error))
    if isinstance(error, socket.gaierror):
        return TransportFailure(Reason.DNS, f"the name was not resolved: {error.strerror}")
    if isinstance(error, TimeoutError):
        return TransportFailure(Reason.TIMEOUT, "no answer in time")
    if isinstance(error, OSError):
        return _system_failure(error)
    return TransportFailure(Reason.PROTOCOL, str(error) or type(error).__name__)


def _system_failure(error: OSError) -> TransportFailure:
    text = error.strerror or str(error) or type(error).__name__
    for numbers, reason, words in (
        (_REFUSED, Reason.REFUSED, "the connection was refused"),
        (_UNREACHABLE, Reason.UNREACHABLE, f"the host cannot be reached: {text}"),
        (_RESET, Reason.RESET, "the connection was reset"),
        (_OWN, Reason.INTERNAL, f"this machine is short of something: {text}"),
    ):
        if error.errno in numbers:
            return TransportFailure(reason, words)
    if "Multiple exceptions" in text or "Connect call failed" in text:
        return TransportFailure(Reason.REFUSED, "the connection was refused")
    return TransportFailure(Reason.UNREACHABLE, f"the host cannot be reached: {text}")


def _tls_text(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    return f"the TLS handshake failed: {error.reason or error.strerror or 'unknown'}"
