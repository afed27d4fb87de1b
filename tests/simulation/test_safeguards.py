"""The search is only worth something if it finds what is broken: each safeguard is taken out once, and must be missed."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import closing

import pytest

from simulation.sabotage import SABOTAGES
from tocsin.core.model import Status
from tocsin.simulation.script import Act, Fail, Probe, write_script
from tocsin.simulation.search import Search

SEEDS = range(1, 401)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.CRITICAL, logger="tocsin")
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_the_search_finds_that(sabotage: str) -> None:
    with closing(Search(SABOTAGES[sabotage], shorten=False)) as search:
        assert search.run(SEEDS).failures, f"{len(SEEDS)} seeds did not find that {sabotage}"


def test_a_failing_seed_is_told_with_its_shortest_script() -> None:
    with closing(Search(SABOTAGES["an acknowledgement leaves its clock"])) as search:
        (failure,) = search.run(SEEDS).failures
    assert str(failure).startswith(f"seed {failure.seed}: ")
    assert "response clock runs on" in str(failure)
    kinds = {type(action) for step in failure.script for action in step}
    assert {Probe, Act} <= kinds
    assert len(failure.script) < len(write_script(failure.seed))


def test_a_sweep_finds_the_point_at_which_a_commit_is_torn() -> None:
    script = [(Probe("erp/db", Status.DOWN, 2),)]
    with closing(Search(SABOTAGES["notices are promised in a second commit"])) as search:
        failures = search.sweep(1, script)
    assert failures
    between_the_two = {"after the commit of Applier.commit", "before the commit of TwoCommits.commit"}
    assert {failure.point for failure in failures} == between_the_two


def test_a_script_tells_what_happens_in_it() -> None:
    scripts = [action for seed in range(1, 50) for step in write_script(seed) for action in step]
    assert {type(action).__name__ for action in scripts} == {
        "Probe", "Act", "Reload", "Wait", "Sleep", "Fail", "Restart", "Bother", "RefuseWrites"
    }  # fmt: skip
    assert any(isinstance(action, Fail) and action.again for action in scripts)
