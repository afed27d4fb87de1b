"""The names that a condition may use, by the place where it stands. Declared flat: `system.tier` is one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from tocsin.core.model import Reason, Status


class Kind(StrEnum):
    INT = "a whole number"
    DOUBLE = "a number"
    STRING = "a text"
    DURATION = "a duration"
    DYN = "anything"
    TEXTS = "a map of texts"
    VALUES = "a map of values"


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """`place` reads after "belongs to"; `words` are the only texts that a name can be equal to."""

    place: str
    kinds: Mapping[str, Kind]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def names_under(self, prefix: str) -> list[str]:
        return [name for name in self.kinds if name.startswith(f"{prefix}.")]


_ANSWER = {
    "latency": Kind.DURATION,
    "certificate.expires_in": Kind.DURATION,
    "certificate.issuer": Kind.STRING,
}

PROBE = Vocabulary(
    "a probe's conditions",
    {
        "status": Kind.INT,
        **_ANSWER,
        "json": Kind.DYN,
        "body": Kind.STRING,
        "headers": Kind.TEXTS,
        "http_version": Kind.STRING,
        "url": Kind.STRING,
    },
)

TCP = Vocabulary("the conditions of a tcp check", _ANSWER)

DECISION = Vocabulary(
    "decision rules",
    {
        "system.name": Kind.STRING,
        "system.tier": Kind.STRING,
        "system.owner": Kind.STRING,
        "check.name": Kind.STRING,
        "check.kind": Kind.STRING,
        "status": Kind.STRING,
        "reason": Kind.STRING,
        "text": Kind.STRING,
        "down_for": Kind.DURATION,
        "values": Kind.VALUES,
        "failing": Kind.INT,
        "checks": Kind.INT,
    },
    {
        "status": tuple(Status),
        "reason": tuple(Reason),
        "check.kind": ("http", "tcp"),
    },
)

EXIT = Vocabulary(
    "a go-live's exit",
    {
        "open_p1": Kind.INT,
        "open_p2": Kind.INT,
        "answered_in_time": Kind.DOUBLE,
        "quiet_for": Kind.DURATION,
    },
)

ALL = (PROBE, TCP, DECISION, EXIT)


@cache
def environment(vocabulary: Vocabulary) -> Any:
    """Return the CEL environment of a vocabulary. CEL is loaded here, when the first condition needs it."""
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional

    types = {
        Kind.INT: cel.Type.INT,
        Kind.DOUBLE: cel.Type.DOUBLE,
        Kind.STRING: cel.Type.STRING,
        Kind.DURATION: cel.Type.DURATION,
        Kind.DYN: cel.Type.DYN,
        Kind.TEXTS: cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
        Kind.VALUES: cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    }
    variables = {name: types[kind] for name, kind in vocabulary.kinds.items()}
    return cel.NewEnv(variables=variables, extensions=[ext_optional.ExtOptional()])
