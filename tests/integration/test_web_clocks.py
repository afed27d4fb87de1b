"""A paused clock on the page: what is left and why, and nothing that counts down."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tocsin.testing.desk import FakeDesk
from tocsin.testing.facts import check, clock, incident, rfc3339, system
from web_parts import NOW, an_app, ask, fixed_now

HOUR = timedelta(hours=1)


def shown(language: str, **more: object) -> str:
    one = clock("resolution", NOW - 2 * HOUR, 4 * HOUR, **more)
    known = incident(7, "erp", "P1", NOW - 2 * HOUR, [one])
    desk = FakeDesk(fixed_now, [system("erp", [check("health", "down", rfc3339(NOW - 2 * HOUR))], "down")], [known])
    return str(ask(an_app(desk, language=language), "GET", "/").text)


@pytest.mark.parametrize(("language", "words"), [("en", "paused, 3 h 00 min left"), ("zh_CN", "已暂停，剩余 3 小时")])
def test_a_paused_clock_shows_what_is_left_and_why_and_does_not_tick(language: str, words: str) -> None:
    paused = {"since": rfc3339(NOW - HOUR), "reason": "waiting for <ACME>", "actor": "person:li.na"}
    html = shown(language, paused=paused)
    assert words in html
    assert "waiting for &lt;ACME&gt;" in html
    assert 'class="clock paused"' in html
    assert "data-due" not in html


def test_a_running_clock_ticks() -> None:
    assert "data-due" in shown("en")
