"""What a watch is judged by, its figures, and the tightened rules: worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from case_parts import HOUR, P1, T0, Play, bad, minute, slow
from golive_parts import LADDER, Watching, golive_rulebook
from tocsin.core.golive_figures import baseline, figures, slots_between
from tocsin.core.golive_policy import Profile
from tocsin.core.golive_review import Standing, judge, standing
from tocsin.core.policy import CannotJudge, Threshold
from tocsin.core.sketch import Sketch
from tocsin.core.tightening import tightened
from tocsin.expressions import compile_exit


def test_what_is_open_and_how_long_it_was_quiet() -> None:
    play = Play()
    play.fails(minute(10))
    assert standing([play.case], T0, minute(30)) == Standing(1, 0, 1.0, timedelta())
    play.ack(minute(40))
    play.recovers(minute(50))
    assert standing([play.case], T0, minute(110)) == Standing(0, 0, 1.0, timedelta(minutes=60))


def test_an_answer_that_came_too_late_counts_against_it_and_a_void_one_does_not_count() -> None:
    late, void, met = Play(), Play(), Play()
    late.fails(T0)
    late.until(minute(61))
    void.fails(T0, slow())
    void.recovers(minute(5))
    met.fails(T0)
    met.ack(minute(5))
    cases = [late.case, void.case, met.case]
    assert standing(cases, T0, minute(90)).answered_in_time == 0.5
    assert standing([void.case], T0, minute(90)).answered_in_time == 1.0


def test_criteria_are_judged_with_the_values_that_they_read() -> None:
    at = Standing(0, 1, 0.9, timedelta(hours=2))
    told = [
        one.as_data() for one in judge(('quiet_for >= duration("1h")', "answered_in_time >= 0.95"), compile_exit, at)
    ]
    assert told == [
        {"rule": 'quiet_for >= duration("1h")', "met": True, "value": 7200},
        {"rule": "answered_in_time >= 0.95", "met": False, "value": 0.9},
    ]
    (both,) = judge(("open_p1 + open_p2 == 0",), compile_exit, at)
    assert both.as_data()["value"] == {"open_p1": 0, "open_p2": 1}


def test_a_criterion_that_cannot_be_judged_is_not_met() -> None:
    (one,) = judge(("open_p1 == 0",), lambda _: lambda *_: CannotJudge("no"), Standing(0, 0, 1.0, timedelta()))
    assert (one.met, one.as_data()["because"]) == (False, "no")


def test_figures_are_those_worked_by_hand() -> None:
    found = figures(
        [row("a", 90, 10, concurrency=(10, 1000.0), error_rate=(10, 0.5)), row("b", 50, 0, concurrency=(5, 250.0))]
    )
    assert found is not None
    assert found["availability"] == 1 - 10 / 150
    assert (found["concurrency"], found["error_rate"], found["error_source"]) == (150.0, 0.05, "reported")
    assert figures([]) is None


def test_where_no_check_reports_an_error_rate_failed_probes_are_one() -> None:
    found = figures([row("a", 3, 1)])
    assert found is not None
    assert (found["error_rate"], found["error_source"], found["concurrency"]) == (0.25, "probes", None)


def test_the_baseline_is_of_the_same_weekdays_and_hours_and_says_how_many_weeks_there_were() -> None:
    zone = "Asia/Shanghai"
    slots = slots_between(T0, T0 + 2 * HOUR, zone)
    same = [T0 - timedelta(weeks=w) for w in (1, 2, 4)]
    other = [T0 - timedelta(weeks=1) + 5 * HOUR, T0 - timedelta(days=1)]
    rows = [{**row("a", 10, 0), "hour": hour} for hour in same] + [{**row("a", 0, 10), "hour": hour} for hour in other]
    found, weeks = baseline(rows, T0, slots, zone)
    assert found is not None
    assert (weeks, found["probes"], found["availability"]) == (3, 30, 1.0)
    assert baseline([], T0, slots, zone) == (None, 0)


def row(check: str, up: int, down: int, **values: tuple[int, float]) -> dict[str, Any]:
    sketch = Sketch()
    sketch.add(0.1)
    told = {name: {"count": c, "sum": s, "min": 0.0, "max": s, "last": 1.0} for name, (c, s) in values.items()}
    counts = {"up": up, "degraded": 0, "down": down, "unobserved": 0}
    return {"check": check, **counts, "latency": sketch.to_bytes(), "latency_max_s": 0.1, "values": told or None}


# --- the tightened rules ----------------------------------------------------------------------------------------------


def test_a_system_under_watch_is_probed_closer_decided_sooner_and_answered_faster() -> None:
    rulebook = golive_rulebook()
    tight = tightened(rulebook, [Watching(rulebook).golive])
    check = tight.systems["erp"].checks[0]
    assert (check.every, check.fail_after, check.version) == (timedelta(seconds=5), Threshold(2, 2), "")
    policy = tight.policy_for("erp", P1)
    assert policy is not None
    assert (policy.acknowledge, policy.resolve, policy.version) == (HOUR / 2, 2 * HOUR, "p1*0.5")
    assert (tight.systems["crm"], tight.policy_for("crm", P1)) == (rulebook.systems["crm"], rulebook.response[P1])
    assert (tight.phase_of("erp"), tight.phase_of("crm")) == ("watching", "")


def test_a_profile_never_loosens() -> None:
    rulebook = golive_rulebook(profile=Profile(timedelta(minutes=5), Threshold(9, 9), 3.0))
    tight = tightened(rulebook, [Watching(rulebook).golive])
    assert tight.systems["erp"] == rulebook.systems["erp"]
    assert tight.policy_for("erp", P1) == rulebook.response[P1]


def test_what_was_tightened_is_taken_back_at_the_end_and_is_what_it_was() -> None:
    rulebook = golive_rulebook()
    play = Watching(rulebook)
    tight = tightened(rulebook, [play.golive])
    play.roll_back(minute(5))
    assert tightened(tight, [play.golive]) == rulebook
    assert tightened(tight, [Watching(rulebook).golive]) == tight


def test_a_clock_that_runs_never_moves_by_the_profile() -> None:
    rulebook = golive_rulebook()
    play = Play(rulebook)
    play.fails(T0)
    before = play.case.clocks
    play.rulebook = tightened(rulebook, [Watching(rulebook).golive])
    play.look((bad(),), minute(5))
    assert play.case.clocks == before
    after = Play(play.rulebook)
    after.fails(T0)
    assert after.response.due_at == minute(30)


def test_steps_of_a_ladder_move_with_the_target() -> None:
    policy = replace(golive_rulebook().response[P1], ladder=(*LADDER, replace(LADDER[0], at=timedelta(minutes=20))))
    rulebook = replace(golive_rulebook(), response={P1: policy})
    tight = tightened(rulebook, [Watching(rulebook).golive]).policy_for("erp", P1)
    assert tight is not None
    assert [step.at for step in tight.ladder] == [1.0, timedelta(minutes=10)]
