"""How far a long piece of work has come: on standard error, one line that is written over on a terminal, a line a part elsewhere."""

from __future__ import annotations

import sys
import time

REDRAW_S = 0.2


class ProgressLine:
    """Called with what is being done, how much of it is done, and how much there is."""

    def __init__(self) -> None:
        self._shown_at = 0.0
        self._is_open = False

    def __call__(self, what: str, done: int, total: int) -> None:
        is_done = done >= total
        if sys.stderr.isatty():
            if is_done or time.monotonic() - self._shown_at >= REDRAW_S:
                self._shown_at = time.monotonic()
                sys.stderr.write(f"\r\x1b[K{what}: {done:,} of {total:,}")
                sys.stderr.flush()
                self._is_open = True
        elif is_done:
            sys.stderr.write(f"{what}: {total:,}\n")

    def end(self) -> None:
        if self._is_open:
            sys.stderr.write("\n")
            self._is_open = False
