"""Secrets that rules name: `{secret: erp_token}` is the file of that name, else `TOCSIN_SECRET_ERP_TOKEN`."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from tocsin.errors import TocsinError

MAX_SECRET = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class MissingSecret(TocsinError):
    """A secret that is not there, or cannot be read; the text says where it was looked for."""


class Secrets:
    """Reads secrets by name. Values are never kept here, so that a reload sees new ones."""

    def __init__(self, folders: Sequence[Path], environ: Mapping[str, str]) -> None:
        self._folders = tuple(folders)
        self._environ = environ

    def get(self, name: str) -> str:
        """Return the secret, a trailing line end left out. Raises `MissingSecret`."""
        if not _NAME.fullmatch(name):
            raise MissingSecret(f'"{name}" cannot name a secret (letters, digits, _ . -)')
        for folder in self._folders:
            if (found := _read(folder / name)) is not None:
                return found
        if found := self._environ.get(variable(name)):
            return found
        looked = [str(folder / name) for folder in self._folders] + [variable(name)]
        advice = "" if self._folders else "; secrets_dir is not set"
        raise MissingSecret(f'secret "{name}" is not there (looked for {" and ".join(looked)}{advice})')


def variable(name: str) -> str:
    """The environment variable of a secret."""
    return "TOCSIN_SECRET_" + re.sub(r"[.-]", "_", name).upper()


def too_open(path: Path, mode: int) -> str | None:
    """Why a secret is none: everybody on the machine may open its file. What is mounted under /run is the mounter's business."""
    if not mode & stat.S_IRWXO or path.is_relative_to("/run") or not _is_reachable(path):
        return None
    return (
        f"may be opened by everybody on this machine (mode {stat.S_IMODE(mode):04o}; chmod 0600 it, 0640 for a group)"
    )


def _is_reachable(path: Path) -> bool:
    """Whether everybody may pass through all the folders above."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_SECRET + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MissingSecret(f"{path} cannot be read: {error.strerror}") from None
    if (why := too_open(path, mode)) is not None:
        raise MissingSecret(f"{path} {why}")
    if len(content) > MAX_SECRET:
        raise MissingSecret(f"{path} is larger than {MAX_SECRET // 1024} KiB: that is no secret")
    try:
        text = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise MissingSecret(f"{path} is not UTF-8 text") from None
    if not text:
        raise MissingSecret(f"{path} is empty")
    return text
