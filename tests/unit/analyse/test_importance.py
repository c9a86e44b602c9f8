"""Parts of R², against closed forms, all orders, least squares on data, and what was published."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from statsmodels.api import OLS, add_constant
from statsmodels.stats.outliers_influence import variance_inflation_factor

from pipeline.analyse import importance
from pipeline.analyse.resampling import Array

from .worlds import matrix

#: Of 47 Swiss provinces in 1888: fertility; agriculture, examination, education, catholic, infant mortality (percent).
SWISS = np.array(
    [
        [1, 0.35307918, -0.6458827, -0.66378886, 0.4636847, 0.41655603],
        [0.35307918, 1, -0.68654221, -0.63952252, 0.40109505, -0.06085861],
        [-0.6458827, -0.68654221, 1, 0.6984153, -0.5727418, -0.1140216],
        [-0.66378886, -0.63952252, 0.6984153, 1, -0.15385892, -0.09932185],
        [0.4636847, 0.40109505, -0.5727418, -0.15385892, 1, 0.17549591],
        [0.41655603, -0.06085861, -0.1140216, -0.09932185, 0.17549591, 1],
    ]
)

#: Of 32 cars in 1974: miles per gallon; cylinders, displacement, horsepower, weight.
CARS = np.array(
    [
        [1, -0.8521620, -0.8475514, -0.7761684, -0.8676594],
        [-0.8521620, 1, 0.9020329, 0.8324475, 0.7824958],
        [-0.8475514, 0.9020329, 1, 0.7909486, 0.8879799],
        [-0.7761684, 0.8324475, 0.7909486, 1, 0.6587479],
        [-0.8676594, 0.7824958, 0.8879799, 0.6587479, 1],
    ]
)


def r2(of: Array, drivers: tuple[int, ...]) -> float:
    """Of some drivers, 1, 2, …"""
    at = list(drivers)
    return float(of[0, at] @ np.linalg.solve(of[np.ix_(at, at)], of[at, 0])) if at else 0.0


def by_all_orders(of: Array) -> Array:
    """What each driver adds, averaged over every order."""
    p = len(of) - 1
    parts = np.zeros(p)
    orders = list(permutations(range(1, p + 1)))
    for order in orders:
        for at, driver in enumerate(order):
            parts[driver - 1] += r2(of, order[: at + 1]) - r2(of, order[:at])
    return parts / len(orders)


def test_the_swiss_example_is_what_relaimpo_publishes() -> None:
    """Grömping (2006), J. Stat. Softw. 17(1): LMG of lm(Fertility ~ ., swiss), R² 70.67 %."""
    assert importance.explained(SWISS) == pytest.approx(0.7067, abs=5e-5)
    published = [0.05709122, 0.17117303, 0.26013468, 0.10557015, 0.11276592]
    assert importance.lmg(SWISS) == pytest.approx(published, abs=5e-8)


def test_relative_weights_are_what_rwa_publishes() -> None:
    """Its article on regression methods: rwa_multiregress(mtcars, "mpg", c("cyl", "disp", "hp", "wt"))."""
    published = [0.2096904, 0.1883043, 0.1799590, 0.2706812]
    assert importance.relative_weights(CARS) == pytest.approx(published, abs=1e-6)


@pytest.mark.parametrize(("a", "b", "r"), [(0.5, 0.3, 0.0), (0.5, 0.3, 0.6), (0.5, -0.2, 0.4), (0.7, 0.7, 0.9)])
def test_two_drivers_have_a_closed_form_and_johnson_has_the_same(a: float, b: float, r: float) -> None:
    """Half of what each explains alone, and half of what it adds to the other; Johnson (2000) proves his the same."""
    of = np.array([[1, a, b], [a, 1, r], [b, r, 1]])
    whole = (a * a + b * b - 2 * a * b * r) / (1 - r * r)
    expected = [(a * a + whole - b * b) / 2, (b * b + whole - a * a) / 2]
    assert importance.lmg(of) == pytest.approx(expected)
    assert importance.relative_weights(of) == pytest.approx(expected)


@pytest.mark.parametrize("p", [1, 2, 3, 5, 7])
def test_few_drivers_are_what_all_orders_give(p: int) -> None:
    of = matrix(p, seed=p)
    assert importance.lmg(of) == pytest.approx(by_all_orders(of))


@pytest.mark.parametrize("p", [2, 6, 12])
def test_parts_and_weights_come_to_r2(p: int) -> None:
    of = np.stack([matrix(p, seed) for seed in range(3)])
    whole = importance.explained(of)
    assert importance.lmg(of).sum(axis=1) == pytest.approx(whole)
    assert importance.relative_weights(of).sum(axis=1) == pytest.approx(whole)
    assert (importance.lmg(of) >= -1e-12).all()


def test_many_matrices_at_once_are_each_by_itself() -> None:
    of = np.stack([matrix(5, seed) for seed in range(7)])
    for computed in (importance.lmg, importance.relative_weights, importance.inflation, importance.coefficients):
        assert computed(of) == pytest.approx(np.stack([computed(each) for each in of]))


def test_subsets_in_parts_are_subsets_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    of = np.stack([matrix(6, seed) for seed in range(3)])
    at_once = importance.subsets(of)
    monkeypatch.setattr(importance, "_AT_ONCE", 100)
    assert importance.subsets(of) == pytest.approx(at_once)


@pytest.mark.parametrize("p", [4, 9])
def test_drawn_orders_are_as_near_as_they_say(p: int) -> None:
    of = matrix(p, seed=40 + p)
    exact = importance.lmg(of)
    distances = []
    for seed in range(20):
        parts, error = importance.lmg_sampled(of, importance.drawn(p, 200, np.random.default_rng(seed)))
        assert parts.sum() == pytest.approx(importance.explained(of))
        distances.append((parts - exact) / error)
    assert np.abs(np.mean(distances)) < 0.2
    assert 0.8 < np.std(distances) < 1.2  # the error is neither too small nor too large


def test_drawn_orders_come_with_their_reverse_and_from_the_seed() -> None:
    orders = importance.drawn(6, 50, np.random.default_rng(1))
    assert (np.sort(orders, axis=1) == np.arange(6)).all()
    assert (orders[::2] == orders[1::2, ::-1]).all()
    assert (orders == importance.drawn(6, 50, np.random.default_rng(1))).all()
    assert (orders != importance.drawn(6, 50, np.random.default_rng(2))).any()


def test_beyond_all_subsets_drawn_orders_find_what_is_there() -> None:
    """Drivers that have nothing in common: each one's part is the square of its correlation."""
    p = 20
    of = np.eye(p + 1)
    of[0, 1:] = of[1:, 0] = np.linspace(0, 0.35, p)
    parts, error = importance.lmg_sampled(of, importance.drawn(p, 20, np.random.default_rng(1)))
    assert parts == pytest.approx(of[0, 1:] ** 2)
    assert error == pytest.approx(np.zeros(p), abs=1e-12)


def test_least_squares_on_the_data_says_the_same() -> None:
    rng = np.random.default_rng(5)
    drivers = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4))
    outcome = drivers @ [0.5, 0, -0.3, 0.2] + rng.normal(size=200)
    of = np.corrcoef(np.column_stack([outcome, drivers]), rowvar=False)
    fitted = OLS(outcome, add_constant(drivers)).fit()
    assert importance.explained(of) == pytest.approx(fitted.rsquared)
    slopes = importance.coefficients(of) * outcome.std() / drivers.std(axis=0)
    assert slopes == pytest.approx(fitted.params[1:])
    expected = [variance_inflation_factor(add_constant(drivers), j) for j in range(1, 5)]
    assert importance.inflation(of) == pytest.approx(expected)


def test_johnson_is_what_his_steps_give_on_the_data() -> None:
    """Johnson (2000): the closest orthogonal variables by singular values, then two regressions."""
    rng = np.random.default_rng(6)
    drivers = rng.normal(size=(150, 5)) @ rng.normal(size=(5, 5))
    outcome = drivers @ [0.5, 0.1, -0.3, 0.2, 0] + rng.normal(size=150)
    x = (drivers - drivers.mean(axis=0)) / drivers.std(axis=0) / np.sqrt(150)
    y = (outcome - outcome.mean()) / outcome.std() / np.sqrt(150)
    left, _, right = np.linalg.svd(x, full_matrices=False)
    closest = left @ right
    expected = ((closest.T @ x).T ** 2) @ ((closest.T @ y) ** 2)
    of = np.corrcoef(np.column_stack([outcome, drivers]), rowvar=False)
    assert importance.relative_weights(of) == pytest.approx(expected)


def test_what_fits_together_is_left_alone() -> None:
    of = np.stack([matrix(3, seed) for seed in range(3)])
    whole, mended = importance.whole(of)
    assert not mended.any()
    assert (whole == of).all()


def test_what_does_not_fit_together_is_mended_and_said() -> None:
    broken = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]])
    whole, mended = importance.whole(np.stack([broken, np.eye(3)]))
    assert mended.tolist() == [True, False]
    assert np.linalg.eigvalsh(whole[0]).min() > 0
    assert np.diagonal(whole[0]) == pytest.approx(np.ones(3))
    assert importance.explained(whole[0]) <= 1 + 1e-9
    assert (whole[1] == np.eye(3)).all()


def test_drivers_that_say_the_same_share_what_they_carry() -> None:
    of = np.array([[1, 0.5, 0.5, 0.2], [0.5, 1, 1, 0], [0.5, 1, 1, 0], [0.2, 0, 0, 1]])
    whole, mended = importance.whole(of)
    assert mended
    parts = importance.lmg(whole)
    assert parts[0] == pytest.approx(parts[1])
    assert parts == pytest.approx([0.125, 0.125, 0.04], abs=1e-3)
