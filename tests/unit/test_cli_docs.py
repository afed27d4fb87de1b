"""Every command and option stands in docs/commands.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tocsin.cli.main import application
from tocsin.cli.table import COMMANDS, GROUPS, known_commands

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
COMMON = {"--json", "--config", "--socket", "--as", "--help"}


def commands() -> dict[str, set[str]]:
    """Each command by its words, with its own options."""
    app = application(sorted({known.file for known in known_commands().values()}))
    return dict(_walk(typer.main.get_command(app), ()))


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _walk(inner, (*path, name))
    else:
        yield " ".join(path), {option for p in command.params for option in p.opts if option.startswith("-")} - COMMON


def sections() -> dict[str, str]:
    """The page's text by the command of its heading."""
    parts = re.split(r"^### tocsin (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    known = sorted(commands(), key=len, reverse=True)
    return {
        next(k for k in known if f"{h} ".startswith(f"{k} ")): text
        for h, text in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.mark.parametrize("name", sorted(commands()))
def test_command_is_documented_with_all_its_options(name: str) -> None:
    text = sections()[name]
    assert not {option for option in commands()[name] if f"`{option}" not in text}


def test_page_documents_no_command_that_is_not_there() -> None:
    assert set(sections()) == set(commands())


def test_common_options_are_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{option}" in page for option in COMMON)


def test_help_table_knows_every_command() -> None:
    assert {name.split()[0] for name in commands()} == set(known_commands())
    assert {name.split()[0] for name in commands() if " " in name} == GROUPS


@pytest.mark.parametrize("noun", sorted(GROUPS))
def test_summary_of_a_noun_names_its_verbs(noun: str) -> None:
    summary = next(section[noun].summary for section in COMMANDS.values() if noun in section)
    verbs = {name.split()[1] for name in commands() if name.startswith(f"{noun} ")}
    assert set(re.findall(r"\w+", summary.partition(":")[0])) == verbs
