"""`demo …`: Tocsin watching three stand-in systems on loopback, with a Slack double to look at."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from tocsin.cli.command import Options, command, group
from tocsin.cli.output import print_json, say
from tocsin.errors import DaemonUnreachable, Refused, TocsinError, UsageError

RUNNING = Path("var/demo.json")
"""Where a running demo says its addresses."""
PACKAGE = Path(__file__).parents[1]
TIMEOUT_S = 5.0
MAX_BYTES = 64 * 1024

System = Annotated[str, typer.Argument(metavar="SYSTEM", help="erp, crm or oa.")]


def add_to(app: typer.Typer) -> None:
    noun = group(app, "demo", "Try Tocsin on three stand-in business systems.")
    command(noun, "run", run)
    command(noun, "break", break_system)
    command(noun, "slow", slow)
    command(noun, "fix", fix)


def run(options: Options) -> int:
    """Serve the stand-in systems and watch them, until Ctrl-C."""
    if options.json:
        raise UsageError("'demo run' runs until it is stopped and prints no document (leave out --json)")
    if options.config is not None:
        raise UsageError("'demo run' has its own configuration (use 'tocsin run --config FILE' for yours)")
    from tocsin.cli.demo_daemon import run_demo

    return run_demo(RUNNING, socket=options.socket)


def break_system(options: Options, system: System) -> int:
    """Make a stand-in fail: a P1 for erp, a P2 for the others."""
    return _play(options, system, "broken")


def slow(options: Options, system: System) -> int:
    """Make a stand-in answer slowly: it becomes degraded."""
    return _play(options, system, "slow")


def fix(options: Options, system: System) -> int:
    """Make a stand-in work again."""
    return _play(options, system, "ok")


def _play(options: Options, system: str, state: str) -> int:
    running = read_running(RUNNING)
    url = running["systems"].get(system)
    if url is None:
        raise UsageError(f"no stand-in system '{system}' (use {', '.join(sorted(running['systems']))})")
    answer = _put(url, state)
    print_json(answer) if options.json else say(_what_next(system, state))
    return 0


def read_running(file: Path) -> dict[str, Any]:
    """What a running demo wrote about itself."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DaemonUnreachable(f"no demo runs here: {file} does not exist (start it with 'make run')") from error
    except (OSError, ValueError) as error:
        raise DaemonUnreachable(f"{file} cannot be read: {error} (start the demo again with 'make run')") from error
    if not isinstance(found, dict) or not isinstance(found.get("systems"), dict):
        raise DaemonUnreachable(f"{file} was not written by a demo (start it again with 'make run')")
    return found


def _put(url: str, state: str) -> Any:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
    try:
        connection.request("PUT", "/state", body=state)
        answer = connection.getresponse()
        document = json.loads(answer.read(MAX_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DaemonUnreachable(f"the stand-in at {url} does not answer (start the demo with 'make run')") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise Refused(f"the stand-in at {url} refused: {document.get('error', answer.status)}")
    return document


def _what_next(system: str, state: str) -> str:
    match state:
        case "broken":
            return f"{system} fails now. See it with 'tocsin status', answer it with 'tocsin ack {system}'."
        case "slow":
            return f"{system} answers slowly now. See it with 'tocsin status', make it well with 'tocsin demo fix {system}'."
        case _:
            return f"{system} works again. Its incident resolves by itself within seconds."


def demo_files(package: Path = PACKAGE) -> Path:
    """The demo's configuration: inside the package when it was installed, else in the checkout."""
    known = (package / "testing" / "demo", package.parents[1] / "deploy" / "demo")
    found = next((folder for folder in known if (folder / "tocsin.yaml").is_file()), None)
    if found is None:
        tried = "\n".join(f"  {folder}" for folder in known)
        raise TocsinError(
            f"the demo's configuration is not here; looked in\n{tried}\nInstall Tocsin again, or run it from a checkout."
        )
    return found
