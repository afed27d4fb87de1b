"""The client's side of the socket, against a hand-written server."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fake_daemon import FakeDaemon, refusal, result
from tocsin.cli.client import Client
from tocsin.errors import DaemonUnreachable, NotFound, Refused, StoreError, TocsinError, UsageError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "t.sock"


def test_call_sends_one_request_and_returns_the_result(place: Path) -> None:
    with FakeDaemon(place, {"ack": {"id": 142}}) as daemon:
        assert Client((place,)).call("ack", {"incident": "142"}, actor="li.na") == {"id": 142}
    expected = {"do": "ack", "arguments": {"incident": "142"}, "as": "li.na", "language": None}
    assert daemon.requests == [expected]


def test_words_of_any_language_pass_through(place: Path) -> None:
    with FakeDaemon(place, lambda request: result(request["arguments"]["text"])):
        assert Client((place,)).call("note", {"text": "数据库\nhung"}) == "数据库\nhung"


@pytest.mark.parametrize(
    ("kind", "error"),
    [("refused", Refused), ("not_found", NotFound), ("usage", UsageError), ("store", StoreError), ("new", Refused)],
)
def test_refusals_become_their_own_errors(place: Path, kind: str, error: type[TocsinError]) -> None:
    with (
        FakeDaemon(place, lambda _: refusal(kind, "no such incident", "see incident list")),
        pytest.raises(error, match="no such incident\nsee incident list") as caught,
    ):
        Client((place,)).call("ack", {"incident": "9"})
    assert type(caught.value) is error


def test_stream_yields_until_the_daemon_says_that_no_more_will_come(place: Path) -> None:
    lines = [{"ok": True, "result": n, "more": n < 3} for n in (1, 2, 3)]
    with FakeDaemon(place, lambda _: lines):
        assert list(Client((place,)).stream("watch")) == [1, 2, 3]


def test_first_place_that_answers_is_asked(place: Path, tmp_path: Path) -> None:
    with FakeDaemon(place, {"ping": "pong"}):
        assert Client((tmp_path / "nothing.sock", place)).call("ping") == "pong"


def test_unreachable_names_every_place_and_what_to_do(tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(dead))
    with pytest.raises(DaemonUnreachable) as caught:
        Client((tmp_path / "no.sock", dead)).call("ping")
    text = str(caught.value)
    assert f"{tmp_path}/no.sock: no such file" in text
    assert f"{dead}: nobody listens there any more" in text
    assert "systemctl status tocsin" in text
    assert "--socket" in text


def test_path_longer_than_a_socket_can_have_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnreachable, match="too long"):
        Client((tmp_path / ("x" * 200),)).call("ping")


def test_silent_daemon_is_not_waited_for_forever(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        with pytest.raises(DaemonUnreachable, match=r"did not answer within 0\.05 s"):
            Client((place,), timeout_s=0.05).call("ping")


def test_daemon_that_closes_without_an_answer_is_said_to(place: Path) -> None:
    with FakeDaemon(place, lambda _: []), pytest.raises(DaemonUnreachable, match="without an answer"):
        Client((place,)).call("ping")


@pytest.mark.parametrize("line", [b"HTTP/1.1 400 Bad Request\r\n", b"[1]\n", b"\xff\n"])
def test_other_server_is_recognised_as_no_tocsin(place: Path, line: bytes) -> None:
    with FakeDaemon(place, lambda _: [line]), pytest.raises(DaemonUnreachable, match="no Tocsin daemon"):
        Client((place,)).call("ping")


def test_argument_that_is_not_utf_8_is_a_usage_error(place: Path) -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        Client((place,)).call("note", {"text": "\udcff"})


def test_request_that_the_daemon_would_not_read_is_not_sent(place: Path) -> None:
    with pytest.raises(UsageError, match="1,000,000 bytes"):
        Client((place,)).call("note", {"text": "x" * 1_000_000})


def test_answer_without_end_is_cut(place: Path) -> None:
    with FakeDaemon(place, lambda _: [b"x" * (16 * 1024 * 1024 + 1)]), pytest.raises(DaemonUnreachable, match="16 MiB"):
        Client((place,)).call("ping")
