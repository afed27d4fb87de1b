"""A desk for tests of pages and API: answers out of plain lists, and changes them as the real one would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tocsin.errors import NotFound, Refused, UsageError
from tocsin.testing.facts import Json, entry, rfc3339

Now = Callable[[], datetime]


class FakeDesk:
    """Answers the verbs that the page and the API use, out of plain lists that a test may change (then: `change()`)."""

    def __init__(self, now: Now, systems: Iterable[Json] = (), incidents: Iterable[Json] = ()) -> None:
        self.now = now
        self.systems = list(systems)
        self.incidents = {one["id"]: one for one in incidents}
        self.timelines: dict[int, list[Json]] = {}
        self.alarms: list[Json] = []
        self.channels: list[Json] = [{"channel": "slack", "kind": "slack", "pending": 0, "oldest_s": None}]
        self.without_slack = False
        self.trouble: Exception | None = None
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        self._number = 1
        self._is_draining = False
        self._moved = asyncio.Event()

    async def call(self, verb: str, arguments: Mapping[str, Any], *, actor: str, at: datetime | None = None) -> Any:
        self.asked.append((verb, dict(arguments), actor))
        if self.trouble is not None:
            raise self.trouble
        match verb:
            case "status":
                return self._status()
            case "incident_list":
                return self._list(**arguments)
            case "incident_show":
                return self._shown(self._find(arguments["incident"]))
            case "ack":
                return self._ack(self._find(arguments["incident"]), actor)
            case "note":
                found = self._find(arguments["incident"])
                self._write(found["id"], actor, "incident_noted", text=arguments["text"])
                return found
            case "resolve":
                return self._resolve(self._find(arguments["incident"]), actor, **arguments)
        raise UsageError(f"there is no verb {verb!r}")

    async def changes(self) -> AsyncIterator[int]:
        seen = 0
        while not self._is_draining:
            if seen == self._number:
                await self._moved.wait()
            else:
                seen = self._number
                yield seen

    def change(self) -> None:
        """Tell everybody who watches that something is worth showing."""
        self._number += 1
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def drain(self) -> None:
        self._is_draining = True
        self.change()

    # --- verbs ---

    def _status(self) -> Json:
        return {
            "systems": self.systems,
            "incidents": [one for one in self._newest_first() if one["state"] != "resolved"],
            "alarms": self.alarms,
            "channels": self.channels,
            "without_slack": self.without_slack,
            "version": "0.1.0",
            "started_at": rfc3339(self.now() - timedelta(days=3)),
        }

    def _newest_first(self) -> list[Json]:
        return [self.incidents[number] for number in sorted(self.incidents, reverse=True)]

    def _list(self, all: bool = False, limit: int = 200, before: int | None = None) -> list[Json]:  # noqa: A002
        found = [one for one in self._newest_first() if all or one["state"] != "resolved"]
        return [one for one in found if before is None or one["id"] < before][:limit]

    def _find(self, name: object) -> Json:
        number = int(str(name).lstrip("#"))
        if number not in self.incidents:
            raise NotFound(f"there is no incident #{number} (see 'tocsin incident list --all')")
        return self.incidents[number]

    def _shown(self, found: Json) -> Json:
        return {**found, "timeline": list(self.timelines.get(found["id"], ()))}

    def _ack(self, found: Json, actor: str) -> Json:
        if found["state"] == "resolved":
            raise Refused(f"#{found['id']}: it is resolved already: there is nothing to acknowledge")
        if found["state"] == "open":
            now = rfc3339(self.now())
            found.update(state="acknowledged", acknowledged_at=now, acknowledged_by=actor)
            for one in found["clocks"]:
                if one["clock"] == "response":
                    one.update(outcome=one["outcome"] or "met", met_at=now)
            self._write(found["id"], actor, "incident_acknowledged")
        return found

    def _resolve(self, found: Json, actor: str, *, incident: object, note: str | None, anyway: bool) -> Json:
        failing = [
            c["check"]
            for s in self.systems
            if s["system"] == found["system"]
            for c in s["checks"]
            if c["status"] == "down"
        ]
        if failing and not anyway:
            raise Refused(f"it still fails ({', '.join(failing)}): mend it, or close it all the same with --anyway")
        now = rfc3339(self.now())
        found.update(state="resolved", resolved_at=now, resolved_by=actor, resolution="by_hand")
        for one in found["clocks"]:
            if one["met_at"] is None:
                one.update(outcome=one["outcome"] or "met", met_at=now)
        self._write(found["id"], actor, "incident_resolved", note=note, resolution="by_hand")
        return found

    def _write(self, number: int, actor: str, action: str, **data: Any) -> None:
        self.timelines.setdefault(number, []).append(entry(self.now(), actor, action, **data))
        self.change()
