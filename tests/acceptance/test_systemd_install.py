"""A fresh clone, installed by the very lines of docs/server.md in a folder tree of its own, started as the unit says."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from acceptance.notify import Notified

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd" / "tocsin.service"
FOR_ROOT_ALONE = ("useradd", "chown", "systemctl")
IN_THE_TREE = ("/opt/tocsin", "/etc/tocsin", "/etc/systemd/system")
CLEAN = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


def documented_commands() -> list[str]:
    text = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    found = re.search(r"^## Under systemd$.*?^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1).splitlines()


def in_tree(commands: list[str], tree: Path, source: Path) -> list[str]:
    """The commands as they are for a tree below `tree`, without what only root can do."""
    kept = [command for command in commands if not command.startswith(FOR_ROOT_ALONE)]
    moved = []
    for command in kept:
        line = command.removeprefix("runuser -u tocsin -- ").replace("REPOSITORY", shlex.quote(str(source)))
        for place in IN_THE_TREE:
            line = line.replace(f" {place}", f" {tree}{place}")
        moved.append(line)
    return moved


def this_repository(folder: Path) -> Path:
    """A repository of what stands here now, changes that are not committed yet among it."""
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com"]
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no git repository, nothing can be cloned")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "As it stands"]):
        subprocess.run([*git, *words], cwd=folder, check=True, timeout=60)
    return folder


@pytest.mark.timeout(420)
def test_a_fresh_clone_is_installed_by_the_documented_lines_and_runs_as_the_unit_says(tmp_path: Path) -> None:
    tree, source = tmp_path / "r", tmp_path / "repository"
    for place in ("opt", "etc/systemd/system", "var/lib/tocsin", "run/tocsin"):
        (tree / place).mkdir(parents=True)
    source.mkdir()
    script = "\n".join(["set -eu", *in_tree(documented_commands(), tree, this_repository(source))])
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=360, check=False, env=CLEAN)
    if "No matching distribution found" in done.stderr or "Failed to establish a new connection" in done.stderr:
        pytest.skip("the locked dependencies cannot be had: no package index is reached from here")
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    asyncio.run(runs(tree, tmp_path))


async def runs(tree: Path, folder: Path) -> None:
    """What the installed unit says is run: its program on its settings, with its folders in the tree."""
    unit = (tree / "etc/systemd/system/tocsin.service").read_text()
    assert unit == UNIT.read_text()
    start = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert len(start) == 1
    command = [f"{tree}{word}" if word.startswith("/") else word for word in start[0].split()]
    places = {"TOCSIN_DATA_DIR": f"{tree}/var/lib/tocsin", "TOCSIN_SOCKET": f"{tree}/run/tocsin/tocsin.sock"}
    with Notified(str(folder / "n"), watchdog_s=90) as systemd:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=tree / "var/lib/tocsin",
            env={**CLEAN, **places, **systemd.environ, "TOCSIN_LISTEN": "127.0.0.1:0"},
        )
        try:
            await systemd.until("READY", 30)
            assert (tree / "var/lib/tocsin/tocsin.db").exists()
            assert (tree / "run/tocsin/tocsin.sock").is_socket()
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def test_the_units_places_are_those_of_the_shipped_settings() -> None:
    unit, settings = UNIT.read_text(), (ROOT / "systemd" / "tocsin.yaml").read_text()
    assert "StateDirectory=tocsin\n" in unit
    assert "\ndata_dir: /var/lib/tocsin\n" in settings
    assert "RuntimeDirectory=tocsin\n" in unit
    assert "\nsocket: /run/tocsin/tocsin.sock " in settings
    assert any("/etc/tocsin/tocsin.yaml" in command for command in documented_commands())
