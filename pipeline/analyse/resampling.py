"""Means, spreads and correlations of people, and the same of people drawn again (the bootstrap), in one pass.

Whoever is drawn comes with all that is known of them. How often is a Poisson number of mean 1: for many people that is
drawing with replacement, and a block of them can be drawn without the others (Chamandy et al. 2012, Estimating
Uncertainty for Massive Data Streams). A sample then is nothing but weighted sums; no data is copied. Sums of samples
are made of numbers of 32 bits, a block at a time: what that loses is far below what samples differ by.

Missing stays missing: a figure of one column is of the people in whom it is known, one of two columns of those in whom
both are. Values are NaN where nobody knows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Narrow = NDArray[np.float32]

BLOCK = 4_096  # people at once; a part of what a seed means
#: How often 0, 1, 2, … come among 65,536 draws from a Poisson distribution of mean 1: with exactly that mean.
_POISSON = np.repeat(np.arange(9, dtype=np.float32), (24_111, 24_108, 12_054, 4_018, 1_005, 201, 33, 5, 1))


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all people (index 0) and of each sample: (1 + samples, k, k), of those in whom columns i and j are known.

    Values are counted from `centre` in units of `scale`, (k), so that sums keep their digits.
    """

    centre: Array
    scale: Array
    n: Array
    first: Array  # of column i
    second: Array  # of its squares
    cross: Array  # of column i times column j

    def means(self) -> Array:
        """Of each column, (1 + samples, k); NaN where nobody is."""
        n, first = (_diagonal(each) for each in (self.n, self.first))
        return self.centre + self.scale * _per(first, n)

    def deviations(self) -> Array:
        """Standard deviations of each column, (1 + samples, k)."""
        n, first, second = (_diagonal(each) for each in (self.n, self.first, self.second))
        return self.scale * np.sqrt(np.maximum(_per(second, n) - _per(first, n) ** 2, 0))

    def correlations(self) -> Array:
        """Of each pair of columns, (1 + samples, k, k); 0 where one of them does not vary."""
        mean = _per(self.first, self.n)
        variance = np.maximum(_per(self.second, self.n) - mean**2, 0)
        covariance = _per(self.cross, self.n) - mean * np.swapaxes(mean, 1, 2)
        spread = np.sqrt(variance * np.swapaxes(variance, 1, 2))
        known = np.nan_to_num(spread) > 1e-12
        found = np.clip(np.where(known, covariance / np.where(known, spread, 1), 0), -1, 1)
        each = np.arange(found.shape[-1])
        found[:, each, each] = 1
        return found


def sums(values: Array, samples: int, seed: int, advance: Callable[[int], None] = lambda people: None) -> Sums:
    """Sums of people × columns, and of as many samples; `advance` is told of each block how many people are done."""
    people, k = values.shape
    centre, scale = _centred(values)
    rng = np.random.default_rng(seed)
    exact = np.zeros((4, k, k))
    drawn = np.zeros((samples, 4 * k * k))
    for start in range(0, people, BLOCK):
        block = ((values[start : start + BLOCK] - centre) / scale).T
        known = (~np.isnan(block)).astype(float)
        filled = np.nan_to_num(block)
        exact += np.stack([known @ known.T, filled @ known.T, filled**2 @ known.T, filled @ filled.T])
        weights = _POISSON[rng.integers(0, len(_POISSON), (samples, block.shape[1]), dtype=np.uint16)]
        drawn += weights @ _products(filled.astype(np.float32), known.astype(np.float32)).T
        advance(block.shape[1])
    both = np.concatenate([exact[None], drawn.reshape(samples, 4, k, k)])
    return Sums(centre, scale, both[:, 0], both[:, 1], both[:, 2], both[:, 3])


def _products(filled: Narrow, known: Narrow) -> Narrow:
    """What is summed up of each person, (4·k·k, people): as `exact` has it, from columns × people."""
    k, people = filled.shape
    made = np.empty((4, k, k, people), np.float32)
    for out, left, right in zip(made, (known, filled, filled**2, filled), (known, known, known, filled), strict=True):
        np.multiply(left[:, None, :], right[None, :, :], out=out)
    return made.reshape(4 * k * k, people)


def _centred(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column; 0 and 1 where there are none."""
    known = ~np.isnan(values)
    n = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, values, 0).sum(axis=0) / n
    scale = np.sqrt((np.where(known, values - centre, 0) ** 2).sum(axis=0) / n)
    return centre, np.where(scale > 1e-9, scale, 1)


def _diagonal(of: Array) -> Array:
    return np.diagonal(of, axis1=1, axis2=2)


def _per(total: Array, n: Array) -> Array:
    return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
