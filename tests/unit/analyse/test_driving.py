"""Planted drivers are found, and none where none are."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.api import OLS, add_constant

from pipeline.analyse import driving, importance
from pipeline.analyse.driving import Sampling

from .worlds import world

EFFECTS = [0.8, 0.4, 0.0, 0.2, 0.0]


def true_shares(effects: list[float], alike: float = 0.3, noise: float = 12.0) -> np.ndarray:
    """Of the world itself, without drawing people from it."""
    p = len(effects)
    inside = 100 * (np.full((p, p), alike) + (1 - alike) * np.eye(p))
    with_outcome = inside @ effects
    of = np.eye(p + 1)
    of[1:, 1:] = inside / 100
    of[0, 1:] = of[1:, 0] = with_outcome / 10 / np.sqrt(effects @ with_outcome + noise**2)
    parts = importance.lmg(of)
    return np.asarray(parts / parts.sum())


@pytest.mark.parametrize("missing", [0.0, 0.5])
def test_planted_drivers_are_found_and_others_are_not(missing: float) -> None:
    found = driving.study(world(6_000, EFFECTS, seed=1, missing=missing), Sampling(1))
    assert found.p_value < 1e-6
    assert (found.p_corrected < driving.ALPHA).tolist() == [True, True, False, True, False]
    assert np.argsort(-found.share.value)[:3].tolist() == [0, 1, 3]
    assert found.coefficient.value == pytest.approx(EFFECTS, abs=0.09)
    assert found.share.value == pytest.approx(true_shares(EFFECTS), abs=0.04)
    assert found.share.value.sum() == pytest.approx(1)
    assert found.weight.value == pytest.approx(found.share.value, abs=0.03)


def test_where_nothing_is_planted_nothing_is_found() -> None:
    """5 % of such worlds may seem to have something; of 25 more than 4 would be chance once in 100."""
    seemed = [driving.study(world(400, [0] * 5, seed=seed), Sampling(1, 60)).p_value for seed in range(25)]
    assert sum(p < driving.ALPHA for p in seemed) <= 4


def test_nothing_is_found_where_drivers_go_together_and_most_is_unknown() -> None:
    """Correlations of different people fit together badly, and R² comes out large by chance."""
    found = [driving.study(world(1_500, [0] * 10, seed=n, alike=0.9, missing=0.7), Sampling(1, 60)) for n in range(15)]
    assert np.mean([each.r2[0] for each in found]) > 0.05
    assert sum(each.p_value < driving.ALPHA for each in found) <= 2


def test_that_all_drivers_together_do_nothing_is_as_likely_as_least_squares_has_it() -> None:
    for seed in range(3):
        values = world(900, [0.05, 0.05, 0, 0, 0.05], seed=seed)
        fitted = OLS(values[:, 0], add_constant(values[:, 1:])).fit().get_robustcov_results("HC3")
        found = driving.study(values, Sampling(1, 2_000))
        assert np.log10(found.p_value) == pytest.approx(np.log10(fitted.f_pvalue), abs=0.35)


def test_of_drivers_without_effect_few_seem_to_have_one() -> None:
    """Beside a strong one: corrected for all of them, one in 20 worlds may have any."""
    wrong = 0
    for seed in range(25):
        found = driving.study(world(500, [0.8, 0, 0, 0, 0], seed=seed, missing=0.3), Sampling(1, 100))
        assert found.p_corrected[0] < driving.ALPHA
        wrong += bool((found.p_corrected[1:] < driving.ALPHA).any())
    assert wrong <= 5


def test_intervals_hold_what_they_should() -> None:
    """About 95 % of them; far fewer would mean that people are not drawn as they should be."""
    expected = true_shares(EFFECTS)
    held = []
    for seed in range(25):
        found = driving.study(world(1_500, EFFECTS, seed=seed, missing=0.3), Sampling(1))
        held.append((found.share.low[:2] <= expected[:2]) & (expected[:2] <= found.share.high[:2]))
        held.append((found.coefficient.low[:2] <= EFFECTS[:2]) & (np.array(EFFECTS[:2]) <= found.coefficient.high[:2]))
    assert 0.88 <= np.mean(held) <= 0.995


def test_where_all_is_known_it_is_least_squares() -> None:
    values = world(800, EFFECTS, seed=3)
    found = driving.study(values, Sampling(1, 400))
    fitted = OLS(values[:, 0], add_constant(values[:, 1:])).fit()
    assert found.r2[0] == pytest.approx(fitted.rsquared)
    assert found.coefficient.value == pytest.approx(fitted.params[1:])
    low, high = fitted.conf_int()[1:].T
    assert found.coefficient.low == pytest.approx(low, abs=0.03)
    assert found.coefficient.high == pytest.approx(high, abs=0.03)
    assert found.performance.value == pytest.approx(values[:, 1:].mean(axis=0))


def test_a_seed_gives_every_figure_again() -> None:
    values = world(700, EFFECTS, missing=0.3)
    one, same, other = (driving.study(values, Sampling(seed)) for seed in (1, 1, 2))
    for name in ("share", "weight", "performance", "coefficient", "rank"):
        for part in ("value", "low", "high"):
            assert (getattr(getattr(one, name), part) == getattr(getattr(same, name), part)).all()
    assert (one.share.value == other.share.value).all()  # nothing is drawn for it
    assert (one.share.low != other.share.low).any()


def test_drivers_that_are_as_important_have_no_certain_order() -> None:
    found = driving.study(world(800, [0.4, 0.4, 1.2], seed=2), Sampling(1))
    assert found.uncertain in (((0, 1),), ((1, 0),))
    assert (found.rank.low[2], found.rank.high[2]) == (1, 1)
    assert (found.rank.low[0], found.rank.high[0]) == (2, 3)


def test_many_drivers_are_drawn_and_say_how_exactly() -> None:
    effects = [0.6, 0.3] + [0.0] * 13
    values = world(3_000, effects, missing=0.2)
    found = driving.study(values, Sampling(1, 50, 200))
    again = driving.study(values, Sampling(1, 50, 200))
    assert found.error is not None
    assert (found.share.value == again.share.value).all()
    assert 0 < found.error.max() < 0.01
    assert found.share.value == pytest.approx(true_shares(effects), abs=0.04)
    assert np.flatnonzero(found.p_corrected < driving.ALPHA).tolist() == [0, 1]


def test_drivers_with_too_few_people_are_left_out_and_the_others_stay() -> None:
    values = world(100, [0.5, 0.5, 0.5, 0.5])
    values[:85, 3] = np.nan  # 15 people know it, 40 are needed
    assert driving.usable(driving.pairs(values)) == [1, 2, 4]
    values[:50, 1] = values[50:, 2] = np.nan  # nobody knows both
    assert driving.usable(driving.pairs(values)) == [1, 4]


def test_pairs_are_counted_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = world(1_000, [0.5, 0.5], missing=0.4)
    monkeypatch.setattr(driving, "_COUNTED", 300)
    known = ~np.isnan(values)
    assert (driving.pairs(values) == known.astype(int).T @ known).all()


def test_a_share_of_one_is_no_share() -> None:
    with pytest.raises(ValueError, match="1 drivers"):
        driving.study(world(100, [0.5]), Sampling(1))


def test_what_nobody_knows_does_not_vary() -> None:
    values = world(30, [0.5, 0.5])
    values[:, 1], values[:, 2] = np.nan, 5.0
    assert driving.varying(values).tolist() == [True, False, False]
    assert driving.varying(np.empty((0, 2))).tolist() == [False, False]
