"""From a table of people to what drives the outcome: figures with their intervals. Values in, values out.

Column 0 is the outcome, the others are the drivers; NaN is what nobody knows, and stays unknown. Every correlation is
of the people in whom both are known (`resampling`), so nobody has to have been everywhere. That asks for enough of them
at each pair of drivers: `CASES_MIN` people for each driver.

What is found is more than chance where the coefficient of a driver, the others equal, is (normal, with the standard
error of the samples; corrected for the number of drivers after Holm). Whether all drivers together explain anything is
asked first, by the test of Wald that all coefficients are 0, with the covariance that they have over the samples
(Hotelling 1931, Ann. Math. Stat. 2, 360-378, as F). The usual F test would not do: where correlations are of different
people and drivers go together, R² comes out large by chance alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pipeline.analyse import importance, resampling
from pipeline.analyse.resampling import Array

CASES_MIN = 10  # people for each driver
ALPHA = 0.05
_COUNTED = 1 << 16  # people at once


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is drawn at random."""

    seed: int
    samples: int = 200  # of people, for intervals
    pairs: int = 500  # of orders of drivers, where there are too many for all of them


@dataclass(frozen=True, slots=True)
class Interval:
    """Figures with their 95 % intervals, each (p)."""

    value: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Study:
    """What the p drivers carry; all arrays are in their order."""

    n: NDArray[np.int64]  # people in whom the outcome and the driver are known
    fewest: int  # people in whom a pair of columns is known
    r2: tuple[float, float, float]  # with its interval
    p_value: float  # that all drivers together explain nothing
    share: Interval  # of R², by LMG: 0 to 1
    error: Array | None  # standard error of the share where orders were drawn
    weight: Interval  # the same after Johnson
    performance: Interval  # mean of the driver's column
    coefficient: Interval  # of the outcome, per unit of the driver, the others equal
    p: Array  # that the coefficient is 0
    p_corrected: Array  # the same, for all drivers at once
    inflation: Array
    rank: Interval  # 1: the largest share
    uncertain: tuple[tuple[int, int], ...]  # neighbours by share, the larger first, whose order chance may have made
    mended: bool  # correlations did not fit together (`importance.whole`)


def pairs(values: Array) -> NDArray[np.int64]:
    """In how many people both columns are known, (k, k)."""
    total = np.zeros((values.shape[1], values.shape[1]))
    for start in range(0, len(values), _COUNTED):
        known = (~np.isnan(values[start : start + _COUNTED])).astype(float)
        total += known.T @ known
    return total.astype(np.int64)


def usable(counts: NDArray[np.int64]) -> list[int]:
    """Which drivers (1, 2, … as columns) have enough people with each other: those with fewest are left out first."""
    kept = list(range(1, len(counts)))
    while kept:
        fewest = [int(counts[each, [0, *kept]].min()) for each in kept]
        if min(fewest) >= CASES_MIN * len(kept):
            break
        # Of equals the one that fewest people know, and of these the last: the others were asked for before.
        worst = min(range(len(kept)), key=lambda at: (fewest[at], counts[kept[at], kept[at]], -at))
        del kept[worst]
    return kept


def varying(values: Array) -> NDArray[np.bool_]:
    """Which columns have more than one value."""
    known = ~np.isnan(values)
    high = np.max(values, axis=0, initial=-np.inf, where=known)
    low = np.min(values, axis=0, initial=np.inf, where=known)
    return np.asarray(high - low > 1e-9)


def study(values: Array, sampling: Sampling, advance: Callable[[int], None] = lambda people: None) -> Study:
    """What the drivers carry. The columns vary, and `usable` has them all; `advance` is told how many people are done.

    Raises ValueError where there are not two drivers.
    """
    p = values.shape[1] - 1
    if p < 2:
        raise ValueError(f"{p} drivers: a share of one is no share")
    sums = resampling.sums(values, sampling.samples, sampling.seed, advance)
    correlations, mended = importance.whole(sums.correlations())
    r2 = importance.explained(correlations)
    parts, error = _parts(correlations, sampling)
    share = parts / parts.sum(axis=1, keepdims=True)
    weights = importance.relative_weights(correlations)
    deviations = sums.deviations()
    slopes = importance.coefficients(correlations) * deviations[:, :1] / np.maximum(deviations[:, 1:], 1e-12)
    p_each = _chances(slopes)
    return Study(
        n=sums.n[0, 0, 1:].round().astype(np.int64),
        fewest=int(sums.n[0].min()),
        r2=(float(r2[0]), float(np.quantile(r2[1:], 0.025)), float(np.quantile(r2[1:], 0.975))),
        p_value=_explains_nothing(slopes),
        share=_interval(share),
        error=None if error is None else error / parts[0].sum(),
        weight=_interval(weights / weights.sum(axis=1, keepdims=True)),
        performance=_interval(sums.means()[:, 1:]),
        coefficient=_interval(slopes),
        p=p_each,
        p_corrected=multipletests(p_each, ALPHA, "holm")[1],
        inflation=importance.inflation(correlations[0]),
        rank=_ranks(share),
        uncertain=_uncertain(share),
        mended=bool(mended[0]),
    )


def _parts(correlations: Array, sampling: Sampling) -> tuple[Array, Array | None]:
    """Parts of R², (1 + samples, p), and of the first the error that drawing orders leaves."""
    p = correlations.shape[-1] - 1
    if p <= importance.EXACT_MAX:
        return importance.lmg(correlations), None
    # The same orders for every sample, so that samples differ by their people alone.
    orders = importance.drawn(p, sampling.pairs, np.random.default_rng([sampling.seed, p]))
    parts, errors = importance.lmg_sampled(correlations, orders)
    return parts, errors[0]


def _interval(of: Array) -> Interval:
    """The figures of everybody, with the middle 95 % of those of the samples. (1 + samples, p)."""
    low, high = np.nanquantile(of[1:], (0.025, 0.975), axis=0)
    return Interval(of[0], np.minimum(low, of[0]), np.maximum(high, of[0]))


def _chances(slopes: Array) -> Array:
    spread = slopes[1:].std(axis=0, ddof=1)
    distance = np.abs(slopes[0]) / np.maximum(spread, 1e-300)
    found: Array = 2 * stats.norm.sf(np.where(slopes[0] == 0, 0, distance))
    return found


def _explains_nothing(slopes: Array) -> float:
    """The chance that all are 0. (1 + samples, p)."""
    samples, p = len(slopes) - 1, slopes.shape[1]
    spread = np.linalg.pinv(np.cov(slopes[1:], rowvar=False), hermitian=True)
    distance = float(slopes[0] @ spread @ slopes[0])
    return float(stats.f.sf(distance * (samples - p) / (p * (samples - 1)), p, samples - p))


def _ranks(share: Array) -> Interval:
    ranks = 1.0 + np.argsort(np.argsort(-share, axis=1, kind="stable"), axis=1)
    low, high = np.quantile(ranks[1:], (0.025, 0.975), axis=0, method="closest_observation")
    return Interval(ranks[0], np.minimum(low, ranks[0]), np.maximum(high, ranks[0]))


def _uncertain(share: Array) -> tuple[tuple[int, int], ...]:
    order = np.argsort(-share[0], kind="stable")
    ahead = [(int(a), int(b)) for a, b in pairwise(order)]
    return tuple((a, b) for a, b in ahead if np.mean(share[1:, a] <= share[1:, b]) > ALPHA / 2)
