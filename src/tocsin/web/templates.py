"""Pages from templates, rendered in slices so that a long page does not hold up the probes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

SLICE_S = 0.005


class Templates:
    """Jinja is imported at the first page, in a thread: a daemon that nobody looks at does not pay for it."""

    def __init__(self, asset_url: Callable[[str], str]) -> None:
        self._asset_url = asset_url
        self._environment: Environment | None = None

    async def render(self, name: str, **context: Any) -> str:
        if self._environment is None:
            self._environment = await asyncio.to_thread(_environment)
        pieces: list[str] = []
        began = perf_counter()
        for piece in self._environment.get_template(name).generate(asset=self._asset_url, **context):
            pieces.append(piece)
            if perf_counter() - began > SLICE_S:
                await asyncio.sleep(0)
                began = perf_counter()
        return "".join(pieces)


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tocsin.web"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in environment.list_templates():
        environment.get_template(name)
    return environment
