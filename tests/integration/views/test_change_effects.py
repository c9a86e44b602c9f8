"""What changes did, as a view and as the digest tell it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from pipeline.analyse import change_rows, keeping
from pipeline.analyse.before_after import Changed, Compared
from pipeline.analyse.result import Result
from pipeline.domain import digest
from pipeline.domain.intervals import Interval
from pipeline.serve import digest as weekly
from tests.integration.stored import START, asked

from .conftest import SHOP
from .test_map import Embedded

LIKE = Interval(2.0, -1.0, 5.0)


def found(change: Changed, effect: Interval) -> Compared:
    return Compared(change, 28, 300, 310, LIKE, LIKE, LIKE, 5, LIKE, effect, LIKE)


def record(client: Client, *changes: Changed) -> None:
    rows = [[each.change_id, each.touchpoint, each.on, f"what {each.change_id}", START, "staff:a"] for each in changes]
    client.insert("changes", rows, ["change_id", "touchpoint", "changed_on", "what", "recorded_at", "recorded_by"])


def keep(client: Client, *compared: Compared) -> None:
    rows = change_rows.rows(compared, {"chat": "Chat"}, 28)
    keeping.keep(client, Result("changes", 1, 1, date(2026, 1, 1), date(2026, 4, 1), len(rows), 1, rows=rows), START)


def test_what_is_recorded_otherwise_by_now_is_missing_until_it_is_analysed_again(client: Client) -> None:
    same, moved = Changed("c1", "chat", date(2026, 2, 2)), Changed("c2", "chat", date(2026, 2, 9))
    keep(client, *(found(each, Interval(7.0, 3.0, 11.0)) for each in (same, moved, Changed("gone", "chat", same.on))))
    record(client, same, Changed("c2", "chat", date(2026, 2, 10)))
    sql = "SELECT change_id, name, what, verdict, effect, effect_low, others, days FROM change_effects"
    assert asked(client, sql) == [("c1", "Chat", "what c1", "better", 7.0, 3.0, 5, 28)]


def test_the_digest_tells_changes_of_the_week_and_what_earlier_ones_did(client: Client) -> None:
    now = int(time.time() * 1000)
    week = digest.week("", datetime.fromtimestamp(now / 1000, UTC).date())
    earlier, unknown, mine, before, after = (
        Changed(name, "chat", week.monday + timedelta(days=days))
        for name, days in (("earlier", -28), ("unknown", -20), ("mine", 6), ("before", -36), ("after", 7))
    )
    record(client, earlier, unknown, mine, before, after)
    effect = Interval(7.0, 3.0, 11.0)
    grey = Compared(mine, reason="too early")
    keep(client, found(earlier, effect), Compared(unknown, reason="too little"), grey, found(before, effect))
    told = asyncio.run(weekly.told(Embedded(client), SHOP, week, now, ZoneInfo("UTC")))
    assert [(each.touchpoint, each.on, each.what, each.did) for each in told.changes] == [
        ("Chat", earlier.on, "what earlier", digest.Did("better", effect, True, 28)),
        ("Chat", mine.on, "what mine", digest.Did("grey", reason="too early")),
    ]
    text = digest.markdown(digest.digest(told))
    assert "what mine. What it did is not known: too early." in text
    assert "Better: +7.0 points, between +3.0 and +11.0 with 95 %, against touchpoints" in text


def test_without_any_analysis_the_week_is_told_all_the_same(client: Client) -> None:
    week = digest.week("", datetime.now(UTC).date())
    record(client, Changed("c1", "chat", week.monday))
    told = asyncio.run(weekly.told(Embedded(client), SHOP, week, int(time.time() * 1000), ZoneInfo("UTC")))
    assert [(each.what, each.did) for each in told.changes] == [("what c1", None)]
