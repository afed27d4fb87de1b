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
    command(app, "validate")(validate)
    command(app, "schema")(schema)


def validate(options: Options) -> int:
    """Check the settings and all rule files; every error at once. Exit code 2 when there is one."""
    return 0


def schema(
    options: Options,
    document: Annotated[Document, typer.Argument(metavar="[settings|rules]", help="Of which file.")] = Document.RULES,
) -> int:
    """Print the JSON Schema of a file, for editors."""
    return 0
