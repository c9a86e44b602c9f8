"""A bank's calls through the whole product with the bank's own catalogue: its queue figures, and who had to call again.

Each is held against a few lines over the file itself. Phantoms (a line was counted, and nobody was there) are no calls:
they are on the timeline, and in no figure. The project does not ship the file: THROUGHLINE_REAL_DATA names its folder.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.examples import whole
from tests.system.product import Product, eventually, running

FOLDER = os.environ.get("THROUGHLINE_REAL_DATA", "")
CATALOGUE = Path(__file__).resolve().parents[2] / "schemas" / "catalogue" / "bank"
WITHIN_S = 20
CALLS = 33_344 if whole() else 8_000  # the file's first rows
STORED_S_MAX = 120.0

pytestmark = [
    pytest.mark.sized,
    pytest.mark.skipif(
        not FOLDER, reason="NOT TESTED: the bank's calls. THROUGHLINE_REAL_DATA must name the folder that holds them."
    ),
]


def lines() -> list[str]:
    """The file's heading and as many rows as are looked at."""
    return (Path(FOLDER) / "bank_calls_1999_02.txt").read_text().splitlines()[: CALLS + 1]


@pytest.fixture(scope="module")
def calls() -> list[dict[str, str]]:
    """The file's rows."""
    heading, *rows = lines()
    return [dict(zip(heading.split("\t"), row.split("\t"), strict=True)) for row in rows]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A stack of its own, since the catalogue is the bank's."""
    file = tmp_path_factory.mktemp("calls") / "calls.txt"
    file.write_text("\n".join(lines()) + "\n")
    with running(tmp_path_factory.mktemp("bank"), CATALOGUE=str(CATALOGUE)) as product:
        done = product.command("import", "bank-calls", str(file))
        assert done.returncode == 0, done.stderr
        stored = "SELECT count() AS n FROM interactions FINAL"
        eventually(lambda: int(product.sql(stored)[0]["n"]) == CALLS, STORED_S_MAX)
        eventually(product.nothing_waits, STORED_S_MAX)  # figures have tables of their own
        yield product


def phantoms(calls: list[dict[str, str]]) -> int:
    return sum(call["outcome"] == "PHANTOM" for call in calls)


def figures(calls: list[dict[str, str]]) -> dict[str, float]:
    """Offered are AGENT and HANG; speed of answer and handle time are the mean queue and service time of AGENT."""
    answered = [int(call["q_time"]) for call in calls if call["outcome"] == "AGENT"]
    hung_up = [int(call["q_time"]) for call in calls if call["outcome"] == "HANG"]
    offered = len(answered) + len(hung_up)
    soon, gone = sum(wait <= WITHIN_S for wait in answered), sum(wait <= WITHIN_S for wait in hung_up)
    return {
        "all_offered": offered,
        "abandonment": len(hung_up) / offered,
        "answer_speed_s": fmean(answered),
        "handle_time_s": fmean(int(call["ser_time"]) for call in calls if call["outcome"] == "AGENT"),
        "service_level_offered": soon / offered,
        "service_level_net": soon / (offered - gone),
    }


SUMMED = """sum(offered) AS all_offered, sum(abandoned) / all_offered AS abandonment,
    sum(wait_sum_s) / sum(waits) AS answer_speed_s, sum(handle_sum_s) / sum(handles) AS handle_time_s,
    sum(answered_within) / all_offered AS service_level_offered,
    sum(answered_within) / (all_offered - sum(abandoned_within)) AS service_level_net"""


def shown(row: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in row.items() if name != "queue"}


def test_queue_figures_are_those_of_the_file(bank: Product, calls: list[dict[str, str]]) -> None:
    [found] = bank.sql(f"SELECT {SUMMED} FROM queue_intervals")
    assert shown(found) == pytest.approx(figures(calls))
    assert int(found["all_offered"]) == len(calls) - phantoms(calls)


def test_each_queue_has_its_own(bank: Product, calls: list[dict[str, str]]) -> None:
    queues: dict[str, list[dict[str, str]]] = defaultdict(list)
    for call in calls:
        queues[call["type"]].append(call)
    found = bank.sql(f"SELECT queue, {SUMMED} FROM queue_intervals GROUP BY queue")
    assert {row["queue"] for row in found} == set(queues)
    for row in found:
        assert shown(row) == pytest.approx(figures(queues[row["queue"]])), row["queue"]


def test_intervals_are_quarters_of_the_banks_own_clock(bank: Product, calls: list[dict[str, str]]) -> None:
    expected: dict[str, int] = defaultdict(int)
    for call in calls:
        if call["outcome"] != "PHANTOM":
            h, m, _ = map(int, call["vru_entry"].split(":"))
            expected[f"{datetime.strptime(call['date'], '%y%m%d'):%Y-%m-%d} {h:02}:{m // 15 * 15:02}:00"] += 1
    found = bank.sql("SELECT toString(interval_start) AS at, sum(offered) AS n FROM queue_intervals GROUP BY at")
    assert {row["at"]: int(row["n"]) for row in found} == dict(expected)


def test_who_had_to_call_again_is_found(bank: Product, calls: list[dict[str, str]]) -> None:
    """The same customer about the same service within seven days of the call before."""
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    unknown = 0
    for call in calls:
        if call["outcome"] == "PHANTOM":
            continue
        if call["customer_id"] == "0" or "E" in call["customer_id"]:
            unknown += 1  # each is a visitor of its own
            continue
        h, m, s = map(int, call["vru_entry"].split(":"))
        entered = datetime.strptime(call["date"], "%y%m%d") + timedelta(hours=h, minutes=m, seconds=s)
        times[call["customer_id"], call["type"]].append(entered)
    repeats = first = 0
    for of in times.values():
        again = [later - earlier <= timedelta(days=7) for earlier, later in pairwise(sorted(of))]
        repeats += sum(again)
        first += sum(not before and not after for before, after in pairwise([False, *again, False]))
    [found] = bank.sql(
        "SELECT count() AS contacts, countIf(repeat) AS repeats, countIf(repeated) AS repeated, "
        "countIf(first_contact_resolved) AS resolved, count(first_contact_resolved) AS first FROM contacts_resolved"
    )
    assert int(found["contacts"]) == len(calls) - phantoms(calls)
    assert (int(found["repeats"]), int(found["repeated"])) == (repeats, repeats)
    assert int(found["resolved"]) == first + unknown
    assert int(found["first"]) == len(calls) - phantoms(calls) - repeats


def test_phantoms_are_on_the_timeline_and_in_no_figure(bank: Product, calls: list[dict[str, str]]) -> None:
    [found] = bank.sql(
        "SELECT countIf(details['outcome'] = 'PHANTOM') AS phantoms, "
        "countIf(details['outcome'] = 'PHANTOM' AND (contact != '' OR ease IS NOT NULL)) AS counted "
        "FROM interactions FINAL"
    )
    assert (int(found["phantoms"]), int(found["counted"])) == (phantoms(calls), 0)
    assert phantoms(calls) == 278 or not whole()
    assert phantoms(calls) > 0
