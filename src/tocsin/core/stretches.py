"""Stretches of time: pairs of instants, the end not included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

Stretch = tuple[datetime, datetime]


def without(stretches: Iterable[Stretch], cuts: Sequence[Stretch]) -> Iterator[Stretch]:
    """Yield what the cuts leave of the stretches. Both come in order of their starts; cuts may overlap each other."""
    for begin, end in stretches:
        for cut_begin, cut_end in cuts:
            if cut_begin >= end:
                break
            if begin < cut_begin:
                yield begin, cut_begin
            begin = max(begin, cut_end)
        if begin < end:
            yield begin, end
