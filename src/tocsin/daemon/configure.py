"""Applying a configuration: whole or not at all. The last good one is kept at reload and at start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin.core.model import Entry
from tocsin.core.policy import Rulebook
from tocsin.core.tightening import tightened
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.apply import Applier
from tocsin.daemon.live import LiveState
from tocsin.daemon.overrides import FACT as OVERRIDES
from tocsin.daemon.overrides import laid_over
from tocsin.daemon.overrides import read as read_overrides
from tocsin.daemon.poll import Poller
from tocsin.errors import ConfigurationError, Refused
from tocsin.log import get_log
from tocsin.ports import Store, Transaction, WallClock

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Read:
    """A configuration as read: the rulebook, its document as JSON text (to start from when the files are broken), warnings."""

    rulebook: Rulebook
    document: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where configurations come from, and who has to know of a new one."""

    read: Callable[[], Read]
    restore: Callable[[str], Rulebook]
    changed: Callable[[Rulebook], Awaitable[None]]


class Configurator:
    def __init__(
        self,
        sources: Sources,
        live: LiveState,
        poller: Poller,
        applier: Applier,
        store: Store,
        alarms: Alarms,
        clock: WallClock,
    ) -> None:
        self._sources = sources
        self._live = live
        self._poller = poller
        self._applier = applier
        self._store = store
        self._alarms = alarms
        self._clock = clock
        self._lock = asyncio.Lock()
        self.last_reload_ok = True

    async def start(self, *, strict: bool) -> None:
        """Apply the files, or else the configuration that was applied last (not when `strict`)."""
        try:
            read = await asyncio.to_thread(self._sources.read)
        except ConfigurationError as error:
            stored = await self._store.write(lambda tx: tx.last_configuration())
            if strict or stored is None:
                raise
            read = Read(await asyncio.to_thread(self._sources.restore, stored[1]), stored[1])
            self._fail(error)
        await self._apply(read, "tocsin")

    async def reload(self, actor: str) -> dict[str, Any]:
        """Read the files again; what is wrong leaves everything as it was, and is an alarm."""
        async with self._lock:
            try:
                read = await asyncio.to_thread(self._sources.read)
            except ConfigurationError as error:
                self._fail(error)
                at, text = self._clock.now(), str(error)
                data = {"problems": [problem.as_dict() for problem in error.problems][:50]}
                await self._store.write(
                    lambda tx: tx.append([Entry(at, actor, "configuration_refused", "configuration", data)])
                )
                raise Refused(f"the rules were not applied, the ones in force stay:\n{text}") from None
            self.last_reload_ok = True
            self._alarms.clear("configuration")
            return await self._apply(read, actor)

    def _fail(self, error: ConfigurationError) -> None:
        self.last_reload_ok = False
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        self._alarms.raise_("configuration", f"the rules on disk are not in force: {error.problems[0]}{more}")

    async def _apply(self, read: Read, actor: str) -> dict[str, Any]:
        rulebook, now = read.rulebook, self._clock.now()
        before = self._live.rulebook
        stored = await self._store.write(lambda tx: _keep(tx, read, actor, now))
        rulebook = laid_over(rulebook, read_overrides(await self._store.write(lambda tx: tx.get_fact(OVERRIDES))))
        rulebook = tightened(rulebook, await self._store.write(lambda tx: tx.golives()))
        await self._sources.changed(rulebook)
        gone = self._poller.watch(rulebook, stored)
        wanted = {(check.system, check.name) for system in rulebook.systems.values() for check in system.checks}
        gone += [key for key in stored if key not in wanted and key not in gone]
        await self._load_cases(rulebook)
        await self._applier.withdraw(gone, actor)
        for warning in read.warnings:
            log.warning("Configuration", action="configuration_warning", text=warning)
        result: dict[str, Any] = {
            "version": rulebook.version,
            "changed": before.version != rulebook.version,
            "systems": len(rulebook.systems),
            "checks": len(wanted),
            "gone": [f"{system}/{name}" for system, name in gone],
            "warnings": list(read.warnings),
        }
        log.info("Configuration applied", action="configuration_applied", **result)
        return result

    async def _load_cases(self, rulebook: Rulebook) -> None:
        unknown = [name for name in rulebook.systems if name not in self._live.cases]
        for start in range(0, len(unknown), 500):
            part = unknown[start : start + 500]
            cases = await self._store.write(lambda tx, names=part: [tx.case(name) for name in names])  # type: ignore[misc]
            self._live.cases.update({case.system: case for case in cases})


def _keep(tx: Transaction, read: Read, actor: str, now: datetime) -> dict[tuple[str, str], Any]:
    """Store an applied configuration when it is another than the last; returns the checks as stored."""
    last = tx.last_configuration()
    if last is None or last[0] != read.rulebook.version:
        tx.keep_configuration(read.rulebook.version, read.document, actor, now)
        data = {
            "version": read.rulebook.version,
            "previous": None if last is None else last[0],
            "systems": len(read.rulebook.systems),
        }
        tx.append([Entry(now, actor, "configuration_applied", "configuration", data)])
    return tx.stored_checks()
