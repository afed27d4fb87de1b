"""`/metrics`: every series of the contract, from the first scrape, and readable by Prometheus' own tools."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tocsin.core.model import NO_PHASES, Status
from tocsin.errors import StoreError
from tocsin.testing.live import FakeLive, a_view
from tocsin.web.exposition import CONTENT_TYPE
from tocsin.web.figures import OwnFigures, StoredFigures
from tocsin.web.metrics import Metrics
from web_parts import NOW, OWN, an_app, ask, nothing_stored, run, some_metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

STORED = StoredFigures(
    incidents_total={("system-0", "P1"): 4, ("system-1", "P2"): 9, ("removed", "P1"): 2},
    incidents_open={("system-0", "P1", "open"): 1},
    clocks_total={("P1", "response", "met"): 3, ("P1", "response", "breached"): 1},
    open_deadlines=[(142, "system-0", "P1", "response", 1796000000.0)],
    response_seconds={"P1": ([1, 2, 2, 3, 3, 3, 3, 3], 4, 91_234.5)},
    notices_total={("slack", "sent"): 31, ("old-hook", "dead"): 1},
    outbox={"slack": (2, 12.5)},
    journal=(1234, "ab" * 32),
)


async def body_of(metrics: Metrics) -> str:
    return b"".join([piece async for piece in metrics()]).decode()


def samples_of(text: str) -> Samples:
    """All samples; the parser refuses what is malformed, and no sample may come twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} comes twice"
            found[key] = sample.value
    return found


def scraped(live: FakeLive | None = None, stored: StoredFigures = STORED, own: OwnFigures = OWN) -> Samples:
    async def read() -> StoredFigures:
        return stored

    return samples_of(run(body_of(Metrics(live or FakeLive(), read, lambda: own, "0.1.0"))))


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[(name, frozenset(labels.items()))]


def named(samples: Samples, name: str) -> dict[frozenset[tuple[str, str]], float]:
    return {labels: number for (found, labels), number in samples.items() if found == name}


def test_checks_show_success_phases_counts_expiry_and_their_present_status() -> None:
    samples = scraped()
    own = {"system": "system-0", "check": "check-0"}
    assert value(samples, "tocsin_probe_success", **own) == 1
    assert value(samples, "tocsin_probe_duration_seconds", **own, phase="tls") == 0.0093
    assert value(samples, "tocsin_probes_total", **own, outcome="up") == 1200
    expiry = datetime.fromtimestamp(value(samples, "tocsin_probe_tls_expiry_timestamp_seconds", **own), UTC)
    assert (expiry - NOW).days == 79
    assert [
        dict(labels)["status"] for labels in named(samples, "tocsin_check_status") if ("check", "check-0") in labels
    ] == [
        "up",
        "up",
        "down",
    ]


def test_what_was_not_observed_is_neither_good_nor_bad() -> None:
    live = FakeLive(1, 2)
    live.views[0].last = None
    live.views[1] = a_view("system-0", "check-1", Status.UNOBSERVED, NOW)
    assert named(scraped(live), "tocsin_probe_success") == {}


def test_a_phase_that_did_not_happen_has_no_sample() -> None:
    live = FakeLive(1, 1)
    live.views[0].phases = replace(NO_PHASES, first_byte=0.01)
    live.views[0].tls_expires_at = None
    samples = scraped(live)
    assert [dict(labels)["phase"] for labels in named(samples, "tocsin_probe_duration_seconds")] == ["first_byte"]
    assert named(samples, "tocsin_probe_tls_expiry_timestamp_seconds") == {}


def test_latency_buckets_are_cumulative_and_agree_with_the_count() -> None:
    samples = scraped()
    buckets = {
        dict(k)["le"]: v
        for k, v in named(samples, "tocsin_probe_latency_seconds_bucket").items()
        if ("system", "system-1") in k
    }
    assert buckets["0.01"] == 40
    assert buckets["0.025"] == 95
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets["+Inf"] == value(samples, "tocsin_probe_latency_seconds_count", system="system-1") == 100
    assert value(samples, "tocsin_probe_latency_seconds_sum", system="system-1") == 2.125


def test_stored_figures_are_shown_as_they_are() -> None:
    samples = scraped()
    assert value(samples, "tocsin_incidents_total", system="system-0", severity="P1") == 4
    assert value(samples, "tocsin_incidents_open", system="system-0", severity="P1", state="open") == 1
    assert value(samples, "tocsin_clocks_total", severity="P1", clock="response", outcome="breached") == 1
    due = {"incident": "142", "system": "system-0", "severity": "P1", "clock": "response"}
    assert value(samples, "tocsin_deadline_timestamp_seconds", **due) == 1796000000.0
    assert value(samples, "tocsin_response_seconds_bucket", severity="P1", le="900.0") == 2
    assert value(samples, "tocsin_response_seconds_bucket", severity="P1", le="+Inf") == 4
    assert value(samples, "tocsin_response_seconds_sum", severity="P1") == 91_234.5
    assert value(samples, "tocsin_notices_total", channel="slack", outcome="sent") == 31
    assert value(samples, "tocsin_notices_total", channel="old-hook", outcome="dead") == 1
    assert value(samples, "tocsin_outbox_pending", channel="slack") == 2
    assert value(samples, "tocsin_outbox_oldest_seconds", channel="slack") == 12.5
    assert value(samples, "tocsin_journal_entries_total") == 1234
    assert value(samples, "tocsin_journal_head_info", sequence="1234", hash="ab" * 32) == 1


def test_the_process_shows_alarms_lag_errors_configuration_and_version() -> None:
    samples = scraped()
    assert value(samples, "tocsin_alarm", alarm="late") == 1
    assert value(samples, "tocsin_alarm", alarm="storage") == 0
    assert value(samples, "tocsin_scheduler_lag_seconds_bucket", le="0.01") == 9
    assert value(samples, "tocsin_scheduler_lag_seconds_count") == 10
    assert value(samples, "tocsin_scheduler_lag_seconds_sum") == 0.0625
    assert value(samples, "tocsin_storage_errors_total") == 2
    assert value(samples, "tocsin_config_last_reload_successful") == 1
    assert value(samples, "tocsin_build_info", version="0.1.0") == 1
    assert value(scraped(own=replace(OWN, is_configuration_good=False)), "tocsin_config_last_reload_successful") == 0


def test_the_client_library_shows_the_process() -> None:
    samples = scraped()
    assert value(samples, "process_resident_memory_bytes") > 1e6
    assert named(samples, "python_info")
    assert named(samples, "python_gc_collections_total")


def test_every_counter_and_histogram_is_there_from_the_first_scrape() -> None:
    samples = scraped(stored=StoredFigures())
    for system in ("system-0", "system-1", "system-2"):
        for severity in ("P1", "P2"):
            assert value(samples, "tocsin_incidents_total", system=system, severity=severity) == 0
            for state in ("open", "acknowledged"):
                assert value(samples, "tocsin_incidents_open", system=system, severity=severity, state=state) == 0
    for severity in ("P1", "P2"):
        for clock in ("response", "resolution"):
            for outcome in ("met", "breached", "void"):
                assert value(samples, "tocsin_clocks_total", severity=severity, clock=clock, outcome=outcome) == 0
            edges = {
                dict(k)["le"] for k in named(samples, f"tocsin_{clock}_seconds_bucket") if ("severity", severity) in k
            }
            assert edges == {"300.0", "900.0", "1800.0", "3600.0", "7200.0", "14400.0", "28800.0", "86400.0", "+Inf"}
            assert value(samples, f"tocsin_{clock}_seconds_count", severity=severity) == 0
    for channel in ("slack", "hook"):
        assert value(samples, "tocsin_outbox_pending", channel=channel) == 0
        assert value(samples, "tocsin_outbox_oldest_seconds", channel=channel) == 0
        for outcome in ("sent", "dead", "covered"):
            assert value(samples, "tocsin_notices_total", channel=channel, outcome=outcome) == 0
    assert named(samples, "tocsin_deadline_timestamp_seconds") == {}


def test_what_is_no_longer_watched_leaves_nothing_behind() -> None:
    live = FakeLive(2, 2)
    metrics = some_metrics(live)

    async def both() -> tuple[str, str]:
        before = await body_of(metrics)
        del live.views[1:]
        return before, await body_of(metrics)

    before, after = run(both())
    assert 'check="check-1"' in before
    assert 'system="system-1"' in before
    assert 'check="check-1"' not in after
    assert 'system="system-1"' not in after
    assert "removed" not in {dict(labels)["system"] for labels in named(scraped(), "tocsin_incidents_total")}


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "two\nlines", "企业", "a,b={}", "\\n"])
def test_odd_names_come_back_as_they_were(name: str) -> None:
    live = FakeLive(1, 1)
    live.views = [a_view(name, name, Status.UP, NOW)]
    samples = scraped(live)
    assert value(samples, "tocsin_probe_success", system=name, check=name) == 1
    assert value(samples, "tocsin_probe_latency_seconds_count", system=name) == 100


def test_while_the_store_does_not_answer_its_figures_stay_as_last_read() -> None:
    trouble: list[Exception] = []

    async def read() -> StoredFigures:
        if trouble:
            raise trouble[0]
        return STORED

    metrics = Metrics(FakeLive(), read, lambda: OWN, "0.1.0")

    async def both() -> tuple[str, str]:
        good = await body_of(metrics)
        trouble.append(StoreError("locked"))
        return good, await body_of(metrics)

    good, bad = run(both())
    assert value(samples_of(bad), "tocsin_journal_entries_total") == 1234
    assert value(samples_of(good), "tocsin_journal_entries_total") == 1234


def test_figures_that_were_never_read_are_absent_and_not_zero() -> None:
    async def read() -> StoredFigures:
        raise StoreError("locked")

    samples = samples_of(run(body_of(Metrics(FakeLive(), read, lambda: OWN, "0.1.0"))))
    assert named(samples, "tocsin_incidents_total") == {}
    assert named(samples, "tocsin_probe_success") != {}
    assert value(samples, "tocsin_storage_errors_total") == 2


def test_a_scrape_lets_the_loop_turn() -> None:
    async def work() -> tuple[int, float]:
        metrics = Metrics(FakeLive(200, 10), nothing_stored, lambda: OWN, "0.1.0")
        await body_of(metrics)
        scrape = asyncio.create_task(body_of(metrics))
        turns, longest, last = 0, 0.0, time.perf_counter()
        while not scrape.done():
            await asyncio.sleep(0)
            now = time.perf_counter()
            turns, longest, last = turns + 1, max(longest, now - last), now
        return turns, longest

    turns, longest = run(work())
    assert turns > 20
    assert longest < 0.1, "a generous bound for a busy machine; benchmarks/metrics_encoding.py holds the real one"


def test_too_many_scrapes_at_once_are_sent_away() -> None:
    held = some_metrics()
    scrapes = [held() for _ in range(4)]
    handed = iter(scrapes)
    app = an_app(metrics=lambda: next(handed))

    async def work() -> tuple[int, int]:
        from web_parts import asking

        async with asking(app) as client:
            answers = [await client.get("/metrics") for _ in range(5)]
        return answers[3].status_code, answers[4].status_code

    assert run(work()) == (200, 503)


def test_the_route_answers_in_the_text_format() -> None:
    answer = ask(an_app(), "GET", "/metrics")
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert "tocsin_build_info" in answer.text
    head = ask(an_app(), "HEAD", "/metrics")
    assert (head.status_code, head.text) == (200, "")


def test_promtool_has_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")

    async def read() -> StoredFigures:
        return STORED

    for stored in (read, nothing_stored):
        text = run(body_of(Metrics(FakeLive(), stored, lambda: OWN, "0.1.0")))
        told = subprocess.run(
            [promtool, "check", "metrics"], input=text.encode(), capture_output=True, timeout=30, check=False
        )
        assert (told.returncode, told.stdout + told.stderr) == (0, b"")


def test_every_metric_stands_in_the_documentation() -> None:
    shown = set(re.findall(r"# TYPE (tocsin_\w+)", run(body_of(some_metrics()))))
    told = set(re.findall(r"`(tocsin_\w+)", (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()))
    assert shown == told
