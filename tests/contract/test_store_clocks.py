"""Clocks on the store: pauses, periods and exclusions come back as they were, and the counters count what the fold counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from case_parts import MINUTE, P1, POLICIES, RESOLUTION, RESPONSE, T0, Play, a_rulebook, minute
from tocsin.core import clock_acts, figures
from tocsin.core.case import Case, Decision
from tocsin.core.model import Clock, ClockKind, Entry
from tocsin.store.transaction import SqlTransaction

Unit = Callable[[Callable[[SqlTransaction], Any]], Any]
Ask = Callable[[Callable[[Any], Any]], Any]
UPDATE = ClockKind.UPDATE
LI = "person:li.na"


class Stored:
    """A play of which every act reads the case from the store, decides, and commits."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.play = Play(a_rulebook(response={P1: replace(POLICIES[P1], update=30 * MINUTE)}))

    def do(self, act: Callable[[Play], Decision]) -> None:
        def work(tx: SqlTransaction) -> None:
            self.play.case = before = tx.case("erp")
            tx.commit_decision(before, act(self.play))

        self.unit(work)

    def case(self) -> Case:
        found: Case = self.unit(lambda tx: tx.case("erp"))
        return found

    def clock(self, kind: ClockKind) -> Clock:
        return next(clock for clock in self.case().clocks if clock.kind is kind and clock.superseded_at is None)

    def has_lived(self) -> None:
        """Acknowledged, two periods kept and one missed, paused and resumed, excluded."""
        self.do(lambda p: p.fails(T0))
        self.do(lambda p: p.ack(minute(10)))
        self.do(lambda p: p.note(minute(20)))
        self.do(lambda p: p.time(minute(50)))
        self.do(lambda p: p.keep(clock_acts.pause(p.case, p.rulebook, LI, (), "supplier", minute(60))))
        self.do(lambda p: p.keep(clock_acts.exclude(p.case, LI, RESPONSE, "drill", minute(61))))


def test_what_is_paused_wakes_nobody_and_is_no_open_deadline(unit: Unit, ask: Ask) -> None:
    stored = Stored(unit)
    stored.has_lived()
    assert unit(lambda tx: tx.next_wake()) is None
    assert unit(lambda tx: tx.incidents_to_wake(minute(10_000), 10)) == []
    assert ask(lambda q: q.figures(minute(70)))["open_deadlines"] == []
    stored.do(lambda p: p.keep(clock_acts.resume(p.case, p.rulebook, LI, (), "", minute(90))))
    assert unit(lambda tx: tx.next_wake()) == minute(120)
    kinds = [row[3] for row in ask(lambda q: q.figures(minute(91)))["open_deadlines"]]
    assert sorted(kinds) == ["resolution", "update"]


def test_a_clock_is_shown_with_its_pause_and_its_exclusion(unit: Unit, ask: Ask) -> None:
    stored = Stored(unit)
    stored.has_lived()
    shown = ask(lambda q: q.incident(1))
    clocks = {clock["clock"]: clock for clock in shown["clocks"]}
    assert sorted(clocks) == ["resolution", "response", "update"]
    assert clocks["resolution"]["paused"] == {
        "since": "2026-11-04T11:00:00.000000Z",
        "reason": "supplier",
        "actor": LI,
    }
    assert clocks["resolution"]["pauses"][-1]["to"] is None
    assert clocks["response"]["exclusion"] == {"actor": LI, "at": minute(61).isoformat(), "reason": "drill"}
    assert (clocks["response"]["paused"], clocks["resolution"]["exclusion"]) == (None, None)
    assert stored.clock(RESOLUTION).paused_since == minute(60)


def test_the_counters_count_what_the_fold_of_the_journal_counts(unit: Unit, ask: Ask) -> None:
    stored = Stored(unit)
    stored.has_lived()
    stored.do(lambda p: p.resolve(minute(100)))
    lines = ask(lambda q: q.journal_after(0, 1000))
    told = [
        Entry(datetime.fromisoformat(line["at"]), line["actor"], line["action"], line["subject"], line["data"])
        for line in lines
    ]
    folded = figures.clocks_of(1, told)
    assert sorted(folded, key=repr) == sorted(
        (replace(clock, id=None, plan=()) for clock in stored.case().clocks), key=repr
    )
    counted = ask(lambda q: q.figures(minute(101)))["clocks_total"]
    assert counted == {tuple(map(str, key)): count for key, count in figures.outcomes_of(folded).items()}
    assert (counted["P1", "update", "met"], counted["P1", "update", "breached"]) == (2, 1)
