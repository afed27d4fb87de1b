"""What `doctor` looks at beyond this machine: names, ports, the clocks of watched systems, Slack. Every wait has a limit."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, assert_never
from urllib.parse import urlsplit

from tocsin.cli.doctor_data import clock
from tocsin.cli.finding import Finding, Level
from tocsin.errors import DeliveryError

if TYPE_CHECKING:
    from tocsin.config.settings import Settings
    from tocsin.core.policy import Check, Rulebook

NAME_WITHIN_S, PORT_WITHIN_S, SLOW_NAME_S = 5.0, 3.0, 1.0
AT_ONCE = 16
CLOCKS_ASKED = 3
DATE_WARNING, DATE_PROBLEM = timedelta(seconds=3), timedelta(seconds=30)
SCOPES = {
    "chat:write": "to post and edit",
    "metadata.message:read": "to find its own message again when an answer was lost",
    "im:write": "to tell people directly",
}
HISTORY_SCOPES = frozenset({"channels:history", "groups:history"})

Place = tuple[str, int]


async def examined(settings: Settings, rulebook: Rulebook, checks: Sequence[Check]) -> list[Finding]:
    places = list(dict.fromkeys([*map(_place_of, checks), *_places_of_channels(settings, rulebook)]))
    known, names = await _names([place for place in places if place is not None])
    return [
        *names,
        *await _ports(known),
        *await _clocks(checks),
        *await slack(settings),
    ]


# --- names and ports ---


def _place_of(check: Check) -> Place | None:
    """Where a check connects to: its proxy, where it has one."""
    from tocsin.core.policy import HttpTarget, TcpTarget

    match check.target:
        case HttpTarget(url=url, proxy=proxy):
            return _place_of_url(proxy or url)
        case TcpTarget(host=host, port=port):
            return host, port
        case _:
            assert_never(check.target)


def _places_of_channels(settings: Settings, rulebook: Rulebook) -> list[Place]:
    from tocsin.channels.slack.api import proxy_for

    urls = [str(spec.options["url"]) for spec in rulebook.channels.values() if "url" in spec.options]
    if settings.slack.bot_token is not None:
        urls.append(settings.slack.api_url)
    return [place for url in urls if (place := _place_of_url(proxy_for(url) or url)) is not None]


def _place_of_url(url: str) -> Place | None:
    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    return (parts.hostname, parts.port or usual) if parts.hostname else None


async def _names(places: Sequence[Place]) -> tuple[list[Place], list[Finding]]:
    """Which places have an address, and what is wrong with the others' names."""
    hosts = list(dict.fromkeys(host for host, _ in places))
    turns = asyncio.Semaphore(AT_ONCE)
    found = dict(zip(hosts, await asyncio.gather(*(_resolve(host, turns) for host in hosts)), strict=True))
    findings = [finding for finding in found.values() if finding is not None]
    unknown = {host for host, finding in found.items() if finding is not None and finding.level is Level.PROBLEM}
    right = len(hosts) - len(findings)
    if right:
        findings.insert(0, Finding("names", Level.OK, f"{right} of {len(hosts)} hosts have addresses"))
    return [place for place in places if place[0] not in unknown], findings


async def _resolve(host: str, turns: asyncio.Semaphore) -> Finding | None:
    advice = "check the name, /etc/resolv.conf and the name server"
    async with turns:
        before = time.monotonic()
        try:
            async with asyncio.timeout(NAME_WITHIN_S):
                await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except TimeoutError:
            return Finding("names", Level.PROBLEM, f"{host}: no answer within {NAME_WITHIN_S:.0f} s", advice)
        except (OSError, UnicodeError) as error:
            text = getattr(error, "strerror", None) or str(error)
            return Finding("names", Level.PROBLEM, f"{host}: {text}", advice)
        took = time.monotonic() - before
    if took < SLOW_NAME_S:
        return None
    return Finding("names", Level.WARNING, f"{host}: the name server took {took:.1f} s", "probes wait that long too")


async def _ports(places: Sequence[Place]) -> list[Finding]:
    turns = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*(_connect(place, turns) for place in places))
    findings = [finding for finding in found if finding is not None]
    if right := len(places) - len(findings):
        findings.insert(0, Finding("ports", Level.OK, f"{right} of {len(places)} can be reached"))
    return findings


async def _connect(place: Place, turns: asyncio.Semaphore) -> Finding | None:
    """A system that is down looks the same from here as a closed port: a warning, no more."""
    host, port = place
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    async with turns:
        try:
            async with asyncio.timeout(PORT_WITHIN_S):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            text = f"{name}: no answer within {PORT_WITHIN_S:.0f} s"
            return Finding("ports", Level.WARNING, text, "is the way out closed by a firewall?")
        except OSError as error:
            return Finding("ports", Level.WARNING, f"{name}: {_why(error)}", "is it down, or the port wrong?")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return None


def _why(error: OSError) -> str:
    import os

    return os.strerror(error.errno).lower() if error.errno else str(error)


# --- clocks ---


async def _clocks(checks: Iterable[Check]) -> list[Finding]:
    """The Date of a watched system's answer, against this machine's clock. No host on the internet is asked."""
    from tocsin.core.policy import HttpTarget
    from tocsin.daemon.build import probe_once

    for check in [check for check in checks if isinstance(check.target, HttpTarget)][:CLOCKS_ASKED]:
        observation, _ = await probe_once(check)
        theirs = _date_of(observation.headers.get("date", ""))
        if theirs is not None:
            # A Date has whole seconds.
            half = timedelta(milliseconds=500)
            limits = {"warning": DATE_WARNING, "problem": DATE_PROBLEM}
            return [clock(f"{check.id} (its Date)", theirs + half, datetime.now(UTC), **limits)]
    return []


def _date_of(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


# --- Slack ---


async def slack(settings: Settings) -> list[Finding]:
    if settings.slack.bot_token is None:
        return [Finding("Slack", Level.WARNING, "no bot_token: Slack is told nothing", "see docs/slack.md")]
    from tocsin.channels.slack.api import SlackApi

    api = SlackApi(settings.slack.bot_token.get_secret_value(), api_url=settings.slack.api_url)
    try:
        found, granted = await api.identity()
        findings = [Finding("Slack", Level.OK, f"{found.get('user', 'the app')} in {found.get('team', 'a workspace')}")]
        findings += _scopes(granted)
        if settings.slack.app_token is not None:
            await api.open_socket(settings.slack.app_token.get_secret_value())
            findings.append(Finding("Slack", Level.OK, "Socket Mode is granted"))
        elif settings.slack.signing_secret is None:
            text = "neither app_token nor signing_secret: buttons do nothing"
            findings.append(Finding("Slack", Level.WARNING, text, "see docs/slack.md"))
        return findings
    except DeliveryError as error:
        return [Finding("Slack", Level.PROBLEM, str(error), "see docs/slack.md" if error.permanent else "try again")]
    finally:
        await api.close()


def _scopes(granted: frozenset[str]) -> list[Finding]:
    if not granted:
        return [Finding("Slack", Level.WARNING, "it does not say which scopes the token has", "compare the manifest")]
    advice = "add it to the app and install it again; deploy/slack/manifest.yaml has them all"
    missing = [f"{scope} ({why})" for scope, why in SCOPES.items() if scope not in granted]
    if not granted & HISTORY_SCOPES:
        missing.append("channels:history or groups:history (to find its own message again)")
    if not missing:
        return [Finding("Slack", Level.OK, f"{len(granted)} scopes, none is missing")]
    return [Finding("Slack", Level.PROBLEM, f"the scope {scope} is missing", advice) for scope in missing]
