"""Known effects are found, none is found where there is none, and a hidden confounder is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from pipeline.analyse.linking import OUTCOMES, Customers, Floats, Link, TooFew, bands, effect, links, spearman

NET, RETURNED = OUTCOMES[0], OUTCOMES[2]


def world(
    seed: int, n: int = 4_000, per_point: float = 0.0, returned_per_point: float = 0.0, confounder: float = 0.0
) -> Customers:
    """Customers whose later net amount grows by `per_point` with each point of their score, and whose share of returns
    by `returned_per_point`. Experience lasts in part. `confounder`: how much of a hidden trait is in experience, and in
    all results whenever they are."""
    rng = np.random.default_rng(seed)

    def noise(size: float) -> Floats:
        return rng.normal(0, size, n)

    trait, lasting = noise(1), noise(1)
    tenure = rng.exponential(700, n) + 200
    usual = 60 + 8 * lasting + 8 * confounder * trait

    def experience() -> Floats:
        return np.clip(usual + noise(12), 0, 100)

    before, between, recent, score = (experience() for _ in range(4))
    spend = [
        40 + 0.02 * tenure + 30 * confounder * trait + per_point * each + rng.gamma(1.0, 30, n)
        for each in (before, before, score)
    ]
    share = np.clip(0.2 + returned_per_point * (score - 60), 0.01, 0.99)
    happened = {"bought": 0.6, "returned": share, "churned": 0.1}
    return Customers(
        score=score,
        tenure_days=tenure,
        spend=spend[1] + noise(5),
        after={"net": spend[2], **{name: (rng.random(n) < p).astype(float) for name, p in happened.items()}},
        recent=recent,
        score_before=before,
        score_between=between,
        control_tenure_days=tenure - 120,
        control_spend=spend[0] + noise(20),
        control={"net": spend[1], "bought": np.ones(n), "returned": (rng.random(n) < 0.2).astype(float)},
    )


def of(found: list[Link], name: str) -> Link:
    return next(each for each in found if each.outcome.name == name)


def inside(value: float, of: tuple[float | None, float | None, float | None]) -> bool:
    _, low, high = of
    return low is not None and high is not None and low <= value <= high


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_effects_are_found_with_their_size(seed: int) -> None:
    found = links(world(seed, per_point=0.8, returned_per_point=-0.004))
    net, returned = of(found, "net"), of(found, "returned")
    assert net.spearman.low is not None
    assert net.spearman.low > 0
    assert inside(8.0, net.effect)  # per 10 points
    assert not inside(0.0, net.effect)
    assert inside(-0.04, returned.effect)
    assert not inside(0.0, returned.effect)
    assert net.control_n == 4_000
    assert net.control_holds  # experience lasts, and works; what came before is held constant


def test_where_there_is_none_none_is_found() -> None:
    """At its level: of many worlds without any effect, few have an interval that leaves out zero."""
    beyond = {"effect": 0, "spearman": 0, "control": 0}
    worlds = [of(links(world(100 + seed, n=300)), name) for seed in range(100) for name in ("net", "returned")]
    for each in worlds:
        beyond["effect"] += not inside(0.0, each.effect)
        beyond["spearman"] += not inside(0.0, each.spearman)
        beyond["control"] += each.control_holds is False
    assert all(count <= 20 for count in beyond.values()), beyond  # of 200; 10 are to be expected


def test_a_hidden_confounder_makes_an_effect_and_the_control_tells() -> None:
    net = of(links(world(5, confounder=1.0)), "net")
    assert not inside(0.0, net.effect)  # though experience does nothing here
    assert net.control_holds is False


def test_the_effect_is_the_sandwich_worked_by_hand() -> None:
    """HC3 in plain matrices, with controls that are not standardised: (X'X)^-1 X' diag(e^2/(1-h)^2) X (X'X)^-1."""
    rng = np.random.default_rng(7)
    score, tenure, spend = rng.uniform(0, 100, 90), rng.uniform(1, 7, 90), rng.gamma(1, 50, 90)
    result = 3 + 0.4 * score + spend * rng.normal(1, 1, 90)
    x = np.column_stack([np.ones(90), score, tenure, spend])
    bread = np.linalg.inv(x.T @ x)
    b = bread @ x.T @ result
    leverage = np.einsum("ij,jk,ik->i", x, bread, x)
    weight = ((result - x @ b) / (1 - leverage)) ** 2
    error = np.sqrt((bread @ (x.T * weight) @ x @ bread)[1, 1])
    margin = stats.t.ppf(0.975, 90 - 4) * error
    found = effect(result, score, [tenure, spend])
    assert found == pytest.approx((10 * b[1], 10 * (b[1] - margin), 10 * (b[1] + margin)))


def test_a_share_changes_as_a_logistic_model_says() -> None:
    """The second way: the average marginal effect of a logit."""
    of_world = world(11, n=20_000, returned_per_point=-0.004)
    held = [np.log1p(of_world.tenure_days), of_world.spend]
    found = effect(of_world.after["returned"], of_world.score, held)
    x = sm.add_constant(np.column_stack([of_world.score, *held]))
    margin = sm.Logit(of_world.after["returned"], x).fit(disp=False).get_margeff(at="overall").margeff[0]
    assert found.value == pytest.approx(10 * margin, abs=0.003)


@pytest.mark.parametrize("ties", [False, True])
def test_the_interval_of_the_correlation_is_that_of_the_bootstrap(ties: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, 400)
    y = 0.5 * x + rng.normal(0, 1, 400)
    y = (y > 0.4).astype(float) if ties else y
    drawn = [stats.spearmanr(x[at], y[at]).statistic for at in rng.integers(0, 400, (600, 400))]
    low, high = np.percentile(drawn, [2.5, 97.5])
    found = spearman(x, y)
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)


class TestBands:
    def test_each_has_ten_customers_and_none_is_lost(self) -> None:
        score = np.array([5.0] * 4 + [15.0] * 7 + [35.0] * 10 + [100.0] * 3)
        found = bands(score, score, NET)
        assert [(each.low, each.high, each.n) for each in found] == [(0, 20, 11), (20, 100, 13)]

    def test_a_score_is_in_the_band_that_begins_with_it(self) -> None:
        score = np.repeat([0.0, 10.0, 90.0, 100.0], 10)
        found = bands(score, score, NET)
        assert [(each.low, each.high, each.n) for each in found] == [(0, 10, 10), (10, 20, 10), (20, 100, 20)]

    def test_means_and_intervals(self) -> None:
        rng = np.random.default_rng(1)
        amounts, happened = rng.gamma(1, 50, 30), (rng.random(30) < 0.3).astype(float)
        (money,) = bands(np.full(30, 55.0), amounts, NET)
        assert money.mean[0] == pytest.approx(amounts.mean())
        assert money.mean[1:] == pytest.approx(stats.t.interval(0.95, 29, amounts.mean(), stats.sem(amounts)))
        (share,) = bands(np.full(30, 55.0), happened, RETURNED)
        wilson = stats.binomtest(int(happened.sum()), 30).proportion_ci(method="wilson")
        assert share.mean[1:] == pytest.approx((wilson.low, wilson.high))

    def test_nothing_of_fewer_than_ten(self) -> None:
        assert bands(np.full(9, 50.0), np.ones(9), NET) == []


class TestTooLittle:
    def test_fewer_than_fifty_customers(self) -> None:
        with pytest.raises(TooFew, match="49 customers were active and have a score; it takes 50"):
            links(world(1, n=49))

    def test_who_has_no_score_does_not_count(self) -> None:
        of_world = world(1, n=60)
        score = of_world.score.copy()
        score[:20] = np.nan
        with pytest.raises(TooFew, match="40 customers"):
            links(replace(of_world, score=score))

    def test_one_score_for_all(self) -> None:
        with pytest.raises(TooFew, match="all 60 customers have the same score"):
            links(replace(world(1, n=60), score=np.full(60, 50.0)))

    def test_a_result_of_fewer_than_ten_people_is_not_shown(self) -> None:
        of_world = world(1, n=200)
        few = np.zeros(200)
        few[:9] = 1
        found = links(replace(of_world, after={**of_world.after, "returned": few, "bought": 1 - few}))
        for name, reason in (("returned", "have one"), ("bought", "have none")):
            link = of(found, name)
            assert link.reason == f"fewer than 10 customers {reason}"
            assert link.effect == link.spearman == link.mean == (None, None, None)
            assert link.bands == ()

    def test_a_control_that_cannot_be(self) -> None:
        of_world = world(1, n=200)
        churned = of(links(of_world), "churned")
        assert (churned.control_n, churned.control_holds) == (0, None)
        young = replace(of_world, control_tenure_days=np.full(200, -1.0))
        assert of(links(young), "net").control_holds is None

    def test_a_control_that_is_the_same_for_all_holds_nothing(self) -> None:
        rng = np.random.default_rng(1)
        x, y = rng.uniform(0, 100, 100), rng.normal(0, 1, 100)
        same = np.log1p(np.full(100, 399.5))  # whose standard deviation is not quite 0
        assert effect(y, x, [same]) == effect(y, x, [])

    def test_a_window_that_was_not_recorded_is_no_control(self) -> None:
        of_world = world(1, n=200)
        unknown = replace(of_world, control={**of_world.control, "net": np.full(200, np.nan)})
        assert (of(links(unknown), "net").control_n, of(links(unknown), "net").control_holds) == (0, None)
        assert of(links(unknown), "returned").control_n == 200

    def test_an_exposure_that_follows_from_the_controls_has_no_effect(self) -> None:
        x = np.arange(50.0)
        assert effect(x, x, [2 * x]) == (None, None, None)
