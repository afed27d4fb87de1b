"""One observation, bound to the names that its conditions mention."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.model import Observation

_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_NOT_FOR_BODIES = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
"""Python's codecs that are no character sets, some of them slow by the square of the length."""


def bind(names: frozenset[str], observation: Observation, now: datetime) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """Return the values of the names, and for each that has none the reason."""
    bound: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in names:
        if name.startswith("certificate."):
            _bind_certificate(name, observation, now, bound, missing)
        elif name == "json":
            _bind_json(observation, bound, missing)
        else:
            bound[name] = _plain(name, observation)
    return bound, missing


def _plain(name: str, observation: Observation) -> Any:
    match name:
        case "status":
            return observation.status
        case "latency":
            return timedelta(seconds=observation.latency_s)
        case "body":
            return _text(observation).replace("\0", "\ufffd")
        case "headers":
            return dict(observation.headers)
        case "http_version":
            return observation.http_version
        case "url":
            return observation.url
        case _:
            raise KeyError(name)


def _bind_certificate(
    name: str, observation: Observation, now: datetime, bound: dict[str, Any], missing: dict[str, str]
) -> None:
    certificate = observation.certificate
    if certificate is None:
        missing[name] = "there is no certificate"
    elif name == "certificate.expires_in":
        bound[name] = certificate.expires_at - now
    else:
        bound[name] = certificate.issuer


def _bind_json(observation: Observation, bound: dict[str, Any], missing: dict[str, str]) -> None:
    if not observation.body.strip():
        missing["json"] = "the body is empty"
        return
    try:
        bound["json"] = parse_json(observation.body, observation.charset)
    except RecursionError:
        missing["json"] = "the body is nested too deeply"
    except ValueError:
        missing["json"] = "the body is not JSON"


def parse_json(body: bytes, charset: str) -> Any:
    """Parse JSON with every number a double: one whole number beyond 64 bits would spoil all conditions on the body.

    NaN and Infinity are not JSON. Raises ValueError, RecursionError.
    """
    encoding = json.detect_encoding(body) if charset.lower() in _UTF_8 else _codec(charset)
    text = body.decode(encoding, "replace")
    value = json.loads(text, parse_int=float, parse_constant=_refuse)
    return _storable(value) if _may_hold_odd_characters(text) else value


def _text(observation: Observation) -> str:
    return observation.body.decode(_codec(observation.charset), "replace")


def _codec(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
        "".encode(name)
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if name in _NOT_FOR_BODIES else name


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _may_hold_odd_characters(text: str) -> bool:
    lowered = text.lower() if "\\" in text else ""
    return "\\ud" in lowered or "\\u0000" in lowered


def _storable(value: Any) -> Any:
    """Replace what CEL's strings cannot hold: NUL ends them early, half a surrogate pair is refused."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {_storable(key): _storable(item) for key, item in value.items()}
        case _:
            return value
