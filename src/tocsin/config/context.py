"""What every part of the building of a rulebook has at hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

from tocsin.config.document import Path
from tocsin.config.findings import Findings
from tocsin.config.scalars import SecretName
from tocsin.config.secrets import MissingSecret, Secrets
from tocsin.config.settings import Settings
from tocsin.config.words import suggestion

MAX_TLS_FILE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    secrets: Secrets
    findings: Findings
    now: Callable[[], datetime]

    def resolved(self, value: SecretName | str | None, path: Path) -> str:
        """The text itself, or the secret that it names; empty, and noted, when there is no such secret."""
        if not isinstance(value, SecretName):
            return value or ""
        try:
            return self.secrets.get(value.name)
        except MissingSecret as error:
            self.findings.error(path, str(error))
            return ""

    def file(self, written: str | None, path: Path) -> tuple[str | None, str]:
        """The absolute path of a PEM file that can be read, and the digest of what it holds."""
        if written is None:
            return None, ""
        file = self.settings.base / FilePath(written).expanduser()
        try:
            with file.open("rb") as opened:
                content = opened.read(MAX_TLS_FILE)
        except OSError as error:
            self.findings.error(path, f"{file} cannot be read: {error.strerror}")
            return None, ""
        if b"-----BEGIN " not in content:
            self.findings.error(path, f"{file} holds nothing in PEM format (-----BEGIN …)")
        return str(file), hashlib.sha256(content).hexdigest()

    def known(self, name: str, names: Mapping[str, Any], thing: str, path: Path, *, section: str) -> bool:
        """Whether a name is among the known ones; noted if not, with what would be right."""
        if name in names:
            return True
        fallback = f" (known: {', '.join(names)})" if names else ""
        near = suggestion(name, list(names), fallback=fallback)
        self.findings.error(path, f'unknown {thing} "{name}"{near or f" (add it under {section}:)"}')
        return False


def digest(value: Any) -> str:
    """A version: the same for the same meaning, whatever the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def trace(secret: str) -> str:
    """So little of a secret's digest that a version that holds it tells nothing, and enough that a new secret is a new version."""
    return hashlib.sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()[:4]
