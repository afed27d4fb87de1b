"""Everything that people meet by name is in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tocsin.config import json_schema
from tocsin.daemon.alarms import NAMES
from tocsin.words import LANGUAGES, catalogue

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "tocsin"


def docs(*names: str) -> str:
    return "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in names)


def journal_actions() -> set[str]:
    """Actions as the sources name them: the third argument of an Entry, the first of a draft's `record`."""
    found: set[str] = set()
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'Entry\(\s*[\w.()]+,\s*[\w.()"]+,\s*"(\w+)"', text))
        found |= set(re.findall(r'\.record\(\s*"(\w+)"', text))
    return found


def test_every_journal_action_is_in_the_documentation() -> None:
    actions = journal_actions()
    assert len(actions) > 15
    assert sorted(action for action in actions if f"`{action}`" not in docs("journal.md")) == []


@pytest.mark.parametrize("alarm", NAMES)
def test_every_alarm_is_in_the_documentation(alarm: str) -> None:
    assert f"| `{alarm}` |" in docs("journal.md")


def test_every_setting_is_in_the_documentation() -> None:
    settings = json_schema()["settings"]["properties"]
    assert sorted(name for name in settings if f"`{name}`" not in docs("configuration.md")) == []


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("place", sorted(path.name.split(".")[0] for path in (SOURCES / "words").glob("*.en.toml")))
def test_both_languages_have_the_same_texts_with_the_same_placeholders(place: str) -> None:
    english, chinese = (catalogue(place, language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{(\w+)", text)) == set(re.findall(r"\{(\w+)", chinese[key])), key
