"""People: they work on incidents through the daemon's one way to act, and ask again when they got no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

from tocsin.errors import Refused, StoreError, UsageError
from tocsin.ports import Desk
from tocsin.simulation.clock import SimulatedClock
from tocsin.simulation.record import Record
from tocsin.simulation.rules import PEOPLE
from tocsin.simulation.script import Act

RELOADS_AT_MOST = 20


class People:
    def __init__(self, clock: SimulatedClock, random: Random, record: Record) -> None:
        self._clock = clock
        self._random = random
        self._record = record

    async def act(self, desk: Desk, act: Act, unheard: list[Act]) -> None:
        """Do it to an incident, if there is one. It stands in `unheard` until an answer came, were it a refusal."""
        unheard.append(act)
        for _ in range(act.late):
            await asyncio.sleep(0)
        actor = f"person:{self._random.choice(PEOPLE)}"
        at = self._clock.now() - timedelta(seconds=act.ago_s)
        try:
            arguments = await self._arguments(desk, act)
            if arguments is not None:
                self._heard(act, await desk.call(act.verb, arguments, actor=actor, at=at), actor)
        except (Refused, UsageError, StoreError):
            pass
        unheard.remove(act)

    async def _arguments(self, desk: Desk, act: Act) -> Mapping[str, Any] | None:
        """What to say with the verb; None when there is nothing to do it to."""
        if act.verb == "notices_retry":
            return {}
        incident = await self._newest(desk, act.system, is_resolved=act.verb == "reopen")
        return None if incident is None else {"incident": incident, **_said(act)}

    async def _newest(self, desk: Desk, system: str, *, is_resolved: bool) -> int | None:
        """The newest incident of the system, or of any: people work on what there is."""
        listed = await desk.call("incident_list", {"all": True}, actor="person:li.na")
        there = [one for one in listed if (one["state"] == "resolved") is is_resolved]
        mine = [one["id"] for one in there if one["system"] == system] or [one["id"] for one in there]
        return mine[0] if mine else None

    def _heard(self, act: Act, result: Any, actor: str) -> None:
        if act.verb == "ack" and result["acknowledged_by"] == actor:
            self._record.answered.add((result["id"], actor))

    async def reload(self, desk: Desk) -> None:
        """Let the daemon read its configuration again, and once more where the store refused."""
        for _ in range(RELOADS_AT_MOST):
            try:
                await desk.call("reload", {}, actor="user:root")
            except StoreError:
                continue
            return


def _said(act: Act) -> Mapping[str, Any]:
    match act.verb:
        case "severity":
            return {"severity": act.severity, "reason": "so"}
        case "resolve":
            return {"anyway": act.anyway, "note": "seen"}
        case "note":
            return {"text": "seen"}
        case "assign":
            return {"person": PEOPLE[0]}
        case _:
            return {}
