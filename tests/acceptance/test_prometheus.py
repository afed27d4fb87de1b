"""Debian's Prometheus and the shipped rules on a running Tocsin that watches a thousand checks."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from acceptance.process import Tocsin, free_port, takes, until, write_configuration
from acceptance.prometheus import Prometheus, prometheus
from tocsin.testing.slack import SlackDouble
from tocsin.testing.standins import StandIns, State

DASHBOARD = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "tocsin.json"
SYSTEMS, CHECKS_EACH = 100, 10
DUE_SOON = "P1 response due in 10 minutes"


def thousand_checks(url: str) -> dict[str, Any]:
    return {
        f"system-{number}": {
            "owner": "li.na",
            "checks": {f"check-{each}": {"http": f"{url}/health", "every": "10s"} for each in range(CHECKS_EACH)},
        }
        for number in range(SYSTEMS)
    }


def rules(crm: str, erp: str) -> str:
    erp_checks = {"health": {"http": f"{erp}/health", "every": "250ms", "fail_after": 2}}
    systems = {**thousand_checks(crm), "erp": {"owner": "li.na", "tier": "core", "checks": erp_checks}}
    # JSON is YAML too, and a thousand checks are quicker written so.
    return json.dumps(
        {"systems": systems, "people": {"li.na": {"name": "Li Na"}}, "response": {"P1": {"acknowledge": "9m"}}}
    )


@asynccontextmanager
async def scraped(folder: Path) -> AsyncIterator[tuple[Tocsin, Prometheus, StandIns, int]]:
    async with StandIns() as systems, SlackDouble() as slack:
        port = free_port()
        text = rules(systems["crm"].url, systems["erp"].url)
        more = f"metrics_listen: 127.0.0.1:{port}\n"
        tocsin = Tocsin(write_configuration(folder / "t", slack, text, more=more))
        try:
            await tocsin.start()
            await until(lambda: takes(port), what="metrics_listen takes connections")
            await until(lambda: all_are_probed(port), 60, "every check was probed")
            async with prometheus(folder / "p", f"127.0.0.1:{port}") as asked:
                yield tocsin, asked, systems, port
        finally:
            await tocsin.close()


async def all_are_probed(port: int) -> bool:
    text = await asyncio.to_thread(page, port)
    return text.count("\ntocsin_probe_success{") == SYSTEMS * CHECKS_EACH + 1


def page(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


@pytest.mark.timeout(180)
def test_every_second_for_a_while_without_a_gap_and_the_deadline_rings(tmp_path: Path) -> None:
    asyncio.run(watched(tmp_path, seconds=15))


@pytest.mark.torture
@pytest.mark.timeout(300)
def test_every_second_for_two_minutes_without_a_gap(tmp_path: Path) -> None:
    asyncio.run(watched(tmp_path, seconds=120))


async def watched(folder: Path, *, seconds: int) -> None:
    async with scraped(folder) as (tocsin, asked, systems, port):
        await until(lambda: asked.query("up == 1"), 15, "the first scrape")
        await asyncio.sleep(seconds)  # the time that is looked at afterwards
        await no_gap(asked, seconds)
        await the_deadline_rings(asked, systems)
        await every_rule_and_panel_works(asked)
        names_are_there(page(port))
        await tocsin.ask("ack", incident="1")
        await until(lambda: quiet(asked), 20, "the answer ends the alert")


async def no_gap(asked: Prometheus, seconds: int) -> None:
    (series,) = await asked.query(f"up[{seconds}s]")
    at = [float(sample[0]) for sample in series["values"]]
    assert {value for _, value in series["values"]} == {"1"}
    assert len(at) >= seconds - 1
    assert max(after - before for before, after in pairwise(at)) < 1.9, "a scrape was left out"
    (fewest,) = await asked.query(f"min_over_time(count(tocsin_probe_success)[{seconds - 2}s:1s])")
    assert float(fewest["value"][1]) == SYSTEMS * CHECKS_EACH + 1


async def the_deadline_rings(asked: Prometheus, systems: StandIns) -> None:
    assert await asked.firing(DUE_SOON) == []
    systems["erp"].state = State.BROKEN
    (alert,) = await until(lambda: asked.firing(DUE_SOON), 20, "the alert fires")
    assert alert["labels"] == {
        "alertname": DUE_SOON,
        "severity": "critical",
        "incident_severity": "P1",
        "incident": "1",
        "system": "erp",
        "clock": "response",
        "job": "tocsin",
        "instance": alert["labels"]["instance"],
    }
    assert 500 < float(alert["value"]) < 540
    assert alert["annotations"]["summary"].startswith("Nobody has answered #1 of erp; 8m ")


async def quiet(asked: Prometheus) -> bool:
    return not await asked.firing(DUE_SOON)


async def every_rule_and_panel_works(asked: Prometheus) -> None:
    for group in (await asked.ask("rules"))["groups"]:
        assert [(rule["name"], rule["lastError"]) for rule in group["rules"] if rule["health"] != "ok"] == []
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    silent = []
    for target in [target for panel in dashboard["panels"] for target in panel["targets"]]:
        expression = (
            target["expr"].replace("$job", "tocsin").replace("$system", ".*").replace("$__rate_interval", "10s")
        )
        if not await asked.query(expression):
            silent.append(target["expr"])
    # Nothing was decided in time or late yet: that ratio alone has nothing to show.
    assert all("ratio30d" in expression for expression in silent), silent


def names_are_there(text: str) -> None:
    """What the panels read by name is on the page of a daemon that has had an incident."""
    shown = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    dashboard = DASHBOARD.read_text(encoding="utf-8")
    read = {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"(?<![\w:])(?:tocsin|process)_\w+", dashboard)
    }
    assert read - shown == set()
