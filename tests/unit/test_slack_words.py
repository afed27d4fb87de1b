"""The two languages of Slack's words hold together, and everything that is said has words."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import tocsin.channels.slack
from tocsin.words import LANGUAGES, catalogue

SOURCES = "\n".join(p.read_text() for p in Path(tocsin.channels.slack.__file__).parent.glob("*.py"))


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys() -> None:
    assert catalogue("slack", "en").keys() == catalogue("slack", "zh_CN").keys()


@pytest.mark.parametrize("key", sorted(catalogue("slack", "en")))
def test_a_text_has_the_same_placeholders_in_both_languages(key: str) -> None:
    assert _placeholders(catalogue("slack", "en")[key]) == _placeholders(catalogue("slack", "zh_CN")[key])


@pytest.mark.parametrize("language", LANGUAGES)
def test_bold_marks_stand_where_slack_reads_them(language: str) -> None:
    # Slack wants a space or the edge of a line around *…*; beside a Chinese character they would be shown as asterisks.
    for key, text in catalogue("slack", language).items():
        for bold in re.finditer(r"\*[^*\n]+\*", text):
            before, after = text[: bold.start()][-1:], text[bold.end() :][:1]
            assert before in ("", " ", "\n"), f"{key}: {text}"
            assert after in ("", " ", "\n", ":", ",", "."), f"{key}: {text}"


def test_every_text_is_said_somewhere() -> None:
    spoken = set(re.findall(r"[\"']([a-z_]+\.[a-z_]+)[\"']", SOURCES))
    families = re.findall(r"f\"([a-z_]+\.[a-z_]*)\{", SOURCES)
    unsaid = [k for k in catalogue("slack", "en") if k not in spoken and not any(k.startswith(f) for f in families)]
    assert unsaid == []
