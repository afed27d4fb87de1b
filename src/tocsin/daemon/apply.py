"""Where decisions become facts: what the checks say is compared with the store, decided, and committed in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.core.case import Case, Decision, FailingCheck
from tocsin.core.clock import unworkable
from tocsin.core.incident import reconcile, withdraw
from tocsin.core.model import Status
from tocsin.core.policy import Rulebook, System
from tocsin.core.severity import RuleFault
from tocsin.daemon import changes_of_checks
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.changes_of_checks import MANY, Change, FirstLook, is_first_look
from tocsin.daemon.live import LiveState, stored_of
from tocsin.errors import StoreError
from tocsin.log import get_log
from tocsin.ports import Store, StoredCheck, Transaction, WallClock

log = get_log(__name__)

RETRY_AFTER = timedelta(seconds=1)
ASK_AGAIN = timedelta(minutes=1)
COMMITS_WITHIN = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Unit:
    """What one unit of work is decided from: the system's failing checks and its changes of status since the last commit."""

    system: System
    rulebook: Rulebook
    failing: tuple[FailingCheck, ...]
    changes: tuple[Change, ...]
    checks: tuple[StoredCheck, ...]
    now: datetime


def settle(tx: Transaction, unit: Unit) -> tuple[Case, Decision, frozenset[str]]:
    """Write the changes of status and whatever the incident becomes of them. Returns the case, the decision, and the held checks."""
    stored = tx.stored_checks(unit.system.name)
    held = {name for (_, name), check in stored.items() if check.is_held}
    # Up once is enough to be let go, even if it failed again before this commit.
    held &= {check.name for check in unit.failing}
    held -= {name for name, transition, _ in unit.changes if transition.status is Status.UP}
    for name, transition, sample in unit.changes:
        changes_of_checks.write(tx, unit.system.name, (name, transition, sample))
    for check in unit.checks:
        known = stored.get((check.system, check.name))
        wanted = replace(check, is_held=check.name in held)
        if known != wanted:
            tx.save_check(wanted)
    case = tx.case(unit.system.name)
    failing = tuple(replace(check, is_held=check.name in held) for check in unit.failing)
    decision = reconcile(case, unit.rulebook, unit.system, failing, unit.now)
    return tx.commit_decision(case, decision), decision, frozenset(held)


def _decided_at(taken: list[Change], now: datetime) -> datetime:
    """When the store was away, the decision is of the instant of the last change, not of the day it could be written."""
    if taken and now - taken[-1][1].at > COMMITS_WITHIN:
        return taken[-1][1].at
    return now


def _is_older(case: Case, known: Case) -> bool:
    if case.incident is None or known.incident is None:
        return known.incident is not None
    return case.incident.id == known.incident.id and case.incident.version < known.incident.version


class Applier:
    """Commits what waits, system by system; what could not be committed stays and is tried again."""

    def __init__(
        self, live: LiveState, store: Store, clock: WallClock, alarms: Alarms, committed: Callable[[Decision], None]
    ) -> None:
        self._live = live
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._committed = committed
        self._waiting: set[str] = set()
        self._asked_at: datetime | None = None
        self._faults: dict[str, RuleFault] = {}
        self._unworkable: tuple[str, ...] = ()
        self.wake: Callable[[], None] = lambda: None

    def consider(self, system: str) -> None:
        """A system's checks changed or failed again: commit if that would change anything."""
        if system in self._waiting or not self.needs_commit(system):
            return
        self._waiting.add(system)
        self.wake()

    def needs_commit(self, system: str) -> bool:
        """Whether anything would change: a decision on what is remembered, without the store."""
        if self._live.transitions.get(system):
            return True
        known, now = self._live.rulebook.systems.get(system), self._clock.now()
        if known is None:
            return False
        case = self._live.cases.get(system) or Case(system, 1)
        failing = self._live.failing(system, now)
        decision = reconcile(case, self._live.rulebook, known, failing, now)
        self._note_faults(system, decision)
        return not decision.changes_nothing

    async def step(self, now: datetime) -> datetime | None:
        """Commit everything that waits. Each failing system is asked again once a minute."""
        if self._asked_at is None or now - self._asked_at >= ASK_AGAIN:
            self._asked_at = now
            self._note_calendars(now)
            for system in list(self._live.watched):
                if self._live.has_failing(system):
                    self.consider(system)
        waiting, self._waiting = self._waiting, set()
        first = sorted(system for system in waiting if self._is_first_look(system))
        alone = sorted(waiting.difference(first))
        together = (first[start : start + MANY] for start in range(0, len(first), MANY))
        commits = [*(self.commit(system) for system in alone), *(self._commit_first_looks(some) for some in together)]
        results = await asyncio.gather(*commits, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in failures:
            if not isinstance(failure, StoreError):
                raise failure
        if failures:
            self._alarms.raise_("storage", str(failures[0]))
            return now + RETRY_AFTER
        if waiting:
            self._alarms.clear("storage")
        return self._asked_at + ASK_AGAIN

    def _is_first_look(self, system: str) -> bool:
        """Whether a system was found up when it was first looked at, and no incident of it is known."""
        case = self._live.cases.get(system)
        is_calm = system in self._live.rulebook.systems and (case is None or case.open is None)
        return is_calm and is_first_look(self._live.transitions.get(system, ()), self._checks_of(system))

    def _checks_of(self, system: str) -> tuple[StoredCheck, ...]:
        return tuple(stored_of(watched) for watched in self._live.watched.get(system, {}).values())

    async def _commit_first_looks(self, systems: Sequence[str]) -> None:
        """Thousands of systems are seen for the first time at once: written together, they hold up no incident."""
        calm = [system for system in systems if self._is_first_look(system)]
        taken = {system: self._live.transitions.pop(system) for system in calm}
        looks = [FirstLook(system, tuple(taken[system]), self._checks_of(system)) for system in calm]
        try:
            busy = await self._store.write(lambda tx: changes_of_checks.write_first_looks(tx, looks))
        except BaseException:
            self._put_back(taken)
            self._waiting.update(systems)
            raise
        self._put_back({system: taken[system] for system in busy})
        self._committed(Decision(Case("", 1)))
        others = sorted(set(systems).difference(calm).union(busy))
        for result in await asyncio.gather(*(self.commit(system) for system in others), return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _put_back(self, taken: Mapping[str, list[Change]]) -> None:
        for system, changes in taken.items():
            self._live.transitions[system] = changes + self._live.transitions.get(system, [])

    async def commit(self, system: str) -> None:
        """Write down what waits of a system and what becomes of its incident, in one transaction."""
        known = self._live.rulebook.systems.get(system)
        if known is None:
            self._live.transitions.pop(system, None)
            return
        taken = self._live.transitions.pop(system, [])
        now = _decided_at(taken, self._clock.now())
        failing, checks = self._live.failing(system, now), self._checks_of(system)
        unit = Unit(known, self._live.rulebook, failing, tuple(taken), checks, now)
        try:
            case, decision, held = await self._store.write(lambda tx: settle(tx, unit))
        except BaseException:
            self._put_back({system: taken})
            self._waiting.add(system)
            raise
        self._note_faults(system, decision)
        for name, watched in self._live.watched.get(system, {}).items():
            watched.is_held = name in held
        self.remember(case, decision)

    def remember(self, case: Case, decision: Decision) -> None:
        """Keep what was committed beside the live state (never something older), and let the other loops know."""
        known = self._live.cases.get(case.system)
        if known is None or not _is_older(case, known):
            self._live.cases[case.system] = case
        self._committed(decision)

    def _note_faults(self, system: str, decision: Decision) -> None:
        """A rule that cannot be judged is an alarm, for as long as it cannot."""
        if decision.faults:
            self._faults[system] = decision.faults[0]
        else:
            self._faults.pop(system, None)
        self._tell_faults()

    def _note_calendars(self, now: datetime) -> None:
        """A policy whose calendar has run out of working time is told before an incident needs it."""
        self._unworkable = unworkable(self._live.rulebook, now)
        self._tell_faults()

    def _tell_faults(self) -> None:
        if self._faults:
            fault = next(iter(self._faults.values()))
            where = f"{fault.rule.file}:{fault.rule.line}"
            text = f"{where}: the rule {fault.rule.name!r} cannot be judged: {fault.because} (it counts as P2)"
            self._alarms.raise_("rule", text)
        elif self._unworkable:
            self._alarms.raise_("rule", self._unworkable[0])
        else:
            self._alarms.clear("rule")

    async def withdraw(self, gone: list[tuple[str, str]], actor: str) -> None:
        """Checks that are no longer watched leave their incidents."""
        by_system: dict[str, list[str]] = {}
        for system, name in gone:
            by_system.setdefault(system, []).append(name)
        for system, names in by_system.items():
            now, rulebook = self._clock.now(), self._live.rulebook
            case, decision = await self._store.write(
                lambda tx, s=system, n=names, r=rulebook, t=now: _withdraw(tx, r, s, n, actor, t)  # type: ignore[misc]
            )
            self._live.forget_transitions(system, names)
            self.remember(case, decision)


def _withdraw(
    tx: Transaction, rulebook: Rulebook, system: str, names: list[str], actor: str, now: datetime
) -> tuple[Case, Decision]:
    case = tx.case(system)
    decision = withdraw(case, rulebook, names, actor, now)
    after = tx.commit_decision(case, decision)
    for name in names:
        tx.forget_check(system, name)
    return after, decision
