"""Systems that are seen for the first time are written down together, as if each had been written by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from case_parts import T0, Play, bad
from tocsin.core.check import Transition
from tocsin.core.model import Reason, Sample, Status
from tocsin.daemon.changes_of_checks import FirstLook, is_first_look, write, write_first_looks
from tocsin.ports import StoredCheck
from tocsin.store.schema import checks, journal, transitions
from tocsin.store.transaction import SqlTransaction

Unit = Callable[[Callable[[SqlTransaction], Any]], Any]


def look(system: str, previous: Status = Status.UNOBSERVED, status: Status = Status.UP) -> FirstLook:
    sample = Sample(T0, status, Reason.OK, 0.01)
    change = ("health", Transition(previous, status, T0, T0, None), sample)
    return FirstLook(system, (change,), (StoredCheck(system, "health", "http", status.value, since=T0),))


def written(tx: SqlTransaction) -> dict[str, list[tuple[Any, ...]]]:
    wanted = {
        "transitions": select(transitions.c.system, transitions.c.check, transitions.c.at, transitions.c.status),
        "checks": select(checks.c.system, checks.c.name, checks.c.status, checks.c.is_held),
        "journal": select(journal.c.action, journal.c.subject, journal.c.at, journal.c.data),
    }
    return {name: sorted(tuple(row) for row in tx.connection.execute(query)) for name, query in wanted.items()}


def test_many_first_looks_are_written_as_if_one_by_one(unit: Unit) -> None:
    names = ["crm", "erp", "oa"]
    assert unit(lambda tx: write_first_looks(tx, [look(name) for name in names])) == []
    together = unit(written)
    unit(lambda tx: [tx.connection.execute(table.delete()) for table in (transitions, checks)])
    for name in names:
        unit(lambda tx, n=name: (write(tx, n, look(n).changes[0]), tx.save_check(look(n).checks[0])))
    one_by_one = unit(written)
    assert together["transitions"] == one_by_one["transitions"]
    assert together["checks"] == one_by_one["checks"]
    assert sorted(together["journal"] * 2) == one_by_one["journal"]


def test_a_first_look_whose_commit_is_repeated_is_written_once(unit: Unit) -> None:
    unit(lambda tx: write_first_looks(tx, [look("erp")]))
    before = unit(written)
    unit(lambda tx: write_first_looks(tx, [look("erp"), look("crm")]))
    after = unit(written)
    assert len(after["transitions"]) == len(before["transitions"]) + 1 == 2
    assert len(after["journal"]) == 2


def test_a_system_with_an_incident_is_left_to_be_decided_on(unit: Unit) -> None:
    play = Play()

    def opens(tx: SqlTransaction) -> None:
        play.case = before = tx.case(play.system.name)
        tx.commit_decision(before, play.fails(T0, bad()))

    unit(opens)
    name = play.system.name
    assert unit(lambda tx: write_first_looks(tx, [look(name), look("other")])) == [name]
    assert [row[0] for row in unit(written)["checks"]] == ["other"]


def test_only_what_was_found_up_at_the_first_look_is_one() -> None:
    up = look("erp")
    assert is_first_look(up.changes, up.checks)
    assert not is_first_look((), up.checks)
    recovered = look("erp", previous=Status.DOWN)
    assert not is_first_look(recovered.changes, recovered.checks)
    failing = look("erp", status=Status.DOWN)
    assert not is_first_look(failing.changes, failing.checks)
    other = StoredCheck("erp", "login", "http", "degraded", since=T0 - timedelta(hours=1))
    assert not is_first_look(up.changes, (*up.checks, other))
