"""Write requirements.txt and requirements-dev.txt: every package with its version and hashes, and no address of any registry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEADER = "# Made by `make lock`. Versions and hashes only.\n"
BUILD = "hatchling\neditables\n"


def lock(target: str, *arguments: str) -> None:
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-header", "--no-annotate", "--no-emit-find-links", "--no-emit-index-url"),
        *("--no-config", *arguments),
    ]
    result = subprocess.run(command, check=True, capture_output=True, text=True, input=BUILD)
    text = HEADER + result.stdout
    if "://" in text:
        raise SystemExit(f"{target}: an address stands in the lock file")
    Path(target).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    lock("requirements.txt", "pyproject.toml", "-")
    lock("requirements-dev.txt", "pyproject.toml", "-", "--group", "dev", "-c", "requirements.txt")
