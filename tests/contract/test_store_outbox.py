"""The outbox: what was promised is there once, comes out in order, and is never forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from case_parts import T0, minute
from tocsin.core.model import Notice, NoticeKind, Priority
from tocsin.ports import PendingNotice, Reference
from tocsin.store.transaction import SqlTransaction

Unit = Callable[[Callable[[SqlTransaction], Any]], Any]
Ask = Callable[[Callable[[Any], Any]], Any]
PAGE, EDIT, REPLY, BROADCAST = NoticeKind.PAGE, NoticeKind.EDIT, NoticeKind.REPLY, NoticeKind.BROADCAST


def a_notice(
    key: str,
    kind: NoticeKind = PAGE,
    priority: Priority = Priority.PAGE,
    incident: int | None = 1,
    channel: str = "ops",
    **data: Any,
) -> Notice:
    return Notice(key, channel, kind, priority, "opened", T0, incident, data)


def promise(unit: Unit, *promised: Notice) -> None:
    unit(lambda tx: tx.promise(promised))


def pending(unit: Unit, channel: str = "ops", now: Any = T0, limit: int = 50) -> list[PendingNotice]:
    found = unit(lambda tx: tx.pending_notices(channel, now, limit))
    assert isinstance(found, list)
    return found


def keys(unit: Unit, *args: Any, **more: Any) -> list[str]:
    return [one.notice.key for one in pending(unit, *args, **more)]


def test_a_promised_notice_is_read_back_as_it_was_promised(unit: Unit) -> None:
    notice = a_notice("k", REPLY, Priority.ANSWER, 7, text="漢字", share=0.5)
    promise(unit, notice)
    (found,) = pending(unit)
    assert found.notice == notice
    assert (found.attempts, found.is_unknown, found.next_at) == (0, False, None)


def test_the_same_fact_promised_twice_is_one_message_and_stays_as_it_was(unit: Unit) -> None:
    promise(unit, a_notice("k", text="first"))
    promise(unit, a_notice("k", text="second"), a_notice("other", incident=2))
    assert [one.notice.data for one in pending(unit)] == [{"text": "first"}, {}]
    promise(unit, a_notice("in one go", incident=3), a_notice("in one go", incident=3))
    assert keys(unit).count("in one go") == 1


def test_a_fact_that_was_already_sent_is_not_promised_again(unit: Unit) -> None:
    promise(unit, a_notice("k"))
    unit(lambda tx: tx.settle_notice(pending_id(tx), "sent", T0))
    promise(unit, a_notice("k"))
    assert keys(unit) == []


def pending_id(tx: SqlTransaction, channel: str = "ops") -> int:
    return tx.pending_notices(channel, T0, 1)[0].id


def test_pages_of_p1_come_before_all_answers_before_repeats_and_each_in_the_order_of_promising(unit: Unit) -> None:
    order = [Priority.REPEAT, Priority.P1, Priority.ANSWER, Priority.PAGE, Priority.P1, Priority.REPEAT]
    promise(unit, *(a_notice(f"{n} {p}", priority=p, incident=n) for n, p in enumerate(order)))
    assert keys(unit) == ["1 p1", "4 p1", "3 page", "2 answer", "0 repeat", "5 repeat"]
    assert keys(unit, limit=2) == ["1 p1", "4 p1"]


def test_a_channel_sees_only_its_own(unit: Unit) -> None:
    promise(unit, a_notice("a"), a_notice("b", channel="hook"))
    assert (keys(unit), keys(unit, "hook"), keys(unit, "none")) == (["a"], ["b"], [])


def test_a_line_never_overtakes_what_was_promised_of_its_incident_before(unit: Unit) -> None:
    promise(
        unit,
        a_notice("page", PAGE, Priority.PAGE),
        a_notice("edit", EDIT, Priority.ANSWER),
        a_notice("breach", BROADCAST, Priority.P1),
        a_notice("of another", REPLY, Priority.ANSWER, incident=2),
        a_notice("of none", NoticeKind.ALARM, Priority.PAGE, incident=None),
        a_notice("elsewhere", REPLY, Priority.ANSWER, channel="hook"),
    )
    assert keys(unit) == ["page", "of none", "of another"]
    assert keys(unit, "hook") == ["elsewhere"]


def test_edits_hold_nothing_up_and_wait_for_the_lines_before_them(unit: Unit) -> None:
    promise(unit, a_notice("edit", EDIT, Priority.ANSWER), a_notice("reply", REPLY, Priority.REPEAT))
    promise(unit, a_notice("second edit", EDIT, Priority.ANSWER))
    assert keys(unit) == ["edit", "reply"]


def test_many_lines_that_wait_do_not_hide_the_one_that_may_go(unit: Unit) -> None:
    for incident in range(1, 61):
        promise(unit, a_notice(f"{incident} said", REPLY, Priority.ANSWER, incident))
        promise(unit, a_notice(f"{incident} breach", BROADCAST, Priority.P1, incident))
    assert len(keys(unit, limit=50)) == 50
    assert keys(unit, limit=1) == ["1 said"]


def test_a_notice_that_was_put_off_comes_again_at_its_time_and_is_looked_up_when_in_doubt(unit: Unit) -> None:
    promise(unit, a_notice("k"))
    unit(lambda tx: tx.postpone_notice(pending_id(tx), minute(1), "429", is_unknown=False))
    assert keys(unit) == []
    (found,) = pending(unit, now=minute(1))
    assert (found.attempts, found.is_unknown, found.next_at) == (1, False, minute(1))
    unit(lambda tx: tx.postpone_notice(found.id, minute(2), "reset", is_unknown=True))
    (again,) = pending(unit, now=minute(2))
    assert (again.attempts, again.is_unknown) == (2, True)


def test_channels_that_have_something_to_send_are_named_with_when(unit: Unit) -> None:
    promise(
        unit, a_notice("a"), a_notice("b", incident=2), a_notice("c", channel="hook"), a_notice("d", channel="mail")
    )
    unit(lambda tx: tx.postpone_notice(pending_id(tx, "hook"), minute(5), "429", is_unknown=False))
    unit(lambda tx: tx.settle_notice(pending_id(tx, "mail"), "sent", T0))
    assert sorted(unit(lambda tx: tx.channels_with_pending())) == [("hook", minute(5)), ("ops", None)]


def test_what_waits_for_a_line_that_was_put_off_does_not_make_its_channel_ready(unit: Unit) -> None:
    promise(unit, a_notice("page"), a_notice("reply", REPLY, Priority.ANSWER))
    unit(lambda tx: tx.postpone_notice(pending_id(tx), minute(5), "503", is_unknown=False))
    assert keys(unit) == []
    assert unit(lambda tx: tx.channels_with_pending()) == [("ops", minute(5))]


def test_a_later_edit_covers_the_earlier_ones_of_its_incident_up_to_where_it_looked(unit: Unit) -> None:
    for n in range(1, 5):
        promise(unit, a_notice(f"edit {n}", EDIT, Priority.ANSWER))
    promise(unit, a_notice("of another", EDIT, Priority.ANSWER, incident=2))
    promise(unit, a_notice("elsewhere", EDIT, Priority.ANSWER, channel="hook"))
    ids = {one.notice.key: one.id for one in pending(unit)}
    unit(lambda tx: tx.settle_notice(ids["edit 2"], "sent", T0))
    unit(lambda tx: tx.cover_edits("ops", 1, ids["edit 3"], T0))
    assert keys(unit) == ["edit 4", "of another"]
    assert keys(unit, "hook") == ["elsewhere"]
    assert unit(lambda tx: tx.last_notice_id()) >= ids["of another"]


def test_covering_edits_leaves_lines_alone(unit: Unit) -> None:
    promise(unit, a_notice("reply", REPLY, Priority.ANSWER))
    unit(lambda tx: tx.cover_edits("ops", 1, 10_000, T0))
    assert keys(unit) == ["reply"]


def test_the_last_notice_of_an_empty_outbox_is_none(unit: Unit) -> None:
    assert unit(lambda tx: tx.last_notice_id()) == 0


@pytest.mark.parametrize("only_one", [True, False])
def test_dead_notices_are_tried_again_when_somebody_says_so_and_looked_up_first(unit: Unit, only_one: bool) -> None:
    promise(unit, *(a_notice(f"k{n}", incident=n) for n in (1, 2, 3)))
    first, second, third = [one.id for one in pending(unit)]
    for notice in (first, second):
        unit(lambda tx, n=notice: tx.settle_notice(n, "dead", T0, "channel_not_found"))
    unit(lambda tx: tx.settle_notice(third, "sent", T0))
    assert unit(lambda tx: tx.retry_notices(first if only_one else None)) == (1 if only_one else 2)
    assert keys(unit) == (["k1"] if only_one else ["k1", "k2"])
    assert {one.is_unknown for one in pending(unit)} == {True}
    assert unit(lambda tx: tx.retry_notices(third)) == 0


def test_after_a_start_everything_that_waits_is_in_doubt_and_nothing_else(unit: Unit, ask: Ask) -> None:
    promise(unit, a_notice("waits"), a_notice("sent", incident=2))
    sent = next(one.id for one in pending(unit) if one.notice.key == "sent")
    unit(lambda tx: (tx.settle_notice(sent, "sent", T0), tx.doubt_pending()))
    assert [(one.notice.key, one.is_unknown) for one in pending(unit)] == [("waits", True)]


def test_where_a_message_stands_is_kept_by_channel_and_subject(unit: Unit) -> None:
    assert unit(lambda tx: tx.reference("ops", "incident:1")) is None
    first, second = Reference("C1", "1700000000.000100"), Reference("C1", "1700000000.000200")
    unit(lambda tx: tx.keep_reference("ops", "incident:1", first, T0))
    unit(lambda tx: tx.keep_reference("hook", "incident:1", second, T0))
    assert unit(lambda tx: tx.reference("ops", "incident:1")) == first
    unit(lambda tx: tx.keep_reference("ops", "incident:1", second, minute(1)))
    assert unit(lambda tx: tx.reference("ops", "incident:1")) == second


def test_the_outbox_can_be_looked_at(unit: Unit, ask: Ask) -> None:
    promise(unit, a_notice("a"), a_notice("b", incident=2), a_notice("c", channel="hook", incident=2))
    b = next(one.id for one in pending(unit) if one.notice.key == "b")
    unit(lambda tx: tx.settle_notice(b, "dead", minute(1), "channel_not_found"))
    shown = ask(lambda q: q.notices(state=None, incident=None, limit=10))
    assert [(row["key"], row["state"], row["error"]) for row in shown] == [
        ("c", "pending", None),
        ("b", "dead", "channel_not_found"),
        ("a", "pending", None),
    ]
    assert [row["key"] for row in ask(lambda q: q.notices(state="pending", incident=2, limit=10))] == ["c"]
    assert ask(lambda q: q.outbox(minute(2))) == {"ops": (1, 120.0), "hook": (1, 120.0)}


def test_where_more_waits_for_confirmation_than_is_looked_at_p1_is_seen(unit: Unit) -> None:
    promise(
        unit, *(a_notice(f"old {number}", incident=number) for number in range(5)), a_notice("edit", EDIT, incident=8)
    )
    promise(unit, a_notice("grave", priority=Priority.P1, incident=9))
    seen = unit(lambda tx: [tx.pending_notice(number).notice.key for number, _ in tx.unconfirmed(2)])
    assert seen == ["grave", "old 0"]
