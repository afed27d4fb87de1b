"""`log …`: the journal, straight from the database, so that it can be read and verified without a daemon."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.journal_view import details
from tocsin.cli.output import one_line, print_json, say, say_styled
from tocsin.cli.times import local
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

FOLLOW_S = 1.0


def add_to(app: typer.Typer) -> None:
    noun = group(app, "log", "The journal: everything that happened.")
    command(noun, "tail", tail)
    command(noun, "grep", grep)
    command(noun, "verify", verify)
    command(noun, "export", export)


def tail(
    options: Options,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=100_000, help="How many entries.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens.")] = False,
) -> int:
    """Show the newest entries."""
    if follow and options.json:
        raise UsageError("--follow has no end and --json is one document (leave one of them out)")
    from tocsin.store import journal

    with _reading(options) as connection:
        found = journal.newest(connection, lines)
        if options.json:
            print_json(found)
            return 0
        _print_lines(found)
        if follow:
            _follow(connection, found[-1]["sequence"] if found else 0)
    return 0


def _follow(connection: Connection, after: int) -> None:
    """Print new entries until Ctrl-C."""
    from tocsin.store import journal

    while True:
        sys.stdout.flush()
        connection.rollback()
        for entry in journal.read_all(connection, after=after):
            after = entry["sequence"]
            _print_line(entry)
        time.sleep(FOLLOW_S)


def grep(
    options: Options,
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="A regular expression; case does not matter.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="At most so many entries.")] = 10_000,
) -> int:
    """Show entries in which a text stands: actor, action, subject or data. Exit code 1 when there is none."""
    from tocsin.store import journal

    matches = _matcher(pattern)
    found = 0
    with _reading(options) as connection:
        kept = (entry for entry in journal.read_all(connection) if matches(entry))
        if options.json:
            document = _first(kept, limit)
            found = len(document)
            print_json(document)
        else:
            for entry in _first(kept, limit):
                _print_line(entry)
                found += 1
    return 0 if found else 1


def _matcher(pattern: str) -> Callable[[dict[str, Any]], bool]:
    try:
        expression = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"'{pattern}' is not a regular expression: {error}") from error
    return lambda entry: expression.search(_searched(entry)) is not None


def _searched(entry: dict[str, Any]) -> str:
    data = json.dumps(entry["data"], ensure_ascii=False)
    return f"{entry['at']} {entry['actor']} {entry['action']} {entry['subject']} {data}"


def _first(entries: Iterator[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    from itertools import islice

    return list(islice(entries, limit))


def verify(
    options: Options,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE", help="Checkpoints that were kept elsewhere, as ops log lines."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="FINGERPRINT", help="The only key that may have signed.")
    ] = None,
) -> int:
    """Walk the whole chain: any edit, deletion, reordering or cut is found and named. Exit code 1 when it is broken."""
    from tocsin.cli.verification import verified

    with _reading(options) as connection:
        found = verified(connection, against, key)
    if options.json:
        print_json(found)
    elif found["ok"]:
        checkpoints = found["checkpoints"]
        say(f"The journal is whole: {found['entries']} entries, {found['first']} to {found['last']}.")
        say(
            f"{checkpoints['count']} checkpoints, {checkpoints['signed']} signed by {', '.join(checkpoints['keys']) or 'no key'}."
        )
    else:
        broken = found["broken"]
        say_styled(f"The journal is broken at entry {broken['sequence']}: {broken['why']}", "bold red")
    return 0 if found["ok"] else 1


def export(
    options: Options,
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Instead of standard output.")] = None,
) -> int:
    """Write the whole journal, one JSON document a line (with --json: one array)."""
    from tocsin.store import journal

    with _reading(options) as connection, _writing(output) as out:
        entries = journal.read_all(connection)
        _write_array(entries, out) if options.json and output is None else _write_lines(entries, out)
    if output is not None:
        print_json({"ok": True, "written": str(output)}) if options.json else say(f"wrote {output}")
    return 0


def _write_lines(entries: Iterable[dict[str, Any]], out: TextIO) -> None:
    out.writelines(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n" for entry in entries)


def _write_array(entries: Iterable[dict[str, Any]], out: TextIO) -> None:
    between = "[\n"
    for entry in entries:
        out.write(between + json.dumps(entry, ensure_ascii=False))
        between = ",\n"
    out.write("[]\n" if between == "[\n" else "\n]\n")


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        file = output.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise UsageError(f"{output}: exists already (name another file)") from error
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror} (name a file that can be written)") from error
    with file:
        yield file


@contextmanager
def _reading(options: Options) -> Iterator[Connection]:
    from tocsin.cli.configuration import reading_database

    with reading_database(options) as connection:
        yield connection


def _print_lines(entries: Iterable[dict[str, Any]]) -> None:
    for entry in entries:
        _print_line(entry)


def _print_line(entry: dict[str, Any]) -> None:
    head = f"{entry['sequence']} {local(entry['at'])} {entry['actor']} {entry['action']} {entry['subject']}"
    say(one_line(f"{head} {details(entry['data'])}"))
