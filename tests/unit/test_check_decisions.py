"""From samples to status: what a row of good and bad answers makes of a check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.core.check import CheckState, Transition, forget, observe, worst
from tocsin.core.model import Status
from tocsin.core.policy import Threshold

T0 = datetime(2026, 11, 4, 10, 0, tzinfo=UTC)
EVERY = timedelta(seconds=30)
LETTERS = {"u": Status.UP, "g": Status.DEGRADED, "d": Status.DOWN, "-": Status.UNOBSERVED}
NAMES = {status: letter for letter, status in LETTERS.items()}
THREE = Threshold(3, 3)
TWO_OF_FIVE = Threshold(2, 5)
ONE = Threshold(1, 1)
WARM_UP = CheckState(Status.UP, T0 - EVERY, is_cold=False)


def at(index: int) -> datetime:
    return T0 + index * EVERY


def feed(
    state: CheckState, samples: str, fail_after: Threshold = THREE, recover_after: int = 2
) -> tuple[CheckState, list[Transition], str]:
    """Feed samples, one letter each; returns the state, the transitions, and the status after each sample."""
    transitions, statuses = [], ""
    for index, letter in enumerate(samples):
        state, transition = observe(state, LETTERS[letter], at(index), fail_after, recover_after)
        if transition is not None:
            transitions.append(transition)
        statuses += NAMES[state.status]
    return state, transitions, statuses


@pytest.mark.parametrize(
    ("samples", "statuses", "fail_after", "recover_after"),
    [
        # k in a row
        ("ddd", "uud", THREE, 2),
        ("ddudd", "uuuuu", THREE, 2),
        ("ddudd" + "d", "uuuuud", THREE, 2),
        ("d", "d", ONE, 2),
        ("dduddd", "uuuuud", THREE, 2),
        # k of the last n
        ("dud", "uud", TWO_OF_FIVE, 2),
        ("duuud", "uuuud", TWO_OF_FIVE, 2),
        ("duuuud", "uuuuuu", TWO_OF_FIVE, 2),
        # unobserved samples neither count nor break a row
        ("dd--d", "uuuud", THREE, 2),
        ("d-----d", "uuuuuud", TWO_OF_FIVE, 2),
        ("-----", "uuuuu", THREE, 2),
        # the gravest status that enough samples reached
        ("ddg", "uug", THREE, 2),
        ("gdd", "uug", THREE, 2),
        ("ggg", "uug", THREE, 2),
        ("gddd", "uugg", THREE, 2),
        ("gdddd", "uuggg", THREE, 2),
        ("gddddd", "uugggd", THREE, 2),
        ("gd", "ug", Threshold(2, 2), 2),
        ("gdd", "ugg", Threshold(2, 2), 2),
        # recovery, all the way or in part
        ("dddu", "uudd", THREE, 2),
        ("ddduu", "uuddu", THREE, 2),
        ("dddudu", "uudddd", THREE, 2),
        ("dddgg", "uuddg", THREE, 2),
        ("dddgu", "uuddg", THREE, 2),
        ("dddguu", "uuddgg", THREE, 2),
        ("dddguuu", "uuddggu", THREE, 2),
        ("ddduuu", "uudddu", THREE, 3),
        ("dddu", "uudu", THREE, 1),
        # a change empties the window
        ("ddduuddu", "uudduuuu", THREE, 2),
        ("ddduuddd", "uudduuud", THREE, 2),
    ],
)
def test_a_row_of_samples_gives_these_statuses(
    samples: str, statuses: str, fail_after: Threshold, recover_after: int
) -> None:
    assert feed(WARM_UP, samples, fail_after, recover_after)[2] == statuses


def test_a_transition_names_the_first_bad_sample_and_the_instant_of_the_decision() -> None:
    _, (down,), _ = feed(WARM_UP, "uuddd")
    assert (down.previous, down.status) == (Status.UP, Status.DOWN)
    assert (down.first_at, down.at, down.failing_since) == (at(2), at(4), at(2))


def test_good_samples_between_do_not_make_the_first_bad_one_forgotten_while_it_counts() -> None:
    _, (down,), _ = feed(WARM_UP, "duuud", TWO_OF_FIVE)
    assert (down.first_at, down.at) == (at(0), at(4))


def test_a_bad_sample_that_no_longer_counts_is_not_the_beginning() -> None:
    _, (down,), _ = feed(WARM_UP, "dudud" + "ddd")
    assert (down.first_at, down.at) == (at(4), at(6))


def test_failing_since_stays_when_it_gets_worse_or_half_better() -> None:
    _, transitions, _ = feed(WARM_UP, "ggg" + "ddd" + "gg")
    assert [t.status for t in transitions] == [Status.DEGRADED, Status.DOWN, Status.DEGRADED]
    assert {t.failing_since for t in transitions} == {at(0)}


def test_a_recovery_ends_failing_since_and_dates_from_its_first_good_sample() -> None:
    state, transitions, _ = feed(WARM_UP, "ddduu")
    assert (transitions[-1].first_at, transitions[-1].at, transitions[-1].failing_since) == (at(3), at(4), None)
    assert state == CheckState(Status.UP, at(4), None, (), is_cold=False)


def test_it_is_probed_faster_from_the_first_sample_that_disagrees_until_it_is_decided() -> None:
    state, faster = WARM_UP, []
    for index, letter in enumerate("uddduuu"):
        state, _ = observe(state, LETTERS[letter], at(index), THREE, 2)
        faster.append(state.is_undecided)
    assert faster == [False, True, True, False, True, False, False]


def test_one_lonely_bad_sample_is_forgotten_once_the_window_holds_good_ones_only() -> None:
    state, transitions, _ = feed(WARM_UP, "duuu")
    assert transitions == []
    assert state.window == ()


def test_a_sample_that_changes_nothing_gives_the_same_state_object_back() -> None:
    assert observe(WARM_UP, Status.UP, T0, THREE, 2)[0] is WARM_UP
    assert observe(WARM_UP, Status.UNOBSERVED, T0, THREE, 2)[0] is WARM_UP


@pytest.mark.parametrize(
    ("samples", "statuses", "fail_after"),
    [
        ("u", "u", THREE),
        ("ddd", "--d", THREE),
        ("du", "-u", THREE),
        ("ggg", "--g", THREE),
        # one bad answer alone is never believed of a check that nobody has seen yet
        ("d", "-", ONE),
        ("dd", "-d", ONE),
        ("dud", "-uu", Threshold(2, 5)),
    ],
)
def test_a_check_that_was_never_seen_starts_so(samples: str, statuses: str, fail_after: Threshold) -> None:
    assert feed(CheckState(), samples, fail_after)[2] == statuses


@pytest.mark.parametrize(
    ("stored", "samples", "statuses", "fail_after", "recover_after"),
    [
        ("u", "d", "u", ONE, 2),
        ("u", "dd", "ud", ONE, 2),
        ("u", "du" + "dd", "uuud", ONE, 2),
        ("d", "u", "d", ONE, 1),
        ("d", "uu", "du", ONE, 1),
        ("d", "d" + "u", "du", ONE, 1),
        ("u", "u" + "d", "ud", ONE, 1),
        ("g", "gg", "gg", THREE, 2),
        ("d", "d-d", "ddd", THREE, 2),
    ],
)
def test_the_first_round_after_a_start_confirms_before_it_tells(
    stored: str, samples: str, statuses: str, fail_after: Threshold, recover_after: int
) -> None:
    state = CheckState(LETTERS[stored], T0 - timedelta(hours=1), T0 - timedelta(hours=1) if stored != "u" else None)
    assert feed(state, samples, fail_after, recover_after)[2] == statuses


def test_counting_starts_again_after_a_restart_but_the_failure_keeps_its_beginning() -> None:
    began = T0 - timedelta(hours=1)
    restarted = CheckState(Status.DEGRADED, began + EVERY, began)
    _, (down,), _ = feed(restarted, "ddd")
    assert (down.previous, down.status, down.failing_since, down.first_at) == (
        Status.DEGRADED,
        Status.DOWN,
        began,
        at(0),
    )


def test_what_was_seen_before_a_gap_does_not_count_towards_what_comes_after() -> None:
    state, _, _ = feed(WARM_UP, "dd")
    state, transition = observe(forget(state), Status.DOWN, at(90), THREE, 2)
    assert transition is None
    assert state.status is Status.UP
    assert forget(WARM_UP) is WARM_UP


@pytest.mark.parametrize(
    ("statuses", "system"),
    [("", "-"), ("-", "-"), ("u", "u"), ("u-", "u"), ("ug", "g"), ("gdu", "d"), ("-g", "g"), ("--", "-")],
)
def test_a_system_is_as_bad_as_its_worst_check_and_unobserved_only_when_all_are(statuses: str, system: str) -> None:
    assert worst([LETTERS[letter] for letter in statuses]) is LETTERS[system]
