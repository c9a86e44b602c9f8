"""Worlds made to mislead: what is true of each is known, and what `analyse paths` must not say of it."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from .test_paths import BEGAN, DONE_TO_THEM, PERIOD, Did, analysed, store, told_of

HOUR, DAY = 60, 1_440  # minutes
DAYS = (PERIOD.until - PERIOD.since).days
FIRST = (PERIOD.bounds_ms[0] - BEGAN) // 60_000  # the period's first minute, counted from BEGAN
WHOLE = (("site_search", 0.0), ("product_page", 0.3), ("cart", 0.6), ("parcel_tracking", 0.8), ("doorstep", 1.0))


@pytest.mark.parametrize("days", [0.5, 4, 12])
def test_who_comes_to_the_end_late_or_soon_is_neither_more_nor_less_of_all(client: Client, days: float) -> None:
    """Every hour somebody comes: every other one buys within `days`, the rest stop at the cart the same hour."""
    did = []
    for n in range(DAYS * 24):
        at = FIRST + n * HOUR
        ways = [(place, at + round(part * days * DAY)) for place, part in WHOLE] if n % 2 else [("cart", at)]
        did += [Did(f"customer:{n}", minute, place) for place, minute in ways]
    store(client, did, BEGAN)
    of = {row.item: row.figures for row in analysed(client).rows}
    for item in (
        "completed:buy:",
        "kept:buy:",
        "step:buy:receive",
        "path:buy:pay",
        "path:buy:find>choose>pay>wait>receive",
    ):
        assert of[item]["share"] == pytest.approx(0.5, abs=0.003), item
    assert of["dropped:buy:pay"]["share"] == pytest.approx(0.5, abs=0.003)
    assert of["completed:buy:"]["median_s"] == pytest.approx(days * 86_400, rel=0.05)


def test_a_contact_hours_after_a_quick_change_was_not_soon(client: Client) -> None:
    """All are on the phone within 20 minutes of the help page; what they say there is 60 minutes or 20 hours later."""
    did = []
    for n in range(26):
        asks = 60 if n < 12 else 20 * HOUR
        did += [Did(f"customer:{n}", 0, "help_page"), Did(f"customer:{n}", 20, "vru", "phone")]
        did += [Did(f"customer:{n}", asks, "call_agent", "phone", True, "delivery", 300.0)]
    store(client, did, BEGAN)
    of = {row.item: row.figures for row in analysed(client).rows}
    assert (of["switch:web>phone"]["people"], of["switch:web>phone"]["of"]) == (26, 26)
    assert [figures["people"] for item, figures in of.items() if item.startswith("contact:")] == [12]


@pytest.mark.parametrize("kind", DONE_TO_THEM)
def test_what_courier_and_shop_do_is_no_change_of_channel(client: Client, kind: str) -> None:
    """Twelve order; then comes what is not theirs, on another channel; it stays a step of the journey."""
    channel = "message" if kind.startswith("complaint") else "partner"
    for n in range(12):
        store(
            client,
            [Did(f"customer:{n}", 0, "checkout"), Did(f"customer:{n}", 2, "parcel_tracking", channel, kind=kind)],
            BEGAN,
        )
    of = {row.item for row in analysed(client).rows}
    assert "path:buy:pay>wait" in of
    assert not [item for item in of if item.startswith(("switch:", "contact:"))]


def test_whom_the_shop_calls_did_not_call(client: Client) -> None:
    """After an abandoned cart 20 are called, and 15 call, with the courier's word in between."""
    did = []
    for n in range(35):
        called = n < 20
        did += [
            Did(f"customer:{n}", 0, "cart"),
            Did(f"customer:{n}", 5, "parcel_tracking", "partner", kind="delivery_failed"),
        ]
        did += [Did(f"customer:{n}", 20, "call_agent", "phone", True, "delivery", 300.0, "call_ended", called)]
    store(client, did, BEGAN)
    rows = {row.item: row for row in analysed(client).rows}
    assert [item for item in rows if item.startswith("switch:")] == ["switch:web>phone"]
    assert rows["switch:web>phone"].figures["switched"] == 15
    (contact,) = [row for item, row in rows.items() if item.startswith("contact:")]
    assert contact.label == "Cart (web) → phone, about Delivery"
    assert (contact.figures["people"], contact.figures["handled"], contact.figures["cost"]) == (15, 15, 15 * 7.5)
    assert rows["step:get_help:solve"].figures["people"] == 35  # it stays a step of a journey


def test_nine_who_change_soon_are_not_nobody(client: Client) -> None:
    """Of 30 and of 39 who change the channel 9 do so soon, and of others none, or all but 9."""
    for n, (start, to, soon, people) in enumerate(
        [("web", "phone", 9, 30), ("web", "chat", 0, 30), ("mobile", "chat", 30, 39), ("mobile", "phone", 12, 30)]
    ):
        did = [Did(f"customer:{n}-{m}", 0, "site_search", start) for m in range(people)]
        did += [Did(f"customer:{n}-{m}", 20 if m < soon else 300, "vru", to) for m in range(people)]
        store(client, did, BEGAN)
    of = {row.item: row.figures for row in analysed(client).rows}
    for item, people in (("switch:web>phone", 30), ("switch:mobile>chat", 39)):
        assert of[item]["switched"] == people
        assert not {"people", "of", "share"} & of[item].keys()
    assert (of["switch:web>chat"]["people"], of["switch:web>chat"]["share"]) == (0, 0)
    assert (of["switch:mobile>phone"]["people"], of["switch:mobile>phone"]["share"]) == (12, 0.4)


def test_all_but_a_few_tells_of_the_few(client: Client) -> None:
    """Of 1,000 all but 5 come to the end, or go on, or never leave the design."""
    whole = [(place, round(part * DAY)) for place, part in WHOLE]
    did = [Did(f"customer:{n}", at, place) for n in range(995) for place, at in whole]
    did += [Did(f"customer:{n}", 0, "cart") for n in range(995, 1_000)]
    store(client, did, BEGAN)
    found = analysed(client)
    of = {row.item: row.figures for row in found.rows}
    assert of["step:buy:pay"]["people"] == 1_000
    assert all(each == 0 or each >= 10 for row in found.rows for each in told_of(row))
    assert not {"completed:buy:", "kept:buy:", "path:buy:*", "path:buy:find>choose>pay>wait>receive"} & of.keys()
