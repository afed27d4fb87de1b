"""Systems that are seen for the first time are written down together, as if each had been written by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from case_parts import T0, Play, bad
from filled_store import a_rulebook
from tocsin.core.case import FailingCheck
from tocsin.core.check import CheckState, Transition
from tocsin.core.incident import reconcile
from tocsin.core.model import IncidentState, Reason, Sample, Status
from tocsin.core.policy import Rulebook
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.apply import Applier
from tocsin.daemon.changes_of_checks import FirstLook, is_first_look, write, write_first_looks
from tocsin.daemon.live import LiveState, Watched
from tocsin.errors import StoreError
from tocsin.ports import StoredCheck
from tocsin.simulation.clock import SimulatedClock
from tocsin.store.schema import checks, journal, transitions
from tocsin.store.store import SqlStore
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


class Around:
    """An applier with what stands around it: a store that can be told to fail, and a count of how often it was woken."""

    def __init__(self, address: str, *names: str) -> None:
        self.store, self.clock = SqlStore(address), SimulatedClock(T0)
        self.live = LiveState(Rulebook(systems={name: a_rulebook(name).systems[name] for name in names}))
        self.applier = Applier(
            self.live, self.store, self.clock, Alarms(self.store, self.clock, lambda: ()), lambda _: None
        )
        self.woken = 0
        self.applier.wake = self._woken

    def _woken(self) -> None:
        self.woken += 1

    def finds_up(self, name: str) -> None:
        check = self.live.rulebook.systems[name].checks[0]
        self.live.watched[name] = {check.name: Watched(check, state=CheckState(Status.UP, since=T0))}
        (change,) = look(name).changes
        self.live.keep_transition(name, *change)
        self.applier.consider(name)


def test_a_change_after_a_first_look_with_an_incident_wakes_the_applier(sqlite: str) -> None:
    """The store knows of an incident that is not remembered: it is decided on at once, and what follows is not held up."""
    failing = FailingCheck("health", "http", Status.DOWN, "timeout", "no answer", T0, {})
    rulebook = a_rulebook("erp")

    def opens(tx: SqlTransaction) -> None:
        before = tx.case("erp")
        tx.commit_decision(before, reconcile(before, rulebook, rulebook.systems["erp"], (failing,), T0))

    async def scenario() -> None:
        around = Around(sqlite, "erp", "crm")
        try:
            await around.store.write(opens)
            around.finds_up("erp")
            around.finds_up("crm")
            await around.applier.step(T0)
            decided = around.live.cases["erp"].incident
            assert decided is not None
            assert decided.state is IncidentState.RESOLVED
            woken = around.woken
            around.finds_up("erp")
            assert around.woken == woken + 1
        finally:
            await around.store.close()

    asyncio.run(scenario())


def test_first_looks_that_the_store_did_not_take_are_written_the_next_time(sqlite: str) -> None:
    async def scenario() -> None:
        around = Around(sqlite, "erp", "crm")
        write = around.store.write
        try:

            async def fails(work: Any, *, bulk: bool = False) -> Any:
                raise StoreError("the disk is full")

            around.store.write = fails  # type: ignore[method-assign]
            around.finds_up("erp")
            around.finds_up("crm")
            again_at = await around.applier.step(T0)
            assert again_at is not None
            assert again_at - T0 <= timedelta(seconds=1)
            around.store.write = write  # type: ignore[method-assign]
            await around.applier.step(again_at)
            rows = await around.store.write(written)
            assert [row[:2] for row in rows["transitions"]] == [("crm", "health"), ("erp", "health")]
        finally:
            await around.store.close()

    asyncio.run(scenario())
