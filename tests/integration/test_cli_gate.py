"""Both sides of the socket together: the command line's client and the daemon's gate."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tocsin.cli.client import Client
from tocsin.core.policy import Person
from tocsin.daemon.gate import Gate
from tocsin.errors import NotFound, Refused, StoreError, UsageError


class Echo:
    """A desk that answers with what it was asked, or raises what it is told to."""

    errors: Mapping[str, type[Exception]] = {
        "refused": Refused,
        "missing": NotFound,
        "wrong": UsageError,
        "broken": StoreError,
    }

    async def call(self, verb: str, arguments: Mapping[str, Any], *, actor: str, at: datetime | None = None) -> Any:
        if verb in self.errors:
            raise self.errors[verb](f"{verb} 因为")
        return {"verb": verb, "arguments": arguments, "actor": actor}

    async def changes(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number
        await asyncio.Event().wait()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of a gate that serves in a thread."""
    place = tmp_path / "t.sock"
    loop, ready = asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        gate = Gate(place, Echo(), lambda: {"li.na": Person("li.na", "Li Na")})
        await gate.open()
        ready.set()
        await stop.wait()
        await gate.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield Client((place,))
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()
    assert not thread.is_alive()


def test_what_is_asked_arrives_and_the_answer_comes_back(client: Client) -> None:
    answer = client.call("note", {"incident": "142", "text": "数据库"})
    assert answer["verb"] == "note"
    assert answer["arguments"] == {"incident": "142", "text": "数据库"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root may speak for a person")
def test_root_may_speak_for_a_person(client: Client) -> None:
    assert client.call("ack", actor="li.na")["actor"] == "user:root for person:li.na"
    with pytest.raises(UsageError, match="unknown person"):
        client.call("ack", actor="nobody")


@pytest.mark.parametrize("verb", sorted(Echo.errors))
def test_errors_keep_their_kind_and_their_words(client: Client, verb: str) -> None:
    with pytest.raises(Echo.errors[verb], match=f"{verb} 因为") as caught:
        client.call(verb)
    assert type(caught.value) is Echo.errors[verb]


def test_watching_goes_on_until_the_watcher_leaves(client: Client) -> None:
    stream = client.stream("watch")
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    stream.close()  # type: ignore[attr-defined]


def test_longest_request_that_the_client_sends_is_read(client: Client) -> None:
    text = "x" * 999_900
    assert client.call("note", {"text": text})["arguments"] == {"text": text}


def test_socket_is_for_its_owner_and_group_only(client: Client) -> None:
    assert stat.S_IMODE(client.places[0].stat().st_mode) == 0o660
