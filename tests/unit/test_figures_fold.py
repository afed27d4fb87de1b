"""The journal alone gives the figures: folded, an incident's entries are its clocks, whatever happened to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from case_parts import HOUR, MINUTE, P1, P2, POLICIES, RESPONSE, T0, Play, a_rulebook, bad, minute, slow
from tocsin.core import clock_acts, figures
from tocsin.core.model import Clock, ClockKind, ClockOutcome, Entry, Severity
from tocsin.core.policy import ResponsePolicy

LI = "person:li.na"
FIRST = {
    P1: replace(POLICIES[P1], update=30 * MINUTE, acknowledge_for=HOUR),
    P2: replace(POLICIES[P2], update=2 * HOUR, calendar="office"),
}
SECOND_EDITION = {
    P1: ResponsePolicy(P1, 2 * HOUR, resolve=5 * HOUR, version="p1-edited"),
    P2: ResponsePolicy(P2, 3 * HOUR, update=HOUR, version="p2-edited"),
}
KINDS = (ClockKind.RESPONSE, ClockKind.UPDATE, ClockKind.RESOLUTION)
Act = Callable[[Play, Any], Any]


def edit(play: Play, now: Any) -> None:
    """The policies change on disk; what runs must not care."""
    is_first = play.rulebook.response is FIRST
    play.rulebook = replace(play.rulebook, response=SECOND_EDITION if is_first else FIRST)


def pause(*kinds: ClockKind) -> Act:
    return lambda p, now: p.keep(clock_acts.pause(p.case, p.rulebook, LI, kinds, "supplier", now))


ACTS: dict[str, Act] = {
    "fails": lambda p, now: p.look((bad(since=now),), now),
    "is slow": lambda p, now: p.look((slow(since=now),), now),
    "recovers": lambda p, now: p.recovers(now),
    "ack": lambda p, now: p.ack(now),
    "ack of a while ago": lambda p, now: p.ack(now - 7 * MINUTE, now),
    "unack": lambda p, now: p.unack(now),
    "note": lambda p, now: p.note(now),
    "assign": lambda p, now: p.assign(now, "wang.wei" if p.case.open and not p.incident.assignee else "li.na"),
    **{f"set {s}": (lambda p, now, s=s: p.set_severity(s, now)) for s in (P1, P2, Severity.P3)},
    "resolve": lambda p, now: p.resolve(now),
    "reopen": lambda p, now: p.reopen(now),
    "pause": pause(),
    "pause the response": pause(ClockKind.RESPONSE),
    "resume": lambda p, now: p.keep(clock_acts.resume(p.case, p.rulebook, LI, (), "", now)),
    "replan": lambda p, now: p.keep(clock_acts.replan(p.case, p.rulebook, LI, "", now)),
    **{
        f"exclude {kind}": (lambda p, now, kind=kind: p.keep(clock_acts.exclude(p.case, LI, kind, "drill", now)))
        for kind in KINDS
    },
    "edit": edit,
    "time": lambda p, now: p.time(now),
}
STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from([0, 1, 5, 29, 31, 61, 200, 700]), st.booleans()),
    min_size=4,
    max_size=20,
)


def as_told(clock: Clock) -> Clock:
    """A stored clock without what is no figure: its row, what was told, and what is still to be."""
    return replace(clock, id=None, plan=(), ran=(), held_until=None)


def in_order(clocks: Any) -> list[Clock]:
    return sorted(clocks, key=repr)


def through_json(entry: Entry) -> Entry:
    """An entry as the journal gives it back."""
    return replace(entry, data=json.loads(json.dumps(entry.data)))


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_the_fold_of_an_incidents_entries_is_its_clocks(steps: list[tuple[str, int, bool]]) -> None:
    play, now = Play(replace(a_rulebook(), response=FIRST)), T0
    play.fails(now)
    for name, wait, is_awake in steps:
        now += timedelta(minutes=wait)
        if is_awake:
            play.until(now)
        if play.case.incident is not None:
            ACTS[name](play, now)
        mine = [through_json(entry) for entry in play.entries if entry.subject == f"incident:{play.incident.id}"]
        folded = figures.clocks_of(play.incident.id, mine)
        assert in_order(folded) == in_order(as_told(clock) for clock in play.case.clocks)


def test_figures_show_what_counts_with_the_working_time_it_took() -> None:
    play = Play(replace(a_rulebook(), response=FIRST))
    play.fails(T0)
    play.ack(minute(10))
    play.keep(clock_acts.exclude(play.case, LI, RESPONSE, "drill", minute(11)))
    play.note(minute(25))
    shown = figures.figures_of(play.case.clocks, play.rulebook.calendars)
    found = {(one.kind, one.outcome): one for one in shown}
    response = found[RESPONSE, ClockOutcome.MET]
    assert response.worked == 10 * MINUTE
    assert response.exclusion is not None
    assert response.exclusion["reason"] == "drill"
    assert found[ClockKind.UPDATE, ClockOutcome.MET].worked == 15 * MINUTE
    assert found[ClockKind.UPDATE, None].worked is None


def test_another_version_of_the_calendar_gives_no_working_time_rather_than_a_wrong_one() -> None:
    play = Play(replace(a_rulebook(), response=FIRST))
    play.fails(T0, slow(since=T0))
    play.ack(minute(30))
    edited = {"office": replace(play.rulebook.calendars["office"], version="edited")}
    (figure,) = [one for one in figures.figures_of(play.case.clocks, edited) if one.kind is RESPONSE]
    assert (figure.outcome, figure.worked) == (ClockOutcome.MET, None)


def test_pauses_are_not_in_the_working_time() -> None:
    play = Play(replace(a_rulebook(), response=FIRST))
    play.fails(T0)
    pause(ClockKind.RESPONSE)(play, minute(5))
    ACTS["resume"](play, minute(25))
    play.ack(minute(30))
    (figure,) = [f for f in figures.figures_of(play.case.clocks, play.rulebook.calendars) if f.kind is RESPONSE]
    assert figure.worked == 10 * MINUTE
