"""All benchmarks, one after the other: `make bench`. Each can be run by itself, see its own first lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        print(f"== {path.stem}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{path.stem}"], check=False)
