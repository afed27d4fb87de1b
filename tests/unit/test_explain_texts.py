"""Why an incident has its severity: the rule, or the person who set it by hand, in their own words."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from case_parts import P1, T0, Play, a_rulebook, a_system, minute
from tocsin.core import clock_acts
from tocsin.core.model import Severity
from tocsin.core.policy import Rulebook
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.answers import Answers
from tocsin.daemon.history import History
from tocsin.daemon.live import LiveState
from tocsin.simulation.clock import SimulatedClock
from tocsin.store.store import SqlStore

RULE = "rule 'down' (rules/severity.yaml:1)"


def why_of(play: Play, folder: Path) -> list[str]:
    """What `explain` says of a case that was played, from the store."""

    async def asked() -> Any:
        clock = SimulatedClock(minute(60))
        store = SqlStore(f"sqlite:///{folder / 'tocsin.db'}")
        live = LiveState(Rulebook())
        live.rulebook = play.rulebook
        try:
            await store.write(lambda tx: (tx.commit_decision(tx.case("erp"), play.last), tx.append(play.entries))[0])
            answers = Answers(
                live, store, clock, Alarms(store, clock, lambda: ()), History(store, clock.now()), dict, {}
            )
            return (await answers.explain_incident(1))["why"]
        finally:
            await store.close()

    lines: list[str] = asyncio.run(asked())
    return lines


@pytest.fixture
def play() -> Play:
    started = Play(a_rulebook(systems=(a_system(),)))
    started.fails(T0)
    return started


def last(play: Play) -> Play:
    """The whole case as one decision, so that it can be stored at once."""
    clocks = tuple(replace(clock, id=None) for clock in play.case.clocks)
    play.last = replace(play.last, case=replace(play.case, clocks=clocks), entries=(), notices=())
    return play


def test_a_severity_by_rule_names_the_rule(play: Play, tmp_path: Path) -> None:
    assert why_of(last(play), tmp_path)[0] == f"P1 because {RULE} matched: when down"


def test_a_severity_set_by_hand_names_who_and_why_and_what_the_rule_had_said(play: Play, tmp_path: Path) -> None:
    play.set_severity(Severity.P2, minute(5), "only the test system")
    first = why_of(last(play), tmp_path)[0]
    assert first.startswith("P2 because person:li.na set it at 2026-11-04T10:05:00")
    assert first.endswith(f": only the test system (it was {P1}; {RULE} had matched: when down)")


def test_pauses_and_exclusions_are_among_the_reasons(play: Play, tmp_path: Path) -> None:
    play.keep(clock_acts.pause(play.case, play.rulebook, "person:li.na", (), "supplier", minute(5)))
    play.keep(clock_acts.exclude(play.case, "user:root", play.response.kind, "a drill", minute(6)))
    lines = why_of(last(play), tmp_path)
    assert any(line.startswith("resolution: paused since ") and line.endswith("li.na: supplier") for line in lines)
    assert any(line.startswith("response: excluded by user:root") and line.endswith("a drill") for line in lines)
