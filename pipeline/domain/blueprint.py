"""A journey as a service blueprint: its stages, who is met there, how that goes, and how people go on.

Rows are the layers of the catalogue, columns the steps of the journey. A node's figure is judged as its dot is (the
view `touchpoint_dots`): green, yellow or red only where the whole interval lies on one side of each threshold, else
grey; of what lies behind the line of visibility it is the mean of observations. Compared with the period before, a
change is beyond chance where the interval of the difference leaves out zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

from pipeline.domain import intervals
from pipeline.domain.catalogue import Journey, Step, Thresholds, Touchpoint
from pipeline.domain.intervals import UNKNOWN, Interval

#: The layers from the customer inwards; the line of visibility is before the first that is hidden.
LAYERS = ("evidence", "customer", "frontstage", "backstage", "support")
HIDDEN = ("backstage", "support")
SCORE = "score"  # what thresholds are about where they name no measure of observations

Part = tuple[int, float, float]  # n, sum, sum of squares


@dataclass(frozen=True, slots=True)
class Segment:
    """Some of the people: `kind` is known, channels, or a detail of the catalogue; both empty: everybody."""

    kind: str = ""
    value: str = ""


EVERYBODY = Segment()
KNOWN = (Segment("known", "known customer"), Segment("known", "not known by name"))
CHANNELS = (Segment("channels", "several channels"), Segment("channels", "one channel"))


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of the people at a step: of all ways on, or of one."""

    persons: int = 0
    interactions: int = 0
    went_on: int | None = None  # None: nothing follows
    median_s: float | None = None  # of those who went on; None: nobody did

    @property
    def share(self) -> Interval:
        """Of the people there, 0 to 1; unknown where nothing follows, or nobody was there."""
        return UNKNOWN if self.went_on is None else intervals.proportion(self.went_on, self.persons)

    @property
    def dropped_off(self) -> int | None:
        """Who did not go on, or not yet; None: nothing follows."""
        return None if self.went_on is None else self.persons - self.went_on


#: (journey, step, '') → what became of the people there; (journey, step, next) → of one way.
Ways = Mapping[tuple[str, str, str], Passage]


@dataclass(frozen=True, slots=True)
class Sums:
    """What happened at a touchpoint in a bucket of time. `at`: its start, ms since 1970."""

    touchpoint: str
    at: int
    earlier: bool  # in the period before
    interactions: int  # of what is observed: how often
    parts: Sequence[Part]  # effectiveness, ease, emotion; or the one of a measure
    expected: tuple[int, int] = (0, 0)  # with the measure that customers expect something of; as good or better


@dataclass(frozen=True, slots=True)
class Change:
    """A figure less what it was in the period before."""

    by: float
    beyond_chance: bool
    better: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """How a touchpoint goes in a period."""

    measure: str  # score, or one of observations; '' where nothing is measured
    figure: Interval
    n: int
    volume: int
    dot: str  # green, yellow, red, grey; '' where the catalogue gives no thresholds
    change: Change | None
    trend: Sequence[float | None]  # a value for each bucket, oldest first
    met: Interval = UNKNOWN  # share of those of whom something was expected that was as good, or better
    expected: int = 0  # of how many that is made


@dataclass(frozen=True, slots=True)
class Node:
    """A touchpoint on the map."""

    touchpoint: Touchpoint
    reading: Reading
    alerts: int = 0  # open ones


@dataclass(frozen=True, slots=True)
class Stage:
    """A column."""

    step: Step
    rows: Mapping[str, Sequence[Node]]  # by layer
    passage: Passage | None  # None: not counted yet
    before: Passage | None


@dataclass(frozen=True, slots=True)
class Way:
    """From a stage to another one, by their positions."""

    start: int
    to: int
    passage: Passage | None
    before: Passage | None


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A journey with its figures."""

    journey: Journey
    stages: Sequence[Stage]
    ways: Sequence[Way]


@dataclass(frozen=True, slots=True)
class Figures:
    """All that a blueprint shows beside the catalogue. Ways are None while nobody has counted them."""

    sums: Sequence[Sums] = ()
    ways: Ways | None = None
    before: Ways | None = None
    alerts: Mapping[str, int] = field(default_factory=dict)
    buckets: Sequence[int] = ()  # starts of the trend's buckets, ms since 1970


def blueprint(journey: Journey, touchpoints: Mapping[str, Touchpoint], figures: Figures) -> Blueprint:
    """Put a journey together. A touchpoint of several steps stands in each; its figure is of all that happens there."""
    by_touchpoint: dict[str, list[Sums]] = {}
    for each in figures.sums:
        by_touchpoint.setdefault(each.touchpoint, []).append(each)
    position = {step.id: n for n, step in enumerate(journey.steps)}

    def node(name: str) -> Node:
        known = touchpoints[name]
        found = reading(known, by_touchpoint.get(name, ()), figures.buckets)
        return Node(known, found, figures.alerts.get(name, 0))

    def stage(step: Step) -> Stage:
        nodes = [node(name) for name in step.touchpoints]
        rows = {layer: [each for each in nodes if each.touchpoint.layer == layer] for layer in LAYERS}
        key = (journey.id, step.id, "")
        return Stage(step, rows, _passage(figures.ways, key), _passage(figures.before, key))

    ways = []
    for start, to in journey.edges:
        key = (journey.id, start, to)
        now, before = _passage(figures.ways, key), _passage(figures.before, key)
        ways.append(Way(position[start], position[to], now, before))
    return Blueprint(journey, [stage(step) for step in journey.steps], ways)


def measured(touchpoint: Touchpoint) -> str:
    """What a touchpoint's figure is made of: score, a measure of its observations, or '' where nothing is."""
    if touchpoint.thresholds is not None:
        return touchpoint.thresholds.measure
    return "" if touchpoint.layer in HIDDEN else SCORE


def reading(touchpoint: Touchpoint, sums: Iterable[Sums], buckets: Sequence[int]) -> Reading:
    """How it goes in the period, judged by its thresholds, and how that differs from the period before."""
    now, before = _Total(), _Total()
    at: dict[int, _Total] = {}
    for each in sums:
        (before if each.earlier else now).add(each)
        if not each.earlier:
            at.setdefault(each.at, _Total()).add(each)
    measure = measured(touchpoint)
    figure, n = _figure(measure, now.parts, touchpoint.n_min)
    earlier, _ = _figure(measure, before.parts, touchpoint.n_min)
    trend = [_figure(measure, at[each].parts, 1)[0].value if each in at else None for each in buckets]
    limits = touchpoint.thresholds
    lower = limits is not None and limits.green < limits.yellow
    change = changed(figure, earlier, lower)
    met = intervals.proportion(now.met, now.expected)
    return Reading(measure, figure, n, now.interactions, dot(limits, figure), change, trend, met, now.expected)


def dot(limits: Thresholds | None, figure: Interval) -> str:
    """The colour of a figure; '' without thresholds, grey where nobody can say."""
    if limits is None:
        return ""
    if figure.low is None or figure.high is None:
        return "grey"
    low, high = _band(limits, figure.low), _band(limits, figure.high)
    return low if low == high else "grey"


def changed(now: Interval, before: Interval, lower_better: bool = False) -> Change | None:
    """The difference of two figures of different interactions; None where one is not known."""
    if now.value is None or before.value is None:
        return None
    by = now.value - before.value
    beyond = False
    if now.low is not None and now.high is not None and before.low is not None and before.high is not None:
        # Half of the width, also where an interval was cut at the end of the scale: then it is the wider half.
        margins = [max(each.high - each.value, each.value - each.low) for each in (now, before)]  # type: ignore[operator]
        beyond = abs(by) > sqrt(margins[0] ** 2 + margins[1] ** 2)
    return Change(by, beyond, (by < 0) == lower_better and by != 0)


class _Total:
    """Sums that grow."""

    def __init__(self) -> None:
        self.interactions = self.expected = self.met = 0
        self.parts: list[Part] = []

    def add(self, more: Sums) -> None:
        self.interactions += more.interactions
        self.expected += more.expected[0]
        self.met += more.expected[1]
        longest = max(len(self.parts), len(more.parts))
        pairs = [(_at(self.parts, n), _at(more.parts, n)) for n in range(longest)]
        self.parts = [(a[0] + b[0], a[1] + b[1], a[2] + b[2]) for a, b in pairs]


def _at(parts: Sequence[Part], n: int) -> Part:
    return parts[n] if n < len(parts) else (0, 0.0, 0.0)


def _figure(measure: str, parts: Sequence[Part], n_min: int) -> tuple[Interval, int]:
    if not parts or not measure:
        return UNKNOWN, 0
    if measure == SCORE:
        return intervals.score(parts, n_min)
    n, total, squares = parts[0]
    found = intervals.mean_of_few(n, total, squares)
    return (found if n >= max(n_min, 2) else Interval(found.value, None, None)), n


def _band(limits: Thresholds, value: float) -> str:
    sign = 1 if limits.green > limits.yellow else -1
    if sign * value >= sign * limits.green:
        return "green"
    return "yellow" if sign * value >= sign * limits.yellow else "red"


def _passage(ways: Ways | None, key: tuple[str, str, str]) -> Passage | None:
    return None if ways is None else ways.get(key, Passage())
