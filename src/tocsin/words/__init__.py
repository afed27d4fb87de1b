"""The words that people see, by language. One pair of files a place (`slack.en.toml`, `slack.zh_CN.toml`), flat keys.

`{name}` stands for what is filled in. A test holds the pairs together: the same keys, the same placeholders.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh_CN")

Words = Callable[..., str]
"""`words("incident.opened", system="ERP")`: the text of a key with its placeholders filled."""


@cache
def catalogue(place: str, language: str) -> dict[str, str]:
    """All texts of a place in a language (English for a language that is not spoken here)."""
    spoken = language if language in LANGUAGES else "en"
    nested = tomllib.loads(files(__package__).joinpath(f"{place}.{spoken}.toml").read_text(encoding="utf-8"))
    return {f"{table}.{key}": text for table, entries in nested.items() for key, text in entries.items()}


@cache
def words(place: str, language: str) -> Words:
    texts = catalogue(place, language)

    def say(key: str, **filled: object) -> str:
        return texts[key].format(**filled) if filled else texts[key]

    return say
