"""Socket Mode: clicks arrive over connections that we open, so nothing of ours need be reachable from outside.

Protocol: docs.slack.dev, "Using Socket Mode". Several connections are held, so that one can be renewed while another listens. Each
address is good for one connection; each envelope is acknowledged before anything is done with it.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import aiohttp

from tocsin.channels.slack.api import SlackApi, proxy_for
from tocsin.channels.slack.inbox import SlackInbox
from tocsin.errors import DeliveryError
from tocsin.log import get_log

log = get_log(__name__)

CONNECTIONS = 2
CONNECT_WITHIN_S = 15.0
ACKNOWLEDGE_WITHIN_S = 3.0
RENEW_AFTER_S = 60 * 60.0
PING_S = 10.0
LONGEST_PAUSE_S = 60.0
LARGEST_MESSAGE = 1024 * 1024
REMEMBERED = 2048
OVERLAP_S = 2.0
PART_WITHIN_S = 2.0
GOODBYE = (1000).to_bytes(2, "big")
GONE = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
CARRIES_PAYLOAD = ("interactive", "events_api", "slash_commands")


class SlackSocket:
    """Holds the connections while `run` runs. `problem` says why clicks may not arrive, None while they do."""

    def __init__(
        self,
        api: SlackApi,
        app_token: str,
        inbox: SlackInbox,
        now: Callable[[], datetime],
        *,
        connections: int = CONNECTIONS,
        renew_after_s: float = RENEW_AFTER_S,
        ping_s: float = PING_S,
        first_pause_s: float = 1.0,
        overlap_s: float = OVERLAP_S,
    ) -> None:
        self._api = api
        self._app_token = app_token
        self._inbox = inbox
        self._now = now
        self._connections = connections
        self._renew_after_s = renew_after_s
        self._ping_s = ping_s
        self._first_pause_s = first_pause_s
        self._overlap_s = overlap_s
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._listening: set[int] = set()
        self._problem: str | None = "not connected yet"
        self._foreign = 0
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return bool(self._listening)

    @property
    def problem(self) -> str | None:
        if not self._listening:
            return self._problem
        if self._foreign:
            return f"Slack counts {self._foreign} more connections of this app than are ours: clicks may go elsewhere"
        return None

    async def run(self) -> None:
        """Listen until cancelled."""
        async with aiohttp.ClientSession() as session:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for number in range(self._connections):
                        tasks.create_task(self._hold(session, number), name=f"slack socket {number}")
            finally:
                for task in self._retiring:
                    task.cancel()
                await asyncio.gather(*self._retiring, return_exceptions=True)

    async def _hold(self, session: aiohttp.ClientSession, number: int) -> None:
        """Keep one connection: open, listen, open again."""
        # Spread, so that all are never renewed at the same moment.
        renew_after_s = self._renew_after_s * (1 + number / max(1, self._connections))
        pause_s = self._first_pause_s
        while True:
            try:
                address = await self._api.open_socket(self._app_token)
                await self._listen(session, number, address, renew_after_s)
                pause_s = self._first_pause_s
            except (DeliveryError, aiohttp.ClientError, TimeoutError, OSError) as error:
                pause_s = self._told(error, pause_s)
            finally:
                self._listening.discard(number)
            await asyncio.sleep(pause_s)

    def _told(self, error: Exception, pause_s: float) -> float:
        """Note what went wrong; returns how long to wait."""
        self._problem = str(error) or type(error).__name__
        log.warning("Slack's socket is not connected", action="slack_socket_lost", error=self._problem)
        if isinstance(error, DeliveryError):
            if error.permanent:
                return LONGEST_PAUSE_S
            if error.retry_after is not None:
                return error.retry_after.total_seconds()
        return min(pause_s * 2, LONGEST_PAUSE_S)

    async def _listen(self, session: aiohttp.ClientSession, number: int, address: str, renew_after_s: float) -> None:
        """Hear one connection out: until Slack asks for another, it breaks, or it is old. Then its successor is opened first."""
        async with asyncio.timeout(CONNECT_WITHIN_S):
            connection = await session.ws_connect(
                address,
                heartbeat=self._ping_s,
                max_msg_size=LARGEST_MESSAGE,
                proxy=proxy_for(address),
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            )
        is_open = False
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                self._greeted(number, _object(await connection.receive_str()))
            is_open = await self._hear_out(connection, renew_after_s)
        except TypeError as error:
            raise DeliveryError("Slack ended the connection without a greeting") from error
        finally:
            self._listening.discard(number)
            self._problem = "the connection ended"
            if not is_open:
                await connection.close()
        if is_open:
            task = asyncio.create_task(self._retire(connection), name="slack socket retiring")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _retire(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        """Go on listening while the successor connects; then say goodbye, and still take in what was under way.

        The library's own `close` would throw away what arrives before the other side has read the goodbye.
        """
        try:
            if not await self._hear_out(connection, self._overlap_s):
                return
            await connection.send_frame(GOODBYE, aiohttp.WSMsgType.CLOSE)
            await self._hear_out(connection, PART_WITHIN_S)
        except (OSError, aiohttp.ClientError) as error:
            log.debug("A Slack socket broke while it was given up", action="slack_socket_lost", error=str(error))
        finally:
            await connection.close()

    async def _hear_out(self, connection: aiohttp.ClientWebSocketResponse, within_s: float) -> bool:
        """Take in what comes. True when it is time to part, False when the connection is gone already.

        The limit is on waiting alone: whatever has arrived is worked on whole, never cancelled half-way.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + within_s
        while (left_s := ends_at - loop.time()) > 0:
            try:
                frame = await connection.receive(timeout=left_s)
            except TimeoutError:
                return True
            if frame.type in GONE:
                return False
            if frame.type is aiohttp.WSMsgType.TEXT and not await self._heard(connection, _object(frame.data)):
                return True
        return True

    async def _heard(self, connection: aiohttp.ClientWebSocketResponse, message: dict[str, Any]) -> bool:
        """Take in one message; False when Slack asks for another connection."""
        received_at = self._now()
        if message.get("type") in CARRIES_PAYLOAD:
            await self._take(connection, message, received_at)
        return message.get("type") != "disconnect"

    def _greeted(self, number: int, hello: dict[str, Any]) -> None:
        if hello.get("type") != "hello":
            raise DeliveryError(f"Slack greeted with {str(hello.get('type'))[:40]!r} ({str(hello.get('reason'))[:80]})")
        self._listening.add(number)
        counted = hello.get("num_connections")
        self._foreign = max(0, counted - self._connections - len(self._retiring)) if isinstance(counted, int) else 0
        log.info("Slack's socket is connected", action="slack_socket_connected", number=number, counted=counted)

    async def _take(
        self, connection: aiohttp.ClientWebSocketResponse, envelope: dict[str, Any], received_at: datetime
    ) -> None:
        identity, payload = str(envelope.get("envelope_id")), envelope.get("payload")
        is_new = identity not in self._seen
        if is_new and not self._inbox.has_room:
            # Not acknowledged, so Slack tells the person that it failed.
            log.error("Too many clicks at once", action="slack_click_refused")
            return
        self._remember(identity)
        try:
            async with asyncio.timeout(ACKNOWLEDGE_WITHIN_S):
                await connection.send_json({"envelope_id": identity})
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            log.warning("Slack was not told that a click arrived", action="slack_click_unanswered", error=str(error))
        if is_new and isinstance(payload, dict):
            self._inbox.accept(payload, received_at)

    def _remember(self, identity: str) -> None:
        self._seen[identity] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _object(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
