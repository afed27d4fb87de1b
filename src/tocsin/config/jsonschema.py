"""JSON Schemas for editors, out of the models that check the files."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tocsin.config import later
from tocsin.config.channels import CHANNELS
from tocsin.config.duty import LayerRule, OnCallRule, OverrideRule, QuietRule, StepRule
from tocsin.config.golive import GoLiveRule
from tocsin.config.schema import (
    Defaults,
    HttpCheck,
    PersonRule,
    PolicyRule,
    SeverityEntry,
    SystemRule,
    TcpCheck,
    TeamRule,
)
from tocsin.config.settings import Settings
from tocsin.core.model import Severity

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RULE_MODELS: tuple[type[BaseModel], ...] = (
    Defaults,
    GoLiveRule,
    HttpCheck,
    LayerRule,
    OnCallRule,
    OverrideRule,
    PersonRule,
    PolicyRule,
    QuietRule,
    SeverityEntry,
    StepRule,
    SystemRule,
    TcpCheck,
    TeamRule,
    *CHANNELS.values(),
)
_NAMES = {"pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}


def json_schema() -> dict[str, dict[str, Any]]:
    return {"settings": _settings(), "rules": _rules()}


def _settings() -> dict[str, Any]:
    schema = Settings.model_json_schema(by_alias=True)
    return {"$schema": DIALECT, **schema, "title": "Tocsin settings (tocsin.yaml)"}


def _rules() -> dict[str, Any]:
    _, definitions = models_json_schema([(model, "validation") for model in RULE_MODELS], by_alias=True)
    parts = definitions["$defs"]
    _leave_out_later_keys(parts)
    parts["SystemRule"]["properties"]["checks"] = {
        **_entries({"anyOf": [_part(HttpCheck), _part(TcpCheck)]}),
        "minProperties": 1,
    }
    parts["SystemRule"]["required"] = ["owner", "checks"]
    return {
        "$schema": DIALECT,
        "title": "Tocsin rules",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "defaults": _part(Defaults),
            "systems": _entries(_part(SystemRule)),
            "severity": {"type": "array", "items": _part(SeverityEntry)},
            "response": {**_entries(_part(PolicyRule)), "propertyNames": {"enum": list(Severity)}},
            "calendars": _entries(_CALENDAR),
            "people": _entries(_part(PersonRule)),
            "teams": _entries(_part(TeamRule)),
            "channels": _entries({"anyOf": [_part(model) for model in CHANNELS.values()]}),
            "oncall": _entries(_part(OnCallRule)),
            "escalation": _entries({"type": "array", "items": _part(StepRule), "minItems": 1}),
            "golive": _part(GoLiveRule),
        },
        "$defs": parts,
    }


def _leave_out_later_keys(parts: dict[str, Any]) -> None:
    """What is refused at load is not offered by an editor."""
    for section, model in (("response", PolicyRule), ("teams", TeamRule), ("systems", SystemRule)):
        for row in later.RULES:
            head, _, key = row.partition(".*.")
            if head == section:
                parts[model.__name__]["properties"].pop(key, None)


def _part(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{model.__name__}"}


def _entries(entry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": entry, "propertyNames": _NAMES}


_SPANS = {"type": "array", "items": {"type": "string", "pattern": r"^\d\d?:\d\d-\d\d?:\d\d$"}}
_CALENDAR = {
    "type": "object",
    "additionalProperties": False,
    "required": ["hours"],
    "properties": {
        "timezone": {"type": "string"},
        "hours": {"type": "object", "additionalProperties": _SPANS},
        "holidays": {"type": "array", "items": {"type": "string"}},
        "working_days": {"type": "object", "additionalProperties": _SPANS},
    },
}
