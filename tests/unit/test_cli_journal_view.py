"""How entries of the journal look to people."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.cli.journal_view import details


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, ""),
        (None, "(erased)"),
        ({"severity": "P1", "count": 3, "late": True}, "severity: P1, count: 3, late: yes"),
        ({"checks": ["health", "login"]}, "checks: health; login"),
        ({"nothing": None, "empty": "", "none": [], "deep": {"a": {"b": 1}}}, ""),
        (
            {"rule": {"name": "core down", "file": "rules/a.yaml", "line": 3, "text": "x"}},
            "rule: core down (rules/a.yaml:3)",
        ),
        ({"since": "not an instant"}, "since: not an instant"),
        ({"text": "two\nlines \x1b[2J"}, "text: two lines \ufffd[2J"),
    ],
)
def test_details_are_one_line_of_plain_facts(data: dict[str, Any] | None, text: str) -> None:
    assert details(data) == text


def test_clocks_show_when_they_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"clock": "response", "due_at": "2026-11-24T04:02:31.384667+00:00", "policy": "d80d", "outcome": None}
    assert details({"clocks": [clock, {**clock, "clock": "resolution"}]}).startswith("clocks: response due 2026-11-24 ")
    assert "; resolution due " in details({"clocks": [clock, {**clock, "clock": "resolution"}]})
