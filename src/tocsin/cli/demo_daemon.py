"""The running demo: stand-ins, Slack double and daemon in one process, on a copy of `deploy/demo` under `var/demo`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tocsin.cli.client import Client
from tocsin.cli.demo import demo_files
from tocsin.cli.output import say
from tocsin.errors import DaemonUnreachable, Refused, TocsinError
from tocsin.testing.standins import SYSTEMS, StandIns

FOLDER = Path("var/demo")
SOCKET = Path("var/tocsin.sock")
PAGE_PORT = 8600
SLACK_PORT = 8604
READY_WITHIN_S = 30.0
ASK_EVERY_S = 0.1


def run_demo(running: Path, *, socket: Path | None = None) -> int:
    """Run until stopped. `running` tells `demo break` where the stand-ins are."""
    place = Path.cwd() / (socket or SOCKET)
    _refuse_second(place)
    files = demo_files()
    try:
        return asyncio.run(_run(files, running, place))
    finally:
        running.unlink(missing_ok=True)


def _refuse_second(place: Path) -> None:
    with suppress(DaemonUnreachable):
        Client((place,)).call("ping")
        raise Refused(f"a Tocsin daemon already answers on {place} (stop it first, or work with it: 'tocsin status')")


async def _run(files: Path, running: Path, place: Path) -> int:
    from tocsin.cli.logs import configure_logs
    from tocsin.cli.run import serve
    from tocsin.testing.slack import SlackDouble

    configure_logs()
    async with StandIns() as systems, SlackDouble(port=free_port(SLACK_PORT)) as slack:
        page = f"127.0.0.1:{free_port(PAGE_PORT)}"
        config = write_configuration(files, FOLDER, systems.urls)
        environ = {
            **_without_own(os.environ),
            "TOCSIN_SOCKET": str(place),
            "TOCSIN_LISTEN": page,
            "TOCSIN_SLACK__API_URL": slack.api_url,
            "TOCSIN_SLACK__BOT_TOKEN": slack.bot_token,
            "TOCSIN_SLACK__APP_TOKEN": slack.app_token,
            "TOCSIN_SLACK__SIGNING_SECRET": slack.signing_secret,
        }
        addresses = {"page": f"http://{page}/", "slack": str(slack.page_url)}
        about = {"pid": os.getpid(), **addresses, "systems": systems.urls}
        _write_whole(running, json.dumps(about, indent=2) + "\n")
        teller = asyncio.create_task(_tell_when_ready(place, **addresses))
        try:
            return await serve(config, environ)
        finally:
            teller.cancel()
            with suppress(asyncio.CancelledError):
                await teller


def write_configuration(files: Path, folder: Path, urls: Mapping[str, str]) -> Path:
    """Copy the demo's configuration with the stand-ins' real addresses in it; returns the settings file."""
    rules = folder / "rules"
    try:
        if rules.exists():
            shutil.rmtree(rules)
        rules.mkdir(parents=True)
        for source in sorted((files / "rules").glob("*.yaml")):
            text = source.read_text(encoding="utf-8")
            for system in SYSTEMS:
                text = text.replace(f"http://127.0.0.1:{system.port}/", f"{urls[system.name]}/")
            (rules / source.name).write_text(text, encoding="utf-8")
        shutil.copyfile(files / "tocsin.yaml", folder / "tocsin.yaml")
    except OSError as error:
        raise TocsinError(f"{error.filename}: {error.strerror} (run the demo where you may write)") from error
    return folder / "tocsin.yaml"


def _without_own(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings that were meant for another Tocsin."""
    return {name: value for name, value in environ.items() if not name.startswith("TOCSIN_")}


def free_port(wanted: int) -> int:
    """The wanted port, or any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise Refused("no free port on 127.0.0.1 for the page")


def _write_whole(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


async def _tell_when_ready(place: Path, page: str, slack: str) -> None:
    client = Client((place,), timeout_s=2.0)
    give_up = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up:
        await asyncio.sleep(ASK_EVERY_S)
        with suppress(TocsinError):
            if not (await asyncio.to_thread(client.call, "status"))["systems"]:
                continue
            say(_welcome(page, slack, program()))
            sys.stdout.flush()
            return


def program() -> str:
    """How this program is called from here."""
    called = Path(sys.argv[0])
    if called.name != "tocsin" or shutil.which("tocsin") == str(called):
        return "tocsin"
    relative = os.path.relpath(called)
    return str(called) if relative.startswith("..") else relative


def _welcome(page: str, slack: str, tocsin: str) -> str:
    return f"""
Tocsin watches three stand-in systems: erp, crm and oa.

  the page          {page}
  its Slack pages   {slack}

Type next, in another terminal in this folder:

  {tocsin} demo break erp     a real P1 opens within seconds, its one-hour clock runs
  {tocsin} board              the deadlines, live
  {tocsin} ack erp            you are on it
  {tocsin} demo fix erp       it recovers, the incident resolves
  {tocsin} log tail           what happened, in the journal
  {tocsin} init               a first configuration of your own

Ctrl-C ends the demo.
"""
