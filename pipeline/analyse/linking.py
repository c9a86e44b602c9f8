"""What experience up to a landmark day has to do with the results after it: arrays in, figures out.

Method
- A landmark (Anderson, Cain and Gelber 1983, J. Clin. Oncol. 1, 710-719): who counts, and with which experience, is
  decided by what was known before that day; results count from it on. So nobody's experience is part of what it is to
  explain, and nobody counts because of what came later: neither who became known by name only then, nor, as one who
  stays, who had left before and had bought nothing since.
- Spearman's rank correlation, with the interval of Bonett and Wright (2000), Psychometrika 65, 23-28: Fisher's z with
  the standard error √((1 + r²/2) / (n − 3)).
- The effect is the coefficient of experience in a linear regression on it, on tenure (its logarithm) and on earlier
  spend, with standard errors that allow for unequal spread (HC3: Long and Ervin 2000, Am. Stat. 54, 217-224). Of
  outcomes that happen or not it is a linear probability model: what changes is the share (Angrist and Pischke 2009,
  Mostly Harmless Econometrics, 3.4.2). It is given per 10 of the 100 points of the score.
- The negative control (Lipsitch, Tchetgen Tchetgen and Cohen 2010, Epidemiology 21, 383-388): experience of the last
  days before the landmark against the result of a window that was over when these began, which it cannot have caused.
  What may have caused that result, the experience as it stood when the window began and when it ended, is held
  constant (Flanders et al. 2011, Epidemiology 22, 59-67); so are tenure and the spend before the window. Only who was
  a customer through the window counts. What is left is what customers differ in otherwise, or what results do to
  experience.
- The dose curve is the plain mean per band of the score, without controls. Neighbouring bands are put together until
  each has enough people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
import statsmodels.api as sm
from scipy import stats

from pipeline.analyse import PEOPLE_MIN
from pipeline.analyse.few import few
from pipeline.domain.intervals import UNKNOWN, Interval, proportion

CUSTOMERS_MIN = 50  # with fewer, nothing is said
BAND_POINTS = 10
PER_POINTS = 10.0  # of the score, that an effect is of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result: an amount in a currency, or something that happens or not (then its mean is a share, 0 to 1)."""

    name: str
    label: str
    amount: bool
    controlled: bool  # whether it can have happened before the landmark to somebody who was active after it


OUTCOMES = (
    Outcome("net", "Net amount", amount=True, controlled=True),
    Outcome("bought", "Ordered or renewed", amount=False, controlled=True),
    Outcome("returned", "Returned or refunded", amount=False, controlled=True),
    Outcome("churned", "Left", amount=False, controlled=False),
)


@dataclass(frozen=True, slots=True)
class Customers:
    """Customers who were active before the landmark and had not left: arrays of one length, a customer at each place.

    Scores are 0 to 100, NaN where there was no evidence; amounts are in one currency. The control's window is as long
    as the one after the landmark, and ends where the last days begin.
    """

    score: Floats  # as it stood at the landmark
    tenure_days: Floats  # since they were first seen, until the landmark
    spend: Floats  # net amount of the window that ends at the landmark
    after: Mapping[str, Floats]  # outcome → result after the landmark
    recent: Floats  # mean experience of the last days before the landmark
    score_before: Floats  # as it stood when the control's window began
    score_between: Floats  # as it stood when it ended
    control_tenure_days: Floats  # until the control's window began; negative: not yet seen
    control_spend: Floats  # net amount of the window before the control's
    control: Mapping[str, Floats]  # outcome → result in the control's window; NaN: not recorded


@dataclass(frozen=True, slots=True)
class Band:
    """Customers whose score lies from `low` to below `high` (the last: up to it), and their mean result."""

    low: float
    high: float
    n: int
    mean: Interval


@dataclass(frozen=True, slots=True)
class Link:
    """What experience has to do with one outcome. Effects are per 10 points of the score."""

    outcome: Outcome
    n: int
    mean: Interval
    spearman: Interval
    effect: Interval
    control_n: int
    control: Interval
    bands: Sequence[Band]
    reason: str = ""  # why there are no figures

    @property
    def control_holds(self) -> bool | None:
        """Whether the negative control is null, as it should be; None: it says nothing."""
        if self.control.low is None or self.control.high is None:
            return None
        return self.control.low <= 0 <= self.control.high


def links(customers: Customers) -> list[Link]:
    """One for each outcome. Only who has a score counts; raises TooFew where these are not enough."""
    there = np.isfinite(customers.score)
    n = int(there.sum())
    if n < CUSTOMERS_MIN:
        raise TooFew(f"{few(n)} customers were active and have a score; it takes {CUSTOMERS_MIN} to say anything")
    if np.ptp(customers.score[there]) == 0:
        raise TooFew(f"all {n:,} customers have the same score: nothing can go with it")
    return [_link(customers, there, each) for each in OUTCOMES]


class TooFew(ValueError):
    """There is not enough to say anything; says what."""


def _link(customers: Customers, there: npt.NDArray[np.bool_], outcome: Outcome) -> Link:
    score, result = customers.score[there], customers.after[outcome.name][there]
    reason = _unfit(result, outcome)
    if reason:
        return Link(outcome, len(result), UNKNOWN, UNKNOWN, UNKNOWN, 0, UNKNOWN, (), reason)
    controls = [np.log1p(customers.tenure_days[there]), customers.spend[there]]
    control_n, control = _negative_control(customers, there, outcome)
    return Link(
        outcome=outcome,
        n=len(result),
        mean=_mean(result, outcome),
        spearman=spearman(score, result),
        effect=effect(result, score, controls),
        control_n=control_n,
        control=control,
        bands=bands(score, result, outcome),
    )


def _unfit(result: Floats, outcome: Outcome) -> str:
    """Why nothing can be said of a result; '' where something can."""
    some = int(np.count_nonzero(result))
    if some < PEOPLE_MIN or (not outcome.amount and len(result) - some < PEOPLE_MIN):
        return f"fewer than {PEOPLE_MIN} customers {'have one' if some < PEOPLE_MIN else 'have none'}"
    return "all have the same" if np.ptp(result) == 0 else ""


def spearman(x: Floats, y: Floats) -> Interval:
    """The rank correlation of two arrays, ties included, with its interval; unknown where one does not vary."""
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return UNKNOWN
    r = float(stats.spearmanr(x, y).statistic)
    if abs(r) >= 1:
        return Interval(r, r, r)
    margin = stats.norm.ppf(0.975) * sqrt((1 + r * r / 2) / (len(x) - 3))
    low, high = np.tanh(np.arctanh(r) + np.array([-margin, margin]))
    return Interval(r, float(low), float(high))


def effect(result: Floats, exposure: Floats, controls: Sequence[Floats]) -> Interval:
    """By how much the result changes with 10 points of exposure, all controls held constant.

    Unknown where there are fewer than 10 customers to each coefficient, or the exposure follows from the controls.
    """
    held = [(each - each.mean()) / each.std() for each in controls if each.size and np.ptp(each) > 0]
    columns = np.column_stack([exposure / PER_POINTS, np.ones_like(exposure), *held])
    if len(result) < 10 * columns.shape[1] or np.linalg.matrix_rank(columns) < columns.shape[1]:
        return UNKNOWN
    fitted = sm.OLS(result, columns).fit(cov_type="HC3", use_t=True)
    value, (low, high) = float(fitted.params[0]), fitted.conf_int(0.05)[0]
    if not np.isfinite([value, low, high]).all():  # one customer decides alone
        return UNKNOWN
    return Interval(value, float(low), float(high))


def _negative_control(customers: Customers, there: npt.NDArray[np.bool_], outcome: Outcome) -> tuple[int, Interval]:
    """How many customers it is made of, and the effect that should be none."""
    if not outcome.controlled:
        return 0, UNKNOWN
    whole = there & (customers.control_tenure_days >= 0)
    result = customers.control[outcome.name]
    for each in (result, customers.recent, customers.score_before, customers.score_between):
        whole &= np.isfinite(each)
    n, result = int(whole.sum()), result[whole]
    if n < CUSTOMERS_MIN or _unfit(result, outcome):
        return n, UNKNOWN
    held = [
        customers.score_before[whole],
        customers.score_between[whole],
        np.log1p(customers.control_tenure_days[whole]),
        customers.control_spend[whole],
    ]
    return n, effect(result, customers.recent[whole], held)


def bands(score: Floats, result: Floats, outcome: Outcome) -> list[Band]:
    """The dose curve: bands of 10 points from 0 to 100, put together until each has at least 10 customers."""
    at = np.minimum(score // BAND_POINTS, 100 // BAND_POINTS - 1).astype(int)
    counts = np.bincount(at, minlength=100 // BAND_POINTS)
    found: list[tuple[int, int]] = []  # from which band of 10 points, to before which
    begin = n = 0
    for end, count in enumerate(counts.tolist(), 1):
        n += count
        if n >= PEOPLE_MIN:
            found.append((begin, end))
            begin, n = end, 0
    if found and begin < len(counts):  # what is left over at the top
        found[-1] = (found[-1][0], len(counts))
    return [
        Band(low * BAND_POINTS, high * BAND_POINTS, int(inside.sum()), _mean(result[inside], outcome))
        for low, high in found
        for inside in [(at >= low) & (at < high)]
    ]


def _mean(result: Floats, outcome: Outcome) -> Interval:
    """The mean with its interval: Student's t of an amount, Wilson's of a share."""
    n, value = len(result), float(result.mean())
    if not outcome.amount:
        return proportion(float(np.count_nonzero(result)), n)
    margin = float(stats.t.ppf(0.975, n - 1) * result.std(ddof=1) / sqrt(n))
    return Interval(value, value - margin, value + margin)
