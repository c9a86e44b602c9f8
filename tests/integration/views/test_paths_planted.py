"""Worlds made to mislead: what is true of each is known, and what `analyse paths` must not say of it."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from .test_paths import BEGAN, PERIOD, Did, analysed, store

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
