"""What time does to an incident: reminders, deadlines at their true instant, and what is told after a stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from case_parts import HOUR, P1, P2, POLICIES, SECOND, T0, Play, a_rulebook, bad, minute, slow
from tocsin.core.model import ClockOutcome, Notice, NoticeKind, Priority

DAY = timedelta(days=1)
SPOKEN = (NoticeKind.REPLY, NoticeKind.BROADCAST)


def opened(*shares: float) -> Play:
    response = {**POLICIES, P1: replace(POLICIES[P1], remind=shares)} if shares else POLICIES
    play = Play(a_rulebook(response=response))
    play.fails()
    return play


def spoken(play: Play) -> list[Notice]:
    return [notice for notice in play.last.notices if notice.kind in SPOKEN]


# --- on time ---


def test_reminders_and_the_breach_are_each_told_by_themselves_at_their_own_instant() -> None:
    play = opened()
    told = []
    for at in (30, 45, 60):
        play.time(minute(at))
        told.append((play.said(), play.entries[-1].action, play.entries[-1].at))
    assert told == [
        (["reminder"], "clock_reminded", minute(30)),
        (["reminder"], "clock_reminded", minute(45)),
        (["breached"], "clock_breached", minute(60)),
    ]
    assert play.response.outcome is ClockOutcome.BREACHED
    assert not play.response.detected_late


def test_a_reminder_says_which_share_of_which_clock_and_until_when() -> None:
    play = opened()
    play.time(minute(30))
    (notice,) = spoken(play)
    assert notice.data == {"clock": "response", "due_at": minute(60).isoformat(), "late": False, "share": 0.5}
    assert (notice.kind, notice.priority) == (NoticeKind.BROADCAST, Priority.REPEAT)


def test_a_breach_rings_before_all_repeats() -> None:
    play = opened()
    play.until(minute(60))
    (notice,) = spoken(play)
    assert (notice.event, notice.kind, notice.priority) == ("breached", NoticeKind.BROADCAST, Priority.P1)


def test_time_passes_once() -> None:
    play = opened()
    play.time(minute(30))
    assert play.time(minute(30)).changes_nothing
    assert play.time(minute(44)).changes_nothing


def test_reminders_of_an_unanswered_response_go_on_after_its_breach() -> None:
    play = opened(0.5, 1.0, 1.5, 2.0)
    play.until(minute(200))
    assert [e.data["share"] for e in play.entries if e.action.startswith("clock_")] == [0.5, 1.0, 1.5, 2.0]


def test_reminders_of_the_resolution_begin_with_the_acknowledgement() -> None:
    silent, answered = opened(), opened()
    silent.until(minute(130))
    answered.ack(minute(10))
    answered.until(minute(130))

    def reminded(play: Play) -> list[tuple[str, float]]:
        return [(e.data["clock"], e.data["share"]) for e in play.entries if e.action == "clock_reminded"]

    assert reminded(silent) == [("response", 0.5), ("response", 0.75)]
    assert reminded(answered) == [("resolution", 0.5)]
    assert spoken(answered)[0].kind is NoticeKind.REPLY


def test_a_reminder_of_the_resolution_from_before_the_acknowledgement_is_not_told_afterwards() -> None:
    play = opened()
    play.until(minute(130))
    play.ack(minute(140))
    assert play.resolution.plan[0].at == minute(180)
    play.until(minute(190))
    assert [e.data["share"] for e in play.entries if e.data.get("clock") == "resolution"] == [0.75]


def test_the_breach_of_the_resolution_is_told_whether_it_was_acknowledged_or_not() -> None:
    silent, answered = opened(), opened()
    answered.ack(minute(10))
    for play in (silent, answered):
        play.until(minute(240))
        assert play.said() == ["breached"]
        assert play.rung() == ["breached"]
        assert play.resolution.breached_at == minute(240)


def test_after_the_response_was_breached_the_resolution_is_still_told() -> None:
    play = opened()
    play.until(minute(300))
    breaches = [(e.data["clock"], e.at) for e in play.entries if e.action == "clock_breached"]
    assert breaches == [("response", minute(60)), ("resolution", minute(240))]


def test_a_resolved_incident_has_no_time() -> None:
    play = opened()
    play.recovers(minute(5))
    assert play.time(minute(10_000)).changes_nothing
    assert Play().time(T0).changes_nothing


# --- after a stop ---


def test_what_a_stop_made_late_is_one_message_a_clock_that_names_everything_and_says_late() -> None:
    play = opened()
    play.time(minute(90))
    (notice,) = spoken(play)
    assert (notice.event, notice.kind, notice.data["late"]) == ("late_summary", NoticeKind.BROADCAST, True)
    assert [(item["share"], item["at"], item["breach"]) for item in notice.data["items"]] == [
        (0.5, minute(30).isoformat(), False),
        (0.75, minute(45).isoformat(), False),
        (1.0, minute(60).isoformat(), True),
    ]


def test_each_thing_is_recorded_at_its_true_instant_with_when_it_was_found() -> None:
    play = opened()
    play.time(minute(90))
    entries = play.entries[1:]
    assert [(e.action, e.at) for e in entries] == [
        ("clock_reminded", minute(30)),
        ("clock_reminded", minute(45)),
        ("clock_breached", minute(60)),
    ]
    assert {e.data["detected_at"] for e in entries} == {minute(90).isoformat()}
    assert play.response.detected_late


def test_one_message_a_clock() -> None:
    play = opened()
    play.time(minute(300))
    assert sorted((n.event, n.data["clock"]) for n in spoken(play)) == [
        ("breached", "resolution"),
        ("late_summary", "response"),
    ]


@pytest.mark.parametrize(("delay_s", "late"), [(0, False), (10, False), (11, True)])
def test_a_single_thing_is_marked_late_after_ten_seconds(delay_s: int, late: bool) -> None:
    play = opened()
    play.time(minute(30) + timedelta(seconds=delay_s))
    (notice,) = spoken(play)
    assert (notice.event, notice.data["late"]) == ("reminder", late)


def test_a_summary_is_late_although_its_last_item_has_only_just_passed() -> None:
    play = opened()
    play.time(minute(60) + SECOND)
    (notice,) = spoken(play)
    assert (notice.event, notice.data["late"], play.response.detected_late) == ("late_summary", True, False)


@pytest.mark.parametrize(
    ("found_at", "told"),
    [
        (minute(60) + DAY, [1.0]),
        (minute(45) + DAY, [0.75, 1.0]),
        (minute(60) + DAY + SECOND, []),
    ],
)
def test_what_is_older_than_a_day_is_for_the_journal_only(found_at: datetime, told: list[float]) -> None:
    play = Play(a_rulebook(response={P1: replace(POLICIES[P1], resolve=None)}))
    play.fails()
    play.time(found_at)
    assert [e.data["share"] for e in play.entries if e.action.startswith("clock_")] == [0.5, 0.75, 1.0]
    said = [n.data.get("items", [{"share": 1.0}]) for n in spoken(play)]
    assert [item["share"] for items in said for item in items] == told


# --- after a change ---


def test_after_a_rise_only_the_new_plan_is_told() -> None:
    play = Play()
    play.fails(T0, slow())
    play.look([bad()], minute(10))
    play.until(minute(75))
    assert [(e.data["severity"], e.at) for e in play.entries if e.action.startswith("clock_")] == [
        (P1, minute(40)),
        (P1, minute(55)),
        (P1, minute(70)),
    ]


def test_after_a_fall_the_first_plan_is_silent_and_past_shares_of_the_second_are_skipped() -> None:
    play = opened()
    play.until(minute(50))
    play.set_severity(P2, minute(55))
    play.until(minute(241))
    told = [(e.data["severity"], e.at) for e in play.entries if e.action.startswith("clock_")]
    assert told == [
        (P1, minute(30)),
        (P1, minute(45)),
        (P2, minute(120)),
        (P2, minute(180)),
        (P2, minute(240)),
    ]


def test_the_same_share_after_a_reopening_is_another_message() -> None:
    play = opened()
    play.until(minute(31))
    play.recovers(minute(32))
    play.fails(minute(35))
    play.until(minute(70))
    keys = [n.key for n in play.notices]
    assert [e.at for e in play.entries if e.action.startswith("clock_")] == [minute(30), minute(48), minute(63)]
    assert len(keys) == len(set(keys))


def test_an_acknowledged_clock_reminds_nobody_of_the_response() -> None:
    play = opened()
    play.ack(minute(1))
    play.until(minute(119))
    assert "clock_reminded" not in play.actions()


def test_working_hours_hold_for_reminders_too() -> None:
    policy = replace(POLICIES[P2], calendar="office", acknowledge=8 * HOUR, remind=(0.5,))
    play = Play(a_rulebook(response={P2: policy}))
    play.fails(T0.replace(hour=15), slow(since=T0.replace(hour=15)))
    play.until(T0 + 2 * DAY)
    next_day = T0 + DAY
    assert [e.at for e in play.entries if e.action.startswith("clock_") and e.data["clock"] == "response"] == [
        next_day.replace(hour=11),
        next_day.replace(hour=15),
    ]
