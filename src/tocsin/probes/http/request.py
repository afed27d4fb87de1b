"""What is asked of a server, as bytes ready to be sent."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from tocsin import __version__
from tocsin.core.policy import HttpTarget
from tocsin.probes.dial import peer_name

PORTS = {"http": 80, "https": 443}
USER_AGENT = f"Tocsin/{__version__}"
BODY_METHODS = ("POST", "PUT", "PATCH")
SAFE_TO_REPEAT = ("GET", "HEAD", "OPTIONS")
# Everything that may stand in a URL; "%" among it, so that what is escaped already stays as it is.
URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"

Fields = tuple[tuple[str, str], ...]


class Origin(NamedTuple):
    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As in a URL: without the port that goes without saying."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else peer_name(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a probe. `fields` may hold secrets; `url` holds none in its authority."""

    method: str
    origin: Origin
    path: str
    fields: Fields = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    raw: bytes = field(default=b"", repr=False)

    @property
    def url(self) -> str:
        return f"{self.origin.scheme}://{self.origin.authority}{self.path}"


def build(method: str, origin: Origin, path: str, fields: Fields, body: bytes) -> Request:
    """Raises ValueError for what would break out of its line."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise ValueError("a line end in a header or in the path")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return Request(method, origin, path, fields, body, head + body)


def first_request(target: HttpTarget) -> Request:
    """The request that a check begins with. Raises ValueError."""
    parts = urlsplit(target.url)
    origin = origin_of(parts)
    own = {name.lower() for name, _ in target.headers}
    fields = [(name, value) for name, value in _usual(target, origin) if name.lower() not in own]
    fields += target.headers
    if "authorization" not in own and (basic := target.basic or _userinfo(parts)):
        fields.append(("Authorization", _basic(*basic)))
    if target.body or target.method in BODY_METHODS:
        fields.append(("Content-Length", str(len(target.body))))
    if not keeps_alive(target):
        fields.append(("Connection", "close"))
    return build(target.method, origin, path_of(parts), tuple(fields), target.body)


def keeps_alive(target: HttpTarget) -> bool:
    """Whether a connection is used again: not where a server's goodbye could make us send a POST twice."""
    return target.method in SAFE_TO_REPEAT and (target.fresh is None or target.fresh.total_seconds() > 0)


def origin_of(parts: SplitResult) -> Origin:
    """Raises ValueError when it is no address of a web server."""
    scheme = parts.scheme.lower()
    if scheme not in PORTS or not parts.hostname:
        raise ValueError("not an http:// or https:// address with a host")
    host = parts.hostname
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    return Origin(scheme, host, parts.port or PORTS[scheme])


def path_of(parts: SplitResult) -> str:
    path = quote(parts.path, safe=URL_CHARACTERS) or "/"
    return f"{path}?{quote(parts.query, safe=URL_CHARACTERS)}" if parts.query else path


def _usual(target: HttpTarget, origin: Origin) -> Fields:
    return (
        ("Host", origin.authority),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", "gzip, deflate" if target.compression else "identity"),
    )


def _userinfo(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
