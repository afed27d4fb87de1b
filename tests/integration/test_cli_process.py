"""The program as a process: pipes, signals, terminals, and the time that `--help` takes."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fake_daemon import FakeDaemon, result

PROGRAM = [sys.executable, "-c", "import sys; from tocsin.cli.main import main; sys.exit(main())"]
BOARD = {"do": "board", "clock": "response", "due_at": "2026-11-24T03:00:00Z", "outcome": None, "met_at": None}
INCIDENT = {"id": 142, "system": "erp", "severity": "P1", "state": "open", "title": "企业 is down"}
ROW = {**BOARD, "incident": {**INCIDENT, "acknowledged_by": None, "owner_name": "Li Na"}}


def environ(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return {**kept, "TERM": "xterm", **more}


def call(*words: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], text=True, timeout=30, env=env or environ(), check=False, **options)


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = "import sys; from tocsin.cli.main import main; main(); print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script, "--help"], capture_output=True, text=True, timeout=30, check=True, env=environ()
    )
    loaded = set(done.stderr.split())
    assert "Usage: tocsin" in done.stdout
    assert not loaded & {"typer", "pydantic", "rich", "asyncio", "yaml", "sqlalchemy", "httpx", "structlog"}


def test_status_imports_only_what_it_needs(tmp_path: Path) -> None:
    script = "import sys; from tocsin.cli.main import main; main(); print(*sorted(sys.modules), file=sys.stderr)"
    with FakeDaemon(tmp_path / "s", {"status": {"systems": [], "incidents": [], "alarms": []}}):
        words = ["status", "--socket", "s"]
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            capture_output=True,
            text=True,
            timeout=30,
            cwd=tmp_path,
            env=environ(),
            check=True,
        )
    assert "No systems" in done.stdout
    assert not set(done.stderr.split()) & {"rich", "asyncio", "sqlalchemy", "httpx", "structlog"}


def test_closed_pipe_is_quiet(tmp_path: Path) -> None:
    many = [{**INCIDENT, "opened_at": "2026-11-24T03:00:00Z", "clocks": []}] * 20_000
    with FakeDaemon(tmp_path / "s", {"incident_list": many}):
        process = subprocess.Popen(
            [*PROGRAM, "incident", "list", "--socket", "s"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environ(),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"ID")
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(20) == 141


def test_full_disk_is_said_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = call("--help", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "tocsin: output: No space left on device\n"


@contextmanager
def on_a_terminal(*words: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=environ(), start_new_session=True
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        os.close(ours)


def read_until(terminal: int, wanted: str, within_s: float = 20) -> str:
    seen, give_up = b"", time.monotonic() + within_s
    while wanted not in seen.decode(errors="replace"):
        left = give_up - time.monotonic()
        assert left > 0, f"{wanted!r} did not appear in {seen.decode(errors='replace')!r}"
        if select.select([terminal], [], [], left)[0]:
            seen += os.read(terminal, 65536)
    return seen.decode(errors="replace")


def test_board_on_a_terminal_is_live_until_interrupted(tmp_path: Path) -> None:
    titles = iter(["first title", "second title"])

    def answer(request: Mapping[str, Any]) -> Any:
        title = next(titles, "last title")
        return result([{**ROW, "incident": {**ROW["incident"], "title": title}}])

    with (
        FakeDaemon(tmp_path / "s", answer),
        on_a_terminal("board", "--socket", "s", cwd=tmp_path) as (process, terminal),
    ):
        first = read_until(terminal, "first")
        assert "\x1b[" in first
        read_until(terminal, "second")
        process.send_signal(signal.SIGINT)
        rest = read_until(terminal, "\x1b[?1049l")
        assert process.wait(10) == 130
        assert "Traceback" not in rest


def test_board_outlives_a_restart_of_the_daemon(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with FakeDaemon(tmp_path / "s", {"board": [ROW]}):
            _, terminal = stack.enter_context(on_a_terminal("board", "--socket", "s", cwd=tmp_path))
            read_until(terminal, "#142")
        read_until(terminal, "cannot be reached")
        (tmp_path / "s").unlink()
        with FakeDaemon(tmp_path / "s", {"board": []}):
            read_until(terminal, "No deadline is running")


def test_board_in_a_pipe_is_plain(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", {"board": [ROW]}):
        done = call("board", "--socket", "s", cwd=tmp_path, capture_output=True)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "企业 is down  Li Na" in done.stdout


def test_json_of_an_error_is_alone_on_standard_output(tmp_path: Path) -> None:
    done = call("ack", "142", "--json", "--socket", "nowhere.sock", cwd=tmp_path, capture_output=True)
    assert done.returncode == 3
    assert json.loads(done.stdout)["ok"] is False
    assert "nowhere.sock: no such file" in done.stderr


@pytest.mark.parametrize("words", [["note", "142"], ["incident", "note", "142", "\udcff"]])
def test_argument_that_is_not_utf_8_makes_no_traceback(words: list[str], tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", lambda _: result({})):
        done = call(*words, "--socket", "s", cwd=tmp_path, capture_output=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_init_on_a_terminal_asks_for_what_was_not_given(tmp_path: Path) -> None:
    with on_a_terminal("init", "new", "--owner", "li.na", cwd=tmp_path) as (process, terminal):
        for question, answer in {"Short name": "erp", "health address": "https://erp.example.com", "Slack": ""}.items():
            read_until(terminal, question)
            os.write(terminal, f"{answer}\n".encode())
        read_until(terminal, "tocsin check erp")
        assert process.wait(10) == 0
    assert "https://erp.example.com" in (tmp_path / "new" / "rules" / "systems.yaml").read_text()
