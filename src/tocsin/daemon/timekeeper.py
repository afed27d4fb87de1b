"""Deadlines are stored instants: what is due is found there, recorded at its true instant, and told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from tocsin.core.case import Case, Decision
from tocsin.core.passing import keep_time
from tocsin.core.policy import Rulebook
from tocsin.daemon.alarms import Alarms
from tocsin.errors import StoreError
from tocsin.log import get_log
from tocsin.ports import Store, Transaction

log = get_log(__name__)

BATCH = 100
LOOK_AGAIN = timedelta(seconds=30)
PUT_OFF = timedelta(minutes=1)


class Timekeeper:
    def __init__(
        self,
        store: Store,
        alarms: Alarms,
        remember: Callable[[Case, Decision], None],
        rulebook: Callable[[], Rulebook],
    ) -> None:
        self._store = store
        self._alarms = alarms
        self._remember = remember
        self._rulebook = rulebook

    async def step(self, now: datetime) -> datetime:
        """Settle everything that is due at `now`; returns when the next deadline or reminder is."""
        due, next_at = await self._store.write(lambda tx: (tx.incidents_to_wake(now, BATCH), tx.next_wake()))
        # All at once, so that the store commits them as a group: a hundred systems that failed together are due together.
        outcomes = await asyncio.gather(*(self._keep(incident, now) for incident in due), return_exceptions=True)
        for failure in (outcome for outcome in outcomes if isinstance(outcome, BaseException)):
            raise failure
        if len(due) == BATCH:
            return now
        if due:
            next_at = await self._store.write(lambda tx: tx.next_wake())
        return min(next_at, now + LOOK_AGAIN) if next_at is not None else now + LOOK_AGAIN

    async def _keep(self, incident: int, now: datetime) -> None:
        try:
            kept = await self._store.write(lambda tx: tick(tx, incident, self._rulebook(), now))
        except StoreError as error:
            if not error.permanent:
                raise
            # This one incident cannot be processed: it is put off and told, the others go on.
            log.error(
                "A deadline could not be processed", action="deadline_failed", incident=incident, error=str(error)
            )
            self._alarms.raise_("deadline", f"the deadlines of incident #{incident} could not be processed: {error}")
            await self._store.write(lambda tx: tx.push_wake(incident, now + PUT_OFF))
            return
        if kept is not None:
            self._remember(*kept)


def tick(tx: Transaction, incident: int, rulebook: Rulebook, now: datetime) -> tuple[Case, Decision] | None:
    """Settle what is due of one incident."""
    case = tx.case_of(incident)
    if case is None:
        return None
    decision = keep_time(case, rulebook, now)
    tx.commit_decision(case, decision)
    return tx.case(case.system), decision
