"""Figures of touchpoints, channels and queues in ClickHouse, against their formulas over the interactions themselves.

On the real engine, embedded in this process; cells are counted by stitch's own rollup, written by the sink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.settings import Settings
from pipeline.store import hours, migrations, rows
from tests.examples import examples

from ..stored import put
from .conftest import SHOP, empty
from .figures import Happened, cells, day, figures, grouped, hour, week

QUARTER_MS = 900_000
#: Around the ends of summer time in 2025, and a plain day: (zone, first quarter).
ZONES = {
    "Asia/Kathmandu": datetime(2025, 7, 1, 16, 0, tzinfo=UTC),  # five hours and three quarters ahead
    "Europe/Berlin": datetime(2025, 10, 25, 20, 0, tzinfo=UTC),
    "America/New_York": datetime(2025, 3, 9, 2, 0, tzinfo=UTC),
}


def migrated(client: Client, zone: str) -> None:
    """The views of this time zone."""
    migrations.migrate(client, Settings(time_zone=zone))


def scales(question: str) -> tuple[tuple[float, float], ...]:
    metric = SHOP.scoring.questions[question].metric
    known = {"nps": (0.0, 10.0), "ces": (1.0, 7.0)}
    return ((1.0, 5.0), (0.0, 10.0)) if metric not in known else (known[metric],)


asked_of = st.sampled_from(["nps", "ces", "csat", "thumbs", "needs_met", "ease", "enjoyment", "goal_reached"])
answers = asked_of.flatmap(
    lambda q: st.sampled_from(scales(q)).flatmap(
        lambda scale: st.integers(int(scale[0]), int(scale[1])).map(lambda v: (q, float(v), *scale))
    )
)
said = st.one_of(
    answers.map(lambda a: {"answer": a}),
    st.floats(0, 1500, allow_nan=False).map(lambda s: {"measures": {"wait_s": round(s, 3)}}),
    st.just({"type": "page_viewed"}),
)
happenings = st.lists(
    st.tuples(
        st.integers(0, 40 * 96),  # quarters of an hour: beyond a month
        st.integers(0, QUARTER_MS - 1),
        st.sampled_from(["phone", "chat"]),
        st.integers(0, 2),  # partition
        st.sampled_from(["call_queue", "call_agent"]),
        said,
    ),
    min_size=1,
    max_size=60,
)
near = st.integers(1, 3)  # so that several fall into one cell


def built(zone: str, given_: Sequence[Any], spread: int) -> list[Happened]:
    start = int(ZONES[zone].timestamp() * 1000)
    return [
        Happened(start + (quarter // spread) * QUARTER_MS + ms, touchpoint, channel, partition, **extra)
        for quarter, ms, channel, partition, touchpoint, extra in given_
    ]


def seen(client: Client, view: str, by: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Key → figures."""
    result = client.query(f"SELECT {by} AS key, * FROM {view}")
    at = {name: n for n, name in enumerate(result.column_names)}
    return {tuple(row[0].values()) if isinstance(row[0], dict) else row[0]: {n: row[i] for n, i in at.items()}
            for row in result.result_rows}  # fmt: skip


def compare(found: dict[tuple[Any, ...], dict[str, Any]], expected: dict[tuple[Any, ...], list[Happened]]) -> None:
    assert set(found) == set(expected)
    for key, happened in expected.items():
        for name, value in figures(happened, SHOP.scoring).items():
            if value is None:
                assert found[key][name] is None, (key, name)
            else:
                assert found[key][name] == pytest.approx(value, abs=tolerance(name), rel=1e-6), (key, name)


def tolerance(name: str) -> float:
    """Counts are exact. Sums are in millionths, marks in thousandths, and an interval is a root of their difference."""
    if not name.endswith(("_low", "_high")):
        return 1e-5
    return (
        5e-2
        if name.startswith("expected_gap")
        else 5e-3
        if "asked" in name or "observed" in name
        else 1e-2
        if "_mean" in name
        else 1e-9
    )


VIEWS: dict[str, tuple[str, Callable[[str], Callable[[Happened], Any]]]] = {
    "touchpoint_hourly": ("(toUnixTimestamp(hour), touchpoint, channel)", hour),
    "touchpoint_daily": ("(day, touchpoint, channel)", day),
    "touchpoint_weekly": ("(week, touchpoint, channel)", week),
}


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=examples(3), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings, st.sampled_from([1, 40, 800]), st.sampled_from(["no hour", "some hours", "all hours"]))
def test_views_say_what_the_formulas_say_of_the_interactions(
    client: Client, zone: str, given_: Sequence[Any], spread: int, made: str
) -> None:
    """By the clock of the business, and whatever is summed up already: some cells change afterwards."""
    migrated(client, zone)
    empty(client)
    happened = built(zone, given_, spread)
    if made != "no hour":
        put(client, rows.TOUCHPOINT_SCORES, *cells(happened[: len(happened) // 2 + 1], SHOP.scoring))
        hours.sum_up(client, hours.due(client, limit=2 if made == "some hours" else 10_000))
    put(client, rows.TOUCHPOINT_SCORES, *cells(happened, SHOP.scoring))
    if made == "all hours":
        hours.sum_up(client, hours.due(client, limit=5))
    for view, (key, at) in VIEWS.items():
        expected = grouped(happened, at(zone), lambda x: x.touchpoint, lambda x: x.channel)
        compare(seen(client, view, key), expected)
    channels = grouped(happened, day(zone), lambda x: x.channel)
    found = seen(client, "channel_daily", "(day, channel)")
    compare(found, channels)
    assert {key: row["touchpoints"] for key, row in found.items()} == {
        key: len({x.touchpoint for x in of}) for key, of in channels.items()
    }
