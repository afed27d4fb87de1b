"""The worked examples of docs/calendars.md, each run."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tocsin.config.calendars import from_mapping
from tocsin.config.spans import parse_span
from tocsin.config.yaml_positions import read_yaml
from tocsin.core.calendar import ALWAYS, Calendar, due, explain, measure
from tocsin.core.model import Pause

PAGE = (Path(__file__).parents[2] / "docs" / "calendars.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """The rows of the table with this header."""
    _, found, rest = PAGE.partition(f"{header}\n")
    assert found, f"no table {header}"
    table = rest.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


DUE = rows("| calendar | from | target | pause | due |")
MEASURED = rows("| calendar | from | to | counted |")


@cache
def calendar_of(name: str) -> Calendar:
    block = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    document = read_yaml(block[1], "calendars.md")
    assert not document.problems
    return ALWAYS if name == ALWAYS.name else from_mapping(name, document.value["calendars"][name], "UTC")


def moment(calendar: Calendar, text: str) -> datetime:
    wall = datetime.strptime(text, "%a %Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(calendar.zone))
    assert f"{wall:%a}" == text[:3], f"{text} is a {wall:%A}"
    return wall


@pytest.mark.parametrize(
    ("name", "start", "target", "paused", "expected"), DUE, ids=lambda text: text.replace(" ", "_")
)
def test_a_worked_example_is_due_as_written(name: str, start: str, target: str, paused: str, expected: str) -> None:
    calendar = calendar_of(name)
    edges = [moment(calendar, text) for text in paused.split(" / ")] if paused else []
    pauses = [Pause(edges[0], edges[1], "supplier", "person:li.na")] if edges else []
    begin, end = moment(calendar, start), moment(calendar, expected)
    assert due(calendar, begin, parse_span(target), pauses) == end
    assert measure(calendar, begin, end, pauses) == parse_span(target)


@pytest.mark.parametrize(("name", "start", "end", "counted"), MEASURED, ids=lambda text: text.replace(" ", "_"))
def test_a_worked_example_measures_as_written(name: str, start: str, end: str, counted: str) -> None:
    calendar = calendar_of(name)
    assert measure(calendar, moment(calendar, start), moment(calendar, end)) == parse_span(counted)


def test_the_page_names_the_reasons_that_segments_give() -> None:
    calendar = calendar_of("beijing")
    start, end = moment(calendar, "Wed 2026-09-30 09:00"), moment(calendar, "Fri 2026-10-02 00:00")
    told = explain(calendar, start, end, [Pause(start, moment(calendar, "Wed 2026-09-30 10:00"), "the reason", "x")])
    assert all(f"`{segment.why}`" in PAGE for segment in told)
    assert len({segment.why for segment in told}) == 4
