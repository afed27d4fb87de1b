"""Start to ready with 100 checks and an existing database, and the memory of the daemon without Slack.

    python -m benchmarks.start [CHECKS] [ROUNDS]

Targets: ready in under 1 s, resident memory under 90 MB.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

PROGRAM = [sys.executable, "-m", "tocsin"]


def configuration(folder: Path, checks: int) -> Path:
    """Checks of systems that nobody serves: a refused connection is an answer as well."""
    (folder / "rules").mkdir()
    lines = ["systems:"]
    for number in range(checks):
        target = f"http://127.0.0.1:9/{number}"
        lines.append(f"  s{number}: {{owner: nobody, checks: {{health: {{http: '{target}', every: 30s}}}}}}")
    (folder / "rules" / "systems.yaml").write_text("\n".join(lines) + "\n")
    config = folder / "tocsin.yaml"
    config.write_text("listen: 127.0.0.1:0\nsocket: s\ntimezone: UTC\n")
    return config


def start(config: Path) -> tuple[float, float]:
    """Seconds from exec to the first answer on the socket, and resident megabytes five seconds later."""
    began = time.perf_counter()
    process = subprocess.Popen([*PROGRAM, "run", "--config", str(config)], stderr=subprocess.DEVNULL)
    try:
        while not answers(config.parent / "s"):
            if process.poll() is not None or time.perf_counter() - began > 30:
                raise SystemExit("the daemon did not start")
            time.sleep(0.005)
        ready_s = time.perf_counter() - began
        time.sleep(5)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        return ready_s, pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as asker:
            asker.settimeout(1)
            asker.connect(str(path))
            asker.sendall(b'{"do": "status"}\n')
            reply = asker.makefile().readline()
    except OSError:
        return False
    return bool(reply) and bool(json.loads(reply).get("ok"))


def main(checks: int = 100, rounds: int = 5) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(Path(folder), checks)
        start(config)  # makes the database
        measured = [start(config) for _ in range(rounds)]
    ready = sorted(ready_s for ready_s, _ in measured)
    print(f"{checks} checks, {rounds} starts: ready in {median(ready):.2f} s (min {ready[0]:.2f}, max {ready[-1]:.2f})")
    print(f"resident memory {median(size for _, size in measured):.0f} MB")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
