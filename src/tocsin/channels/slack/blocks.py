"""The message of an incident: readable at three in the morning, on a phone, by someone who was asleep a minute ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tocsin.channels.slack import times
from tocsin.channels.slack.text import code, code_block, escaped, inline, link, plain
from tocsin.channels.slack.view import View, standing
from tocsin.core.model import Clock, ClockKind, ClockOutcome, Incident, IncidentState, Resolution

Block = dict[str, Any]

ACKNOWLEDGE = "tocsin_ack"
RESOLVE = "tocsin_resolve"


def mrkdwn(text: str) -> Block:
    # verbatim: bare names and addresses in data stay what they are; only the markup written here works.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def section(text: str) -> Block:
    return {"type": "section", "text": mrkdwn(text)}


def context(*texts: str) -> Block:
    return {"type": "context", "elements": [mrkdwn(text) for text in texts]}


def _plain_text(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": plain(text, limit), "emoji": True}


def headline(view: View, incident: Incident) -> str:
    """State, severity and system in words, with the emoji that says the same from afar. Not escaped."""
    emoji, state = standing(view, incident)
    return view.say(
        "page.header",
        emoji=emoji,
        severity=incident.severity,
        state=state,
        title=view.title(),
        incident=incident.id,
    )


def page(view: View, incident: Incident) -> list[Block]:
    """The incident as it stands now."""
    blocks = [
        {"type": "header", "text": _plain_text(headline(view, incident), 150)},
        section("\n".join(_deadlines(view, incident))),
        _failure(view, incident),
        {"type": "section", "fields": [mrkdwn(text) for text in _facts(view, incident)]},
    ]
    if incident.is_unresolved:
        blocks.append(_buttons(view, incident))
    blocks.append(context(why(view, incident)))
    if footer := _footer(view, incident):
        blocks.append(context(*footer))
    return blocks


def fallback(view: View, incident: Incident) -> str:
    """What a phone's notification and a screen reader say: the same, in one paragraph, without markup."""
    emoji, state = standing(view, incident)
    clock = view.clock(ClockKind.RESPONSE)
    is_running = clock is not None and clock.is_running and not clock.is_paused
    is_owed = incident.state is IncidentState.OPEN and is_running
    return view.say(
        "page.fallback",
        due=view.say("page.fallback_due", when=view.deadline(clock.due_at)) if is_owed and clock is not None else "",
        emoji=emoji,
        severity=incident.severity,
        state=state,
        title=inline(view.title(), 200),
        incident=incident.id,
        text=inline(incident.text, 1000),
    )


# --- deadlines and how they ended -----------------------------------------------------------------------------------


def _deadlines(view: View, incident: Incident) -> list[str]:
    match incident.state:
        case IncidentState.OPEN:
            lines = [
                *_due(view, ClockKind.RESPONSE, "answer"),
                *_due(view, ClockKind.UPDATE, "update"),
                *_due(view, ClockKind.RESOLUTION, "resolution"),
            ]
        case IncidentState.ACKNOWLEDGED:
            lines = [
                *_answer(view, incident),
                *_due(view, ClockKind.UPDATE, "update"),
                *_due(view, ClockKind.RESOLUTION, "resolution"),
            ]
        case IncidentState.RESOLVED:
            lines = [_ending(view, incident), *_answer(view, incident), *_resolution(view)]
    return lines or [view.say("clock.none", severity=incident.severity)]


def _due(view: View, kind: ClockKind, words: str) -> list[str]:
    clock = view.clock(kind)
    if clock is None or not clock.is_running:
        return []
    key = f"clock.{words}_overdue" if view.is_overdue(kind) else f"clock.{words}_due"
    due = view.say(key, when=view.deadline(clock.due_at), ago=times.relative(clock.due_at))
    if clock.paused_since is None:
        return [due]
    return [_paused(view, clock)] if clock.breached_at is None else [due, _paused(view, clock)]


def _paused(view: View, clock: Clock) -> str:
    last = clock.pauses[-1]
    return view.say(
        "clock.paused",
        clock=view.say(f"clock.{clock.kind}"),
        since=view.deadline(clock.paused_since or last.start),
        who=view.actor(last.actor),
        reason=escaped(last.reason, 300),
    )


def _answer(view: View, incident: Incident) -> list[str]:
    lines = []
    if incident.acknowledged_at is not None:
        who = view.actor(incident.acknowledged_by or "")
        lines.append(view.say("clock.acknowledged", who=who, when=view.deadline(incident.acknowledged_at)))
    clock = view.clock(ClockKind.RESPONSE)
    return lines if clock is None else [*lines, *answer_outcome(view, clock)]


def answer_outcome(view: View, clock: Clock) -> list[str]:
    """How the response ended, in words."""
    match clock.outcome:
        case ClockOutcome.MET if clock.met_at is not None:
            return [view.say("clock.answered_in_time", span=view.span(elapsed(clock)))]
        case ClockOutcome.BREACHED if clock.met_at is not None:
            due = view.when(clock.due_at)
            return [view.say("clock.answered_late", span=view.span(elapsed(clock)), when=due)]
        case ClockOutcome.BREACHED:
            return [view.say("clock.answered_never", when=view.when(clock.due_at))]
        case ClockOutcome.VOID:
            return [view.say("clock.answer_void")]
        case _:
            return []


def _resolution(view: View) -> list[str]:
    clock = view.clock(ClockKind.RESOLUTION)
    if clock is None or clock.outcome is None:
        return []
    match clock.outcome:
        case ClockOutcome.MET:
            return [view.say("clock.resolved_in_time", span=view.span(elapsed(clock)))]
        case ClockOutcome.BREACHED:
            due = view.when(clock.due_at)
            return [view.say("clock.resolved_late", span=view.span(elapsed(clock)), when=due)]
        case ClockOutcome.VOID:
            return [view.say("clock.resolution_void")]


def elapsed(clock: Clock) -> timedelta:
    """What a clock counted until it was met, pauses left out."""
    start, end = clock.started_at, clock.met_at or clock.ended_at or clock.due_at
    nothing = timedelta()
    spans = (min(p.end or end, end) - max(p.start, start) for p in clock.pauses)
    return end - start - sum((max(span, nothing) for span in spans), nothing)


def _ending(view: View, incident: Incident) -> str:
    at = incident.resolved_at or view.now
    key = {Resolution.RECOVERED: "recovered", Resolution.WITHDRAWN: "withdrawn"}.get(
        incident.resolution or Resolution.BY_HAND, "resolved"
    )
    lasted = view.span(at - incident.failing_since)
    return view.say(f"clock.{key}", who=view.actor(incident.resolved_by or ""), when=view.deadline(at), span=lasted)


# --- what, who, why ---------------------------------------------------------------------------------------------------


def _failure(view: View, incident: Incident) -> Block:
    label = view.say("page.what_fails" if incident.is_unresolved else "page.what_failed")
    return section(f"{label}\n{code_block(incident.text, 2500)}")


def _facts(view: View, incident: Incident) -> list[str]:
    say, system = view.say, view.message.system
    facts = [say("page.owner", who=owner(view))]
    if incident.assignee:
        facts.append(say("page.assignee", who=view.person(incident.assignee)))
    since = view.when(incident.failing_since)
    if incident.is_unresolved:
        facts.append(say("page.failing_since", when=since, ago=times.relative(incident.failing_since)))
    else:
        facts.append(say("page.failed_from", when=since))
    if incident.checks:
        facts.append(say("page.checks", checks=names(incident.checks)))
    if system is not None and system.runbook:
        facts.append(say("page.runbook", link=link(system.runbook, say("page.runbook_label"))))
    return facts


def owner(view: View) -> str:
    """The process owner: mentioned where their Slack id is known, named where not."""
    message = view.message
    if message.owner is not None:
        return view.person(message.owner.id) if message.owner.id in message.people else escaped(message.owner.name, 100)
    return inline(message.system.owner, 100) if message.system is not None else view.say("page.nobody")


def names(checks: Sequence[str]) -> str:
    """Names in a row; of a long row the first ten and how many more."""
    shown = ", ".join(inline(name, 60) for name in checks[:10])
    return f"{shown} +{len(checks) - 10}" if len(checks) > 10 else shown


def why(view: View, incident: Incident) -> str:
    """Which rule gave the severity, where it stands, and what it says."""
    rule = incident.rule
    if incident.severity is not incident.rule_severity:
        key = "page.why_by_hand"
    else:
        key = "page.why" if rule.file else "page.why_built_in"
    return view.say(
        key,
        severity=incident.severity,
        rule_severity=incident.rule_severity,
        rule=inline(rule.name, 200),
        place=inline(f"{rule.file}:{rule.line}", 300),
        condition=code(rule.text, 1000),
    )


def _footer(view: View, incident: Incident) -> list[str]:
    texts = []
    if incident.reopened:
        texts.append(view.say("page.reopened", count=incident.reopened))
    if view.message.link:
        texts.append(link(view.message.link, view.say("page.link", incident=incident.id)))
    return texts


def _buttons(view: View, incident: Incident) -> Block:
    elements = [_resolve_button(view, incident)]
    if incident.state is IncidentState.OPEN:
        acknowledge = _button(view.say("page.acknowledge"), ACKNOWLEDGE, incident)
        elements.insert(0, {**acknowledge, "style": "primary"})
    return {"type": "actions", "block_id": f"tocsin_incident_{incident.id}", "elements": elements}


def _button(label: str, action: str, incident: Incident) -> Block:
    return {"type": "button", "action_id": action, "text": _plain_text(label, 75), "value": str(incident.id)}


def _resolve_button(view: View, incident: Incident) -> Block:
    confirm = {
        "title": _plain_text(view.say("page.resolve_title", incident=incident.id), 100),
        "text": _plain_text(view.say("page.resolve_text"), 300),
        "confirm": _plain_text(view.say("page.resolve_confirm"), 30),
        "deny": _plain_text(view.say("page.resolve_deny"), 30),
    }
    return {**_button(view.say("page.resolve"), RESOLVE, incident), "confirm": confirm}
