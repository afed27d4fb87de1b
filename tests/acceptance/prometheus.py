"""Debian's Prometheus as a process, on the shipped configuration, with the test's own addresses and a faster beat."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from acceptance.process import free_port, until

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


class Prometheus:
    """Its API, as far as the tests ask."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def ask(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        return await asyncio.to_thread(self._ask, path, parameters or {})

    def _ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        with urlopen(f"{self._url}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        return list((await self.ask("query", {"query": expression}))["result"])

    async def firing(self, alert: str) -> list[dict[str, Any]]:
        alerts = (await self.ask("alerts"))["alerts"]
        return [a for a in alerts if a["labels"]["alertname"] == alert and a["state"] == "firing"]


def configuration(target: str) -> dict[str, Any]:
    """The shipped scrape configuration, each second, of this target."""
    shipped = yaml.safe_load((SHIPPED / "prometheus.yml").read_text(encoding="utf-8"))
    shipped["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    shipped["rule_files"] = [str(SHIPPED / pattern) for pattern in shipped["rule_files"]]
    shipped["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    return dict(shipped)


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("Prometheus is not installed (apt-get install prometheus)")
    folder.mkdir()
    port = free_port()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(target)))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(found, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
            *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
            stdout=log,
            stderr=log,
            cwd=folder,
        )
        try:
            await until(lambda: process.returncode is not None or is_ready(port), 30, "Prometheus is ready")
            assert process.returncode is None, (folder / "log").read_text()
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                await process.wait()


async def is_ready(port: int) -> bool:
    def ask() -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
                return int(answer.status) == 200
        except (URLError, ConnectionError, TimeoutError):
            return False

    return await asyncio.to_thread(ask)
