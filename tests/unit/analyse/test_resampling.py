"""Sums of people and of samples, against numpy, pandas and drawing people one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.analyse import resampling

from .worlds import world


def test_everybody_is_what_numpy_says() -> None:
    values = world(9_000, [0.4, 0.2, 0])
    sums = resampling.sums(values, 2, seed=1)
    assert sums.means()[0] == pytest.approx(values.mean(axis=0))
    assert sums.deviations()[0] == pytest.approx(values.std(axis=0))
    assert sums.correlations()[0] == pytest.approx(np.corrcoef(values, rowvar=False))


def test_missing_stays_missing() -> None:
    """Each pair of columns by the people who have both, as pandas does it."""
    values = world(3_000, [0.4, 0.2, 0], missing=0.6)
    sums = resampling.sums(values, 2, seed=1)
    expected = pd.DataFrame(values)
    assert sums.means()[0] == pytest.approx(expected.mean().to_numpy())
    assert sums.correlations()[0] == pytest.approx(expected.corr().to_numpy())
    known = ~np.isnan(values)
    assert sums.n[0] == pytest.approx(known.astype(float).T @ known)


def test_samples_spread_as_drawing_people_again_does() -> None:
    values = world(400, [0.5, 0.1], missing=0.3)
    found = resampling.sums(values, 2_000, seed=1).correlations()[1:]
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(values)
    drawn = np.stack([frame.sample(frac=1, replace=True, random_state=rng).corr().to_numpy() for _ in range(600)])
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert found[:, i, j].std() == pytest.approx(drawn[:, i, j].std(), rel=0.12)
        assert found[:, i, j].mean() == pytest.approx(drawn[:, i, j].mean(), abs=0.01)


def test_people_are_drawn_and_not_what_is_known_of_them() -> None:
    """Of somebody who is drawn twice everything comes twice: two columns of the same stay the same in each sample."""
    values = world(500, [0.5, 0.1])
    both = np.column_stack([values, values[:, 1]])
    assert resampling.sums(both, 50, seed=1).correlations()[:, 1, 3] == pytest.approx(np.ones(51), abs=1e-5)


def test_a_seed_gives_the_same_and_another_one_another() -> None:
    values = world(5_000, [0.5, 0.1], missing=0.2)
    one, same, other = (resampling.sums(values, 20, seed).correlations() for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one[0] == other[0]).all()
    assert (one[1:] != other[1:]).any()


def test_the_poisson_table_has_mean_and_variance_one() -> None:
    drawn = resampling._POISSON.astype(float)
    assert len(drawn) == 65_536
    assert drawn.mean() == 1
    assert drawn.var() == pytest.approx(1, abs=1e-3)


def test_what_does_not_vary_goes_with_nothing() -> None:
    values = world(300, [0.5, 0.1])
    values[:, 2] = 7
    found = resampling.sums(values, 5, seed=1).correlations()
    assert (found[:, 2, :2] == 0).all()
    assert np.isfinite(found).all()


def test_progress_is_told_of_everybody_once() -> None:
    told: list[int] = []
    resampling.sums(world(10_000, [0.5, 0.1]), 2, 1, told.append)
    assert sum(told) == 10_000
    assert len(told) == 3
