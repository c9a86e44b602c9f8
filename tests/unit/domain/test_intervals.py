"""Formulas against worked examples of their publications, and against scipy and statsmodels."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from pipeline.domain import intervals
from pipeline.domain.intervals import T95, UNKNOWN, Z95, Z998, Interval

counts = st.integers(1, 5000)


def of(n: int) -> st.SearchStrategy[int]:
    return st.integers(0, n)


def sums(values: list[float]) -> tuple[int, float, float]:
    return len(values), math.fsum(values), math.fsum(x * x for x in values)


def test_the_quantiles_are_those_of_their_distributions() -> None:
    assert stats.norm.ppf(0.975) == pytest.approx(Z95, abs=1e-12)
    assert stats.norm.ppf(0.999) == pytest.approx(Z998, abs=1e-12)
    assert list(T95) == pytest.approx([stats.t.ppf(0.975, n - 1) for n in range(2, 30)], abs=1e-6)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_proportions_are_those_of_newcombe(k: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), Stat. Med. 17, 857-872, table I, method 3: the score interval of Wilson."""
    found = intervals.proportion(k, n)
    assert found == pytest.approx((k / n, low, high), abs=5e-5)


@given(counts.flatmap(lambda n: st.tuples(of(n), st.just(n))))
def test_proportions_are_those_of_statsmodels(given_: tuple[int, int]) -> None:
    k, n = given_
    assert intervals.proportion(k, n)[1:] == pytest.approx(proportion_confint(k, n, 0.05, "wilson"), abs=1e-9)


def test_a_net_share_is_that_of_bonett_and_price() -> None:
    """Bonett and Price (2012) add one answer to each side and two in all. The example of their R package statpsych:
    f12 = 26, f21 = 4 of 48 give 0.44, standard error 0.09448809, 0.2548067 to 0.6251933."""
    found = intervals.net(26, 4, 48, extra=1, extra_all=2)
    assert found == pytest.approx((22 / 48, 0.2548067, 0.6251933), abs=1e-7)


def test_a_net_promoter_score_worked_out_by_hand() -> None:
    """Rocks (2016): 50 promoters, 20 detractors of 97 become 50.75 and 20.75 of 100."""
    middle, variance = Fraction(30, 100), Fraction(7150, 10_000) - Fraction(30, 100) ** 2
    margin = 1.959963984540054 * math.sqrt(variance / 100)
    assert intervals.net(50, 20, 97) == pytest.approx((30 / 97, float(middle) - margin, float(middle) + margin))
    assert intervals.net(50, 20, 97)[1:] == pytest.approx((0.14505, 0.45495), abs=5e-6)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.just(n), of(n), of(n))))
def test_a_net_share_is_that_of_its_answers_as_numbers(given_: tuple[int, int, int]) -> None:
    """statsmodels, of 1, 0 and −1 with the three answers more."""
    n, up, down = given_[0], given_[1], min(given_[2], given_[0] - given_[1])
    said = DescrStatsW([1.0, 0.0, -1.0], weights=[up + 0.75, n - up - down + 1.5, down + 0.75], ddof=0)
    margin = Z95 * float(said.std) / math.sqrt(n + 3)
    expected = (max(float(said.mean) - margin, -1.0), min(float(said.mean) + margin, 1.0))
    assert intervals.net(up, down, n)[1:] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("up", "down"), [(0.5, 0.2), (0.3, 0.3), (0.7, 0.1), (0.15, 0.6)])
def test_a_net_share_of_thirty_answers_holds_the_truth_as_often_as_it_says(up: float, down: float) -> None:
    """By adding up the probability of everything that thirty people may answer."""
    n, held = 30, 0.0
    said = stats.multinomial(n, [up, down, 1 - up - down])
    for ups in range(n + 1):
        for downs in range(n + 1 - ups):
            _, low, high = intervals.net(ups, downs, n)
            assert low is not None
            assert high is not None
            if low <= up - down <= high:
                held += said.pmf([ups, downs, n - ups - downs])
    assert 0.94 < held < 0.97


@given(st.lists(st.floats(0, 100), min_size=2, max_size=200))
def test_means_are_those_of_scipy(values: list[float]) -> None:
    error = float(stats.sem(values))
    n, total, squares = sums(values)
    found, few = intervals.mean(n, total, squares), intervals.mean_of_few(n, total, squares)
    near = {"abs": 1e-4, "rel": 1e-6}  # sums of squares lose digits where all values are alike
    assert found == pytest.approx((total / n, total / n - Z95 * error, total / n + Z95 * error), **near)
    margin = (stats.t.ppf(0.975, n - 1) if n < 30 else Z95) * error
    assert few == pytest.approx((total / n, total / n - margin, total / n + margin), **near)


def test_where_too_little_is_known_there_is_no_interval() -> None:
    assert intervals.proportion(0, 0) == intervals.net(0, 0, 0) == intervals.mean(0, 0, 0) == UNKNOWN
    assert intervals.mean(1, 7, 49) == intervals.mean_of_few(1, 7, 49) == Interval(7, None, None)
    assert intervals.three_questions([(5, 1, 1), (0, 0, 0), (5, 1, 1)]) == UNKNOWN
    assert intervals.mean_of_few(0, 0, 0) == UNKNOWN


def test_a_mean_stays_on_its_scale() -> None:
    assert intervals.mean(2, 100, 10_000, 0, 100) == Interval(50, 0, 100)


def test_the_three_question_index_is_the_mean_of_net_shares() -> None:
    """40 people: 4-5 less 1-2 is 50, 25 and 0 %."""
    found = intervals.three_questions([(40, 25, 5), (40, 15, 5), (40, 10, 10)])
    each = [intervals.net(*x, 40) for x in ((25, 5), (15, 5), (10, 10))]
    assert found.value == pytest.approx(0.25)
    assert found.low == pytest.approx(sum(i.low for i in each if i.low is not None) / 3)
    assert found.high == pytest.approx(sum(i.high for i in each if i.high is not None) / 3)


@given(st.lists(st.tuples(*[st.sampled_from([-1, 0, 1])] * 3), min_size=2, max_size=60))
def test_the_index_is_never_surer_than_the_people_who_answered_all_three(people: list[tuple[int, int, int]]) -> None:
    """Whatever their answers have to do with each other: the margin of their means, with the same three answers more
    that say nothing, is not wider."""
    n = len(people)
    answers = [(n, sum(p[q] > 0 for p in people), sum(p[q] < 0 for p in people)) for q in range(3)]
    extra = [(1.0,) * 3, (0.0,) * 3, (-1.0,) * 3]
    means = [sum(p) / 3 for p in [*people, *extra]]
    joint = DescrStatsW(means, weights=[1.0] * n + [0.75, 1.5, 0.75], ddof=0)
    low, high = intervals.three_questions(answers)[1:]
    assert low is not None
    assert high is not None
    assert low <= max(joint.mean - Z95 * joint.std / math.sqrt(n + 3), -1) + 1e-9
    assert high >= min(joint.mean + Z95 * joint.std / math.sqrt(n + 3), 1) - 1e-9


def test_a_score_counts_the_dimensions_that_are_known_well_enough() -> None:
    sure, doubtful, nothing = sums([80.0] * 20 + [60.0] * 20), sums([0.0] * 3), sums([])
    found, n = intervals.score([sure, doubtful, nothing], 30)
    assert n == 40
    assert found == pytest.approx(intervals.mean(*sure))
    both, n = intervals.score([sure, doubtful, nothing], 3)
    assert (both.value, n) == (35, 43)
    assert intervals.score([doubtful, doubtful, nothing], 30) == (Interval(0, None, None), 3)
    assert intervals.score([nothing] * 3, 30) == (UNKNOWN, 0)


#: NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.4: λ = 0.3, EWMA₀ = 50, s = 2.0539.
NIST = [52, 47, 53, 49.3, 50.1, 47, 51, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
NIST_EWMA = [
    *(50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33),
    *(50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99),
]


def test_moving_averages_and_limits_are_those_of_the_handbook() -> None:
    steps = intervals.moving(NIST, 50, 2.0539, 0.3, 3)
    assert [step.average for step in steps] == pytest.approx(NIST_EWMA, abs=0.0051)
    assert (steps[-1].low, steps[-1].high) == pytest.approx((47.4115, 52.5884), abs=1e-4)
    assert not any(step.broken for step in steps)


def test_limits_begin_with_those_of_the_first_value() -> None:
    """Of one value the variance is λ²·σ²: Montgomery's limits after the first step, λ = 0.1, L = 2.7, σ = 1, μ = 10."""
    first = intervals.moving([9.45, 7.99], 10, 1, 0.1, 2.7)
    assert (first[0].low, first[0].high) == pytest.approx((9.73, 10.27))
    assert (first[1].low, first[1].high) == pytest.approx((9.64, 10.36), abs=0.005)
    assert [step.average for step in first] == pytest.approx([9.945, 9.7495])


def test_a_chart_takes_target_and_spread_from_its_first_values() -> None:
    values = [50.0, 52.0, 48.0, 51.0, 49.0, 50.5, 80.0]
    assert intervals.ewma(values, 5) == intervals.moving(values[5:], 50, math.sqrt(2.5), 0.2, 3)
    assert [step.broken for step in intervals.ewma(values, 5)] == [False, True]
    assert intervals.ewma(values[:4], 5) == []
    assert intervals.ewma([50.0] * 5 + [50.2], 5, spread_min=0.5)[0].broken is False


@given(st.floats(0, 100), st.floats(0.1, 50), st.integers(1, 10_000))
def test_funnel_limits_are_the_normal_intervals_of_a_units_size(overall: float, spread: float, n: int) -> None:
    """Spiegelhalter (2005), appendix A.1: target ± z·s/√n, with 95 and 99.8 %."""
    for share, z in ((0.95, Z95), (0.998, Z998)):
        expected = stats.norm.interval(share, overall, spread / math.sqrt(n))
        assert intervals.funnel(overall, spread, n, z) == pytest.approx(expected, abs=1e-9)


def test_service_levels_in_both_forms() -> None:
    """100 offered, 80 answered within the time, 10 hung up within it: 80 % of all, 89 % of the others."""
    assert intervals.service_levels(80, 100, 10) == pytest.approx((0.8, 80 / 90))
    assert intervals.service_levels(0, 0, 0) == (None, None)
    assert intervals.service_levels(0, 5, 5) == (0.0, None)
