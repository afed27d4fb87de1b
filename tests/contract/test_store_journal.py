"""The journal: a chain in which every edit, deletion, reordering or cut is found and named."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, text, update

from case_parts import T0, minute
from tocsin.core.model import Entry
from tocsin.store import journal as chain
from tocsin.store.journal import GENESIS, Verification
from tocsin.store.schema import journal, meta
from tocsin.store.transaction import SqlTransaction

Unit = Callable[[Callable[[SqlTransaction], Any]], Any]
Ask = Callable[[Callable[[Any], Any]], Any]
COUNT = 6


def entry(number: int, **data: Any) -> Entry:
    return Entry(
        minute(number), "person:li.na", "incident_noted", f"incident:{number}", {"text": f"note {number}", **data}
    )


@pytest.fixture
def filled(engine: Engine, unit: Unit) -> Engine:
    """A journal of six entries, written in two transactions."""
    unit(lambda tx: tx.append([entry(n) for n in range(1, 4)]))
    unit(lambda tx: tx.append([entry(n) for n in range(4, COUNT + 1)]))
    return engine


def verify(engine: Engine) -> Verification:
    with engine.connect() as connection:
        return chain.verify(connection)


def change(engine: Engine, *statements: Any) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement) if isinstance(statement, str) else statement)


def at(sequence: int) -> Any:
    return journal.c.sequence == sequence


# --- whole ---


def test_an_empty_journal_is_whole(engine: Engine) -> None:
    assert verify(engine).as_dict() == {
        "ok": True,
        "entries": 0,
        "first": None,
        "last": None,
        "head": GENESIS,
        "broken": None,
    }


def test_an_untouched_journal_is_whole_and_says_where_it_ends(filled: Engine) -> None:
    found = verify(filled)
    assert (found.broken, found.entries, found.first, found.last) == (None, COUNT, 1, COUNT)
    with filled.connect() as connection:
        assert chain.head_of(connection) == chain.Head(COUNT, found.head)


def test_entries_are_numbered_from_one_without_gaps_and_each_stands_on_the_one_before(filled: Engine) -> None:
    with filled.connect() as connection:
        lines = chain.read(connection)
    assert [line["sequence"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["previous"] for line in lines] == [GENESIS, *(line["hash"] for line in lines[:-1])]


def test_an_entry_is_read_back_as_it_was_written(unit: Unit, ask: Ask) -> None:
    data = {"text": '漢字 "quoted"\n', "count": 3, "share": 0.5, "none": None, "list": [1, {"a": "b"}], "nul": "a\0b"}
    unit(lambda tx: tx.append([Entry(T0, "tocsin", "incident_opened", "incident:1", data)]))
    (line,) = ask(lambda queries: queries.journal_tail(10))
    assert line["data"] == data
    assert (line["at"], line["actor"], line["action"], line["subject"]) == (
        "2026-11-04T10:00:00.000000Z",
        "tocsin",
        "incident_opened",
        "incident:1",
    )


def test_half_a_surrogate_pair_does_not_keep_an_entry_from_being_written(engine: Engine, unit: Unit) -> None:
    unit(lambda tx: tx.append([entry(1, pasted="x\ud800y")]))
    assert verify(engine).broken is None


def test_two_equal_entries_have_different_digests_so_that_erased_data_cannot_be_guessed(unit: Unit, ask: Ask) -> None:
    unit(lambda tx: tx.append([entry(1), entry(1)]))
    first, second = ask(lambda queries: queries.journal_tail(10))
    assert first["data_digest"] != second["data_digest"]


def test_erasing_data_with_its_salt_leaves_the_chain_whole(filled: Engine, ask: Ask) -> None:
    change(filled, update(journal).where(at(3)).values(data=None, salt=None))
    assert verify(filled).broken is None
    assert ask(lambda queries: queries.journal_after(2, 1))[0]["data"] is None


def test_the_chain_can_be_checked_with_nothing_but_the_definition(filled: Engine) -> None:
    """As docs/database.md tells it: JSON arrays without spaces, SHA-256 in hex."""

    def h(*parts: object) -> str:
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()

    previous = "0" * 64
    with filled.connect() as connection:
        for row in connection.execute(select(journal).order_by(journal.c.sequence)).mappings():
            instant = row["at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            assert row["data_digest"] == h(row["salt"], row["data"])
            fields = (row["sequence"], instant, row["actor"], row["action"], row["subject"], row["data_digest"])
            assert row["hash"] == h(previous, *fields)
            previous = row["hash"]


# --- broken ---

SWAP = (
    "UPDATE journal SET sequence = 99 WHERE sequence = 2",
    "UPDATE journal SET sequence = 2 WHERE sequence = 3",
    "UPDATE journal SET sequence = 3 WHERE sequence = 99",
)
LATER = "'2027-01-01 00:00:00.000000'"


@pytest.mark.parametrize(
    ("statements", "sequence", "words"),
    [
        pytest.param(["UPDATE journal SET actor = 'user:root' WHERE sequence = 3"], 3, "edited", id="actor"),
        pytest.param(["UPDATE journal SET action = 'x' WHERE sequence = 3"], 3, "edited", id="action"),
        pytest.param(["UPDATE journal SET subject = 'x' WHERE sequence = 3"], 3, "edited", id="subject"),
        pytest.param([f"UPDATE journal SET at = {LATER} WHERE sequence = 3"], 3, "edited", id="instant"),
        pytest.param(
            ["""UPDATE journal SET data = '{"text":"other"}' WHERE sequence = 3"""], 3, "the data .* edited", id="data"
        ),
        pytest.param(["UPDATE journal SET data = 'no JSON' WHERE sequence = 3"], 3, "the data", id="data not JSON"),
        pytest.param(["UPDATE journal SET salt = 'x' WHERE sequence = 3"], 3, "the data", id="salt"),
        pytest.param(["UPDATE journal SET data_digest = 'x' WHERE sequence = 3"], 3, "edited", id="digest"),
        pytest.param(["UPDATE journal SET hash = 'x' WHERE sequence = 3"], 3, "edited", id="hash"),
        pytest.param(["UPDATE journal SET previous = 'x' WHERE sequence = 3"], 3, "does not stand on", id="previous"),
        pytest.param(["DELETE FROM journal WHERE sequence = 3"], 3, "entry 3 missing: entry 4", id="one deleted"),
        pytest.param(["DELETE FROM journal WHERE sequence = 1"], 1, "entry 1 missing", id="the first deleted"),
        pytest.param(
            ["DELETE FROM journal WHERE sequence < 3"], 1, "entries 1 to 2 missing", id="the first ones deleted"
        ),
        pytest.param(["DELETE FROM journal WHERE sequence IN (3, 4)"], 3, "entries 3 to 4 missing", id="two deleted"),
        pytest.param(["DELETE FROM journal WHERE sequence > 4"], 5, "the end is cut off.*entry 6", id="cut"),
        pytest.param(["DELETE FROM journal"], 1, "the end is cut off.*entry 6", id="all deleted"),
        pytest.param(SWAP, 2, "does not stand on", id="reordered"),
        pytest.param(
            ["DELETE FROM journal WHERE sequence = 3", "UPDATE journal SET sequence = sequence - 1 WHERE sequence > 3"],
            3,
            "does not stand on",
            id="deleted and closed up",
        ),
        pytest.param(
            ["DELETE FROM meta WHERE key = 'journal_head'"], 1, "record of the journal's head", id="head gone"
        ),
        pytest.param(["UPDATE meta SET value = '6 x' WHERE key = 'journal_head'"], 6, "does not fit", id="head edited"),
        pytest.param(
            ["DELETE FROM journal WHERE sequence = 6", "UPDATE meta SET value = '5 x' WHERE key = 'journal_head'"],
            5,
            "does not fit",
            id="cut, and the head made to fit badly",
        ),
    ],
)
def test_what_was_tampered_with_is_found_and_named(
    filled: Engine, statements: list[str], sequence: int, words: str
) -> None:
    if filled.dialect.name == "postgresql" and any("sequence - 1" in statement for statement in statements):
        # PostgreSQL checks the key row by row: moved one by one.
        moves = [f"UPDATE journal SET sequence = {n - 1} WHERE sequence = {n}" for n in range(4, COUNT + 1)]
        statements = [statements[0], *moves]
    change(filled, *statements)
    found = verify(filled)
    assert found.broken is not None
    assert found.broken[0] == sequence
    assert re.search(words, found.broken[1]), found.broken[1]
    assert found.as_dict()["ok"] is False


@pytest.mark.parametrize(
    ("column", "value"),
    [("at", "'yesterday'"), ("at", "'2026-99-99 00:00:00'"), ("data", "x'ff'"), ("actor", "x'00ff'")],
)
def test_what_cannot_even_be_read_is_named_too(sqlite: str, column: str, value: str) -> None:
    from tocsin.store import engine as engines
    from tocsin.store.upgrade import prepare

    engine = engines.write_engine(engines.parse_url(sqlite))
    prepare(engine, None)
    with engine.begin() as connection:
        chain.append(connection, [entry(n) for n in range(1, 4)])
    change(engine, f"UPDATE journal SET {column} = {value} WHERE sequence = 2")
    found = verify(engine)
    engine.dispose()
    assert found.broken is not None
    assert found.broken[0] == 2
    assert "cannot be read" in found.broken[1]
    assert (found.entries, found.last) == (1, 1)


def test_the_first_wrong_place_is_the_one_that_is_named(filled: Engine) -> None:
    change(filled, delete(journal).where(at(2)), update(journal).where(at(5)).values(actor="x"))
    assert verify(filled).as_dict()["broken"]["sequence"] == 2


def test_an_entry_slipped_in_is_found(filled: Engine) -> None:
    with filled.begin() as connection:
        row = dict(connection.execute(select(journal).where(at(COUNT))).mappings().one())
        connection.execute(journal.insert().values({**row, "sequence": COUNT + 1, "previous": row["hash"]}))
    found = verify(filled)
    assert found.broken is not None
    assert found.broken[0] == COUNT + 1


def test_an_entry_added_with_a_right_hash_does_not_fit_the_recorded_head(filled: Engine) -> None:
    with filled.begin() as connection:
        head = connection.execute(select(meta.c.value).where(meta.c.key == "journal_head")).scalar_one()
        chain.append(connection, [entry(7)])
        connection.execute(update(meta).where(meta.c.key == "journal_head").values(value=head))
    assert verify(filled).broken == (7, "the record of the head (entry 6) does not fit the last entry (7)")


# --- reading ---


def test_entries_are_read_in_order_after_a_place_of_a_subject_and_from_the_end(filled: Engine, ask: Ask) -> None:
    assert [line["sequence"] for line in ask(lambda q: q.journal_after(4, 10))] == [5, 6]
    assert [line["sequence"] for line in ask(lambda q: q.journal_after(0, 2))] == [1, 2]
    assert [line["sequence"] for line in ask(lambda q: q.journal_tail(2))] == [5, 6]
    with filled.connect() as connection:
        assert [line["sequence"] for line in chain.read(connection, subject="incident:4")] == [4]
        assert [line["sequence"] for line in chain.read_all(connection, batch=2)] == [1, 2, 3, 4, 5, 6]


def test_a_timeline_is_in_order_of_what_was_true_and_not_of_when_it_was_found(unit: Unit, ask: Ask) -> None:
    late = Entry(minute(1), "tocsin", "clock_breached", "incident:1", {"detected_at": "later"})
    unit(lambda tx: tx.append([Entry(minute(5), "tocsin", "incident_resolved", "incident:1"), late, entry(2)]))
    timeline = ask(lambda q: q.timeline(1))
    assert [(line["action"], line["sequence"]) for line in timeline] == [
        ("clock_breached", 2),
        ("incident_resolved", 1),
    ]
