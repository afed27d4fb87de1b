"""`validate` and `schema`: is the configuration right, and what may stand in it."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import hint, print_json, say
from tocsin.errors import ConfigurationError


class Document(StrEnum):
    SETTINGS = "settings"
    RULES = "rules"


def add_to(app: typer.Typer) -> None:
    command(app, "validate", validate)
    command(app, "schema", schema)


def validate(options: Options) -> int:
    """Check the settings and all rule files; every error at once. Exit code 2 when there is one."""
    from tocsin.config import load
    from tocsin.config.locate import settings_file

    try:
        found = load(settings_file(options.config, os.environ), os.environ)
    except ConfigurationError as error:
        if not options.json:
            raise
        print_json({"ok": False, "errors": [problem.as_dict() for problem in error.problems], "warnings": []})
        return 2
    warnings = found.rules.warnings
    if options.json:
        print_json({"ok": True, "errors": [], "warnings": [warning.as_dict() for warning in warnings]})
        return 0
    for warning in warnings:
        hint(f"warning: {warning.with_caret()}")
    systems = found.rules.rulebook.systems.values()
    say(
        f"{found.settings.file or 'defaults'}: right ({len(systems)} systems, {sum(len(s.checks) for s in systems)} checks)"
    )
    return 0


def schema(
    options: Options,
    document: Annotated[Document, typer.Argument(help="Of which file.")] = Document.RULES,
) -> int:
    """Print the JSON Schema of the settings or of rule files, for editors."""
    del options  # a schema is a JSON document with or without --json
    from tocsin.config import json_schema

    print_json(json_schema()[document])
    return 0
