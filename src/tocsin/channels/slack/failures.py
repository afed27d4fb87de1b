"""What can go wrong between here and Slack, as `DeliveryError`: can trying again help, when, and may it have arrived all the same?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import isfinite
from typing import Any

from tocsin.errors import DeliveryError

LONGEST_PAUSE = timedelta(minutes=5)

PERMANENT = {
    "account_inactive": "the app's account was deactivated",
    "as_user_not_supported": "the token is of an old kind",
    "block_mismatch": "the message was made by something else",
    "cannot_reply_to_message": "this message takes no replies",
    "cant_update_message": "the message was posted by another app",
    "channel_not_found": "check the channel's id, and invite the app to it with /invite",
    "edit_window_closed": "the workspace no longer allows this message to be edited",
    "ekm_access_denied": "an administrator suspended access",
    "invalid_arguments": "the request was not understood",
    "invalid_auth": "check slack.bot_token",
    "invalid_blocks": "Slack found the message malformed",
    "invalid_blocks_format": "Slack found the message malformed",
    "invalid_metadata_format": "Slack found the message's metadata malformed",
    "is_archived": "the channel is archived",
    "is_inactive": "the message was deleted or its channel closed",
    "message_not_found": "the message was deleted",
    "metadata_too_large": "Slack found the message's metadata too large",
    "missing_scope": "add the scope to the app and install it again (deploy/slack/manifest.yaml has them all)",
    "msg_too_long": "Slack found the message too long",
    "no_permission": "the app lacks a permission in this channel",
    "no_text": "Slack found no text",
    "not_allowed_token_type": "slack.bot_token must begin with xoxb-",
    "not_authed": "slack.bot_token is not set",
    "not_in_channel": "invite the app to the channel with /invite",
    "org_login_required": "the workspace is being moved",
    "restricted_action": "an administrator restricts who may post here",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_locked": "the thread is locked",
    "team_access_not_granted": "the app is not allowed in this workspace",
    "thread_not_found": "the message of the thread was deleted",
    "token_expired": "check slack.bot_token",
    "token_revoked": "the app was taken out of the workspace: install it again and set slack.bot_token",
    "two_factor_setup_required": "the account must set up two-factor sign-in",
}
"""Errors that stay until somebody does something, and what that is. An error that is not here is tried again."""

PERHAPS_DONE = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})
"""Slack says of these that some of the work may have been done."""

ROOT_GONE = frozenset({"message_not_found", "thread_not_found"})
"""Somebody deleted the incident's message: the next line goes out as a new one."""

LIMITED = frozenset({"ratelimited", "rate_limited"})


class RateLimitError(DeliveryError):
    """Slack wants a pause. `retry_after` is None when it did not say, in numbers, how long."""


def answered(method: str, status: int, headers: Mapping[str, str], body: Any) -> DeliveryError:
    """Say what an answer means that is not `ok: true`."""
    code = body.get("error") if isinstance(body, Mapping) else None
    if status == 429 or code in LIMITED:
        return limited(method, headers.get("Retry-After"))
    if status >= 500:
        return DeliveryError(f"Slack answered {method} with HTTP {status}", unknown=True)
    if isinstance(code, str) and code:
        return _refused(method, code, body)
    if status >= 400:
        return DeliveryError(f"{method} was answered with HTTP {status} (a proxy between here and Slack?)")
    text = (
        f"{method} was answered with HTTP {status}, and not by Slack (a sign-in page or a proxy between here and it?)"
    )
    return DeliveryError(text, unknown=True)


def _refused(method: str, code: str, body: Mapping[str, Any]) -> DeliveryError:
    shown = "".join(c for c in code if c.isprintable())[:80]
    hint = PERMANENT.get(code)
    needed = f" (needs {body['needed']})" if code == "missing_scope" and body.get("needed") else ""
    text = f"Slack refused {method}: {shown}{needed}{f': {hint}' if hint else ''}"
    return DeliveryError(text, permanent=hint is not None, unknown=code in PERHAPS_DONE, is_root_gone=code in ROOT_GONE)


def limited(method: str, retry_after: str | None) -> RateLimitError:
    """Read Retry-After. After a longer pause than five minutes was wanted, it is asked again after five all the same.

    One question more harms no limit; a page that waits for a day does harm.
    """
    seconds = _seconds(retry_after)
    if seconds is None:
        return RateLimitError(f"Slack wants a pause ({method}) and did not say how long")
    pause = timedelta(seconds=max(1.0, min(seconds, LONGEST_PAUSE.total_seconds())))
    asked = f"Slack wants a pause of {seconds:g} s ({method})"
    text = asked if seconds <= LONGEST_PAUSE.total_seconds() else f"{asked}; asking again after 5 minutes"
    return RateLimitError(text, retry_after=pause)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def unreached(method: str, error: Exception) -> DeliveryError:
    """A request that never left: trying again cannot double anything."""
    return DeliveryError(f"Slack cannot be reached for {method}: {_text(error)}")


def unanswered(method: str, error: Exception) -> DeliveryError:
    """A request that was written, and whose answer was lost or could not be read."""
    return DeliveryError(f"Slack's answer to {method} was lost: {_text(error)}", unknown=True)


def _text(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(": ")
