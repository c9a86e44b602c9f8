"""Groups against the rest, against scipy and statsmodels on the people themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from pipeline.analyse import comparing
from pipeline.analyse.comparing import Compared, Group, Sums
from pipeline.analyse.resampling import Array


def sums(values: Array) -> Sums:
    return Sums(len(values), float(values.sum()), float((values**2).sum()))


def compared(scores: Array, of: Array) -> list[Compared]:
    groups = [Group("trait", str(each), sums(scores[of == each])) for each in np.unique(of)]
    return comparing.compare(groups, {"trait": sums(scores)})


def people(shifts: list[float], each: int = 60, seed: int = 0) -> tuple[Array, Array]:
    """Scores, and of which group each is; groups differ in spread too."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(shifts)), each)
    return 60 + np.asarray(shifts)[of] + (8 + of) * rng.normal(size=len(of)), of


def test_it_is_welch_on_the_people_themselves() -> None:
    """Of groups that differ among themselves as much as everybody does, and more."""
    rng = np.random.default_rng(3)
    of = np.repeat([0, 1], [40, 70])
    calm, wild = rng.normal(50, 10, 70), rng.normal(58, 18, 40)
    scores = np.concatenate([wild, calm])
    first = compared(scores, of)[0]
    everybody = scores.std(ddof=1)
    assert wild.std(ddof=1) > everybody > calm.std(ddof=1)
    widened = calm.mean() + (calm - calm.mean()) * everybody / calm.std(ddof=1)
    assert first.p == pytest.approx(stats.ttest_ind(wild, widened, equal_var=False).pvalue)
    means = CompareMeans(DescrStatsW(wild), DescrStatsW(widened))
    assert first.difference[1:] == pytest.approx(means.tconfint_diff(usevar="unequal"))
    assert first.mean[1:] == pytest.approx(DescrStatsW(wild).tconfint_mean())


def test_a_planted_segment_is_found_and_which_way() -> None:
    scores, of = people([0, 0, 0, 0, 9], each=150)
    assert [each.verdict for each in compared(scores, of)][-1] == comparing.BETTER
    scores, of = people([0, 0, 0, 0, -9], each=150)
    assert [each.verdict for each in compared(scores, of)][-1] == comparing.WORSE


def test_where_no_segment_differs_hardly_any_is_said_to() -> None:
    """20 groups a world, and in 40 worlds 2 with any, by chance; without correction it would be 26."""
    wrong, uncorrected = 0, 0
    for seed in range(40):
        found = compared(*people([0] * 20, each=30, seed=seed))
        wrong += any(each.verdict in (comparing.BETTER, comparing.WORSE) for each in found)
        uncorrected += any((each.p or 1) < comparing.ALPHA for each in found)
    assert wrong <= 6
    assert uncorrected >= 15


def test_where_scores_are_0_or_100_small_groups_that_are_alike_are_no_finding() -> None:
    """100 shops of 10 people, 85 % of whom are content: in some 20 shops everybody is."""
    wrong, alike = 0, 0
    for seed in range(20):
        scores = 100.0 * (np.random.default_rng(seed).random(1_000) < 0.85)
        found = compared(scores, np.repeat(np.arange(100), 10))
        content = [each for each in found if each.mean.value == 100]
        alike += len(content)
        wrong += any(each.verdict in (comparing.BETTER, comparing.WORSE) for each in found)
        assert all(each.mean.low is not None and each.mean.low < 90 for each in content)
    assert alike > 200
    assert wrong <= 3


def test_two_groups_of_which_each_is_all_alike_differ() -> None:
    found = compared(np.repeat([0.0, 100.0], 40), np.repeat([0, 1], 40))
    assert [each.verdict for each in found] == [comparing.WORSE, comparing.BETTER]


def test_who_is_in_two_segments_is_compared_with_those_who_are_not() -> None:
    scores, of = people([0, 6])
    both = np.concatenate([np.arange(80), np.arange(40, 120)])  # 40 are in either
    groups = [Group("store", "a", sums(scores[both[:80]])), Group("store", "b", sums(scores[both[80:]]))]
    first, _ = comparing.compare(groups, {"store": sums(scores)})
    assert first.difference.value == pytest.approx(scores[:80].mean() - scores[80:].mean())
    assert len(of) == 120


def test_a_group_of_nine_is_refused_and_the_rest_of_nine_is_not_told_of() -> None:
    scores, _ = people([0, 0])
    with pytest.raises(ValueError, match="fewer than 10 people: few"):
        comparing.compare([Group("t", "few", sums(scores[:9]))], {"t": sums(scores)})
    (alone,) = comparing.compare([Group("t", "most", sums(scores[:111]))], {"t": sums(scores)})
    assert alone.mean.value == pytest.approx(scores[:111].mean())
    assert (alone.difference, alone.p, alone.verdict) == (comparing.UNKNOWN, None, comparing.NOBODY_ELSE)
    (ten,) = comparing.compare([Group("t", "most", sums(scores[:110]))], {"t": sums(scores)})
    assert ten.p is not None


def test_scores_that_are_all_the_same_are_no_test() -> None:
    same = np.full(40, 73.3)
    found = compared(same, np.repeat([0, 1], 20))
    assert [each.verdict for each in found] == [comparing.ALL_EQUAL] * 2
    assert found[0].mean == (pytest.approx(73.3), pytest.approx(73.3), pytest.approx(73.3))


def test_a_mean_stays_on_its_scale() -> None:
    scores = np.concatenate([np.full(9, 100.0), np.zeros(1), np.full(20, 50.0)])
    found = compared(scores, np.repeat([0, 1], [10, 20]))
    assert found[0].mean.high == 100.0
