"""The page for people, the schema for editors and the code name the same keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tocsin.config import json_schema, later, load
from tocsin.config.joined import SECTIONS
from tocsin.config.jsonschema import RULE_MODELS
from tocsin.config.settings import Settings, SlackSettings
from tocsin.expressions.vocabulary import ALL

DOCS = Path(__file__).parents[2] / "docs"
MODELS: tuple[type[BaseModel], ...] = (Settings, SlackSettings, *RULE_MODELS)


def keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_in_the_documentation(model: type[BaseModel]) -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    refused = {row.rsplit(".", 1)[-1] for row in later.RULES}
    assert [key for key in keys_of(model) if key not in refused and f"`{key}`" not in page] == []


def test_every_section_and_every_refused_key_is_in_the_documentation() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    names = [*SECTIONS, *(row.rsplit(".", 1)[-1] for row in (*later.RULES, *later.SETTINGS))]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_name_of_the_vocabularies_is_in_the_documentation() -> None:
    page = (DOCS / "expressions.md").read_text(encoding="utf-8")
    assert [name for vocabulary in ALL for name in vocabulary.kinds if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", ["configuration.md", "expressions.md"])
def test_the_examples_of_the_documentation_are_valid(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that starts with a comment naming a file is that file; together they are one configuration."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```yaml\n(# (\S+\.yaml)\n.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for text, name in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if not (tmp_path / "tocsin.yaml").exists():
        (tmp_path / "tocsin.yaml").write_text("slack: {channel: C1}\n")
    environ = {"TOCSIN_SECRET_ERP_TOKEN": "t", "TOCSIN_SECRET_HOOK_KEY": "k"}
    assert load(tmp_path / "tocsin.yaml", environ).rules.warnings == ()


def test_the_schema_offers_every_section_and_nothing_that_is_refused() -> None:
    rules = json_schema()["rules"]
    assert set(rules["properties"]) == set(SECTIONS)
    assert "update" in rules["$defs"]["PolicyRule"]["properties"]
    assert "depends_on" not in rules["$defs"]["SystemRule"]["properties"]
    assert set(json_schema()["settings"]["properties"]) == set(Settings.model_fields)


def test_the_schema_knows_what_is_required_and_refuses_unknown_keys() -> None:
    parts = json_schema()["rules"]["$defs"]
    assert parts["SystemRule"]["required"] == ["owner", "checks"]
    assert parts["SeverityEntry"]["required"] == ["name", "when", "is"]
    assert parts["PolicyRule"]["required"] == ["acknowledge"]
    assert all(part["additionalProperties"] is False for part in parts.values() if "properties" in part)


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    for schema in json_schema().values():
        wanted = set(_references(schema))
        assert wanted <= {f"#/$defs/{name}" for name in schema["$defs"]}


def _references(part: Any) -> list[str]:
    match part:
        case {"$ref": reference}:
            return [reference]
        case dict():
            return [found for value in part.values() for found in _references(value)]
        case list():
            return [found for value in part for found in _references(value)]
        case _:
            return []
