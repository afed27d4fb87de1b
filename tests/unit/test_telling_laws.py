"""What holds for every pace and every chain of channels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from case_parts import T0
from tocsin.core.fallback import diverted, next_channel
from tocsin.core.model import PRIORITY_ORDER, Notice, NoticeKind, Priority
from tocsin.core.pace import PACES, Pace, free_at, paced
from tocsin.core.policy import ChannelSpec, Person, Rulebook, Team

NAMES = ("a", "b", "c", "d")
SECOND = timedelta(seconds=1)


@given(
    st.builds(
        Pace, st.integers(1, 200), st.integers(1, 120).map(lambda n: timedelta(seconds=n)), burst=st.integers(1, 10)
    ),
    st.lists(st.floats(0, 30), min_size=1, max_size=60),
)
def test_no_span_of_a_pace_holds_more_than_its_count_and_the_burst(pace: Pace, waits: list[float]) -> None:
    now, level, sent = T0, None, []
    for wait in waits:
        now += wait * SECOND
        if level is not None:
            now = max(now, free_at(pace, level))
        sent.append(now)
        level = paced(pace, level, now)
    for first, at in enumerate(sent):
        within = [other for other in sent[first:] if other - at < pace.per]
        assert len(within) <= pace.count + pace.burst


def test_no_kind_of_channel_may_send_more_in_a_minute_than_its_maker_takes() -> None:
    most = {"dingtalk": 20, "wecom": 20, "feishu": 100}
    for kind, limit in most.items():
        pace = PACES[kind]
        assert pace.count * (timedelta(minutes=1) / pace.per) + pace.burst <= limit


def a_rulebook(fallbacks: Mapping[str, str], alarms_to: tuple[str, ...]) -> Rulebook:
    return Rulebook(
        channels={name: ChannelSpec(name, "slack", fallback=fallbacks.get(name, "")) for name in NAMES},
        people={"li.na": Person("li.na", "Li Na", slack="U1", email="li.na@example.com")},
        teams={"ops": Team("ops", {"": "Ops"}, ("li.na",), "c")},
        alarms_to=alarms_to,
        has_mail=True,
    )


CHAINS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES))
TROUBLES = st.lists(st.sampled_from(NAMES), unique=True).map(tuple)


@given(CHAINS, TROUBLES, st.sampled_from((*NAMES, "person:li.na")), st.sampled_from(list(NoticeKind)))
def test_every_chain_ends_and_asks_nobody_twice(
    fallbacks: dict[str, str], alarms_to: tuple[str, ...], start: str, kind: NoticeKind
) -> None:
    rulebook = a_rulebook(fallbacks, alarms_to)
    notice = Notice(f"1:v0:opened:{kind}:{start}", start, kind, Priority.REPEAT, "opened", T0, 1)
    keys = [notice.key]
    while (to := next_channel(rulebook, notice)) is not None:
        notice = diverted(notice, to, "refused", T0 + SECOND, has_root=False)
        keys.append(notice.key)
        assert len(keys) <= len(NAMES) + 2
    assert len(set(keys)) == len(keys)


@given(CHAINS, TROUBLES, st.sampled_from(list(NoticeKind)), st.sampled_from(list(Priority)), st.booleans())
def test_what_must_be_heard_goes_on_before_everything_else_and_keeps_its_facts(
    fallbacks: dict[str, str], alarms_to: tuple[str, ...], kind: NoticeKind, priority: Priority, has_root: bool
) -> None:
    notice = Notice("1:v0:opened:page:a", "a", kind, priority, "opened", T0, 1, {"x": 1, "not_before": T0.isoformat()})
    to = next_channel(a_rulebook(fallbacks, alarms_to), notice)
    if to is None:
        return
    made = diverted(notice, to, "refused", T0 + SECOND, has_root=has_root)
    rings = kind in (NoticeKind.PAGE, NoticeKind.BROADCAST, NoticeKind.ALARM)
    assert made.priority is (Priority.P1 if rings else priority)
    assert PRIORITY_ORDER[made.priority] <= PRIORITY_ORDER[priority]
    assert (made.incident, made.event, made.data["x"]) == (1, "opened", 1)
    assert (made.data["instead_of"], made.data["because"]) == ("a", "refused")
    assert made.not_before is None
    assert (made.kind is NoticeKind.BROADCAST) == (
        kind is NoticeKind.BROADCAST or (kind is NoticeKind.PAGE and has_root)
    )


def test_behind_a_person_stand_their_mail_and_the_channel_of_their_team() -> None:
    rulebook = a_rulebook({}, ("d",))
    notice = Notice("k:person:li.na", "person:li.na", NoticeKind.PAGE, Priority.PAGE, "escalated", T0, 1)
    chain = []
    while (to := next_channel(rulebook, notice)) is not None:
        chain.append(to)
        notice = diverted(notice, to, "refused", T0, has_root=False)
    assert chain == ["mail:li.na", "c", "d"]
