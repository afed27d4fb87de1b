"""Nothing from data becomes markup, a mention, or longer than it may be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.channels.slack.text import (
    code,
    code_block,
    escaped,
    inline,
    is_link,
    link,
    mention,
    metadata_key,
    plain,
    size,
)

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=400)


@pytest.mark.parametrize(
    "hostile", ["<!channel>", "<!here>", "<@U0LINA>", "<!subteam^S1>", "<https://evil.example|ERP>"]
)
def test_markup_in_data_is_shown_as_it_is_written(hostile: str) -> None:
    assert "<" not in escaped(hostile, 100)
    assert escaped(hostile, 100).startswith("&lt;")


@pytest.mark.parametrize("loud", ["@here", "@channel", "@everyone", "@HERE", "x@Channel"])
def test_names_that_ring_everybody_are_broken_up(loud: str) -> None:
    assert loud not in escaped(loud, 100)
    assert re.sub("\u200b", "", escaped(loud, 100)) == loud


def test_a_zero_width_space_in_data_cannot_undo_the_breaking_up() -> None:
    assert "@here" not in escaped("@\u200bhere", 100)


def test_an_escaped_character_is_never_cut_in_two() -> None:
    assert escaped("a&b", 5) == "a…"
    assert escaped("a&b", 7) == "a&amp;b"


def test_text_that_fits_is_not_shortened() -> None:
    assert plain("x" * 150, 150) == "x" * 150
    assert plain("x" * 151, 150) == "x" * 149 + "…"


def test_what_rearranges_text_is_taken_out() -> None:
    assert plain("abc\u202edef\x00\x1b[31m", 50) == "abcdef[31m"


def test_a_backtick_does_not_end_the_code_it_stands_in() -> None:
    assert code("a `b` c", 50) == "`a ˋbˋ c`"
    assert code_block("```\n*bold*", 50) == "```\nˋˋˋ\n*bold*\n```"


def test_nothing_makes_no_empty_code() -> None:
    assert code("", 50) == ""
    assert code_block(" \n", 50) == ""


def test_only_web_addresses_become_links() -> None:
    assert link("https://wiki.example.com/erp", "Runbook") == "<https://wiki.example.com/erp|Runbook>"
    assert link("javascript:alert(1)", "Runbook") == "javascript:alert(1)"
    assert not is_link("https://[broken")


def test_an_address_cannot_end_the_link_it_stands_in() -> None:
    made = link("https://x.example/a|b>c d&e", "one|two")
    assert made == "<https://x.example/a%7Cb%3Ec%20d&amp;e|one¦two>"


def test_a_slack_id_that_is_none_stays_a_name() -> None:
    assert mention("U0LINA", "Li Na") == "<@U0LINA>"
    assert mention("!channel", "Li Na") == "Li Na"
    assert mention("", "<!here>") == "&lt;!here&gt;"


def test_a_long_key_is_kept_as_its_digest() -> None:
    assert metadata_key("142:v1:opened") == "142:v1:opened"
    assert metadata_key("x" * 501) == metadata_key("x" * 501)
    assert metadata_key("x" * 501).startswith("sha256:")


@given(ANY_TEXT, st.integers(1, 60))
def test_every_way_of_writing_data_keeps_to_its_limit(text: str, limit: int) -> None:
    assert size(plain(text, limit)) <= limit
    assert size(escaped(text, limit)) <= limit
    assert size(inline(text, limit)) <= limit
    assert size(code(text, limit + 3)) <= limit + 3
    assert size(code_block(text, limit + 9)) <= limit + 9


@given(ANY_TEXT)
def test_escaped_data_holds_nothing_that_slack_reads(text: str) -> None:
    shown = escaped(text, 3000)
    assert "<" not in shown
    assert ">" not in shown
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", shown, re.DOTALL)
    shown.encode()
