"""`/api/v1/…`: incidents as JSON, in the shapes of docs/http.md."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tocsin.errors import UsageError
from tocsin.ports import Desk
from tocsin.web.answers import LARGEST_ID, ask, incident_id, is_number
from tocsin.web.openapi import document

MOST_LISTED = 200
LISTED = 50
STATES = ("open", "all")
PARAMETERS = ("state", "limit", "cursor")


class Api:
    def __init__(self, desk: Desk, version: str) -> None:
        self._desk = desk
        self._version = version

    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/openapi.json", self._describe, methods=["GET"]),
            Route("/api/v1/incidents", self._list, methods=["GET"]),
            Route("/api/v1/incidents/{id}", self._show, methods=["GET"]),
            Route("/api/v1/incidents/{id}/ack", self._ack, methods=["POST"]),
        ]

    async def _describe(self, _request: Request) -> Response:
        return JSONResponse(document(self._version))

    async def _list(self, request: Request) -> Response:
        state, limit, cursor = read_parameters(request.query_params)
        incidents = await ask(self._desk, "incident_list", all=state == "all", limit=limit, before=cursor)
        following = str(incidents[-1]["id"]) if len(incidents) == limit else None
        return JSONResponse({"incidents": incidents, "next": following})

    async def _show(self, request: Request) -> Response:
        return JSONResponse(await ask(self._desk, "incident_show", incident=incident_id(request)))

    async def _ack(self, request: Request) -> Response:
        if (await request.body()).strip() not in (b"", b"{}"):
            raise UsageError("an acknowledgement has no body (send none, or {})")
        return JSONResponse(await ask(self._desk, "ack", incident=incident_id(request)))


def read_parameters(given: Mapping[str, str]) -> tuple[str, int, int | None]:
    """State, limit, cursor; anything else is an error, since nothing is accepted and ignored."""
    for name in given:
        if name not in PARAMETERS:
            raise UsageError(f"unknown parameter {name!r} (there are {', '.join(PARAMETERS)})")
    state = given.get("state", STATES[0])
    if state not in STATES:
        raise UsageError(f"state: {state!r} is none of {', '.join(STATES)}")
    limit = _number("limit", given.get("limit", str(LISTED)), MOST_LISTED)
    cursor = given.get("cursor")
    return state, limit, None if cursor is None else _number("cursor", cursor, LARGEST_ID)


def _number(name: str, text: str, most: int) -> int:
    if not is_number(text) or not 1 <= int(text) <= most:
        raise UsageError(f"{name}: {text[:40]!r} is no whole number from 1 to {most}")
    return int(text)
