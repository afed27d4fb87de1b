"""The pages as they leave the server: what they say, in both languages, and what the forms do."""

from __future__ import annotations

import re
import string
from datetime import timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from tocsin.errors import StoreError
from tocsin.testing.desk import FakeDesk
from tocsin.testing.facts import check, clock, entry, incident, rfc3339, strip, system
from tocsin.web.reader import Reader, countdown, milliseconds
from tocsin.words import catalogue
from web_parts import NOW, a_desk, an_app, ask, fixed_now

HOUR = timedelta(hours=1)
VOID = {"meta", "link", "input", "br", "path", "img", "hr"}


class Page(HTMLParser):
    """Text, tags, and whether every tag is closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.faults = "", [], []  # type: ignore[var-annotated]
        self._open: list[str] = []
        self.feed(html)
        self.faults += [f"{tag} is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> where it should not be")

    def handle_data(self, data: str) -> None:
        self.text = f"{self.text} {data}"


def page(desk: FakeDesk | None = None, path: str = "/", code: int = 200, **settings: str) -> Page:
    answer = ask(an_app(desk, **settings), "GET", path)
    assert answer.status_code == code, answer.text
    return Page(answer.text)


def words_of(seen: Page) -> str:
    return " ".join(seen.text.split())


def a_p1(**more: object) -> FakeDesk:
    one = incident(7, "erp", "P1", NOW - 2 * HOUR, [clock("response", NOW - 2 * HOUR, HOUR)], **more)
    return FakeDesk(fixed_now, [system("erp", [check("health", "down", rfc3339(NOW - 2 * HOUR))], "down")], [one])


# --- every page, both languages ------------------------------------------------------------------------------------

PATHS = [("/", 200), ("/incidents", 200), ("/incidents/142", 200), ("/incidents/140", 200), ("/nothing", 404)]


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize(("path", "code"), PATHS)
def test_every_page_is_well_formed_and_strict_about_scripts(path: str, code: int, language: str) -> None:
    seen = page(None, path, code, language=language)
    assert seen.faults == []
    assert [attrs for tag, attrs in seen.tags if "style" in attrs or any(name.startswith("on") for name in attrs)] == []
    assert all("src" in attrs for tag, attrs in seen.tags if tag == "script")
    assert ("html", {"lang": "en" if language == "en" else "zh-Hans"}) in seen.tags
    ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("path", "code"), PATHS)
def test_everything_that_is_loaded_comes_from_here(path: str, code: int) -> None:
    app = an_app()
    seen = Page(ask(app, "GET", path).text)
    loaded = [attrs.get("src") or attrs["href"] for tag, attrs in seen.tags if tag in ("script", "link", "img")]
    assert loaded
    assert {ask(app, "GET", url).status_code for url in loaded} == {200}
    assert {ask(app, "GET", url).headers["cache-control"] for url in loaded} == {"public, max-age=31536000, immutable"}


def test_both_languages_have_the_same_words_with_the_same_blanks() -> None:
    english, chinese = catalogue("web", "en"), catalogue("web", "zh_CN")

    def blanks(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert set(english) == set(chinese)
    assert [key for key in english if blanks(english[key]) != blanks(chinese[key])] == []


def test_a_chinese_page_says_nothing_of_its_own_in_english() -> None:
    seen = words_of(page(language="zh_CN"))
    for text in catalogue("web", "en").values():
        if len(text) > 6 and "{" not in text and not text.startswith("Tocsin"):
            assert not re.search(rf"\b{re.escape(text)}\b", seen), text


def test_the_language_can_be_chosen_and_is_remembered() -> None:
    app = an_app()
    chosen = ask(app, "GET", "/?lang=zh_CN")
    assert "未解决：1 个 P1、1 个 P2" in chosen.text
    assert "HttpOnly" in chosen.headers["set-cookie"]
    cookie = chosen.headers["set-cookie"].split(";")[0]
    assert "未解决的事件" in ask(app, "GET", "/", headers={"Cookie": cookie}).text
    assert "set-cookie" not in ask(app, "GET", "/", headers={"Cookie": cookie}).headers


def test_a_language_that_is_not_spoken_is_ignored() -> None:
    answer = ask(an_app(), "GET", "/?lang=xx", headers={"Cookie": "tocsin_language=yy"})
    assert 'lang="en"' in answer.text
    assert "set-cookie" not in answer.headers


# --- the dashboard -------------------------------------------------------------------------------------------------


def test_the_dashboard_shows_the_gravest_first_with_its_deadline_and_a_button() -> None:
    seen = words_of(page())
    assert seen.index("ERP") < seen.index("CRM")
    assert "Open: 1 P1, 1 P2" in seen
    assert "51:48" in seen, "an hour less eight minutes and twelve seconds"
    assert "due 15:21" in seen, "in the zone of the settings"
    assert "Acknowledge #142 ERP" in seen
    assert "Acknowledge #141" not in seen
    assert "core system down rules/severity.yaml:3" in seen
    assert "Acknowledged by wang.wei at 13:58" in seen


@pytest.mark.parametrize(("language", "said"), [("en", "1 P1 open · Tocsin"), ("zh_CN", "1 个 P1 未解决 · Tocsin")])
def test_the_title_counts_open_p1s(language: str, said: str) -> None:
    assert f"<title>{said}</title>" in ask(an_app(language=language), "GET", "/").text


@pytest.mark.parametrize(("language", "said"), [("en", "breached 1 h 00 min ago"), ("zh_CN", "已超时 1 小时 00 分钟")])
def test_a_breached_deadline_says_how_long_ago(language: str, said: str) -> None:
    assert said in words_of(page(a_p1(), language=language))


def test_a_built_in_rule_has_no_line_to_look_at() -> None:
    rule = {"name": "core system down", "file": "built-in", "line": 0, "text": "true"}
    for path in ("/", "/incidents/7"):
        seen = words_of(page(a_p1(rule=rule), path))
        assert "core system down (built in)" in seen
        assert ":0" not in seen.replace(":00", "")


def test_a_deadline_that_was_answered_late_does_not_count_on() -> None:
    desk = a_p1()
    ask(an_app(desk), "POST", "/incidents/7/ack")
    assert "breached 1 h" not in words_of(page(desk))
    assert "Acknowledged by this page" in words_of(page(desk))


def test_systems_show_status_strip_and_checks_as_text_too() -> None:
    seen = page()
    labels = [attrs["aria-label"] for tag, attrs in seen.tags if tag == "svg" and "aria-label" in attrs]
    assert "Last 60 minutes: Down 8 min, Up 52 min" in labels
    assert "Last 60 minutes: Not observed 60 min" in labels
    assert "Down for 8 min: status == 200 (status = 503)" in words_of(seen)
    assert "1.34 s" in words_of(seen)


def test_the_strip_of_a_system_is_the_worst_of_its_checks() -> None:
    parts = [
        check("a", strip=strip(("down", 2), ("up", 58))),
        check("b", strip=strip(("unobserved", 1), ("degraded", 3))),
    ]
    seen = page(FakeDesk(fixed_now, [system("erp", parts)]))
    labels = [attrs["aria-label"] for tag, attrs in seen.tags if tag == "svg" and "aria-label" in attrs]
    assert labels[0] == "Last 60 minutes: Down 2 min, Degraded 3 min, Up 55 min"


def test_alarms_missing_slack_and_waiting_messages_are_told() -> None:
    desk = a_desk()
    desk.alarms = [{"alarm": "storage", "since": rfc3339(NOW - HOUR), "text": "the disk is full"}]
    desk.without_slack = True
    desk.channels = [
        {"channel": "slack", "kind": "slack", "pending": 3, "oldest_s": 150.0},
        {"channel": "hook", "kind": "webhook", "pending": 1, "oldest_s": 5.0},
    ]
    seen = words_of(page(desk))
    assert "Storage : the disk is full since 13:30" in seen
    assert "Slack is not connected" in seen
    assert "slack: 3 messages wait to be delivered, the oldest for 2 min." in seen
    assert "hook:" not in seen, "a message that is just being sent is no trouble"
    assert "the disk is full" in words_of(page(desk, "/incidents/142"))


def test_without_systems_the_page_says_how_to_begin() -> None:
    seen = words_of(page(FakeDesk(fixed_now)))
    assert "Nothing is watched yet" in seen
    assert "http: https://erp.example.com/health" in seen
    assert "tocsin validate" in seen


def test_with_everything_up_the_page_says_so() -> None:
    seen = words_of(page(FakeDesk(fixed_now, [system("erp", [check("health")])])))
    assert "Everything that is watched is up" in seen
    assert "When a check fails, its incident appears here" in seen


def test_what_is_not_observed_is_never_called_up() -> None:
    blind = system("erp", [check("health", "unobserved")], "unobserved")
    seen = words_of(page(FakeDesk(fixed_now, [system("crm", [check("health")]), blind])))
    assert "Everything that is watched is up" not in seen
    assert "systems not observed: 1 of 2" in seen


def test_what_comes_from_outside_is_text_and_never_markup() -> None:
    bad = "<script>alert(1)</script>"
    desk = a_p1(text=bad, title=bad, assignee=bad, system_title={"": bad})
    desk.systems[0] |= {"title": {"": bad}, "owner": bad, "runbook": "javascript:alert(1)"}
    desk.systems[0]["checks"][0] |= {"check": bad, "text": bad}
    desk.timelines[7] = [entry(NOW, f"person:{bad}", "incident_noted", text=bad), entry(NOW, "tocsin", bad)]
    for path in ("/", "/incidents", "/incidents/7"):
        seen = page(desk, path)
        assert [
            attrs for tag, attrs in seen.tags if tag == "script" and not (attrs.get("src") or "").startswith("/static/")
        ] == []
        assert not [attrs for tag, attrs in seen.tags if (attrs.get("href") or "").startswith("javascript")]
        assert bad in seen.text


def test_a_store_that_does_not_answer_is_a_page_that_says_so() -> None:
    desk = a_desk()
    desk.trouble = StoreError("the disk is full")
    assert "the disk is full" in words_of(page(desk, code=503))


# --- one incident --------------------------------------------------------------------------------------------------


def test_an_incident_shows_why_it_is_what_it_is_and_what_happened_newest_first() -> None:
    seen = words_of(page(path="/incidents/142"))
    assert 'system.tier == "core" && status == "down"' in seen
    assert "rule in rules/severity.yaml, line 3" in seen
    assert seen.index("asking the network team") < seen.index("login fails too") < seen.index("Opened as P1")


def test_a_resolved_incident_shows_its_outcome_and_nothing_to_acknowledge() -> None:
    seen = words_of(page(path="/incidents/140"))
    assert "Recovered by itself" in seen
    assert "breached" in seen
    assert "Acknowledge #" not in seen
    assert "What was done?" not in seen


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_every_action_of_a_timeline_is_said_in_words(language: str) -> None:
    desk = a_p1()
    data = {
        "severity": "P1",
        "from": "P2",
        "to": "P1",
        "check": "login",
        "clock": "response",
        "share": 0.75,
        "due_at": rfc3339(NOW),
    }
    actions = [key.removeprefix("action.") for key in catalogue("web", "en") if key.startswith("action.")]
    desk.timelines[7] = [entry(NOW, "tocsin", action, **data) for action in [*actions, "made_by_a_later_version"]]
    seen = words_of(page(desk, "/incidents/7", language=language))
    assert not [action for action in actions if action in seen]
    assert "made by a later version" in seen
    assert "75%" in seen
    assert "P2 → P1" in seen


@pytest.mark.parametrize(
    ("actor", "said"),
    [
        ("person:li.na", "li.na"),
        ("user:root for person:li.na", "root for li.na"),
        ("slack:U9", "U9"),
        ("local", "this page"),
        ("tocsin", "Tocsin"),
        (None, "–"),
    ],
)
def test_actors_are_said_as_people_say_them(actor: str | None, said: str) -> None:
    assert Reader("en", ZoneInfo("UTC"), NOW).actor(actor) == said


# --- forms ---------------------------------------------------------------------------------------------------------


def test_acknowledging_from_the_dashboard_comes_back_to_it() -> None:
    desk = a_desk()
    answer = ask(an_app(desk), "POST", "/incidents/142/ack", data={"then": "dashboard"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert desk.incidents[142]["acknowledged_by"] == "local"


def test_a_form_never_leads_to_another_site() -> None:
    answer = ask(an_app(), "POST", "/incidents/142/ack", data={"then": "https://evil.example.com"})
    assert answer.headers["location"] == "/incidents/142"


def test_a_note_goes_into_the_timeline() -> None:
    desk = a_desk()
    assert ask(an_app(desk), "POST", "/incidents/142/note", data={"text": " 网络组在查 "}).status_code == 303
    assert "网络组在查" in words_of(page(desk, "/incidents/142"))


@pytest.mark.parametrize(("language", "said"), [("en", "A note needs a text"), ("zh_CN", "备注不能为空")])
def test_an_empty_note_is_refused_with_words(language: str, said: str) -> None:
    answer = ask(an_app(language=language), "POST", "/incidents/142/note", data={"text": "  "})
    assert answer.status_code == 422
    assert said in answer.text


def test_resolving_while_a_check_fails_is_refused_and_says_what_fails() -> None:
    desk = a_desk()
    app = an_app(desk)
    answer = ask(app, "POST", "/incidents/142/resolve", data={"note": "restarted"})
    assert answer.status_code == 409
    assert "it still fails (health, login)" in answer.text
    assert ask(app, "POST", "/incidents/142/resolve", data={"note": "restarted", "anyway": "yes"}).status_code == 303
    assert desk.incidents[142]["state"] == "resolved"
    assert desk.asked[-1] == ("resolve", {"incident": "142", "note": "restarted", "anyway": True}, "local")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"text": "x"}', "application/json"),
        (b"text=%ff%fe", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(30)), "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_form_is_refused(content: bytes, kind: str) -> None:
    answer = ask(an_app(), "POST", "/incidents/142/note", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 422


# --- times ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_spans_are_said_in_their_two_largest_units(seconds: float, said: str) -> None:
    assert Reader("en", ZoneInfo("UTC"), NOW).span(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(-5, "00:00"), (59, "00:59"), (3127, "52:07"), (13_927, "3:52:07"), (183_609, "51:00:09")]
)
def test_countdowns_are_to_the_second(seconds: float, said: str) -> None:
    assert countdown(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0.0008, "0.8 ms"), (0.0123, "12 ms"), (0.00996, "10 ms"), (0.9999, "1.00 s"), (1.34, "1.34 s")],
)
def test_response_times_are_short(seconds: float | None, said: str) -> None:
    assert milliseconds(seconds) == said


def test_an_instant_of_another_day_says_its_day_in_the_zone_of_the_reader() -> None:
    reader = Reader("en", ZoneInfo("Asia/Shanghai"), NOW)
    assert reader.moment("2026-11-27T01:05:00Z").short == "09:05"
    assert reader.moment("2026-11-26T15:59:59Z").short == "11-26 23:59"
    assert reader.moment("2026-11-26T16:00:00Z").short == "00:00"
