"""When something that is used up will be gone, told by how it went so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations
from statistics import median

LEAST_SAMPLES = 24


def gone_in(samples: Sequence[tuple[datetime, int]]) -> timedelta | None:
    """How long the rest lasts at the present pace; None when it does not shrink, or too little is known.

    The pace is the median of the slopes between all pairs (Theil and Sen): a file that was copied once is no trend.
    """
    if len(samples) < LEAST_SAMPLES:
        return None
    slopes = [
        (before - after) / (later - sooner).total_seconds()
        for (sooner, before), (later, after) in combinations(samples, 2)
        if later > sooner
    ]
    pace = median(slopes) if slopes else 0.0
    if pace <= 0.0:
        return None
    left_s = samples[-1][1] / pace
    return timedelta(seconds=min(left_s, 1e9))
