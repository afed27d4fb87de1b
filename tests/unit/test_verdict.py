"""From what was seen to what it means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tocsin.core.model import Certificate, Observation, Phases, Reason, Status, TransportFailure
from tocsin.core.policy import Check, Judged, TcpTarget
from tocsin.core.verdict import judge

AT = datetime(2026, 11, 4, 10, 0, tzinfo=UTC)
CERTIFICATE = Certificate(AT, "CN=A")
PHASES = Phases(connect=0.1)


class Saying:
    needs_body = False

    def __init__(self, judged: Judged) -> None:
        self._judged = judged
        self.asked = 0

    def __call__(self, observation: Observation) -> Judged:
        self.asked += 1
        return self._judged


def check(says: Judged) -> tuple[Check, Saying]:
    saying = Saying(says)
    return Check("erp", "health", "tcp", TcpTarget("h", 1), saying), saying


def test_an_answer_with_nothing_wrong_is_up_with_its_values() -> None:
    one, _ = check(Judged(values={"sessions": 3.0}))
    sample = judge(one, Observation(0.2, phases=PHASES, certificate=CERTIFICATE), AT)
    assert (sample.status, sample.reason, sample.text) == (Status.UP, Reason.OK, "")
    assert (sample.at, sample.duration_s, sample.phases, sample.certificate) == (AT, 0.2, PHASES, CERTIFICATE)
    assert sample.values == {"sessions": 3.0}


@pytest.mark.parametrize(
    ("judged", "status", "reason", "text"),
    [
        (Judged(failed="a"), Status.DOWN, Reason.EXPECTATION, "a"),
        (Judged(failed="a", is_default_status=True), Status.DOWN, Reason.STATUS, "a"),
        (Judged(failed="a", degraded="b"), Status.DOWN, Reason.EXPECTATION, "a"),
        (Judged(degraded="b"), Status.DEGRADED, Reason.DEGRADED, "b"),
        (Judged(failed=""), Status.DOWN, Reason.EXPECTATION, ""),
        (
            Judged(degraded="the certificate expires within 14d (certificate.expires_in = 3d)"),
            Status.DEGRADED,
            Reason.CERTIFICATE,
            "the certificate expires within 14d (certificate.expires_in = 3d)",
        ),
        (Judged(degraded="json.certificates > 3.0 (json.certificates = 4)"), Status.DEGRADED, Reason.DEGRADED, None),
    ],
)
def test_what_conditions_say_decides(judged: Judged, status: Status, reason: Reason, text: str | None) -> None:
    one, _ = check(judged)
    sample = judge(one, Observation(0.2, status=200), AT)
    assert (sample.status, sample.reason) == (status, reason)
    assert text is None or sample.text == text


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.OK])
def test_a_failed_transport_is_down_and_our_own_trouble_unobserved(reason: Reason) -> None:
    one, saying = check(Judged(failed="never asked"))
    sample = judge(one, Observation(0.2, TransportFailure(reason, "why"), PHASES, certificate=CERTIFICATE), AT)
    own = reason in (Reason.LATE, Reason.INTERNAL)
    assert sample.status is (Status.UNOBSERVED if own else Status.DOWN)
    assert (sample.reason, sample.text, sample.phases, sample.certificate) == (reason, "why", PHASES, CERTIFICATE)
    assert saying.asked == 0
