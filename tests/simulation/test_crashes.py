"""A thousand seeds: whatever fails, and whenever the process dies, no promise is broken."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from tocsin.core.model import Severity, Status
from tocsin.simulation.channel import Trouble
from tocsin.simulation.script import Act, Bother, Fail, Probe, Reload, Restart, Sleep, Step, Wait
from tocsin.simulation.search import Search

HUNDREDS = range(1, 1001, 100)
SEEDS_FOR_ALL_POINTS = 1000
OFTEN = 500

A_WHOLE_INCIDENT: list[Step] = [
    (Bother((Trouble.LOST,)), Probe("erp/db", Status.DOWN, 2)),
    (Act("ack", "erp", ago_s=20.0), Probe("erp/health", Status.DOWN, 3)),
    (Wait(15_000.0),),
    (Reload("erp/health"), Act("resolve", "erp", anyway=True)),
]


ONCE_BROKEN: dict[str, list[Step]] = {
    "what waits for a postponed line keeps the dispatcher spinning": [
        (Probe("oa/web", Status.DOWN, 3),),
        (Bother((Trouble.LOST, Trouble.HANG_ACCEPTED)),),
        (Act("ack", "oa"),),
    ],
    "a line that went out before its thread began is looked for in the thread": [
        (Bother((Trouble.PERMANENT, Trouble.LOST)),),
        (Restart(300.0),),
    ],
    "two alarms start a thread each": [
        (Bother((Trouble.PERMANENT,)), Fail(1, 4000.0, at="after the commit of Commands")),
        (Act("notices_retry", "erp", late=12), Bother((Trouble.LOST, Trouble.LOST))),
    ],
    "a fault in a channel's code keeps its worker spinning": [
        (Bother((Trouble.FAULT, Trouble.FAULT)), Probe("erp/db", Status.DOWN, 3)),
    ],
    "a deadline that passed in a stop is lost when the answer comes first": [
        (Probe("erp/db", Status.DOWN, 2),),
        (Sleep(4000.0), Act("ack", "erp")),
        (Sleep(15_000.0), Act("resolve", "erp", anyway=True), Probe("erp/db", Status.UP, 2)),
    ],
    "an acknowledged incident without a policy gets a response clock when it rises": [
        (Probe("oa/web", Status.DOWN, 3),),
        (Act("ack", "oa"),),
        (Act("severity", "oa", severity=Severity.P1),),
    ],
}
"""Bugs that were found, each by the shortest script that found it."""


@pytest.fixture(scope="module")
def search() -> Iterator[Search]:
    gc.freeze()
    with closing(Search()) as made:
        yield made
    gc.unfreeze()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of scripted troubles would fill the log."""
    caplog.set_level(logging.CRITICAL, logger="tocsin")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", HUNDREDS)
def test_a_hundred_seeds_keep_every_promise(search: Search, first: int) -> None:
    search.run(range(first, first + 100))
    failures, search.tally.failures = search.tally.failures, []
    assert not failures, "\n\n".join(map(str, failures))


@pytest.mark.timeout(600)
def test_the_power_failed_at_every_kind_of_point_that_is_passed_often(search: Search) -> None:
    if search.tally.seeds < SEEDS_FOR_ALL_POINTS:
        search.run(range(search.tally.seeds + 1, SEEDS_FOR_ALL_POINTS + 1))
    often = {name for name, count in search.tally.passed.items() if count >= OFTEN}
    assert len(often) >= 30
    assert {name for name in often if search.tally.failed[name] == 0} == set()


@pytest.mark.timeout(300)
def test_an_incident_survives_a_power_failure_at_each_of_its_points(search: Search) -> None:
    failures = search.sweep(1, A_WHOLE_INCIDENT)
    assert not failures, "\n\n".join(map(str, failures))


@pytest.mark.parametrize("bug", ONCE_BROKEN)
def test_what_was_once_broken_stays_mended(search: Search, bug: str) -> None:
    failures = [search.try_script(seed, ONCE_BROKEN[bug]) for seed in range(1, 9)]
    assert failures == [None] * 8, "\n\n".join(map(str, failures))


def test_the_same_seeds_are_the_same_in_every_process() -> None:
    """Also where strings hash to other values: a seed that fails here fails everywhere."""
    command = [sys.executable, "-m", "tocsin.simulation", "--from", "400", "--seeds", "6"]
    told = {
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for number in ("1", "2")
    }
    assert len(told) == 1
    assert "0 broken promises" in told.pop()
