"""What the daemon answers when it is asked: the shapes of docs/json.md, made from the live state and the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tocsin.core import clock as clocks
from tocsin.core.case import FailingCheck, rule_as_data
from tocsin.core.check import worst
from tocsin.core.incident import facts_of
from tocsin.core.model import NoticeKind, Reason, Severity, Status
from tocsin.core.policy import CannotJudge, Rulebook, System
from tocsin.core.severity import judge
from tocsin.daemon import steps
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.history import History
from tocsin.daemon.live import LiveState, Watched
from tocsin.errors import DeliveryError, NotFound, UsageError
from tocsin.ports import Channel, Message, Store, WallClock

STRIP_MINUTES = 60


def instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Answers:
    def __init__(
        self,
        live: LiveState,
        store: Store,
        clock: WallClock,
        alarms: Alarms,
        history: History,
        channels: Callable[[], Mapping[str, Channel]],
        about: Mapping[str, Any],
    ) -> None:
        self._live = live
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._history = history
        self._channels = channels
        self._about = about

    # --- status ---

    async def status(self) -> dict[str, Any]:
        """`status --json`: systems, unresolved incidents, alarms; and what the page shows beside them."""
        now = self._clock.now()
        self._live.refresh(now)
        since = now.replace(second=0, microsecond=0) - timedelta(minutes=STRIP_MINUTES - 1)
        strips, incidents = await self._store.read(lambda q: (q.strips(since, STRIP_MINUTES), q.incidents(limit=1000)))
        running = self._history.running_minute()
        systems = [self._system(system, strips, running, now) for system in self._live.rulebook.systems.values()]
        return {
            "systems": systems,
            "incidents": [self._with_title(incident) for incident in incidents],
            "alarms": [alarm.as_dict() for alarm in self._alarms.current()],
            "channels": await self.channels(),
            "now": instant(now),
            **self._about,
        }

    def _system(
        self,
        system: System,
        strips: Mapping[tuple[str, str], list[str]],
        running: Mapping[tuple[str, str], Mapping[str, int]],
        now: datetime,
    ) -> dict[str, Any]:
        watched = self._live.watched.get(system.name, {})
        owner = self._live.rulebook.owner_of(system)
        return {
            "system": system.name,
            "title": dict(system.title),
            "status": worst([check.status_at(now) for check in watched.values()]).value,
            "muted_by": None,
            "owner": system.owner,
            "owner_name": owner.name if owner is not None else system.owner,
            "tier": system.tier,
            "runbook": system.runbook,
            "checks": [
                _check(check, strips.get((system.name, name)), running.get((system.name, name)), now)
                for name, check in watched.items()
            ],
        }

    def _with_title(self, incident: dict[str, Any]) -> dict[str, Any]:
        system = self._live.rulebook.systems.get(incident["system"])
        people = self._live.rulebook.people
        owner = system.owner if system is not None else ""
        return {
            **incident,
            "system_title": dict(system.title) if system is not None else {"": incident["system"]},
            "owner": owner,
            "owner_name": people[owner].name if owner in people else owner,
            "runbook": system.runbook if system is not None else "",
        }

    async def board(self) -> list[dict[str, Any]]:
        """Every running clock of an unresolved incident, the one with the least time left first."""
        now = self._clock.now()
        rows = []
        for incident in await self.incidents(everything=False, limit=1000, before=None):
            for clock in incident["clocks"]:
                if clock["met_at"] is None and clock["outcome"] in (None, "breached"):
                    # What is paused has as much left as when that began.
                    reckoned_at = datetime.fromisoformat(clock["paused"]["since"]) if clock["paused"] else now
                    left = (datetime.fromisoformat(clock["due_at"]) - reckoned_at).total_seconds()
                    rows.append({**clock, "incident": _brief(incident), "left_s": left})
        return sorted(rows, key=lambda row: float(row["left_s"]))

    # --- incidents ---

    async def incidents(self, *, everything: bool, limit: int, before: int | None) -> list[dict[str, Any]]:
        found = await self._store.read(lambda q: q.incidents(everything=everything, limit=limit, before=before))
        return [self._with_title(incident) for incident in found]

    async def incident(self, incident: int) -> dict[str, Any]:
        found, lines = await self._store.read(lambda q: (q.incident(incident), q.timeline(incident)))
        if found is None:
            raise NotFound(f"there is no incident #{incident}")
        opened_at, resolved_at = datetime.fromisoformat(found["opened_at"]), found["resolved_at"]
        ended_at = datetime.fromisoformat(resolved_at) if resolved_at else None
        golives = await self._store.read(lambda q: q.golives_over(found["system"], opened_at, ended_at))
        return {
            **self._with_title(found),
            "severity_set": _set_by_hand(lines),
            "golives": golives,
            "timeline": lines,
        }

    async def explain_incident(self, incident: int) -> dict[str, Any]:
        """Why this severity, these deadlines, these notices."""
        found = await self.incident(incident)
        notices = await self._store.read(lambda q: q.notices(state=None, incident=incident, limit=200))
        told = [notice for notice in reversed(notices) if notice["kind"] != NoticeKind.EDIT.value]
        return {"incident": found, "why": self._why(found), "notices": told}

    def _why(self, incident: Mapping[str, Any]) -> list[str]:
        lines = [_why_severity(incident)]
        lines.append(f"what failed: {incident['text']}")
        lines.append(f"failing since {incident['failing_since']}, decided at {incident['opened_at']}")
        for clock in incident["clocks"]:
            target = timedelta(seconds=clock["target_s"])
            lines.append(
                f"{clock['clock']}: {target} of {clock['calendar']} from {clock['started_at']} is {clock['due_at']}"
                + (f" ({clock['outcome']})" if clock["outcome"] else "")
            )
            lines += _remarks(clock)
            lines += steps.lines_of(self._live.rulebook, incident, clock)
        if not incident["clocks"]:
            lines.append(f"no clock runs: there is no response policy for {incident['severity']}")
        return lines

    def explain_check(self, system: str, check: str) -> dict[str, Any]:
        """Why a check has, or has not, an incident: each rule with its answer."""
        known, watched = self._known(system), self._live.watched.get(system, {}).get(check)
        if watched is None:
            raise NotFound(f"{system} has no check {check!r} (it has {', '.join(c.name for c in known.checks)})")
        now = self._clock.now()
        failing = self._live.failing(system, now)
        mine = next((one for one in failing if one.name == check), None)
        base = {
            "system": system,
            "check": check,
            "status": watched.status_at(now).value,
            "since": instant(watched.state.since),
            "text": watched.last.text if watched.last is not None else "",
            "window": [[status.value, instant(at)] for status, at in watched.state.window],
        }
        if mine is None:
            return {
                **base,
                "rules": [],
                "why": f"it is {base['status']}: rules are asked only while a check is degraded or down",
            }
        return {**base, **self._ask_rules(known, mine, failing, now)}

    def _ask_rules(
        self, system: System, check: FailingCheck, failing: tuple[FailingCheck, ...], now: datetime
    ) -> dict[str, Any]:
        facts = facts_of(system, check, failing, now)
        rows = []
        for rule in self._live.rulebook.severity:
            answer = rule.predicate(facts)
            is_fault = isinstance(answer, CannotJudge)
            said = f"cannot be judged: {answer.because}" if isinstance(answer, CannotJudge) else bool(answer)
            rows.append(
                {
                    "rule": rule.name,
                    "file": rule.file,
                    "line": rule.line,
                    "when": rule.when,
                    "is": rule.severity.value,
                    "answer": said,
                }
            )
            if answer and not is_fault:
                break
        verdict = judge(self._live.rulebook.severity, facts)
        if check.is_held:
            why = "its incident was closed with --anyway while it failed: nothing opens until it was up once"
        elif not check.is_observed:
            why = "it is unobserved: it neither opens nor raises an incident until samples come again"
        elif verdict.severity is None:
            why = "no rule matches: no incident"
        else:
            assert verdict.rule is not None
            why = f"{verdict.severity}: rule {verdict.rule.name!r} ({verdict.rule.file}:{verdict.rule.line}) matches"
        return {"rules": rows, "severity": verdict.severity, "why": why}

    def what_if(self, system: str, *, check: str | None, status: str, at: datetime) -> dict[str, Any]:
        """The severity, deadlines and notices of an imagined failure."""
        known = self._known(system)
        if status not in (Status.DOWN.value, Status.DEGRADED.value):
            raise UsageError(f"--status {status!r}: only a failure can be imagined (down or degraded)")
        one = known.checks[0] if check is None else next((c for c in known.checks if c.name == check), None)
        if one is None:
            raise NotFound(f"{system} has no check {check!r} (it has {', '.join(c.name for c in known.checks)})")
        failing = FailingCheck(one.name, one.kind, Status(status), Reason.STATUS.value, "imagined", at)
        return what_if(self._live.rulebook, known, failing, at)

    def _known(self, system: str) -> System:
        known = self._live.rulebook.systems.get(system)
        if known is None:
            raise NotFound(f"there is no system {system!r} (known: {', '.join(self._live.rulebook.systems) or 'none'})")
        return known

    # --- history and channels ---

    async def history(self, system: str, check: str | None, start: datetime, end: datetime) -> list[dict[str, Any]]:
        known = self._known(system)
        if check is not None and check not in {c.name for c in known.checks}:
            raise NotFound(f"{system} has no check {check!r} (it has {', '.join(c.name for c in known.checks)})")
        return await self._store.read(lambda q: q.history(system, check, start, end))

    async def channels(self) -> list[dict[str, Any]]:
        now = self._clock.now()
        figures = await self._store.read(lambda q: q.outbox(now))
        rows = []
        for name, spec in self._live.rulebook.channels.items():
            pending, oldest_s = figures.get(name, (0, 0.0))
            rows.append(
                {
                    "channel": name,
                    "kind": spec.kind,
                    "is_connected": name in self._channels(),
                    "pending": pending,
                    "oldest_s": oldest_s,
                }
            )
        return rows

    async def test_channel(self, name: str, channel: Channel, actor: str, at: datetime) -> dict[str, Any]:
        """Send one line that says that it is a test; straight out, so that its answer can be shown."""
        spec = self._live.rulebook.channels.get(name)
        message = Message(
            key=f"test:{name}:{at.timestamp():.3f}",
            kind=NoticeKind.PAGE,
            event="test",
            at=at,
            language=(spec.language if spec else "") or str(self._about.get("language", "en")),
            data={"actor": actor, "channel": name},
            people=self._live.rulebook.people,
            now=at,
        )
        try:
            await channel.send(message)
        except DeliveryError as error:
            return {"channel": name, "ok": False, "error": str(error)}
        return {"channel": name, "ok": True, "error": None, "duration_s": (self._clock.now() - at).total_seconds()}


def what_if(rulebook: Rulebook, system: System, check: FailingCheck, at: datetime) -> dict[str, Any]:
    """The real decision on an imagined failure: severity, rule, clocks, notices. Works without a daemon."""
    verdict = judge(rulebook.severity, facts_of(system, check, (check,), at))
    if verdict.severity is None or verdict.rule is None:
        return {"severity": None, "rule": None, "clocks": [], "notices": [], "suppressed_by": None}
    started = clocks.start_clocks(rulebook, 0, verdict.severity, at, system=system.name)
    channels = rulebook.channels_of(system)
    notices: list[dict[str, Any]] = [_notice(at, name, f"opened as {verdict.severity}") for name in channels]
    for clock in started:
        if clock.kind.value == "response":
            notices += steps.notices_of(rulebook, system.name, clock)
            for reminder in (one for one in clock.plan if not one.tell):
                why = f"{reminder.share:.0%} of the response target, if not acknowledged"
                notices += [_notice(reminder.at, name, why) for name in channels]
        notices += [_notice(clock.due_at, name, f"{clock.kind.value} breached, if still open") for name in channels]
    return {
        "severity": verdict.severity.value,
        "rule": rule_as_data(verdict.rule),
        "clocks": [{"clock": c.kind.value, "due_at": instant(c.due_at), "calendar": c.calendar} for c in started],
        "notices": sorted(notices, key=lambda notice: str(notice["at"])),
        "update_s": _update_s(rulebook, system.name, verdict.severity),
        "suppressed_by": None,
    }


def _update_s(rulebook: Rulebook, system: str, severity: Severity) -> float | None:
    """How often people must hear something new, from the acknowledgement on."""
    policy = rulebook.policy_for(system, severity)
    return policy.update.total_seconds() if policy is not None and policy.update is not None else None


def _notice(at: datetime, channel: str, why: str) -> dict[str, Any]:
    return {"at": instant(at), "to": channel, "channel": channel, "why": why}


def _why_severity(incident: Mapping[str, Any]) -> str:
    rule, by_hand = incident["rule"], incident["severity_set"]
    place = f"rule {rule['name']!r} ({rule['file']}:{rule['line']})"
    if by_hand is None:
        return f"{incident['severity']} because {place} matched: {rule['text']}"
    set_by = f"{incident['severity']} because {by_hand['actor']} set it at {by_hand['at']}: {by_hand['reason']}"
    return f"{set_by} (it was {by_hand['from']}; {place} had matched: {rule['text']})"


def _set_by_hand(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Who gave the incident the severity that it has, and why; None when a rule did."""
    changes = [line for line in lines if line["action"] == "incident_severity_changed"]
    if not changes or changes[-1]["actor"] == "tocsin":
        return None
    last = changes[-1]
    return {"actor": last["actor"], "at": last["at"], "from": last["data"]["from"], "reason": last["data"]["reason"]}


def _remarks(clock: Mapping[str, Any]) -> list[str]:
    """What else must be known of a clock: that it is paused, that it was excluded."""
    remarks, paused, excluded = [], clock["paused"], clock["exclusion"]
    if paused is not None:
        remarks.append(f"{clock['clock']}: paused since {paused['since']} by {paused['actor']}: {paused['reason']}")
    if excluded is not None:
        remarks.append(f"{clock['clock']}: excluded by {excluded['actor']} at {excluded['at']}: {excluded['reason']}")
    return remarks


def _brief(incident: Mapping[str, Any]) -> dict[str, Any]:
    shown = ("id", "system", "system_title", "severity", "state", "title", "owner", "owner_name", "acknowledged_by")
    return {name: incident[name] for name in shown}


def _check(
    watched: Watched, strip: list[str] | None, running: Mapping[str, int] | None, now: datetime
) -> dict[str, Any]:
    words = list(strip or [Status.UNOBSERVED.value] * STRIP_MINUTES)
    if running is not None:
        seen = [Status(word) for word, count in running.items() if count]
        words[-1] = worst([*seen, Status(words[-1])]).value
    last = watched.last
    return {
        "check": watched.check.name,
        "kind": watched.check.kind,
        "status": watched.status_at(now).value,
        "since": instant(watched.since or watched.state.since),
        "reason": last.reason.value if last is not None else None,
        "text": last.text if last is not None else "",
        "duration_s": last.duration_s if last is not None else None,
        "values": dict(last.values) if last is not None else {},
        "strip": words,
    }
