"""What a touchpoint's score did when something was changed there: daily sums of evidence in, figures out.

Method
- The score is the one of dots: the mean of the means of the dimensions, here of those that have enough evidence in
  both windows, so that the same is compared with the same. Windows are equally long, of whole weeks, on either side
  of the day of the change; the day itself is in neither.
- Evidence of one day hangs together (the same people, the same weather, the same queue), and so do the dimensions of
  one interaction. So days are the units: the variance of a score is that of a ratio over days, by linearization
  (Cochran 1977, Sampling Techniques, 6.4), all dimensions of a day together; and differences have Welch's degrees of
  freedom.
- Touchpoints that were not changed say what would have happened anyway (difference in differences). Their differences
  are pooled with random effects (DerSimonian and Laird 1986, Control. Clin. Trials 7, 177-188; the variance between
  them after Paule and Mandel 1982), and the touchpoint is held against what one more of them would do: the prediction
  interval of Higgins, Thompson and Spiegelhalter (2009), J. R. Stat. Soc. A 172, 137-159. With one changed touchpoint
  and few others, intervals that know only the spread within each are far too short (Donald and Lang 2007, Rev. Econ.
  Stat. 89, 221-233; Conley and Taber 2011, Rev. Econ. Stat. 93, 113-125).
- The same once more for the two windows before the change, when nothing was changed: where the touchpoint fell behind
  the others before it, part of what follows may be a return to what is usual (Ashenfelter's dip: 1978, Rev. Econ. Stat.
  60, 47-57); where it was gaining already, part would have come anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from pipeline.domain.intervals import UNKNOWN, Interval

PIECES_MIN = 10  # of evidence of a dimension in a window, and more where the catalogue says so
DAYS_MIN = 4  # with evidence, in a window
OTHERS_MIN = 3  # touchpoints to compare with
WEEK = 7
VARIANCE_MIN = 1e-6  # of a score: where all answers are alike, they still are not known for certain
MIX_POINTS = 0.2  # by how much the part of evidence that was asked may change without a word

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of touchpoints by day. `n` and `total` (sum of scores, each 0 to 100): touchpoints × days × dimensions.

    `asked_n`: touchpoints × days, how many of the pieces people gave in answer to a question.
    """

    touchpoints: Sequence[str]
    start: date  # the first day
    n: Floats
    total: Floats
    asked_n: Floats


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that was changed at a touchpoint."""

    change_id: str
    touchpoint: str
    on: date


class Side(NamedTuple):
    """The score of a window: how many pieces it is made of, its value, its variance and its degrees of freedom."""

    n: int
    value: float
    variance: float
    freedom: float

    @property
    def interval(self) -> Interval:
        """With 95 %, within the scale."""
        margin = _t(self.freedom) * sqrt(self.variance)
        return Interval(self.value, max(self.value - margin, 0.0), min(self.value + margin, 100.0))


class Difference(NamedTuple):
    """After less before."""

    value: float
    variance: float
    freedom: float

    @property
    def interval(self) -> Interval:
        """With 95 %."""
        margin = _t(self.freedom) * sqrt(self.variance)
        return Interval(self.value, self.value - margin, self.value + margin)


@dataclass(frozen=True, slots=True)
class Compared:
    """A change, and what came of it. What is not known is UNKNOWN, with the reason in `reason` or `alone`."""

    change: Changed
    days: int = 0  # of each window
    before_n: int = 0
    after_n: int = 0
    before: Interval = UNKNOWN
    after: Interval = UNKNOWN
    difference: Interval = UNKNOWN
    others: int = 0  # touchpoints that were not changed
    others_difference: Interval = UNKNOWN
    effect: Interval = UNKNOWN  # the difference less that of the others
    earlier: Interval = UNKNOWN  # the same for the two windows before the change
    reason: str = ""  # why it is grey
    alone: str = ""  # why it is compared with nothing
    also: int = 0  # other changes of the touchpoint within the windows
    mix: bool = False  # another part of the evidence was asked before than after

    @property
    def verdict(self) -> str:
        """grey, better, worse, or no difference beyond chance; against the others as soon as there are any."""
        best = self.difference if self.effect.low is None else self.effect
        if self.reason or best.low is None or best.high is None:
            return "grey"
        return "better" if best.low > 0 else "worse" if best.high < 0 else "no difference"


@dataclass(frozen=True, slots=True)
class How:
    """How changes are compared."""

    until: date  # the first day that is not over
    days: int = 28  # of a window, at most; whole weeks
    n_min: dict[str, int] = field(default_factory=dict)  # touchpoint → with less evidence nothing is said


def compared(changes: Sequence[Changed], evidence: Evidence, how: How, of: Iterable[Changed]) -> list[Compared]:
    """What came of each of `of`, in their order. `changes` are all that are known: who was not changed follows."""
    return [_compared(each, changes, evidence, how) for each in of]


def _compared(change: Changed, changes: Sequence[Changed], evidence: Evidence, how: How) -> Compared:
    whole = min(how.days, (how.until - change.on).days - 1) // WEEK * WEEK
    if whole < WEEK:
        over = change.on + timedelta(days=WEEK + 1)
        return Compared(change, reason=f"too early: a week after it is over on {over.isoformat()}")
    if change.touchpoint not in evidence.touchpoints:
        return Compared(change, whole, reason="there is no evidence of the touchpoint")
    windows = _Windows(change.on, whole)
    at = evidence.touchpoints.index(change.touchpoint)
    sides = _sides(evidence, at, windows.before, windows.after, _least(how, change.touchpoint))
    if sides is None:
        return _too_little(change, whole, evidence, windows, how)
    before, after, _ = sides
    mine = difference(before, after)
    near = [
        each
        for each in changes
        if windows.before[0] <= each.on < windows.after[1] and each.change_id != change.change_id
    ]
    touched = {each.touchpoint for each in near} | {change.touchpoint}
    pool = _pool(evidence, windows.before, windows.after, how, touched)
    found = Compared(
        change=change,
        days=whole,
        before_n=before.n,
        after_n=after.n,
        before=before.interval,
        after=after.interval,
        difference=mine.interval,
        others=len(pool),
        also=sum(each.touchpoint == change.touchpoint for each in near),
        mix=abs(_asked(evidence, at, windows.before) - _asked(evidence, at, windows.after)) > MIX_POINTS,
    )
    if len(pool) < OTHERS_MIN:
        return replace(found, alone=f"fewer than {OTHERS_MIN} touchpoints that were not changed have enough evidence")
    others, effect = against(mine, pool)
    return replace(
        found,
        others_difference=others,
        effect=effect,
        earlier=_earlier(evidence, at, windows, how, changes, change),
    )


class _Windows(NamedTuple):
    """The windows around a change. Each is a first day, and the one after the last."""

    on: date
    days: int

    @property
    def after(self) -> tuple[date, date]:
        return self.on + timedelta(days=1), self.on + timedelta(days=1 + self.days)

    @property
    def before(self) -> tuple[date, date]:
        return self.on - timedelta(days=self.days), self.on

    @property
    def earlier(self) -> tuple[date, date]:
        """What is before that once more."""
        return self.on - timedelta(days=2 * self.days), self.on - timedelta(days=self.days)


Window = tuple[date, date]


def difference(before: Side, after: Side) -> Difference:
    """After less before, with Welch's degrees of freedom."""
    variance = before.variance + after.variance
    freedom = variance**2 / (before.variance**2 / before.freedom + after.variance**2 / after.freedom)
    return Difference(after.value - before.value, variance, freedom)


def side(n: Floats, total: Floats) -> Side:
    """The score of a window, from n and total by days × dimensions; each dimension has evidence.

    A mean over days is a ratio; what a day adds to its error is (total − mean · n) / all n. Days without evidence add
    nothing, and do not count.
    """
    days = int((n.sum(axis=1) > 0).sum())
    pieces = n.sum(axis=0)
    means = total.sum(axis=0) / pieces
    errors = ((total - means * n) / pieces).mean(axis=1)
    variance = days / (days - 1) * float((errors**2).sum())
    return Side(int(pieces.sum()), float(means.mean()), max(variance, VARIANCE_MIN), days - 1)


def against(mine: Difference, pool: Sequence[Difference]) -> tuple[Interval, Interval]:
    """The pooled difference of the others with its interval; and mine less that, with the one of one more of them."""
    k = len(pool)
    values = np.array([each.value for each in pool])
    pooled = combine_effects(values, np.array([each.variance for each in pool]), method_re="iterated")
    mean, error = float(pooled.mean_effect_re), float(pooled.sd_eff_w_re)
    between = max(float(pooled.tau2), 0.0)
    margin = _t(k - 1) * error
    value, of_others = mine.value - mean, between + error**2
    variance = mine.variance + of_others
    # Welch and Satterthwaite: how well the variance is known, from how well either part of it is.
    freedom = variance**2 / (mine.variance**2 / mine.freedom + of_others**2 / max(k - 2, 1))
    beyond = _t(freedom) * sqrt(variance)
    return Interval(mean, mean - margin, mean + margin), Interval(value, value - beyond, value + beyond)


def _sides(
    evidence: Evidence, at: int, before: Window, after: Window, least: int
) -> tuple[Side, Side, npt.NDArray[np.bool_]] | None:
    """The scores of both windows, of the dimensions that have enough evidence in either; None where none has."""
    first, second = (_days(evidence, window) for window in (before, after))
    if first is None or second is None:
        return None
    n, total = evidence.n[at], evidence.total[at]
    enough = np.logical_and.reduce(
        [(n[days].sum(axis=0) >= least) & ((n[days] > 0).sum(axis=0) >= DAYS_MIN) for days in (first, second)]
    )
    if not enough.any():
        return None
    earlier, later = (side(n[days][:, enough], total[days][:, enough]) for days in (first, second))
    return earlier, later, enough


def _days(evidence: Evidence, window: Window) -> slice | None:
    """Where the days of a window are; None where the evidence does not reach back so far."""
    begin, end = ((day - evidence.start).days for day in window)
    return None if begin < 0 or end > evidence.n.shape[1] else slice(begin, end)


def _pool(evidence: Evidence, before: Window, after: Window, how: How, touched: set[str]) -> list[Difference]:
    """The differences of all that were not changed and have enough evidence."""
    found = []
    for at, name in enumerate(evidence.touchpoints):
        sides = None if name in touched else _sides(evidence, at, before, after, _least(how, name))
        if sides is not None:
            found.append(difference(sides[0], sides[1]))
    return found


def _earlier(
    evidence: Evidence, at: int, windows: _Windows, how: How, changes: Sequence[Changed], change: Changed
) -> Interval:
    """The effect of nothing: the two windows before the change, against those that were not changed then either."""
    sides = _sides(evidence, at, windows.earlier, windows.before, _least(how, change.touchpoint))
    near = {each.touchpoint for each in changes if windows.earlier[0] <= each.on < windows.before[1]}
    pool = _pool(evidence, windows.earlier, windows.before, how, near | {change.touchpoint})
    if sides is None or change.touchpoint in near or len(pool) < OTHERS_MIN:
        return UNKNOWN
    return against(difference(sides[0], sides[1]), pool)[1]


def _too_little(change: Changed, days: int, evidence: Evidence, windows: _Windows, how: How) -> Compared:
    at, least = evidence.touchpoints.index(change.touchpoint), _least(how, change.touchpoint)
    counts = []
    for window in (windows.before, windows.after):
        where = _days(evidence, window)
        counts.append(0 if where is None else int(evidence.n[at, where].sum()))
    reason = f"no dimension has {least} pieces of evidence on {DAYS_MIN} days, before and after"
    return Compared(change, days, before_n=counts[0], after_n=counts[1], reason=reason)


def _asked(evidence: Evidence, at: int, window: Window) -> float:
    """Which part of the evidence was asked."""
    where = _days(evidence, window)
    pieces = 0.0 if where is None else float(evidence.n[at, where].sum())
    return float(evidence.asked_n[at, where].sum()) / pieces if pieces else 0.0


def _least(how: How, touchpoint: str) -> int:
    return max(how.n_min.get(touchpoint, 0), PIECES_MIN)


def _t(freedom: float) -> float:
    """Student's t, two-sided 95 %."""
    return float(stats.t.ppf(0.975, max(freedom, 1.0)))
