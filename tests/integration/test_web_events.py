"""Server-sent events: changes arrive, readers are bounded, and the stream ends when the daemon does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tocsin.errors import StoreError
from tocsin.testing.desk import FakeDesk
from tocsin.web.events import Streams
from web_parts import a_desk, an_app, ask, run


async def until(stream: AsyncIterator[bytes], wanted: bytes) -> bytes:
    async with asyncio.timeout(5):
        async for piece in stream:
            if wanted in piece:
                return piece
    raise AssertionError(f"the stream ended without {wanted!r}")


async def rest(stream: AsyncIterator[bytes]) -> list[bytes]:
    async with asyncio.timeout(5):
        return [piece async for piece in stream]


def opened(streams: Streams) -> AsyncIterator[bytes]:
    stream = streams.open()
    assert stream is not None
    return stream


def test_each_change_arrives_as_an_event() -> None:
    async def work() -> None:
        desk = a_desk()
        stream = opened(Streams(desk))
        assert await until(stream, b"event") == b"event: change\ndata: 1\n\n"
        desk.change()
        assert await until(stream, b"event") == b"event: change\ndata: 2\n\n"

    run(work())


def test_a_quiet_stream_shows_that_it_lives() -> None:
    async def work() -> None:
        stream = opened(Streams(a_desk(), quiet_s=0.01))
        assert await until(stream, b": still here") == b": still here\n\n"

    run(work())


def test_streams_end_when_the_daemon_drains() -> None:
    async def work() -> None:
        desk = a_desk()
        stream = opened(Streams(desk))
        await until(stream, b"event")
        desk.drain()
        assert await rest(stream) == []

    run(work())


def test_streams_end_when_the_server_stops_and_no_new_one_begins() -> None:
    async def work() -> None:
        streams = Streams(a_desk())
        stream = opened(streams)
        await until(stream, b"event")
        streams.close()
        assert await rest(stream) == []
        assert streams.open() is None

    run(work())


def test_readers_are_bounded_and_who_leaves_makes_room() -> None:
    async def work() -> None:
        streams = Streams(a_desk(), most=2)
        first, second = opened(streams), opened(streams)
        await until(first, b"event")
        assert streams.open() is None
        del second
        opened(streams)

    run(work())


def test_a_desk_that_can_tell_no_more_ends_the_stream() -> None:
    class Broken(FakeDesk):
        async def changes(self) -> AsyncIterator[int]:
            yield 1
            raise StoreError("gone")

    async def work() -> None:
        desk = Broken(a_desk().now)
        assert (await rest(opened(Streams(desk))))[-1] == b"event: change\ndata: 1\n\n"

    run(work())


def test_no_room_is_answered_with_503_and_when_to_come_again() -> None:
    app = an_app()
    app.close_streams()
    answer = ask(app, "GET", "/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
