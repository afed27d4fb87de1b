"""One answer, read by llhttp as it comes in, with a cap on everything that has no end of its own."""

from __future__ import annotations

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpResponseParser,
)

from tocsin.core.model import Reason
from tocsin.probes.failures import ProbeFailed
from tocsin.probes.http.body import Body, body_for
from tocsin.probes.http.headers import (
    MAX_FIELDS,
    MAX_HEAD,
    Headers,
    RawFields,
    check_start,
    head_size,
    too_large_headers,
    too_many_headers,
)
from tocsin.probes.http.redirect import is_redirect

CODING = b"transfer-encoding"
FRAMING = 8
"""A body in chunks of one byte is six times as long on the wire."""


class Answer:
    """What came back for one request. The verbs raise ProbeFailed; then the connection is of no use any more.

    `follows`: a redirect will be followed, so its body does not matter.
    """

    __slots__ = (
        "_body",
        "_fields",
        "_follows",
        "_is_interim",
        "_limit",
        "_method",
        "_needs_body",
        "_parser",
        "_stays_open",
        "_unpacks",
        "_wire",
        "has_head",
        "has_spare",
        "headers",
        "is_complete",
        "is_redirect",
        "status",
    )

    def __init__(self, method: str, *, needs_body: bool, max_body: int, unpacks: bool, follows: bool) -> None:
        self.status = 0
        self.headers = Headers([])
        self.has_head = False
        self.is_complete = False
        self.is_redirect = False
        self.has_spare = False
        self._method = method
        self._needs_body = needs_body
        self._limit = max_body
        self._unpacks = unpacks
        self._follows = follows
        self._fields: RawFields = []
        self._body: Body | None = None
        self._is_interim = False
        self._stays_open = False
        self._wire = 0
        self._parser = HttpResponseParser(self)
        # What old servers send and browsers take; between a probe and its server it fools nobody.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    @property
    def has_begun(self) -> bool:
        return self._wire > 0

    @property
    def http_version(self) -> str:
        return str(self._parser.get_http_version())

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on the connection."""
        return self._stays_open and not self.has_spare

    def body(self) -> bytes:
        return self._body.whole() if self._body is not None else b""

    def feed(self, data: bytes) -> None:
        if self._wire == 0:
            check_start(data)
        self._wire += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._refuse(error)
        if self._wire > MAX_HEAD:
            self._check_size()

    def end(self) -> None:
        """The peer closed: that ends a body without a length, and cuts everything else."""
        if self.is_complete:
            return
        if self._wire == 0:
            raise ProbeFailed(Reason.RESET, "the connection was closed without an answer")
        if not self.has_head:
            raise ProbeFailed(Reason.RESET, "the connection was closed in the middle of the headers")
        if "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower():
            raise ProbeFailed(Reason.RESET, "the connection was closed in the middle of the body")
        self.is_complete = self.has_spare = True

    # --- llhttp calls these ---

    def on_message_begin(self) -> None:
        if self.is_complete:
            # Another answer that nobody asked for: read no further.
            raise _SpareAnswer

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:
            self._fields.append((name, value))
            if b"\0" in value:
                raise ProbeFailed(Reason.PROTOCOL, "the answer has a NUL in a header")
            if len(name) == len(CODING) and name.lower() == CODING and value.lower() != b"chunked":
                raise ProbeFailed(Reason.PROTOCOL, "the answer has a Transfer-Encoding other than chunked")

    def on_headers_complete(self) -> None:
        status = self.status = self._parser.get_status_code()
        if len(self._fields) > MAX_FIELDS:
            raise too_many_headers()
        if status < 200:
            if status < 100 or status == 101:
                raise ProbeFailed(Reason.PROTOCOL, f"the answer has the status {status}, which was not asked for")
            self._is_interim = True
            return
        self.headers = Headers(self._fields)
        self.has_head = True
        if self._follows and is_redirect(status) and "location" in self.headers:
            self.is_redirect = True
        if self._method == "HEAD":
            # llhttp waits for a body here, so it does not know whether the connection stays.
            self.is_complete = True
            self._stays_open = self.http_version == "1.1" and "close" not in self.headers.get("connection", "").lower()

    def on_body(self, data: bytes) -> None:
        if self.is_complete:
            self.has_spare = True
        elif not self.is_redirect:
            if self._body is None:
                coding = self.headers.get("content-encoding", "") if self._needs_body else ""
                self._body = body_for(self._needs_body, self._limit, coding, self._unpacks)
            self._body.add(data)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
            self._fields.clear()
        else:
            self.is_complete = True
            # Only here: right afterwards llhttp makes itself ready for the next answer.
            self._stays_open = self._parser.should_keep_alive()

    def _refuse(self, error: HttpParserError) -> None:
        if self.is_complete:
            self.has_spare = True
            return
        cause = error.__context__
        if isinstance(error, HttpParserCallbackError) and isinstance(cause, ProbeFailed):
            raise cause
        raise ProbeFailed(Reason.PROTOCOL, f"the answer is not valid HTTP: {_first_line(error)}") from error

    def _check_size(self) -> None:
        if not self.has_head or head_size(self._fields) > MAX_HEAD:
            raise too_large_headers()
        if self._wire > MAX_HEAD + FRAMING * self._limit + MAX_HEAD:
            raise ProbeFailed(Reason.TOO_LARGE, "the answer is many times larger than its body")


class _SpareAnswer(Exception):
    """Stops the parser."""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:120].rstrip(".") if str(error) else type(error).__name__
