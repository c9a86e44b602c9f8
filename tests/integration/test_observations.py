"""What observations do to the dots of touchpoints that no customer sees, on the real engine (embedded here)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations, rows
from tests.observing import observed

from .stored import asked, put

HOUR_MS = 3_600_000
ids = count()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings())
        catalogued.load(client, catalogue.load(Settings().catalogue_folder), now_ms())
        yield client


@pytest.fixture(autouse=True)
def empty(client: Client) -> None:
    client.command("TRUNCATE TABLE observations")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def see(client: Client, touchpoint: str, measure: str, *values: float, ago_ms: int = 60_000, **changes: Any) -> None:
    """These values, each an observation of its own unless `changes` names it."""
    at = now_ms() - ago_ms
    put(
        client,
        rows.OBSERVATIONS,
        *(
            observed(
                **{"observation_id": str(next(ids)), "touchpoint": touchpoint, "measure": measure, "value": value}
                | {"observed_at": at, "received_at": at}
                | changes
            )
            for value in values
        ),
    )


def dot(client: Client, touchpoint: str) -> tuple[str, int, str]:
    """Its colour, of how many pieces of evidence, and why."""
    sql = "SELECT dot, toUInt32(n), reason FROM touchpoint_dots WHERE touchpoint = {touchpoint:String}"
    ((colour, n, reason),) = asked(client, sql, touchpoint=touchpoint)
    return colour, n, reason


def test_it_is_grey_until_there_is_enough_and_says_so(client: Client) -> None:
    assert dot(client, "shift_planning") == ("grey", 0, "no evidence of agents missing in the last 24 hours")
    see(client, "shift_planning", "agents_missing", 0)
    assert dot(client, "shift_planning") == ("grey", 1, "1 piece of evidence in the last 24 hours, and 3 are needed")
    see(client, "shift_planning", "agents_missing", 0)
    assert dot(client, "shift_planning") == ("grey", 2, "2 pieces of evidence in the last 24 hours, and 3 are needed")
    see(client, "shift_planning", "agents_missing", 0)
    assert dot(client, "shift_planning")[:2] == ("green", 3)


@pytest.mark.parametrize(
    ("touchpoint", "measure", "values", "colour"),
    [  # lower is better: green to 4, yellow to 8
        ("order_picking", "open_orders_h", (3.0, 3.5, 3.2), "green"),
        ("order_picking", "open_orders_h", (6.0, 6.2, 6.1), "yellow"),
        ("order_picking", "open_orders_h", (12.0, 13.0, 12.5), "red"),
        # higher is better: green from 99.9, yellow from 99
        ("payment_service", "availability", (99.95,) * 12, "green"),
        ("payment_service", "availability", (99.4, 99.5) * 6, "yellow"),
        ("payment_service", "availability", (97.0, 97.5) * 6, "red"),
    ],
)
def test_its_colour_is_that_of_the_measure(
    client: Client, touchpoint: str, measure: str, values: tuple[float, ...], colour: str
) -> None:
    see(client, touchpoint, measure, *values)
    found, n, reason = dot(client, touchpoint)
    assert (found, n) == (colour, len(values))
    assert f"from {n} pieces of evidence" in reason


def test_it_is_grey_where_the_interval_crosses_a_threshold(client: Client) -> None:
    see(client, "order_picking", "open_orders_h", 1.0, 7.0, 4.0)
    colour, n, reason = dot(client, "order_picking")
    assert (colour, n) == ("grey", 3)
    assert "it may be anything between" in reason
    assert "from red to green" in reason


def test_what_is_sent_again_takes_the_place_of_the_earlier_one(client: Client) -> None:
    for value in (20.0, 0.0):
        for n in range(3):
            see(client, "product_content", "errors_found", value, observation_id=f"same-{n}")
    assert dot(client, "product_content")[:2] == ("green", 3)


def test_other_measures_other_places_and_old_times_do_not_count(client: Client) -> None:
    see(client, "search_index", "mood", 1, 1, 1)
    see(client, "order_picking", "index_age_min", 1, 1, 1)
    see(client, "search_index", "index_age_min", 1, 1, 1, ago_ms=25 * HOUR_MS)
    see(client, "search_index", "index_age_min", 1, 1, 1, ago_ms=-HOUR_MS)
    assert dot(client, "search_index") == ("grey", 0, "no evidence of index age min in the last 24 hours")
    see(client, "search_index", "index_age_min", 1, 1, 1, ago_ms=22 * HOUR_MS)
    assert dot(client, "search_index")[:2] == ("green", 3)


def test_staff_and_systems_count_alike(client: Client) -> None:
    see(client, "staff_mood", "mood", 8, 9, 8, kind="staff", source="desk")
    see(client, "staff_mood", "mood", 8, 8, kind="system")
    assert dot(client, "staff_mood")[:2] == ("green", 5)
