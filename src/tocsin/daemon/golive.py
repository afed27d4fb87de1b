"""Go-lives are kept by stored instants: they begin, are measured, fall due, and tighten what is watched for as long as they run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tocsin.core.case import Case
from tocsin.core.golive import GoLive, GoLiveDecision
from tocsin.core.golive_passing import Seen, is_shift_over, keep_time
from tocsin.core.golive_review import Compile, Criterion, incident_as_data, judge, standing
from tocsin.core.policy import Rulebook
from tocsin.core.tightening import tightened
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.golive_figures import GoLiveFigures
from tocsin.daemon.live import LiveState
from tocsin.errors import StoreError
from tocsin.log import get_log
from tocsin.ports import Store, Transaction

log = get_log(__name__)

LOOK_AGAIN = timedelta(seconds=30)
LOOK_FOR_SAMPLES = timedelta(seconds=1)
PUT_OFF = timedelta(minutes=1)
LISTED = 50


def judged(
    tx_or_queries: Any, golive: GoLive, compiled: Compile, now: datetime
) -> tuple[list[Case], tuple[Criterion, ...]]:
    """The incidents of a watch, and its exit criteria as they stand by them."""
    began = golive.started_at or golive.starts_at
    cases = tx_or_queries.cases_between(golive.systems, began, golive.ended_at or now)
    return cases, judge(golive.exit, compiled, standing(cases, began, golive.ended_at or now))


def drawn_of(measured: list[dict[str, Any]], cases: list[Case], criteria: tuple[Criterion, ...]) -> dict[str, Any]:
    """What a checkpoint tells."""
    return {
        "systems": measured,
        "incidents": [incident_as_data(case) for case in cases[-LISTED:]],
        "exit": [one.as_data() for one in criteria],
    }


class GoLives:
    """`take_in` makes a rulebook the one in force; `committed` wakes whoever sends and shows."""

    def __init__(
        self,
        store: Store,
        live: LiveState,
        figures: GoLiveFigures,
        alarms: Alarms,
        compiled: Compile,
        take_in: Callable[[Rulebook], None],
        committed: Callable[[], None],
    ) -> None:
        self._store = store
        self._live = live
        self._figures = figures
        self._alarms = alarms
        self._compiled = compiled
        self._take_in = take_in
        self._committed = committed
        self._put_off: dict[int, datetime] = {}

    async def step(self, now: datetime) -> datetime:
        """Settle what is due, and let what is watched be as tight as the watches ask for."""
        golives = await self._unfinished()
        due = [golive for golive in golives if self._is_due(golive, now)]
        for golive in due:
            await self._keep(golive, now)
        golives = await self._unfinished() if due else golives
        self.tighten(golives)
        return min((self._again(golive, now) for golive in golives), default=now + LOOK_AGAIN)

    async def _unfinished(self) -> list[GoLive]:
        return await self._store.write(lambda tx: tx.golives())

    def tighten(self, golives: list[GoLive]) -> None:
        rulebook = tightened(self._live.rulebook, golives)
        if rulebook.tightened != self._live.rulebook.tightened:
            self._take_in(rulebook)
            log.info("Checks are tightened", action="golive_tightened", systems=sorted(rulebook.tightened))

    def _is_due(self, golive: GoLive, now: datetime) -> bool:
        if self._put_off.get(golive.id, now) > now:
            return False
        is_time = golive.wake_at is not None and golive.wake_at <= now
        return is_time or (golive.phase.is_running and is_shift_over(golive, self._live.rulebook, now))

    def _again(self, golive: GoLive, now: datetime) -> datetime:
        """When to look again: soon while the first samples are awaited, else at its next instant."""
        at = golive.wake_at or now + LOOK_AGAIN
        return min(max(at, now + LOOK_FOR_SAMPLES), now + LOOK_AGAIN)

    async def _keep(self, golive: GoLive, now: datetime) -> None:
        try:
            seen = await self._seen(golive, now)
            decision = await self._store.write(lambda tx: self._tick(tx, golive.id, seen, now))
        except StoreError as error:
            if not error.permanent:
                raise
            # This one watch cannot be processed: it is put off and told, the others go on.
            self._put_off[golive.id] = now + PUT_OFF
            self._alarms.raise_("deadline", f"go-live #{golive.id} could not be processed: {error}")
            return
        self._put_off.pop(golive.id, None)
        if decision is not None and decision.entries:
            self._committed()

    async def _seen(self, golive: GoLive, now: datetime) -> Seen:
        began = golive.started_at or golive.starts_at
        since = max(began, now - golive.checkpoint_every)
        measured = await self.measured(golive, since, now)
        return Seen({"systems": measured}, self._figures.sampled(golive.systems, began))

    async def measured(self, golive: GoLive, start: datetime, now: datetime) -> list[dict[str, Any]]:
        """The figures of each system from `start` on, beside those from before."""
        end = min(golive.ended_at or now, now)
        return await self._figures.drawn(golive, self._live.rulebook.golive.zone, start, end, now)

    def _tick(self, tx: Transaction, number: int, seen: Seen, now: datetime) -> GoLiveDecision | None:
        golive = tx.golive(number)
        if golive is None:
            return None
        cases, criteria = judged(tx, golive, self._compiled, now)
        drawn = drawn_of(list(seen.drawn["systems"]), cases, criteria)
        decision = keep_time(golive, self._live.rulebook, Seen(drawn, seen.sampled), now)
        tx.commit_golive(golive, decision)
        return decision
