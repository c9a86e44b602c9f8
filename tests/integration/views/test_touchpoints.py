"""How touchpoints are doing, in ClickHouse: dots and their reasons, control charts, and how far apart units are.

On the real engine, embedded in this process, against `pipeline.domain.intervals` over the evidence itself.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain import intervals
from pipeline.domain.catalogue import Catalogue
from pipeline.domain.intervals import Z95, Z998
from pipeline.domain.scoring import DIMENSIONS, MARKS
from pipeline.store import rows, writer
from tests.examples import examples

from ...unit.store.records import entry
from ..stored import asked, offsets, put
from .conftest import SHOP, empty

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
Load = Callable[[Catalogue], None]
Values = dict[str, list[float]]  # dimension → evidence


def now_ms() -> int:
    return int(time.time() * 1000)


def limits(**changes: Any) -> Catalogue:
    """The shop's catalogue with other thresholds of the call queue."""
    queue = SHOP.touchpoints["call_queue"]
    assert queue.thresholds is not None
    n_min = changes.pop("n_min", queue.n_min)
    other = msgspec.structs.replace(queue, thresholds=msgspec.structs.replace(queue.thresholds, **changes), n_min=n_min)
    return replace(SHOP, touchpoints={**SHOP.touchpoints, "call_queue": other})


def cell(at: int, evidence: Values, touchpoint: str = "call_queue", partition: int = 0) -> dict[str, Any]:
    record: dict[str, Any] = {
        "window_start": at - at % 900_000,
        "touchpoint": touchpoint,
        "channel": "phone",
        "partition": partition,
        "definition": 1,
        "interactions": 1,
        **dict.fromkeys(MARKS, 0),
    }
    for d in DIMENSIONS:
        values = evidence.get(d, [])
        for kind, of in (("asked", values[::2]), ("observed", values[1::2])):
            sums = (len(of), float(sum(of)), float(sum(x * x for x in of)))
            record |= {f"{d}_{kind}_{what}": each for what, each in zip(("n", "sum", "sum2"), sums, strict=True)}
    return record


def observe(client: Client, touchpoint: str, measure: str, *values: float, ago_s: int = 60) -> None:
    columns = ["source", "observation_id", "touchpoint", "observed_at", "kind", "measure", "value", "note"]
    at = now_ms() - ago_s * 1000
    found = [["desk", str(next(offsets)), touchpoint, at, "staff", measure, value, ""] for value in values]
    client.insert(
        "observations",
        [[*row, at, next(offsets)] for row in found],
        [*columns, "received_at", "version"],
        settings=writer.INSERT_SETTINGS,
    )


def dot(client: Client, touchpoint: str = "call_queue") -> dict[str, Any]:
    sql = "SELECT * FROM touchpoint_dots WHERE touchpoint = {touchpoint:String}"
    (found,) = client.query(sql, parameters={"touchpoint": touchpoint}).named_results()
    return dict(found)


def colour(x: float, green: float, yellow: float) -> str:
    if green > yellow:
        return "green" if x >= green else "yellow" if x >= yellow else "red"
    return "green" if x <= green else "yellow" if x <= yellow else "red"


some = st.lists(st.sampled_from([0.0, 50.0, 80.0, 90.0, 100.0]), max_size=8)
blocks = st.lists(
    st.tuples(st.integers(0, 30 * 60), st.fixed_dictionaries(dict.fromkeys(DIMENSIONS, some)), st.integers(0, 2)),
    max_size=12,
)


@settings(max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks, st.integers(1, 12), st.sampled_from([1, 24]), st.integers(1, 4))
def test_a_dot_is_what_the_evidence_of_its_hours_says(
    client: Client, load: Load, given_: Sequence[tuple[int, Values, int]], n_min: int, within_h: int, copies: int
) -> None:
    empty(client)
    load(limits(n_min=n_min, hours=within_h, green=80, yellow=60))
    now = now_ms()
    since = (now - within_h * HOUR) // HOUR * HOUR + HOUR
    cells: dict[tuple[int, int], Values] = {}
    for minutes, evidence, partition in given_:
        quarter = (now - minutes * MINUTE) // 900_000 * 900_000
        known = cells.setdefault((quarter, partition), {})
        for d in DIMENSIONS:
            known.setdefault(d, []).extend(evidence[d] * copies)
    put(client, rows.TOUCHPOINT_SCORES, *(cell(at, known, partition=p) for (at, p), known in cells.items()))
    sums = []
    for d in DIMENSIONS:
        values = [x for (at, _), known in cells.items() if at >= since for x in known[d]]
        sums.append((len(values), sum(values), sum(x * x for x in values)))
    figure, n = intervals.score(sums, n_min)
    found = dot(client)
    if now_ms() // HOUR != now // HOUR:
        return  # an hour has just ended
    assert found["n"] == n
    for name, value in zip(("value", "low", "high"), figure, strict=True):
        assert found[name] == (None if value is None else pytest.approx(value, abs=1e-5)), name
    if figure.low is None or figure.high is None:
        assert found["dot"] == "grey"
        assert found["reason"].endswith("needed") or found["reason"].startswith("no evidence")
    else:
        near = min(abs(x - limit) for x in (figure.low, figure.high) for limit in (60, 80))
        ends = {colour(figure.low, 80, 60), colour(figure.high, 80, 60)}
        if near > 1e-6:
            assert found["dot"] == (ends.pop() if len(ends) == 1 else "grey")


@pytest.mark.parametrize(
    ("evidence", "changes", "colour_", "reason"),
    [
        ({}, {}, "grey", "no evidence in the last 7 days"),
        ({"ease": [90] * 12}, {"hours": 24}, "grey", "12 pieces of evidence in the last 24 hours, and 30 are needed"),
        ({"ease": [90]}, {"hours": 1}, "grey", "1 piece of evidence in the last hour, and 30 are needed"),
        (
            {"ease": [90] * 12, "emotion": [90] * 29},
            {},
            "grey",
            "no dimension has more than 29 pieces of evidence in the last 7 days, and 30 are needed",
        ),
        (
            {"ease": [70, 100] * 1000},
            {},
            "green",
            "score 85 from 2,000 pieces of evidence, between 84.3 and 85.6 (95 %): green from 75, yellow from 55",
        ),
        (
            {"ease": [60, 90] * 50},
            {},
            "grey",
            "score 75 from 100 pieces of evidence, but it may be anything between 72 and 77.9 (95 %), green or yellow: "
            "green from 75, yellow from 55",
        ),
        (
            {"ease": [0, 100] * 15},
            {"green": 60, "yellow": 55.5},
            "grey",
            "score 50 from 30 pieces of evidence, but it may be anything between 31.8 and 68.19 (95 %), "
            "from red to green: green from 60, yellow from 55.5",
        ),
        (
            {"ease": [40, 50] * 20},
            {},
            "red",
            "score 45 from 40 pieces of evidence, between 43.4 and 46.5 (95 %): green from 75, yellow from 55",
        ),
    ],
)
def test_a_dot_says_why_in_words(
    client: Client, load: Load, evidence: Values, changes: dict[str, Any], colour_: str, reason: str
) -> None:
    load(limits(**changes))
    if evidence:
        put(client, rows.TOUCHPOINT_SCORES, cell(now_ms(), evidence))
    found = dot(client)
    assert (found["dot"], found["reason"]) == (colour_, reason)


def test_what_is_behind_the_line_of_visibility_gets_its_dot_from_observations(client: Client) -> None:
    assert dot(client, "shift_planning")["reason"] == "no evidence of agents missing in the last 24 hours"
    observe(client, "shift_planning", "agents_missing", 0, 1)
    observe(client, "shift_planning", "agents_missing", 50, ago_s=26 * 3600)  # too long ago
    observe(client, "shift_planning", "mood", 50, 50, 50)  # something else
    found = dot(client, "shift_planning")
    assert (found["dot"], found["n"]) == ("grey", 2)
    assert found["reason"] == "2 pieces of evidence in the last 24 hours, and 3 are needed"
    observe(client, "shift_planning", "agents_missing", 5, 6, 5, 6, 5, 6)
    found, values = dot(client, "shift_planning"), [0, 1, 5, 6, 5, 6, 5, 6]
    low, high = intervals.mean_of_few(8, sum(values), sum(x * x for x in values))[1:]
    assert (found["value"], found["low"], found["high"]) == pytest.approx((fmean(values), low, high))
    assert found["dot"] == "grey"
    assert found["reason"] == (
        "agents missing 4.25 from 8 pieces of evidence, but it may be anything between 2.27 and 6.24 (95 %), "
        "red or yellow: green up to 1, yellow up to 3"
    )
    observe(client, "payment_service", "availability", *[99.96] * 11, 99.95)
    found = dot(client, "payment_service")
    assert found["dot"] == "green"
    assert found["reason"] == (
        "availability 99.959 from 12 pieces of evidence, between 99.957 and 99.961 (95 %): "
        "green from 99.9, yellow from 99"
    )
    observe(client, "payment_service", "availability", *[99.84] * 12)
    assert dot(client, "payment_service")["dot"] == "grey"
    observe(client, "payment_service", "availability", *[80.0] * 40)
    assert dot(client, "payment_service")["dot"] == "red"


def test_only_touchpoints_with_thresholds_have_a_dot(client: Client) -> None:
    found = {row[0] for row in asked(client, "SELECT touchpoint FROM touchpoint_dots")}
    assert found == {each.id for each in SHOP.touchpoints.values() if each.thresholds is not None}


def test_control_charts_are_moving_averages_of_daily_means(client: Client, load: Load) -> None:
    load(limits(n_min=3))
    chance, today = random.Random(7), now_ms() // DAY * DAY
    truth: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for ago in range(40, -1, -1):
        evidence: Values = {}
        for d, base in (("ease", 70), ("emotion", 50 if ago > 8 else 20)):
            # Some days have too little of it: they are left out. Today is not over.
            evidence[d] = [base + chance.uniform(-10, 10) for _ in range(chance.choice([2, 20, 40, 60]))]
            if ago and len(evidence[d]) >= 3:
                truth[d].append((fmean(evidence[d]), len(evidence[d])))
        put(client, rows.TOUCHPOINT_SCORES, cell(today - ago * DAY + HOUR, evidence))
    sql = "SELECT dimension, mean, n, ewma, low, high, broken FROM touchpoint_control ORDER BY dimension, day"
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for dimension, *rest in asked(client, sql):
        found[dimension].append(tuple(rest))
    assert set(found) == {"ease", "emotion"}
    for dimension, of in truth.items():
        steps = intervals.ewma([mean for mean, _ in of], 14, spread_min=0.5)
        assert len(found[dimension]) == len(steps) > 10
        for (mean, n), step, row in zip(of[14:], steps, found[dimension], strict=True):
            assert row == (pytest.approx(mean), n, *map(pytest.approx, step), step.broken)
    assert not found["emotion"][0][-1]
    assert found["emotion"][-1][-1]


def test_a_chart_needs_more_than_its_base(client: Client, load: Load) -> None:
    load(limits(n_min=3))
    today = now_ms() // DAY * DAY
    put(client, rows.TOUCHPOINT_SCORES, *(cell(today - ago * DAY, {"ease": [50] * 5}) for ago in range(1, 15)))
    assert asked(client, "SELECT * FROM touchpoint_control") == []
    put(client, rows.TOUCHPOINT_SCORES, cell(today - 15 * DAY, {"ease": [50] * 5}))
    assert asked(client, "SELECT ewma, low < 50, high > 50 FROM touchpoint_control") == [(50, 1, 1)]


def test_units_lie_within_their_funnel_or_not(client: Client) -> None:
    chance, now = random.Random(3), now_ms()
    experiences: dict[tuple[str, str], list[float]] = defaultdict(list)
    records = []
    for store, n, base in (("north", 40, 85), ("south", 400, 80), ("west", 60, 70), ("kiosk", 5, 0), ("east", 35, 20)):
        for i in range(n):
            ease, emotion = chance.uniform(base, base + 15), chance.choice([None, 60.0])
            values = [x for x in (ease, emotion) if x is not None]
            experiences["store", store].append(fmean(values))
            experiences["staff", f"p{i % 2}"].append(fmean(values))
            at = now - chance.randrange(27 * DAY)
            records.append(
                entry(
                    identifier=f"customer:{store}{i}",
                    links=[],
                    touchpoint="store_counter",
                    channel="in_store",
                    details={"store": store, "staff": f"p{i % 2}"},
                    evidence={"effectiveness": None, "ease": ease, "emotion": emotion},
                    **dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), at),
                )
            )
    old = now - 29 * DAY
    records.append(records[0] | {"event_id": "old", "occurred_at": old, "occurred_at_sent": old})
    put(client, rows.INTERACTIONS, *records)
    found = {
        (row["kind"], row["unit"]): row for row in client.query("SELECT * FROM touchpoint_consistency").named_results()
    }
    assert set(found) == set(experiences)
    for (kind, unit), scores in experiences.items():
        all_ = [x for (other, _), of in experiences.items() if other == kind for x in of]
        row = found[kind, unit]
        assert (row["n"], row["overall_n"]) == (len(scores), len(all_))
        assert (row["mean"], row["overall"]) == pytest.approx((fmean(scores), fmean(all_)))
        wide = intervals.funnel(fmean(all_), stdev(all_), len(scores), Z998)
        narrow = intervals.funnel(fmean(all_), stdev(all_), len(scores), Z95)
        assert (row["low_95"], row["high_95"], row["low_998"], row["high_998"]) == pytest.approx((*narrow, *wide))
    lies = {unit: row["where_it_lies"] for (kind, unit), row in found.items() if kind == "store"}
    assert (lies["south"], lies["kiosk"], lies["east"]) == ("far above", "too few to say", "far below")
    assert {row["where_it_lies"] for (kind, _), row in found.items() if kind == "staff"} == {"within"}
