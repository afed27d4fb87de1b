"""The one place where everything meets: which adapter stands behind which port, which loop calls which verb. It only wires."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin import __version__
from tocsin.config import load_rules, rulebook_from_document
from tocsin.config.spans import parse_span
from tocsin.core import verdict
from tocsin.core.case import Decision
from tocsin.core.model import Observation, Sample, Severity
from tocsin.core.policy import Check, Rulebook
from tocsin.daemon import alarms as alarm_names
from tocsin.daemon import systemd
from tocsin.daemon.alarms import Alarms
from tocsin.daemon.almanac import Almanac
from tocsin.daemon.answers import Answers
from tocsin.daemon.apply import Applier
from tocsin.daemon.auditor import Auditor
from tocsin.daemon.clock import SystemClock
from tocsin.daemon.commands import Changes, Commands, Tools
from tocsin.daemon.configure import Configurator, Read, Sources
from tocsin.daemon.descriptors import raise_open_files
from tocsin.daemon.disk import Disk
from tocsin.daemon.dispatch import Context, Dispatcher
from tocsin.daemon.gate import Gate
from tocsin.daemon.golive import GoLives
from tocsin.daemon.golive_figures import GoLiveFigures
from tocsin.daemon.golive_verbs import GoLiveVerbs, Readers
from tocsin.daemon.handover import HandOver
from tocsin.daemon.heartbeat import Heartbeat
from tocsin.daemon.history import History
from tocsin.daemon.housekeeping import Housekeeping
from tocsin.daemon.live import LiveState
from tocsin.daemon.ops_log import OpsLog
from tocsin.daemon.poll import Poller
from tocsin.daemon.retention import Keep, Retention
from tocsin.daemon.runner import TURNS_WITHIN_S, Runner
from tocsin.daemon.seal import Seal
from tocsin.daemon.serve import Servants, Service
from tocsin.daemon.timekeeper import Timekeeper
from tocsin.daemon.ways_out import WaysOut
from tocsin.expressions import compile_exit
from tocsin.log import get_log
from tocsin.probes import build_probes
from tocsin.store.engine import located
from tocsin.store.store import SqlStore
from tocsin.web.figures import OwnFigures, StoredFigures
from tocsin.web.metrics import Metrics

if TYPE_CHECKING:
    from tocsin.config.settings import Settings

log = get_log(__name__)


@dataclass(slots=True)
class Daemon:
    """The wired parts that starting and stopping need by name."""

    service: Service
    commands: Commands
    live: LiveState
    store: SqlStore


async def run(settings: Settings, environ: Mapping[str, str], *, strict: bool = False) -> int:
    """Run the daemon until SIGTERM or SIGINT. Raises what makes a start impossible; returns 0 after a clean stop."""
    raise_open_files()
    async with AsyncExitStack() as stack:
        daemon = await build(settings, environ, stack)
        await daemon.service.run(strict=strict)
    return 0


async def build(settings: Settings, environ: Mapping[str, str], stack: AsyncExitStack) -> Daemon:
    clock = SystemClock()
    store = SqlStore(settings.database, base=settings.base)
    stack.push_async_callback(store.close)
    live = LiveState(Rulebook())
    alarms = Alarms(store, clock, lambda: live.rulebook.alarms_to)
    changes = Changes()
    history = History(store, clock.now())
    runner = Runner(clock, alarms, systemd.turns_within_s(TURNS_WITHIN_S))
    ways = WaysOut(settings, clock.now)
    stack.push_async_callback(ways.close)

    def committed(decision: Decision) -> None:
        """After a commit: what it promised is sent, what it made due is timed, who watches is told."""
        if decision.notices:
            dispatch_loop.wake()
        time_loop.wake()
        ops_loop.wake()
        changes.happened()

    applier = Applier(live, store, clock, alarms, committed)
    probes = build_probes()
    stack.push_async_callback(probes.close)
    poller = Poller(live, probes, history, clock, applier.consider)
    context = Context(lambda: live.rulebook, settings.language, settings.timezone, settings.public_url or "")
    dispatcher = Dispatcher(store, clock, alarms, ways.current, context)
    timekeeper = Timekeeper(store, alarms, applier.remember, lambda: live.rulebook)
    ops_log = OpsLog(settings.data_dir / "ops", store, alarms, settings.timezone)
    heartbeat = Heartbeat(store, alarms, clock, poller)
    disk = Disk(_written_folders(settings), settings.disk_free, store, alarms)
    retention = Retention(store, _keep(settings), disk.tell_over_full)
    configurator = Configurator(
        Sources(lambda: _read(settings, environ), lambda text: _restore(settings, environ, text), ways.apply),
        live,
        poller,
        applier,
        store,
        alarms,
        clock,
    )

    apply_loop = runner.add("apply", applier.step)
    time_loop = runner.add("timekeeper", timekeeper.step)
    dispatch_loop = runner.add("dispatch", dispatcher.step)
    alarm_loop = runner.add("alarms", alarms.step)
    runner.add("handover", HandOver(store, alarms, lambda: live.rulebook, dispatch_loop.wake).step)

    def golive_committed() -> None:
        dispatch_loop.wake()
        changes.happened()

    figures = GoLiveFigures(store, live, history)
    golives = GoLives(store, live, figures, alarms, compile_exit, poller.tighten, golive_committed)
    golive_loop = runner.add("golive", golives.step)
    runner.add("auditor", Auditor(store, alarms).step)
    ops_loop = runner.add("ops_log", ops_log.step)
    runner.add("history", history.step)
    runner.add("heartbeat", heartbeat.step)
    runner.add("disk", disk.step)
    runner.add("almanac", Almanac(store, alarms, clock.reading, lambda: live.rulebook).step)
    runner.watch("poll", lambda: poller.turned_at)
    applier.wake, dispatcher.wake = apply_loop.wake, dispatch_loop.wake

    def alarmed() -> None:
        alarm_loop.wake()
        changes.happened()

    alarms.wake = alarmed
    alarms.promised = dispatch_loop.wake

    about = {
        "version": __version__,
        "started_at": clock.now().isoformat().replace("+00:00", "Z"),
        "without_slack": not ways.has_slack,
        "language": settings.language,
        "timezone": settings.timezone,
    }
    answers = Answers(live, store, clock, alarms, history, ways.current, about)
    tools = Tools(
        live, store, clock, alarms, applier, answers, changes, ways.current, configurator.reload, dispatch_loop.wake
    )
    golive_verbs = GoLiveVerbs(tools, golives, figures, Readers(compile_exit, parse_span), golive_loop.wake)
    commands = Commands(tools, golive_verbs.verbs)
    gate = Gate(settings.socket, commands, lambda: live.rulebook.people)

    def ready() -> list[str]:
        """Why this daemon does not do its job; empty when it does."""
        reasons = [f"the loop {name} has not turned for {runner.turns_within_s:.0f} s" for name in runner.late()]
        if not heartbeat.is_stored:
            reasons.append("the store does not answer")
        if not gate.is_open:
            reasons.append("the socket does not accept")
        return reasons

    async def stored_figures() -> StoredFigures:
        return StoredFigures(**await store.read(lambda queries: queries.figures(clock.now())))

    def own_figures() -> OwnFigures:
        return OwnFigures(
            severities=[severity.value for severity in Severity if severity in _used(live.rulebook)],
            channels=list(live.rulebook.channels),
            alarms={name: alarms.is_raised(name) for name in alarm_names.NAMES},
            storage_errors=store.errors,
            is_configuration_good=configurator.last_reload_ok,
            lag=(live.lag.edges, live.lag.counts, live.lag.total_s),
        )

    metrics = Metrics(live, stored_figures, own_figures, __version__)
    servants = Servants(
        poller=poller,
        runner=runner,
        dispatcher=dispatcher,
        history=history,
        ops_log=ops_log,
        heartbeat=heartbeat,
        housekeeping=Housekeeping(store, clock, settings.timezone, Seal(settings.data_dir), retention),
        gate=gate,
        configurator=configurator,
        changes=changes,
        listeners=_listeners(settings, commands, ways, live, metrics.__call__, ready),
        inbox=ways.inbox(commands, lambda: live.rulebook.people),
        ready=ready,
        clock=clock,
        version=__version__,
        blind_after=settings.blind_after,
    )
    return Daemon(Service(servants), commands, live, store)


def _written_folders(settings: Settings) -> list[Path]:
    _, path = located(settings.database, settings.base)
    return [settings.data_dir, *([path.parent] if path is not None else [])]


def _keep(settings: Settings) -> Keep:
    return Keep(
        minutes=settings.minutes_keep,
        history=settings.history_keep,
        failures=settings.failures_keep,
        journal=settings.journal_keep,
        history_max=settings.history_max,
    )


def _used(rulebook: Rulebook) -> set[Severity]:
    return {rule.severity for rule in rulebook.severity} | set(rulebook.response) | {Severity.P1, Severity.P2}


def _read(settings: Settings, environ: Mapping[str, str]) -> Read:
    loaded = load_rules(settings.rules, settings=settings, secrets=settings.secrets(environ))
    document = json.dumps(loaded.document, ensure_ascii=False, sort_keys=True)
    return Read(loaded.rulebook, document, tuple(str(warning) for warning in loaded.warnings))


def _restore(settings: Settings, environ: Mapping[str, str], document: str) -> Rulebook:
    return rulebook_from_document(json.loads(document), settings=settings, secrets=settings.secrets(environ)).rulebook


def _listeners(
    settings: Settings,
    commands: Commands,
    ways: WaysOut,
    live: LiveState,
    metrics: Callable[[], AsyncIterator[bytes]],
    ready: Callable[[], list[str]],
) -> list[Any]:
    """The HTTP servers: everything on `listen`, the read-only part on `metrics_listen`."""
    from tocsin.web.app import build_app, build_metrics_app
    from tocsin.web.server import WebServer

    def health() -> dict[str, Any]:
        return {"ok": True, "version": __version__}

    app = build_app(
        commands,
        metrics=metrics,
        health=health,
        ready=ready,
        slack_events=ways.events(commands, lambda: live.rulebook.people),
        language=settings.language,
        timezone=settings.timezone,
        version=__version__,
    )
    servers = [WebServer(app, settings.listen.host, settings.listen.port, setting="listen")]
    if settings.metrics_listen is not None:
        small = build_metrics_app(metrics=metrics, health=health, ready=ready)
        at = settings.metrics_listen
        servers.append(WebServer(small, at.host, at.port, setting="metrics_listen"))
    return servers


async def probe_once(check: Check) -> tuple[Observation, Sample]:
    """One probe now, judged; never enters state."""
    clock, probes = SystemClock(), build_probes()
    answered: asyncio.Future[Observation] = asyncio.get_running_loop().create_future()
    try:
        probes.start(check, answered.set_result)
        observation = await answered
        return observation, verdict.judge(check, observation, clock.now())
    finally:
        await probes.close()
