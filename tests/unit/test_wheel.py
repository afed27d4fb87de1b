"""The timer wheel: everything comes out once, not before its time, whatever the pauses between turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.wheel import SLOTS, TICK_S, Wheel

START = 1000.0
ROUND_S = SLOTS * TICK_S
DELAYS = st.floats(min_value=-1.0, max_value=4 * ROUND_S, allow_nan=False)
PAUSES = st.floats(min_value=0.0, max_value=3 * ROUND_S, allow_nan=False)


def test_an_entry_comes_out_at_its_time_and_not_before() -> None:
    wheel: Wheel[str] = Wheel(START)
    wheel.add(START + 1.0, "a")
    assert list(wheel.turn(START + 0.99)) == []
    assert list(wheel.turn(START + 1.01)) == ["a"]
    assert list(wheel.turn(START + 2.0)) == []


def test_entries_come_out_in_order_of_their_times() -> None:
    wheel: Wheel[str] = Wheel(START)
    for delay, name in ((0.5, "c"), (0.1, "a"), (0.3, "b")):
        wheel.add(START + delay, name)
    assert list(wheel.turn(START + 1.0)) == ["a", "b", "c"]


def test_what_is_past_comes_out_at_the_next_turn() -> None:
    wheel: Wheel[str] = Wheel(START)
    wheel.add(START - 5.0, "late")
    assert list(wheel.turn(START + TICK_S)) == ["late"]


def test_an_entry_of_a_later_round_stays_until_its_round() -> None:
    wheel: Wheel[str] = Wheel(START)
    wheel.add(START + ROUND_S + 1.0, "later")
    wheel.add(START + 1.0, "sooner")
    assert list(wheel.turn(START + 2.0)) == ["sooner"]
    assert list(wheel.turn(START + ROUND_S)) == []
    assert list(wheel.turn(START + ROUND_S + 1.02)) == ["later"]


def test_an_entry_may_be_put_back_while_the_wheel_turns() -> None:
    wheel: Wheel[str] = Wheel(START)
    wheel.add(START + 0.1, "again")
    for name in wheel.turn(START + 0.2):
        wheel.add(START + 0.3, name)
    assert list(wheel.turn(START + 0.4)) == ["again"]
    assert len(wheel) == 0


def test_an_empty_wheel_needs_no_turning() -> None:
    wheel: Wheel[str] = Wheel(START)
    assert wheel.next_at() is None
    wheel.add(START + 1.0, "a")
    assert wheel.next_at() is not None
    list(wheel.turn(START + 2.0))
    assert wheel.next_at() is None


def test_the_next_turn_is_named_and_for_what_is_far_off_after_half_a_round() -> None:
    wheel: Wheel[str] = Wheel(START)
    wheel.add(START + 3.0 * ROUND_S, "far")
    first = wheel.next_at()
    assert first is not None
    assert abs(first - START - ROUND_S / 2) < 2 * TICK_S
    wheel.add(START + 2.5, "near")
    second = wheel.next_at()
    assert second is not None
    assert abs(second - START - 2.5) < 2 * TICK_S


@given(st.lists(DELAYS, max_size=30))
def test_turning_whenever_it_asks_takes_everything_out_in_time(delays: list[float]) -> None:
    wheel: Wheel[float] = Wheel(START)
    for delay in delays:
        wheel.add(START + delay, START + delay)
    turns, taken = 0, []
    while (at := wheel.next_at()) is not None:
        turns += 1
        assert turns < 200, "the wheel asks to be turned and gives nothing"
        for due in wheel.turn(at):
            assert max(due, START) - TICK_S * 0.01 <= at < max(due, START) + 2.5 * TICK_S
            taken.append(due)
    assert sorted(taken) == sorted(START + delay for delay in delays)


@given(st.lists(DELAYS, max_size=30), st.lists(PAUSES, min_size=1, max_size=10))
def test_whatever_the_pauses_everything_comes_out_once_and_not_before_its_time(
    delays: list[float], pauses: list[float]
) -> None:
    wheel: Wheel[float] = Wheel(START)
    for delay in delays:
        wheel.add(START + delay, delay)
    now, taken = START, []
    for pause in [*pauses, 6 * ROUND_S]:
        now += pause
        out = list(wheel.turn(now))
        assert all(START + delay <= now + TICK_S * 0.01 for delay in out)
        taken += out
    assert sorted(taken) == sorted(delays)
    assert len(wheel) == 0
