"""CPU per probe of Tocsin beside Prometheus + blackbox_exporter and beside a plain APScheduler + httpx program, in one run.

    python -m benchmarks.side_by_side [ENDPOINTS] [EVERY_S] [SECONDS] [ROUNDS]

The same endpoints, served by a process that is not counted; the programs take turns. Prometheus and the exporter are Debian's
(`prometheus`, `prometheus-blackbox-exporter`); where they are missing that column is left out. Prints medians and ratios.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which
from statistics import median

from benchmarks.whole_daemon import PORT, PROGRAM, address, configuration, cpu_s, free_port

BLACKBOX, PROMETHEUS = "prometheus-blackbox-exporter", "prometheus"
Started = list[subprocess.Popen[bytes]]


def tocsin(folder: Path, endpoints: int, every_s: int) -> Started:
    config = configuration(folder, endpoints, every_s, fresh=False)
    return [subprocess.Popen([*PROGRAM, "run", "--config", str(config)], stderr=subprocess.DEVNULL)]


def tocsin_fresh(folder: Path, endpoints: int, every_s: int) -> Started:
    config = configuration(folder, endpoints, every_s, fresh=True)
    return [subprocess.Popen([*PROGRAM, "run", "--config", str(config)], stderr=subprocess.DEVNULL)]


def prometheus(folder: Path, endpoints: int, every_s: int) -> Started:
    exporter, server = free_port(), free_port()
    (folder / "blackbox.yml").write_text("modules: {http_2xx: {prober: http, timeout: 5s}}\n")
    targets = "\n".join(f"        - http://{address(number)}:{PORT}/health" for number in range(endpoints))
    (folder / "prometheus.yml").write_text(f"""\
global: {{scrape_interval: {every_s}s, scrape_timeout: {every_s}s}}
scrape_configs:
  - job_name: blackbox
    metrics_path: /probe
    params: {{module: [http_2xx]}}
    static_configs:
      - targets:
{targets}
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__param_target], target_label: instance}}
      - {{target_label: __address__, replacement: '127.0.0.1:{exporter}'}}
""")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return [
        subprocess.Popen(
            [BLACKBOX, f"--config.file={folder}/blackbox.yml", f"--web.listen-address=127.0.0.1:{exporter}"], **quiet
        ),
        subprocess.Popen(
            [
                PROMETHEUS,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/tsdb",
                f"--web.listen-address=127.0.0.1:{server}",
            ],
            **quiet,
        ),
    ]


def plain(folder: Path, endpoints: int, every_s: int) -> Started:
    del folder
    script = [sys.executable, "-m", "benchmarks.side_by_side", "plain", str(endpoints), str(every_s)]
    return [subprocess.Popen(script, stderr=subprocess.DEVNULL)]


async def run_plain(endpoints: int, every_s: int) -> None:
    """What one would write in an afternoon: a scheduler job a check, one client for all."""
    import httpx
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    scheduler = AsyncIOScheduler()
    async with httpx.AsyncClient(timeout=5) as client:
        for number in range(endpoints):
            url = f"http://{address(number)}:{PORT}/health"
            scheduler.add_job(client.get, "interval", args=[url], seconds=every_s, jitter=every_s)
        scheduler.start()
        await asyncio.sleep(3600)


def measure(start: Callable[[Path, int, int], Started], endpoints: int, every_s: int, seconds: int) -> float:
    """Milliseconds of CPU per probe that was planned, all processes of the program together."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        started = start(Path(folder), endpoints, every_s)
        try:
            time.sleep(10 + every_s)
            before = sum(cpu_s(process.pid) for process in started)
            time.sleep(seconds)
            spent = sum(cpu_s(process.pid) for process in started) - before
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait(20)
    return 1000 * spent / (endpoints * seconds / every_s)


def main(endpoints: int = 500, every_s: int = 5, seconds: int = 20, rounds: int = 3) -> None:
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.whole_daemon", "serve"])
    programs = {"tocsin": tocsin, "tocsin fresh": tocsin_fresh, "apscheduler + httpx": plain}
    if which(BLACKBOX) and which(PROMETHEUS):
        programs["prometheus + blackbox"] = prometheus
    spent: dict[str, list[float]] = {name: [] for name in programs}
    try:
        for _ in range(rounds):
            for name, start in programs.items():
                spent[name].append(measure(start, endpoints, every_s, seconds))
    finally:
        server.terminate()
        server.wait(10)
    own = median(spent["tocsin"])
    print(
        f"{endpoints} endpoints every {every_s} s, {rounds} rounds of {seconds} s, ms CPU a probe (median) and ratio to Tocsin:"
    )
    for name, found in spent.items():
        print(f"  {name:24} {median(found):7.3f}   x {median(found) / own:.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["plain"]:
        asyncio.run(run_plain(int(sys.argv[2]), int(sys.argv[3])))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
