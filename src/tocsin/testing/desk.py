"""A desk with a small company on it: believable systems, a P1 that runs, a P2 that was answered. For tests of pages, API and figures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.core.model import Observation, Phases, Reason, Sample, Status
from tocsin.core.policy import Check, HttpTarget, Judged
from tocsin.errors import NotFound, Refused, UsageError
from tocsin.ports import CheckView

Json = dict[str, Any]
Clock = Callable[[], datetime]

MINUTES = 60
EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- the facts -----------------------------------------------------------------------------------------------------


def strip(*parts: tuple[str, int]) -> list[str]:
    """`strip(("up", 50), ("down", 10))`: sixty words, oldest first; what is missing at the front is up."""
    words = [word for word, count in parts for _ in range(count)]
    return ["up"] * (MINUTES - len(words)) + words


def check(name: str, status: str = "up", since: str | None = None, **more: Any) -> Json:
    return {
        "check": name,
        "kind": "http",
        "status": status,
        "since": since,
        "reason": "ok" if status == "up" else "expectation",
        "text": "",
        "duration_s": 0.0123,
        "strip": strip(),
        **more,
    }


def system(name: str, checks: Sequence[Json], status: str = "up", **more: Any) -> Json:
    return {
        "system": name,
        "status": status,
        "muted_by": None,
        "title": {"": name.upper()},
        "owner": "li.na",
        "owner_name": more.get("owner", "Li Na"),
        "tier": "core",
        "runbook": f"https://wiki.example.com/{name}",
        "checks": list(checks),
        **more,
    }


def clock(kind: str, opened: datetime, target: timedelta, **more: Any) -> Json:
    return {
        "clock": kind,
        "started_at": rfc3339(opened),
        "due_at": rfc3339(opened + target),
        "target_s": target.total_seconds(),
        "calendar": "24x7",
        "outcome": None,
        "met_at": None,
        "breached_at": None,
        "detected_late": False,
        "superseded_at": None,
        **more,
    }


def incident(number: int, name: str, severity: str, opened: datetime, clocks: Sequence[Json] = (), **more: Any) -> Json:
    rule = {
        "name": "core system down",
        "file": "rules/severity.yaml",
        "line": 3,
        "text": 'system.tier == "core" && status == "down"',
    }
    return {
        "id": number,
        "system": name,
        "key": "",
        "system_title": {"": name.upper()},
        "severity": severity,
        "state": "open",
        "title": f"{name.upper()} is down",
        "reason": rule["name"],
        "rule": rule,
        "text": "health: status == 200 (status = 503)",
        "checks": ["health"],
        "failing_since": rfc3339(opened - timedelta(seconds=31)),
        "opened_at": rfc3339(opened),
        "acknowledged_at": None,
        "acknowledged_by": None,
        "assignee": None,
        "resolved_at": None,
        "resolved_by": None,
        "resolution": None,
        "reopened": 0,
        "clocks": list(clocks),
        "superseded": [],
        **more,
    }


def entry(at: datetime, actor: str, action: str, **data: Any) -> Json:
    return {"at": rfc3339(at), "actor": actor, "action": action, "data": data}


# --- the desk ------------------------------------------------------------------------------------------------------


class FakeDesk:
    """Answers the verbs that the page and the API use, out of plain lists that a test may change (then: `change()`)."""

    def __init__(self, now: Clock, systems: Iterable[Json] = (), incidents: Iterable[Json] = ()) -> None:
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


def busy_desk(now: Clock) -> FakeDesk:
    """ERP is down (a P1, eight minutes old), CRM is slow (a P2 that was answered), the rest is well."""
    t = now()
    opened, slow_since = t - timedelta(minutes=8, seconds=12), t - timedelta(minutes=41)
    desk = FakeDesk(now, _systems(t, opened, slow_since), _incidents(opened, slow_since))
    desk.timelines = {142: _erp_timeline(opened), 141: _crm_timeline(slow_since)}
    return desk


def _systems(t: datetime, opened: datetime, slow_since: datetime) -> list[Json]:
    week, hours = rfc3339(t - timedelta(days=8)), rfc3339(t - timedelta(hours=7, minutes=20))
    down, slow = rfc3339(opened), rfc3339(slow_since)
    refused = "status == 200 (status = 503)"
    late = 'latency > duration("800ms") (latency = 1.34s)'
    erp = [
        check("health", "down", down, text=refused, duration_s=0.0521, strip=strip(("down", 8))),
        check(
            "login",
            "down",
            down,
            text="no answer within 5s",
            duration_s=5.0,
            reason="timeout",
            strip=strip(("down", 7)),
        ),
        check("database", "up", week, kind="tcp", duration_s=0.0008),
    ]
    crm = [
        check("health", "up", week, duration_s=0.0231),
        check("search", "degraded", slow, text=late, duration_s=1.34, strip=strip(("degraded", 41))),
    ]
    oa = [
        check("portal", "up", hours, duration_s=0.0182, strip=strip(("down", 2), ("up", 30))),
        check("mail gateway", "up", week, kind="tcp", duration_s=0.0041),
    ]
    new = [check("api", "unobserved", None, reason="late", duration_s=None, strip=["unobserved"] * MINUTES)]
    return [
        system("oa", oa, title={"en": "OA", "zh_CN": "办公自动化"}, owner="wang.wei", tier="office", runbook=""),
        system("erp", erp, "down", title={"en": "ERP", "zh_CN": "企业资源计划"}),
        system(
            "crm", crm, "degraded", title={"en": "CRM", "zh_CN": "客户关系管理"}, owner="sales-it", tier="important"
        ),
        system(
            "warehouse",
            [check("scanner api", since=week, duration_s=0.0077)],
            title={"en": "Warehouse", "zh_CN": "仓储管理"},
        ),
        system("payroll", new, "unobserved", title={"en": "Payroll", "zh_CN": "薪资"}, owner="hr-it", tier="office"),
    ]


def _incidents(opened: datetime, slow_since: datetime) -> list[Json]:
    hour = timedelta(hours=1)
    answered = rfc3339(slow_since + timedelta(minutes=9))
    slow_clocks = [
        clock("response", slow_since, 4 * hour, outcome="met", met_at=answered),
        clock("resolution", slow_since, 24 * hour),
    ]
    slow = incident(
        141,
        "crm",
        "P2",
        slow_since,
        slow_clocks,
        state="acknowledged",
        acknowledged_at=answered,
        acknowledged_by="person:wang.wei",
        title="CRM is degraded",
        text='search: latency > duration("800ms") (latency = 1.34s)',
        rule={"name": "anything else that fails", "file": "rules/severity.yaml", "line": 4, "text": 'status == "down"'},
        system_title={"en": "CRM", "zh_CN": "客户关系管理"},
    )
    past = slow_since - 20 * hour
    over = [
        clock(
            "response",
            past,
            hour,
            outcome="breached",
            breached_at=rfc3339(past + hour),
            met_at=rfc3339(past + 1.2 * hour),
        )
    ]
    old = incident(
        140,
        "oa",
        "P1",
        past,
        over,
        state="resolved",
        resolved_at=rfc3339(past + 2 * hour),
        resolved_by="tocsin",
        resolution="recovered",
        acknowledged_at=rfc3339(past + 1.2 * hour),
        acknowledged_by="person:li.na",
        system_title={"en": "OA", "zh_CN": "办公自动化"},
    )
    grave = incident(
        142,
        "erp",
        "P1",
        opened,
        [clock("response", opened, hour), clock("resolution", opened, 4 * hour)],
        system_title={"en": "ERP", "zh_CN": "企业资源计划"},
    )
    return [grave, slow, old]


def _erp_timeline(opened: datetime) -> list[Json]:
    return [
        entry(opened, "tocsin", "incident_opened", severity="P1", text="health: status == 200 (status = 503)"),
        entry(opened + timedelta(seconds=40), "tocsin", "check_joined", check="login", text="no answer within 5s"),
        entry(
            opened + timedelta(minutes=3),
            "person:wang.wei",
            "incident_noted",
            text="Looks like the load balancer; asking the network team",
        ),
    ]


def _crm_timeline(since: datetime) -> list[Json]:
    return [
        entry(since, "tocsin", "incident_opened", severity="P2", text="search is slow"),
        entry(since + timedelta(minutes=9), "person:wang.wei", "incident_acknowledged"),
    ]


# --- the live state ------------------------------------------------------------------------------------------------


class AlwaysGood:
    """A judge that finds nothing wrong."""

    needs_body = False

    def __call__(self, observation: Observation) -> Judged:
        return Judged()


class FakeLive:
    """Checks that were probed a while: every system one histogram, every fifth check failing."""

    def __init__(self, systems: int = 3, checks: int = 2, at: datetime = datetime(2026, 11, 27, 6, tzinfo=UTC)) -> None:
        self.views = [
            a_view(f"system-{s}", f"check-{c}", Status.DOWN if (s * checks + c) % 5 == 4 else Status.UP, at)
            for s in range(systems)
            for c in range(checks)
        ]

    def checks(self) -> Iterable[CheckView]:
        return iter(self.views)

    def latency_buckets(self, system: str) -> tuple[Sequence[float], Sequence[int], float]:
        return EDGES_S, [0, 40, 55, 3, 1, 0, 0, 1, 0, 0, 0], 2.125


def a_view(system_name: str, name: str, status: Status, at: datetime) -> CheckView:
    phases = Phases(dns=0.0004, connect=0.0011, tls=0.0093, first_byte=0.0123, transfer=0.0002)
    target = HttpTarget(f"https://{system_name}.example.com/{name}")
    reason = Reason.OK if status is Status.UP else Reason.STATUS
    return CheckView(
        Check(system_name, name, "http", target, AlwaysGood()),
        status=status,
        since=at,
        last=Sample(at, status, reason, 0.0233, phases=phases),
        success=status is Status.UP,
        duration_s=0.0233,
        phases=phases,
        tls_expires_at=at + timedelta(days=80),
        probes={"up": 1200, "degraded": 2, "down": 3, "unobserved": 1},
    )
