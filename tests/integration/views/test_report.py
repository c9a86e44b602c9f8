"""The report over what is kept in ClickHouse: the newest of each kind, the dots of now, in whose words changes are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client

from pipeline.analyse import keeping, report, reporting
from pipeline.domain import digest
from pipeline.local.bi import bundle, datasets_analyses
from pipeline.serve import digest as weekly
from tests import reported

from .conftest import SHOP
from .test_map import Embedded


def test_it_draws_on_the_newest_of_each_kind(client: Client) -> None:
    client.command("TRUNCATE TABLE changes")
    older = replace(reported.drivers(), seed=9, rows=(), refused="Too few.")
    keeping.keep(client, older, reported.KEPT_AT_MS - 1)
    reported.keep_everything(client, reported.KEPT_AT_MS)
    asked = report.Asked(Path("x"))
    found = report.found(client, SHOP, asked, date(2026, 11, 27))
    wanted = reported.everything()
    assert found.results == wanted.results
    assert found.changed == wanted.changed
    assert found.dots == []
    later = report.found(client, SHOP, replace(asked, since=date(2026, 11, 10)), date(2026, 11, 27))
    assert set(later.others) == {"link"}
    assert "another time" in {part.id: part.missing for part in reporting.report(later).parts}["worth"]


def test_every_dataset_of_analyses_has_rows(client: Client) -> None:
    client.command("TRUNCATE TABLE changes")
    reported.keep_everything(client, reported.KEPT_AT_MS)
    for dataset in datasets_analyses.DATASETS:
        found = client.query(bundle.query(dataset))
        assert found.result_rows, dataset.name
        assert set(found.column_names) == {column.name for column in dataset.columns}


def test_the_digest_draws_on_the_newest_drivers(client: Client) -> None:
    week, now = digest.Week(2026, 47), 1_795_700_000_000

    def drivers() -> digest.Drivers | None:
        return asyncio.run(weekly.told(Embedded(client), SHOP, week, now, ZoneInfo("UTC"))).drivers

    assert drivers() is None
    keeping.keep(client, reported.drivers(), reported.KEPT_AT_MS)
    found = drivers()
    assert found is not None
    assert [each.touchpoint for each in found.drivers] == ["call_queue", "checkout", "site_search"]
    first = found.drivers[0]
    assert (first.share.value, first.n) == (0.41, 1_840)
    assert first.performance.low == pytest.approx(35.6)
    assert (found.since, found.until, found.refused) == (reported.SINCE, reported.UNTIL, "")
    refused = replace(reported.drivers(), seed=9, rows=(), refused="Too few.")
    keeping.keep(client, refused, reported.KEPT_AT_MS + 1)
    found = drivers()
    assert found is not None
    assert (list(found.drivers), found.refused) == ([], "Too few.")
