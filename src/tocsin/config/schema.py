"""What may stand in rule files: one model a kind of entry. Names between entries, conditions and secrets are looked at when it is built."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from tocsin.config.addresses import parse_url
from tocsin.config.duty import QuietRule
from tocsin.config.scalars import (
    Every,
    FailAfter,
    FreshRule,
    HostPort,
    HttpUrl,
    Line,
    Name,
    SecretName,
    SecretText,
    SeverityName,
    Shares,
    Size,
    Span,
    Strict,
    Timeout,
    TitleText,
    ValueName,
    Word,
    text_schema,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_OWN_HEADERS = frozenset(
    ("content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive")
)
_SLACK_USER = re.compile(r"[UW][A-Z0-9]{2,31}")
_EMAIL = re.compile(r"[^\s@<>,;:\"]{1,64}@[^\s@<>,;:\"]{1,255}")
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")


def check_header_value(value: str) -> str:
    """Return the value of a header. Raises ValueError for what would end the line or the header, never showing it."""
    if any(character in "\r\n\0" for character in value):
        raise ValueError("holds a line end, which would start another header")
    if not value.isascii() or not value.isprintable():
        raise ValueError("holds something outside printable ASCII")
    return value


def _headers(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("must be a mapping of header names to values")
    seen: set[str] = set()
    for name in value:
        if not _HEADER.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"{name} is set by the probe itself (leave it out)")
        if name.lower() in seen:
            raise ValueError(f"{name} stands twice (case does not matter)")
        seen.add(name.lower())
    return value


def _header_value(value: SecretName | str) -> SecretName | str:
    return check_header_value(value) if isinstance(value, str) else value


def _check_url(value: object) -> str:
    url = parse_url(value)
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or password: write them under basic: {user: …, password: {secret: …}}")
    if parts.fragment:
        raise ValueError(f"#{parts.fragment} never leaves a browser (leave it out)")
    return url


def _proxy(value: object) -> object:
    return parse_url(value) if isinstance(value, str) else value


def _method(value: object) -> str:
    if value not in METHODS:
        raise ValueError(f'unknown method "{value}" (one of {", ".join(METHODS)})')
    return str(value)


def _ip(value: object) -> str:
    if value not in ("any", 4, 6, "4", "6") or isinstance(value, bool):
        raise ValueError(f'"{value}" is none of any, 4, 6')
    return str(value)


def _pattern(pattern: re.Pattern[str], wrong: str) -> BeforeValidator:
    def check(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f'"{value}" {wrong}')
        return value

    return BeforeValidator(check)


def _tls(value: object) -> object:
    """`tls: true` says that TLS is spoken, all of it as usual."""
    return {} if value is True else value


class TlsRule(Strict):
    ca: Line | None = Field(default=None, description="file of the authorities to trust, instead of the machine's")
    cert: Line | None = Field(default=None, description="file of the client's certificate")
    key: Line | None = Field(default=None, description="file of its key")
    server_name: Line | None = Field(default=None, description="name to ask for, instead of the address's host")
    verify: bool = Field(default=True, description="false: an invalid certificate is no fault")

    @model_validator(mode="after")
    def _pair(self) -> TlsRule:
        if self.key and not self.cert:
            raise ValueError("key without cert")
        return self


class BasicRule(Strict):
    user: SecretText
    password: SecretText


Tls = Annotated[TlsRule, BeforeValidator(_tls)]
Texts = list[str]
_CONDITION = WithJsonSchema({"type": "array", "items": {"type": "string"}, "description": "conditions in CEL"})


class CommonOptions(Strict):
    """How often, how long, how sure: the same for every kind, and the defaults of all."""

    every: Every | None = Field(default=None, description="from probe to probe; at least 100ms; 30s")
    timeout: Timeout | None = Field(default=None, description="of one probe as a whole; 5s")
    fail_after: FailAfter | None = Field(default=None, description="bad samples in a row, or 2 of 5; 3")
    recover_after: int | None = Field(default=None, ge=1, le=100, description="good samples in a row; 2")
    confirm_every: Every | None = Field(
        default=None, description="while undecided; a third of every, 1s or more, at most every"
    )


class HttpOptions(CommonOptions):
    redirects: int | None = Field(default=None, ge=0, le=50, description="how many are followed; 10")
    max_body: Size | None = Field(default=None, description="how much is read; 1MiB")
    fresh: FreshRule | None = Field(
        default=None, description="how old a kept connection may become: a span, always or never; 5m"
    )
    compression: bool | None = Field(default=None, description="whether compressed answers are asked for; true")
    ip: Annotated[str, BeforeValidator(_ip), WithJsonSchema({"enum": ["any", 4, 6]})] | None = Field(
        default=None, description="which addresses are used; any"
    )


class HttpCheck(HttpOptions):
    http: Annotated[str, BeforeValidator(_check_url), text_schema(format="uri")] = Field(description="the address")
    method: Annotated[str, BeforeValidator(_method), WithJsonSchema({"enum": list(METHODS)})] = "GET"
    headers: Annotated[dict[str, Annotated[SecretText, AfterValidator(_header_value)]], BeforeValidator(_headers)] = (
        Field(default_factory=dict)
    )
    body: SecretText | None = None
    basic: BasicRule | None = None
    tls: Tls | None = None
    proxy: Annotated[SecretText, BeforeValidator(_proxy)] | None = None
    expect: Annotated[Texts, _CONDITION] = Field(default_factory=list)
    degraded_when: Annotated[Texts, _CONDITION] = Field(default_factory=list)
    values: dict[ValueName, str] = Field(default_factory=dict)


class TcpCheck(CommonOptions):
    tcp: HostPort = Field(description="host:port")
    send: SecretText | None = Field(default=None, description="written after connecting")
    expect: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="a regular expression (RE2) for what comes back"
    )
    tls: Tls | None = None
    degraded_when: Annotated[Texts, _CONDITION] = Field(default_factory=list)


class Defaults(Strict):
    check: HttpOptions = Field(default_factory=lambda: HttpOptions.model_validate({}))


class SystemRule(Strict):
    """A system without its checks: they are looked at one by one."""

    title: TitleText | None = Field(default=None, description="a text, or {en: …, zh_CN: …}")
    owner: Name = Field(description="the process owner: a person or a team")
    tier: Word | None = Field(default=None, description="a word of your own, for the rules")
    runbook: HttpUrl | None = Field(default=None, description="where it says what to do")
    notify: list[Name] | None = Field(default=None, min_length=1, description="channels; slack.channel")
    calendar: Name | None = Field(default=None, description="when availability counts; 24x7")


class SeverityEntry(Strict):
    name: Line = Field(description="what is wrong, in a few words")
    when: str = Field(description="a condition in CEL")
    is_: SeverityName = Field(alias="is", description="P1, P2, P3 or P4")


class PolicyRule(Strict):
    acknowledge: Span = Field(description="how soon somebody must answer, as 1h")
    resolve: Span | None = Field(default=None, description="how soon it must be over")
    update: Span | None = Field(default=None, description="how often people hear something new")
    calendar: Name = Field(default="24x7", description="when its clocks run")
    remind: Shares = Field(default=[0.5, 1.0], description="shares of the target, ascending")
    escalate: Name | None = Field(default=None, description="a ladder, by its name under escalation:")
    acknowledge_for: Span | None = Field(default=None, description="how long an answer holds when nothing follows")


class PersonRule(Strict):
    name: Line | None = Field(default=None, description="as others write it")
    slack: Annotated[str, _pattern(_SLACK_USER, "is no id of a Slack user (as U0123ABCD)"), text_schema()] | None = None
    email: Annotated[str, _pattern(_EMAIL, "is no address of mail"), text_schema()] | None = None
    login: Annotated[str, _pattern(_LOGIN, "is no local account"), text_schema()] | None = None
    language: Literal["en", "zh_CN"] | None = None
    quiet: QuietRule | None = Field(default=None, description="when they are told nothing but P1 directly")


class TeamRule(Strict):
    title: TitleText | None = None
    members: list[Name] = Field(min_length=1, description="people, by their names under people:")
    channel: Name | None = Field(default=None, description="the channel in which the team is told")


CHECKS: dict[str, type[HttpCheck] | type[TcpCheck]] = {"http": HttpCheck, "tcp": TcpCheck}


def kinds_in(raw: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """The kinds among the keys of an entry: exactly one is right."""
    return [kind for kind in known if kind in raw]
