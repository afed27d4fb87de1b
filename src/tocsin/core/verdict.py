"""From what a probe saw to a sample. Both HTTP clients end here, so a check gives the same verdict on either."""

from __future__ import annotations

import re
from datetime import datetime

from tocsin.core.model import Observation, Reason, Sample, Status
from tocsin.core.policy import Check

_ABOUT_EXPIRY = re.compile(r"(?<![\w.\"])certificate\.expires_in\b")
OWN_TROUBLE = (Reason.LATE, Reason.INTERNAL)


def judge(check: Check, observation: Observation, at: datetime) -> Sample:
    """Judge one observation. A failed transport judges nothing further; our own trouble is unobserved, never down."""
    failure = observation.failure
    if failure is not None:
        status = Status.UNOBSERVED if failure.reason in OWN_TROUBLE else Status.DOWN
        return Sample(
            at,
            status,
            failure.reason,
            observation.latency_s,
            failure.text,
            observation.phases,
            {},
            observation.certificate,
        )
    said = check.judge(observation)
    status, reason, text = Status.UP, Reason.OK, ""
    if said.failed is not None:
        status, text = Status.DOWN, said.failed
        reason = Reason.STATUS if said.is_default_status else Reason.EXPECTATION
    elif said.degraded is not None:
        status, text = Status.DEGRADED, said.degraded
        reason = Reason.CERTIFICATE if _ABOUT_EXPIRY.search(said.degraded) else Reason.DEGRADED
    return Sample(
        at, status, reason, observation.latency_s, text, observation.phases, said.values, observation.certificate
    )
