"""Answers that several places give: errors by what went wrong, and the desk asked within a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from tocsin.errors import NotFound, Refused, StoreError, TocsinError, UsageError
from tocsin.ports import Desk

LOCAL = "local"
DESK_LIMIT_S = 10.0
LARGEST_ID = 2**53
MOST_DIGITS = 16
BROKEN = "Something in Tocsin went wrong: its log says what."


async def ask(desk: Desk, verb: str, **arguments: Any) -> Any:
    """Ask the daemon as the page does: as whoever sits at this machine, and not for ever."""
    try:
        async with asyncio.timeout(DESK_LIMIT_S):
            return await desk.call(verb, arguments, actor=LOCAL)
    except TimeoutError as error:
        raise StoreError(f"{verb}: no answer within {DESK_LIMIT_S:.0f} s (try again; see the alarms)") from error


def status_of(error: Exception) -> int:
    match error:
        case HTTPException():
            return error.status_code
        case NotFound():
            return 404
        case Refused():
            return 409
        case UsageError():
            return 422
        case TocsinError():
            return 503
        case _:
            return 500


def text_of(error: Exception) -> str:
    match error:
        case HTTPException():
            return error.detail
        case TocsinError():
            return str(error)
        case _:
            return BROKEN


def headers_of(error: Exception) -> Mapping[str, str] | None:
    return error.headers if isinstance(error, HTTPException) else None


def json_error(error: Exception) -> JSONResponse:
    body = {"ok": False, "errors": [{"message": text_of(error)}]}
    return JSONResponse(body, status_of(error), headers=headers_of(error))


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS


def incident_id(request: Request) -> str:
    """The incident that the path names; what is no number of ours is not found, as any other unknown one."""
    text: str = request.path_params["id"]
    if not is_number(text) or int(text) > LARGEST_ID:
        raise NotFound(f"there is no incident {text[:40]!r} (its number stands in the list, as in #142)")
    return str(int(text))
