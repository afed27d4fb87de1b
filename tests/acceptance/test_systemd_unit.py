"""The unit file: how much it leaves open, and that the real program does nothing which the unit forbids."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest

from acceptance.process import Tocsin, free_port, until, write_configuration
from tocsin.config import load_settings
from tocsin.testing.slack import SlackDouble
from tocsin.testing.standins import StandIns, State

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd" / "tocsin.service"
MOST_EXPOSED = 1.5

RULES = """
    systems:
      erp:
        owner: li.na
        tier: core
        checks:
          health: {{http: "{url}/health", every: 200ms, fail_after: 2, expect: ['json.status == "UP"']}}
          port: {{tcp: "localhost:{port}", every: 200ms}}
    people: {{li.na: {{name: Li Na}}}}
    """


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_the_unit_leaves_at_most_the_exposure_that_was_promised() -> None:
    said = analyze("security", "--offline=true", "--no-pager", str(UNIT)).stdout
    exposure = re.search(r"Overall exposure level for tocsin\.service: ([0-9.]+)", said)
    assert exposure is not None, said
    assert float(exposure.group(1)) <= MOST_EXPOSED


def test_the_unit_is_verified_without_a_word(tmp_path: Path) -> None:
    """`verify` wants the program to be there: it stands in a tree of its own."""
    program = tmp_path / values("ExecStart")[0].split()[0].lstrip("/")
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "tocsin.service"
    unit.write_text(UNIT.read_text().replace("ExecStart=/", f"ExecStart={tmp_path}/"))
    verified = analyze("verify", "--man=no", str(unit))
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_verification_finds_a_mistake_in_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "tocsin.service"
    unit.write_text(UNIT.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    assert "ProtectHouse" in analyze("verify", "--man=no", str(unit)).stderr


def test_the_unit_keeps_what_the_daemon_needs() -> None:
    assert values("PrivateNetwork") == values("IPAddressDeny") == []
    assert values("PrivateUsers") == [], "the socket's callers would all be nobody"
    assert values("ProcSubset") == ["all"], "the process_ metrics read /proc/stat"
    assert values("CapabilityBoundingSet") == [""]


def test_every_credential_that_the_unit_names_is_a_secret_that_the_daemon_finds(tmp_path: Path) -> None:
    named = re.findall(r"^#?LoadCredential=(\S+):/etc/tocsin/credentials/(\S+)$", UNIT.read_text(), re.MULTILINE)
    assert named
    assert all(name == file for name, file in named)
    for name, _ in named:
        (tmp_path / name).write_text(f"value-of-{name}\n")
    settings = load_settings(None, {"CREDENTIALS_DIRECTORY": str(tmp_path), "TOCSIN_DATA_DIR": str(tmp_path)})
    for name, _ in named:
        section, _, key = name.partition("__")
        if key:
            assert getattr(getattr(settings, section), key).get_secret_value() == f"value-of-{name}"
        else:
            assert settings.secrets({}).get(name) == f"value-of-{name}"


# --- what the unit forbids, and what the program does ---


def allowed_calls() -> set[str]:
    allowed: set[str] = set()
    for line in values("SystemCallFilter"):
        names = set().union(*(expanded(name) for name in line.lstrip("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def expanded(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    lines = analyze("syscall-filter", name).stdout.splitlines()[1:]
    members = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return set().union(*(expanded(member) for member in members))


def test_a_days_work_needs_no_call_that_the_unit_forbids(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (apt-get install strace)")
    allowed = allowed_calls()
    assert "openat" in allowed
    assert "ptrace" not in allowed
    trace = tmp_path / "trace"
    asyncio.run(a_days_work(tmp_path, trace))
    calls = re.findall(r"^\d+ +(\w+)\((.*)$", trace.read_text(errors="replace"), re.MULTILINE)
    assert len(calls) > 1000
    # SQLite gives a new file its folder's owner, but only as root; under the unit it does not try.
    as_root = {"fchown"} if os.geteuid() == 0 else set()
    assert {name for name, _ in calls} - allowed - as_root == set()

    # MemoryDenyWriteExecute= refuses exactly these.
    assert [rest for name, rest in calls if name == "mmap" and "PROT_WRITE" in rest and "PROT_EXEC" in rest] == []
    assert [rest for name, rest in calls if name.endswith("mprotect") and "PROT_EXEC" in rest] == []

    # The C library asks netlink for the machine's addresses, and takes a refusal for "any kind".
    families = {rest.split(",")[0] for name, rest in calls if name in ("socket", "socketpair")}
    assert {"AF_INET", "AF_UNIX"} <= families <= {*values("RestrictAddressFamilies")[0].split(), "AF_NETLINK"}


async def a_days_work(folder: Path, trace: Path) -> None:
    """Probe, page, answer, scrape, reload, stop: under strace, which stands aside so that signals reach the program."""
    port = free_port()
    strace = ["strace", "-D", "-f", "-qq", "-s", "0", "-o", str(trace)]
    async with SlackDouble() as slack, StandIns() as systems:
        rules = RULES.format(url=systems["erp"].url, port=systems["erp"].port)
        tocsin = Tocsin(write_configuration(folder, slack, rules, listen=f"127.0.0.1:{port}"), before=strace)
        try:
            await tocsin.start()
            systems["erp"].state = State.BROKEN
            await until(slack.roots, within_s=30, what="the page is in Slack")
            await slack.click("tocsin_ack", 1)
            await tocsin.ask("note", incident="1", text="under the hood")
            answer = await asyncio.to_thread(urlopen, f"http://127.0.0.1:{port}/metrics", timeout=10)
            assert b"process_start_time_seconds" in answer.read()
            await tocsin.ask("reload")
            assert await tocsin.kill(signal.SIGTERM) == 0
        finally:
            await tocsin.close()
