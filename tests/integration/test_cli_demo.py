"""What `demo run` does before and around the daemon."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from fake_daemon import FakeDaemon
from tocsin.cli.demo import demo_files
from tocsin.cli.demo_daemon import free_port, write_configuration
from tocsin.cli.main import main
from tocsin.errors import TocsinError

URLS = {"erp": "http://127.0.0.1:9001", "crm": "http://127.0.0.1:9002", "oa": "http://127.0.0.1:9003"}


def test_second_demo_is_refused_and_leaves_the_first_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "demo.json").write_text("{}")
    with FakeDaemon(tmp_path / "var" / "tocsin.sock", {"ping": {"ok": True}}):
        assert main(["demo", "run"]) == 1
    assert "already answers" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["demo.json", "tocsin.sock"]


@pytest.mark.parametrize("words", [["--json"], ["--config", "tocsin.yaml"]])
def test_demo_refuses_options_that_mean_nothing_to_it(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "run", *words]) == 2
    assert "demo run" in capsys.readouterr().err


def test_configuration_of_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "old.yaml").write_text("old")
    assert write_configuration(demo_files(), tmp_path, URLS) == tmp_path / "tocsin.yaml"
    assert sorted(path.name for path in (tmp_path / "rules").iterdir()) == ["policy.yaml", "systems.yaml"]


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TocsinError, match="file/demo"):
        write_configuration(demo_files(), tmp_path / "file" / "demo", URLS)


def test_configuration_inside_the_package_is_preferred(tmp_path: Path) -> None:
    inside = tmp_path / "tocsin" / "testing" / "demo"
    inside.mkdir(parents=True)
    (inside / "tocsin.yaml").write_text("")
    assert demo_files(tmp_path / "tocsin") == inside


def test_missing_configuration_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(TocsinError, match="deploy/demo"):
        demo_files(tmp_path / "src" / "tocsin")


def test_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) not in (0, port)


@pytest.mark.parametrize("text", ["", "[]", '{"systems": 3}', "{"])
def test_broken_note_of_a_demo_is_no_demo(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "demo.json").write_text(text)
    assert main(["demo", "fix", "erp", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["ok"] is False
