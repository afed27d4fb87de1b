"""What waits to be committed when a check goes away."""

from __future__ import annotations

from datetime import UTC, datetime

from tocsin.core.check import Transition
from tocsin.core.model import Reason, Sample, Status
from tocsin.core.policy import Rulebook
from tocsin.daemon.live import LiveState

AT = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
WENT_DOWN = Transition(Status.UP, Status.DOWN, AT, AT, AT)
BAD = Sample(AT, Status.DOWN, Reason.REFUSED, 0.1)


def waiting(live: LiveState) -> list[tuple[str, str]]:
    return sorted((system, check) for system, changes in live.transitions.items() for check, _, _ in changes)


def test_a_check_that_goes_away_takes_only_its_own_changes_along() -> None:
    live = LiveState(Rulebook())
    live.keep_transition("crm", "api", WENT_DOWN, BAD)
    live.keep_transition("crm", "web", WENT_DOWN, BAD)
    live.keep_transition("erp", "web", WENT_DOWN, BAD)
    live.forget_transitions("crm", ["web"])
    assert waiting(live) == [("crm", "api"), ("erp", "web")]
    live.forget_transitions("crm", ["api"])
    assert waiting(live) == [("erp", "web")]
