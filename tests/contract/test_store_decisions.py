"""What a decision asks for is in the store afterwards, whole, and equal to what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from case_parts import P1, P2, T0, Play, a_rulebook, a_system, bad, minute, slow
from tocsin.core import acts
from tocsin.core.case import Case, Decision
from tocsin.core.model import Incident, IncidentState
from tocsin.errors import StoreError
from tocsin.ports import StoredCheck
from tocsin.store.rows import row_of_incident
from tocsin.store.schema import clocks, incidents, journal, meta, notices
from tocsin.store.transaction import SqlTransaction

Unit = Callable[[Callable[[SqlTransaction], Any]], Any]
Ask = Callable[[Callable[[Any], Any]], Any]


class Stored:
    """A case that is played on the store: every act reads the case, decides, commits, and reads it again."""

    def __init__(self, unit: Unit, play: Play | None = None) -> None:
        self.unit = unit
        self.play = play or Play()

    def do(self, act: Callable[[Play], Decision]) -> Case:
        def work(tx: SqlTransaction) -> Case:
            self.play.case = before = tx.case(self.play.system.name)
            return tx.commit_decision(before, act(self.play))

        returned = self.unit(work)
        read = self.read()
        assert returned == read, "what the commit says is not what is stored"
        return read

    def read(self) -> Case:
        case = self.unit(lambda tx: tx.case(self.play.system.name))
        assert isinstance(case, Case)
        return case


@pytest.fixture
def stored(unit: Unit) -> Stored:
    return Stored(unit)


def test_an_opened_incident_is_read_back_as_it_was_decided(stored: Stored) -> None:
    case = stored.do(lambda play: play.fails(T0, bad(), slow("login")))
    decided = stored.play.case
    assert case.incident == decided.incident
    assert [replace(clock, id=None) for clock in case.clocks] == [replace(clock, id=None) for clock in decided.clocks]
    assert case.next_id == 2


@pytest.mark.parametrize(
    "acts",
    [
        pytest.param([lambda p: p.ack(minute(5))], id="acknowledged"),
        pytest.param([lambda p: p.ack(minute(5)), lambda p: p.unack(minute(6))], id="taken back"),
        pytest.param([lambda p: p.time(minute(61))], id="breached late"),
        pytest.param([lambda p: p.time(minute(61)), lambda p: p.ack(minute(70))], id="answered late"),
        pytest.param([lambda p: p.set_severity(P2, minute(5))], id="fallen"),
        pytest.param([lambda p: p.resolve(minute(5), bad(), anyway=True)], id="closed by hand"),
        pytest.param([lambda p: p.recovers(minute(5)), lambda p: p.fails(minute(7))], id="reopened"),
        pytest.param([lambda p: p.recovers(minute(5)), lambda p: p.reopen(minute(70))], id="opened again by hand"),
        pytest.param([lambda p: p.withdraw(minute(5), "health")], id="withdrawn"),
        pytest.param([lambda p: p.recovers(minute(5)), lambda p: p.fails(minute(100))], id="a second one"),
        pytest.param(
            [lambda p: p.keep(acts.assign(p.case, p.rulebook, "person:li.na", "li.na", minute(1)))],
            id="assigned",
        ),
    ],
)
def test_every_change_is_read_back_as_it_was_decided(stored: Stored, acts: list[Callable[[Play], Decision]]) -> None:
    stored.do(lambda play: play.fails())
    for act in acts:
        case = stored.do(act)
        assert case.incident == stored.play.case.incident
        assert sorted(map(repr, (replace(c, id=None) for c in case.clocks))) == sorted(
            map(repr, (replace(c, id=None) for c in stored.play.case.clocks))
        )


def test_a_decision_is_one_transaction_or_nothing(engine: Engine, stored: Stored) -> None:
    class Broken(Exception):
        """The unit of work ends here."""

    def work(tx: SqlTransaction) -> None:
        case = tx.case("erp")
        tx.commit_decision(case, stored.play.fails())
        raise Broken

    with pytest.raises(Broken):
        stored.unit(work)
    with engine.connect() as connection:
        for table in (incidents, clocks, notices, journal, meta):
            assert connection.execute(select(table)).all() == []


def test_a_decision_that_changes_nothing_writes_nothing(stored: Stored, ask: Ask) -> None:
    stored.do(lambda play: play.fails())
    entries = ask(lambda queries: queries.journal_tail(100))
    stored.do(lambda play: play.look([bad()], minute(1)))
    assert ask(lambda queries: queries.journal_tail(100)) == entries


def test_reminders_that_pass_in_silence_are_written_although_nothing_is_said(stored: Stored) -> None:
    stored.do(lambda play: play.fails())
    stored.do(lambda play: play.ack(minute(1)))
    stored.do(lambda play: play.unack(minute(2)))
    stored.do(lambda play: play.set_severity(P2, minute(3)))
    before = stored.read()
    after = stored.do(lambda play: play.time(minute(12 * 60 + 1)))
    resolution = next(c for c in after.clocks if c.kind.value == "resolution" and c.superseded_at is None)
    assert [reminder.share for reminder in resolution.plan] == [0.75]
    assert before != after


def test_a_decision_names_the_version_that_it_read(stored: Stored) -> None:
    stored.do(lambda play: play.fails())
    read = stored.read()
    stored.do(lambda play: play.ack(minute(1)))
    late = acts.acknowledge(read, a_rulebook(), "person:wang.wei", minute(2), minute(2))
    with pytest.raises(StoreError, match="changed by somebody else") as caught:
        stored.unit(lambda tx: tx.commit_decision(read, late))
    assert not caught.value.permanent
    incident = stored.read().incident
    assert incident is not None
    assert incident.acknowledged_by == "person:li.na"


def an_incident(number: int, state: IncidentState = IncidentState.OPEN, **more: Any) -> Incident:
    play = Play()
    play.fails()
    return replace(play.incident, id=number, state=state, **more)


def test_two_unresolved_incidents_of_one_key_are_impossible(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(incidents), [row_of_incident(an_incident(1, IncidentState.RESOLVED))])
        connection.execute(insert(incidents), [row_of_incident(an_incident(2))])
        connection.execute(insert(incidents), [row_of_incident(an_incident(3, key="from outside"))])
        connection.execute(insert(incidents), [row_of_incident(an_incident(4, system="crm"))])
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(incidents), [row_of_incident(an_incident(5, IncidentState.ACKNOWLEDGED))])


def test_a_case_is_the_unresolved_incident_or_else_the_last_resolved_one(unit: Unit, engine: Engine) -> None:
    rows = [
        an_incident(1),
        an_incident(2, IncidentState.RESOLVED),
        an_incident(7, IncidentState.RESOLVED, system="crm"),
    ]
    with engine.begin() as connection:
        connection.execute(insert(incidents), [row_of_incident(incident) for incident in rows])
    cases = unit(lambda tx: [tx.case("erp"), tx.case("crm"), tx.case("oa"), tx.case("erp", "other")])
    assert [case.incident and case.incident.id for case in cases] == [1, 7, None, None]
    assert {case.next_id for case in cases} == {8}
    assert unit(lambda tx: tx.case_of(2)).incident.id == 2
    assert unit(lambda tx: tx.case_of(99)) is None
    assert [incident.id for incident in unit(lambda tx: tx.unresolved_incidents())] == [1]


def test_another_unresolved_incident_of_the_same_key_is_found(unit: Unit, engine: Engine) -> None:
    old, young = an_incident(1, IncidentState.RESOLVED), an_incident(2)
    with engine.begin() as connection:
        connection.execute(insert(incidents), [row_of_incident(old), row_of_incident(young)])
    assert unit(lambda tx: tx.has_other_unresolved(old)) == 2
    assert unit(lambda tx: tx.has_other_unresolved(young)) is None


def test_what_wakes_next_is_found_and_what_is_over_is_not(stored: Stored) -> None:
    assert stored.unit(lambda tx: tx.next_wake()) is None
    stored.do(lambda play: play.fails())
    assert stored.unit(lambda tx: (tx.next_wake(), tx.incidents_to_wake(minute(30), 10))) == (minute(30), [1])
    assert stored.unit(lambda tx: tx.incidents_to_wake(minute(29), 10)) == []
    stored.do(lambda play: play.time(minute(45)))
    assert stored.unit(lambda tx: tx.next_wake()) == minute(60)
    stored.do(lambda play: play.recovers(minute(50)))
    assert stored.unit(lambda tx: tx.next_wake()) is None


def test_the_most_overdue_incident_comes_first(unit: Unit) -> None:
    systems = [a_system(name) for name in ("erp", "crm", "oa")]
    rulebook = a_rulebook(systems=systems)
    for index, name in enumerate(("crm", "oa", "erp")):
        Stored(unit, Play(rulebook, name)).do(lambda play, n=index: play.fails(minute(n)))
    assert unit(lambda tx: tx.incidents_to_wake(minute(600), 10)) == [1, 2, 3]
    assert unit(lambda tx: tx.incidents_to_wake(minute(600), 2)) == [1, 2]
    unit(lambda tx: tx.push_wake(1, minute(601)))
    assert unit(lambda tx: tx.incidents_to_wake(minute(600), 10)) == [2, 3]


def test_the_severity_and_its_rise_are_read_back_with_the_plan_that_was_superseded(stored: Stored) -> None:
    stored.do(lambda play: play.fails(T0, slow()))
    case = stored.do(lambda play: play.look([bad()], minute(10)))
    assert [(c.kind.value, c.severity, c.superseded_at) for c in case.clocks] == [
        ("response", P2, minute(10)),
        ("resolution", P2, minute(10)),
        ("response", P1, None),
        ("resolution", P1, None),
    ]


# --- checks ---


def test_a_check_is_kept_changed_held_and_forgotten(unit: Unit) -> None:
    first = StoredCheck("erp", "health", "http", "down", T0, T0, "status", "503", {"errors": 2.5, "build": "7"})
    other = StoredCheck("crm", "health", "tcp", "up")
    unit(lambda tx: (tx.save_check(first), tx.save_check(other)))
    assert unit(lambda tx: tx.stored_checks()) == {("erp", "health"): first, ("crm", "health"): other}
    changed = replace(first, status="up", failing_since=None, text="", values={})
    unit(lambda tx: tx.save_check(changed))
    assert unit(lambda tx: tx.stored_checks("erp")) == {("erp", "health"): changed}
    unit(lambda tx: tx.hold_checks("erp", ["health", "not there"]))
    assert unit(lambda tx: tx.stored_checks("erp"))["erp", "health"].is_held
    unit(lambda tx: tx.forget_check("erp", "health"))
    assert unit(lambda tx: tx.stored_checks()) == {("crm", "health"): other}


@pytest.mark.parametrize("hostile", ["a\0b", "half a pair: \ud800", "𝄞 漢字"])
def test_text_that_a_hostile_answer_holds_does_not_keep_an_incident_from_being_stored(
    stored: Stored, hostile: str, ask: Ask
) -> None:
    case = stored.do(lambda play: play.keep(_kept_clean(play.fails(T0, replace(bad(), text=hostile)))))
    stored.unit(lambda tx: tx.save_check(StoredCheck("erp", "health", "http", "down", text=hostile)))
    assert case.incident is not None
    assert case.incident.text.isprintable()
    assert ask(lambda queries: queries.timeline(1))[0]["action"] == "incident_opened"


def _kept_clean(decision: Decision) -> Decision:
    """The decision, with its incident's text as the store will hold it."""
    from tocsin.store.schema import storable

    incident = decision.case.incident
    assert incident is not None
    return replace(decision, case=replace(decision.case, incident=replace(incident, text=storable(incident.text))))


# --- instants ---


def test_an_instant_without_a_zone_cannot_be_stored(engine: Engine) -> None:
    with (
        pytest.raises(StatementError, match="an instant without a zone cannot be stored"),
        engine.begin() as connection,
    ):
        connection.execute(insert(incidents), [row_of_incident(an_incident(1, opened_at=T0.replace(tzinfo=None)))])


def test_an_instant_of_another_zone_is_the_same_instant_in_utc(unit: Unit) -> None:
    from datetime import timezone

    at = T0.astimezone(timezone(timedelta(hours=8)))
    unit(lambda tx: tx.ran("retention", at))
    read = unit(lambda tx: tx.last_run("retention"))
    assert (read, read.utcoffset()) == (T0, timedelta(0))


def test_an_instant_keeps_its_microseconds(unit: Unit) -> None:
    at = T0.replace(microsecond=123457)
    unit(lambda tx: tx.ran("retention", at))
    assert unit(lambda tx: tx.last_run("retention")) == at


# --- facts, jobs, configurations, messages ---


def test_facts_jobs_and_configurations_hold_what_was_put_last(unit: Unit) -> None:
    assert unit(lambda tx: (tx.get_fact("blind"), tx.last_run("x"), tx.last_configuration())) == (None, None, None)
    for value, at in (("1", T0), ("2", minute(1))):
        unit(lambda tx, v=value, a=at: (tx.put_fact("blind", v), tx.ran("x", a)))
        unit(lambda tx, v=value, a=at: tx.keep_configuration(f"version {v}", f'{{"n": {v}}}', "user:root", a))
    assert unit(lambda tx: (tx.get_fact("blind"), tx.last_run("x"))) == ("2", minute(1))
    assert unit(lambda tx: tx.last_configuration()) == ("version 2", '{"n": 2}')


def test_the_read_only_connection_cannot_write(ask: Ask) -> None:
    from sqlalchemy.exc import DBAPIError

    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        ask(lambda queries: queries._connection.execute(text("DELETE FROM meta")))
