"""The whole daemon at work: CPU per probe, lateness, memory, for many endpoints on loopback.

    python -m benchmarks.whole_daemon [ENDPOINTS] [EVERY_S] [SECONDS] [fresh|keep]

Each endpoint is an address of its own (127.x.y.z), served by another process, which is not counted. Prints one line of figures.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

PROGRAM = [sys.executable, "-m", "tocsin"]
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"UP"}'
PORT = 18080
WARM_UP_S = 12
SETTLES_WITHIN_S = 120


class Endpoint(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


async def serve() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    server = await asyncio.get_running_loop().create_server(Endpoint, "0.0.0.0", PORT, backlog=4096)
    await server.serve_forever()


def address(number: int) -> str:
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


def configuration(folder: Path, endpoints: int, every_s: int, fresh: bool) -> Path:
    (folder / "rules").mkdir()
    option = ", fresh: always" if fresh else ""
    lines = [f"defaults: {{check: {{every: {every_s}s}}}}", "systems:"]
    for number in range(endpoints):
        target = f"http://{address(number)}:{PORT}/health"
        lines.append(f"  s{number}: {{owner: nobody, checks: {{health: {{http: '{target}'{option}}}}}}}")
    (folder / "rules" / "systems.yaml").write_text("\n".join(lines) + "\n")
    config = folder / "tocsin.yaml"
    config.write_text(f"listen: 127.0.0.1:{free_port()}\nsocket: s\ntimezone: UTC\n")
    return config


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def scrape(config: Path) -> str:
    port = re.search(r":(\d+)", config.read_text()).group(1)  # type: ignore[union-attr]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def settle(config: Path, endpoints: int) -> float:
    """Wait until the first status of every check is committed, as the journal counts; that is the start's work, told apart."""
    until = time.perf_counter() + SETTLES_WITHIN_S
    while time.perf_counter() < until:
        entries = re.search(r"^tocsin_journal_entries_total (\S+)", scrape(config), re.MULTILINE)
        if entries is not None and float(entries.group(1)) >= endpoints:
            break
        time.sleep(1)
    return time.perf_counter()


def probes(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome, count in re.findall(r'tocsin_probes_total\{[^}]*outcome="(\w+)"[^}]*\} (\S+)', text):
        found[outcome] = found.get(outcome, 0) + int(float(count))
    return found


def lag(text: str) -> dict[str, int]:
    return {
        le: int(float(n)) for le, n in re.findall(r'tocsin_scheduler_lag_seconds_bucket\{le="([^"]+)"\} (\S+)', text)
    }


def main(endpoints: int = 1000, every_s: int = 1, seconds: int = 30, mode: str = "keep") -> None:
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.whole_daemon", "serve"])
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(Path(folder), endpoints, every_s, mode == "fresh")
        began = time.perf_counter()
        daemon = subprocess.Popen([*PROGRAM, "run", "--config", str(config)], stderr=subprocess.DEVNULL)
        try:
            while True:
                try:
                    scrape(config)
                    break
                except OSError:
                    time.sleep(0.05)
            ready_s = time.perf_counter() - began
            settled_s = settle(config, endpoints) - began
            time.sleep(WARM_UP_S)
            before, spent, at = scrape(config), cpu_s(daemon.pid), time.perf_counter()
            time.sleep(seconds)
            spent, took = cpu_s(daemon.pid) - spent, time.perf_counter() - at
            after = scrape(config)
            report(endpoints, before, after, spent, took, daemon.pid)
            print(f"  answering after {ready_s:.1f} s, every check's first status committed after {settled_s:.1f} s")
        finally:
            for process in (daemon, server):
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def report(endpoints: int, before: str, after: str, spent: float, took: float, pid: int) -> None:
    first, last = probes(before), probes(after)
    done = {name: last[name] - first.get(name, 0) for name in last}
    count = sum(done.values())
    late = {le: n - lag(before).get(le, 0) for le, n in lag(after).items()}
    total = max(1, late["+Inf"])
    within = next((le for le, n in late.items() if n >= 0.99 * total), "?")
    most = next((le for le, n in late.items() if n >= total), "?")
    size = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    print(
        f"{endpoints} endpoints: {count / took:.0f} probes/s, {1000 * spent / max(1, count):.3f} ms CPU a probe, "
        f"{100 * spent / took:.0f} % of one core, lateness p99 <= {within} s, max <= {most} s, {size:.0f} MB, "
        f"outcomes {done}"
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        numbers = [int(argument) for argument in sys.argv[1:4]]
        main(*numbers, *sys.argv[4:5])  # type: ignore[arg-type]
