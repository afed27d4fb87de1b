"""Ladders end to end: from the rule file over the store to what people read in Slack; and the auditor that watches over them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from duty_parts import RULES, House, run
from tocsin.core.model import NoticeKind, Priority
from tocsin.errors import Refused, UsageError
from tocsin.testing.slack_faults import Fault

LINA, WANG, TEAM = "D0LINA", "D0WANG", "C0DEMO"


def test_the_person_on_call_is_paged_directly_in_their_language_at_once(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail()
        await h.turn()
        (page,) = h.said_to(LINA)
        assert page.text.startswith("🔴 P1 待响应")
        assert "升级第 1 步" in str(page.blocks)
        assert [button["action_id"] for _, button in page.buttons()] == ["tocsin_ack", "tocsin_resolve"]
        assert len(h.said_to(TEAM)) == 1

    run(tmp_path, walk)


def test_the_next_step_tells_who_has_no_slack_in_the_channel_of_the_system_and_says_so(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail()
        await h.turn()
        await h.turn(minutes=30)
        (page,) = h.said_to(WANG)
        assert "<@U0WANG>" in str(page.blocks)
        line = h.said_to(TEAM)[-1]
        assert line.is_broadcast
        assert "Step 2 of the escalation: No Slack (told here, since the rules give them no Slack id)" in line.text

    run(tmp_path, walk)


def test_the_acknowledgement_stops_everything_and_every_page_shows_it(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        incident = await h.fail()
        await h.turn()
        await h.ask("ack", incident=incident)
        await h.turn()
        await h.turn(minutes=90)
        assert h.said_to(WANG) == []
        (page,) = h.said_to(LINA)
        assert page.text.startswith("🔵 P1 处理中")
        assert [line["data"]["step"] for line in await h.journal("escalation_step")] == [1]
        assert h.alarm("escalation") is None

    run(tmp_path, walk)


def test_an_answer_that_nothing_follows_expires_and_rings_again(tmp_path: Path) -> None:
    rules = RULES.replace("remind: []", "remind: [], acknowledge_for: 20m")

    async def walk(h: House) -> None:
        incident = await h.fail()
        await h.turn()
        await h.ask("ack", incident=incident)
        await h.turn(minutes=20)
        shown = await h.ask("incident_show", incident=incident)
        assert (shown["state"], shown["acknowledged_by"]) == ("open", None)
        assert h.said_to(LINA)[-1].is_broadcast
        assert "Nothing followed the acknowledgement by Li Na" in h.said_to(TEAM)[-1].text
        await h.turn(minutes=29)
        assert h.said_to(WANG) == []
        await h.turn(minutes=1)
        assert len(h.said_to(WANG)) == 1
        assert h.alarm("escalation") is None

    run(tmp_path, walk, rules)


def test_escalating_by_hand_runs_the_next_step_and_calls_others(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        incident = await h.fail()
        await h.turn()
        await h.ask("escalate", incident=incident)
        await h.turn()
        assert "Li Na calls <@U0WANG>" in str(h.said_to(WANG)[0].blocks)
        await h.ask("ack", incident=incident)
        for to, error in (("", Refused), ("person:nobody", UsageError), ("nonsense", UsageError)):
            try:
                await h.ask("escalate", incident=incident, to=to)
            except error:
                continue
            raise AssertionError(to)
        await h.ask("escalate", incident=incident, to="oncall:erp")
        assert (await h.journal("incident_escalated"))[0]["data"]["target"] == "oncall:erp"

    run(tmp_path, walk)


def test_what_if_and_explain_name_who_would_be_told(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        imagined = await h.ask("what_if", system="erp", status="down")
        told = [(n["at"], n["to"], n["channel"]) for n in imagined["notices"] if "core-ladder" in n["why"]]
        assert told == [
            ("2026-11-24T02:00:00.000000Z", "Li Na", "person:li.na"),
            ("2026-11-24T02:30:00.000000Z", "Wang Wei", "person:wang.wei"),
            ("2026-11-24T02:30:00.000000Z", "No Slack", "slack"),
        ]
        incident = await h.fail()
        why = (await h.ask("explain", subject=str(incident)))["why"]
        assert any(line.startswith("step 1 (oncall:erp) ran at ") for line in why)
        assert any("would tell Wang Wei in person:wang.wei; No Slack in slack" in line for line in why)

    run(tmp_path, walk)


def test_without_the_scope_for_direct_messages_people_are_told_all_the_same(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        h.slack.methods.scopes -= {"im:write"}
        incident = await h.fail()
        await h.turn()
        await h.ask("ack", incident=incident)
        await h.turn()
        (page,) = h.said_to(LINA)
        assert (page.text.startswith("🔵 P1"), page.edits) == (True, 1)

    run(tmp_path, walk)


def test_a_direct_message_whose_answer_was_lost_is_found_and_not_sent_twice(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail()
        h.slack.script("chat.postMessage", [Fault.reset(acts=True), Fault.reset(acts=True)])
        await h.tell()
        await h.turn(minutes=0.1)
        assert [len(h.said_to(LINA)), len(h.said_to(TEAM))] == [1, 1]
        assert await h.ready() == []

    run(tmp_path, walk)


# --- quiet hours ---

QUIET = RULES.replace("slack: U0LINA,", "slack: U0LINA, quiet: {hours: {mon-sun: ['09:00-11:00']}},").replace(
    "escalate: core-ladder}", "escalate: core-ladder}\n  P2: {acknowledge: 4h, remind: [], escalate: core-ladder}"
)
LIGHT = QUIET.replace("response:", 'severity: [{name: any, when: status == "down", is: P2}]\nresponse:')


def test_a_light_page_waits_for_the_end_of_quiet_hours(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail()
        await h.turn()
        await h.turn(minutes=59)
        assert h.said_to(LINA) == []
        await h.turn(minutes=1)
        assert len(h.said_to(LINA)) == 1
        assert h.alarm("escalation") is None

    run(tmp_path, walk, LIGHT)


def test_a_light_page_is_not_sent_in_the_morning_when_somebody_answered_meanwhile(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        incident = await h.fail()
        await h.turn()
        await h.ask("ack", incident=incident)
        await h.turn(minutes=61)
        assert h.said_to(LINA) == []
        assert h.alarm("escalation") is None

    run(tmp_path, walk, LIGHT)


def test_a_p1_does_not_wait(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail()
        await h.turn()
        assert len(h.said_to(LINA)) == 1

    run(tmp_path, walk, QUIET)


# --- the auditor ---


def test_a_step_that_did_not_run_is_an_alarm_until_it_has(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        incident = await h.fail()
        await h.turn()
        h.clock.advance(timedelta(minutes=32))
        await h.auditor.step(h.clock.now())
        expected = f"#{incident}: step 2 was due at 2026-11-24 02:30:00 UTC and has not run"
        assert h.alarm("escalation") == expected
        await h.turn()
        await h.turn()
        assert h.alarm("escalation") is None

    run(tmp_path, walk)


def test_an_auditor_that_starts_later_finds_what_was_promised_before(tmp_path: Path) -> None:
    async def first(h: House) -> None:
        await h.fail()
        await h.turn()

    async def second(h: House) -> None:
        h.clock.advance(timedelta(minutes=45))
        await h.auditor.step(h.clock.now())
        assert "step 2 was due" in (h.alarm("escalation") or "")

    run(tmp_path, first)
    run(tmp_path, second)


def test_a_step_whose_notice_is_refused_is_an_alarm(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        h.slack.script("chat.postMessage", [Fault.refused("account_inactive")])
        incident = await h.fail()
        await h.turn()
        await h.turn()
        assert (h.alarm("escalation") or "").startswith(f"#{incident}: step 1 ran, and its notice ")

    rules = RULES.replace("at: 0m, tell: {oncall: erp}", "at: 0m, tell: {channel: slack}")
    run(tmp_path, walk, rules)


def test_a_notice_of_a_step_that_waits_too_long_is_an_alarm(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail()
        h.clock.advance(timedelta(minutes=6))
        await h.auditor.step(h.clock.now())
        assert "waits in the outbox" in (h.alarm("escalation") or "")
        await h.turn()
        assert h.alarm("escalation") is None

    run(tmp_path, walk)


def test_people_are_told_before_the_team_when_it_is_grave(tmp_path: Path) -> None:
    async def walk(h: House) -> None:
        await h.fail()
        found = await h.store.read(lambda q: q.notices(state="pending", incident=None, limit=10))
        direct = next(n for n in found if n["channel"] == "person:li.na")
        assert direct["kind"] == NoticeKind.PAGE.value
        pending = await h.store.write(lambda tx: tx.pending_notices("person:li.na", h.clock.now(), 1))
        assert pending[0].notice.priority is Priority.P1

    run(tmp_path, walk)
