"""`tocsin COMMAND`: finds the command, and turns every expected error into a text and an exit code.

Exit codes: 0 done or yes, 1 a 'no', 2 usage or configuration, 3 the daemon cannot be reached.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from tocsin import __version__
from tocsin.cli.output import hint, print_json, say
from tocsin.cli.table import GROUPS, LATER, LATER_VERBS, help_text, known_commands
from tocsin.errors import ConfigurationError, DaemonUnreachable, Problem, TocsinError, UsageError

if TYPE_CHECKING:
    from typer import Typer

DONE, NO, USAGE, UNREACHABLE, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 130, 141

TAKES_VALUE = frozenset({"--config", "--socket", "--as"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _answer(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return PIPE_CLOSED
    except OSError as error:
        _forget_output()
        hint(f"tocsin: {error.filename or 'output'}: {error.strerror or error}")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _answer(words: list[str]) -> int:
    as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
    try:
        words = command_first(words)
        if not words:
            raise UsageError("no command (see 'tocsin --help')")
        if words[0] in ("--help", "--version"):
            say(help_text() if words[0] == "--help" else f"tocsin {__version__}")
            return DONE
        _refuse_unknown(words)
        return _invoke(words)
    except TocsinError as error:
        return _report(error, as_json)


def command_first(words: Sequence[str]) -> list[str]:
    """Move the common options that stand before the command, or between a noun and its verb, to the end of it."""
    path: list[str] = []
    moved: list[str] = []
    rest = list(words)
    while rest and len(path) < (2 if path and path[0] in GROUPS else 1):
        word = rest.pop(0)
        if word in TAKES_VALUE and rest:
            moved += [word, rest.pop(0)]
        elif word == "--json" or (word.partition("=")[0] in TAKES_VALUE and "=" in word):
            moved.append(word)
        elif word.startswith("-"):
            return [*path, word, *moved, *rest]
        else:
            path.append(word)
    return [*path, *moved, *rest]


def _refuse_unknown(words: Sequence[str]) -> None:
    if words[0] in LATER:
        raise UsageError(f"'{words[0]}' is not in this version (see 'tocsin --help' for what is)")
    if tuple(words[:2]) in LATER_VERBS:
        raise UsageError(f"'{' '.join(words[:2])}' is not in this version (see 'tocsin {words[0]} --help' for what is)")
    if words[0] not in known_commands():
        kind = "option before the command" if words[0].startswith("-") else "command"
        raise UsageError(f"no such {kind}: {words[0]}{_did_you_mean(words[0])} (see 'tocsin --help')")
    if words[0] in GROUPS and (len(words) == 1 or (words[1].startswith("-") and "--help" not in words)):
        verbs = known_commands()[words[0]].summary.partition(":")[0].rstrip(".")
        raise UsageError(f"'{words[0]}' needs a verb: {verbs} (see 'tocsin {words[0]} --help')")


def _did_you_mean(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, known_commands(), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _invoke(words: list[str]) -> int:
    """Parse and call, without typer's own handling of errors: it would answer a closed pipe with a 'no'."""
    import typer
    from typer.exceptions import TyperException

    root = typer.main.get_command(application([known_commands()[words[0]].file]))
    try:
        with root.make_context("tocsin", words) as context:
            return root.invoke(context) or DONE
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except TyperException as error:
        raise UsageError(_usage_text(error)) from error


def _usage_text(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    text = str(getattr(error, "format_message", lambda: error)())
    if context is None:
        return text
    return f"{text[:1].lower()}{text[1:].rstrip('.')} (see '{context.command_path} --help')"


def _report(error: TocsinError, as_json: bool) -> int:
    code = exit_code(error)
    problems = error.problems if isinstance(error, ConfigurationError) else (Problem("", 0, 0, str(error)),)
    if as_json:
        print_json({"ok": False, "errors": [problem.as_dict() for problem in problems]})
        sys.stdout.flush()
    for problem in problems:
        hint(problem.with_caret() if problem.file else f"tocsin: {problem.message}")
    return code


def exit_code(error: TocsinError) -> int:
    match error:
        case DaemonUnreachable():
            return UNREACHABLE
        case ConfigurationError() | UsageError():
            return USAGE
        case _:
            return NO


def _forget_output() -> None:
    """Point standard output nowhere, so that the interpreter's last flush finds no closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def application(files: Iterable[str]) -> Typer:
    """The commands of some files of this folder. Only what was asked for is imported."""
    import typer

    app = typer.Typer(name="tocsin", rich_markup_mode=None, add_completion=False)
    app.callback()(_nothing)
    for file in files:
        import_module(f"tocsin.cli.{file}").add_to(app)
    return app


def _nothing() -> None:
    """Keeps a single command from becoming the whole program."""
