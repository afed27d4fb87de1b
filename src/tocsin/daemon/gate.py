"""The Unix socket that the command line speaks through: one JSON line in, JSON lines out. Who may open it may act."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tocsin.core.policy import Person
from tocsin.errors import NotFound, Refused, StoreError, TocsinError, UsageError
from tocsin.log import get_log
from tocsin.ports import Desk

log = get_log(__name__)

LINE_LIMIT = 1 << 20
ASK_WITHIN_S = 10.0
ANSWER_WITHIN_S = 30.0
CALLERS = 64
PATH_LIMIT = 107


class Gate:
    def __init__(self, path: Path, desk: Desk, people: Callable[[], Mapping[str, Person]]) -> None:
        self._path = path
        self._desk = desk
        self._people = people
        self._server: asyncio.Server | None = None
        self._callers: set[asyncio.Task[Any]] = set()

    @property
    def is_open(self) -> bool:
        return self._server is not None and self._server.is_serving()

    async def open(self) -> None:
        """Bind the socket, 0660; one left behind by a daemon that is gone is replaced, a living one's is not."""
        if len(os.fsencode(self._path)) > PATH_LIMIT:
            raise UsageError(f"socket: {self._path} is longer than {PATH_LIMIT} bytes (set a shorter `socket`)")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                await asyncio.to_thread(self._remove_left_behind)
            before = os.umask(0o117)
            try:
                self._server = await asyncio.start_unix_server(self._serve, path=str(self._path), limit=LINE_LIMIT)
            finally:
                os.umask(before)
        except OSError as error:
            raise UsageError(
                f"socket: {self._path}: {error.strerror} (give Tocsin's account the folder, or set `socket`)"
            ) from None

    def _remove_left_behind(self) -> None:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self._path))
            except (ConnectionRefusedError, FileNotFoundError):
                self._path.unlink(missing_ok=True)
                return
            except OSError as error:
                raise UsageError(
                    f"socket: {self._path}: {error.strerror} (remove it, or set another `socket`)"
                ) from None
        raise UsageError(f"socket: another daemon answers on {self._path} (stop it, or set another `socket`)")

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in self._callers:
            task.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        try:
            if len(self._callers) > CALLERS:
                await _answer(writer, _failure("refused", f"{CALLERS} callers are being served (try again)"))
                return
            async with asyncio.timeout(ASK_WITHIN_S):
                line = await reader.readline()
            if line:
                await self._handle(line, writer)
        except (TimeoutError, ValueError, ConnectionError):
            pass  # an asker that sends no line, an endless one, or is gone
        finally:
            self._callers.discard(task)
            writer.close()

    async def _handle(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = _parse(line)
            actor = self._actor(writer, request.get("as"))
            if request["do"] == "watch":
                await self._watch(writer)
                return
            async with asyncio.timeout(ANSWER_WITHIN_S):
                result = await self._desk.call(request["do"], request.get("arguments") or {}, actor=actor)
            await _answer(writer, {"ok": True, "result": result})
        except TimeoutError:
            await _answer(writer, _failure("store", f"no answer within {ANSWER_WITHIN_S:.0f} s"))
        except TocsinError as error:
            await _answer(writer, _failure(kind_of(error), str(error)))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("A request failed", action="request_failed")
            await _answer(writer, _failure("internal", f"the daemon could not do it: {error!r}"))

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        async for count in self._desk.changes():
            await _answer(writer, {"ok": True, "result": count, "more": True})

    def _actor(self, writer: asyncio.StreamWriter, claimed: str | None) -> str:
        """`person:li.na` for an account that a person names as `login`, else `user:root`; uid 0 may speak for a person."""
        peer = writer.get_extra_info("socket")
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        uid = struct.unpack("3i", raw)[1]
        people = self._people()
        account = _account(uid)
        if claimed:
            if uid != 0:
                raise Refused("--as: only root may speak for somebody else")
            if claimed not in people:
                raise UsageError(f"--as {claimed!r}: unknown person (known: {', '.join(sorted(people)) or 'none'})")
            return f"user:{account} for person:{claimed}"
        person = next((one.id for one in people.values() if one.login == account), None)
        return f"person:{person}" if person is not None else f"user:{account}"


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        raise UsageError("the request is not a line of JSON") from None
    if not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise UsageError('the request has no verb ({"do": "status", "arguments": {}})')
    if not isinstance(request.get("arguments") or {}, dict):
        raise UsageError("`arguments` is not an object")
    return request


def kind_of(error: TocsinError) -> str:
    match error:
        case NotFound():
            return "not_found"
        case Refused():
            return "refused"
        case StoreError():
            return "store"
        case _:
            return "usage"


def _failure(kind: str, text: str) -> dict[str, Any]:
    return {"ok": False, "kind": kind, "errors": [{"message": text}]}


async def _answer(writer: asyncio.StreamWriter, reply: Mapping[str, Any]) -> None:
    writer.write(json.dumps(reply, ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n")
    async with asyncio.timeout(ANSWER_WITHIN_S):
        await writer.drain()
