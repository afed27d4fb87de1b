"""What must hold after every restart, whatever happened before it. Each function yields what does not.

What must hold once everything has come to rest stands in `at_rest.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from tocsin.core.clock import LATE_AFTER, TOO_OLD_TO_TELL
from tocsin.core.model import Clock, ClockKind, ClockOutcome, Incident, IncidentState, NoticeKind, Status
from tocsin.simulation.channel import Workspace
from tocsin.simulation.fold import fold
from tocsin.simulation.picture import Line, Picture
from tocsin.simulation.record import Record
from tocsin.simulation.rules import STAND_IN

EVENTS = {
    "incident_opened": "opened",
    "incident_reopened": "reopened",
    "incident_acknowledged": "acknowledged",
    "incident_unacknowledged": "unacknowledged",
    "incident_noted": "noted",
    "incident_assigned": "assigned",
    "check_joined": "check_joined",
    "check_left": "check_left",
    "no_longer_watched": "no_longer_watched",
}
RESOLVED = {"recovered": "recovered", "by_hand": "resolved", "withdrawn": "withdrawn"}
PASSED = ("clock_breached", "clock_reminded")


def always(picture: Picture, record: Record, workspace: Workspace) -> Iterator[str]:
    yield from journal_is_whole(picture)
    yield from nothing_heard_is_lost(picture, record)
    yield from one_unresolved_each(picture)
    for incident in picture.incidents.values():
        yield from state_is_the_journal(picture, incident)
        yield from clocks_are_there(picture, incident)
        yield from no_clock_ended_silently(picture, incident)
        yield from breaches_are_recorded(picture, incident, record)
        yield from answers_end_the_response(picture, incident)
        yield from everything_is_promised(picture, incident)
    yield from checks_are_the_journal(picture, record)
    yield from recoveries_are_true(picture, record)
    yield from nothing_unpromised_is_sent(picture, workspace)
    yield from refusals_are_promised_elsewhere(picture)
    yield from nothing_is_told_twice(workspace)
    yield from samples_are_counted_once(picture, record)


def journal_is_whole(picture: Picture) -> Iterator[str]:
    if picture.chain.broken is not None:
        sequence, why = picture.chain.broken
        yield f"the journal is broken at entry {sequence}: {why}"


def nothing_heard_is_lost(picture: Picture, record: Record) -> Iterator[str]:
    for number, version in record.versions.items():
        incident = picture.incidents.get(number)
        if incident is None:
            yield f"#{number} was decided and is lost"
        elif incident.version < version:
            yield f"#{number} went back from version {version} to {incident.version}"
    for key in record.keys - {row["key"] for row in picture.notices}:
        yield f"the promised notice {key} is lost"
    for number, actor in record.answered:
        lines = picture.lines_of.get(number, [])
        if not any(line["action"] == "incident_acknowledged" and line["actor"] == actor for line in lines):
            yield f"{actor} was told that #{number} is acknowledged; the journal knows nothing of it"


def one_unresolved_each(picture: Picture) -> Iterator[str]:
    counts = Counter((incident.system, incident.key) for incident in picture.unresolved())
    for (system, _), count in counts.items():
        if count > 1:
            yield f"{system} has {count} unresolved incidents"


def state_is_the_journal(picture: Picture, incident: Incident) -> Iterator[str]:
    for difference in fold(picture.lines_of.get(incident.id, [])).differences(incident):
        yield f"#{incident.id}: {difference}"


def clocks_are_there(picture: Picture, incident: Incident) -> Iterator[str]:
    """Every clock that the journal says was started is stored, and none twice."""
    stored = {(clock.kind.value, clock.severity.value, clock.started_at) for clock in picture.clocks[incident.id]}
    for line in picture.lines_of.get(incident.id, []):
        for told in line["data"].get("clocks", ()):
            started_at = datetime.fromisoformat(told["started_at"])
            if (told["clock"], told["severity"], started_at) not in stored:
                yield f"#{incident.id}: the clock {told['clock']} of {told['severity']} from {started_at} is lost"
    counts = Counter(clock.kind for clock in picture.current_clocks(incident.id))
    for kind, count in counts.items():
        if count > 1:
            yield f"#{incident.id} has {count} clocks for its {kind}"


def no_clock_ended_silently(picture: Picture, incident: Incident) -> Iterator[str]:
    for clock in picture.clocks[incident.id]:
        name = f"#{incident.id}: the {clock.kind} due at {clock.due_at}"
        ended_at = clock.ended_at or clock.superseded_at
        if ended_at is not None and ended_at > clock.due_at and clock.breached_at is None:
            yield f"{name} passed silently: it ended at {ended_at} with outcome {clock.outcome}"
        if (clock.outcome is ClockOutcome.BREACHED) is not (clock.breached_at is not None):
            yield f"{name} has outcome {clock.outcome} and breached_at {clock.breached_at}"
        if clock.ended_at is not None and clock.outcome is None:
            yield f"{name} ended without an outcome"
        if not incident.is_unresolved and clock.is_running:
            yield f"{name} runs on although the incident is resolved"


def breaches_are_recorded(picture: Picture, incident: Incident, record: Record) -> Iterator[str]:
    """A breach stands in the journal at its true instant, and says whether it was found late."""
    lines = picture.lines_of.get(incident.id, [])
    found = {(line["data"]["clock"], line["at"]): line for line in lines if line["action"] == "clock_breached"}
    for clock in picture.clocks[incident.id]:
        if clock.breached_at is None:
            continue
        mine = (one for (kind, _), one in found.items() if kind == clock.kind and _at(one) == clock.breached_at)
        line = next(mine, None)
        if line is None:
            yield f"#{incident.id}: the {clock.kind} was breached at {clock.breached_at}, the journal does not say so"
        elif clock.detected_late is not ("detected_at" in line["data"]):
            yield f"#{incident.id}: the {clock.kind} has detected_late {clock.detected_late}, the journal differs"
    is_taken_back = any(line["action"] == "incident_unacknowledged" for line in lines)
    for line in found.values():
        yield from _lateness(incident, line, record, is_taken_back)


def _lateness(incident: Incident, line: Line, record: Record, is_taken_back: bool) -> Iterator[str]:
    due_at, is_late = _at(line), "detected_at" in line["data"]
    if due_at != datetime.fromisoformat(line["data"]["due_at"]):
        yield f"#{incident.id}: the breach of {line['data']['due_at']} was recorded at {line['at']}"
    if not is_late and not record.was_awake_within(due_at, due_at + LATE_AFTER):
        yield f"#{incident.id}: the breach at {due_at} was found late and not marked so"
    if is_late and not is_taken_back and record.kept_time_within(due_at, due_at + LATE_AFTER):
        yield f"#{incident.id}: the breach at {due_at} was marked late although the timekeeper had its turn in time"


def checks_are_the_journal(picture: Picture, record: Record) -> Iterator[str]:
    """A check is stored as what its last change made it; one that was dropped is forgotten, and starts anew when it comes back."""
    changes = (line for line in picture.lines if line["action"] == "check_changed")
    last = {line["subject"].partition(":")[2]: line["data"]["to"] for line in changes}
    for check, status in last.items():
        system, _, name = check.partition("/")
        stored = picture.checks.get((system, name))
        if check in record.dropped_ever and (stored is None or stored.status == Status.UNOBSERVED):
            continue
        if stored is None or stored.status != status:
            yield f"{check} is stored as {stored.status if stored else 'nothing'}, its last change was to {status}"


def recoveries_are_true(picture: Picture, record: Record) -> Iterator[str]:
    """Nothing counts as recovered that was not seen good since it was decided to fail."""
    failing_since: dict[str, datetime] = {}
    for line in picture.lines:
        _, _, name = line["subject"].partition(":")
        if line["action"] == "check_changed" and Status(line["data"]["to"]).is_failing:
            failing_since[name] = _at(line)
        elif line["action"] == "incident_resolved" and line["data"]["resolution"] == "recovered":
            system = picture.incidents[int(name)].system
            for check in (f"{system}/{one}" for one in line["data"]["checks"]):
                if not record.was_good_within(check, failing_since[check], _at(line)):
                    yield f"#{name} was resolved as recovered at {line['at']}, {check} fails since {failing_since[check]}"


def answers_end_the_response(picture: Picture, incident: Incident) -> Iterator[str]:
    if incident.state is IncidentState.ACKNOWLEDGED:
        for clock in picture.current_clocks(incident.id):
            if clock.kind is ClockKind.RESPONSE and clock.is_running:
                yield f"#{incident.id} is acknowledged and its response clock runs on"
    answered_at: datetime | None = None
    for line in picture.lines_of.get(incident.id, []):
        if line["action"] == "incident_acknowledged":
            answered_at = _at(line)
        elif line["action"] in ("incident_unacknowledged", "acknowledgement_expired", "incident_reopened"):
            answered_at = None
        elif answered_at is not None and _is_response(line) and _at(line) > answered_at:
            yield f"#{incident.id} was acknowledged at {answered_at}, yet {line['action']} at {line['at']}"


def _is_response(line: Line) -> bool:
    return line["action"] in PASSED and bool(line["data"]["clock"] == ClockKind.RESPONSE)


def everything_is_promised(picture: Picture, incident: Incident) -> Iterator[str]:
    """For each line that people must hear of there is a notice to each channel, and none besides."""
    rows = [row for row in picture.notices if row["incident"] == incident.id and row["kind"] != NoticeKind.EDIT]
    lines = picture.lines_of.get(incident.id, [])
    expected = Counter(event for event in map(_event_of, lines) if event is not None)
    for channel in incident.channels:
        promised = Counter(row["event"] for row in rows if row["channel"] == channel)
        for event in expected.keys() | (promised.keys() & {*EVENTS.values(), *RESOLVED.values()}):
            if expected[event] != promised[event]:
                yield f"#{incident.id}: {expected[event]} times {event!r} in the journal, {promised[event]} to {channel}"
        for line in lines:
            must_be_told = line["action"] in PASSED and not _is_too_old(line)
            if must_be_told and not any(_tells(row, line) for row in rows if row["channel"] == channel):
                yield f"#{incident.id}: {line['action']} at {line['at']} was promised to nobody in {channel}"


def _event_of(line: Line) -> str | None:
    match line["action"]:
        case "incident_resolved":
            return RESOLVED[line["data"]["resolution"]]
        case "incident_severity_changed":
            return "rose" if line["actor"] == "tocsin" else "severity_changed"
        case action:
            return EVENTS.get(action)


def _is_too_old(line: Line) -> bool:
    detected_at = line["data"].get("detected_at")
    age = datetime.fromisoformat(detected_at) - _at(line) if detected_at is not None else timedelta(0)
    return age > TOO_OLD_TO_TELL


def _tells(row: Line, line: Line) -> bool:
    """Whether a notice tells of something that a clock passed."""
    told, passed = row["data"], line["data"]
    if told.get("clock") != passed["clock"] or told.get("due_at") != passed["due_at"]:
        return False
    is_breach = bool(line["action"] == "clock_breached")
    match row["event"]:
        case "breached":
            return is_breach
        case "reminder":
            return not is_breach and bool(told["share"] == passed["share"])
        case "late_summary":
            return any(item["share"] == passed["share"] and item["breach"] is is_breach for item in told["items"])
        case _:
            return False


def nothing_unpromised_is_sent(picture: Picture, workspace: Workspace) -> Iterator[str]:
    promised = {row["key"] for row in picture.notices}
    for posted in workspace.posted:
        if posted.key not in promised:
            yield f"{posted.key} was sent and is promised nowhere"


def refusals_are_promised_elsewhere(picture: Picture) -> Iterator[str]:
    """What `ops` refused for good is promised to the channel that stands in for it."""
    promised = {row["key"] for row in picture.notices}
    for line in picture.lines:
        data = line["data"]
        if line["action"] != "notice_failed" or data["channel"] != "ops" or data["kind"] == NoticeKind.EDIT:
            continue
        if f"{data['key'].removesuffix('ops')}{STAND_IN}" not in promised:
            yield f"{data['key']} was refused and promised to nobody else"


def nothing_is_told_twice(workspace: Workspace) -> Iterator[str]:
    """A message stands twice only where its look-up failed too."""
    for key, count in Counter(posted.key for posted in workspace.posted).items():
        if count > 1 + workspace.failed_lookups[key]:
            yield f"{key} was told {count} times"


def samples_are_counted_once(picture: Picture, record: Record) -> Iterator[str]:
    for check, count in picture.counted.items():
        if count > record.samples[check]:
            yield f"{check}: {count} samples in the roll-ups, {record.samples[check]} were taken"


def is_due(clock: Clock, now: datetime) -> bool:
    return clock.is_running and clock.breached_at is None and clock.due_at <= now


def _at(line: Line) -> datetime:
    return datetime.fromisoformat(line["at"])
