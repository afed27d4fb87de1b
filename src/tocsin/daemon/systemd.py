"""sd_notify, as in its manual page: one datagram to the socket named in NOTIFY_SOCKET; nothing without one."""

from __future__ import annotations

import os
import socket
import time


def notify(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(1.0)
        try:
            sender.sendto(state.encode(), address)
        except OSError:
            return  # the manager is gone; nobody is left to be told


def reloading() -> None:
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def watchdog_period_s() -> float | None:
    """The watchdog's period, or None when systemd asks for none of this process."""
    period = os.environ.get("WATCHDOG_USEC", "")
    if not period.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(period) / 1_000_000 or None


def watchdog_every_s() -> float | None:
    """How often to feed the watchdog: half of its period, as its manual page says."""
    period_s = watchdog_period_s()
    return None if period_s is None else period_s / 2


def turns_within_s(usual_s: float) -> float:
    """How long a loop's round may take: as usual, but noticed before a short watchdog bites."""
    period_s = watchdog_period_s()
    return usual_s if period_s is None else min(usual_s, period_s * 2 / 3)
