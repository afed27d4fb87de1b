"""The headers of an answer, decoded only when somebody looks at them: most conditions never do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tocsin.core.model import Reason
from tocsin.probes.failures import ProbeFailed

RawFields = list[tuple[bytes, bytes]]
MAX_HEAD = 64 * 1024
MAX_FIELDS = 200
START = b"HTTP/"
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)


class Headers(Mapping[str, str]):
    """Names in lower case; what stands more than once is joined by ", "."""

    __slots__ = ("_fields", "_raw")

    def __init__(self, raw: RawFields) -> None:
        self._raw = raw
        self._fields: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def every(self, name: str) -> list[str]:
        """Each value of a header that may stand more than once."""
        wanted = name.encode()
        return [decode(value) for key, value in self._raw if key.lower() == wanted]

    def charset(self) -> str:
        found = _CHARSET.search(self.get("content-type", ""))
        return found[1].lower() if found else "utf-8"

    def _decoded(self) -> dict[str, str]:
        if self._fields is None:
            fields: dict[str, str] = {}
            for key, value in self._raw:
                name, text = key.decode("latin-1").lower(), decode(value)
                fields[name] = f"{fields[name]}, {text}" if name in fields else text
            self._fields = fields
        return self._fields


def decode(value: bytes) -> str:
    """UTF-8 where it is, else Latin-1, which everything is."""
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def check_start(data: bytes) -> None:
    """Raise ProbeFailed when an answer does not begin as HTTP does; parsers would take RTSP, or wait for more of anything."""
    if data[: len(START)] != START[: len(data)]:
        raise ProbeFailed(Reason.PROTOCOL, "the answer is not HTTP")


def head_size(fields: RawFields) -> int:
    return sum(len(name) + len(value) + 4 for name, value in fields)


def too_large_headers() -> ProbeFailed:
    return ProbeFailed(Reason.TOO_LARGE, f"the headers are larger than {MAX_HEAD // 1024} KiB")


def too_many_headers() -> ProbeFailed:
    return ProbeFailed(Reason.TOO_LARGE, f"the answer has more than {MAX_FIELDS} headers")
