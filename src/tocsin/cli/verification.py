"""What `log verify` finds: the chain, its signed checkpoints, and those that were kept elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def verified(connection: Connection, kept_elsewhere: Path | None, key: str | None) -> dict[str, Any]:
    """The document of `log verify --json`."""
    from tocsin.daemon.seal import fingerprint, is_signed_right
    from tocsin.store import checkpoints, journal

    kept = list(_read(kept_elsewhere)) if kept_elsewhere is not None else []
    chain = journal.verify(connection).as_dict()
    if not chain["ok"]:
        return {**chain, "checkpoints": None}
    found = checkpoints.check(connection, is_signed_right)
    keys = [fingerprint(public) for public in found.keys] if found.broken is None else []
    others = [name for name in keys if key is not None and name != key]
    broken = found.broken or checkpoints.against(connection, kept)
    if broken is None and others:
        broken = (chain["last"], f"checkpoints were signed by another key: {', '.join(others)}")
    about = {"count": found.count, "signed": found.signed, "keys": keys, "kept_elsewhere": len(kept)}
    where = None if broken is None else {"sequence": broken[0], "why": broken[1]}
    return {**chain, "ok": broken is None, "broken": where, "checkpoints": about}


def _read(file: Path) -> Iterator[dict[str, Any]]:
    """Checkpoints in a file of ops log lines; other entries are passed over."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file}: {getattr(error, 'strerror', None) or error} (name a file of ops log lines)"
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if entry["action"] == "journal_checkpoint" and entry["data"] is not None:
                yield {"sequence": int(entry["data"]["sequence"]), "hash": str(entry["data"]["hash"])}
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{file}:{number}: is no line of an ops log") from error
