"""How a command is declared: the options that every command has are added here, once."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from tocsin.cli.client import TIMEOUT_S, Client
from tocsin.config.locate import socket_candidates


@dataclass(frozen=True, slots=True)
class Options:
    """What every command may be told."""

    config: Path | None = None
    json: bool = False
    socket: Path | None = None
    actor: str | None = None

    def client(self, timeout_s: float = TIMEOUT_S) -> Client:
        return Client(tuple(dict.fromkeys(socket_candidates(self.socket, self.config, os.environ))), timeout_s)


Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The settings file.")]
Socket = Annotated[Path | None, typer.Option("--socket", metavar="PATH", help="The daemon's socket.")]
Actor = Annotated[str | None, typer.Option("--as", metavar="PERSON", help="Act for a person (root only).")]

Handler = Callable[..., int | None]


def command(app: typer.Typer, name: str, handler: Handler, *, acts: bool = False) -> None:
    """Declare a command: a function of `Options` and its own parameters that returns the exit code (None is 0)."""
    app.command(name)(_with_common_options(handler, acts))


def _with_common_options(handler: Handler, acts: bool) -> Handler:
    @functools.wraps(handler)
    def call(*, json: bool, config: Path | None, socket: Path | None, as_person: str | None = None, **own: Any) -> int:
        return handler(Options(config, json, socket, as_person), **own) or 0

    hints = get_type_hints(handler, include_extras=True)
    common: dict[str, Any] = {"json": Json, "config": Config, "socket": Socket} | ({"as_person": Actor} if acts else {})
    own = list(inspect.signature(handler).parameters.values())[1:]
    defaults = {"json": False}
    parameters = [p.replace(annotation=hints[p.name], kind=p.KEYWORD_ONLY) for p in own] + [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(key), annotation=kind)
        for key, kind in common.items()
    ]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return call


def group(app: typer.Typer, name: str, summary: str) -> typer.Typer:
    """A noun with its verbs."""
    noun = typer.Typer(help=summary, rich_markup_mode=None, add_completion=False)
    app.add_typer(noun, name=name)
    return noun
