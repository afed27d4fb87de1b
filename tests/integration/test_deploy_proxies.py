"""The shipped nginx and Caddy configurations in front of a running Tocsin: Slack's signed requests go through, nothing else does."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from acceptance.process import Tocsin, free_port, takes, until, write_configuration
from tocsin.testing.slack import SlackDouble

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NGINX = DEPLOY / "nginx" / "tocsin.conf"
CADDYFILE = DEPLOY / "caddy" / "Caddyfile"
NAME = "tocsin.example.com"
CLOSED = (
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/incidents"),
    ("POST", "/api/v1/incidents/1/ack"),
    ("GET", "/slack/events"),
    ("POST", "/slack/events/"),
    ("POST", "/slack/events/../../api/v1/incidents/1/ack"),
    ("POST", "/slack/events%2f..%2f..%2fapi/v1/incidents/1/ack"),
)

Ask = Callable[..., tuple[int, bytes]]


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    return found


def replaced(text: str, **pairs: str) -> str:
    for old, new in pairs.items():
        assert old in text
        text = text.replace(old, new)
    return text


# --- nginx ---


def nginx_tree(folder: Path, port: int, tocsin_port: int) -> list[str]:
    """The shipped server block in a tree of its own: its port, its certificate and Tocsin's port are the test's."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"),
            *("-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    shipped = replaced(
        NGINX.read_text(),
        **{
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "listen [::]:443 ssl;": "",
            "/etc/ssl/tocsin/": f"{folder}/",
            "127.0.0.1:8600;": f"127.0.0.1:{tocsin_port};",
        },
    )
    (folder / "tocsin.conf").write_text(shipped)
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn; events {{}}\n"
        f"http {{ access_log off; {places} include {folder}/tocsin.conf; }}\n"
    )
    return [program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def test_nginx_lets_slacks_signed_requests_through_and_nothing_else(tmp_path: Path) -> None:
    program("nginx")
    port, tocsin_port = free_port(), free_port()
    command = nginx_tree(tmp_path, port, tocsin_port)
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=30, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    trusted = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))

    def ask(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusted)
        connection.sock = trusted.wrap_socket(
            socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname=NAME
        )
        return answered(connection, method, path, headers, body)

    asyncio.run(through(tmp_path, command, port, tocsin_port, ask))


# --- Caddy ---


def test_caddy_lets_slacks_signed_requests_through_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caddy = program("caddy")
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    port, tocsin_port = free_port(), free_port()
    plain = replaced(
        CADDYFILE.read_text(),
        **{f"{NAME} {{": f"http://{NAME}:{port} {{", "127.0.0.1:8600": f"127.0.0.1:{tocsin_port}"},
    )
    (tmp_path / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{plain}")

    def ask(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> tuple[int, bytes]:
        return answered(http.client.HTTPConnection("127.0.0.1", port, timeout=10), method, path, headers, body)

    command = [caddy, "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    asyncio.run(through(tmp_path, command, port, tocsin_port, ask))


def test_caddy_finds_the_shipped_file_valid_and_tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caddy = program("caddy")
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    valid = subprocess.run(
        [caddy, "validate", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert valid.returncode == 0, valid.stderr
    tidy = subprocess.run([caddy, "fmt", str(CADDYFILE)], capture_output=True, text=True, timeout=60, check=False)
    assert tidy.stdout == CADDYFILE.read_text()


# --- what both must do ---


async def through(folder: Path, command: list[str], port: int, tocsin_port: int, ask: Ask) -> None:
    async with SlackDouble() as slack, running(folder / "t", slack, tocsin_port), proxy(folder, command, port):
        answers = {(method, path): await asyncio.to_thread(ask, method, path) for method, path in CLOSED}
        assert {key: status for key, (status, _) in answers.items() if status not in (403, 404, 405)} == {}
        assert answers["GET", "/"][0] == 403

        status, said = await asyncio.to_thread(ask, "POST", "/slack/events", {}, b"{}")
        assert (status, said) == (401, b"not signed by Slack, or older than five minutes\n"), "Tocsin itself answered"
        body = json.dumps({"type": "url_verification", "challenge": "did it arrive"}).encode()
        signed = slack.sign(body, "application/json")
        status, said = await asyncio.to_thread(ask, "POST", "/slack/events", signed, body)
        assert (status, json.loads(said)) == (200, {"challenge": "did it arrive"})
        status, _ = await asyncio.to_thread(ask, "POST", "/slack/events", signed, b"x" * (2 << 20))
        assert status in (413, 502), "older Caddys say 502 for too large a body"


def answered(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str] | None, body: bytes
) -> tuple[int, bytes]:
    try:
        connection.request(method, path, body=body or None, headers={"Host": NAME, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@asynccontextmanager
async def running(folder: Path, slack: SlackDouble, port: int) -> AsyncIterator[None]:
    folder.mkdir()
    tocsin = Tocsin(write_configuration(folder, slack, "people: {}\n", listen=f"127.0.0.1:{port}"))
    try:
        await tocsin.start(environ={"TOCSIN_SLACK__SIGNING_SECRET": slack.signing_secret})
        await until(lambda: takes(port), what="listen takes connections")
        yield
    finally:
        await tocsin.close()


@asynccontextmanager
async def proxy(folder: Path, command: list[str], port: int) -> AsyncIterator[None]:
    with (folder / "proxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            await until(lambda: process.returncode is not None or takes(port), what="the proxy takes connections")
            assert process.returncode is None, (folder / "proxy.log").read_text()
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(10):
                await process.wait()
