"""The API's own description (OpenAPI 3.1), written by hand: the routes are few, and their shapes are the contract's."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
OPTIONAL_TEXT: Schema = {"type": ["string", "null"]}
OPTIONAL_INSTANT: Schema = {"type": ["string", "null"], "format": "date-time"}


def document(version: str) -> Schema:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tocsin",
            "version": version,
            "description": "Incidents of the watched systems. Until logins exist, only for programs on the same machine.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [],
        "paths": {
            "/api/v1/incidents": {"get": _list()},
            "/api/v1/incidents/{id}": {"get": _show()},
            "/api/v1/incidents/{id}/ack": {"post": _ack()},
        },
        "components": {"schemas": _schemas(), "responses": _responses(), "parameters": _parameters()},
    }


def _list() -> Schema:
    names = ("state", "limit", "cursor")
    return {
        "operationId": "listIncidents",
        "summary": "List incidents, newest first",
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in names],
        "responses": {"200": _json("A page of incidents", "IncidentPage"), **_failures("403", "422", "503")},
    }


def _show() -> Schema:
    return {
        "operationId": "showIncident",
        "summary": "Show one incident with its timeline",
        "parameters": [{"$ref": "#/components/parameters/id"}],
        "responses": {"200": _json("The incident", "Incident"), **_failures("403", "404", "503")},
    }


def _ack() -> Schema:
    return {
        "operationId": "acknowledgeIncident",
        "summary": "Acknowledge: somebody is on it; a second time changes nothing",
        "parameters": [{"$ref": "#/components/parameters/id"}],
        "responses": {"200": _json("The incident", "Incident"), **_failures("403", "404", "409", "422", "503")},
    }


def _json(text: str, schema: str) -> Schema:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": text, "content": {"application/json": {"schema": reference}}}


def _failures(*codes: str) -> Schema:
    return {code: {"$ref": f"#/components/responses/{code}"} for code in codes}


def _responses() -> Schema:
    texts = {
        "403": "Not for this caller: a proxy, a foreign Host, or another site's page",
        "404": "There is no such incident",
        "409": "Understood, and refused: the message says why",
        "422": "The question makes no sense as asked",
        "503": "The store does not answer now: try again",
    }
    return {code: _json(text, "Errors") for code, text in texts.items()}


def _parameters() -> Schema:
    def in_query(name: str, text: str, schema: Schema) -> Schema:
        return {"name": name, "in": "query", "required": False, "description": text, "schema": schema}

    return {
        "id": {
            "name": "id",
            "in": "path",
            "required": True,
            "description": "The incident's number, as 142 in #142",
            "schema": {"type": "integer", "minimum": 1},
        },
        "state": in_query(
            "state",
            "open (and acknowledged) ones, or all",
            {"enum": ["open", "all"], "default": "open", "type": "string"},
        ),
        "limit": in_query("limit", "At most so many", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
        "cursor": in_query("cursor", "`next` of the page before", {"type": "string", "pattern": "^[0-9]+$"}),
    }


def _schemas() -> Schema:
    return {
        "Incident": _incident(),
        "IncidentPage": _object(
            {"incidents": _list_of("Incident"), "next": {**OPTIONAL_TEXT, "description": "null on the last page"}}
        ),
        "Clock": _clock(),
        "Rule": _object({"name": TEXT, "file": TEXT, "line": {"type": "integer"}, "text": TEXT}),
        "TimelineLine": _object({"at": INSTANT, "actor": TEXT, "action": TEXT}),
        "Errors": _object({"ok": {"const": False}, "errors": {"type": "array", "items": _object({"message": TEXT})}}),
    }


def _incident() -> Schema:
    required = {
        "id": {"type": "integer", "minimum": 1},
        "system": TEXT,
        "severity": {"type": "string", "enum": ["P1", "P2", "P3", "P4"]},
        "state": {"type": "string", "enum": ["open", "acknowledged", "resolved"]},
        "title": TEXT,
        "reason": {**TEXT, "description": "The rule's name"},
        "rule": {"$ref": "#/components/schemas/Rule"},
        "text": {**TEXT, "description": "What failed, with resolved values"},
        "failing_since": INSTANT,
        "opened_at": INSTANT,
        "acknowledged_at": OPTIONAL_INSTANT,
        "acknowledged_by": OPTIONAL_TEXT,
        "resolved_at": OPTIONAL_INSTANT,
        "clocks": _list_of("Clock"),
        "superseded": _list_of("Clock"),
    }
    return _object(
        required, timeline={**_list_of("TimelineLine"), "description": "Only of one incident, not in a list"}
    )


def _clock() -> Schema:
    return _object(
        {
            "clock": {"type": "string", "enum": ["response", "update", "resolution", "review"]},
            "due_at": INSTANT,
            "outcome": {"enum": ["met", "breached", "void", None], "description": "null while it runs"},
            "met_at": OPTIONAL_INSTANT,
            "breached_at": OPTIONAL_INSTANT,
            "detected_late": {"type": "boolean"},
        },
        paused={
            "description": "null while it counts",
            "anyOf": [{"type": "null"}, _object({"since": INSTANT, "reason": TEXT, "actor": TEXT})],
        },
        pauses={
            "type": "array",
            "items": _object({"from": INSTANT, "to": OPTIONAL_INSTANT, "reason": TEXT, "actor": TEXT}),
        },
        exclusion={
            "description": "why it must not be held against anybody, else null",
            "anyOf": [{"type": "null"}, _object({"actor": TEXT, "at": INSTANT, "reason": TEXT})],
        },
    )


def _object(required: Schema, **optional: Schema) -> Schema:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def _list_of(name: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
