"""What follows in the thread: one short line for each thing that happened, in the reader's language.

An event that has no words here is still told, with its facts as they are: a line that nobody foresaw must not stop the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tocsin.channels.slack import times
from tocsin.channels.slack.blocks import answer_outcome, names, owner
from tocsin.channels.slack.text import code, code_block, escaped, inline
from tocsin.channels.slack.view import View
from tocsin.channels.told import bundle_lines
from tocsin.core.model import ClockKind, IncidentState, NoticeKind

TEXT_MAX = 1200
REASON_MAX = 800
ITEMS_SHOWN = 8
NAMES_CALLED = 10
BUNDLE_MAX = 2900
DETOURS = ("no_slack", "nobody_on_call", "unknown")
TARGETS = ("person", "oncall", "team", "channel")
CLOCK_EVENTS = ("reminder", "breached", "late_summary")


def line(view: View) -> str:
    """The line of a notice, as mrkdwn of at most 3,000 characters."""
    told = LINES.get(view.message.event, _other)(view)
    is_heard = view.message.kind is NoticeKind.BROADCAST or _is_for_whoever_is_on_it(view)
    if is_heard:
        told = view.say("line.rings", line=told, who=_who_must_hear(view)).rstrip()
    return headed(view, told) if view.message.kind is NoticeKind.BROADCAST else told


def _is_for_whoever_is_on_it(view: View) -> bool:
    """What a clock says after the acknowledgement stands in the thread and calls the one who is on it."""
    incident = view.message.incident
    is_acknowledged = incident is not None and incident.state is IncidentState.ACKNOWLEDGED
    return is_acknowledged and view.message.event in CLOCK_EVENTS


def headed(view: View, told: str) -> str:
    """A line that is read outside its thread says which incident it is about."""
    incident = view.message.incident
    if incident is None:
        return told
    title = inline(view.title(), 150)
    return view.say("line.head", severity=incident.severity, title=title, incident=incident.id, line=told)


def _who_must_hear(view: View) -> str:
    incident = view.message.incident
    if view.message.event == "escalated":
        return ""
    if incident is not None and incident.state is IncidentState.ACKNOWLEDGED and incident.acknowledged_by:
        return view.person(incident.assignee or incident.acknowledged_by)
    return view.person(incident.assignee) if incident is not None and incident.assignee else owner(view)


# --- reading a notice's data, which is JSON and may lack anything -----------------------------------------------------


def _get(view: View, key: str) -> Any:
    return view.message.data.get(key)


def _text(view: View, key: str, limit: int = 200) -> str:
    value = _get(view, key)
    return "?" if value is None else inline(value, limit)


def _at(view: View, key: str) -> str:
    return _instant(view, _get(view, key))


def _instant(view: View, value: object) -> str:
    at = times.read_instant(value)
    return view.when(at) if at is not None else inline(value, 40)


def _actor(view: View) -> str:
    return view.actor(_get(view, "actor") or "")


def _reason(view: View, key: str = "reason") -> str:
    value = _get(view, key)
    return view.say("line.reason", text=escaped(value, REASON_MAX)) if value else ""


def _list(view: View, key: str) -> str:
    value = _get(view, key)
    return names([str(v) for v in value]) if isinstance(value, Sequence) and not isinstance(value, str) else "?"


def _share(value: object) -> str:
    return f"{value:.0%}" if isinstance(value, int | float) else "?"


def _clock(view: View) -> str:
    kind = str(_get(view, "clock"))
    return kind if any(kind == known.value for known in ClockKind) else ClockKind.RESPONSE.value


def _due(view: View) -> str:
    at = times.read_instant(_get(view, "due_at"))
    return "?" if at is None else f"{view.deadline(at)} · {times.relative(at)}"


# --- the events -------------------------------------------------------------------------------------------------------


def _opened(view: View) -> str:
    incident = view.message.incident
    return view.say("line.opened", severity=incident.severity if incident is not None else "?")


def _acknowledged(view: View) -> str:
    incident, at = view.message.incident, times.read_instant(_get(view, "at"))
    took = ""
    if incident is not None and at is not None:
        took = view.say("line.took", span=view.span(at - incident.opened_at))
    told = view.say("line.acknowledged", actor=_actor(view), at=_at(view, "at"), took=took)
    clock = view.clock(ClockKind.RESPONSE)
    is_late = clock is not None and clock.breached_at is not None
    return "\n".join([told, *answer_outcome(view, clock)]) if clock is not None and is_late else told


def _with_actor_and_reason(key: str, reason: str = "reason") -> Callable[[View], str]:
    return lambda view: view.say(key, actor=_actor(view), reason=_reason(view, reason))


def _noted(view: View) -> str:
    return view.say("line.noted", actor=_actor(view), text=escaped(_get(view, "text") or "", TEXT_MAX))


def _severity_changed(view: View) -> str:
    filled = {"from": _text(view, "from", 10), "to": _text(view, "to", 10)}
    return view.say("line.severity_changed", actor=_actor(view), reason=_reason(view), **filled)


def _rose(view: View) -> str:
    rule = _get(view, "rule")
    told: Mapping[str, Any] = rule if isinstance(rule, Mapping) else {"name": rule or "?"}
    filled = {"from": _text(view, "from", 10), "to": _text(view, "to", 10)}
    name, condition = inline(told.get("name", "?"), 200), code(told.get("text", ""), 600)
    return view.say("line.rose", rule=name, condition=condition, **filled).rstrip()


def _reopened(view: View) -> str:
    if str(_get(view, "actor") or "tocsin") != "tocsin":
        return view.say("line.reopened_by_hand", actor=_actor(view))
    return view.say("line.reopened", text=code_block(_get(view, "text") or "", TEXT_MAX)).rstrip()


def _resolved(view: View) -> str:
    reason = _reason(view, "note")
    if _get(view, "still_failing"):
        checks = _list(view, "still_failing")
        return view.say("line.resolved_anyway", actor=_actor(view), checks=checks, reason=reason)
    return view.say("line.resolved", actor=_actor(view), reason=reason)


def _with_checks(key: str) -> Callable[[View], str]:
    return lambda view: view.say(key, checks=_list(view, "checks"))


def _reminder(view: View) -> str:
    return view.say(f"line.reminder_{_clock(view)}", share=_share(_get(view, "share")), due=_due(view))


def _breached(view: View) -> str:
    told = view.say(f"line.breached_{_clock(view)}", due=_due(view))
    return f"{told} {view.say('line.told_late')}" if _get(view, "late") else told


def _late_summary(view: View) -> str:
    listed = _get(view, "items")
    items = [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list | tuple) else []
    told = [_item(view, item) for item in items[-ITEMS_SHOWN:]]
    if len(items) > ITEMS_SHOWN:
        told.insert(0, view.say("line.item_more", count=len(items) - ITEMS_SHOWN))
    key = "line.late_summary" if any(item.get("breach") for item in items) else "line.late_summary_quiet"
    return view.say(key, clock=view.say(f"clock.{_clock(view)}"), due=_due(view), items="\n".join(told)).rstrip()


def _item(view: View, item: Mapping[str, Any]) -> str:
    at = _instant(view, item.get("at"))
    return view.say(
        "line.item_breach" if item.get("breach") else "line.item_reminder", at=at, share=_share(item.get("share"))
    )


def _paused(view: View) -> str:
    return view.say("line.paused", actor=_actor(view), clocks=_clocks(view), reason=_reason(view))


def _resumed(view: View) -> str:
    return view.say("line.resumed", actor=_actor(view), due=_dues(view) or _clocks(view), reason=_reason(view))


def _replanned(view: View) -> str:
    return view.say("line.replanned", actor=_actor(view), due=_dues(view), reason=_reason(view))


def _excluded(view: View) -> str:
    return view.say("line.excluded", actor=_actor(view), clock=view.say(f"clock.{_clock(view)}"), reason=_reason(view))


def _clocks(view: View) -> str:
    """The names of the clocks that an act was about."""
    listed = _get(view, "clocks")
    known = {kind.value for kind in ClockKind}
    named = [str(name) for name in listed] if isinstance(listed, list | tuple) else []
    return view.say("line.and").join(view.say(f"clock.{name}") for name in named if name in known)


def _dues(view: View) -> str:
    """When each clock is due after an act: `response by 14:30, resolution by 18:00`."""
    due = _get(view, "due")
    pairs = due.items() if isinstance(due, Mapping) else ()
    known = {kind.value for kind in ClockKind}
    told = [
        view.say("line.clock_due", clock=view.say(f"clock.{name}"), when=_instant(view, at))
        for name, at in pairs
        if name in known
    ]
    return view.say("line.and").join(told)


def _assigned(view: View) -> str:
    return view.say("line.assigned", actor=_actor(view), to=view.person(str(_get(view, "to") or "?")))


def _escalated(view: View) -> str:
    """Whom a step of the ladder, or a person, calls. These are mentions: it is meant that their phones ring."""
    listed = _get(view, "people")
    people = [str(person) for person in listed[:NAMES_CALLED]] if isinstance(listed, list | tuple) else []
    who = ", ".join(view.person(f"person:{person}") for person in people) or _target(view)
    note = str(_get(view, "detour") or "")
    detour = view.say(f"line.{note}", target=_target(view)) if note in DETOURS else ""
    if _get(view, "actor"):
        return view.say("line.called", actor=_actor(view), who=who, detour=detour)
    told = view.say("line.escalated", step=_text(view, "step", 10), who=who, detour=detour)
    return f"{told} {view.say('line.told_late')}" if _get(view, "late") else told


def _target(view: View) -> str:
    kind, _, name = str(_get(view, "target") or "?").partition(":")
    return view.say(f"target.{kind}", name=inline(name, 80)) if kind in TARGETS else inline(kind, 80)


def _acknowledgement_expired(view: View) -> str:
    at = _instant(view, _get(view, "acknowledged_at"))
    return view.say("line.acknowledgement_expired", actor=_actor(view), at=at)


def _handover(view: View) -> str:
    """The digest for whoever takes over: until when, and what is open."""
    data = view.message.data
    listed = [one for one in data.get("incidents") or () if isinstance(one, Mapping)]
    until = _at(view, "until") if data.get("until") else view.say("line.until_open")
    person = view.person(f"person:{data.get('person')}")
    head = view.say("line.handover", person=person, oncall=_text(view, "oncall", 80), until=until)
    before = data.get("previous")
    if before:
        head = f"{head} {view.say('line.handover_from', person=view.actor(f'person:{before}'))}"
    items = [_open_incident(view, one) for one in listed[:ITEMS_SHOWN]]
    count = data.get("count")
    if isinstance(count, int) and count > len(items):
        items.append(view.say("line.item_more", count=count - len(items)))
    return "\n".join([head, *(items or [view.say("line.nothing_open")])])


def _open_incident(view: View, one: Mapping[str, Any]) -> str:
    due = times.read_instant(one.get("due_at"))
    return view.say(
        "line.open_incident",
        severity=inline(one.get("severity", "?"), 4),
        title=inline(one.get("title", "?"), 150),
        incident=inline(one.get("id", "?"), 12),
        state=view.say(f"state.{one.get('state')}") if one.get("state") in ("open", "acknowledged") else "?",
        due="" if due is None else view.say("line.open_due", due=view.when(due)),
    )


def _check_joined(view: View) -> str:
    text = code_block(_get(view, "text") or "", TEXT_MAX)
    return view.say("line.check_joined", check=_text(view, "check"), text=text).rstrip()


def _check_left(view: View) -> str:
    return view.say("line.check_left", check=_text(view, "check"))


def _no_longer_watched(view: View) -> str:
    return view.say("line.no_longer_watched", check=_text(view, "check"), actor=_actor(view), at=_at(view, "at"))


def _alarm(view: View) -> str:
    return view.say("line.alarm", alarm=_text(view, "alarm"), text=escaped(_get(view, "text") or "", TEXT_MAX))


def _alarm_over(view: View) -> str:
    return view.say("line.alarm_over", alarm=_text(view, "alarm"))


def alarm_day(view: View) -> str:
    """The head of a day's alarms, by the notice's own date or the local date of its instant."""
    at: datetime = view.message.at.astimezone(view.zone)
    return view.say("line.alarm_day", date=inline(_get(view, "date") or f"{at:%Y-%m-%d}", 40))


def _test(view: View) -> str:
    return view.say("line.test")


def _bundle(view: View) -> str:
    """Many messages that waited too long as one."""
    lines, room = [], BUNDLE_MAX
    for one in (escaped(one, 400) for one in bundle_lines(view.message)):
        room -= len(one) + 1
        if room > 0:
            lines.append(one)
    return "📦 " + "\n".join(lines)


def _other(view: View) -> str:
    facts = ", ".join(f"{inline(k, 40)}: {inline(v, 150)}" for k, v in list(view.message.data.items())[:10])
    event = inline(view.message.event.replace("_", " "), 100)
    return view.say("line.other", event=event, facts=f" ({facts})" if facts else "")


LINES: Mapping[str, Callable[[View], str]] = {
    "opened": _opened,
    "acknowledged": _acknowledged,
    "unacknowledged": _with_actor_and_reason("line.unacknowledged"),
    "noted": _noted,
    "severity_changed": _severity_changed,
    "rose": _rose,
    "reopened": _reopened,
    "resolved": _resolved,
    "recovered": _with_checks("line.recovered"),
    "withdrawn": _with_checks("line.withdrawn"),
    "reminder": _reminder,
    "breached": _breached,
    "late_summary": _late_summary,
    "assigned": _assigned,
    "paused": _paused,
    "resumed": _resumed,
    "replanned": _replanned,
    "excluded": _excluded,
    "escalated": _escalated,
    "acknowledgement_expired": _acknowledgement_expired,
    "handover": _handover,
    "check_joined": _check_joined,
    "check_left": _check_left,
    "no_longer_watched": _no_longer_watched,
    "alarm": _alarm,
    "alarm_over": _alarm_over,
    "alarm_day": alarm_day,
    "test": _test,
    "bundle": _bundle,
}
