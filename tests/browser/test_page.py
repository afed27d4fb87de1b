"""The page in a real browser: live, countable by the eye, usable by hand and by keyboard, in both languages."""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.errors import StoreError
from tocsin.testing.company import busy_desk
from tocsin.testing.desk import FakeDesk
from tocsin.testing.facts import check, clock, entry, incident, rfc3339, system
from web_parts import an_app

CHROMIUM = "/usr/bin/chromium"
QUIET = ("background-networking", "component-update", "sync")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", *(f"--disable-{what}" for what in QUIET)]
WAIT_MS = 8000


def utc_now() -> datetime:
    return datetime.now(UTC)


class Served:
    """The application in a thread with its own loop, since Playwright's simple interface owns this one."""

    def __init__(self, desk: FakeDesk) -> None:
        self.desk = desk
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._started.wait(20), "the server did not start"

    async def _serve(self) -> None:
        from tocsin.web.server import WebServer

        self._stop = asyncio.Event()
        self._server = WebServer(an_app(self.desk, now=utc_now), "127.0.0.1", 0)
        await self._server.start()
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._started.set()
        await self._stop.wait()
        await self._server.stop()

    def change(self, work: Callable[[FakeDesk], object] = lambda desk: None) -> None:
        """Let something happen on the server's side, and tell it to who watches."""

        def inside() -> None:
            work(self.desk)
            self.desk.change()

        self._loop.call_soon_threadsafe(inside)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(20)
            self._loop.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if not (Path(CHROMIUM).exists() or shutil.which("chromium")):
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def served() -> Iterator[Served]:
    server = Served(busy_desk(utc_now))
    yield server
    server.stop()


@pytest.fixture
def look(browser, served) -> Iterator[Callable[..., object]]:  # type: ignore[no-untyped-def]
    """Open a page; at the end nothing may have been complained about."""
    complaints: list[str] = []
    contexts = []

    def opened(path: str = "/", width: int = 1280, height: int = 900, **more: object):  # type: ignore[no-untyped-def]
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served.url + path)
        return page

    opened.complaints = complaints  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def seconds_of(text: str) -> int:
    parts = [int(part) for part in text.split(":")]
    return sum(part * 60**place for place, part in enumerate(reversed(parts)))


def test_the_acknowledge_button_acknowledges_without_leaving_the_page(look, served) -> None:  # type: ignore[no-untyped-def]
    page = look()
    page.evaluate("window.stayed = true")
    page.click("#ack-142")
    page.wait_for_selector("#incident-142 .state.acknowledged")
    assert served.desk.incidents[142]["acknowledged_by"] == "local"
    assert page.locator("#ack-142").count() == 0
    assert page.evaluate("window.stayed") is True
    assert page.locator("#toast").inner_text() == "Done."


def test_the_button_works_by_keyboard(look, served) -> None:  # type: ignore[no-untyped-def]
    page = look()
    page.focus("#ack-142")
    page.keyboard.press("Enter")
    page.wait_for_selector("#incident-142 .state.acknowledged")
    assert page.evaluate("document.activeElement.id") == "now", "focus is not lost with the button"


def test_the_page_works_without_javascript(look, served) -> None:  # type: ignore[no-untyped-def]
    page = look(java_script_enabled=False)
    page.click("#ack-142")
    assert page.locator("#incident-142 .state.acknowledged").count() == 1
    assert page.url == f"{served.url}/"
    assert page.locator("meta[http-equiv=refresh]").count() == 1


def test_the_deadline_counts_down_each_second(look) -> None:  # type: ignore[no-untyped-def]
    page = look()
    left = page.locator("#incident-142 .clock").first.locator(".left")
    before = left.inner_text()
    page.wait_for_function("([e, was]) => e.textContent !== was", arg=[left.element_handle(), before])
    assert 1 <= seconds_of(before) - seconds_of(left.inner_text()) <= 2
    assert 50 * 60 < seconds_of(before) < 52 * 60


def test_the_countdown_follows_the_servers_clock_and_not_this_machines(look) -> None:  # type: ignore[no-untyped-def]
    page = look("/incidents")
    page.clock.install(time=utc_now() + timedelta(hours=5))
    page.goto(page.url.replace("/incidents", "/"))
    assert 50 * 60 < seconds_of(page.locator("#incident-142 .clock").first.locator(".left").inner_text()) < 52 * 60


def test_a_deadline_that_passes_turns_into_a_breach_before_the_eyes(look, served) -> None:  # type: ignore[no-untyped-def]
    soon = clock("response", utc_now() - timedelta(hours=1) + timedelta(seconds=3), timedelta(hours=1))
    served.desk.incidents[142]["clocks"] = [soon]
    page = look()
    assert page.locator("#incident-142 .clock.soon").count() == 1
    page.wait_for_selector("#incident-142 .clock.over")
    assert re.fullmatch(r"breached \d s ago", page.locator("#incident-142 .clock .left").inner_text())


def test_what_happens_appears_by_itself(look, served) -> None:  # type: ignore[no-untyped-def]
    page = look()
    page.wait_for_selector("#live:not(.off)")
    assert page.title() == "1 P1 open · Tocsin"

    def crm_falls(desk: FakeDesk) -> None:
        desk.incidents[143] = incident(
            143, "warehouse", "P1", utc_now(), [clock("response", utc_now(), timedelta(hours=1))]
        )

    served.change(crm_falls)
    page.wait_for_selector("#incident-143")
    assert page.title() == "2 P1 open · Tocsin"
    assert page.locator("#announced").inner_text() == "2 P1 open · Tocsin", "a screen reader hears it"
    served.change(lambda desk: desk.incidents.clear())
    page.wait_for_selector(".incidents .empty")
    assert page.title() == "Tocsin"
    assert "bell.svg" in page.locator("#icon").get_attribute("href")


def test_an_update_takes_neither_the_focus_nor_what_is_being_written(look, served) -> None:  # type: ignore[no-untyped-def]
    page = look("/incidents/142")
    page.wait_for_selector("#live:not(.off)")
    page.fill("#note-text", "half a sentence")
    page.check("#resolve-anyway")
    page.focus("#note-text")
    served.change(
        lambda desk: desk.timelines[142].append(entry(utc_now(), "person:li.na", "incident_noted", text="news"))
    )
    page.wait_for_selector(".timeline >> text=news")
    assert page.input_value("#note-text") == "half a sentence"
    assert page.is_checked("#resolve-anyway")
    assert page.evaluate("document.activeElement.id") == "note-text"


def test_a_note_is_written_and_its_field_is_empty_again(look, served) -> None:  # type: ignore[no-untyped-def]
    page = look("/incidents/142")
    page.fill("#note-text", "重启了应用服务器 <b>now</b>")
    page.click("#note")
    page.wait_for_selector(".timeline >> text=重启了应用服务器 <b>now</b>")
    assert page.input_value("#note-text") == ""


def test_a_refusal_is_told_where_it_was_asked(look, served) -> None:  # type: ignore[no-untyped-def]
    page = look("/incidents/142")
    page.fill("#resolve-note", "restarted")
    page.click("#resolve")
    page.wait_for_selector("#toast:not([hidden])")
    assert "it still fails (health, login)" in page.locator("#toast").inner_text()
    assert page.input_value("#resolve-note") == "restarted", "nobody writes it twice"
    look.complaints[:] = [told for told in look.complaints if "409" not in told]
    page.check("#resolve-anyway")
    page.click("#resolve")
    page.wait_for_selector(".incident.resolved")


def test_a_page_that_lost_the_daemon_says_so_and_keeps_what_was_known(look, served) -> None:  # type: ignore[no-untyped-def]
    page = look()
    page.wait_for_selector("#live:not(.off)")
    served.stop()
    page.wait_for_selector("#offline:not([hidden])")
    assert "Not live" in page.locator("#offline").inner_text()
    assert page.locator("#incident-142").count() == 1
    page.click("#ack-142")
    page.wait_for_selector("#toast:not([hidden])")
    assert "Tocsin does not answer" in page.locator("#toast").inner_text()
    look.complaints.clear()


def test_a_page_that_met_an_error_mends_itself(look, served) -> None:  # type: ignore[no-untyped-def]
    served.desk.trouble = StoreError("the disk is full")
    page = look()
    assert "the disk is full" in page.locator("main").inner_text()
    look.complaints.clear()

    def mend(desk: FakeDesk) -> None:
        desk.trouble = None

    served.change(mend)
    page.wait_for_selector("#incident-142")
    look.complaints[:] = [told for told in look.complaints if "503" not in told]


def test_the_language_switch_switches_and_is_remembered(look) -> None:  # type: ignore[no-untyped-def]
    page = look()
    page.click("text=中文")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert page.locator("#ack-142").inner_text().startswith("确认响应")
    page.click("text=全部事件")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"


PAGES = ["/", "/incidents", "/incidents/142", "/incidents/140"]


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_scrolls_sideways(look, served, width: int, language: str) -> None:  # type: ignore[no-untyped-def]
    long = check(
        "a-check-with-a-very-long-name-that-nobody-broke-into-words-for-us", "down", rfc3339(utc_now()), text="x" * 300
    )
    served.desk.systems.append(system("s" * 80, [long, check("b")], "down", owner="o" * 60))
    served.desk.incidents[144] = incident(144, "s" * 80, "P2", utc_now(), text="y" * 300)
    page = look(f"/?lang={language}", width=width)
    for path in [*PAGES, "/incidents/144"]:
        page.goto(served.url + path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{path} is {wide} wide"


# --- for everybody's eyes and hands --------------------------------------------------------------------------------

CONTRAST = """() => {
  const channel = (c) => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > .99) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".unseen, .skip, svg, [disabled]")) continue;
    const style = getComputedStyle(element), a = light(numbers(style.color)), b = light(ground(element));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const what = `${element.className || element.nodeName} "${element.textContent.trim().slice(0, 20)}"`;
    if (ratio < (large ? 3 : 4.5)) poor.push(`${what}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""

NAMELESS = """() => {
  const labels = (e) => e.labels ? [...e.labels].map((l) => l.textContent).join("") : "";
  return [...document.querySelectorAll("a, button, input:not([type=hidden]), textarea, svg[role=img], progress")]
    .filter((e) => e.checkVisibility() && !(e.getAttribute("aria-label") || e.textContent.trim() || labels(e)))
    .map((e) => e.outerHTML.slice(0, 80));
}"""

SMALL = """() => [...document.querySelectorAll("button, .button, .bar a, .list a")].filter((e) => {
  const { width, height } = e.getBoundingClientRect();
  return e.checkVisibility() && Math.min(width, height) < (e.matches("button, .button") ? 44 : 24);
}).map((e) => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_text_can_be_read_on_its_ground(look, served, path: str, scheme: str) -> None:  # type: ignore[no-untyped-def]
    served.desk.alarms = [{"alarm": "storage", "since": rfc3339(utc_now()), "text": "the disk is full"}]
    served.desk.without_slack = True
    old = utc_now() - timedelta(hours=2)
    served.desk.incidents[145] = incident(145, "oa", "P3", old, [clock("response", old, timedelta(hours=1))])
    assert look(path, color_scheme=scheme).evaluate(CONTRAST) == []


@pytest.mark.parametrize("path", PAGES)
def test_everything_has_a_name_a_place_and_a_size_for_a_finger(look, path: str) -> None:  # type: ignore[no-untyped-def]
    page = look(path, width=360)
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(SMALL) == []
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].filter((h) => h.checkVisibility()).map((h) => +h.nodeName[1])"
    )
    assert levels.count(1) == 1
    assert [b for a, b in itertools.pairwise(levels) if b > a + 1] == []
    assert page.locator("main").count() == page.locator("header").count() == page.locator("footer").count() == 1


def test_the_first_tab_offers_to_skip_to_the_content(look) -> None:  # type: ignore[no-untyped-def]
    page = look()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_paper_gets_no_buttons(look) -> None:  # type: ignore[no-untyped-def]
    page = look("/incidents/142")
    page.emulate_media(media="print")
    assert not page.locator("#ack-142").is_visible()
    assert not page.locator(".forms").is_visible()
    assert page.locator(".timeline").is_visible()
