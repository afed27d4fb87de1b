"""`/metrics`: every series of docs/metrics.md. Checks come from the live state, counters of stored things from the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import chain, product
from typing import TYPE_CHECKING

from tocsin.core.model import Status
from tocsin.errors import StoreError
from tocsin.ports import CheckView, Live
from tocsin.web.exposition import cumulative_histogram, family, histogram, in_slices, labels, sample
from tocsin.web.figures import SPAN_EDGES_S, OwnFigures, Spans, StoredFigures

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

READING_LIMIT_S = 5.0
UNRESOLVED = ("open", "acknowledged")
CLOCKS = ("response", "resolution")
OUTCOMES = ("met", "breached", "void")
SETTLED = ("sent", "dead", "covered")
NO_SPANS: Spans = ((0,) * len(SPAN_EDGES_S), 0, 0.0)

Views = Sequence[tuple[str, CheckView]]


class Metrics:
    """One scrape is one call. While the store does not answer, its figures stay as last read: a counter must not fall to 0."""

    def __init__(
        self, live: Live, stored: Callable[[], Awaitable[StoredFigures]], own: Callable[[], OwnFigures], version: str
    ) -> None:
        self._live = live
        self._stored = stored
        self._own = own
        self._version = version
        self._last_stored: StoredFigures | None = None
        self._process: CollectorRegistry | None = None

    async def __call__(self) -> AsyncIterator[bytes]:
        views = [(labels(system=v.check.system, check=v.check.name), v) for v in self._live.checks()]
        systems = list(dict.fromkeys(view.check.system for _, view in views))
        stored = await self._read_stored()
        own = self._own()
        parts = [_per_check(views), self._latencies(systems), _own_lines(own, self._version)]
        if stored is not None:
            parts.append(_stored_lines(stored, own, systems))
        async for piece in in_slices(chain.from_iterable(parts)):
            yield piece
        yield await self._process_lines()

    async def _read_stored(self) -> StoredFigures | None:
        try:
            async with asyncio.timeout(READING_LIMIT_S):
                self._last_stored = await self._stored()
        except (StoreError, TimeoutError):
            pass  # tocsin_storage_errors_total and tocsin_alarm{alarm="storage"} tell it
        return self._last_stored

    def _latencies(self, systems: Sequence[str]) -> Iterator[str]:
        name = "tocsin_probe_latency_seconds"
        yield family(name, "histogram", "How long the probes of a system took.")
        for system in systems:
            yield from histogram(name, self._live.latency_buckets(system), system=system)

    async def _process_lines(self) -> bytes:
        """The client library's own series. Imported at the first scrape and in a thread: it costs 90 ms."""
        if self._process is None:
            self._process = await asyncio.to_thread(_process_registry)
        from prometheus_client import generate_latest

        return generate_latest(self._process)


def _process_registry() -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


# --- checks: the many lines, so the label text of each check is built once a scrape ---------------------------------


def _per_check(views: Views) -> Iterator[str]:
    return chain(_success(views), _durations(views), _probes(views), _expiries(views), _statuses(views))


def _success(views: Views) -> Iterator[str]:
    yield family(
        "tocsin_probe_success", "gauge", "1 when the last probe was good, 0 when it was bad; absent when unobserved."
    )
    for own, view in views:
        if view.last is not None and view.last.status is not Status.UNOBSERVED:
            yield f"tocsin_probe_success{{{own}}} {1 if view.success else 0}\n"


def _durations(views: Views) -> Iterator[str]:
    yield family(
        "tocsin_probe_duration_seconds",
        "gauge",
        "How long each phase of the last probe took; absent when it did not happen.",
    )
    for own, view in views:
        for phase, seconds in view.phases.as_dict().items():
            if seconds is not None:
                yield f'tocsin_probe_duration_seconds{{{own},phase="{phase}"}} {seconds}\n'


def _probes(views: Views) -> Iterator[str]:
    yield family("tocsin_probes_total", "counter", "Probes since the start, by what they said.")
    for own, view in views:
        for outcome, count in view.probes.items():
            yield f'tocsin_probes_total{{{own},outcome="{outcome}"}} {count}\n'


def _expiries(views: Views) -> Iterator[str]:
    yield family("tocsin_probe_tls_expiry_timestamp_seconds", "gauge", "When the certificate last seen expires.")
    for own, view in views:
        if view.tls_expires_at is not None:
            yield f"tocsin_probe_tls_expiry_timestamp_seconds{{{own}}} {view.tls_expires_at.timestamp()}\n"


def _statuses(views: Views) -> Iterator[str]:
    yield family("tocsin_check_status", "gauge", "1 for what the check is now; the other statuses are absent.")
    for own, view in views:
        yield f'tocsin_check_status{{{own},status="{view.status.value}"}} 1\n'


# --- stored things -------------------------------------------------------------------------------------------------


def _stored_lines(stored: StoredFigures, own: OwnFigures, systems: Sequence[str]) -> Iterator[str]:
    severities = _names(own.severities, (severity for _, severity in stored.incidents_total))
    return chain(
        _incidents(stored, systems, severities),
        _deadlines(stored, severities),
        _spans("tocsin_response_seconds", "From opening to the answer.", stored.response_seconds, severities),
        _spans("tocsin_resolution_seconds", "From opening to the resolution.", stored.resolution_seconds, severities),
        _notices(stored, own.channels),
        _journal(stored),
    )


def _incidents(stored: StoredFigures, systems: Sequence[str], severities: Sequence[str]) -> Iterator[str]:
    yield family("tocsin_incidents_total", "counter", "Incidents ever opened, by the severity they have now.")
    for system, severity in product(systems, severities):
        yield sample(
            "tocsin_incidents_total",
            stored.incidents_total.get((system, severity), 0),
            system=system,
            severity=severity,
        )
    yield family("tocsin_incidents_open", "gauge", "Incidents that are not resolved.")
    known = dict.fromkeys(product(systems, severities, UNRESOLVED), 0)
    for (system, severity, state), count in (known | dict(stored.incidents_open)).items():
        yield sample("tocsin_incidents_open", count, system=system, severity=severity, state=state)


def _deadlines(stored: StoredFigures, severities: Sequence[str]) -> Iterator[str]:
    name = "tocsin_deadline_timestamp_seconds"
    yield family(name, "gauge", "When an open clock is due.")
    for incident, system, severity, clock, due in stored.open_deadlines:
        yield sample(name, due, incident=incident, system=system, severity=severity, clock=clock)
    yield family("tocsin_clocks_total", "counter", "Clocks that were decided, by outcome.")
    known = dict.fromkeys(product(severities, CLOCKS, OUTCOMES), 0)
    for (severity, clock, outcome), count in (known | dict(stored.clocks_total)).items():
        yield sample("tocsin_clocks_total", count, severity=severity, clock=clock, outcome=outcome)


def _spans(name: str, text: str, spans: Mapping[str, Spans], severities: Sequence[str]) -> Iterator[str]:
    yield family(name, "histogram", text)
    for severity in _names(severities, spans):
        at_edges, count, total = spans.get(severity, NO_SPANS)
        yield from cumulative_histogram(name, SPAN_EDGES_S, at_edges, count, total, severity=severity)


def _notices(stored: StoredFigures, configured: Sequence[str]) -> Iterator[str]:
    channels = _names(configured, stored.outbox)
    yield family("tocsin_notices_total", "counter", "Notices that were settled, by channel and outcome.")
    known = dict.fromkeys(product(channels, SETTLED), 0)
    for (channel, outcome), count in (known | dict(stored.notices_total)).items():
        yield sample("tocsin_notices_total", count, channel=channel, outcome=outcome)
    yield family("tocsin_outbox_pending", "gauge", "Notices that wait to be delivered.")
    for channel in channels:
        yield sample("tocsin_outbox_pending", stored.outbox.get(channel, (0, 0.0))[0], channel=channel)
    yield family(
        "tocsin_outbox_oldest_seconds", "gauge", "How long the oldest waiting notice has waited; 0 when none waits."
    )
    for channel in channels:
        yield sample("tocsin_outbox_oldest_seconds", stored.outbox.get(channel, (0, 0.0))[1], channel=channel)


def _journal(stored: StoredFigures) -> Iterator[str]:
    sequence, digest = stored.journal
    yield family("tocsin_journal_entries_total", "counter", "Entries ever written to the journal.")
    yield sample("tocsin_journal_entries_total", sequence)
    yield family(
        "tocsin_journal_head_info",
        "gauge",
        "The newest entry and its hash: kept elsewhere, it proves that nothing was cut.",
    )
    yield sample("tocsin_journal_head_info", 1, sequence=sequence, hash=digest)


# --- the process ---------------------------------------------------------------------------------------------------


def _own_lines(own: OwnFigures, version: str) -> Iterator[str]:
    yield family("tocsin_alarm", "gauge", "1 while Tocsin itself is in this trouble.")
    for alarm, is_raised in own.alarms.items():
        yield sample("tocsin_alarm", int(is_raised), alarm=alarm)
    yield family("tocsin_scheduler_lag_seconds", "histogram", "How late probes were started.")
    yield from histogram("tocsin_scheduler_lag_seconds", own.lag)
    yield family("tocsin_storage_errors_total", "counter", "Writes or reads that the store refused since the start.")
    yield sample("tocsin_storage_errors_total", own.storage_errors)
    yield family(
        "tocsin_config_last_reload_successful", "gauge", "1 when the rules on disk are those that are applied."
    )
    yield sample("tocsin_config_last_reload_successful", int(own.is_configuration_good))
    yield family("tocsin_build_info", "gauge", "The version that runs.")
    yield sample("tocsin_build_info", 1, version=version)


def _names(configured: Sequence[str], seen: Iterator[str] | Mapping[str, object]) -> list[str]:
    """The configured names, then those that only the store knows."""
    return [*configured, *sorted(set(seen) - set(configured))]
