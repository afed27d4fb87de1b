"""A small company on a desk: believable systems, a P1 that runs, a P2 that was answered."""

from __future__ import annotations

from datetime import datetime, timedelta

from tocsin.testing.desk import FakeDesk, Now
from tocsin.testing.facts import MINUTES, Json, check, clock, entry, incident, rfc3339, strip, system


def busy_desk(now: Now) -> FakeDesk:
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
