"""A PostgreSQL server of the tests' own, on loopback, with Debian's binaries; tests are skipped by name where there are none."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import pytest

USER = "tocsin"
STARTS_WITHIN_S = 30.0


def binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("PostgreSQL's server is not installed (apt-get install postgresql)")
    return found[-1].parent


class Server:
    """One server; databases are made by name and thrown away with it."""

    def __init__(self, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.folder = Path(mkdtemp(prefix="tocsin-postgresql-"))
        self.port = _free_port()
        self._names = count(1)
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        self._call("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off -c max_connections=60"
        self._call("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        self._call("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def new_database(self) -> str:
        """The address of a new, empty database."""
        name = f"t{next(self._names)}"
        self._call("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, name)
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def signal(self, number: int) -> None:
        """Send a signal to the server and all its processes (SIGSTOP: it answers nothing, and closes nothing)."""
        head = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        children = subprocess.run(
            ["pgrep", "-P", str(head)], capture_output=True, text=True, check=False
        ).stdout.split()
        for process in [head, *map(int, children)]:
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def close(self) -> None:
        with suppress(OSError, ValueError):
            self.signal(signal.SIGCONT)
        with suppress(AssertionError, subprocess.TimeoutExpired):
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _call(self, name: str, *arguments: str) -> None:
        command = [str(self._bin / name), *arguments]
        identity = {} if self._account is None else {"user": self._account.pw_uid, "group": self._account.pw_gid}
        _run(command, self.folder, identity)


def _run(command: Sequence[str], folder: Path, identity: dict[str, int]) -> None:
    # Not through a pipe: the server would keep its end of it open for as long as it lives.
    with (folder / "commands").open("ab") as out:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            timeout=STARTS_WITHIN_S,
            extra_groups=[] if identity else None,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            check=False,
            **identity,  # type: ignore[arg-type]
        )
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} failed:\n{(folder / 'commands').read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started() -> Server:
    server = Server(binaries())
    try:
        before = time.monotonic()
        server.start()
        assert time.monotonic() - before < STARTS_WITHIN_S
    except BaseException:
        server.close()
        raise
    return server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    server = started()
    yield server
    server.close()
