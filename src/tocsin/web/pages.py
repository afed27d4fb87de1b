"""The pages for people: the dashboard, the list of incidents, one incident, and the forms that act."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tocsin.errors import UsageError
from tocsin.ports import Desk
from tocsin.web.answers import ask, headers_of, incident_id, status_of, text_of
from tocsin.web.api import read_parameters
from tocsin.web.incidents import incident_of, incidents_of, open_by_severity
from tocsin.web.reader import Reader
from tocsin.web.systems import systems_of
from tocsin.web.templates import Templates
from tocsin.web.timeline import timeline_of
from tocsin.words import LANGUAGES

COOKIE = "tocsin_language"
A_YEAR_S = 365 * 86400
FORM = "application/x-www-form-urlencoded"


class Pages:
    def __init__(
        self, desk: Desk, templates: Templates, now: Callable[[], datetime], language: str, timezone: str, version: str
    ) -> None:
        self._desk = desk
        self._templates = templates
        self._now = now
        self._language = language
        self._zone = ZoneInfo(timezone)
        self._version = version

    def routes(self) -> list[Route]:
        return [
            Route("/", self._dashboard, methods=["GET"]),
            Route("/incidents", self._list, methods=["GET"]),
            Route("/incidents/{id}", self._incident, methods=["GET"]),
            Route("/incidents/{id}/ack", self._ack, methods=["POST"]),
            Route("/incidents/{id}/note", self._note, methods=["POST"]),
            Route("/incidents/{id}/resolve", self._resolve, methods=["POST"]),
        ]

    async def _dashboard(self, request: Request) -> Response:
        status = await ask(self._desk, "status")
        reader = self._reader(request)
        incidents, systems = incidents_of(status, reader), systems_of(status, reader)
        return await self._page(
            request,
            reader,
            "dashboard.html",
            status=status,
            incidents=incidents,
            systems=systems,
            all_up=bool(systems) and all(system.status == "up" for system in systems),
            failing=sum(system.status in ("down", "degraded") for system in systems),
            unseen=sum(system.status == "unobserved" for system in systems),
            open_by_severity=open_by_severity(incidents, reader),
            p1=sum(incident.severity == "P1" for incident in incidents),
            waiting=[c for c in status.get("channels") or () if c["pending"] and (c.get("oldest_s") or 0) >= 60],
        )

    async def _list(self, request: Request) -> Response:
        given = {name: value for name, value in request.query_params.items() if name != "lang"}
        _, limit, cursor = read_parameters(given)
        found = await ask(self._desk, "incident_list", all=True, limit=limit, before=cursor)
        reader = self._reader(request)
        incidents = [incident_of(incident, None, reader) for incident in found]
        following = found[-1]["id"] if len(found) == limit else None
        return await self._page(request, reader, "incidents.html", incidents=incidents, following=following)

    async def _incident(self, request: Request) -> Response:
        incident = await ask(self._desk, "incident_show", incident=incident_id(request))
        status = await ask(self._desk, "status")
        reader = self._reader(request)
        system = next((s for s in status["systems"] if s["system"] == incident["system"]), None)
        return await self._page(
            request,
            reader,
            "incident.html",
            status=status,
            incident=incident_of(incident, system, reader),
            timeline=timeline_of(incident, reader),
        )

    # --- acts ---

    async def _ack(self, request: Request) -> Response:
        form = await read_form(request)
        number = incident_id(request)
        await ask(self._desk, "ack", incident=number)
        return RedirectResponse("/" if form.get("then") == "dashboard" else f"/incidents/{number}", 303)

    async def _note(self, request: Request) -> Response:
        form = await read_form(request)
        text = form.get("text", "").strip()
        if not text:
            raise UsageError(self._reader(request).say("error.empty_note"))
        number = incident_id(request)
        await ask(self._desk, "note", incident=number, text=text)
        return RedirectResponse(f"/incidents/{number}", 303)

    async def _resolve(self, request: Request) -> Response:
        form = await read_form(request)
        number = incident_id(request)
        note = form.get("note", "").strip() or None
        await ask(self._desk, "resolve", incident=number, note=note, anyway=form.get("anyway") == "yes")
        return RedirectResponse(f"/incidents/{number}", 303)

    # --- how it is said ---

    def _reader(self, request: Request) -> Reader:
        wanted = request.query_params.get("lang") or request.cookies.get(COOKIE)
        return Reader(wanted if wanted in LANGUAGES else self._language, self._zone, self._now())

    async def _page(self, request: Request, reader: Reader, template: str, code: int = 200, **context: Any) -> Response:
        html = await self._templates.render(
            template, reader=reader, say=reader.say, path=request.url.path, version=self._version, **context
        )
        answer = HTMLResponse(html, code)
        if request.query_params.get("lang") in LANGUAGES:
            answer.set_cookie(COOKIE, reader.language, max_age=A_YEAR_S, httponly=True, samesite="lax")
        return answer

    async def error(self, request: Request, error: Exception) -> Response:
        """What went wrong, as a page."""
        reader, code = self._reader(request), status_of(error)
        title = reader.say_or(f"error.{code}", str(code))
        said = text_of(error)
        message = reader.say_or(f"error.text_{code}", said) if isinstance(error, HTTPException) else said
        answer = await self._page(request, reader, "error.html", code, title=title, message=message)
        answer.headers.update(headers_of(error) or {})
        return answer


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form as browsers send it; an empty body is an empty form."""
    body = await request.body()
    kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise UsageError(f"a form is expected here ({FORM}), not {kind}")
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError as error:
        raise UsageError("the form is not valid UTF-8 text, or has too many fields") from error
    return dict(fields)
