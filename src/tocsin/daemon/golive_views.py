"""The shapes in which a go-live watch is shown: docs/golive.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tocsin.core.golive import GoLive
from tocsin.core.model import Clock
from tocsin.core.policy import Rulebook
from tocsin.ports import Queries

Line = Mapping[str, Any]
CHANGES = ("check_changed", "configuration_applied", "node_slept", "clock_stepped", "daemon_started", "daemon_stopped")
"""What else of the journal belongs into the log of a watch."""


def instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def brief(golive: GoLive, rulebook: Rulebook) -> dict[str, Any]:
    """A watch without what was measured."""
    owner = rulebook.people.get(golive.owner) or rulebook.teams.get(golive.owner)
    return {
        "id": golive.id,
        "systems": list(golive.systems),
        "titles": {name: dict(rulebook.systems[name].title) for name in golive.systems if name in rulebook.systems},
        "version": golive.version,
        "state": golive.phase.value,
        "owner": golive.owner,
        "owner_name": getattr(owner, "name", None) or golive.owner,
        "starts_at": instant(golive.starts_at),
        "started_at": instant(golive.started_at),
        "review_due_at": instant(golive.review_due_at),
        "reviewed_at": instant(golive.clock.met_at if golive.clock is not None else None),
        "ended_at": instant(golive.ended_at),
        "ended_by": golive.ended_by,
        "created_at": instant(golive.created_at),
        "created_by": golive.created_by,
        "watch_for_s": golive.watch_for.total_seconds(),
        "checkpoint_every_s": golive.checkpoint_every.total_seconds(),
        "next_checkpoint_at": instant(golive.next_checkpoint_at) if golive.phase.is_running else None,
        "rules": list(golive.exit),
        "signers": list(golive.signers),
        "sign_offs": [
            {"person": one.person, "at": instant(one.at), "actor": one.actor, "text": one.text}
            for one in golive.sign_offs
        ],
        "unsigned": list(golive.unsigned),
        "clocks": [_clock(clock) for clock in golive.clocks],
        "duty": dict(golive.duty),
        "channels": list(golive.channels),
    }


def _clock(clock: Clock) -> dict[str, Any]:
    return {
        "clock": clock.kind.value,
        "started_at": instant(clock.started_at),
        "due_at": instant(clock.due_at),
        "target_s": clock.target.total_seconds(),
        "outcome": clock.outcome.value if clock.outcome is not None else None,
        "met_at": instant(clock.met_at),
        "breached_at": instant(clock.breached_at),
        "detected_late": clock.detected_late,
        "ended_at": instant(clock.ended_at),
        "next_reminder_at": instant(clock.plan[0].at) if clock.plan and clock.is_running else None,
    }


def checkpoints(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The checkpoints of a watch, oldest first."""
    return [
        {"at": line["at"], "actor": line["actor"], **(line["data"] or {})}
        for line in lines
        if line["action"] == "golive_checkpoint"
    ]


def timeline(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """What happened, by its own instants."""
    keys = ("at", "actor", "action", "subject", "sequence")
    told = [{**{key: line[key] for key in keys}, "data": line["data"] or {}} for line in lines]
    return sorted(told, key=lambda line: (line["at"], line["sequence"]))


def evidence(queries: Queries, golive: GoLive, start: datetime, end: datetime) -> dict[str, Any]:
    """What else happened meanwhile, and the range of the journal that all of it stands on."""
    own = queries.journal_of(f"golive:{golive.id}")
    checks = tuple(f"check:{name}/" for name in golive.systems)
    around = queries.journal_between(CHANGES, start, end)
    changes = [line for line in around if line["subject"].startswith(("configuration", "daemon", "clock", *checks))]
    lines = sorted([*own, *changes], key=lambda line: int(line["sequence"]))
    first, last = lines[0], lines[-1]
    span = {"first": first["sequence"], "last": last["sequence"], "hash": last["hash"], "previous": first["previous"]}
    return {"changes": timeline(changes), "journal": span}
