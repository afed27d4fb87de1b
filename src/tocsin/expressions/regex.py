"""Regular expressions as RE2 matches them: in time linear in the text, whatever the pattern and whoever wrote the text."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.expressions.syntax import check_regex
from tocsin.expressions.vocabulary import PROBE, environment

Found = Callable[[bytes], bool]


def compile_regex(pattern: str) -> Found:
    """Return whether the pattern is found anywhere in what is read as UTF-8. Raises `ExpressionError`."""
    check_regex(pattern)
    quoted = "".join(f"\\U{ord(character):08x}" for character in pattern)
    env = environment(PROBE)
    expression = env.compile(f'body.matches("{quoted}")')

    def found(data: bytes) -> bool:
        # NUL would end a text of CEL's early.
        text = data.decode("utf-8", "replace").replace("\0", "\ufffd")
        return expression.eval(env.Activation({"body": text})).value() is True

    return found
