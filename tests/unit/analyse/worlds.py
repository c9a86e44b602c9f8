"""Worlds whose drivers are known, as tables of people: the outcome, then the drivers; NaN is what nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.analyse.resampling import Array


def world(
    people: int,
    effects: Sequence[float],
    *,
    seed: int = 0,
    alike: float = 0.3,
    noise: float = 12.0,
    missing: float = 0.0,
) -> Array:
    """Drivers around 60 of which an effect is planted (points of the outcome per point), the others of no effect.

    `alike`: how much drivers have in common, as a correlation; `missing`: the share of what nobody knows.
    """
    rng = np.random.default_rng(seed)
    p = len(effects)
    common = rng.normal(size=(people, 1))
    drivers = 60 + 10 * (np.sqrt(alike) * common + np.sqrt(1 - alike) * rng.normal(size=(people, p)))
    outcome = 20 + drivers @ np.asarray(effects, float) + noise * rng.normal(size=people)
    drivers[rng.random(drivers.shape) < missing] = np.nan
    return np.column_stack([outcome, drivers])


def matrix(p: int, seed: int) -> Array:
    """Correlations of an outcome and p drivers, as of data."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(4 * p + 8, p + 1)) @ rng.normal(size=(p + 1, p + 1))
    return np.asarray(np.corrcoef(data, rowvar=False))
