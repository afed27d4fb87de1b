"""What each wrong answer of Slack means: permanent or not, in doubt or not, and how long to wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tocsin.channels.slack.failures import answered, limited


@pytest.mark.parametrize(
    "code",
    [
        "invalid_auth",
        "token_revoked",
        "account_inactive",
        "channel_not_found",
        "is_archived",
        "not_in_channel",
        "msg_too_long",
        "invalid_blocks",
        "missing_scope",
        "message_not_found",
        "cant_update_message",
    ],
)
def test_a_refusal_that_stays_is_permanent_and_says_what_to_do(code: str) -> None:
    error = answered("chat.postMessage", 200, {}, {"ok": False, "error": code})
    assert error.permanent
    assert not error.unknown
    assert code in str(error)
    assert ": " in str(error).partition(code)[2]


@pytest.mark.parametrize("code", ["internal_error", "fatal_error", "service_unavailable"])
def test_trouble_inside_slack_may_have_posted_the_message(code: str) -> None:
    error = answered("chat.postMessage", 200, {}, {"ok": False, "error": code})
    assert not error.permanent
    assert error.unknown


def test_an_error_that_nobody_knows_is_tried_again() -> None:
    error = answered("chat.postMessage", 200, {}, {"ok": False, "error": "team_is_on_holiday"})
    assert (error.permanent, error.unknown) == (False, False)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_leaves_it_in_doubt(status: int) -> None:
    error = answered("chat.postMessage", status, {}, {})
    assert (error.permanent, error.unknown) == (False, True)


def test_a_page_that_is_not_slacks_leaves_it_in_doubt() -> None:
    error = answered("chat.postMessage", 200, {}, "<html>")
    assert (error.permanent, error.unknown) == (False, True)
    assert "sign-in page" in str(error)


def test_a_proxy_that_refuses_is_tried_again() -> None:
    error = answered("chat.postMessage", 407, {}, {})
    assert (error.permanent, error.unknown) == (False, False)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("1", 1), ("30", 30), ("0", 1), ("1.5", 1.5), ("300", 300), ("86400", 300), ("1e9", 300)],
)
def test_a_pause_is_kept_and_never_longer_than_five_minutes(retry_after: str, seconds: float) -> None:
    assert limited("chat.postMessage", retry_after).retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("retry_after", [None, "", "soon", "-5", "nan", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_pause_without_a_number_is_left_to_the_sender(retry_after: str | None) -> None:
    assert limited("chat.postMessage", retry_after).retry_after is None


def test_an_absurd_pause_is_told_as_it_was_asked() -> None:
    assert "86400 s" in str(limited("chat.postMessage", "86400"))
    assert "after 5 minutes" in str(limited("chat.postMessage", "86400"))


def test_a_missing_scope_is_named() -> None:
    error = answered(
        "conversations.history", 200, {}, {"ok": False, "error": "missing_scope", "needed": "groups:history"}
    )
    assert "needs groups:history" in str(error)
