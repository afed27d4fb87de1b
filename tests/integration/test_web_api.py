"""`/api/v1/…` in the shapes of the contract."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.errors import StoreError
from tocsin.testing.desk import FakeDesk
from tocsin.testing.facts import incident
from tocsin.web.openapi import document
from web_parts import NOW, a_desk, an_app, ask, fixed_now


def many(count: int) -> FakeDesk:
    return FakeDesk(fixed_now, incidents=[incident(n, "erp", "P2", NOW) for n in range(1, count + 1)])


def test_open_incidents_are_listed_newest_first() -> None:
    body = ask(an_app(), "GET", "/api/v1/incidents").json()
    assert [one["id"] for one in body["incidents"]] == [142, 141]
    assert body["next"] is None


def test_all_incidents_are_listed_when_asked_for() -> None:
    body = ask(an_app(), "GET", "/api/v1/incidents?state=all").json()
    assert [one["state"] for one in body["incidents"]] == ["open", "acknowledged", "resolved"]


def test_pages_follow_each_other_by_their_cursor_without_gap_or_repeat() -> None:
    app, seen, path = an_app(many(7)), [], "/api/v1/incidents?limit=3"
    while True:
        body = ask(app, "GET", path).json()
        seen += [one["id"] for one in body["incidents"]]
        if body["next"] is None:
            break
        path = f"/api/v1/incidents?limit=3&cursor={body['next']}"
    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit"),
        ("limit=201", "from 1 to 200"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=٣", "limit"),
        ("cursor=abc", "cursor"),
        ("cursor=" + "9" * 5000, "cursor"),
        ("state=closed", "open, all"),
        ("status=open", "unknown parameter 'status'"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(query: str, said: str) -> None:
    answer = ask(an_app(), "GET", f"/api/v1/incidents?{query}")
    assert answer.status_code == 422
    assert answer.json()["ok"] is False
    assert said in answer.json()["errors"][0]["message"]


def test_one_incident_comes_with_its_timeline() -> None:
    body = ask(an_app(), "GET", "/api/v1/incidents/142").json()
    assert body["id"] == 142
    assert [line["action"] for line in body["timeline"]] == ["incident_opened", "check_joined", "incident_noted"]


@pytest.mark.parametrize("name", ["999", "0", "abc", "1" * 400, "0" * 5000, "-1", "1.5", "١٤٢", "%00"])
@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("POST", "/ack")])
def test_an_incident_that_does_not_exist_is_not_found(method: str, tail: str, name: str) -> None:
    answer = ask(an_app(), method, f"/api/v1/incidents/{name}{tail}")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["message"]


def test_acknowledging_answers_with_the_incident_and_ends_its_response_clock() -> None:
    desk = a_desk()
    answer = ask(an_app(desk), "POST", "/api/v1/incidents/142/ack")
    body = answer.json()
    assert answer.status_code == 200
    assert (body["state"], body["acknowledged_by"]) == ("acknowledged", "local")
    assert next(c for c in body["clocks"] if c["clock"] == "response")["outcome"] == "met"
    assert ("ack", {"incident": "142"}, "local") in desk.asked


def test_acknowledging_twice_changes_nothing() -> None:
    app = an_app()
    first = ask(app, "POST", "/api/v1/incidents/142/ack").json()
    assert ask(app, "POST", "/api/v1/incidents/142/ack", content=b"{}").json() == first


def test_acknowledging_what_is_resolved_is_refused() -> None:
    answer = ask(an_app(), "POST", "/api/v1/incidents/140/ack")
    assert answer.status_code == 409
    assert "resolved already" in answer.json()["errors"][0]["message"]


def test_a_body_that_would_be_ignored_is_refused() -> None:
    desk = a_desk()
    answer = ask(an_app(desk), "POST", "/api/v1/incidents/142/ack", json={"as": "li.na"})
    assert answer.status_code == 422
    assert desk.incidents[142]["state"] == "open"


def test_a_store_that_does_not_answer_is_said_so() -> None:
    desk = a_desk()
    desk.trouble = StoreError("the disk is full")
    answer = ask(an_app(desk), "GET", "/api/v1/incidents")
    assert (answer.status_code, answer.json()["errors"]) == (503, [{"message": "the disk is full"}])


@pytest.mark.parametrize(
    ("method", "path", "code"), [("GET", "/api/v1/nothing", 404), ("DELETE", "/api/v1/incidents", 405)]
)
def test_other_addresses_are_answered_in_json_too(method: str, path: str, code: int) -> None:
    answer = ask(an_app(), method, path)
    assert answer.status_code == code
    assert answer.json()["ok"] is False


# --- the description -----------------------------------------------------------------------------------------------


def resolved(schema: dict[str, Any], doc: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = doc
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def faults(value: Any, schema: dict[str, Any], doc: dict[str, Any], at: str = "") -> list[str]:
    """The part of JSON Schema that our own description uses."""
    schema = resolved(schema, doc)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    if "const" in schema and value != schema["const"]:
        return [f"{at}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    if "type" in schema:
        wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(isinstance(value, kinds[kind]) for kind in wanted):
            return [f"{at}: {value!r} is no {wanted}"]
    found = [f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, inner in schema.get("properties", {}).items():
        found += faults(value[name], inner, doc, f"{at}.{name}") if isinstance(value, dict) and name in value else []
    for index, item in enumerate(value if "items" in schema else ()):
        found += faults(item, schema["items"], doc, f"{at}[{index}]")
    return found


@pytest.mark.parametrize(
    ("method", "path", "template", "code"),
    [
        ("get", "/api/v1/incidents?state=all", "/api/v1/incidents", 200),
        ("get", "/api/v1/incidents?limit=x", "/api/v1/incidents", 422),
        ("get", "/api/v1/incidents/140", "/api/v1/incidents/{id}", 200),
        ("get", "/api/v1/incidents/7", "/api/v1/incidents/{id}", 404),
        ("post", "/api/v1/incidents/142/ack", "/api/v1/incidents/{id}/ack", 200),
        ("post", "/api/v1/incidents/140/ack", "/api/v1/incidents/{id}/ack", 409),
    ],
)
def test_answers_are_as_the_description_says(method: str, path: str, template: str, code: int) -> None:
    doc = document("0.1.0")
    answer = ask(an_app(), method.upper(), path)
    described = resolved(doc["paths"][template][method]["responses"][str(code)], doc)
    assert answer.status_code == code
    assert faults(answer.json(), described["content"]["application/json"]["schema"], doc) == []


def test_the_description_describes_every_route_of_the_api_and_no_other() -> None:
    served = {route.path for route in an_app().routes if route.path.startswith("/api/")}  # type: ignore[attr-defined]
    assert served - {"/api/v1/openapi.json"} == set(document("0")["paths"])
    assert ask(an_app(), "GET", "/api/v1/openapi.json").json()["openapi"].startswith("3.1")


def test_the_checker_of_shapes_finds_what_is_wrong() -> None:
    doc = document("0")
    page = {"incidents": [{"id": "142"}], "next": 5}
    told = faults(page, {"$ref": "#/components/schemas/IncidentPage"}, doc)
    assert ".next: 5 is no ['string', 'null']" in told
    assert ".incidents[0].id: '142' is no ['integer']" in told
    assert ".incidents[0].system is missing" in told
