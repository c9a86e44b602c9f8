"""Known effects of changes are found, none where there is none; what moves all touchpoints is no effect."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from pipeline.analyse.before_after import (
    Changed,
    Compared,
    Difference,
    Evidence,
    How,
    against,
    compared,
    difference,
    side,
)
from pipeline.domain import intervals

START = date(2026, 1, 1)
DAYS = 140
ON = date(2026, 3, 26)  # day 84: two windows of four weeks before it, and more
NAMES = tuple(f"place{n}" for n in range(9))
CHANGE = Changed("c1", "place0", ON)
HOW = How(until=START + timedelta(days=DAYS))


def world(
    seed: int, effect: float = 0.0, season: float = 0.0, drift: float = 1.0, dip: float = 0.0, pieces: int = 12
) -> Evidence:
    """Touchpoints with their own levels, days and drifts from week to week. At the first one `effect` points are added
    from the day of the change on, and `dip` are missing in the four weeks before; `season` moves all of them, then."""
    rng = np.random.default_rng(seed)
    size = (len(NAMES), DAYS, 3)
    weeks = np.repeat(rng.normal(0, drift, (len(NAMES), DAYS // 7)), 7, axis=1)
    level = rng.uniform(45, 65, (len(NAMES), 1)) + weeks + rng.normal(0, 2, (len(NAMES), DAYS))
    at = (ON - START).days
    level[:, at:] += season
    level[0, at:] += effect
    level[0, at - 28 : at] -= dip
    n = rng.poisson(pieces, size).astype(float)
    total = n * level[:, :, None] + rng.normal(0, 20, size) * np.sqrt(n)
    return Evidence(NAMES, START, n, total, asked_n=n.sum(axis=2) / 2)


def one(evidence: Evidence, *others: Changed, how: How = HOW) -> Compared:
    (found,) = compared([CHANGE, *others], evidence, how, [CHANGE])
    return found


def inside(value: float, of: tuple[float | None, float | None, float | None]) -> bool:
    _, low, high = of
    return low is not None and high is not None and low <= value <= high


@pytest.mark.parametrize(("seed", "effect"), [(1, 8.0), (2, 8.0), (3, -8.0)])
def test_a_planted_effect_is_found_with_its_size(seed: int, effect: float) -> None:
    found = one(world(seed, effect))
    assert inside(effect, found.effect)
    assert inside(effect, found.difference)
    assert found.verdict == ("better" if effect > 0 else "worse")
    assert (found.days, found.others, found.also, found.mix) == (28, 8, 0, False)
    assert inside(0.0, found.earlier)


def test_what_moves_all_of_them_is_no_effect() -> None:
    found = one(world(4, season=8.0))
    assert not inside(0.0, found.difference)
    assert inside(8.0, found.others_difference)
    assert inside(0.0, found.effect)
    assert found.verdict == "no difference"


@pytest.mark.parametrize("drift", [0.0, 1.0, 3.0])
def test_where_there_is_none_none_is_found(drift: float) -> None:
    """At its level, also where touchpoints drift by themselves: of 150 worlds some 8 are beyond by chance."""
    found = [one(world(200 + seed, drift=drift)) for seed in range(150)]
    assert sum(each.verdict != "no difference" for each in found) <= 15


def test_intervals_hold_the_effect_as_often_as_they_say() -> None:
    found = [one(world(500 + seed, effect=5.0, drift=2.0)) for seed in range(150)]
    assert sum(inside(5.0, each.effect) for each in found) >= 135


def test_a_touchpoint_that_was_unusually_low_before_is_told() -> None:
    found = one(world(6, dip=8.0))
    assert found.verdict == "better"  # it went back to what is usual
    assert found.earlier.high is not None
    assert found.earlier.high < 0


def test_the_day_itself_is_in_neither_window() -> None:
    of_world = world(1)
    n, total, at = of_world.n.copy(), of_world.total.copy(), (ON - START).days
    n[:, at], total[:, at] = 1e6, 0.0
    assert one(replace(of_world, n=n, total=total)) == one(of_world)


def test_windows_shrink_to_whole_weeks_that_are_over() -> None:
    assert one(world(1), how=How(until=ON + timedelta(days=22))).days == 21
    assert one(world(1), how=How(until=ON + timedelta(days=21))).days == 14
    early = one(world(1), how=How(until=ON + timedelta(days=7)))
    assert early.verdict == "grey"
    assert early.reason == "too early: a week after it is over on 2026-04-03"
    assert one(world(1), how=How(until=ON + timedelta(days=8))).days == 7


class TestGrey:
    def test_with_too_little_evidence(self) -> None:
        found = one(world(1), how=replace(HOW, n_min={"place0": 1_000}))
        assert found.verdict == "grey"
        assert found.reason == "no dimension has 1000 pieces of evidence on 4 days, before and after"
        assert found.difference == found.before == (None, None, None)
        assert found.before_n > 900

    def test_without_any(self) -> None:
        (found,) = compared([], world(1), HOW, [Changed("c2", "elsewhere", ON)])
        assert (found.verdict, found.reason) == ("grey", "there is no evidence of the touchpoint")

    def test_before_evidence_began(self) -> None:
        change = Changed("c2", "place0", START + timedelta(days=3))
        (found,) = compared([change], world(1), HOW, [change])
        assert found.verdict == "grey"


class TestOthers:
    def test_who_was_changed_as_well_is_none_to_compare_with(self) -> None:
        near = [Changed(f"o{n}", f"place{n}", ON + timedelta(days=10)) for n in range(1, 4)]
        assert one(world(1), *near).others == 5

    def test_a_change_long_before_does_not_count(self) -> None:
        assert one(world(1), Changed("o", "place1", ON - timedelta(days=29))).others == 8

    def test_with_fewer_than_three_the_difference_stands_alone(self) -> None:
        near = [Changed(f"o{n}", f"place{n}", ON) for n in range(1, 7)]
        found = one(world(1, effect=8.0), *near)
        assert found.effect == (None, None, None)
        assert found.alone.startswith("fewer than 3 touchpoints")
        assert found.verdict == "better"

    def test_another_change_of_the_same_touchpoint_is_counted(self) -> None:
        assert one(world(1), Changed("o", "place0", ON + timedelta(days=3))).also == 1

    def test_a_new_survey_is_told(self) -> None:
        of_world = world(1)
        asked, at = of_world.asked_n.copy(), (ON - START).days
        asked[0, at:] = of_world.n[0, at:].sum(axis=1)
        assert one(replace(of_world, asked_n=asked)).mix


class TestWorkedTwice:
    def test_a_score_is_that_of_the_dots(self) -> None:
        of_world = world(1)
        n, total = of_world.n[0, :28], of_world.total[0, :28]
        dots, pieces = intervals.score(
            [
                (int(k), float(t), float(t * t / k + 400 * k))
                for k, t in zip(n.sum(axis=0), total.sum(axis=0), strict=True)
            ],
            10,
        )
        found = side(n, total)
        assert (found.value, found.n) == (pytest.approx(dots.value), pieces)

    def test_its_variance_is_that_of_weighted_least_squares_by_day(self) -> None:
        """Of one dimension: a mean of the days' means, weighted by their pieces, clustered by day."""
        of_world = world(1)
        n, total = of_world.n[0, :28, :1], of_world.total[0, :28, :1]
        found = side(n, total)
        fitted = sm.WLS((total / n)[:, 0], np.ones(28), weights=n[:, 0]).fit(cov_type="HC0")
        assert found.value == pytest.approx(fitted.params[0])
        assert found.variance == pytest.approx(fitted.bse[0] ** 2 * 28 / 27)

    def test_a_difference_is_welchs(self) -> None:
        of_world = world(1)
        n = np.ones((28, 1))
        before, after = of_world.total[0, :28, :1], of_world.total[0, 28:56, :1]
        found = difference(side(n, before), side(n, after))
        welch = stats.ttest_ind(after[:, 0], before[:, 0], equal_var=False)
        assert found.interval[1:] == pytest.approx(welch.confidence_interval(0.95))
        assert found.freedom == pytest.approx(welch.df)

    def test_pooling_by_paule_and_mandel_worked_by_bisection(self) -> None:
        values, variances = np.array([1.0, 3.0, -2.0, 5.0, 0.5]), np.array([0.5, 1.0, 0.7, 2.0, 0.4])
        low, high = 0.0, 100.0
        for _ in range(
            200
        ):  # that between-variance at which the weighted squares are as many as the degrees of freedom
            between = (low + high) / 2
            weights = 1 / (variances + between)
            mean = (weights * values).sum() / weights.sum()
            low, high = (between, high) if (weights * (values - mean) ** 2).sum() > 4 else (low, between)
        mine = Difference(9.0, 0.8, 54.0)
        others, effect = against(mine, [Difference(v, s, 54.0) for v, s in zip(values, variances, strict=True)])
        assert others.value == pytest.approx(mean, abs=1e-4)
        assert effect.value == pytest.approx(9.0 - mean, abs=1e-4)
        spread = between + 1 / weights.sum()
        freedom = (0.8 + spread) ** 2 / (0.8**2 / 54 + spread**2 / 3)
        assert effect.high == pytest.approx(9.0 - mean + stats.t.ppf(0.975, freedom) * np.sqrt(0.8 + spread), abs=1e-3)
