"""Take a port, or say who has it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

from tocsin.errors import UsageError

PROC = Path("/proc")
LISTENING = "0A"


def bind(setting: str, host: str, port: int) -> socket.socket:
    """A bound socket. `setting` is the name of the setting that asks for it (`listen`, `metrics_listen`)."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{setting}: {host!r} is no address of this machine ({error})") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageError(_why(error, setting, place, port)) from error
    listener.setblocking(False)
    return listener


def _why(error: OSError, setting: str, place: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            who = owner_of(port)
            return f"{setting}: port {port} is in use{f' by {who}' if who else ''} (end it, or set {setting}: to another port)"
        case errno.EACCES:
            return f"{setting}: {place} needs root (set {setting}: to a port from 1024 on)"
        case errno.EADDRNOTAVAIL:
            return f"{setting}: {place} is no address of this machine (set {setting}: to one that is)"
        case _:
            return f"{setting}: {place} cannot be taken: {error.strerror} (set {setting}: to another address)"


def owner_of(port: int) -> str | None:
    """`process 4711 (nginx)`, as far as /proc tells this account; None where it does not."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not wanted:
        return None
    for folder in PROC.glob("[0-9]*/fd"):
        try:
            has_it = any(str(entry.readlink()) in wanted for entry in folder.iterdir())
            name = folder.with_name("comm").read_text().strip() if has_it else ""
        except OSError:
            continue
        if has_it:
            return f"process {folder.parent.name} ({name})"
    return None


def _inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
