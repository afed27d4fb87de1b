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

from tocsin.core.model import Status
from tocsin.simulation.channel import Trouble
from tocsin.simulation.script import Act, Bother, Probe, Reload, Step, Wait
from tocsin.simulation.search import Search

HUNDREDS = range(1, 1001, 100)
SEEDS_FOR_ALL_POINTS = 1000
OFTEN = 300

A_WHOLE_INCIDENT: list[Step] = [
    (Bother((Trouble.LOST,)), Probe("erp/db", Status.DOWN, 2)),
    (Act("ack", "erp", ago_s=20.0), Probe("erp/health", Status.DOWN, 3)),
    (Wait(15_000.0),),
    (Reload("erp/health"), Act("resolve", "erp", anyway=True)),
]


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
