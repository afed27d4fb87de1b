"""Parts of the tests of go-live watches: a rulebook with a profile, criteria without CEL, a watch that is played step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from case_parts import HOUR, T0, a_rulebook, a_system
from tocsin.core import golive_acts as acts
from tocsin.core.golive import GoLive, GoLiveDecision, Phase
from tocsin.core.golive_acts import Plan, Remark
from tocsin.core.golive_passing import Seen, checkpoint, keep_time
from tocsin.core.golive_policy import GoLivePolicy, Profile
from tocsin.core.golive_review import Criterion
from tocsin.core.model import Entry, Notice
from tocsin.core.policy import Person, Rulebook, Step, Threshold

LI, WANG = "person:li.na", "person:wang.wei"
PEOPLE = {"li.na": Person("li.na", "Li Na", slack="U1"), "wang.wei": Person("wang.wei", "Wang Wei", slack="U2")}
LADDER = (Step(1.0, ("person:wang.wei",)),)
PROFILE = Profile(timedelta(seconds=5), Threshold(2, 2), 0.5)
MET = (Criterion("open_p1 == 0", True, (("open_p1", 0),)),)
UNMET = (Criterion("open_p1 == 0", False, (("open_p1", 1),)),)
NEVER = timedelta(days=300)


def golive_rulebook(**more: Any) -> Rulebook:
    asked = {"profile": PROFILE, "ladder": LADDER, "escalate": "review", "version": "g1", **more}
    rulebook = a_rulebook(systems=(a_system(), a_system("crm", ("health",), tier="important")), people=PEOPLE)
    return replace(rulebook, golive=GoLivePolicy(**asked))


class Watching:
    """One watch, played: each decision is kept, its entries and notices are remembered."""

    def __init__(
        self, rulebook: Rulebook | None = None, starts_at: datetime = T0, now: datetime = T0, **asked: Any
    ) -> None:
        self.rulebook = rulebook or golive_rulebook()
        self.entries: list[Entry] = []
        self.notices: list[Notice] = []
        plan = Plan(asked.pop("systems", ("erp",)), "2.3", starts_at, **asked)
        self.last = acts.plan(self.rulebook, 1, plan, LI, now)
        self.golive: GoLive = self.last.golive
        self._remember(self.last)

    def _remember(self, decision: GoLiveDecision) -> GoLiveDecision:
        self.last, self.golive = decision, decision.golive
        self.entries.extend(decision.entries)
        self.notices.extend(decision.notices)
        return decision

    def time(self, now: datetime, sampled: Sequence[str] = ("erp",)) -> GoLiveDecision:
        seen = Seen({"systems": [], "incidents": [], "exit": []}, frozenset(sampled))
        return self._remember(keep_time(self.golive, self.rulebook, seen, now))

    def until(self, now: datetime) -> None:
        """Let time pass as the loop does: each thing at its own instant."""
        at = T0
        while (wake := self.golive.wake_at) is not None and wake <= now:
            at = max(at, wake)
            self.time(at)

    def note(self, text: str, now: datetime, remark: Remark = Remark.NOTE) -> GoLiveDecision:
        return self._remember(acts.note(self.golive, self.rulebook, LI, text, remark, {}, now))

    def checkpoint(self, text: str, now: datetime) -> GoLiveDecision:
        return self._remember(checkpoint(self.golive, self.rulebook, LI, text, {}, now))

    def extend(self, now: datetime, by: timedelta = 24 * HOUR) -> GoLiveDecision:
        return self._remember(acts.extend(self.golive, self.rulebook, LI, by, "one more night", {}, now))

    def review(self, now: datetime, judged: Sequence[Criterion] = MET) -> GoLiveDecision:
        return self._remember(acts.review(self.golive, self.rulebook, LI, "held", judged, {}, now))

    def sign(
        self, now: datetime, actor: str = LI, judged: Sequence[Criterion] = MET, text: str = "", anyway: bool = False
    ) -> GoLiveDecision:
        made = acts.sign_off(self.golive, self.rulebook, actor, text, judged, {}, now, anyway=anyway)
        return self._remember(made)

    def cancel(self, now: datetime) -> GoLiveDecision:
        return self._remember(acts.cancel(self.golive, self.rulebook, LI, "put off", {}, now))

    def roll_back(self, now: datetime) -> GoLiveDecision:
        return self._remember(acts.roll_back(self.golive, self.rulebook, LI, "orders were lost", {}, now))

    @property
    def phase(self) -> Phase:
        return self.golive.phase

    def actions(self) -> list[str]:
        return [entry.action for entry in self.entries]

    def said(self) -> list[str]:
        """The events of the last decision's notices, without the edits of the root message."""
        return [notice.event for notice in self.last.notices if notice.event != "golive_card"]
