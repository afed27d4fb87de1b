"""What /metrics shows besides the checks: figures of stored things, and what the process knows of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SPAN_EDGES_S = (300, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Edges of the response and resolution histograms: 5 m, 15 m, 30 m, 1 h, 2 h, 4 h, 8 h, 24 h."""

Spans = tuple[Sequence[int], int, float]
"""Cumulative counts at `SPAN_EDGES_S`, the count of all, the sum of seconds."""

Buckets = tuple[Sequence[float], Sequence[int], float]
"""Upper edges (seconds), counts per bucket (one more than edges, the last is +Inf), the sum of seconds."""


@dataclass(frozen=True, slots=True)
class StoredFigures:
    """Counters of stored things, as `Queries.figures` gives them: they survive a restart.

    `open_deadlines` rows are (incident, system, severity, clock, due as a Unix timestamp); `outbox` holds
    (pending, seconds that the oldest has waited) by channel; `journal` is the head's (sequence, hash).
    """

    incidents_total: Mapping[tuple[str, str], int] = field(default_factory=dict)
    incidents_open: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    clocks_total: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    open_deadlines: Sequence[tuple[int, str, str, str, float]] = ()
    response_seconds: Mapping[str, Spans] = field(default_factory=dict)
    resolution_seconds: Mapping[str, Spans] = field(default_factory=dict)
    notices_total: Mapping[tuple[str, str], int] = field(default_factory=dict)
    outbox: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    journal: tuple[int, str] = (0, "")


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """What the process knows of itself: configured names (so that all series exist from the start), alarms, its own lag."""

    severities: Sequence[str]
    channels: Sequence[str]
    alarms: Mapping[str, bool]
    storage_errors: int
    is_configuration_good: bool
    lag: Buckets
