"""`init`: a starter configuration that validates."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import print_json, say
from tocsin.errors import Refused, UsageError

LANGUAGES = ("en", "zh_CN")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a starter configuration is made of."""

    name: str
    title: str
    url: str
    owner: str
    owner_name: str
    tier: str
    slack_channel: str | None
    language: str
    timezone: str | None


def add_to(app: typer.Typer) -> None:
    command(app, "init", init)


def init(
    options: Options,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write.")] = Path(),
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="The first system's short name.")] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What people call it.")] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Its health address.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="PERSON", help="Who answers for it: li.na")] = None,
    owner_name: Annotated[str | None, typer.Option("--owner-name", metavar="NAME", help="That person's name.")] = None,
    tier: Annotated[str, typer.Option("--tier", metavar="WORD", help="core: its outage is a P1.")] = "core",
    slack_channel: Annotated[str | None, typer.Option("--slack-channel", metavar="ID", help="Such as C0123.")] = None,
    language: Annotated[str, typer.Option("--language", metavar="en|zh_CN", help="For pages and Slack.")] = "en",
    timezone: Annotated[str | None, typer.Option("--timezone", metavar="ZONE", help="Default: this machine's.")] = None,
) -> int:
    """Write a starter configuration: tocsin.yaml and rules/. Asks for what was not given, on a terminal."""
    given = {"name": name, "url": url, "owner": owner}
    if not options.json and sys.stdin.isatty() and sys.stdout.isatty():
        given = {key: value or _ask(key) for key, value in given.items()}
        slack_channel = slack_channel or _ask("slack_channel") or None
    if missing := [key for key, value in given.items() if not value]:
        raise UsageError(f"not known: {', '.join(missing)} (give {' '.join(f'--{key} …' for key in missing)})")
    known = {key: str(value) for key, value in given.items()}
    if language not in LANGUAGES:
        raise UsageError(f"unknown language '{language}' (use {' or '.join(LANGUAGES)})")
    answers = Answers(
        known["name"],
        title or known["name"].upper(),
        known["url"],
        known["owner"],
        owner_name or known["owner"],
        tier,
        slack_channel,
        language,
        timezone,
    )
    written = write(folder, files_of(answers))
    _tell(options, folder, answers, written)
    return 0


def _ask(key: str) -> str:
    questions = {
        "name": "Short name of the first system (erp)",
        "url": "Its health address (https://erp.example.com/health)",
        "owner": "Who answers for it (li.na)",
        "slack_channel": "Slack channel that is told (C0123, empty for none yet)",
    }
    try:
        return input(f"{questions[key]}: ").strip()
    except EOFError as error:
        raise UsageError(f"not known: {key} (answer the question, or give --{key.replace('_', '-')})") from error


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files after they validated in a folder of their own; what exists is never overwritten."""
    targets = {folder / name: text for name, text in files.items()}
    if existing := [str(path) for path in targets if path.exists()]:
        raise Refused(
            f"{', '.join(existing)}: exists already, nothing was written (name another folder: 'tocsin init DIR')"
        )
    with tempfile.TemporaryDirectory(prefix="tocsin-init-") as trial:
        _write_all(Path(trial), files)
        _validate(Path(trial))
    _write_all(folder, files)
    return list(targets)


def _write_all(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)


def _validate(folder: Path) -> None:
    from tocsin.cli.configuration import load

    load(folder / "tocsin.yaml", {})


def _tell(options: Options, folder: Path, answers: Answers, written: list[Path]) -> None:
    if options.json:
        print_json({"ok": True, "written": [str(path) for path in written]})
        return
    say("\n".join(f"wrote {path}" for path in written))
    flag = "" if folder == Path() else f" --config {folder / 'tocsin.yaml'}"
    say("\nNext:")
    say(f"  tocsin validate{flag}")
    say(f"  tocsin check {answers.name}{flag}")
    say(f"  tocsin run{flag}")
    if answers.slack_channel:
        say(
            "Slack tokens belong in the environment (TOCSIN_SLACK__BOT_TOKEN, TOCSIN_SLACK__APP_TOKEN) or in secrets_dir."
        )


def files_of(answers: Answers) -> dict[str, str]:
    """The starter files by name."""
    return {"tocsin.yaml": _settings(answers), "rules/policy.yaml": POLICY, "rules/systems.yaml": _systems(answers)}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _settings(answers: Answers) -> str:
    timezone = f"timezone: {_quoted(answers.timezone)}\n" if answers.timezone else ""
    slack = f"slack:\n  channel: {_quoted(answers.slack_channel)}\n" if answers.slack_channel else NO_SLACK
    return f"""# Tocsin's settings. Each may also come from the environment: TOCSIN_LISTEN, TOCSIN_SLACK__BOT_TOKEN …
database: sqlite:///var/tocsin.db
data_dir: var
listen: 127.0.0.1:8600
socket: var/tocsin.sock
rules: [rules]
language: {answers.language}
{timezone}{slack}"""


def _systems(answers: Answers) -> str:
    return f"""# What is watched, and who answers for it.
systems:
  {_quoted(answers.name)}:
    title: {_quoted(answers.title)}
    owner: {_quoted(answers.owner)}
    tier: {_quoted(answers.tier)}
    checks:
      health:
        http: {_quoted(answers.url)}
        every: 30s
        fail_after: 3
        recover_after: 2
people:
  # login: the person's account on this machine, so that what is typed there is theirs; slack: U0123 for the button.
  {_quoted(answers.owner)}: {{name: {_quoted(answers.owner_name)}}}
"""


NO_SLACK = """# slack:
#   channel: C0123                 # without it nobody is told; tokens come from the environment or secrets_dir
"""

POLICY = """# How grave a failure is (the first rule that matches), and how fast people must answer.
severity:
  - {name: core system down, when: 'system.tier == "core" && status == "down"', is: P1}
  - {name: anything else that fails, when: 'status == "down" || status == "degraded"', is: P2}
response:
  P1: {acknowledge: 1h, resolve: 4h, remind: [50%, 75%, 90%, 100%]}
  P2: {acknowledge: 4h, resolve: 24h, remind: [75%, 100%]}
"""
