"""The rule files of a configuration, in the order of their paths."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tocsin.config.joined import Joined
from tocsin.config.reading import read_file
from tocsin.config.settings import Settings
from tocsin.errors import Problem


def read_folders(folders: Sequence[Path], settings: Settings) -> tuple[Joined, list[Problem]]:
    """Read and join all rule files. The second list is what lies there and is not read."""
    joined, warnings = Joined(), list[Problem]()
    for folder in dict.fromkeys(path.absolute() for path in folders):
        if not folder.is_dir():
            _no_folder(folder, settings, joined, warnings)
            continue
        for path in _entries(folder, joined):
            if path.suffix == ".yaml" and not path.is_dir():
                if not path.name.endswith("_test.yaml"):
                    joined.add(read_file(path, shown(path)), f"{folder.name}/{path.name}")
            else:
                warnings.append(Problem(shown(path), 0, 0, _why_not(path)))
    return joined, warnings


def shown(path: Path) -> str:
    """A path as people can use it from where they are."""
    inside = Path.cwd()
    return os.fspath(path.relative_to(inside)) if path.is_relative_to(inside) else os.fspath(path)


def _entries(folder: Path, joined: Joined) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        joined.problems.append(Problem(shown(folder), 0, 0, f"cannot be read: {error.strerror}"))


def _no_folder(folder: Path, settings: Settings, joined: Joined, warnings: list[Problem]) -> None:
    """A folder that somebody named must be there; the one that nobody named need not."""
    if settings.is_given("rules"):
        told = "is no folder" if folder.exists() else "is not there"
        joined.problems.append(settings.problem("rules", f"rules: {shown(folder)} {told} (name folders of rule files)"))
    else:
        warnings.append(Problem(shown(folder), 0, 0, "is not there: no rules are read"))


def _why_not(path: Path) -> str:
    if path.is_dir():
        return "is a folder inside a folder of rules and is not read (name it under rules: in the settings)"
    return f"is not read (rule files are named {path.stem}.yaml)"
