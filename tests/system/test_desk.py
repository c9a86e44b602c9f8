"""The desk in a real browser: what an agent sees, hears and types. Drives the pages from outside.

Needs Chromium (THROUGHLINE_CHROMIUM, or where systems put it); skipped, loudly, without it, unless CI says it must be.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

REPO = Path(__file__).parent.parent.parent
PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
PHONE = "+14155550142"
SHARED = "+14155550199"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> O'Hara"


def chromium() -> str:
    """Where the browser is; skips without one."""
    found = os.environ.get("THROUGHLINE_CHROMIUM") or next((each for each in PLACES if Path(each).exists()), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Chromium for the desk's tests")
        pytest.skip("no Chromium: install it (Debian: apt install chromium) or name it in THROUGHLINE_CHROMIUM")
    return found


class Desk:
    """The running desk, and what happens to it."""

    def __init__(self, process: subprocess.Popen[str], port: int, home: Path) -> None:
        self._process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._home = home

    def happen(self, **what: Any) -> None:
        """Let something happen, and wait until it has."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def say(self, **event: Any) -> None:
        """An interaction."""
        self.happen(say=event)

    def link(self) -> str:
        """A one-time sign-in link, as `throughline up` makes them."""
        token = secrets.token_urlsafe(24)
        folder = self._home / "run" / "sign-in"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(token.encode()).hexdigest()).touch()
        return f"{self.url}/desk/sign-in?token={token}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    place = chromium()
    with sync_playwright() as playwright:
        options = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
        yield playwright.chromium.launch(executable_path=place, args=list(options))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """One process for all desks: most of a start is reading the code."""
    command = [sys.executable, "-m", "tests.desk_world", str(free_port()), str(tmp_path_factory.mktemp("desk"))]
    with subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def desk(process: subprocess.Popen[str], tmp_path: Path) -> Desk:
    """A desk of its own for each test."""
    desk = Desk(process, free_port(), tmp_path)
    desk.happen(anew=[desk.port, str(tmp_path)])
    return desk


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def page(browser: Browser, desk: Desk) -> Iterator[Page]:
    """Somebody signed in, at 1280 pixels. Fails where the page logs an error (a broken script, a refused style)."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(desk.link())
    expect(page.get_by_role("heading", name="Who is calling?")).to_be_visible()
    yield page
    context.close()
    assert errors == []


def search(page: Page, text: str) -> None:
    """Find somebody, as an agent does it: by keyboard alone."""
    expect(page.locator("#state")).not_to_have_text("Connecting")  # the page listens
    page.keyboard.press("/")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def verify(page: Page) -> None:
    """Say that the caller is who they seem to be, by keyboard alone."""
    expect(page.get_by_role("button", name="Caller is verified")).to_be_visible()
    expect(page.locator("#state")).not_to_have_text("Connecting")
    page.keyboard.press("v")
    expect(page.locator(".timeline")).to_be_visible()
    expect(page.locator("#state")).not_to_have_text("Connecting")


def sits_at(page: Page, extension: str) -> None:
    """Say where the agent's phone rings."""
    page.get_by_label("Where your phone rings").fill(extension)
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Extension {extension}")).to_be_visible()
    expect(page.locator("#state")).to_have_text("Live")


def ring(desk: Desk, session: str, extension: str = "", phone: str = PHONE, kind: str = "call_ringing") -> None:
    """A call."""
    details = {"queue": "returns", **({"extension": extension} if extension else {})}
    desk.happen(ring={"phone": phone, "session_id": session, "type": kind, "details": details})


def known(desk: Desk) -> None:
    """A customer with a name, a phone and a browser."""
    desk.say(identifier="customer:1", type="profile_updated", properties={"name": "Ada Lovelace"}, ago_s=3000)
    desk.say(identifier="customer:1", type="identified", phone=PHONE, links=["anonymous:a1"], ago_s=2900)


def test_the_first_thing_of_a_day_is_announced_too(desk: Desk, page: Page) -> None:
    """It brings a heading of its own with it: what is new is below that."""
    desk.say(identifier="customer:1", type="profile_updated", properties={"name": "Ada Lovelace"}, ago_s=2 * 86_400)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    verify(page)
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.locator(".day")).to_have_count(1)

    desk.say(identifier="customer:1", type="searched", properties={"query": "return blue shoes"})
    expect(page.locator(".day")).to_have_count(2)
    expect(page.locator("#news")).to_have_text("New: Searched for “return blue shoes”")


def test_a_search_on_the_web_appears_while_the_agent_watches(desk: Desk, page: Page) -> None:
    known(desk)
    search(page, "(415) 555-0142")
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    expect(page.get_by_text("Matched by phone number, not verified")).to_be_visible()
    verify(page)
    expect(page.locator("#state")).to_have_text("Live")
    first = page.locator(".entry").first
    expect(first).to_contain_text("Said who they are")

    desk.say(identifier="anonymous:a1", type="searched", properties={"query": "return blue shoes"})
    expect(page.locator(".searches")).to_contain_text("return blue shoes", timeout=1000)
    expect(first).to_contain_text("Searched for “return blue shoes”")
    expect(first).to_contain_text("just now")
    expect(page.locator("#news")).to_have_text("New: Searched for “return blue shoes”")
    expect(page.locator(".entry")).to_have_count(3)


def test_a_ringing_call_opens_the_card(desk: Desk, page: Page) -> None:
    known(desk)
    calls = page.locator("#calls a")
    expect(page.get_by_text("No call is ringing.")).to_be_visible()
    desk.happen(ring={"phone": PHONE, "session_id": "c1", "details": {"queue": "returns", "extension": "21"}})
    expect(calls).to_have_count(1)  # so that the second one is later, and stands above it
    desk.happen(ring={"phone": SHARED, "session_id": "c2"})
    expect(calls).to_have_count(2)
    expect(calls.nth(1)).to_contain_text("+1 ••• ••42")
    expect(calls.nth(1)).to_contain_text("returns · 21")

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(calls.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    expect(page.locator("#state")).to_have_text("Live")
    expect(calls.nth(1)).to_have_attribute("aria-current", "page")

    desk.happen(ring={"phone": PHONE, "session_id": "c1", "type": "call_answered"})
    expect(calls).to_have_count(1)
    calls.first.click()
    expect(page.get_by_role("heading", name="Nobody is known by this phone number yet")).to_be_visible()


def test_a_hostile_name_is_shown_and_does_nothing(desk: Desk, page: Page) -> None:
    desk.say(identifier="customer:13", type="profile_updated", properties={"name": HOSTILE})
    search(page, "13")
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    verify(page)
    desk.say(identifier="customer:13", type="searched", properties={"query": HOSTILE})  # through the live stream too
    expect(page.locator(".searches")).to_contain_text(HOSTILE)
    assert page.title() == "Agent desk · Throughline"
    assert page.locator("main img").count() == 0


def test_nobody_becomes_somebody_while_the_agent_watches(desk: Desk, page: Page) -> None:
    page.goto(f"{desk.url}/desk/customers/customer:77")
    expect(page.get_by_role("heading", name="Nobody is known by this customer number yet")).to_be_visible()
    desk.say(identifier="customer:77", type="searched", properties={"query": "opening hours"})
    expect(page.get_by_role("heading", name="Customer number 77")).to_be_visible()
    expect(page.locator(".likely")).to_contain_text("Searched “opening hours” on the web just now")
    verify(page)
    expect(page.locator(".entry")).to_have_count(1)
    assert page.get_by_text("no evidence yet").count() == 3


def test_an_empty_profile(desk: Desk, page: Page) -> None:
    desk.say(identifier="anonymous:a1", type="searched", properties={"query": "shoes"})
    desk.say(identifier="customer:1", type="identified", links=["anonymous:a1"], ago_s=7200)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    verify(page)
    expect(page.locator(".entry")).to_have_count(2)
    search(page, "+1 415 555 0111")
    expect(page.get_by_role("alert")).to_contain_text("Nobody is known by this yet.")
    expect(page.locator("#q")).to_have_value("+1 415 555 0111")


def test_an_ambiguous_caller(desk: Desk, page: Page) -> None:
    for number, name in (("1", "Grace Hopper"), ("2", "Karl Hopper")):
        desk.say(identifier=f"customer:{number}", type="profile_updated", properties={"name": name})
        desk.say(identifier=f"customer:{number}", phone=SHARED, session_id=f"s{number}")
    search(page, SHARED)
    expect(page.get_by_role("heading", name="Several people share this phone number")).to_be_visible()
    assert page.get_by_text("Grace").count() == 0  # initials, and no more
    expect(page.get_by_text("“Who am I talking to, please?”")).to_be_visible()
    assert page.get_by_role("button", name="Caller is verified").count() == 0
    page.get_by_role("link", name="Customer number 2").click()
    expect(page.get_by_role("heading", name="Karl Hopper")).to_be_visible()


def test_the_desk_follows_whoever_is_named_in_the_call(desk: Desk, page: Page, browser: Browser) -> None:
    """And only the desk that has this call open: another call from the same phone stays unsettled."""
    for number, name in (("1", "Grace Hopper"), ("2", "Karl Hopper")):
        desk.say(identifier=f"customer:{number}", type="profile_updated", properties={"name": name})
        desk.say(identifier=f"customer:{number}", phone=SHARED, session_id=f"s{number}")
    desk.happen(ring={"phone": SHARED, "session_id": "c1", "details": {"queue": "returns"}})
    calls = page.locator("#calls a")
    expect(calls).to_have_count(1)
    desk.happen(ring={"phone": SHARED, "session_id": "c2", "details": {"queue": "invoices"}})
    expect(calls).to_have_count(2)
    context = browser.new_context()
    other = context.new_page()
    other.goto(desk.link())
    unsettled = "Several people share this phone number"
    for each, queue in ((page, "returns"), (other, "invoices")):
        each.locator("#calls a", has_text=queue).click()
        expect(each.get_by_role("heading", name=unsettled)).to_be_visible()
        expect(each.locator("#state")).to_have_text("Live")
        expect(each.locator("#calls a[aria-current]")).to_have_count(1)

    desk.happen(ring={"phone": SHARED, "session_id": "c1", "type": "call_answered"})
    desk.say(identifier="customer:1", type="identified", session_id="c1", public=True)  # anybody may say so
    desk.say(identifier="customer:2", phone=SHARED, type="identified", session_id="c1")
    expect(page.get_by_role("heading", name="Karl Hopper")).to_be_visible()
    expect(page.get_by_text("Named in this call")).to_be_visible()
    desk.say(identifier="customer:2", type="searched", properties={"query": "blue shoes"})
    expect(page.locator(".likely")).to_contain_text("blue shoes")
    expect(other.locator("#calls a")).to_have_count(1)
    expect(other.get_by_role("heading", name=unsettled)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Karl Hopper")).to_be_visible()

    desk.say(identifier="customer:1", phone=SHARED, type="identified", session_id="c1")  # then it is nobody's
    expect(page.get_by_role("heading", name=unsettled)).to_be_visible()
    context.close()


def shared(desk: Desk) -> None:
    """A couple who shared a phone with somebody whose data was erased; and a card joined by order."""
    for number, name in (("1", "Grace Hopper"), ("2", "Karl Hopper"), ("3", "Eve Gone")):
        desk.say(identifier=f"customer:{number}", type="profile_updated", properties={"name": name}, ago_s=9000)
        desk.say(identifier=f"customer:{number}", phone=SHARED, session_id=f"s{number}", ago_s=5000 - int(number))
    desk.say(identifier="customer:1", links=["anonymous:a1"], event_id="login", session_id="v1", ago_s=900)
    desk.say(identifier="loyalty:L-9", channel="in_store", ago_s=700)
    desk.happen(join=["loyalty:L-9", "customer:1"])
    desk.happen(erase="customer:3")


def test_it_explains_why_identifiers_belong_together(desk: Desk, page: Page) -> None:
    shared(desk)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    verify(page)
    expect(page.locator("#state")).to_have_text("Live")
    page.get_by_text("Why these belong together").focus()
    page.keyboard.press("Enter")
    why = page.locator(".identity-body")
    browser = why.locator("[data-key='anonymous:a1']")
    expect(browser).to_contain_text("All evidence about it leads to customer number 1 alone")
    browser.get_by_text("Evidence (1)").focus()
    page.keyboard.press("Enter")
    expect(browser.get_by_text("shop · event login · session v1")).to_be_visible()
    expect(why.locator("[data-key='loyalty:L-9']")).to_contain_text("Ordered just now: “she called”")
    phone = why.locator("li", has_text="+1 ••• ••99").first
    expect(phone).to_contain_text("shared by customer number 1, customer number 2 and somebody whose data was erased")
    expect(phone.locator("a")).to_have_text(["Customer number 1", "Customer number 2"])
    assert "erased:" not in page.content()
    assert "Eve" not in page.content()

    desk.say(identifier="customer:1", type="searched", properties={"query": "shoes"})  # and it stays as it is
    expect(page.locator(".searches")).to_contain_text("shoes")
    expect(browser.get_by_text("shop · event login · session v1")).to_be_visible()
    phone.get_by_role("link", name="Customer number 2").click()
    expect(page.get_by_role("heading", name="Karl Hopper")).to_be_visible()


def test_it_says_who_stands_alone(desk: Desk, page: Page) -> None:
    desk.say(identifier="customer:kiosk")
    desk.happen(crowd="customer:kiosk")
    page.goto(f"{desk.url}/desk/customers/customer:kiosk")
    verify(page)
    page.get_by_text("Why these belong together").click()
    expect(page.locator(".identity-body h3").first).to_have_text("Stands alone")
    expect(page.locator(".identity-body")).to_contain_text("more than 1000 weaker identifiers came with it")


def test_without_identify_the_card_is_there_all_the_same(desk: Desk, page: Page) -> None:
    known(desk)
    desk.happen(identify="stop")
    page.goto(f"{desk.url}/desk/customers/customer:1")
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    verify(page)
    section = page.get_by_text("Why these belong together")
    section.click()
    expect(page.locator(".identity-body")).to_contain_text("cannot be read at the moment")
    desk.happen(identify="start")
    section.click()
    section.click()
    expect(page.locator(".identity-body")).to_contain_text("All evidence about it leads to customer number 1")


def test_older_entries_come_when_somebody_gets_there_and_stay(desk: Desk, page: Page) -> None:
    for n in range(70):
        desk.say(identifier="customer:1", event_id=f"x{n}", properties={"page": f"page {n}."}, ago_s=100 + n * 60)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    verify(page)
    entries = page.locator(".entry")
    expect(entries).to_have_count(12)
    entries.last.scroll_into_view_if_needed()
    page.mouse.wheel(0, 2000)
    expect(entries).to_have_count(62)
    page.get_by_role("link", name="Older").press("Enter")
    expect(entries).to_have_count(70)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    desk.say(identifier="customer:1", type="searched", properties={"query": "shoes"})
    expect(entries).to_have_count(71)
    expect(entries.first).to_contain_text("shoes")
    expect(entries.last).to_contain_text("page 69.")


def test_what_is_held_goes_where_more_has_happened_than_is_sent(desk: Desk, page: Page) -> None:
    """Else the timeline would have a gap that nobody sees."""
    for n in range(30):
        desk.say(identifier="customer:1", event_id=f"x{n}", properties={"page": f"page {n}."}, ago_s=1000 + n)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    verify(page)
    entries = page.locator(".entry")
    page.get_by_role("link", name="Older").press("Enter")
    expect(entries).to_have_count(30)
    expect(page.locator("#state")).to_have_text("Live")
    desk.happen(worker="stop")
    expect(page.locator("#state")).to_contain_text("Data not reachable")
    for n in range(40):
        desk.say(identifier="customer:1", event_id=f"y{n}", properties={"page": f"new {n}."}, ago_s=100 + n)
    desk.happen(worker="start")
    expect(entries.first).to_contain_text("new 0.")
    expect(entries).to_have_count(12)
    page.get_by_role("link", name="Older").press("Enter")
    expect(entries).to_have_count(62)


def test_the_pages_above_the_desk_say_which_one_it_is(desk: Desk, page: Page) -> None:
    pages = page.get_by_role("navigation", name="Pages")
    for name, path in (("Desk", "/desk"), ("Map", "/map"), ("Touchpoints", "/touchpoints"), ("Observe", "/observe")):
        page.goto(desk.url + path)
        expect(pages.locator("[aria-current=page]")).to_have_text([name])
        expect(page.get_by_role("link", name="Observe")).to_have_count(1)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    expect(pages.locator("[aria-current=page]")).to_have_text(["Desk"])


def test_it_says_when_data_is_behind_or_away_and_comes_back(desk: Desk, page: Page) -> None:
    known(desk)
    desk.happen(lag_ms=4000)
    search(page, PHONE)
    verify(page)
    state = page.locator("#state")
    expect(state).to_have_text("4 s behind")
    desk.happen(lag_ms=0)
    desk.say(identifier="customer:1")
    expect(state).to_have_text("Live")
    desk.happen(worker="stop")
    expect(state).to_contain_text("Data not reachable, as of")
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    desk.say(identifier="customer:1", type="searched", properties={"query": "meanwhile"})
    desk.happen(worker="start")
    expect(page.locator(".searches")).to_contain_text("meanwhile")
    expect(state).to_have_text("Live")


def test_a_lost_connection_comes_back_by_itself(desk: Desk, page: Page) -> None:
    known(desk)
    search(page, PHONE)
    verify(page)
    state = page.locator("#state")
    expect(state).to_have_text("Live")
    desk.happen(http="stop")
    expect(state).to_have_text("Connection lost, trying again")
    desk.say(identifier="customer:1", type="searched", properties={"query": "meanwhile"})
    desk.happen(http="start")
    expect(page.locator(".searches")).to_contain_text("meanwhile", timeout=15_000)
    expect(state).to_have_text("Live")


def test_focus_and_selection_survive_what_comes_in(desk: Desk, page: Page) -> None:
    for n in range(100):
        desk.say(identifier="customer:1", event_id=f"x{n}", ago_s=100 + n)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    verify(page)
    older = page.get_by_role("link", name="Older")
    older.focus()
    desk.say(identifier="customer:1", type="searched", properties={"query": "shoes"})
    expect(page.locator(".searches")).to_contain_text("shoes")
    expect(older).to_be_focused()


def test_a_link_works_once_and_signing_out_ends_it(desk: Desk, page: Page, browser: Browser) -> None:
    link = desk.link()
    for heading in ("Who is calling?", "This sign-in link does not work any more"):
        context = browser.new_context()
        other = context.new_page()
        other.goto(link)
        expect(other.get_by_role("heading", name=heading)).to_be_visible()
        context.close()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="The agent desk")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(browser: Browser, desk: Desk, width: int, scheme: Any) -> None:
    known(desk)
    desk.say(identifier="customer:1", type="complaint_opened", issue="W" * 90)
    desk.say(identifier="customer:1", type="goal_abandoned", goal="return")
    desk.say(identifier="customer:1", type="searched", properties={"query": "x" * 200})
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()

    def fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(UNNAMED) == []

    page.goto(desk.link())
    sits_at(page, "21")
    fits()
    ring(desk, "c0", phone=SHARED)
    ring(desk, "c1", "21")
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    fits()
    verify(page)
    page.get_by_text("Why these belong together").click()
    expect(page.locator(".identity-body")).to_contain_text("All evidence about it leads to")
    page.locator("#note").evaluate("each => each.open = true")
    fits()
    context.close()


def test_a_call_opens_on_the_desk_where_it_rings_and_on_no_other(desk: Desk, page: Page, browser: Browser) -> None:
    known(desk)
    desk.say(identifier="customer:1", type="searched", properties={"query": "return blue shoes"}, ago_s=130)
    desk.say(identifier="customer:1", touchpoint="returns_page", ago_s=120)
    context = browser.new_context()
    other = context.new_page()
    other.goto(desk.link())
    sits_at(page, "21")
    sits_at(other, "22")

    ring(desk, "c1", "21")
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible(timeout=1000)
    expect(page.locator(".likely")).to_contain_text(
        "Searched “return blue shoes” on the web 2 min ago, opened the returns page, left"
    )
    expect(page.get_by_text("Matched by phone number, not verified")).to_be_visible()
    expect(page.locator("#calls .mine")).to_contain_text("your phone")
    assert "Said who they are" not in page.content()  # not even hidden in it

    ring(desk, "c2", "22", SHARED)  # so that the other desk has heard of the first one, if it was told
    expect(other.get_by_role("heading", name="Nobody is known by this phone number yet")).to_be_visible()
    assert other.locator("#calls a").count() == 1
    context.close()

    search(page, "1")  # while it still rings: the agent's own choice stays
    expect(page.get_by_text("Matched by customer number, not verified")).to_be_visible()
    expect(page.locator("#state")).to_have_text("Live")
    desk.say(identifier="customer:1", type="searched", properties={"query": "boots"})
    expect(page.locator(".likely")).to_contain_text("boots")
    assert "call=" not in page.url


def test_what_an_agent_notes_stands_in_the_timeline(desk: Desk, page: Page) -> None:
    """By keyboard alone: the call opens by itself, V, N, and the form."""
    known(desk)
    sits_at(page, "21")
    ring(desk, "c1", "21")
    verify(page)
    page.keyboard.press("n")
    expect(page.get_by_label("What it is about")).to_be_focused()
    page.keyboard.type("Ret")
    page.keyboard.press("Tab")
    page.keyboard.type("Res")
    page.keyboard.press("Tab")
    page.keyboard.type("Label sent.")
    ring(desk, "c2", "21", SHARED)  # it does not open under the hands of somebody who writes
    expect(page.get_by_role("alert")).to_contain_text("Your phone rings: +1 ••• ••99")
    expect(page.get_by_label("In a few words")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Recorded.")).to_be_visible()
    expect(page.locator(".entry").first).to_contain_text("Call noted")
    page.locator("#calls a", has_text="99").click()
    expect(page.get_by_role("heading", name="Nobody is known by this phone number yet")).to_be_visible()


def test_a_filter_shows_one_channel(desk: Desk, page: Page) -> None:
    known(desk)
    desk.say(identifier="customer:1", channel="phone", type="call_ended", ago_s=2 * 86_400)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    verify(page)
    visible = page.locator(".entry:visible")
    expect(visible).to_have_count(3)
    page.get_by_role("radio", name="All").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Web")).to_be_checked()
    expect(visible).to_have_count(2)
    expect(page.locator(".day:visible")).to_have_count(1)
    desk.say(identifier="customer:1", channel="phone", type="call_ended")
    desk.say(identifier="customer:1", type="searched", properties={"query": "shoes"})
    expect(visible).to_have_count(3)  # and it stays, whatever comes in
    expect(page.locator(".entry")).to_have_count(5)


def test_a_call_that_rang_while_the_connection_was_lost_opens_when_it_is_back(desk: Desk, page: Page) -> None:
    known(desk)
    sits_at(page, "21")
    desk.happen(http="stop")
    expect(page.locator("#state")).to_have_text("Connection lost, trying again")
    desk.happen(http="start")
    ring(desk, "c1", "21")
    ring(desk, "c1", "21", kind="call_answered")
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible(timeout=15_000)
    verify(page)
    desk.happen(http="stop")
    expect(page.locator("#state")).to_have_text("Connection lost, trying again")
    desk.happen(http="start")
    expect(page.locator("#state")).to_have_text("Live", timeout=15_000)
    expect(page.get_by_text("Verified")).to_be_visible()  # a restart asks nobody again


def test_the_card_in_a_frame_of_another_tool(desk: Desk, page: Page) -> None:
    known(desk)
    body = {"key": {"namespace": "phone", "value": PHONE}, "purpose": "crm"}
    told = page.request.post(f"{desk.url}/v1/desk/token", data=body, headers={"Authorization": "Bearer read_key"})
    path = told.json()["path"]
    with tool(f'<!doctype html><iframe title="card" width="900" height="600" src="{desk.url}{path}"></iframe>') as url:
        page.goto(url)
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
        expect(frame.locator("#state")).to_have_text("Live")
        frame.get_by_role("button", name="Caller is verified").click()
        expect(frame.locator(".entry")).to_have_count(2)
        expect(frame.locator("#state")).to_have_text("Live")
        desk.say(identifier="customer:1", type="searched", properties={"query": "return blue shoes"})
        expect(frame.locator(".searches")).to_contain_text("return blue shoes", timeout=1000)


@contextmanager
def tool(html: str) -> Iterator[str]:
    """Another tool's page, on another origin."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


#: What can be filled in or pressed, and has no name that is read out.
UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, summary")]
  .filter((each) => !(each.labels?.length || each.textContent.trim() || each.getAttribute("aria-label")))
  .map((each) => each.outerHTML.slice(0, 80))"""

#: Texts whose contrast with what is behind them is under AA's 4.5 (backgrounds here are plain colours).
CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    if (!own || element.closest(".hidden, svg") || element.getAnimations().length) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const said = element.textContent.trim().slice(0, 30);
    if (contrast < 4.5) bad.push(`${element.tagName} ${said}: ${contrast.toFixed(2)}`);
  }
  return bad;
}"""
