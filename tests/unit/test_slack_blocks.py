"""The page of an incident says what a person needs at three in the morning, and nothing that becomes false."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from slack_parts import CLOCKS, ERP, OPENED, PEOPLE, acknowledged, clock, incident, message, recovered, texts
from tocsin.channels.slack.render import metadata, render
from tocsin.core.model import ClockKind, ClockOutcome, IncidentState, NoticeKind, Pause, Resolution, Severity
from tocsin.ports import Message


def shown(told: Message) -> str:
    return texts(render(told).blocks)


def buttons(told: Message) -> list[tuple[str, str]]:
    return [
        (element["action_id"], element["value"])
        for block in render(told).blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def header(told: Message) -> str:
    first = render(told).blocks[0]
    assert first["type"] == "header"
    return str(first["text"]["text"])


def test_the_first_block_says_severity_state_and_system_in_words() -> None:
    assert header(message()) == "🔴 P1 open: ERP #142"
    assert header(message(language="zh_CN")) == "🔴 P1 待响应：企业资源计划 #142"


def test_the_page_says_when_whose_what_and_why() -> None:
    page = shown(message())
    assert "*Acknowledge by 04:12, Thu 10 Dec (Asia/Shanghai)*" in page
    assert "Resolve by 07:12, Thu 10 Dec (Asia/Shanghai)" in page
    assert '```\nhealth: json.status == "UP" (json.status = "DOWN")\n```' in page
    assert "*Owner*\n<@U0LINA>" in page
    assert "<https://wiki.example.com/erp|Open the runbook>" in page
    assert "*Failing since*\n03:11, Thu 10 Dec" in page
    assert "health, login" in page
    assert "rule “core system down” (rules/severity.yaml:3)" in page
    assert '`system.tier == "core" &amp;&amp; status == "down"`' in page
    assert "<https://tocsin.example.com/incidents/142|Incident #142 in Tocsin>" in page


def test_the_page_in_chinese_says_the_same() -> None:
    page = shown(message(language="zh_CN"))
    assert "*响应截止：12月10日 周四 04:12（Asia/Shanghai）*" in page
    assert "*负责人*\n<@U0LINA>" in page
    assert "<https://wiki.example.com/erp|打开应急手册>" in page


def test_the_time_left_is_worked_out_by_the_readers_client() -> None:
    due = int((OPENED + timedelta(hours=1)).timestamp())
    assert f"<!date^{due}^{{ago}}|2026-12-09 20:12 UTC>" in shown(message())


def test_a_page_says_the_same_whenever_it_is_sent() -> None:
    early, later = message(), message(now=OPENED + timedelta(minutes=40))
    assert render(early) == render(later)


def test_the_notification_says_state_deadline_and_what_fails_without_markup() -> None:
    text = render(message()).text
    assert text.startswith(
        "🔴 P1 open: ERP #142. Acknowledge by 04:12, Thu 10 Dec (Asia/Shanghai). health: json.status"
    )
    assert "<" not in text


def test_an_open_incident_has_both_buttons() -> None:
    assert buttons(message()) == [("tocsin_ack", "142"), ("tocsin_resolve", "142")]
    actions = next(b for b in render(message()).blocks if b["type"] == "actions")
    assert actions["block_id"] == "tocsin_incident_142"


def test_an_acknowledged_incident_says_who_and_when_and_whether_in_time() -> None:
    page = shown(acknowledged())
    assert header(acknowledged()) == "🔵 P1 acknowledged: ERP #142"
    assert "*Acknowledged by Li Na* at 03:40, Thu 10 Dec (Asia/Shanghai)" in page
    assert "Response in time, after 28 min" in page
    assert "Acknowledge by" not in page
    assert "Resolve by 07:12" in page
    assert buttons(acknowledged()) == [("tocsin_resolve", "142")]


def test_an_answer_after_the_deadline_is_called_late() -> None:
    at = OPENED + timedelta(hours=1, minutes=12)
    late = clock(outcome=ClockOutcome.BREACHED, met_at=at, ended_at=at, breached_at=OPENED + timedelta(hours=1))
    stands = incident(state=IncidentState.ACKNOWLEDGED, acknowledged_at=at, acknowledged_by="person:li.na")
    page = shown(message(NoticeKind.EDIT, incident=stands, clocks=(late,)))
    assert "Response late, after 1 h 12 min; it was due at 04:12, Thu 10 Dec" in page


def test_a_missed_deadline_stands_in_the_first_block() -> None:
    missed = clock(outcome=ClockOutcome.BREACHED, breached_at=OPENED + timedelta(hours=1))
    told = message(NoticeKind.EDIT, "breached", clocks=(missed,), now=OPENED + timedelta(hours=2))
    assert header(told) == "🚨 P1 OVERDUE, nobody has answered: ERP #142"
    assert "*Not acknowledged by 04:12, Thu 10 Dec (Asia/Shanghai)*" in shown(told)
    assert header(replace(told, language="zh_CN")) == "🚨 P1 响应超时，尚无人确认：企业资源计划 #142"


def test_an_acknowledged_incident_past_its_resolution_says_so() -> None:
    told = replace(acknowledged(), now=OPENED + timedelta(hours=5))
    assert header(told) == "🚨 P1 acknowledged, resolution OVERDUE: ERP #142"
    assert "*Not resolved by 07:12" in shown(told)


def test_a_recovery_says_how_long_it_lasted_and_that_nobody_had_to_answer() -> None:
    page = shown(recovered())
    assert header(recovered()) == "🟢 P1 recovered: ERP #142"
    assert "*Recovered by itself* at 03:24, Thu 10 Dec (Asia/Shanghai), after 12 min 40 s" in page
    assert "No response was needed" in page
    assert "Resolution in time, after 12 min" in page
    assert buttons(recovered()) == []


def test_an_incident_closed_by_hand_says_by_whom() -> None:
    told = recovered()
    assert told.incident is not None
    by_hand = replace(told.incident, resolution=Resolution.BY_HAND, resolved_by="user:root for person:li.na")
    assert "*Resolved by root for Li Na*" in shown(replace(told, incident=by_hand))


def test_a_response_that_nobody_gave_before_the_recovery_stays_missed() -> None:
    told = recovered()
    missed = clock(
        outcome=ClockOutcome.BREACHED,
        breached_at=OPENED + timedelta(minutes=5),
        ended_at=OPENED + timedelta(minutes=12),
    )
    assert "Response missed: nobody had acknowledged by" in shown(replace(told, clocks=(missed,)))


def test_a_withdrawn_incident_is_no_recovery() -> None:
    told = recovered()
    assert told.incident is not None
    gone = replace(told, incident=replace(told.incident, resolution=Resolution.WITHDRAWN))
    assert header(gone) == "⚪ P1 no longer watched: ERP #142"


def test_a_severity_without_a_policy_says_that_there_is_no_deadline() -> None:
    assert "No deadline: P1 has no response policy." in shown(message(clocks=()))


def test_a_severity_set_by_hand_is_not_blamed_on_the_rule() -> None:
    told = message(incident=incident(severity=Severity.P1, rule_severity=Severity.P2))
    assert "Why P1: set by hand; the rule “core system down” (rules/severity.yaml:3) gave P2" in shown(told)


def test_superseded_clocks_are_not_shown() -> None:
    old = clock(hours=9, superseded_at=OPENED)
    assert render(message(clocks=(old, *CLOCKS))) == render(message())


def test_pauses_do_not_count_in_the_time_that_an_answer_took() -> None:
    at = OPENED + timedelta(minutes=50)
    pause = Pause(OPENED + timedelta(minutes=10), OPENED + timedelta(minutes=30), "resolved", "tocsin")
    answered = clock(outcome=ClockOutcome.MET, met_at=at, ended_at=at, pauses=(pause,))
    stands = incident(state=IncidentState.ACKNOWLEDGED, acknowledged_at=at, acknowledged_by="person:li.na", reopened=1)
    page = shown(message(NoticeKind.EDIT, incident=stands, clocks=(answered,)))
    assert "Response in time, after 30 min" in page
    assert "Failed again and was reopened 1×" in page


@pytest.mark.parametrize(
    ("owner", "people", "expected"),
    [
        (PEOPLE["li.na"], PEOPLE, "<@U0LINA>"),
        (PEOPLE["no.slack"], PEOPLE, "No Slack"),
        (None, PEOPLE, "li.na"),
    ],
)
def test_the_owner_is_called_where_their_slack_id_is_known(owner: Any, people: Any, expected: str) -> None:
    assert f"*Owner*\n{expected}" in shown(message(owner=owner, people=people))


def test_a_system_that_is_no_longer_configured_is_still_told() -> None:
    told = message(system=None, owner=None)
    assert header(told) == "🔴 P1 open: erp #142"
    assert "*Owner*\nnobody" in shown(told)


def test_an_unknown_time_zone_is_read_as_utc() -> None:
    assert "20:12, Wed 9 Dec (UTC)" in shown(message(timezone="Mars/Olympus"))


def test_mentions_never_come_from_data() -> None:
    hostile = "<!channel> <@U0WANG> @here ``` <!here|x>"
    told = message(
        incident=incident(text=hostile, checks=(hostile,), rule=replace(incident().rule, name=hostile, text=hostile)),
        system=replace(ERP, title={"": hostile}, runbook="https://x.example/<!channel>|<@U0WANG>"),
    )
    # The header is plain_text, in which Slack reads nothing.
    markup = shown(told).replace(header(told), "")
    assert not re.search(r"<!(?!date)|<@U0WANG|@here|@channel", markup)
    assert "<@U0LINA>" in markup


def test_bare_names_in_data_are_not_linked_by_slack() -> None:
    def objects(value: Any) -> list[dict[str, Any]]:
        match value:
            case {"type": "mrkdwn"}:
                return [value]
            case dict():
                return [found for inner in value.values() for found in objects(inner)]
            case list():
                return [found for inner in value for found in objects(inner)]
            case _:
                return []

    assert all(found["verbatim"] is True for found in objects(render(message()).blocks))


def test_the_metadata_carries_the_key_and_the_incident() -> None:
    assert metadata(message()) == {
        "event_type": "tocsin_notice",
        "event_payload": {"key": "142:v1:opened:page:incidents", "incident": 142},
    }


def test_a_line_that_has_no_thread_goes_out_with_the_page() -> None:
    told = message(NoticeKind.PAGE, "breached", data={"clock": ClockKind.RESPONSE, "due_at": OPENED.isoformat()})
    assert header(told).startswith("🔴 P1")
    assert "Response deadline missed" in shown(told)
