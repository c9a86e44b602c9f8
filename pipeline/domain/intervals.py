"""Figures with their 95 % intervals, as the views of ClickHouse compute them: the same formulas, to test those by.

Shares and scores are 0 to 1 where nothing else is said. Where too little is known an interval is None.

- a proportion: the score interval of Wilson (1927), J. Am. Stat. Assoc. 22, 209-212
- a difference of two proportions of one sample (NPS, top minus bottom): the adjusted Wald interval of Bonett and Price
  (2012), J. Educ. Behav. Stat. 37, 479-488, in the form of Rocks (2016), Int. J. Market Res. 58, 165-184: three
  quarters of an answer more on each side, and three in all
- a mean: mean ± z·s/√n
- funnel limits: overall mean ± z·s/√n of a unit's size, after Spiegelhalter (2005), Stat. Med. 24, 1185-1202
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

Z95 = 1.959963984540054  # of the normal distribution, two-sided
Z998 = 3.090232306167813
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


def net(up: float, down: float, n: float) -> Interval:
    """The share of `up` less the share of `down`, of n: −1 to 1."""
    if n <= 0:
        return UNKNOWN
    a, b, all_ = (up + EXTRA) / (n + EXTRA_ALL), (down + EXTRA) / (n + EXTRA_ALL), n + EXTRA_ALL
    margin = Z95 * sqrt((a + b - (a - b) ** 2) / all_)
    return Interval((up - down) / n, max(a - b - margin, -1.0), min(a - b + margin, 1.0))


def mean(n: float, total: float, squares: float, least: float | None = None, most: float | None = None) -> Interval:
    """The mean from the sum and the sum of squares, kept within the scale; without an interval where n is 1."""
    if n <= 0:
        return UNKNOWN
    value = total / n
    if n < 2:
        return Interval(value, None, None)
    margin = Z95 * sqrt(max(squares - total * total / n, 0.0) / (n - 1) / n)
    low, high = value - margin, value + margin
    return Interval(value, low if least is None else max(low, least), high if most is None else min(high, most))


def three_questions(answers: Sequence[tuple[float, float, float]]) -> Interval:
    """The net three-question index: the mean over the questions (n, high, low) of the share of 4 and 5 less that of 1
    and 2. Answers to different questions are taken as independent. Unknown where one has no answer."""
    if any(n <= 0 for n, _, _ in answers):
        return UNKNOWN
    count = len(answers)
    value = sum((high - low) / n for n, high, low in answers) / count
    adjusted = [
        ((high + EXTRA) / (n + EXTRA_ALL), (low + EXTRA) / (n + EXTRA_ALL), n + EXTRA_ALL) for n, high, low in answers
    ]
    middle = sum(a - b for a, b, _ in adjusted) / count
    margin = Z95 * sqrt(sum((a + b - (a - b) ** 2) / n for a, b, n in adjusted)) / count
    return Interval(value, max(middle - margin, -1.0), min(middle + margin, 1.0))


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
    """An exponentially weighted moving average with control limits (NIST/SEMATECH e-Handbook, 6.3.2.4).

    The first `base` values tell target and spread; a step for each later one.
    """
    first = values[:base]
    if len(first) < base or base < 2:
        return []
    target = sum(first) / base
    spread = max(sqrt(sum((x - target) ** 2 for x in first) / (base - 1)), spread_min)
    average, steps = target, []
    for step, x in enumerate(values[base:], 1):
        average = weight * x + (1 - weight) * average
        margin = width * spread * sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * step)))
        steps.append(Control(average, target - margin, target + margin))
    return steps
