"""Why somebody probably calls: cases as data, newest first, ages in minutes."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.likely import likely
from pipeline.domain.view import time_text

NOW = 1_764_000_000_000
NAMES = {"returns_page": "Returns page", "site_home": "Home page", "account": "Customer account", "faq": "FAQ page"}
HOUR = 60
DAY = 24 * HOUR


def at(minutes: float) -> str:
    return time_text(NOW - round(minutes * 60_000))


def entry(kind: str, minutes: float, channel: str = "web", **more: Any) -> dict[str, Any]:
    base = {
        "type": kind,
        "channel": channel,
        "touchpoint": "site_search",
        "session_id": "v",
        "occurred_at": at(minutes),
    }
    return base | more


def goal(name: str, minutes: float, summary: str = "") -> dict[str, Any]:
    return {"goal": name, "summary": summary, "channel": "web", "touchpoint": "cart", "occurred_at": at(minutes)}


def complaint(issue: str, minutes: float) -> dict[str, Any]:
    return {"issue": issue, "stage": "received", "channel": "web", "touchpoint": "cart", "occurred_at": at(minutes)}


def search(query: str, minutes: float, **more: Any) -> dict[str, Any]:
    return entry("searched", minutes, properties={"query": query}, **more)


def page(touchpoint: str, minutes: float, **properties: str) -> dict[str, Any]:
    return entry("page_viewed", minutes, touchpoint=touchpoint, properties=properties)


def said(
    timeline: list[dict[str, Any]],
    goals: list[dict[str, Any]] | None = None,
    complaints: list[dict[str, Any]] | None = None,
    call: str = "",
) -> str:
    """The sentence, its time as `[minutes ago]`."""
    now = {"open_goals": goals or [], "open_complaints": complaints or []}
    context = {"timeline": timeline, "now": now}
    found = likely(context, NOW, lambda name: NAMES.get(name, name), call)
    if found is None:
        return ""
    ago = "" if found.at is None else f" [{(NOW - found.at) / 60_000:g}]"
    return f"{found.before}{ago}{found.after}"


def call(minutes: float, outcome: str = "", issue: str = "", kind: str = "call_ended") -> dict[str, Any]:
    details = {"outcome": outcome} if outcome else {}
    return entry(kind, minutes, "phone", session_id="c0", details=details, issue=issue)


def promised(order: str, minutes: float, due: float) -> dict[str, Any]:
    details = {"promised_until": NOW - round(due * 60_000)}
    return entry("delivery_promised", minutes, "partner", properties={"order_id": order}, details=details)


SHOES = "return blue shoes"
CASES: list[tuple[str, list[dict[str, Any]], str]] = [
    ("nothing is known", [], ""),
    ("the issue's own", [page("returns_page", 2), search(SHOES, 2)],
     "Searched “return blue shoes” on the web [2], opened the returns page, left"),
    ("still there", [page("returns_page", 0.5), search(SHOES, 1)],
     "Searched “return blue shoes” on the web [1], opened the returns page"),
    ("only searched, just now", [search(SHOES, 0.2)], "Searched “return blue shoes” on the web [0.2]"),
    ("found nothing", [search(SHOES, 5, measures={"results": 0.0})],
     "Searched “return blue shoes” (no results) on the web [5], left"),
    ("gave up", [entry("goal_abandoned", 3, goal="return"), page("faq", 4), search(SHOES, 5)],
     "Searched “return blue shoes” on the web [5], opened the FAQ page, gave “return” up"),
    ("ordered", [entry("order_placed", 3), search(SHOES, 5)], "Searched “return blue shoes” on the web [5], ordered"),
    ("the newest search", [search("boots", 1), search(SHOES, 5)], "Searched “boots” on the web [1], left"),
    ("an empty search is none", [search("", 1)], ""),
    ("a product", [entry("product_viewed", 2, properties={"product_name": "Blue shoes"}), search(SHOES, 3)],
     "Searched “return blue shoes” on the web [3], looked at “Blue shoes”, left"),
    ("a page without a name", [page("account", 2, page="/orders/1"), search(SHOES, 3)],
     "Searched “return blue shoes” on the web [3], opened the page “/orders/1”, left"),
    ("in the app", [search(SHOES, 3, channel="mobile")], "Searched “return blue shoes” in the app [3], left"),
    ("long ago is no moment ago", [search(SHOES, 31)], ""),
    ("a goal given up", [entry("goal_abandoned", 10, goal="buy_shoes")], "Gave up “buy shoes” on the web [10]"),
    ("and reached after all", [entry("goal_completed", 5, goal="buy"), entry("goal_abandoned", 10, goal="buy")], ""),
    ("a failed delivery", [entry("delivery_failed", 120, "partner", properties={"order_id": "W-1"})],
     "The delivery of order W-1 failed [120]"),
    ("which came later", [entry("delivered", 20, "partner", properties={"order_id": "W-1"}),
                          entry("delivery_failed", 120, "partner", properties={"order_id": "W-1"})], ""),
    ("a late one", [promised("W-1", 300, 90)], "Order W-1 was due [90] and has not come"),
    ("one that is due", [promised("W-1", 300, -90)], ""),
    ("one promised anew", [promised("W-1", 30, -90), promised("W-1", 300, 90)], ""),
    ("not resolved", [call(2 * DAY, "unresolved", "return")], "Called about “return” [2880], not resolved"),
    ("hung up", [call(5, "abandoned")], "Called [5], hung up while waiting"),
    ("an agent noted it", [call(5, "unresolved", "return", "call_noted")], "Called about “return” [5], not resolved"),
    ("resolved", [call(5, "resolved", "return"), call(DAY, "unresolved", "return")], ""),
    ("about the same again", [call(DAY, "handled", "return")], "Called about “return” [1440]"),
    ("handled, about nothing", [call(DAY, "handled")], ""),
    ("last week", [call(8 * DAY, "unresolved", "return")], ""),
    ("only looked", [page("returns_page", 4)], "Opened the returns page on the web [4], left"),
]  # fmt: skip


@pytest.mark.parametrize(("timeline", "expected"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_the_sentence(timeline: list[dict[str, Any]], expected: str) -> None:
    assert said(timeline) == expected


FAILED = entry("delivery_failed", 60, "partner", properties={"order_id": "W-1"})


def test_the_order_is_a_call_centres() -> None:
    """Each before what follows it: taking one away shows the next."""
    everything = [page("site_home", 4), search(SHOES, 5), entry("goal_abandoned", 6, goal="buy"), FAILED]
    everything.append(call(DAY, "unresolved", "return"))
    goals, complaints = [goal("return", 20), goal("cart", 600, "Put 2 items into the cart")], [complaint("zip", 300)]
    starts = []
    while everything or goals or complaints:
        sentence = said(everything, goals, complaints)
        starts.append(sentence.partition(" [")[0])
        kind = sentence.split()[0]
        if kind == "Searched":
            everything = [each for each in everything if each["type"] != "searched"]
        elif kind == "Gave":
            everything = [each for each in everything if each["type"] != "goal_abandoned"]
        elif kind in ("Began", "Put"):
            goals.pop(0)
        elif kind == "The":
            everything.remove(FAILED)
        elif kind == "Complained":
            complaints.clear()
        elif kind == "Called":
            everything.pop()
        else:
            everything = [each for each in everything if each["type"] != "page_viewed"]
    assert starts == [
        "Searched “return blue shoes” on the web",
        "Gave up “buy” on the web",
        "Began “return” on the web",
        "The delivery of order W-1 failed",
        "Complained about “zip”",
        "Called about “return”",
        "Put 2 items into the cart on the web",
        "Opened the home page on the web",
    ]


def test_the_call_itself_is_no_reason() -> None:
    own = call(1, "unresolved", "return")
    assert said([own], call="c0") == ""
    assert said([own], call="c1") != ""


def test_what_people_write_is_cut() -> None:
    assert len(said([search("x" * 5_000, 2)])) < 140
