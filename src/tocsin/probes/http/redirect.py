"""Where a redirect leads, and what goes along: the same rules for both clients."""

from __future__ import annotations

from urllib.parse import quote, urljoin, urlsplit

from tocsin.core.model import Reason
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.http.headers import Headers
from tocsin.probes.http.request import URL_CHARACTERS, Fields, Origin, Request, build, origin_of, path_of

FOLLOWED = frozenset({301, 302, 303, 307, 308})
GOES_ANYWHERE = frozenset(
    {"user-agent", "accept", "accept-encoding", "accept-language", "accept-charset", "connection"}
)
"""Headers that another origin may see. Any other may be a secret."""
MAX_LOCATION = 8192
MAX_COOKIES = 50


def is_redirect(status: int) -> bool:
    return status in FOLLOWED


class Redirects:
    """The redirects of one probe."""

    def __init__(self, first: Request, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._cookies: dict[tuple[str, str], str] = {}
        self._request = first
        self._fields = first.fields
        self._seen = {self._mark(first)}

    def follow(self, status: int, headers: Headers) -> Request:
        """Return the request for where the answer to the last one leads. Raises ProbeFailed."""
        if self._count >= self._limit:
            raise ProbeFailed(Reason.REDIRECT, f"more than {self._limit} redirects, the last from {self._request.url}")
        self._count += 1
        self._keep_cookies(headers.every("set-cookie"))
        following = self._next(status, headers["location"])
        mark = self._mark(following)
        if mark in self._seen:
            raise ProbeFailed(Reason.REDIRECT, f"the redirects go round in a circle: {following.url} again")
        self._seen.add(mark)
        self._request = following
        return following

    def _next(self, status: int, location: str) -> Request:
        before = self._request
        origin, path = self._place(location)
        method, body = _method_and_body(status, before)
        is_ours = _is_same(before.origin, origin)
        if body and not is_ours:
            where = f"{origin.scheme}://{origin.authority}"
            raise ProbeFailed(
                Reason.REDIRECT, f"{status} leads to another origin ({where}), which is not sent the body"
            )
        self._fields = _fields(before.origin, origin, self._fields, is_ours, bool(body))
        try:
            return build(method, origin, path, self._with_cookies(origin.host), body)
        except ValueError:
            raise ProbeFailed(Reason.REDIRECT, "a redirect leads to an address that is not valid") from None

    def _place(self, location: str) -> tuple[Origin, str]:
        if len(location) > MAX_LOCATION:
            raise ProbeFailed(Reason.REDIRECT, f"a redirect's address is longer than {MAX_LOCATION} characters")
        try:
            parts = urlsplit(urljoin(self._request.url, quote(location, safe=URL_CHARACTERS)))
            return origin_of(parts), path_of(parts)
        except ValueError:
            scheme = location.partition(":")[0][:20]
            raise ProbeFailed(
                Reason.REDIRECT, f"a redirect leads to what is no http:// or https:// address ({scheme}:…)"
            ) from None

    def _keep_cookies(self, lines: list[str]) -> None:
        """Cookies live for one probe and go back to the host that set them: a login page that asks for them gets them."""
        for line in lines[:MAX_COOKIES]:
            name, is_pair, value = line.partition(";")[0].partition("=")
            if is_pair and len(self._cookies) < MAX_COOKIES:
                self._cookies[self._request.origin.host, name.strip()] = value.strip()

    def _cookies_for(self, host: str) -> str:
        return "; ".join(f"{name}={value}" for (owner, name), value in self._cookies.items() if owner == host)

    def _with_cookies(self, host: str) -> Fields:
        cookies = self._cookies_for(host)
        if not cookies:
            return self._fields
        own = [value for name, value in self._fields if name.lower() == "cookie"]
        others = [(name, value) for name, value in self._fields if name.lower() != "cookie"]
        return (*others, ("Cookie", "; ".join([*own, cookies])))

    def _mark(self, request: Request) -> tuple[object, ...]:
        """The same request with the same cookies gets the same answer for ever."""
        return request.method, request.url, self._cookies_for(request.origin.host)


def _method_and_body(status: int, before: Request) -> tuple[str, bytes]:
    if before.method == "HEAD" or status in (307, 308):
        return before.method, before.body
    if status == 303 or before.method == "POST":
        return "GET", b""
    return before.method, before.body


def _is_same(before: Origin, after: Origin) -> bool:
    """Whether secrets may go along; from http to https of the same host they may."""
    upgraded = before.host == after.host and before[::2] == ("http", 80) and after[::2] == ("https", 443)
    return before == after or upgraded


def _fields(before: Origin, after: Origin, fields: Fields, is_ours: bool, has_body: bool) -> Fields:
    kept = [
        (name, value)
        for name, value in fields
        if (is_ours or name.lower() in GOES_ANYWHERE)
        and (has_body or name.lower() not in ("content-length", "content-type"))
        and (before == after or name.lower() != "host")
    ]
    return tuple(kept) if before == after else (("Host", after.authority), *kept)
