"""The form for staff: in a real browser over profiles in memory, and through the whole running product to a dot."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.product import Answer, Product, eventually
from tests.system.test_desk import CONTRAST, Desk, browser, desk, page, process

__all__ = ["browser", "desk", "page", "process"]  # fixtures

#: The demo shop says nothing of it, so here nobody else does.
TOUCHPOINT, MEASURE = "product_content", "errors_found"


def test_by_keyboard_alone(desk: Desk, page: Page) -> None:
    page.goto(f"{desk.url}/observe")
    expect(page.get_by_label("Find a touchpoint")).to_be_focused()
    page.keyboard.type("shift")
    expect(page.locator("#touchpoints a:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Planning of shifts")).to_be_visible()
    expect(page.get_by_label("Agents missing")).to_be_focused()
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="skip")).to_be_focused()
    page.keyboard.press("ArrowRight")  # round to 0
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="1", exact=True)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("Two are ill.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Taken: Planning of shifts. Thank you.")
    assert page.title() == "Taken: Planning of shifts · Throughline"
    page.get_by_role("link", name="Say more about it").click()
    expect(page.get_by_label("Agents missing")).to_have_value("")


def test_finding_says_when_there_is_nothing_and_arrows_walk(desk: Desk, page: Page) -> None:
    page.goto(f"{desk.url}/observe")
    page.keyboard.type("nowhere")
    expect(page.get_by_text("No touchpoint is called so.")).to_be_visible()
    page.get_by_label("Find a touchpoint").fill("")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#touchpoints a").nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Find a touchpoint")).to_be_focused()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_works_without_script_fits_and_can_be_read(browser: Browser, desk: Desk, width: int, scheme: Any) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, java_script_enabled=False
    )
    page = context.new_page()
    page.goto(desk.link())

    def fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) == []
        small = "each => [...each].map((one) => one.getBoundingClientRect().height).filter((height) => height < 40)"
        assert page.locator(".touchpoints a, .scale label, .form .number, .primary").evaluate_all(small) == []

    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Observe").click()
    expect(page.get_by_role("heading", name="What do you see?")).to_be_visible()
    expect(page.locator("#q")).to_be_hidden()  # it would find nothing
    fits()
    page.get_by_role("link", name="Handover to couriers").click()
    expect(page.get_by_label("Handover late")).to_be_visible()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_have_text("Fill in the number, or choose how it goes.")
    page.get_by_role("radio", name="7").check()
    fits()
    page.get_by_label("What is in the way").fill("W" * 90)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status").first).to_contain_text("Taken: Handover to couriers.")
    fits()
    context.close()


def dot(product: Product) -> dict[str, Any]:
    """The touchpoint's dot."""
    (row,) = product.sql(f"SELECT dot, toUInt32(n) AS n, reason FROM touchpoint_dots WHERE touchpoint = '{TOUCHPOINT}'")
    return row


def said(number: int, value: float, source: str) -> dict[str, Any]:
    return {
        "observation_id": f"o-{number}",
        "source": source,
        "touchpoint": TOUCHPOINT,
        "observed_at": time.time_ns() // 1_000_000,
        "kind": "system",
        "measure": MEASURE,
        "value": value,
        "note": "found by jo@example.com",
    }


def post(product: Product, *observations: Any, key: str | None = "ingest") -> Answer:
    return product.ask("POST", "/v1/observations", {"observations": observations}, key=key)


def test_observations_change_a_dot_and_staff_do_too(product: Product) -> None:
    """From HTTP and from the form, through Kafka and the sink, to the view."""
    source = f"checker-{uuid4().hex}"
    before = dot(product)
    assert before["n"] == 0, "somebody else observes this touchpoint"
    assert (before["dot"], before["reason"]) == ("grey", "no evidence of errors found in the last 7 days")

    answer = post(product, said(1, 1.0, source), {**said(2, 1.0, source), "value": "many"}, said(3, 1.0, source))
    assert answer.status == 202, answer
    assert answer.json["accepted"] == 2
    (refused,) = answer.json["rejected"]
    assert (refused["index"], refused["observation_id"], refused["reason"]) == (1, "o-2", "wrong_type")
    eventually(lambda: dot(product)["n"] == 2)
    assert dot(product)["reason"] == "2 pieces of evidence in the last 7 days, and 3 are needed"
    assert dot(product)["dot"] == "grey"

    form = uuid4().hex
    assert by_form(product, id=form, value="1", note="ring (415) 555-0163") == 303
    eventually(lambda: dot(product)["dot"] == "green")
    assert dot(product)["n"] == 3

    assert post(product, said(1, 11.0, source), said(3, 12.0, source), said(4, 11.5, source)).json["accepted"] == 3
    eventually(lambda: dot(product)["n"] == 4)  # two were sent again, and took their own places
    assert dot(product)["dot"] == "grey"
    assert "from red to green" in dot(product)["reason"]

    assert by_form(product, id=form, value="11.5", note="ring (415) 555-0163") == 303
    eventually(lambda: dot(product)["dot"] == "red")
    stored = product.sql(
        f"SELECT source, kind, measure, value, note FROM observations FINAL WHERE touchpoint = '{TOUCHPOINT}'"
    )
    assert sorted((row["source"], row["kind"], row["value"], row["note"]) for row in stored) == [
        (source, "system", 11, "found by [e-mail]"),
        (source, "system", 11.5, "found by [e-mail]"),
        (source, "system", 12, "found by [e-mail]"),
        ("desk", "staff", 11.5, "ring [phone]"),
    ]


def by_form(product: Product, **fields: str) -> int:
    """The status of what a browser sends, signed in by a link of `throughline sign-in`."""
    with httpx.Client(base_url=product.base, trust_env=False) as client:
        assert client.get(product.command("sign-in").stdout.strip()).status_code == 303
        headers = {"Sec-Fetch-Site": "same-origin"}
        return client.post(f"/observe/{TOUCHPOINT}", data=fields, headers=headers).status_code


@pytest.mark.parametrize(("key", "status"), [("public", 403), ("read", 403), (None, 401)])
def test_only_the_ingest_key_may_observe(product: Product, key: str | None, status: int) -> None:
    answer = post(product, said(1, 1.0, "nobody"), key=key)
    assert answer.status == status
    assert answer.json["detail"]


def test_the_docs_describe_it(product: Product) -> None:
    page = product.ask("GET", "/docs").text
    assert 'id="post-v1-observations"' in page
    assert "A shift lead says who is missing, and how it feels" in page
