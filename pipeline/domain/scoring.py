"""What one event says of how well a person was served, by a versioned definition (`schemas/catalogue/scores.yaml`).

- A survey answer is *asked* evidence: 100·(value−min)/(max−min) in the dimension of its question, and counted as its
  metric is (NPS, CSAT, CES, the three questions), where its scale is the metric's own.
- What the catalogue reads from an event's type, outcome and measures is *observed*. Where several observations of one
  event speak of the same dimension, the worst counts: a call is as easy as its hardest part.
- What a touchpoint's customers expect of a measure gives a gap: how much worse it was, in the measure's unit.
- What came with a public key, which anybody may have sent, says how it was, but puts nobody at risk (`severe`), and is
  no contact: with a browser's key nobody calls us.

What was not seen is None, never a made-up number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from pipeline.domain.consent import ANALYSIS, refuses
from pipeline.domain.interaction import Answer, Interaction

DIMENSIONS = ("effectiveness", "ease", "emotion")
DAY_MS = 86_400_000

Values = tuple[float | None, float | None, float | None]  # in the order of DIMENSIONS

NOTHING: Values = (None, None, None)

#: What a cell counts beside the dimensions. `_sum` and `_sum2` are in the units of `MARK_SCALES`.
MARKS = (
    *("nps_n", "nps_promoters", "nps_detractors"),
    *("csat_n", "csat_satisfied", "csat_sum"),
    *("ces_n", "ces_sum", "ces_easy", "ces_very_easy", "ces_hard"),
    *("needs_met_n", "needs_met_high", "needs_met_low"),
    *("question_ease_n", "question_ease_high", "question_ease_low"),
    *("enjoyment_n", "enjoyment_high", "enjoyment_low"),
    *("expected_n", "expected_met", "expected_gap_sum", "expected_gap_sum2"),
    *("csat_sum2", "ces_sum2"),  # state knows marks by their place: new ones come last
)
MARK = {name: index for index, name in enumerate(MARKS)}
THOUSANDTHS = 1_000
MARK_SCALES = tuple(THOUSANDTHS if name.endswith(("_sum", "_sum2")) else 1 for name in MARKS)

METRICS = ("nps", "csat", "ces", "needs_met", "question_ease", "enjoyment")
SATISFIED_MIN = 75.0  # of 100: the upper two of five
GAP_MAX = 86_400.0  # a wilder gap counts as this one, so that sums of squares stay within 64 bits

NO_CONTACT, CONTACT, SELF_SERVICE = 0, 1, 2
CONTACT_KINDS = ("", "contact", "self_service")


class Experience(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one event says: each dimension 0 to 100, or None where it says nothing."""

    asked: bool
    effectiveness: float | None
    ease: float | None
    emotion: float | None
    marks: tuple[int, ...] = ()  # index in MARKS, amount, index, amount, …: what its cell counts
    gap: float | None = None  # how much worse than expected, in the measure's unit
    gap_share: float | None = None  # how much better than expected, in percent of what was: −100 to 100
    contact: int = NO_CONTACT
    resolved: bool | None = None  # what the contact itself claims
    severe: bool = False  # so bad that this one alone puts the person at risk
    queue: str = ""  # what became of who waited in a queue: answered, abandoned, or ''

    @property
    def values(self) -> Values:
        """In the order of DIMENSIONS."""
        return self.effectiveness, self.ease, self.emotion


@dataclass(frozen=True, slots=True)
class Curve:
    """Straight lines between points (measure, score), level beyond the first and the last."""

    measure: str  # a name in `measures`, or in the channel's own details
    dimension: int  # index in DIMENSIONS
    points: tuple[tuple[float, float], ...]  # at least one, by rising measure

    def at(self, x: float) -> float:
        """The score of a measure."""
        left_x, left_y = self.points[0]
        if x <= left_x:
            return left_y
        for right_x, right_y in self.points[1:]:
            if x <= right_x:
                return left_y + (right_y - left_y) * (x - left_x) / (right_x - left_x)
            left_x, left_y = right_x, right_y
        return left_y


@dataclass(frozen=True, slots=True)
class Observation:
    """What an event type says by itself, and the curves of its measures."""

    constants: Values = NOTHING
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A survey question: the dimension it is about (index, or None) and how its answers are counted."""

    dimension: int | None
    metric: str = ""  # one of METRICS, or ''


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `details.outcome` of a contact says."""

    values: Values = NOTHING
    resolved: bool | None = None
    queue: str = ""  # of who waited in a queue: answered, abandoned; '': they were not offered
    contact: bool = True  # False: nobody has contacted us


@dataclass(frozen=True, slots=True)
class Expectation:
    """What customers expect of a touchpoint: a measure, and what it should reach."""

    measure: str
    target: float  # above 0
    lower_is_better: bool = True
    types: frozenset[str] = frozenset()  # event types whose measure counts; empty: all of them


class _Kind(NamedTuple):
    """All that is known of an event type."""

    observation: Observation
    contact: int
    mild: bool


_NO_OBSERVATION = Observation()
_UNKNOWN_KIND = _Kind(_NO_OBSERVATION, NO_CONTACT, False)


@dataclass(frozen=True, slots=True)
class Scoring:
    """One version of the definitions of all scores."""

    version: int
    half_life_ms: int = 30 * DAY_MS
    questions: Mapping[str, Question] = field(default_factory=dict)  # by survey question
    observed: Mapping[str, Observation] = field(default_factory=dict)  # event type → what it says
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)  # `details.outcome` of a contact → what it says
    contacts: frozenset[str] = frozenset()  # event types with which somebody has contacted us
    self_service: frozenset[str] = frozenset()  # … has looked for help themselves
    mild: frozenset[str] = frozenset()  # event types of which no observation is severe
    severe_below: float = 20.0  # a dimension of at most that is a severe experience
    poor_below: float = 50.0  # a touchpoint with a mean below may be a person's worst one
    age_ms: int = 400 * DAY_MS  # evidence that is older, before a person's newest, does not count
    lately_ms: int = 30 * DAY_MS  # what is recent, before a person's newest evidence
    repeat_ms: int = 7 * DAY_MS  # a contact about the same issue within that time is a repeat
    expects: Mapping[str, Expectation] = field(default_factory=dict)  # by touchpoint
    issue_words: Mapping[str, str] = field(default_factory=dict)  # words of a search → issue
    _kinds: Mapping[str, _Kind] = field(init=False, repr=False, compare=False)
    _issues: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = {*self.observed, *self.contacts, *self.self_service}
        kinds = {
            name: _Kind(
                self.observed.get(name, _NO_OBSERVATION),
                CONTACT if name in self.contacts else SELF_SERVICE if name in self.self_service else NO_CONTACT,
                name in self.mild,
            )
            for name in names
        }
        object.__setattr__(self, "_kinds", MappingProxyType(kinds))
        words = "|".join(re.escape(word) for word in sorted(self.issue_words, key=lambda word: (-len(word), word)))
        object.__setattr__(self, "_issues", re.compile(rf"\b(?:{words})\b") if words else None)

    def with_issue(self, x: Interaction) -> Interaction:
        """The interaction; a search that names no issue with the one that its words are about, if they are."""
        if self._issues is None or x.issue or x.type != "searched":
            return x
        found = self._issues.search(x.properties.get("query", "").lower())
        return x if found is None else msgspec.structs.replace(x, issue=self.issue_words[found[0]])

    def experience(self, x: Interaction) -> Experience | None:
        """What the interaction says. None: nothing, or it may not be asked."""
        if x.answer is not None:
            said = self._asked(x.answer)
        else:
            kind, expects = self._kinds.get(x.type), self.expects.get(x.touchpoint)
            if expects is not None and expects.types and x.type not in expects.types:
                expects = None  # so that one wait, told of twice, counts once
            if kind is None and expects is None:
                return None
            said = self._observed(x, kind or _UNKNOWN_KIND, expects)
        if said is None or (x.consent and refuses(x, ANALYSIS)):
            return None
        return msgspec.structs.replace(said, severe=False) if said.severe and x.public else said

    def _asked(self, answer: Answer) -> Experience | None:
        question = self.questions.get(answer.question)
        if question is None or not answer.min <= answer.value <= answer.max or answer.min == answer.max:
            return None
        share = 100.0 * (answer.value - answer.min) / (answer.max - answer.min)
        marks = _answered(question.metric, answer, share) if question.metric else ()
        if question.dimension is None:
            return Experience(True, None, None, None, marks) if marks else None
        effectiveness, ease, emotion = (share if d == question.dimension else None for d in range(len(DIMENSIONS)))
        return Experience(True, effectiveness, ease, emotion, marks, severe=share <= self.severe_below)

    def _observed(self, x: Interaction, kind: _Kind, expects: Expectation | None) -> Experience | None:
        values, contact, resolved, queue = list(kind.observation.constants), kind.contact, None, ""
        for curve in kind.observation.curves:
            seen = measure(x, curve.measure)
            if seen is not None:
                _worse(values, curve.dimension, curve.at(seen))
        if contact == CONTACT and x.public:
            contact = NO_CONTACT
        if contact == CONTACT and (outcome := self._outcome(x)) is not None:
            resolved, queue = outcome.resolved, outcome.queue
            contact = CONTACT if outcome.contact else NO_CONTACT
            for dimension, value in enumerate(outcome.values):
                if value is not None:
                    _worse(values, dimension, value)
        gap, gap_share, marks = _gap(x, expects) if expects is not None else _NO_GAP
        effectiveness, ease, emotion = values
        if effectiveness is None and ease is None and emotion is None:
            if gap is None and not contact:
                return None
            severe = False
        else:
            severe = not kind.mild and min(v for v in values if v is not None) <= self.severe_below
        return Experience(False, effectiveness, ease, emotion, marks, gap, gap_share, contact, resolved, severe, queue)

    def _outcome(self, x: Interaction) -> Outcome | None:
        said = x.details.get("outcome")
        return self.outcomes.get(said) if isinstance(said, str) else None


#: For those who want no scores: nothing says anything.
NO_SCORING = Scoring(version=0)


def measure(x: Interaction, name: str) -> float | None:
    """A number of an event: as it says, or how late a delivery came after the time that it says was promised."""
    seen = x.measures.get(name)
    if seen is None:
        seen = x.details.get(name)  # type: ignore[assignment]
        if seen is None and name == "late_min":
            until = x.details.get("promised_until")
            if isinstance(until, int) and not isinstance(until, bool):
                return max(0.0, (x.occurred_at - until) / 60_000)
    return None if seen is None or isinstance(seen, str | bool) else float(seen)


def _worse(values: list[float | None], dimension: int, value: float) -> None:
    known = values[dimension]
    values[dimension] = value if known is None else min(known, value)


_NO_GAP: tuple[float | None, float | None, tuple[int, ...]] = (None, None, ())


def _gap(x: Interaction, expects: Expectation) -> tuple[float | None, float | None, tuple[int, ...]]:
    """(how much worse than expected, how much better in percent of the target, marks)"""
    seen = measure(x, expects.measure)
    if seen is None:
        return _NO_GAP
    worse = seen - expects.target if expects.lower_is_better else expects.target - seen
    worse = min(max(worse, -GAP_MAX), GAP_MAX)
    share = min(max(-100.0 * worse / expects.target, -100.0), 100.0)
    marks = [MARK["expected_n"], 1]
    if worse <= 0:
        marks += MARK["expected_met"], 1
    marks += MARK["expected_gap_sum"], round(worse * THOUSANDTHS)
    marks += MARK["expected_gap_sum2"], round(worse * worse * THOUSANDTHS)
    return worse, share, tuple(marks)


def _answered(metric: str, answer: Answer, share: float) -> tuple[int, ...]:
    """What an answer counts as, where its scale is the metric's own."""
    value, scale = answer.value, (answer.min, answer.max)
    if metric == "csat":
        sums = {"sum": round(share * THOUSANDTHS), "sum2": round(share * share * THOUSANDTHS)}
        counted = {"n": 1, "satisfied": share >= SATISFIED_MIN, **sums}
    elif metric == "nps" and scale == (0.0, 10.0):
        counted = {"n": 1, "promoters": value >= 9, "detractors": value <= 6}
    elif metric == "ces" and scale == (1.0, 7.0):
        forms = {"easy": value >= 5, "very_easy": value >= 6, "hard": value <= 3}
        sums = {"sum": round(value * THOUSANDTHS), "sum2": round(value * value * THOUSANDTHS)}
        counted = {"n": 1, **sums, **forms}
    elif metric in ("needs_met", "question_ease", "enjoyment") and scale == (1.0, 5.0):
        counted = {"n": 1, "high": value >= 4, "low": value <= 2}
    else:
        return ()
    return tuple(each for name, amount in counted.items() if amount for each in (MARK[f"{metric}_{name}"], int(amount)))
