"""A go-live watch as a decision: its start, its review clock, its checkpoints, what people do, how it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from case_parts import HOUR, MINUTE, T0, minute
from golive_parts import LI, MET, UNMET, WANG, Watching, golive_rulebook
from tocsin.core.golive import Phase
from tocsin.core.golive_acts import Remark
from tocsin.core.golive_passing import next_status
from tocsin.core.golive_policy import GoLivePolicy
from tocsin.core.local_time import zone_named
from tocsin.core.model import ClockOutcome, NoticeKind
from tocsin.core.oncall import Layer, OnCall

DUE = T0 + 72 * HOUR


def test_a_watch_that_starts_now_runs_at_once_and_its_review_is_due_72_hours_later() -> None:
    play = Watching()
    assert (play.phase, play.golive.started_at, play.golive.review_due_at) == (Phase.WATCHING, T0, DUE)
    assert play.actions() == ["golive_planned", "golive_started"]
    assert [(n.event, n.kind) for n in play.notices] == [("golive_started", NoticeKind.PAGE)]


def test_a_planned_watch_begins_by_itself_at_its_instant() -> None:
    play = Watching(starts_at=T0 + HOUR)
    assert (play.phase, play.golive.wake_at) == (Phase.PLANNED, T0 + HOUR)
    play.time(T0 + HOUR - MINUTE)
    assert play.phase is Phase.PLANNED
    play.time(T0 + HOUR)
    assert (play.phase, play.golive.started_at) == (Phase.WATCHING, T0 + HOUR)


def test_a_start_that_a_stop_made_late_counts_from_its_planned_instant_and_says_so() -> None:
    play = Watching(starts_at=T0 + HOUR)
    play.time(T0 + 5 * HOUR)
    assert (play.golive.started_at, play.golive.review_due_at) == (T0 + HOUR, T0 + 73 * HOUR)
    begun = next(entry for entry in play.entries if entry.action == "golive_started")
    assert (begun.at, begun.data["detected_at"]) == (T0 + HOUR, (T0 + 5 * HOUR).isoformat())


def test_the_opening_checkpoint_is_written_with_the_first_sample_of_every_system() -> None:
    play = Watching(systems=("erp", "crm"))
    play.time(minute(0.1), sampled=("erp",))
    assert "golive_checkpoint" not in play.actions()
    play.time(minute(0.2), sampled=("erp", "crm"))
    assert play.entries[-1].data["kind"] == "opening"
    play.time(minute(0.3), sampled=("erp", "crm"))
    assert play.actions().count("golive_checkpoint") == 1


def test_without_a_sample_the_opening_checkpoint_is_written_after_a_minute() -> None:
    play = Watching()
    play.time(minute(1), sampled=())
    assert play.entries[-1].data["kind"] == "opening"


def test_checkpoints_come_each_hour_and_those_that_a_stop_passed_over_are_counted_not_made_up() -> None:
    play = Watching()
    play.until(T0 + 3 * HOUR)
    kinds = [entry.data["kind"] for entry in play.entries if entry.action == "golive_checkpoint"]
    assert kinds == ["opening", "regular", "regular", "regular"]
    play.time(T0 + 7.5 * HOUR)
    last = [entry for entry in play.entries if entry.action == "golive_checkpoint"][-1]
    assert (last.data["missed"], play.golive.next_checkpoint_at) == (3, T0 + 8 * HOUR)


def test_time_that_is_asked_again_at_the_same_instant_changes_nothing() -> None:
    play = Watching()
    play.time(T0 + 40 * HOUR)
    again = play.time(T0 + 40 * HOUR)
    assert (again.entries, again.notices, again.golive) == ((), (), play.golive)


def test_the_review_clock_reminds_breaches_and_calls_the_ladder_at_its_own_instants() -> None:
    play = Watching()
    play.until(DUE + HOUR)
    clock_lines = [
        (e.action, e.at) for e in play.entries if e.action in ("clock_reminded", "clock_breached", "escalation_step")
    ]
    assert clock_lines == [
        ("clock_reminded", T0 + 36 * HOUR),
        ("clock_reminded", T0 + 54 * HOUR),
        ("clock_reminded", T0 + 64.8 * HOUR),
        ("clock_breached", DUE),
        ("escalation_step", DUE),
    ]
    called = [n for n in play.notices if n.event == "golive_escalated"]
    assert [(n.channel, n.data["people"]) for n in called] == [("person:wang.wei", ["wang.wei"])]


def test_a_breach_during_a_stop_is_recorded_at_its_true_instant_and_told_late() -> None:
    play = Watching()
    play.until(T0 + 40 * HOUR)
    play.time(DUE + 2 * HOUR)
    breach = next(entry for entry in play.entries if entry.action == "clock_breached")
    assert (breach.at, breach.data["detected_at"]) == (DUE, (DUE + 2 * HOUR).isoformat())
    assert play.golive.clock is not None
    assert (play.golive.clock.breached_at, play.golive.clock.detected_late) == (DUE, True)
    (told,) = [n for n in play.last.notices if n.event == "golive_breached"]
    assert (told.kind, told.data["late"], len(told.data["items"])) == (NoticeKind.BROADCAST, True, 3)


def test_a_review_held_in_time_meets_its_clock_and_waits_for_signatures() -> None:
    play = Watching()
    play.review(T0 + 70 * HOUR)
    assert play.golive.clock is not None
    assert (play.phase, play.golive.clock.outcome) == (Phase.IN_REVIEW, ClockOutcome.MET)
    assert play.entries[-1].data["verdict"] == "go"
    play.time(DUE + HOUR)
    assert "clock_breached" not in play.actions()


def test_a_review_held_too_late_stays_breached_and_the_breach_is_recorded_at_its_instant() -> None:
    play = Watching()
    play.review(DUE + HOUR)
    assert play.golive.clock is not None
    assert (play.golive.clock.outcome, play.golive.clock.met_at) == (ClockOutcome.BREACHED, DUE + HOUR)
    assert [(e.action, e.at) for e in play.entries if e.action == "clock_breached"] == [("clock_breached", DUE)]


def test_an_extension_answers_the_review_and_starts_another_clock_behind_the_old_deadline() -> None:
    play = Watching()
    play.extend(T0 + 70 * HOUR, 48 * HOUR)
    assert [clock.outcome for clock in play.golive.clocks] == [ClockOutcome.MET, None]
    assert (play.phase, play.golive.review_due_at) == (Phase.EXTENDED, DUE + 48 * HOUR)
    assert play.entries[-1].data["reason"] == "one more night"


def test_an_extension_after_the_deadline_counts_from_now() -> None:
    play = Watching()
    play.extend(DUE + 5 * HOUR, 24 * HOUR)
    assert [clock.outcome for clock in play.golive.clocks] == [ClockOutcome.BREACHED, None]
    assert play.golive.review_due_at == DUE + 29 * HOUR


def test_only_a_named_person_who_must_sign_can_sign_and_only_once() -> None:
    play = Watching(golive_rulebook(signoff=("li.na", "wang.wei")))
    assert "named person" in (play.sign(minute(1), "user:root").refused or "")
    assert "not among those" in (play.sign(minute(1), "person:zhao.lei").refused or "")
    assert play.sign(minute(2), LI).refused is None
    assert play.phase is Phase.WATCHING
    assert "signed it already" in (play.sign(minute(3), LI).refused or "")
    play.sign(minute(4), f"user:root for {WANG}")
    assert (play.phase, play.golive.ended_at) == (Phase.SIGNED_OFF, minute(4))


def test_unmet_criteria_refuse_a_signature_unless_it_is_overruled_in_words() -> None:
    play = Watching()
    refused = play.sign(minute(1), judged=UNMET).refused or ""
    assert "open_p1 == 0 (open_p1 = 1)" in refused
    assert play.sign(minute(1), judged=UNMET, anyway=True).refused is not None
    play.sign(minute(1), judged=UNMET, anyway=True, text="the P1 is a printer")
    assert (play.phase, play.entries[-1].data["overruled"]) == (Phase.SIGNED_OFF, ["open_p1 == 0"])


def test_a_signature_without_a_review_is_the_review() -> None:
    play = Watching()
    play.sign(T0 + 71 * HOUR)
    assert play.golive.clock is not None
    assert (play.golive.clock.outcome, play.golive.clock.met_at) == (ClockOutcome.MET, T0 + 71 * HOUR)


@pytest.mark.parametrize("end", ["cancel", "roll_back"])
def test_an_end_by_hand_voids_the_review_and_nothing_falls_due_any_more(end: str) -> None:
    play = Watching()
    getattr(play, end)(T0 + HOUR)
    assert play.golive.clock is not None
    assert (play.golive.clock.outcome, play.golive.wake_at, play.golive.ended_by) == (ClockOutcome.VOID, None, LI)
    assert play.time(DUE + HOUR).entries == ()
    assert (getattr(play, end)(T0 + 2 * HOUR).refused or "").startswith("it was ")


def test_a_planned_watch_can_be_cancelled_and_neither_extended_reviewed_nor_rolled_back() -> None:
    play = Watching(starts_at=T0 + HOUR)
    for refused in (play.extend(T0), play.review(T0), play.roll_back(T0), play.sign(T0)):
        assert "has not begun" in (refused.refused or "")
    play.cancel(T0)
    assert play.phase is Phase.CANCELLED


def test_notes_are_taken_after_the_end_too_and_a_call_to_roll_back_rings() -> None:
    play = Watching()
    play.note("orders are missing", minute(5), Remark.ROLLBACK_CALL)
    assert [(n.kind, n.data["kind"]) for n in play.last.notices] == [(NoticeKind.BROADCAST, "rollback_call")]
    play.roll_back(minute(10))
    play.note("cause: a column was renamed", minute(600))
    assert play.entries[-1].data == {"text": "cause: a column was renamed", "kind": "note"}


def test_whoever_takes_over_the_shift_is_told_how_the_watch_stands() -> None:
    layer = Layer("turns", "UTC", ("li.na", "wang.wei"), 24 * HOUR, datetime(2026, 11, 4, 9, 0))  # noqa: DTZ001
    rulebook = replace(golive_rulebook(ladder=()), oncall={"erp": OnCall("erp", (layer,))})
    play = Watching(rulebook)
    assert play.golive.duty == {"erp": "li.na"}
    play.time(datetime(2026, 11, 5, 9, 0, tzinfo=UTC))
    entry = next(entry for entry in play.entries if entry.action == "golive_handover")
    assert (entry.data["person"], entry.data["previous"]) == ("wang.wei", "li.na")
    told = [n.channel for n in play.last.notices if n.event == "golive_handover"]
    assert told == ["ops", "person:wang.wei"]


def test_the_daily_status_comes_at_its_local_time_and_once_where_the_clocks_are_put_forward() -> None:
    policy = GoLivePolicy(zone="Europe/Berlin", status_at=timedelta(hours=2, minutes=30))
    before = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    first = next_status(policy, before)
    assert first == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert next_status(policy, first).astimezone(zone_named("Europe/Berlin")).strftime("%d %H:%M") == "30 02:30"


def test_the_same_fact_is_one_message_whoever_decides_it_twice() -> None:
    first, second = Watching(), Watching()
    first.until(DUE)
    second.until(DUE)
    assert [n.key for n in first.notices] == [n.key for n in second.notices]
    assert len({n.key for n in first.notices}) == len(first.notices)


def test_a_checkpoint_that_is_asked_for_keeps_the_hourly_ones_where_they_are() -> None:
    play = Watching()
    before = play.golive.next_checkpoint_at
    play.checkpoint("all quiet", minute(20))
    assert (play.entries[-1].data["text"], play.golive.next_checkpoint_at) == ("all quiet", before)
    assert play.said() == ["golive_checkpoint"]
    play.sign(minute(30), judged=MET)
    assert play.checkpoint("late", minute(40)).refused is not None
