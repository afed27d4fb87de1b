"""The stand-in business systems, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest

from tocsin.testing.standins import SYSTEMS, Blueprint, StandIn, StandIns, State


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


def any_port(name: str = "erp") -> Blueprint:
    return Blueprint(name, 0, 180, "1.0")


async def ask(system: StandIn, request: str) -> tuple[int, dict[str, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
    try:
        writer.write(request.encode())
        return await read_answer(reader)
    finally:
        writer.close()
        await writer.wait_closed()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
    return int(head.split(" ")[1]), json.loads(await reader.readexactly(length))


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"


def put(state: str) -> str:
    return f"PUT /state HTTP/1.1\r\nHost: x\r\nContent-Length: {len(state)}\r\n\r\n{state}"


def test_healthy_system_answers_with_its_figures() -> None:
    async def story() -> None:
        async with StandIn(any_port()) as system:
            status, health = await ask(system, get("/health"))
            assert status == 200
            assert health["status"] == "UP"
            assert 120 < health["sessions"] < 240
            assert 0 <= health["error_rate"] < 0.01
            assert health["build"] == "1.0"

    run(story())


def test_figures_have_some_life() -> None:
    async def story() -> None:
        async with StandIn(any_port()) as system:
            rates = {(await ask(system, get("/health")))[1]["error_rate"] for _ in range(10)}
            assert len(rates) > 1

    run(story())


def test_broken_system_is_down_until_it_is_fixed() -> None:
    async def story() -> None:
        async with StandIn(any_port()) as system:
            assert await ask(system, put("broken")) == (200, {"system": "erp", "state": "broken"})
            status, health = await ask(system, get("/health"))
            assert (status, health["status"], health["error_rate"]) == (503, "DOWN", 1.0)
            assert (await ask(system, put("ok")))[0] == 200
            assert (await ask(system, get("/health")))[0] == 200

    run(story())


def test_slow_system_answers_late_and_well() -> None:
    async def story() -> None:
        async with StandIn(any_port(), slow_s=0.2) as system:
            await ask(system, put("slow"))
            loop = asyncio.get_running_loop()
            before = loop.time()
            status, health = await ask(system, get("/health"))
            assert (status, health["status"]) == (200, "UP")
            assert loop.time() - before >= 0.2

    run(story())


def test_connection_is_kept_for_the_next_request() -> None:
    async def story() -> None:
        async with StandIn(any_port()) as system:
            reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
            for _ in range(3):
                writer.write(get("/health").encode())
                assert (await read_answer(reader))[0] == 200
            writer.close()
            await writer.wait_closed()

    run(story())


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (get("/nothing"), 404),
        ("DELETE /health HTTP/1.1\r\n\r\n", 405),
        (put("on fire"), 400),
        ("nonsense\r\n\r\n", 400),
        ("PUT /state HTTP/1.1\r\nContent-Length: 65\r\n\r\n", 400),
        ("PUT /state HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
def test_bad_requests_are_answered_as_such(request_text: str, status: int) -> None:
    async def story() -> None:
        async with StandIn(any_port()) as system:
            assert (await ask(system, request_text))[0] == status
            assert system.state is State.OK

    run(story())


def test_head_without_end_is_cut_off() -> None:
    async def story() -> None:
        async with StandIn(any_port()) as system:
            reader, writer = await asyncio.open_connection("127.0.0.1", system.port)
            writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000)
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            assert (await ask(system, get("/health")))[0] == 200

    run(story())


def test_taken_port_is_replaced_by_a_free_one() -> None:
    async def story() -> None:
        async with StandIn(any_port()) as first, StandIn(Blueprint("erp", first.port, 1, "1")) as second:
            assert second.port not in (0, first.port)
            assert (await ask(second, get("/health")))[0] == 200

    run(story())


def test_all_stand_ins_are_served_and_closed_with_open_connections() -> None:
    async def story() -> None:
        blueprints = tuple(any_port(system.name) for system in SYSTEMS)
        async with StandIns(blueprints) as systems:
            assert sorted(systems.urls) == ["crm", "erp", "oa"]
            reader, writer = await asyncio.open_connection("127.0.0.1", systems["oa"].port)
            writer.write(get("/health").encode())
            await read_answer(reader)
        assert await reader.read() == b""
        writer.close()

    run(story())
