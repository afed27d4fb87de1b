"""Probing: from a check to an observation. Nothing here says what an answer means; that is `core.verdict`."""

from __future__ import annotations

from tocsin.probes.router import Probes


def build_probes() -> Probes:
    """All kinds of probes behind one port."""
    return Probes()


__all__ = ["Probes", "build_probes"]
