"""How much each driver carries of what all of them explain, from correlations alone.

Arrays of correlations are `(…, k, k)`: whatever stands before the last two (bootstrap samples) is computed at once.
Index 0 is the outcome, the others are the p = k − 1 drivers. R² is of the regression of the outcome on drivers.

- LMG, the Shapley value of R²: Lindeman, Merenda and Gold (1980), Introduction to Bivariate and Multivariate Analysis,
  p. 119; Grömping (2007), Am. Stat. 61, 139-147. A driver's part is what it adds to R², averaged over all orders in
  which drivers may be added. Up to `EXACT_MAX` drivers all subsets are computed; beyond, orders are drawn, each with
  its reverse, and the standard error of that is told.
- Relative weights: Johnson (2000), Multivariate Behav. Res. 35, 1-19: by way of the orthogonal variables that are
  closest to the drivers. For two drivers they are LMG's.
- Variance inflation: the diagonal of the inverse of the drivers' correlations.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EXACT_MAX = 12  # drivers: 4,096 subsets
EIGEN_MIN = 1e-6  # of correlations: below it they are no longer those of any data, or drivers say all the same
_AT_ONCE = 1 << 22  # numbers in one array of subsets or orders: 32 MiB


def whole(correlations: Array) -> tuple[Array, NDArray[np.bool_]]:
    """The correlations, and where they had to be mended, (…).

    What is computed from pairs need not fit together (no data has such correlations), and drivers that say the same
    have no inverse. There eigenvalues are raised to `EIGEN_MIN`, and the diagonal is made 1 again.
    """
    values, vectors = np.linalg.eigh(correlations)
    mended = values[..., 0] < EIGEN_MIN
    if not mended.any():
        return correlations, mended
    raised: Array = (vectors * np.maximum(values, EIGEN_MIN)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    scale: Array = np.sqrt(np.diagonal(raised, axis1=-2, axis2=-1))
    fitted: Array = raised / (scale[..., :, None] * scale[..., None, :])
    found: Array = np.where(mended[..., None, None], fitted, correlations)
    return found, mended


def coefficients(correlations: Array) -> Array:
    """Standardised coefficients of the regression on all drivers, (…, p)."""
    return np.asarray(np.linalg.solve(correlations[..., 1:, 1:], correlations[..., 1:, :1])[..., 0], float)


def explained(correlations: Array) -> Array:
    """R² of all drivers, (…)."""
    found: Array = np.sum(coefficients(correlations) * correlations[..., 1:, 0], axis=-1)
    return found


def inflation(correlations: Array) -> Array:
    """Variance inflation factors, (…, p), from 1 on."""
    return np.diagonal(np.linalg.inv(correlations[..., 1:, 1:]), axis1=-2, axis2=-1)


def subsets(correlations: Array) -> Array:
    """R² of every subset of the drivers, (…, 2^p): the bits of its index say which are in it."""
    p = correlations.shape[-1] - 1
    inside, outcome = correlations[..., 1:, 1:], correlations[..., 1:, 0]
    found = np.zeros((*correlations.shape[:-2], 1 << p))
    for size in range(1, p + 1):
        chosen = np.array(list(combinations(range(p), size)))
        many = max(1, _AT_ONCE // (size * size * max(1, outcome.size // p)))
        for part in np.split(chosen, range(many, len(chosen), many)):
            matrix = inside[..., part[:, :, None], part[:, None, :]]
            r = outcome[..., part]
            found[..., np.sum(1 << part, axis=1)] = np.sum(np.linalg.solve(matrix, r[..., None])[..., 0] * r, axis=-1)
    return found


def lmg(correlations: Array) -> Array:
    """Each driver's part of R², (…, p): together they are R². Of all subsets, so for up to `EXACT_MAX` drivers."""
    p = correlations.shape[-1] - 1
    r2 = subsets(correlations)
    index = np.arange(1 << p)
    sizes = np.sum(index[:, None] >> np.arange(p) & 1, axis=1)
    orders = np.ones(p)  # of a subset of s before a driver: s! (p − s − 1)! / p!
    for s in range(p):
        orders[s] = 1 / (p * _choose(p - 1, s))
    parts = np.empty((*r2.shape[:-1], p))
    for j in range(p):
        without = index[index >> j & 1 == 0]
        parts[..., j] = (r2[..., without | 1 << j] - r2[..., without]) @ orders[sizes[without]]
    return parts


def _choose(n: int, k: int) -> float:
    return float(np.prod([(n - i) / (i + 1) for i in range(k)]))


def drawn(p: int, pairs: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Orders of p drivers, (2·pairs, p): each is followed by its reverse, which evens out who comes first."""
    orders = rng.permuted(np.tile(np.arange(p), (pairs, 1)), axis=1)
    return np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, p)


def lmg_sampled(correlations: Array, orders: NDArray[np.intp]) -> tuple[Array, Array]:
    """As `lmg`, over these orders only: the parts and the standard errors that drawing leaves, both (…, p).

    In one order, a driver adds the square of its entry of L⁻¹r, where L is the Cholesky factor of the drivers'
    correlations in that order and r those with the outcome.
    """
    p = correlations.shape[-1] - 1
    flat = correlations.reshape(-1, p + 1, p + 1)
    parts, errors = np.empty((len(flat), p)), np.empty((len(flat), p))
    back = np.argsort(orders, axis=1)
    for n, each in enumerate(flat):
        inside, outcome = each[1:, 1:], each[1:, 0]
        factor = np.linalg.cholesky(inside[orders[:, :, None], orders[:, None, :]])
        added = np.linalg.solve(factor, outcome[orders][..., None])[..., 0] ** 2
        pairs = np.take_along_axis(added, back, axis=1).reshape(-1, 2, p).mean(axis=1)
        parts[n], errors[n] = pairs.mean(axis=0), pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
    shape = (*correlations.shape[:-2], p)
    return parts.reshape(shape), errors.reshape(shape)


def relative_weights(correlations: Array) -> Array:
    """Johnson's relative weights, (…, p): together they are R²."""
    values, vectors = np.linalg.eigh(correlations[..., 1:, 1:])
    root = (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    loads = np.linalg.solve(root, correlations[..., 1:, :1])
    found: Array = ((root**2) @ (loads**2))[..., 0]
    return found
