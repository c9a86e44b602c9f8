"""Hours that are summed up: never stale, whatever changes, and whoever sums up when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from pipeline import definitions
from pipeline.settings import Settings
from pipeline.store import hours, migrations, rows

from ..stored import START, asked, cell, put

HOUR_MS = 3_600_000
FIRST = START // HOUR_MS * HOUR_MS
SUMS = "SELECT toUnixTimestamp(hour) * 1000, sum(interactions) FROM touchpoint_sums GROUP BY hour ORDER BY hour"
KEPT = "SELECT count() FROM touchpoint_hours FINAL"


def counted(client: Client, at: int, interactions: int, partition: int = 0) -> None:
    put(client, rows.TOUCHPOINT_SCORES, cell(at, partition, 1, [], interactions))


def test_an_hour_is_due_until_it_is_summed_up_and_again_when_a_cell_changes(client: Client) -> None:
    counted(client, FIRST, 1)
    counted(client, FIRST + 900_000, 10, partition=1)
    counted(client, FIRST + HOUR_MS, 100)
    assert [each.hour * 1000 for each in hours.due(client)] == [FIRST + HOUR_MS, FIRST]
    expected = [(FIRST, 11), (FIRST + HOUR_MS, 100)]
    assert asked(client, SUMS) == expected
    hours.sum_up(client, hours.due(client, limit=1))
    assert [each.hour * 1000 for each in hours.due(client)] == [FIRST]
    assert asked(client, SUMS) == expected
    hours.sum_up(client, hours.due(client))
    assert (hours.due(client), asked(client, SUMS), asked(client, KEPT)) == ([], expected, [(2,)])
    counted(client, FIRST + 900_000, 5, partition=1)  # a cell is absolute, and may become less
    assert [each.hour * 1000 for each in hours.due(client)] == [FIRST]
    assert asked(client, SUMS) == [(FIRST, 6), (FIRST + HOUR_MS, 100)]
    hours.sum_up(client, hours.due(client))
    assert asked(client, SUMS) == [(FIRST, 6), (FIRST + HOUR_MS, 100)]


def test_what_is_summed_up_is_what_is_read(client: Client) -> None:
    """Else the tests above would say nothing of it."""
    counted(client, FIRST, 1)
    hours.sum_up(client, hours.due(client))
    client.command("ALTER TABLE touchpoint_hours UPDATE interactions = 7 WHERE 1", settings={"mutations_sync": 2})
    assert asked(client, SUMS) == [(FIRST, 7)]


def test_a_cell_that_changes_meanwhile_leaves_its_hour_due(client: Client) -> None:
    counted(client, FIRST, 1)
    found = hours.due(client)
    counted(client, FIRST, 2)
    hours.sum_up(client, found)
    assert asked(client, SUMS) == [(FIRST, 2)]
    assert [each.hour for each in hours.due(client)] == [each.hour for each in found]
    hours.sum_up(client, hours.due(client))
    hours.sum_up(client, found)  # somebody else was slower
    assert (hours.due(client), asked(client, SUMS)) == ([], [(FIRST, 2)])


def test_what_is_stored_twice_changes_nothing(client: Client) -> None:
    record = cell(FIRST, 0, 1, [], 3)
    put(client, rows.TOUCHPOINT_SCORES, record, at=50)
    hours.sum_up(client, hours.due(client))
    put(client, rows.TOUCHPOINT_SCORES, record, at=50)
    assert hours.due(client) == []


def test_hours_are_kept_by_each_definition(client: Client) -> None:
    counted(client, FIRST, 3)
    put(client, rows.TOUCHPOINT_SCORES, cell(FIRST, 0, 2, [], 4))
    hours.sum_up(client, hours.due(client))
    assert (hours.due(client), asked(client, SUMS)) == ([], [(FIRST, 3)])
    slow = hours.due(client, over_s=0)
    try:
        definitions.load(client, [definitions.Recorded(7, 2, 1, START)])
        assert ([each.definition for each in hours.due(client)], asked(client, SUMS)) == ([2], [(FIRST, 4)])
        hours.sum_up(client, hours.due(client))
        hours.sum_up(client, slow)
        assert (hours.due(client), asked(client, SUMS)) == ([], [(FIRST, 4)])
        definitions.load(client, [definitions.Recorded(8, 1, 2, START)])
        assert (hours.due(client), asked(client, SUMS)) == ([], [(FIRST, 3)])
        assert asked(client, KEPT) == [(2,)]
    finally:
        client.command("ALTER TABLE definitions DELETE WHERE number > 1", settings={"mutations_sync": 2})


def test_what_has_just_begun_is_left_to_queries(client: Client) -> None:
    (now,) = asked(client, "SELECT toUnixTimestamp(now())")[0]
    counted(client, now * 1000 // 900_000 * 900_000, 1)
    assert hours.due(client) == []
    assert len(hours.due(client, over_s=0)) == 1


def test_hours_of_another_clock_are_other_hours(client: Client) -> None:
    counted(client, FIRST, 1)
    counted(client, FIRST + 900_000, 10)  # in Kathmandu the next hour
    hours.sum_up(client, hours.due(client))
    migrations.migrate(client, Settings(time_zone="Asia/Kathmandu"))
    halves = [(FIRST - 2_700_000, 1), (FIRST + 900_000, 10)]
    assert asked(client, SUMS) == halves
    hours.sum_up(client, hours.due(client))
    assert (hours.due(client), asked(client, SUMS)) == ([], halves)


def test_a_query_reads_only_cells_that_are_not_summed_up(client: Client) -> None:
    client.command(
        f"""INSERT INTO touchpoint_scores
            (window_start, touchpoint, channel, partition, definition, interactions, version)
        SELECT fromUnixTimestamp64Milli(toInt64({FIRST} + intDiv(number, 1000) * {12 * HOUR_MS})), 'queue', 'phone',
            number % 1000, 1, 1, 1 FROM numbers(100000)"""
    )
    client.command("OPTIMIZE TABLE touchpoint_scores FINAL")
    while found := hours.due(client, limit=200):
        hours.sum_up(client, found)
    counted(client, FIRST + 30 * 24 * HOUR_MS, 5)
    plan = [row[0] for row in asked(client, "EXPLAIN indexes = 1 SELECT sum(interactions) FROM touchpoint_sums")]
    start = next(n for n, line in enumerate(plan) if f"ReadFromMergeTree ({client.database}.touchpoint_scores)" in line)
    granules = [line.split("Granules:")[1].split("/") for line in plan[start:] if "Granules:" in line and "/" in line]
    assert int(granules[-1][0]) * 3 < int(granules[0][1])


class Engine:
    """Fails as told, then answers that nothing is due."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.opened = self.closed = self.asked = 0
        self.answered = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def open(self) -> Any:
        self.opened += 1
        return self

    def query(self, *_: Any) -> Any:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        self.loop.call_soon_threadsafe(self.answered.set)
        return type("Result", (), {"result_rows": []})

    def close(self) -> None:
        self.closed += 1


async def test_it_waits_while_clickhouse_is_away_and_ends_when_told() -> None:
    engine, stop = Engine(OperationalError("away")), asyncio.Event()
    keeping = asyncio.create_task(hours.keep(engine.open, stop, pace_s=0.01))
    await asyncio.wait_for(engine.answered.wait(), 10)
    stop.set()
    await asyncio.wait_for(keeping, 10)
    assert (engine.opened, engine.closed) == (2, 2)


async def test_what_does_not_pass_ends_the_process() -> None:
    refused = DatabaseError("no such table")
    refused.code = 60
    with pytest.raises(DatabaseError):
        await asyncio.wait_for(hours.keep(Engine(refused).open, asyncio.Event(), pace_s=0.01), 10)
