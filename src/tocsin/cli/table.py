"""Which commands there are, where they live, and which belong to a later version. Nothing is imported here: `--help` is fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A command of this version: the file in `cli/` that holds it, and what it does in a few words."""

    file: str
    summary: str


COMMANDS: Mapping[str, Mapping[str, Known]] = {
    "When it rings": {
        "ack": Known("incident", "Acknowledge an incident: you are on it."),
        "status": Known("status", "Systems, open incidents, alarms."),
        "board": Known("board", "The deadline board, live, sorted by time left."),
        "incident": Known(
            "incident",
            "list, show, ack, unack, note, severity, resolve, reopen, assign, escalate, pause, resume, replan, exclude.",
        ),
        "check": Known("check", "Probe a system or check now, and show everything."),
        "explain": Known("explain", "Why this severity, these notices, this deadline."),
        "oncall": Known("oncall", "show, override, export, import: who is on call."),
        "history": Known("history", "Response time and failure rate over a period."),
        "golive": Known(
            "golive",
            "list, show, start, note, checkpoint, extend, review, signoff, cancel, rollback: go-lives, closely watched.",
        ),
    },
    "Setting up": {
        "init": Known("init", "Write a starter configuration."),
        "validate": Known("validate", "Check the configuration; every error at once."),
        "schema": Known("validate", "JSON Schema of the files, for editors."),
        "what-if": Known("explain", "What a failure would do: severity, deadlines, notices."),
        "clock": Known("clock", "due, measure, explain: the arithmetic of deadlines."),
        "channel": Known("channel", "list, test: the ways in which people are told."),
        "demo": Known("demo", "run, break, slow, fix: try it on three stand-in systems."),
    },
    "Running": {
        "run": Known("run", "The daemon, in the foreground."),
        "reload": Known("run", "Read the rules again."),
        "notices": Known("notices", "list, retry: what people must be told."),
        "log": Known("log", "tail, grep, verify, export: the journal."),
        "db": Known("db", "status, upgrade, copy: the database of Tocsin's own data."),
        "backup": Known("backup", "Everything in one verified file, while the daemon runs."),
        "restore": Known("restore", "A backup in the place of the database."),
        "doctor": Known("doctor", "Clock, names, ports, rights, Slack, disk: is all around it right."),
    },
}

GROUPS = frozenset({"incident", "oncall", "golive", "clock", "channel", "demo", "notices", "log", "db"})
"""Commands that have verbs of their own."""

LATER = frozenset(
    (
        *("drill", "export", "followup", "import", "maintenance", "node"),
        *("plan", "report", "rules", "silence", "simulate", "token", "user"),
    )
)
LATER_VERBS: frozenset[tuple[str, str]] = frozenset()

EXIT_CODES = "Exit codes: 0 done or yes, 1 a 'no', 2 usage or configuration, 3 the daemon cannot be reached."


def known_commands() -> dict[str, Known]:
    return {name: known for section in COMMANDS.values() for name, known in section.items()}


def help_text() -> str:
    """What `tocsin --help` says."""
    lines = ["Usage: tocsin COMMAND [OPTIONS] [ARGUMENTS]", ""]
    lines += ["Watches business systems, decides what is an incident, holds people to the response deadline.", ""]
    for heading, section in COMMANDS.items():
        lines += [f"{heading}:", *(f"  {name:<10}{known.summary}" for name, known in section.items()), ""]
    lines += [
        "Every command has --help, --json (exactly one JSON document), --config FILE and --socket PATH.",
        EXIT_CODES,
    ]
    return "\n".join(lines)
