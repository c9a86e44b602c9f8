"""How well a person was served: effectiveness, ease and emotion, each 0 to 100, higher is better.

What one event says is an `Experience`, by a `Scoring` (scores.yaml, versioned). A survey answer is *asked* evidence,
100·(value−min)/(max−min); what the catalogue reads from an event's type and measures is *observed*. Where several
observations of one event speak of the same dimension, the worst counts: a call is as easy as its hardest part.

A person's score is Σw·x / Σw over the evidence, w = 2^(−age / half-life). It does not depend on the time of asking,
since all weights age alike. An answer about an interaction outranks what was observed of it in the same dimension.
All sums run in the order of event time, so that the same set of evidence gives the same number to the last bit.
What was not seen is None, never a made-up number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from pipeline.domain.consent import ANALYSIS, refuses
from pipeline.domain.interaction import Answer, Interaction

DIMENSIONS = ("effectiveness", "ease", "emotion")
DAY_MS = 86_400_000

Values = tuple[float | None, float | None, float | None]  # in the order of DIMENSIONS


class Experience(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one event says: each dimension 0 to 100, or None where it says nothing."""

    asked: bool
    effectiveness: float | None
    ease: float | None
    emotion: float | None

    @property
    def values(self) -> Values:
        """In the order of DIMENSIONS."""
        return self.effectiveness, self.ease, self.emotion


class Piece(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """An experience in a person's evidence. In the order of event time, ties as in a timeline."""

    occurred_at: int
    source: str
    event_id: str
    identifier: str  # under which it is stored
    about: str
    asked: bool
    effectiveness: float | None
    ease: float | None
    emotion: float | None

    @property
    def day(self) -> int:
        """Days since 1970 in UTC."""
        return self.occurred_at // DAY_MS

    @property
    def event(self) -> tuple[str, str, str]:
        """Which stored interaction it comes from."""
        return self.identifier, self.source, self.event_id


class Score(NamedTuple):
    """One dimension of a person: `value` 0 to 100 or None, from `n` pieces; kind asked, observed, mixed or ''."""

    value: float | None
    n: int
    kind: str


class Scores(NamedTuple):
    """A person's scores."""

    effectiveness: Score
    ease: Score
    emotion: Score


UNKNOWN = Score(None, 0, "")
NO_SCORES = Scores(UNKNOWN, UNKNOWN, UNKNOWN)


class ScoreRow(NamedTuple):
    """A person's scores at the end of a UTC day; n = 0 everywhere takes an earlier row back."""

    person: str
    day: int  # since 1970
    definition: int
    scores: Scores


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

    constants: Values = (None, None, None)
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, slots=True)
class Scoring:
    """One version of the definitions of all scores."""

    version: int
    half_life_ms: int = 30 * DAY_MS
    questions: Mapping[str, int] = field(default_factory=dict)  # survey question → index in DIMENSIONS
    observed: Mapping[str, Observation] = field(default_factory=dict)  # event type → what it says

    def experience(self, interaction: Interaction) -> Experience | None:
        """What the interaction says of how well the person was served. None: nothing, or it may not be asked."""
        if interaction.consent and refuses(interaction, ANALYSIS):
            return None
        if interaction.answer is not None:
            return self._asked(interaction.answer)
        observation = self.observed.get(interaction.type)
        return None if observation is None else _observed(observation, interaction)

    def _asked(self, answer: Answer) -> Experience | None:
        dimension = self.questions.get(answer.question)
        if dimension is None or not answer.min <= answer.value <= answer.max or answer.min == answer.max:
            return None
        values: list[float | None] = [None, None, None]
        values[dimension] = 100.0 * (answer.value - answer.min) / (answer.max - answer.min)
        return Experience(True, *values)


#: For those who want no scores: nothing says anything.
NO_SCORING = Scoring(version=0)


def _observed(observation: Observation, interaction: Interaction) -> Experience | None:
    values = list(observation.constants)
    for curve in observation.curves:
        x = interaction.measures.get(curve.measure, interaction.details.get(curve.measure))
        if x is None or isinstance(x, str):
            continue
        y, known = curve.at(x), values[curve.dimension]
        values[curve.dimension] = y if known is None else min(known, y)
    if values[0] is None and values[1] is None and values[2] is None:
        return None
    return Experience(False, *values)


def piece(interaction: Interaction, experience: Experience) -> Piece:
    """An interaction's experience as a piece of a person's evidence."""
    return Piece(
        interaction.occurred_at,
        interaction.source,
        interaction.event_id,
        interaction.identifier,
        interaction.about,
        experience.asked,
        experience.effectiveness,
        experience.ease,
        experience.emotion,
    )


def scores(pieces: Sequence[Piece], half_life_ms: int) -> Scores:
    """The scores from pieces in rising order."""
    if not pieces:
        return NO_SCORES
    answered = [p for p in pieces if p.asked and p.about]
    newest = pieces[-1].occurred_at
    weights = [2.0 ** ((p.occurred_at - newest) / half_life_ms) for p in pieces]
    return Scores(
        _score(
            [(p.asked, p.event_id, p.effectiveness) for p in pieces],
            weights,
            {p.about for p in answered if p.effectiveness is not None},
        ),
        _score(
            [(p.asked, p.event_id, p.ease) for p in pieces], weights, {p.about for p in answered if p.ease is not None}
        ),
        _score(
            [(p.asked, p.event_id, p.emotion) for p in pieces],
            weights,
            {p.about for p in answered if p.emotion is not None},
        ),
    )


def _score(evidence: list[tuple[bool, str, float | None]], weights: list[float], outranked: set[str]) -> Score:
    """One dimension, from (asked, event, value); observations of the events in `outranked` do not count."""
    n_asked = n_observed = 0
    weighed = total = 0.0
    for (asked, event_id, value), weight in zip(evidence, weights, strict=True):
        if value is None or (not asked and event_id in outranked):
            continue
        if asked:
            n_asked += 1
        else:
            n_observed += 1
        weighed += weight * value
        total += weight
    if not total:
        return UNKNOWN
    kind = "mixed" if n_asked and n_observed else "asked" if n_asked else "observed"
    return Score(round(weighed / total, 9), n_asked + n_observed, kind)  # so that equal values give just that value


def rows(person: str, pieces: Sequence[Piece], since_day: int, scoring: Scoring) -> list[ScoreRow]:
    """A row for each day from `since_day` on that has evidence, over the evidence up to that day's end.

    `pieces` in rising order; all of them, also those before `since_day`.
    """
    result = []
    for end, p in enumerate(pieces, 1):
        last_of_day = end == len(pieces) or pieces[end].day != p.day
        if p.day >= since_day and last_of_day:
            result.append(ScoreRow(person, p.day, scoring.version, scores(pieces[:end], scoring.half_life_ms)))
    return result


def retraction(person: str, day: int, scoring: Scoring) -> ScoreRow:
    """The row that takes a day's row back."""
    return ScoreRow(person, day, scoring.version, NO_SCORES)


def is_retraction(row: ScoreRow) -> bool:
    """Whether a row takes an earlier one back."""
    return row.scores == NO_SCORES
