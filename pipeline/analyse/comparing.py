"""Groups of people against the rest: from their number, sum and sum of squares. Values in, values out.

- a group's mean with the interval of Student's t
- its difference from all others of whom the trait is known, with the interval and test of Welch (1947), Biometrika 34,
  28-35: the spreads need not be the same. Neither is taken to be less than that of everybody of whom the trait is
  known: where scores are 0 or 100, ten people who are all alike are common, and say nothing of how people differ
- corrected for how many groups are looked at, of all traits together, after Holm (1979), Scand. J. Stat. 6, 65-70: with
  5 % or less any group at all is said to differ where none does
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from scipy import stats
from statsmodels.stats.multitest import multipletests

from pipeline.analyse import PEOPLE_MIN
from pipeline.domain.intervals import Interval

ALPHA = 0.05
UNKNOWN = Interval(None, None, None)
BETTER, WORSE, ALIKE = "better", "worse", "no difference beyond chance"
NOBODY_ELSE = "fewer than 10 others to compare with"
ALL_EQUAL = "all scores are the same"


class Sums(NamedTuple):
    """Of people's scores."""

    n: int
    total: float
    squares: float

    def without(self, part: Sums) -> Sums:
        """Of the others."""
        return Sums(self.n - part.n, self.total - part.total, self.squares - part.squares)

    @property
    def mean(self) -> float:
        """Their mean."""
        return self.total / self.n

    @property
    def variance(self) -> float:
        """Of one person's score; 0 where rounding is all there is."""
        found = (self.squares - self.total**2 / self.n) / (self.n - 1)
        return found if found > 1e-9 * max(self.mean**2, 1) else 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """Some people."""

    trait: str
    segment: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class Compared:
    """A group beside the others."""

    group: Group
    mean: Interval
    difference: Interval  # the group's mean less the others'
    p: float | None  # that chance alone makes the difference
    p_corrected: float | None  # for all groups at once
    verdict: str


def compare(groups: Sequence[Group], everybody: Mapping[str, Sums]) -> list[Compared]:
    """Each group against the others of its trait; `everybody`: trait → the people of whom it is known, each once.

    Raises ValueError for a group of fewer than `PEOPLE_MIN`.
    """
    small = [each.segment for each in groups if each.sums.n < PEOPLE_MIN]
    if small:
        raise ValueError(f"groups of fewer than {PEOPLE_MIN} people: {', '.join(small)}")
    differences = [_difference(each.sums, everybody[each.trait]) for each in groups]
    tested = [p for _, p in differences if p is not None]
    corrected = iter(multipletests(tested, ALPHA, "holm")[1] if tested else ())
    found = []
    for group, (difference, p) in zip(groups, differences, strict=True):
        together = None if p is None else float(next(corrected))
        verdict = _verdict(difference, together)
        found.append(Compared(group, _mean(group.sums, everybody[group.trait]), difference, p, together, verdict))
    return found


def _verdict(difference: Interval, p: float | None) -> str:
    if difference.value is None:
        return NOBODY_ELSE
    if p is None:
        return ALL_EQUAL
    if p >= ALPHA:
        return ALIKE
    return BETTER if difference.value > 0 else WORSE


def _spread(of: Sums, everybody: Sums) -> float:
    """A variance: see above."""
    return max(of.variance, everybody.variance)


def _mean(of: Sums, everybody: Sums) -> Interval:
    margin = float(stats.t.ppf(1 - ALPHA / 2, of.n - 1)) * sqrt(_spread(of, everybody) / of.n)
    return Interval(of.mean, max(of.mean - margin, 0.0), min(of.mean + margin, 100.0))


def _difference(group: Sums, everybody: Sums) -> tuple[Interval, float | None]:
    """From the others, with its interval, and the chance; unknown where the others are too few to be told of."""
    others = everybody.without(group)
    if others.n < PEOPLE_MIN:
        return UNKNOWN, None
    value = group.mean - others.mean
    if everybody.variance == 0:
        return Interval(value, None, None), None
    own, theirs = _spread(group, everybody), _spread(others, everybody)
    welch = stats.ttest_ind_from_stats(
        *(group.mean, sqrt(own), group.n, others.mean, sqrt(theirs), others.n), equal_var=False
    )
    a, b = own / group.n, theirs / others.n
    freedom = (a + b) ** 2 / (a**2 / (group.n - 1) + b**2 / (others.n - 1))
    margin = float(stats.t.ppf(1 - ALPHA / 2, freedom)) * sqrt(a + b)
    return Interval(value, value - margin, value + margin), float(welch.pvalue)
