"""Slack's Web API behind one verb, `call`, that raises `DeliveryError` and nothing else.

The client never tries again by itself (its default handler posts twice when an answer is lost): repeating is the outbox's business.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tocsin.channels.slack import failures
from tocsin.errors import DeliveryError

if TYPE_CHECKING:
    import aiohttp
    from slack_sdk.web.async_client import AsyncWebClient

SLACK = "https://slack.com/api/"
TIMEOUT_S = 10.0
CONNECT_S = 5.0
IDLE_S = 15.0


class SlackApi:
    """One workspace. Nothing is imported or opened before the first call; `close` ends it."""

    def __init__(self, token: str, *, api_url: str = SLACK, timeout_s: float = TIMEOUT_S) -> None:
        self._token = token
        self.api_url = api_url if api_url.endswith("/") else f"{api_url}/"
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncWebClient | None = None

    async def post(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._call(method, http_verb="POST", json=dict(arguments))

    async def get(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._call(method, http_verb="GET", params=dict(arguments))

    async def open_socket(self, app_token: str) -> str:
        """Ask for the address of a Socket Mode connection; it is good for one."""
        headers = {"Authorization": f"Bearer {app_token}"}
        answer = await self._call("apps.connections.open", http_verb="POST", headers=headers)
        if not isinstance(answer.get("url"), str):
            raise DeliveryError("Slack answered apps.connections.open without an address")
        return str(answer["url"])

    async def identity(self) -> tuple[Mapping[str, Any], frozenset[str]]:
        """Whom the token speaks for, and the scopes that it was granted."""
        answer = await self._answer("auth.test", http_verb="POST")
        headers = {str(name).lower(): value for name, value in answer.headers.items()}
        granted = str(headers.get("x-oauth-scopes", ""))
        return answer.data, frozenset(scope.strip() for scope in granted.split(",") if scope.strip())

    async def answer_privately(self, url: str, text: str) -> None:
        """Say something that only the person who clicked sees, by the address that came with the click."""
        import aiohttp

        body = {"response_type": "ephemeral", "replace_original": False, "text": text}
        try:
            async with self._opened().post(url, json=body, proxy=proxy_for(url), allow_redirects=False) as response:
                if response.status != 200:
                    raise failures.answered("a private answer", response.status, response.headers, None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise failures.unanswered("a private answer", error) from error

    async def close(self) -> None:
        session, self._session, self._client = self._session, None, None
        if session is not None:
            await session.close()

    def client(self) -> AsyncWebClient:
        """The library's client, with a session of our own: it knows a lost answer from a connection that never was."""
        if self._client is None:
            from slack_sdk.web.async_client import AsyncWebClient

            self._client = AsyncWebClient(
                self._token,
                base_url=self.api_url,
                timeout=int(self._timeout_s),
                session=self._opened(),
                retry_handlers=[],
                logger=quiet_logger(),
            )
            self._client.proxy = proxy_for(self.api_url)
        return self._client

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=20, keepalive_timeout=IDLE_S),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=CONNECT_S),
            )
        return self._session

    async def _call(self, method: str, **request: Any) -> Mapping[str, Any]:
        answer = await self._answer(method, **request)
        return answer.data if isinstance(answer.data, Mapping) else {}

    async def _answer(self, method: str, **request: Any) -> Any:
        import aiohttp
        from slack_sdk.errors import SlackApiError, SlackClientError

        never_left = (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientHttpProxyError,
            aiohttp.InvalidURL,
        )
        # The library stumbles with these over answers that are JSON or text, but not an object.
        stumbles = (AttributeError, TypeError, KeyError, ValueError)
        try:
            return await self.client().api_call(method, **request)
        except SlackApiError as error:
            raise _meaning(method, error) from error
        except never_left as error:
            raise failures.unreached(method, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError, *stumbles) as error:
            raise failures.unanswered(method, error) from error


def _meaning(method: str, error: Any) -> DeliveryError:
    # The response is the library's own, or aiohttp's where the body was not JSON: their names for the status differ.
    response = error.response
    status = response.status_code if hasattr(response, "status_code") else response.status
    return failures.answered(method, status, response.headers, getattr(response, "data", None))


def proxy_for(url: str) -> str | None:
    """The proxy of the environment for an address. The library would not look at NO_PROXY, and would send loopback through it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "localhost" or _is_loopback(host) or proxy_bypass(host):
        return None
    found = getproxies()
    return found.get("https") or found.get("http")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def quiet_logger() -> logging.Logger:
    """A logger that stands by itself and says nothing: what matters is said by us, without texts and tokens in it."""
    return logging.Logger("tocsin.slack_sdk", level=logging.CRITICAL + 1)  # noqa: LOG001  # outside the tree on purpose
