"""`doctor`: everything around Tocsin that must be right for it to do its work, each with what to do where it is not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.finding import Finding, Level
from tocsin.cli.output import Cell, print_json, print_table, say
from tocsin.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from tocsin.config.settings import Settings

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}


def add_to(app: typer.Typer) -> None:
    command(app, "doctor", doctor)


def doctor(options: Options) -> int:
    """Look at settings, clock, names, ports, rights, Slack, disk, calendars. Exit code 1 when there is a problem."""
    findings = examined(options)
    has_problem = any(finding.level is Level.PROBLEM for finding in findings)
    if options.json:
        print_json({"ok": not has_problem, "findings": [finding.as_dict() for finding in findings]})
    else:
        _print(findings)
    return 1 if has_problem else 0


def examined(options: Options) -> list[Finding]:
    """All findings, in the order in which they are shown. What cannot be read hides what depends on it."""
    from tocsin.cli.configuration import config_of
    from tocsin.config import load_settings

    try:
        settings = load_settings(config_of(options), os.environ)
    except ConfigurationError as error:
        return [*_broken("settings", error.problems)]
    return [*_of_settings(settings), *_of_machine(options, settings), *_of_rules(settings)]


def _of_settings(settings: Settings) -> list[Finding]:
    warnings = [_warning("settings", problem) for problem in settings.warnings]
    return warnings or [Finding("settings", Level.OK, str(settings.file or "the defaults"))]


def _of_machine(options: Options, settings: Settings) -> list[Finding]:
    from tocsin.cli import doctor_data, doctor_machine

    return [
        *doctor_machine.daemon(options),
        *doctor_data.database(settings),
        *doctor_data.seal(settings),
        *doctor_machine.rights(settings),
        *doctor_machine.disk(settings),
        *doctor_machine.zones(settings),
    ]


def _of_rules(settings: Settings) -> list[Finding]:
    """What needs the rules: calendars, and the network around the systems that they name."""
    from tocsin.cli import doctor_machine, doctor_network
    from tocsin.config import load_rules

    try:
        loaded = load_rules(settings.rules, settings=settings, secrets=settings.secrets(os.environ))
    except ConfigurationError as error:
        return [*_broken("rules", error.problems), *asyncio.run(doctor_network.slack(settings))]
    rulebook = loaded.rulebook
    checks = [check for system in rulebook.systems.values() for check in system.checks]
    right = Finding("rules", Level.OK, f"{len(rulebook.systems)} systems, {len(checks)} checks")
    own = set(settings.warnings)
    warnings = [_warning("rules", problem) for problem in loaded.warnings if problem not in own]
    return [
        right,
        *warnings,
        *doctor_machine.holidays(rulebook),
        *asyncio.run(doctor_network.examined(settings, rulebook, checks)),
    ]


def _broken(area: str, problems: Iterable[Problem]) -> list[Finding]:
    advice = "mend it; 'tocsin validate' shows the place"
    return [Finding(area, Level.PROBLEM, str(problem), advice) for problem in problems]


def _warning(area: str, problem: Problem) -> Finding:
    return Finding(area, Level.WARNING, str(problem))


def _print(findings: list[Finding]) -> None:
    rows = [(Cell(finding.level.value, STYLES[finding.level]), finding.area, finding.line()) for finding in findings]
    print_table(("", "of", "found"), rows)
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    say(f"{counts[Level.PROBLEM]} problems, {counts[Level.WARNING]} warnings, {counts[Level.OK]} right")
