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
from pathlib import Path
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


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk of its own for each test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.desk_world", str(port), str(tmp_path)]
    with subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Desk(process, port, tmp_path)
        finally:
            process.kill()


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


def known(desk: Desk) -> None:
    """A customer with a name, a phone and a browser."""
    desk.say(identifier="customer:1", type="profile_updated", properties={"name": "Ada Lovelace"}, ago_s=3000)
    desk.say(identifier="customer:1", type="identified", phone=PHONE, links=["anonymous:a1"], ago_s=2900)


def test_the_first_thing_of_a_day_is_announced_too(desk: Desk, page: Page) -> None:
    """It brings a heading of its own with it: what is new is below that."""
    desk.say(identifier="customer:1", type="profile_updated", properties={"name": "Ada Lovelace"}, ago_s=2 * 86_400)
    page.goto(f"{desk.url}/desk/customers/customer:1")
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
    expect(calls.nth(1)).to_have_attribute("aria-current", "page")

    desk.happen(ring={"phone": PHONE, "session_id": "c1", "type": "call_answered"})
    expect(calls).to_have_count(1)
    calls.first.click()
    expect(page.get_by_role("heading", name="Nobody is known by this phone number yet")).to_be_visible()


def test_a_hostile_name_is_shown_and_does_nothing(desk: Desk, page: Page) -> None:
    desk.say(identifier="customer:13", type="profile_updated", properties={"name": HOSTILE})
    search(page, "13")
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    desk.say(identifier="customer:13", type="searched", properties={"query": HOSTILE})  # through the live stream too
    expect(page.locator(".searches")).to_contain_text(HOSTILE)
    assert page.title() == "Agent desk · Throughline"
    assert page.locator("main img").count() == 0


def test_nobody_becomes_somebody_while_the_agent_watches(desk: Desk, page: Page) -> None:
    page.goto(f"{desk.url}/desk/customers/customer:77")
    expect(page.get_by_role("heading", name="Nobody is known by this customer number yet")).to_be_visible()
    desk.say(identifier="customer:77", type="searched", properties={"query": "opening hours"})
    expect(page.get_by_role("heading", name="Customer number 77")).to_be_visible()
    expect(page.locator(".entry")).to_have_count(1)
    assert page.get_by_text("no evidence yet").count() == 3


def test_an_empty_profile(desk: Desk, page: Page) -> None:
    desk.say(identifier="anonymous:a1", type="searched", properties={"query": "shoes"})
    desk.say(identifier="customer:1", type="identified", links=["anonymous:a1"], ago_s=7200)
    page.goto(f"{desk.url}/desk/customers/customer:1")
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
    expect(page.locator(".searches")).to_contain_text("blue shoes")
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
    page.get_by_text("Why these belong together").click()
    expect(page.locator(".identity-body h3").first).to_have_text("Stands alone")
    expect(page.locator(".identity-body")).to_contain_text("more than 1000 weaker identifiers came with it")


def test_without_identify_the_card_is_there_all_the_same(desk: Desk, page: Page) -> None:
    known(desk)
    desk.happen(identify="stop")
    page.goto(f"{desk.url}/desk/customers/customer:1")
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    section = page.get_by_text("Why these belong together")
    section.click()
    expect(page.locator(".identity-body")).to_contain_text("cannot be read at the moment")
    desk.happen(identify="start")
    section.click()
    section.click()
    expect(page.locator(".identity-body")).to_contain_text("All evidence about it leads to customer number 1")


def test_older_entries_come_when_asked_for_and_stay(desk: Desk, page: Page) -> None:
    for n in range(70):
        desk.say(identifier="customer:1", event_id=f"x{n}", properties={"page": f"page {n}."}, ago_s=100 + n * 60)
    page.goto(f"{desk.url}/desk/customers/customer:1")
    entries = page.locator(".entry")
    expect(entries).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(entries).to_have_count(70)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    desk.say(identifier="customer:1", type="searched", properties={"query": "shoes"})
    expect(entries).to_have_count(71)
    expect(entries.first).to_contain_text("shoes")
    expect(entries.last).to_contain_text("page 69.")


def test_it_says_when_data_is_behind_or_away_and_comes_back(desk: Desk, page: Page) -> None:
    known(desk)
    desk.happen(lag_ms=4000)
    search(page, PHONE)
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
    expect(
        page.get_by_role("heading", name="Ada Lovelace")
    ).to_be_visible()  # and not the page before, which is live too
    state = page.locator("#state")
    expect(state).to_have_text("Live")
    desk.happen(http="stop")
    expect(state).to_have_text("Connection lost, trying again")
    desk.say(identifier="customer:1", type="searched", properties={"query": "meanwhile"})
    desk.happen(http="start")
    expect(page.locator(".searches")).to_contain_text("meanwhile", timeout=15_000)
    expect(state).to_have_text("Live")


def test_focus_and_selection_survive_what_comes_in(desk: Desk, page: Page) -> None:
    for n in range(60):
        desk.say(identifier="customer:1", event_id=f"x{n}", ago_s=100 + n)
    page.goto(f"{desk.url}/desk/customers/customer:1")
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
    desk.say(identifier="customer:1", type="searched", properties={"query": "x" * 200})
    desk.happen(ring={"phone": PHONE, "session_id": "c1"})
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.goto(desk.link())
    search(page, PHONE)
    expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    expect(page.locator("#state")).to_have_text("Live")
    page.get_by_text("Why these belong together").click()
    expect(page.locator(".identity-body")).to_contain_text("All evidence about it leads to")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    context.close()


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
