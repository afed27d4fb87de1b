"""What the daemon itself needs: the keys of `tocsin.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from tocsin.config.addresses import Address, is_loopback, parse_address, parse_url
from tocsin.config.scalars import Name, SlackPlace, Strict, Volume, at_least, list_schema, parse_any_span, text_schema
from tocsin.config.secrets import Secrets
from tocsin.config.zones import parse_zone
from tocsin.errors import Problem


def _loopback(value: object) -> Address:
    address = parse_address(value, least_port=0)
    if not is_loopback(address.host):
        raise ValueError(
            f"{address.host} can be reached from outside; until logins exist it is loopback only (127.0.0.1:8600)"
        )
    return address


def _anywhere(value: object) -> Address:
    return parse_address(value, least_port=0)


def _base_url(value: object) -> str:
    return parse_url(value).rstrip("/")


def _api_url(value: object) -> str:
    return f"{_base_url(value)}/"


def _token(value: object) -> SecretStr:
    """What goes into a header or a signature. The value itself is never part of an error."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or not text:
        raise ValueError("must be text, and not empty")
    if not all("!" <= character <= "~" for character in text):
        raise ValueError("holds a blank, a line end or something outside ASCII: that is no token")
    return SecretStr(text)


def _database(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a URL, as sqlite:///var/tocsin.db")
    scheme, separator, rest = value.partition("://")
    if not separator or scheme.split("+")[0] not in ("sqlite", "postgresql"):
        raise ValueError("must start with sqlite:/// or postgresql://")
    if scheme.startswith("sqlite") and (not rest.startswith("/") or rest in ("/", "/:memory:")):
        raise ValueError("names no file: what was promised must outlive the process (sqlite:///var/tocsin.db)")
    return value


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError("must be a path")
    return Path(value)


def _listed(value: object, of: str) -> list[str]:
    """A list; from the environment one text with commas."""
    items = [item.strip() for item in value.split(",")] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str | Path) and str(item) for item in items):
        raise ValueError(f"must be a list of {of}")
    return [str(item) for item in items]


def _folders(value: object) -> list[Path]:
    return [Path(item) for item in _listed(value, "folders, as [rules]")]


def _channels(value: object) -> list[str]:
    return _listed(value, "channels, as [managers]")


Token = Annotated[SecretStr, BeforeValidator(_token), text_schema()]
File = Annotated[Path, BeforeValidator(_path), text_schema()]
SpanOrNone = Annotated[timedelta, BeforeValidator(parse_any_span), text_schema(examples=["2m", "0s"])]
Kept = Annotated[SpanOrNone, at_least(timedelta(days=1))]
JournalKept = Annotated[SpanOrNone, at_least(timedelta(days=180))]

PREFIX = "TOCSIN_"


def _patience(span: timedelta) -> timedelta:
    if not timedelta(seconds=30) <= span <= timedelta(days=1):
        raise ValueError("must be at least 30s, and at most 1d")
    return span


_least_patience = AfterValidator(_patience)


class SlackSettings(Strict):
    """The default way to tell people."""

    bot_token: Token | None = Field(default=None, description="the app's bot token, xoxb-…")
    app_token: Token | None = Field(default=None, description="switches Socket Mode on, xapp-…")
    signing_secret: Token | None = Field(default=None, description="switches signed requests over HTTP on")
    channel: SlackPlace | None = Field(default=None, description="where incidents are told, by its id")
    fallback: Name | None = Field(default=None, description="the channel that is told when slack.channel cannot be")
    api_url: Annotated[str, BeforeValidator(_api_url), text_schema()] = Field(
        default="https://slack.com/api/", description="Slack's Web API"
    )


class Settings(BaseSettings):
    """Once loaded, all paths are absolute and `timezone` is set. Made by `load_settings`, never by its constructor."""

    model_config = SettingsConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        populate_by_name=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        enable_decoding=False,
        validate_default=False,
    )

    database: Annotated[str, BeforeValidator(_database), text_schema()] = Field(
        default="sqlite:///var/tocsin.db", description="sqlite:///file or postgresql://user@host/db", repr=False
    )
    data_dir: File = Field(default=Path("var"), description="the folder of all that Tocsin writes")
    listen: Annotated[Address, BeforeValidator(_loopback), text_schema()] = Field(
        default=Address("127.0.0.1", 8600), description="page, API and metrics; loopback only"
    )
    metrics_listen: Annotated[Address, BeforeValidator(_anywhere), text_schema()] | None = Field(
        default=None, description="only /metrics, /healthz and /readyz, read-only; may be anywhere"
    )
    public_url: Annotated[str, BeforeValidator(_base_url), text_schema()] | None = Field(
        default=None, description="used in every link that leaves the house"
    )
    socket: File = Field(default=Path("var/tocsin.sock"), description="who may open it may act")
    rules: Annotated[list[Path], BeforeValidator(_folders), list_schema()] = Field(
        default=[Path("rules")], description="folders of rule files"
    )
    language: Literal["en", "zh_CN"] = Field(default="en", description="of pages and messages")
    timezone: Annotated[str, BeforeValidator(parse_zone), text_schema()] = Field(
        default="UTC", description="of local times; left out, the machine's"
    )
    secrets_dir: File | None = Field(default=None, description="a folder of files, one a secret")
    slack: SlackSettings = Field(default_factory=lambda: SlackSettings.model_validate({}))
    alarms_to: Annotated[list[Name], BeforeValidator(_channels), list_schema()] = Field(
        default=[], description="channels that are told about Tocsin's own troubles; left out, slack.channel"
    )
    fallback_after: Annotated[SpanOrNone, _least_patience] = Field(
        default=timedelta(minutes=2),
        description="a notice that its channel has not confirmed for so long goes to the next one too",
    )
    blind_after: SpanOrNone = Field(
        default=timedelta(minutes=2), description="a gap in watching this long is told, a shorter one only recorded"
    )
    reopen_within: SpanOrNone = Field(
        default=timedelta(minutes=15), description="failing again this soon after its end reopens an incident"
    )

    minutes_keep: Kept = Field(default=timedelta(days=35), description="the history minute by minute")
    history_keep: Kept = Field(
        default=timedelta(days=400), description="the history hour by hour, and changes of status"
    )
    failures_keep: Kept = Field(default=timedelta(days=90), description="each failing sample")
    journal_keep: JournalKept = Field(default=timedelta(days=400), description="the journal; at least 180d")
    history_max: Volume | None = Field(
        default=None, description="an SQLite database larger than this keeps less history, as 20GiB"
    )
    disk_free: Volume = Field(default=512 * 1024**2, description="less free space than this is an alarm; 0: never")

    _file: Path | None = PrivateAttr(None)
    _warnings: tuple[Problem, ...] = PrivateAttr(())
    _places: Mapping[str, Problem] = PrivateAttr({})
    _credentials: Path | None = PrivateAttr(None)

    @property
    def file(self) -> Path | None:
        """Where the settings were read from; None for the defaults."""
        return self._file

    @property
    def base(self) -> Path:
        """The folder where relative paths start."""
        return self._file.parent if self._file else Path.cwd()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self._warnings

    def problem(self, key: str, message: str) -> Problem:
        """A problem with one of the keys, where it was written."""
        place = self._places.get(key)
        if place is None:
            return Problem(str(self._file or "the defaults"), 0, 0, message)
        return Problem(place.file, place.line, place.column, message, place.source)

    def is_given(self, key: str) -> bool:
        """Whether somebody wrote this key, in the file or elsewhere."""
        return key in self._places

    def secrets(self, environ: Mapping[str, str]) -> Secrets:
        """The secrets that rules may name."""
        folders = [folder for folder in (self.secrets_dir, self._credentials) if folder]
        return Secrets(folders, environ)
