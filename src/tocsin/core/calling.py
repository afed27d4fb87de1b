"""What people do with ladders themselves: run the next step now, or call somebody who is not on it."""

from __future__ import annotations

from datetime import datetime

from tocsin.core import ladder
from tocsin.core.case import Case, Decision, Draft, refuse
from tocsin.core.model import IncidentState
from tocsin.core.moves import say_something_new
from tocsin.core.policy import Rulebook


def escalate(case: Case, rulebook: Rulebook, actor: str, target: str, now: datetime) -> Decision:
    """Run the next step of the ladder now, or tell `target` (a target of a ladder, such as "team:erp-ops")."""
    incident = case.open
    if incident is None:
        return refuse(case, "it is resolved already: there is nobody to call")
    draft = Draft(case, now, rulebook)
    if target:
        say_something_new(draft, rulebook, now)
        ladder.call(draft, rulebook, actor, target)
    elif incident.state is IncidentState.ACKNOWLEDGED:
        return refuse(case, "it is acknowledged, so its ladder stands still (call somebody with --to person:NAME)")
    elif ladder.run_next(draft, rulebook, actor) is None:
        return refuse(case, "its ladder has no further step (call somebody with --to person:NAME)")
    return draft.done()


def unknown_target(rulebook: Rulebook, target: str) -> str | None:
    """What is wrong with a target; None when it names somebody."""
    known = {
        "person": rulebook.people,
        "oncall": rulebook.oncall,
        "team": rulebook.teams,
        "channel": rulebook.channels,
    }
    kind, _, name = target.partition(":")
    if kind not in known or not name:
        return f"{target!r} is no target (write person:NAME, oncall:NAME, team:NAME or channel:NAME)"
    if name not in known[kind]:
        return f"unknown {kind} {name!r} (known: {', '.join(sorted(known[kind])) or 'none'})"
    return None
