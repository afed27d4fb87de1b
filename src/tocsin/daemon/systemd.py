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


def watchdog_every_s() -> float | None:
    """Half of the watchdog's period, or None when systemd asks for none of this process."""
    period = os.environ.get("WATCHDOG_USEC", "")
    if not period.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(period) / 2_000_000
