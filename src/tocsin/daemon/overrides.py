"""Overrides that people made by hand: kept in the store as data, and laid over the schedules of whichever rules are in force."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.oncall import OnCall, Override
from tocsin.core.policy import Rulebook

FACT = "oncall_overrides"
FROM_RULES = "rules"
KEPT_FOR = timedelta(days=400)
KEPT_AT_MOST = 1000

Stored = Mapping[str, Any]
"""One override as it is stored: {schedule, person, from, to, actor, source}."""


def read(text: str | None) -> list[dict[str, Any]]:
    return list(json.loads(text)) if text else []


def written(overrides: Iterable[Stored], now: datetime) -> str:
    """What is kept: nothing that ended long ago, and the newest where there are too many."""
    kept = [one for one in overrides if datetime.fromisoformat(one["to"]) > now - KEPT_FOR]
    return json.dumps(kept[-KEPT_AT_MOST:], ensure_ascii=False)


def laid_over(rulebook: Rulebook, stored: Iterable[Stored]) -> Rulebook:
    """The rulebook with the stored overrides behind those of the rules, so that they win. Of people whom nobody knows any more: none."""
    if not rulebook.oncall:
        return rulebook
    listed = list(stored)
    return replace(rulebook, oncall={name: _with(one, listed, rulebook) for name, one in rulebook.oncall.items()})


def _with(oncall: OnCall, stored: list[Stored], rulebook: Rulebook) -> OnCall:
    of_rules = tuple(one for one in oncall.overrides if one.source == FROM_RULES)
    by_hand = tuple(
        override_of(one) for one in stored if one["schedule"] == oncall.name and one["person"] in rulebook.people
    )
    return replace(oncall, overrides=(*of_rules, *by_hand))


def override_of(stored: Stored) -> Override:
    start, end = datetime.fromisoformat(stored["from"]), datetime.fromisoformat(stored["to"])
    return Override(stored["person"], start, end, stored["actor"], stored["source"])


def as_data(name: str, override: Override) -> dict[str, Any]:
    return {
        "schedule": name,
        "person": override.person,
        "from": override.start.isoformat(),
        "to": override.end.isoformat(),
        "actor": override.actor,
        "source": override.source,
    }
