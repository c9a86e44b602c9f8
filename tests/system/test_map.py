"""The map, governance and the digest: in a real browser over made up figures, and through the whole product."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.product import Product, eventually
from tests.system.test_desk import CONTRAST, Desk, browser, desk, page, process

__all__ = ["browser", "desk", "page", "process"]  # fixtures


def test_a_node_opens_beside_the_map_by_keyboard_and_closes(desk: Desk, page: Page) -> None:
    page.goto(f"{desk.url}/map?journey=get_help")
    expect(page.get_by_role("heading", name="Getting help")).to_be_visible()
    expect(page.get_by_role("button", name="Show")).to_be_hidden()  # a change is shown at once
    node = page.locator("a[data-node=call_queue]:visible").first
    node.focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("complementary", name="Touchpoint")
    expect(panel.get_by_role("heading", name="Call queue")).to_be_visible()
    expect(panel).to_be_focused()
    expect(panel).to_contain_text("I waited for an hour.")
    expect(panel).to_contain_text("</text><script>document.title='owned'</script>")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(node).to_be_focused()
    assert page.title() == "Getting help · Map · Throughline"

    page.get_by_label("Journey", exact=True).select_option("Buying")
    expect(page.get_by_role("heading", name="Buying")).to_be_visible()
    page.get_by_label("Period").select_option("7 days")
    page.wait_for_url("**period=7")
    expect(page.get_by_label("Journey", exact=True)).to_have_value("buy")


def test_what_is_being_counted_comes_by_itself(desk: Desk, page: Page) -> None:
    page.goto(f"{desk.url}/map?segment=channels:one+channel")
    expect(page.locator(".map-state")).to_have_attribute("data-coming", "no")
    expect(page.locator(".map-state p")).to_contain_text("Figures of one channel as of")
    assert "score" in (page.locator("a[data-node=site_search]:visible").get_attribute("aria-label") or "")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_works_without_script_fits_and_can_be_read(browser: Browser, desk: Desk, width: int, scheme: Any) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, java_script_enabled=False
    )
    page = context.new_page()
    page.goto(desk.link())
    pages = page.get_by_role("navigation", name="Pages")

    def fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) == []

    pages.get_by_role("link", name="Map").click()
    expect(page.get_by_role("heading", name="Buying")).to_be_visible()
    fits()
    page.get_by_label("Journey", exact=True).select_option("Getting help")
    page.get_by_role("button", name="Show").click()
    page.locator("a[data-node=call_queue]:visible").first.click()
    expect(page.get_by_role("heading", name="What to do")).to_be_visible()
    fits()
    pages.get_by_role("link", name="Touchpoints").click()
    expect(page.get_by_role("heading", name="Red, and nobody has acted")).to_be_visible()
    fits()
    page.get_by_label("Owner").select_option("head of stores")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("[data-touchpoint]")).to_have_count(4)
    context.close()


def test_the_map_is_drawn_from_what_happened(browser: Browser, product: Product, tmp_path: Path) -> None:
    """Through Kafka and the sink: people who go on, the words of one of them, the map, governance and the digest."""
    mark = uuid4().hex[:12]
    now = time.time_ns() // 1_000_000
    kiosk, words = f"kiosk-{mark}", f"It rang only once {mark}, call me at (415) 555-0163"

    def event(n: int, who: int, kind: str, touchpoint: str, channel: str, ago_s: int, **more: Any) -> dict[str, Any]:
        return {
            "event_id": f"{mark}-{n}",
            "source": "map-test",
            "channel": channel,
            "type": kind,
            "touchpoint": touchpoint,
            "occurred_at": now - ago_s * 1000,
            "identifiers": {"customer": f"map-{mark}-{who}"},
            **more,
        }

    answer = {"question": "csat", "value": 1, "min": 1, "max": 5}
    agreed = [event(n, n, "page_viewed", "account", "web", 600 + n) for n in range(5)]
    visited = [event(10 + n, n, "delivered", "installer_visit", "partner", 300) for n in range(3)]
    told = event(
        20, 0, "survey_answered", "installer_visit", "partner", 60, answer=answer, properties={"comment": words}
    )
    unowned = [event(30 + n, 0, "page_viewed", kiosk, "web", 60) for n in range(40)]
    assert product.send(*agreed, *visited, told, *unowned)["rejected"] == []
    stored = f"SELECT count() AS n FROM interactions WHERE source = 'map-test' AND startsWith(event_id, '{mark}')"
    eventually(lambda: int(product.sql(stored)[0]["n"]) == 49)
    eventually(lambda: product.sql(f"SELECT 1 FROM touchpoint_sums WHERE touchpoint = '{kiosk}'"))

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(product.command("sign-in").stdout.strip())
    # A segment that nobody has counted yet: so it is counted now, with what was just sent.
    page.goto(f"{product.base}/map?journey=install&segment=known:known+customer&period=7")
    expect(page.locator(".map-state")).to_have_attribute("data-coming", "no", timeout=20_000)
    expect(page.locator(".map-state p")).to_contain_text("Figures of known customer as of")
    way = page.locator(".way").first.get_attribute("aria-label") or ""
    went, _, people = way.partition(": ")[2].partition(" people")[0].partition(" of ")
    assert int(people.replace(",", "")) >= 5, way
    assert int(went.replace(",", "")) >= 3, way
    page.locator("a[data-node=installer_visit]:visible").click()
    panel = page.get_by_role("complementary", name="Touchpoint")
    expect(panel).to_contain_text(f"It rang only once {mark}, call me at [phone]", timeout=20_000)

    with page.expect_download() as taken:
        page.get_by_role("link", name="SVG").click()
    root = ElementTree.parse(taken.value.path()).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    with page.expect_download() as taken:
        page.get_by_role("link", name="Mermaid").click()
    assert Path(taken.value.path()).read_text().startswith("flowchart LR\n")

    def unowned_are_shown() -> bool:  # a busy ClickHouse may need more than the page waits
        page.goto(f"{product.base}/touchpoints")
        return page.locator("section", has_text="Seen, and owned by nobody").filter(has_text=kiosk).count() == 1

    eventually(unowned_are_shown, 40)
    expect(page.locator("[data-touchpoint=installer_visit]")).to_contain_text("head of service")
    context.close()
    assert wrong == []

    week = time.strftime("%G-W%V", time.gmtime(now / 1000))
    files = ("--html", str(tmp_path / "d.html"), "--markdown", str(tmp_path / "d.md"))
    done = product.command("digest", "--week", week, *files)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, week), done.stderr
    assert f"It rang only once {mark}" in (tmp_path / "d.html").read_text()
    assert f"It rang only once {mark}" in (tmp_path / "d.md").read_text()
    refused = product.command("digest", "--week", "2026-48")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("throughline: a week is written as ")
