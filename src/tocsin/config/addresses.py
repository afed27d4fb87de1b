"""Hosts, ports and URLs as they stand in files."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Address(NamedTuple):
    host: str
    port: int


def parse_address(text: object, *, least_port: int = 1) -> Address:
    """Read `host:port`, IPv6 in brackets. Raises ValueError with words for people."""
    if not isinstance(text, str):
        raise ValueError("must be host:port, as 127.0.0.1:8600")
    host, separator, port = text.rpartition(":")
    if not separator or not re.fullmatch("[0-9]{1,5}", port) or not host:
        raise ValueError(f'"{text}" is no host:port (as 127.0.0.1:8600 or [::1]:8600)')
    if not least_port <= int(port) <= 65535:
        raise ValueError(f"port {port} is not between {least_port} and 65535")
    return Address(_host(host), int(port))


def _host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError(f"{text} is no IPv6 address") from None
    if ":" in text:
        raise ValueError(f"write the IPv6 address in brackets: [{text}]")
    if re.fullmatch(r"[0-9.]+", text):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise ValueError(f"{text} is no IPv4 address") from None
    return check_host(text)


def check_host(text: str) -> str:
    """Return the host, a name in another script in its ASCII form. Raises ValueError."""
    try:
        host = text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f'"{text}" is no host name') from None
    if not _HOST.fullmatch(host):
        raise ValueError(f'"{text}" is no host name')
    return host


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_url(text: object, *, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """Check an absolute URL and return it with its host in ASCII. Raises ValueError with words for people."""
    allowed = " or ".join(f"{scheme}://" for scheme in schemes)
    if not isinstance(text, str):
        raise ValueError(f"must be a URL ({allowed}…)")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f'"{_shown(text)}" is no URL: {error}') from None
    if parts.scheme.lower() not in schemes:
        raise ValueError(f'"{_shown(text)}" does not start with {allowed}')
    if not parts.hostname:
        raise ValueError(f'"{_shown(text)}" names no host')
    if port == 0:
        raise ValueError("port 0 is not between 1 and 65535")
    return _with_ascii_host(text, parts)


def _with_ascii_host(text: str, parts: SplitResult) -> str:
    host = parts.hostname or ""
    ascii_host = _host(f"[{host}]" if ":" in host else host)
    url = text if host.isascii() else text.replace(parts.netloc, parts.netloc.replace(host, ascii_host, 1), 1)
    if not _PRINTABLE.fullmatch(url):
        raise ValueError("a URL holds no blanks and nothing outside ASCII (write it percent-encoded, as %20)")
    return url


def _shown(text: str) -> str:
    """A URL for an error text: without what may be a secret in it."""
    return re.sub(r"//[^/@]*@", "//***@", text)
