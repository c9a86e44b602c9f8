"""Figures with their 95 % intervals, as the views of ClickHouse compute them: the same formulas, to test those by.

Shares and scores are 0 to 1 where nothing else is said. Where too little is known an interval is None.

- a proportion: the score interval of Wilson (1927), J. Am. Stat. Assoc. 22, 209-212
- a difference of two proportions of one sample (NPS, top minus bottom): the adjusted Wald interval of Bonett and Price
  (2012), J. Educ. Behav. Stat. 37, 479-488, in the form of Rocks (2016), Am. Stat. 70, 365-372: three quarters of an
  answer more on each side, and three in all
- a mean: mean ± z·s/√n; where fewer than 30 must do (dots of few observations), Student's t instead of z
- a mean of several means that hang together, nobody knows how (three questions, or dimensions, of the same people):
  the widest that it can be, mean of means ± mean of their margins
- funnel limits: overall mean ± z·s/√n of a unit's size, after Spiegelhalter (2005), Stat. Med. 24, 1185-1202
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

Z95 = 1.959963984540054  # of the normal distribution, two-sided
Z998 = 3.090232306167813
#: Student's t, two-sided 95 %, of 2 to 29 pieces of evidence (1 to 28 degrees of freedom).
T95 = (
    *(12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139),
    *(2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963),
    *(2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407),
)
EXTRA = 0.75  # of an answer, on each side of a net share
EXTRA_ALL = 3.0


class Interval(NamedTuple):
    """A figure and the interval that holds it with 95 %; None where nothing can be said."""

    value: float | None
    low: float | None
    high: float | None


UNKNOWN = Interval(None, None, None)


def proportion(k: float, n: float) -> Interval:
    """k of n."""
    if n <= 0:
        return UNKNOWN
    share, z2 = k / n, Z95 * Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    margin = Z95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(share, max(middle - margin, 0.0), min(middle + margin, 1.0))


def net(up: float, down: float, n: float, extra: float = EXTRA, extra_all: float = EXTRA_ALL) -> Interval:
    """The share of `up` less the share of `down`, of n: −1 to 1. `extra`: what is added to each side, and to all."""
    if n <= 0:
        return UNKNOWN
    middle, margin = _net(up, down, n, extra, extra_all)
    return Interval((up - down) / n, max(middle - margin, -1.0), min(middle + margin, 1.0))


def _net(up: float, down: float, n: float, extra: float = EXTRA, extra_all: float = EXTRA_ALL) -> tuple[float, float]:
    """Middle and margin."""
    a, b, all_ = (up + extra) / (n + extra_all), (down + extra) / (n + extra_all), n + extra_all
    return a - b, Z95 * sqrt((a + b - (a - b) ** 2) / all_)


def mean(n: float, total: float, squares: float, least: float | None = None, most: float | None = None) -> Interval:
    """The mean from the sum and the sum of squares, kept within the scale; without an interval where n is 1."""
    if n <= 0:
        return UNKNOWN
    value = total / n
    if n < 2:
        return Interval(value, None, None)
    margin = Z95 * _error(n, total, squares)
    low, high = value - margin, value + margin
    return Interval(value, low if least is None else max(low, least), high if most is None else min(high, most))


def mean_of_few(n: int, total: float, squares: float) -> Interval:
    """As `mean`, for any n: with Student's t where there are fewer than 30."""
    if n <= 0:
        return UNKNOWN
    value = total / n
    if n < 2:
        return Interval(value, None, None)
    margin = (T95[n - 2] if n - 2 < len(T95) else Z95) * _error(n, total, squares)
    return Interval(value, value - margin, value + margin)


def _error(n: float, total: float, squares: float) -> float:
    """Standard error of a mean."""
    return sqrt(max(squares - total * total / n, 0.0) / (n - 1) / n)


def three_questions(answers: Sequence[tuple[float, float, float]]) -> Interval:
    """The net three-question index: the mean over the questions (n, high, low) of the share of 4 and 5 less that of 1
    and 2. Whoever answers one well is likely to answer the others well: so the margin is the mean of the questions'
    margins, as if they always went together. Unknown where one has no answer."""
    if any(n <= 0 for n, _, _ in answers):
        return UNKNOWN
    count = len(answers)
    each = [_net(high, low, n) for n, high, low in answers]
    middle, margin = sum(m for m, _ in each) / count, sum(m for _, m in each) / count
    value = sum((high - low) / n for n, high, low in answers) / count
    return Interval(value, max(middle - margin, -1.0), min(middle + margin, 1.0))


def score(dimensions: Sequence[tuple[int, float, float]], n_min: int) -> tuple[Interval, int]:
    """What the means of dimensions (n, sum, sum of squares; of 0 to 100) come to, and of how many pieces that is made.

    The mean of the means of those with enough evidence, at least `n_min` and 2; where none has enough, of all that
    have any, without an interval: then the count is that of the one with most.
    """
    least = max(n_min, 2)
    counted = [each for each in dimensions if each[0] >= least]
    if not counted:
        means = [total / n for n, total, _ in dimensions if n > 0]
        value = sum(means) / len(means) if means else None
        return Interval(value, None, None), max((n for n, _, _ in dimensions), default=0)
    each = [mean_of_few(*of) for of in counted]
    value = sum(i.value for i in each if i.value is not None) / len(each)
    margin = sum(i.high - i.value for i in each if i.high is not None and i.value is not None) / len(each)
    return Interval(value, max(value - margin, 0.0), min(value + margin, 100.0)), sum(n for n, _, _ in counted)


def funnel(overall: float, spread: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Between what a unit with n pieces of evidence lies by chance. `spread`: standard deviation of one piece."""
    margin = z * spread / sqrt(n)
    return overall - margin, overall + margin


def service_levels(
    answered_within: float, offered: float, abandoned_within: float
) -> tuple[float | None, float | None]:
    """(answered within T of all offered, … of those offered less those who hung up within T)"""
    net_offered = offered - abandoned_within
    return (
        answered_within / offered if offered > 0 else None,
        answered_within / net_offered if net_offered > 0 else None,
    )


class Control(NamedTuple):
    """A step of a moving average with its control limits."""

    average: float
    low: float
    high: float

    @property
    def broken(self) -> bool:
        """Whether it is outside, so that chance is no explanation."""
        return not self.low <= self.average <= self.high


def ewma(
    values: Sequence[float], base: int, weight: float = 0.2, width: float = 3.0, spread_min: float = 0.0
) -> list[Control]:
    """A control chart of values whose first `base` ones tell target and spread; a step for each later one."""
    first = values[:base]
    if len(first) < base or base < 2:
        return []
    target = sum(first) / base
    spread = max(sqrt(sum((x - target) ** 2 for x in first) / (base - 1)), spread_min)
    return moving(values[base:], target, spread, weight, width)


def moving(values: Sequence[float], target: float, spread: float, weight: float, width: float) -> list[Control]:
    """An exponentially weighted moving average with control limits (NIST/SEMATECH e-Handbook, 6.3.2.4), which widen
    to those of the handbook with each step (Montgomery, Introduction to Statistical Quality Control, 9.2)."""
    average, steps = target, []
    for step, x in enumerate(values, 1):
        average = weight * x + (1 - weight) * average
        margin = width * spread * sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * step)))
        steps.append(Control(average, target - margin, target + margin))
    return steps
