"""The small types that stand in files, each with its words for what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from tocsin.config.addresses import Address, parse_address, parse_url
from tocsin.config.spans import parse_span, show_span
from tocsin.config.words import suggestion
from tocsin.core.model import Severity
from tocsin.core.policy import Text, Threshold

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WORD = re.compile(r"[^\W\d][\w-]{0,63}")
_VALUE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_SHARE = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)%")
_SIZE = re.compile(r"([0-9]{1,12}) ?(B|KB|KiB|MB|MiB)?")
_SIZES = {"": 1, "B": 1, "KB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2}
_VOLUME = re.compile(r"([0-9]{1,12}) ?(B|KB|KiB|MB|MiB|GB|GiB|TB|TiB)?")
_VOLUMES = {**_SIZES, "GB": 1000**3, "GiB": 1024**3, "TB": 1000**4, "TiB": 1024**4}
MAX_WINDOW = 100
MOST_KEPT = timedelta(days=36_500)


class Strict(BaseModel):
    """A mapping with known keys only, and values of the right type only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class SecretName:
    """A `{secret: name}` before it was looked up."""

    name: str


@dataclass(frozen=True, slots=True)
class Fresh:
    """How old a kept connection may become; None: any age."""

    age: timedelta | None


def text_schema(**more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **more})


def list_schema() -> WithJsonSchema:
    return WithJsonSchema({"type": "array", "items": {"type": "string"}})


def parse_name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f'"{value}" cannot be a name (letters, digits, . _ - and at most 64 of them)')
    return value


def parse_system_name(value: str) -> str:
    """A system stands where an incident's number could: it must not look like one."""
    if value.isdecimal():
        raise ValueError(f'"{value}" cannot name a system: it reads like the number of an incident')
    return parse_name(value)


def _word(value: object) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError(f'"{value}" must be one word, as core')
    return value


def _value_name(value: object) -> str:
    if not isinstance(value, str) or not _VALUE_NAME.fullmatch(value):
        raise ValueError(f'"{value}" cannot name a value (small letters, digits, _)')
    return value


def parse_any_span(value: object) -> timedelta:
    """A span, `0s` among them."""
    return value if isinstance(value, timedelta) else parse_span(value)


def _positive_span(value: object) -> timedelta:
    span = parse_any_span(value)
    if span <= timedelta():
        raise ValueError("must be more than nothing")
    return span


def _bounded(least: timedelta, most: timedelta) -> AfterValidator:
    def check(span: timedelta) -> timedelta:
        if span < least:
            raise ValueError(f"must be at least {show_span(least)}")
        if span > most:
            raise ValueError(f"must be at most {show_span(most)}")
        return span

    return AfterValidator(check)


def at_least(least: timedelta) -> AfterValidator:
    """A span of days with a floor, for what is kept."""

    def check(span: timedelta) -> timedelta:
        if not least <= span <= MOST_KEPT:
            raise ValueError(f"must be at least {least.days}d, and at most {MOST_KEPT.days}d")
        return span

    return AfterValidator(check)


def _share(value: object) -> float:
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f'"{value}" is no share of the target (write 75%)')
    if not 0 < float(match[1]) <= 1000:
        raise ValueError(f"{value} is not between 0% and 1000%")
    return float(match[1]) / 100


def _shares(value: object) -> list[float]:
    if not isinstance(value, list):
        raise ValueError("must be a list of shares, as [50%, 100%]")
    shares = [_share(item) for item in value]
    for (before, first), (after, second) in pairwise(zip(shares, value, strict=True)):
        if after <= before:
            raise ValueError(f"{second} stands behind {first}: write the shares in ascending order, each once")
    return shares


def _size(value: object) -> int:
    match = _SIZE.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if not match:
        raise ValueError(f'"{value}" is no size (write 512KiB or 1MiB)')
    size = int(match[1]) * _SIZES[match[2] or ""]
    if not 1 <= size <= 64 * 1024**2:
        raise ValueError(f"{value} is not between 1B and 64MiB")
    return size


def _volume(value: object) -> int:
    """A size of disks and databases."""
    match = _VOLUME.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if not match:
        raise ValueError(f'"{value}" is no size (write 512MiB or 20GiB)')
    return int(match[1]) * _VOLUMES[match[2] or ""]


def _threshold(value: object) -> Threshold:
    match = re.fullmatch(r"([0-9]{1,6})(?: +of +([0-9]{1,6}))?", str(value)) if not isinstance(value, bool) else None
    if not match or not isinstance(value, int | str):
        raise ValueError(f'"{value}" is neither a number nor "2 of 5"')
    count = int(match[1])
    window = int(match[2]) if match[2] else count
    if not 1 <= count <= window <= MAX_WINDOW:
        raise ValueError(f'"{value}" must be at least 1, at most {MAX_WINDOW}, and of no fewer samples than it counts')
    return Threshold(count, window)


def parse_severity(value: object) -> Severity:
    if value not in tuple(Severity):
        raise ValueError(f'unknown severity "{value}" (use P1, P2, P3 or P4)')
    return Severity(str(value))


def _fresh(value: object) -> Fresh:
    match value:
        case "always":
            return Fresh(timedelta())
        case "never":
            return Fresh(None)
        case _:
            return Fresh(_positive_span(value))


def parse_text(value: object) -> Text:
    """A plain string, or one for each language."""
    if isinstance(value, str):
        value = {"": value}
    if not isinstance(value, dict) or not value:
        raise ValueError("must be text, or {en: …, zh_CN: …}")
    for language, text in value.items():
        if language not in ("", "en", "zh_CN"):
            raise ValueError(f'unknown language "{language}"{suggestion(str(language), ["en", "zh_CN"])}')
        if not isinstance(text, str) or not text.strip():
            raise ValueError("must be text, and not empty")
        if not text.isprintable() or len(text) > 200:
            raise ValueError("must be one line of at most 200 characters")
    return dict(value)


def _line(value: object) -> str:
    if isinstance(value, bool | int | float):
        raise ValueError(f'must be text (write "{value}" in quotes)')
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text, and not empty")
    if not value.isprintable() or len(value) > 1000:
        raise ValueError("must be one line of at most 1000 characters")
    return value


def _slack_place(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable() or " " in value:
        raise ValueError("must be the id of a channel, as C0123ABCD")
    return value


def secret_or_text(value: object) -> SecretName | str:
    """A text, or `{secret: name}`."""
    if isinstance(value, dict):
        name = value.get("secret")
        if set(value) != {"secret"} or not isinstance(name, str):
            raise ValueError("must be text or {secret: name}")
        return SecretName(name)
    if not isinstance(value, str):
        raise ValueError(
            f'must be text or {{secret: name}} (write "{value}" in quotes)'
            if isinstance(value, int | float)
            else "must be text or {secret: name}"
        )
    return value


_SECRET_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"secret": {"type": "string"}},
            "required": ["secret"],
            "additionalProperties": False,
        },
    ]
}
_SPAN_SCHEMA = WithJsonSchema({"type": "string", "examples": ["500ms", "90s", "1h30m", "30d", "2w"]})

Name = Annotated[str, BeforeValidator(parse_name), text_schema(pattern=f"^{_NAME.pattern}$")]
Word = Annotated[str, BeforeValidator(_word), text_schema()]
ValueName = Annotated[str, BeforeValidator(_value_name), text_schema(pattern=f"^{_VALUE_NAME.pattern}$")]
Span = Annotated[timedelta, BeforeValidator(_positive_span), _SPAN_SCHEMA]
Every = Annotated[Span, _bounded(timedelta(milliseconds=100), timedelta(days=31))]
Timeout = Annotated[Span, _bounded(timedelta(milliseconds=1), timedelta(minutes=10))]
Shares = Annotated[
    list[float],
    BeforeValidator(_shares),
    WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": r"^\d{1,4}(\.\d{1,3})?%$"}}),
]
Size = Annotated[int, BeforeValidator(_size), WithJsonSchema({"type": ["integer", "string"], "examples": ["1MiB"]})]
Volume = Annotated[
    int, BeforeValidator(_volume), WithJsonSchema({"type": ["integer", "string"], "examples": ["512MiB", "20GiB"]})
]
FailAfter = Annotated[
    Threshold,
    BeforeValidator(_threshold),
    WithJsonSchema(
        {"type": ["integer", "string"], "pattern": r"^\d+( of \d+)?$", "minimum": 1, "examples": [3, "2 of 5"]}
    ),
]
SeverityName = Annotated[Severity, BeforeValidator(parse_severity), WithJsonSchema({"enum": list(Severity)})]
FreshRule = Annotated[
    Fresh, BeforeValidator(_fresh), WithJsonSchema({"type": "string", "examples": ["5m", "always", "never"]})
]
TitleText = Annotated[
    Text,
    BeforeValidator(parse_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"en": {"type": "string"}, "zh_CN": {"type": "string"}},
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
Line = Annotated[str, BeforeValidator(_line), text_schema()]
SecretText = Annotated[SecretName | str, BeforeValidator(secret_or_text), WithJsonSchema(_SECRET_SCHEMA)]
SlackPlace = Annotated[str, BeforeValidator(_slack_place), text_schema()]
HttpUrl = Annotated[str, BeforeValidator(parse_url), text_schema(format="uri")]
HostPort = Annotated[Address, BeforeValidator(parse_address), text_schema(examples=["db.example.com:5432"])]
