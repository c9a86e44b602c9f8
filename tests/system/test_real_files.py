"""Three real files through the whole product, each imported twice, held against the files themselves.

The project does not ship them: THROUGHLINE_REAL_DATA names their folder, and without it these tests are skipped.
"""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from tests.examples import whole
from tests.system.product import Product, eventually

FOLDER = os.environ.get("THROUGHLINE_REAL_DATA", "")
FILES = {
    "bank-calls": ("bank_calls_1999_02.txt", "bank", 33_344 if whole() else 6_000),
    "web-sessions": ("web_sessions_2015.txt", "travel-site", 7_756),
    "cdnow": ("cdnow_purchases.txt", "cdnow", 6_919),
}
HEADINGS = {"bank-calls": 1, "web-sessions": 1, "cdnow": 0}  # lines
CALLER = "7191646"
IMPORTED_S_MAX = 120.0

pytestmark = [
    pytest.mark.sized,
    pytest.mark.skipif(
        not FOLDER, reason="NOT TESTED: real files. THROUGHLINE_REAL_DATA must name the folder that holds them."
    ),
]


def lines(kind: str) -> list[str]:
    """The file's heading and as many rows as are looked at: all of the caller's, and the first of the others."""
    name, _, count = FILES[kind]
    told = (Path(FOLDER) / name).read_text().splitlines()
    heading, rows = told[: HEADINGS[kind]], told[HEADINGS[kind] :]
    theirs = [f"\t{CALLER}\t" in row for row in rows]
    others = accumulate(not each for each in theirs)
    room = count - sum(theirs)
    return heading + [row for row, mine, n in zip(rows, theirs, others, strict=True) if mine or n <= room]


@pytest.fixture(scope="module")
def imported(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The product with all three files, imported twice."""
    folder = tmp_path_factory.mktemp("files")
    for kind, (name, _, rows) in [*FILES.items(), *FILES.items()]:
        (folder / name).write_text("\n".join(lines(kind)) + "\n")
        done = product.command("import", kind, str(folder / name))
        assert done.returncode == 0, done.stderr
        assert f"{rows:,} rows imported" in done.stderr
    eventually(lambda: counted(product) == {source: rows for _, source, rows in FILES.values()}, IMPORTED_S_MAX)
    eventually(product.nothing_waits, IMPORTED_S_MAX)
    return product


def counted(product: Product) -> dict[str, int]:
    """Interactions in ClickHouse by source."""
    sources = ", ".join(f"'{source}'" for _, source, _ in FILES.values())
    rows = product.sql(
        f"SELECT source, count() AS n FROM interactions FINAL WHERE source IN ({sources}) GROUP BY source"
    )
    return {row["source"]: int(row["n"]) for row in rows}


def timeline(product: Product, person: str, limit: int) -> list[dict[str, Any]]:
    """The whole timeline, page by page."""
    entries: list[dict[str, Any]] = []
    before = ""
    for _ in range(50):
        path = f"/v1/customers/{person}/timeline?limit={limit}{f'&before={before}' if before else ''}"
        answer = product.ask("GET", path, key="read", headers={"Throughline-Purpose": "test"})
        assert answer.status == 200, answer
        entries += answer.json["timeline"]
        before = answer.json["next"]
        if before is None:
            return entries
    raise AssertionError("the timeline does not end")


def test_every_row_is_one_interaction_however_often_it_is_imported(imported: Product) -> None:
    assert counted(imported) == {source: rows for _, source, rows in FILES.values()}


def test_the_callers_timeline_is_the_files_rows_in_order(imported: Product) -> None:
    calls = []
    for line in lines("bank-calls")[1:]:
        row = line.split("\t")
        if row[2] == CALLER:
            h, m, s = map(int, row[6].split(":"))
            entered = datetime.strptime(row[5], "%y%m%d").replace(tzinfo=UTC) + timedelta(hours=h, minutes=m, seconds=s)
            at = entered - timedelta(hours=2)  # Israel's winter time
            calls.append((f"{at:%Y-%m-%dT%H:%M:%S}.000Z", row[0], row[1], row[12], float(row[11])))
    calls.sort()
    assert len(calls) == 170
    entries = timeline(imported, f"customer:{CALLER}", limit=60)
    assert [
        (
            each["occurred_at"],
            each["properties"]["line"],
            each["properties"]["call_id"],
            each["details"]["outcome"],
            each["measures"].get("wait_s", 0.0),
        )
        for each in reversed(entries)
    ] == calls
    context = imported.context("customer", CALLER)
    assert context["profile"]["id"] == f"customer:{CALLER}"
    assert len(context["timeline"]) == 170


def test_a_visitor_with_several_devices_is_one_person_with_all_visits(imported: Product) -> None:
    visits: dict[str, set[str]] = defaultdict(set)
    devices: dict[str, set[str]] = defaultdict(set)
    for line in lines("web-sessions")[1:]:
        row = line.split("|")
        visits[row[0]].add(row[1])
        devices[row[0]].add(row[4].split(" - ")[0])
    several = sorted((visitor for visitor in visits if len(devices[visitor]) > 1), key=lambda each: -len(visits[each]))
    assert len(several) > 50
    assert len(visits[several[0]]) > 200, "none of them is longer than a view"
    for visitor in several[:5]:
        entries = timeline(imported, f"anonymous:{visitor}", limit=200)
        assert {each["event_id"] for each in entries} == visits[visitor]
        assert len(entries) == len(visits[visitor])
        assert {each["properties"]["device"] for each in entries} == devices[visitor]
        assert {each["identifier"] for each in entries} == {f"anonymous:{visitor}"}
        context = imported.context("anonymous", visitor)
        assert (context["match"], context["profile"]["id"]) == ("one", f"anonymous:{visitor}")


def test_figures_add_up_to_the_files(imported: Product) -> None:
    calls = [line.split("\t") for line in lines("bank-calls")[1:]]
    real = [row for row in calls if row[12] != "PHANTOM"]
    [sums] = imported.sql(
        "SELECT sum(measures['wait_s']) AS wait_s, sum(measures['handle_s']) AS handle_s, "
        "uniqExact(person) AS persons, countIf(details['outcome'] = 'HANG') AS hung_up "
        "FROM interactions_by_person WHERE source = 'bank'"
    )
    assert sums["wait_s"] == sum(int(row[11]) for row in real)
    assert sums["handle_s"] == sum(int(row[15]) for row in real)
    assert int(sums["hung_up"]) == sum(row[12] == "HANG" for row in calls)
    known = {row[2] for row in calls if row[2] != "0" and "E" not in row[2]}
    unknown = sum(row[2] == "0" or "E" in row[2] for row in calls)  # some ids were rounded by a spreadsheet
    assert int(sums["persons"]) == len(known) + unknown

    purchases = [line.split() for line in lines("cdnow")]
    [bought] = imported.sql(
        "SELECT round(sum(measures['amount']), 2) AS dollars, sum(measures['items']) AS items, "
        "uniqExact(person) AS persons FROM interactions_by_person WHERE source = 'cdnow'"
    )
    assert bought["dollars"] == round(sum(float(row[4]) for row in purchases), 2)
    assert int(bought["persons"]) == 2_357
    assert bought["items"] == sum(int(row[3]) for row in purchases)
