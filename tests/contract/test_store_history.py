"""History for later: roll-ups add up, failing samples and changes are kept, and what is old goes in slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from case_parts import T0, Play, bad, minute
from tocsin.core.sketch import Sketch
from tocsin.store.schema import metadata, rollups
from tocsin.store.transaction import SqlTransaction

Unit = Callable[[Callable[[SqlTransaction], Any]], Any]
Ask = Callable[[Callable[[Any], Any]], Any]


def rollup(at: float = 0, check: str = "health", *latencies: float, **more: Any) -> dict[str, Any]:
    sketch = Sketch()
    for seconds in latencies or (0.1,):
        sketch.add(seconds)
    row = {
        "system": "erp",
        "check": check,
        "minute": minute(at),
        "up": len(latencies) or 1,
        "degraded": 0,
        "down": 0,
        "unobserved": 0,
        "latency_sum_s": sum(latencies) or 0.1,
        "latency_max_s": max(latencies, default=0.1),
        "latency": sketch.to_bytes(),
        "values": None,
    }
    return {**row, **more}


def numbers(*seen: float) -> dict[str, Any]:
    return {"count": len(seen), "sum": sum(seen), "min": min(seen), "max": max(seen), "last": seen[-1]}


def stored(engine: Engine) -> list[Mapping[Any, Any]]:
    with engine.connect() as connection:
        query = select(rollups).order_by(rollups.c.minute, rollups.c.check)
        return list(connection.execute(query).mappings())


def test_a_minute_is_read_back_as_it_was_counted(unit: Unit, engine: Engine) -> None:
    row = rollup(0, "health", 0.1, 0.2, values={"sessions": numbers(3.0, 5.0), "build": {"last": "7a"}})
    unit(lambda tx: tx.keep_rollups([row]))
    assert [dict(found) for found in stored(engine)] == [row]


@pytest.mark.parametrize("in_one_go", [True, False])
def test_two_parts_of_a_minute_add_up_whole(unit: Unit, engine: Engine, in_one_go: bool) -> None:
    first = rollup(
        0,
        "health",
        0.1,
        0.4,
        down=1,
        values={"sessions": numbers(3.0, 9.0), "build": {"last": "1"}, "gone": numbers(1.0)},
    )
    second = rollup(0, "health", 0.2, unobserved=2, values={"sessions": numbers(5.0), "build": {"last": "2"}})
    if in_one_go:
        unit(lambda tx: tx.keep_rollups([first, second]))
    else:
        unit(lambda tx: tx.keep_rollups([first]))
        unit(lambda tx: tx.keep_rollups([second]))
    (row,) = stored(engine)
    assert (row["up"], row["down"], row["unobserved"]) == (3, 1, 2)
    assert row["latency_sum_s"] == pytest.approx(0.7)
    assert row["latency_max_s"] == 0.4
    assert Sketch.from_bytes(row["latency"]).count == 3
    assert row["values"] == {
        "sessions": {"count": 3, "sum": 17.0, "min": 3.0, "max": 9.0, "last": 5.0},
        "build": {"last": "2"},
        "gone": numbers(1.0),
    }


def test_other_checks_and_minutes_are_left_alone(unit: Unit, engine: Engine) -> None:
    unit(lambda tx: tx.keep_rollups([rollup(0, "a"), rollup(0, "b"), rollup(1, "a")]))
    unit(lambda tx: tx.keep_rollups([rollup(0, "a")]))
    assert [(row["check"], row["minute"], row["up"]) for row in stored(engine)] == [
        ("a", minute(0), 2),
        ("b", minute(0), 1),
        ("a", minute(1), 1),
    ]
    unit(lambda tx: tx.keep_rollups([]))


def test_response_time_and_failure_rate_are_read_back_for_a_check_and_its_system(unit: Unit, ask: Ask) -> None:
    unit(
        lambda tx: tx.keep_rollups(
            [
                rollup(0, "a", *[0.1] * 8, down=2),
                rollup(1, "a", 0.1, 0.1, unobserved=50),
                rollup(1, "b", 0.5, 0.5),
                rollup(9, "a", 9.0),
            ]
        )
    )
    whole, first, second = ask(lambda q: q.history("erp", None, T0, minute(9)))
    assert [one["check"] for one in (whole, first, second)] == [None, "a", "b"]
    assert (first["probes"], first["failure_rate"]) == (62, pytest.approx(2 / 12))
    assert (whole["probes"], whole["failure_rate"]) == (64, pytest.approx(2 / 14))
    assert whole["latency_s"]["mean"] == pytest.approx(2.0 / 12)
    assert whole["latency_s"]["max"] == 0.5
    assert whole["latency_s"]["p50"] == pytest.approx(0.1, rel=0.22)
    assert [one["check"] for one in ask(lambda q: q.history("erp", "b", T0, minute(9)))] == ["b"]


def test_what_was_never_observed_has_no_failure_rate(unit: Unit, ask: Ask) -> None:
    unit(lambda tx: tx.keep_rollups([rollup(0, "a", up=0, unobserved=3)]))
    (found,) = ask(lambda q: q.history("erp", "a", T0, minute(1)))
    assert (found["probes"], found["failure_rate"]) == (3, None)


def test_a_value_that_was_a_word_and_became_a_number_ends_as_the_number(unit: Unit, ask: Ask) -> None:
    unit(lambda tx: tx.keep_rollups([rollup(0, values={"v": {"last": "x"}}), rollup(1, values={"v": numbers(2.0)})]))
    (found,) = ask(lambda q: q.history("erp", "health", T0, minute(5)))
    assert found["values"] == {"v": numbers(2.0)}


def test_a_strip_has_one_word_a_minute_and_unobserved_where_nothing_was_seen(unit: Unit, ask: Ask) -> None:
    rows = [rollup(0), rollup(1, degraded=1), rollup(2, degraded=1, down=1), rollup(4, up=0, unobserved=5), rollup(-1)]
    unit(lambda tx: tx.keep_rollups(rows))
    assert ask(lambda q: q.strips(T0, 6)) == {
        ("erp", "health"): ["up", "degraded", "down", "unobserved", "unobserved", "unobserved"]
    }


def a_failure(at: float, check: str = "health") -> dict[str, Any]:
    return {
        "system": "erp",
        "check": check,
        "at": minute(at),
        "status": "down",
        "reason": "timeout",
        "text": "no answer within 5s",
        "duration_s": 5.0,
    }


def a_transition(at: float) -> dict[str, Any]:
    changed = {"previous": "up", "status": "down", "first_at": minute(at)}
    return {**{k: v for k, v in a_failure(at).items() if k != "duration_s"}, **changed}


def test_failing_samples_are_read_back_newest_first(unit: Unit, ask: Ask) -> None:
    unit(lambda tx: tx.keep_failures([a_failure(0), a_failure(1, "login"), a_failure(2)]))
    unit(lambda tx: tx.keep_failures([]))
    found = ask(lambda q: q.failures("erp", None, T0, minute(2), 10))
    assert [(one["check"], one["at"]) for one in found] == [
        ("login", "2026-11-04T10:01:00.000000Z"),
        ("health", "2026-11-04T10:00:00.000000Z"),
    ]
    assert [one["check"] for one in ask(lambda q: q.failures("erp", "health", T0, minute(9), 1))] == ["health"]


@pytest.mark.parametrize("table", ["rollups", "failures", "transitions"])
def test_what_is_old_goes_in_slices_and_what_is_young_stays(unit: Unit, engine: Engine, table: str) -> None:
    for at in range(10):
        unit(
            lambda tx, a=at: {
                "rollups": lambda: tx.keep_rollups([rollup(a)]),
                "failures": lambda: tx.keep_failures([a_failure(a)]),
                "transitions": lambda: tx.keep_transition(a_transition(a)),
            }[table]()
        )
    gone = [unit(lambda tx: tx.prune(table, minute(7), 3)) for _ in range(4)]
    assert gone == [3, 3, 1, 0]
    with engine.connect() as connection:
        left = connection.execute(select(func.count()).select_from(metadata.tables[table])).scalar_one()
    assert left == 3


# --- figures ---


def test_counters_of_stored_things_are_read_from_the_store(unit: Unit, ask: Ask) -> None:
    play = Play()
    for act in (
        lambda p: p.fails(),
        lambda p: p.ack(minute(10)),
        lambda p: p.recovers(minute(20)),
        lambda p: p.fails(minute(100)),
        lambda p: p.time(minute(161)),
    ):
        unit(lambda tx, a=act: _act(tx, play, a))
    figures = ask(lambda q: q.figures(minute(170)))
    assert figures["incidents_total"] == {("erp", "P1"): 2}
    assert figures["incidents_open"] == {("erp", "P1", "open"): 1}
    assert figures["clocks_total"] == {
        ("P1", "response", "met"): 1,
        ("P1", "resolution", "met"): 1,
        ("P1", "response", "breached"): 1,
    }
    assert [(i, s, k) for i, _, s, k, _ in figures["open_deadlines"]] == [
        (2, "P1", "response"),
        (2, "P1", "resolution"),
    ]
    edges, count, total = figures["response_seconds"]["P1"]
    assert (edges, count, total) == ([0, 1, 1, 1, 1, 1, 1, 1], 1, 600.0)
    assert figures["outbox"]["ops"][1] == 170 * 60.0
    assert figures["journal"][0] == len(play.entries)


def _act(tx: SqlTransaction, play: Play, act: Any) -> None:
    play.case = before = tx.case("erp")
    tx.commit_decision(before, act(play))


def test_incidents_are_read_newest_first_with_the_clocks_that_count_and_those_that_were_replaced(
    unit: Unit, ask: Ask
) -> None:
    from case_parts import P2

    play = Play()
    for act in (
        lambda p: p.fails(T0, bad()),
        lambda p: p.set_severity(P2, minute(5)),
        lambda p: p.recovers(minute(20)),
        lambda p: p.fails(minute(100)),
    ):
        unit(lambda tx, a=act: _act(tx, play, a))
    newest, oldest = ask(lambda q: q.incidents(everything=True))
    assert (newest["id"], oldest["id"]) == (2, 1)
    assert [one["id"] for one in ask(lambda q: q.incidents())] == [2]
    assert [one["id"] for one in ask(lambda q: q.incidents(everything=True, before=2))] == [1]
    assert [(c["clock"], c["severity"]) for c in oldest["clocks"]] == [("response", "P2"), ("resolution", "P2")]
    assert [(c["clock"], c["severity"]) for c in oldest["superseded"]] == [("response", "P1"), ("resolution", "P1")]
    assert oldest["resolved_at"] == "2026-11-04T10:20:00.000000Z"
    assert ask(lambda q: q.incident(1)) == oldest
    assert ask(lambda q: q.incident(99)) is None
    assert newest["rule"] == {"name": "down", "file": "rules/severity.yaml", "line": 1, "text": "when down"}
    assert newest["clocks"][0]["target_s"] == timedelta(hours=1).total_seconds()
