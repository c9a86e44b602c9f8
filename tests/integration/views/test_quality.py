"""Views that reports are made of: sums of evidence give figures back; what was rejected; how late things came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from pipeline.store import rows

from ..stored import asked, cell, put

NOW = datetime.now(UTC).replace(microsecond=0)


def test_sums_of_evidence_make_the_mean_and_the_interval_of_any_grouping(client: Client) -> None:
    start = int((NOW - timedelta(days=2)).timestamp()) // 900 * 900_000
    put(client, rows.TOUCHPOINT_SCORES, cell(start, 0, 1, [10, 60], 2), cell(start, 1, 1, [80.0], 5))
    put(client, rows.TOUCHPOINT_SCORES, cell(start - 3_600_000, 0, 1, [0.0], 1))
    [(kind, n, mean, margin)] = asked(
        client,
        """SELECT any(kind), sum(n) AS pieces, sum(total) / pieces,
            1.959963984540054 * sqrt((sum(squares) - sum(total) * sum(total) / pieces) / (pieces - 1) / pieces)
        FROM evidence_daily WHERE dimension = 'ease'""",
    )
    values = [10, 60, 80, 0]
    spread = sum((value - 37.5) ** 2 for value in values) / 3
    assert (kind, n, mean) == ("asked", 4, 37.5)
    assert margin == pytest.approx(1.959963984540054 * (spread / 4) ** 0.5)
    assert asked(client, "SELECT DISTINCT dimension FROM evidence_daily") == [("ease",)]
    difference = """SELECT count() FROM touchpoint_daily AS d
        INNER JOIN evidence_daily AS e ON e.day = d.day AND e.touchpoint = d.touchpoint AND e.channel = d.channel
        WHERE e.n != d.ease_asked_n OR abs(e.total / e.n - d.ease_asked_mean) > 1e-9"""
    assert asked(client, difference) == [(0,)]


def test_what_was_rejected_is_there_once_and_without_bytes(client: Client) -> None:
    client.command("TRUNCATE TABLE rejected")
    columns = ["id", "topic", "partition", "offset", "time", "reason", "detail", "key_bytes", "value_bytes", "version"]
    row = ["interactions.web/1/7", "interactions.web", 1, 7, NOW, "unreadable", "no schema", 3, 12, 1]
    for version in (1, 2):
        client.insert("rejected", [[*row[:-1], version]], column_names=columns)
    found = asked(client, "SELECT rejected_at, day, reason, detail, topic, partition, offset, bytes FROM rejections")
    client.command("TRUNCATE TABLE rejected")
    assert found == [(NOW.replace(tzinfo=found[0][0].tzinfo), NOW.date(), "unreadable", "no schema", *row[1:4], 12)]


def test_how_late_things_came(client: Client) -> None:
    columns = ["identifier", "source", "event_id", "channel", "occurred_day", "occurred_at", "occurred_at_sent"]
    columns += ["received_at", "version"]

    def row(event: str, ago: timedelta, late_s: int) -> list[object]:
        at = NOW.replace(minute=0, second=0) - ago
        return ["customer:1", "app", event, "mobile", at.date(), at, at, at + timedelta(seconds=late_s), 1]

    happened = [row(str(late), timedelta(hours=5), late) for late in (1, 3, 600)]
    client.insert("interactions", [*happened, happened[0], row("old", timedelta(days=20), 5)], column_names=columns)
    client.insert("interactions", [row("early", timedelta(hours=9), -30)], column_names=columns)
    found = asked(client, "SELECT interactions, delay_median_s, delay_95_s FROM arrivals ORDER BY hour")
    assert found[0] == (1, 0, 0)  # a clock that is ahead is no delay
    assert found[1][:2] == (3, 3)
    assert 3 < found[1][2] <= 600
    assert len(found) == 2
