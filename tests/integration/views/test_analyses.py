"""Analyses as they are kept, and as the views show them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from clickhouse_connect.driver.client import Client

from pipeline.analyse import keeping
from pipeline.analyse.result import Result, Row
from tests.integration.stored import START, asked

DRIVERS = Result(
    *("drivers", 1, 1, date(2026, 9, 1), date(2026, 10, 1), 1234, 7),
    parameters={"of": "touchpoints", "samples": "200"},
    caveats=("Association, not cause.", "Two ranks overlap."),
    rows=(
        Row("queue", "Queue", {"share": 0.75, "share_low": 0.7, "vif": 1.5, "n": 900.0}, {"quadrant": "improve first"}),
        Row("chat", "Chat", {"share": 0.25, "share_low": None, "vif": None, "n": 400.0}),
    ),
)


def test_a_result_comes_back_as_it_was(client: Client) -> None:
    assert keeping.newest(client, "drivers", "touchpoints") is None
    keeping.keep(client, DRIVERS, START)
    assert keeping.newest(client, "drivers", "touchpoints") == DRIVERS
    assert keeping.newest(client, "drivers", "dimensions") is None


def test_the_same_analysis_again_takes_the_place_of_the_one_before(client: Client) -> None:
    keeping.keep(client, DRIVERS, START)
    fewer = replace(DRIVERS, n=5, rows=DRIVERS.rows[1:])
    keeping.keep(client, fewer, START + 1)
    assert keeping.newest(client, "drivers", "touchpoints") == fewer
    assert asked(client, "SELECT driver, people FROM drivers") == [("chat", 5)]
    assert asked(client, "SELECT count() FROM analyses FINAL") == [(1,)]
    assert asked(client, "SELECT count() FROM analysis_rows") == [(1,)]


def test_the_newest_of_each_kind_counts(client: Client) -> None:
    other = replace(DRIVERS, parameters={"of": "dimensions"}, rows=())
    refused = replace(DRIVERS, seed=8, rows=(), refused="Too few people.")
    for at, each in enumerate((DRIVERS, other, refused)):
        keeping.keep(client, each, START + at)
    found = asked(client, "SELECT kind, of, refused FROM analyses_newest ORDER BY of")
    assert found == [("drivers", "dimensions", ""), ("drivers", "touchpoints", "Too few people.")]
    assert asked(client, "SELECT * FROM drivers") == []  # figures of another period would be taken for this one's


def test_a_row_of_a_kind_is_typed_and_unknown_is_null(client: Client) -> None:
    keeping.keep(client, DRIVERS, START)
    sql = "SELECT name, share, share_low, share_high, vif, quadrant, n, people, caveats FROM drivers ORDER BY position"
    caveats = "Association, not cause. Two ranks overlap."
    assert asked(client, sql) == [
        ("Queue", 0.75, 0.7, None, 1.5, "improve first", 900, 1234, caveats),
        ("Chat", 0.25, None, None, None, "", 400, 1234, caveats),
    ]
