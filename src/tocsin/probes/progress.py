"""How far a probe has come: its phases, and what it is doing at the moment, for the text of a timeout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tocsin.core.model import NO_PHASES, Phases, Reason
from tocsin.probes.failures import ProbeFailed, late
from tocsin.probes.resolver import Lookup


class Stage(Enum):
    """Each value reads after "timed out after 5s "."""

    DNS = "while looking up {peer}"
    CONNECT = "while connecting to {peer}"
    TLS = "during the TLS handshake with {peer}"
    PREPARING = "while preparing TLS"
    FIRST_BYTE = "while waiting for the first byte of the answer from {peer}"
    HEADERS = "while reading the headers of the answer from {peer}"
    TRANSFER = "while reading the body of the answer from {peer}"
    EXPECT = "while waiting for the expected answer from {peer}"


@dataclass(slots=True)
class Progress:
    """Seconds by phase, summed over redirects; None for what did not happen."""

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    transfer: float | None = None
    stage: Stage = Stage.DNS
    peer: str = ""
    lookup: Lookup | None = None

    def waits_for(self, lookup: Lookup) -> None:
        self.lookup = lookup

    def phases(self) -> Phases:
        if self.dns is None and self.first_byte is None:
            return NO_PHASES
        return Phases(self.dns, self.connect, self.tls, self.first_byte, self.transfer)

    def timed_out(self, timeout_s: float) -> ProbeFailed:
        """What a probe failed of whose time is up now. When it waited for ourselves only, it saw nothing."""
        if self.stage is Stage.PREPARING:
            return late(f"not probed: preparing TLS took longer than {timeout_s:g}s")
        if self.stage is Stage.DNS and self.lookup is not None and not self.lookup.is_started:
            return late(f"not probed: {self.peer} waited {timeout_s:g}s behind other names for its lookup")
        return ProbeFailed(Reason.TIMEOUT, f"timed out after {timeout_s:g}s {self.stage.value.format(peer=self.peer)}")


def plus(before: float | None, seconds: float) -> float:
    return seconds if before is None else before + seconds
