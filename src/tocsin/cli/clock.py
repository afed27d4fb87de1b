"""`clock …`: the arithmetic of deadlines, segment by segment."""

from __future__ import annotations

import typer

from tocsin.cli.command import group


def add_to(app: typer.Typer) -> None:
    group(app, "clock", "The arithmetic of deadlines.")
