"""Readings, dots, changes and what pulls down; and the periods they are about."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.domain import blueprint, periods
from pipeline.domain.blueprint import Figures, Passage, Sums, changed, dot, reading
from pipeline.domain.catalogue import Thresholds
from pipeline.domain.intervals import Interval
from pipeline.domain.pulls import Evidence, pulls
from tests.serving import CATALOGUE

HOUR = 3_600_000
HIGH, LOW = Thresholds(green=80, yellow=60), Thresholds(green=1, yellow=3, measure="agents_missing")


def evidence(touchpoint: str, mean: float, n: int, earlier: bool = False, at: int = 0) -> Sums:
    """Pieces that are 10 apart from their mean, half of them to each side."""
    part = (n, n * mean, n * (mean * mean + 100))
    return Sums(touchpoint, at, earlier, 2 * n, [part, (0, 0.0, 0.0), (0, 0.0, 0.0)])


@pytest.mark.parametrize(
    ("limits", "low", "high", "colour"),
    [
        (HIGH, 80, 90, "green"),
        (HIGH, 79.9, 90, "grey"),
        (HIGH, 60, 79.9, "yellow"),
        (HIGH, 20, 59.9, "red"),
        (LOW, 0.1, 1, "green"),
        (LOW, 1.1, 3, "yellow"),
        (LOW, 3.1, 9, "red"),
        (LOW, 2, 9, "grey"),
        (HIGH, None, None, "grey"),
        (None, 80, 90, ""),
    ],
)
def test_a_dot_needs_its_whole_interval_on_one_side(
    limits: Thresholds | None, low: float | None, high: float | None, colour: str
) -> None:
    assert dot(limits, Interval(70, low, high)) == colour


def test_a_reading_is_of_the_period_and_compared_with_the_one_before() -> None:
    known = CATALOGUE.touchpoints["checkout"]
    sums = [evidence("checkout", 90, 40, at=5), evidence("checkout", 80, 40, at=7), evidence("checkout", 50, 80, True)]
    found = reading(known, sums, [5, 6, 7])
    assert (found.measure, found.figure.value, found.n, found.volume, found.dot) == ("score", 85, 80, 160, "green")
    assert found.trend == [90, None, 80]
    assert found.change is not None
    assert (found.change.by, found.change.better, found.change.beyond_chance) == (35, True, True)


def test_of_little_evidence_there_is_a_value_and_no_verdict() -> None:
    found = reading(CATALOGUE.touchpoints["checkout"], [evidence("checkout", 90, 29)], [])
    assert (found.figure, found.n, found.dot, found.change) == (Interval(90, None, None), 29, "grey", None)
    nothing = reading(CATALOGUE.touchpoints["checkout"], [], [1])
    assert (nothing.figure.value, nothing.n, nothing.dot, nothing.trend) == (None, 0, "grey", [None])


def test_what_is_hidden_is_read_from_observations_and_less_may_be_better() -> None:
    known = CATALOGUE.touchpoints["shift_planning"]
    observed = [Sums(known.id, 1, False, 4, [(4, 16.0, 64.04)]), Sums(known.id, 0, True, 4, [(4, 20.0, 100.04)])]
    found = reading(known, observed, [1])
    assert (found.measure, found.figure.value, found.n, found.dot) == ("agents_missing", 4, 4, "red")
    assert found.change is not None
    assert (found.change.by, found.change.better, found.change.beyond_chance) == (-1, True, True)


def test_a_change_within_both_intervals_is_chance() -> None:
    assert changed(Interval(50, 45, 55), Interval(56, 51, 61)) == blueprint.Change(-6, False, False)
    assert changed(Interval(50, 45, 55), Interval(58, 53, 63)) == blueprint.Change(-8, True, False)
    assert changed(Interval(50, None, None), Interval(90, 80, 95)) == blueprint.Change(-40, False, False)
    assert changed(Interval(None, None, None), Interval(58, 53, 63)) is None
    # Near the end of the scale the interval is cut there: its other half counts.
    assert changed(Interval(99, 93, 100), Interval(94, 90, 98)) == blueprint.Change(5, False, True)


def test_a_blueprint_has_every_touchpoint_of_a_step_in_its_layer_and_every_way() -> None:
    journey = CATALOGUE.journeys["buy"]
    ways = {("buy", "find", ""): Passage(10, 20, 6, 60.0), ("buy", "find", "choose"): Passage(10, 20, 6, 60.0)}
    made = blueprint.blueprint(journey, CATALOGUE.touchpoints, Figures(ways=ways, alerts={"chat": 2}))
    for step, stage in zip(journey.steps, made.stages, strict=True):
        nodes = [node.touchpoint for nodes in stage.rows.values() for node in nodes]
        assert sorted(each.id for each in nodes) == sorted(step.touchpoints)
        assert all(node.touchpoint.layer == layer for layer, nodes in stage.rows.items() for node in nodes)
    assert [(way.start, way.to) for way in made.ways] == [(0, 1), (1, 0), (1, 2), (2, 3), (3, 4)]
    assert made.stages[0].passage == Passage(10, 20, 6, 60.0)
    assert made.stages[0].passage.dropped_off == 4
    assert made.stages[0].before is None
    assert made.stages[1].passage == Passage()  # counted, and nobody was there
    assert [node.alerts for node in made.stages[1].rows["frontstage"]] == [0, 2]


def test_pulls_share_out_what_is_lacking() -> None:
    found = pulls(
        [
            Evidence("web", "ease", "observed", 10, 500.0),
            Evidence("web", "emotion", "asked", 5, 250.0),
            Evidence("phone", "ease", "asked", 5, 500.0),
            Evidence("phone", "emotion", "asked", 0, 0.0),
        ]
    )
    assert [(each.evidence.dimension, each.mean, round(each.share, 4)) for each in found] == [
        ("ease", 50, 0.6667),
        ("emotion", 50, 0.3333),
    ]
    assert pulls([Evidence("web", "ease", "asked", 3, 300.0)]) == []
    assert len(pulls([Evidence("web", f"d{n}", "asked", 1, 0.0) for n in range(9)])) == 5


def test_the_period_before_is_as_long_and_ends_at_the_same_hour() -> None:
    now = round(datetime(2026, 11, 27, 10, 30, tzinfo=UTC).timestamp() * 1000)
    today = periods.window("today", now, UTC)
    assert (now - today.since, now - today.earlier_until, today.since - today.earlier_since) == (
        10.5 * HOUR,
        24 * HOUR,
        24 * HOUR,
    )
    month = periods.window("30", now, UTC)
    assert (now - month.since) / HOUR == 29 * 24 + 10.5
    assert (now - month.earlier_until, month.since - month.earlier_since) == (30 * 24 * HOUR, 30 * 24 * HOUR)
    with pytest.raises(KeyError):
        periods.window("365", now, UTC)


def test_days_are_those_of_the_businesss_clock_also_where_it_is_changed() -> None:
    zone = ZoneInfo("Europe/Berlin")  # summer time ended on 25 October 2026
    now = round(datetime(2026, 10, 26, 9, tzinfo=zone).timestamp() * 1000)
    week = periods.window("7", now, zone)
    assert datetime.fromtimestamp(week.since / 1000, zone) == datetime(2026, 10, 20, tzinfo=zone)
    assert (week.until - week.since) / HOUR == 6 * 24 + 9 + 1


def test_an_iso_week_begins_on_monday() -> None:
    found = periods.week(2026, 48, UTC)
    assert datetime.fromtimestamp(found.since / 1000, UTC) == datetime(2026, 11, 23, tzinfo=UTC)
    assert (found.until - found.since, found.since - found.earlier_since) == (7 * 24 * HOUR, 7 * 24 * HOUR)
    assert found.earlier_until == found.since
    with pytest.raises(ValueError, match="week"):
        periods.week(2026, 54, UTC)
