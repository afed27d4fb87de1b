"""`run` and `reload`: the daemon in the foreground, and its configuration read again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.command import Options, command
from tocsin.cli.output import print_json, say
from tocsin.errors import UsageError


def add_to(app: typer.Typer) -> None:
    command(app, "run")(run)
    command(app, "reload", acts=True)(reload)
