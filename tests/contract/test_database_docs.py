"""docs/database.md: its tables are the tables, and the script that it gives does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from case_parts import Play, minute
from tocsin.store import engine as engines
from tocsin.store.schema import metadata
from tocsin.store.transaction import SqlTransaction
from tocsin.store.upgrade import prepare

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "database.md").read_text(encoding="utf-8")
SCRIPT = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def path(sqlite: str) -> Path:
    """A database in which an incident opened, was acknowledged, and resolved."""
    engine = engines.write_engine(engines.parse_url(sqlite))
    path = engines.file_of(engine.url)
    assert path is not None
    prepare(engine, path)
    play = Play()
    with engine.begin() as connection:
        tx = SqlTransaction(connection)
        for decision in (play.fails(), play.ack(minute(5)), play.recovers(minute(9))):
            tx.append(decision.entries)
    engine.dispose()
    return path


def verify(path: Path) -> subprocess.CompletedProcess[str]:
    (script,) = SCRIPT
    return subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False, timeout=60)


def change(path: Path, statement: str) -> None:
    engine: Engine = engines.write_engine(engines.parse_url(f"sqlite:///{path}"))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_every_table_is_in_the_documentation_and_no_other() -> None:
    section = TEXT.split("## Tables")[1].split("## The journal")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert told == set(metadata.tables) | {"alembic_version"}


def test_every_column_of_the_journal_is_in_the_documentation() -> None:
    section = TEXT.split("## The journal")[1].split("### ")[0]
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"\w+", cell)} == {
        c.name for c in metadata.tables["journal"].c
    }


def test_the_script_finds_an_untouched_journal_whole(path: Path) -> None:
    done = verify(path)
    assert done.stderr == ""
    assert re.fullmatch(r"whole: 3 entries, head [0-9a-f]{64}\n", done.stdout)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE journal SET actor = 'x' WHERE sequence = 2", "entry 2 was edited"),
        ("UPDATE journal SET data = '{}' WHERE sequence = 2", "the data of entry 2 was edited"),
        ("DELETE FROM journal WHERE sequence = 2", "entry 2 is missing"),
        ("DELETE FROM journal WHERE sequence = 3", "the end is cut off"),
    ],
)
def test_the_script_finds_what_was_tampered_with(path: Path, statement: str, words: str) -> None:
    change(path, statement)
    done = verify(path)
    assert done.returncode == 1
    assert words in done.stderr


def test_the_script_leaves_erased_data_in_peace(path: Path) -> None:
    change(path, "UPDATE journal SET data = NULL, salt = NULL WHERE sequence = 2")
    assert verify(path).returncode == 0
