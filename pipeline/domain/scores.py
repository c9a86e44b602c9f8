"""A person's scores: effectiveness, ease and emotion, each 0 to 100, higher is better; and what they come to.

A dimension is Σw·x / Σw over the evidence, w = 2^(−age / half-life). It does not depend on the time of asking, since
all weights age alike; what is older than `Scoring.age_ms` before the newest does not count. An answer about an
interaction outranks what was observed of it in the same dimension. A contact
about the same issue within `Scoring.repeat_ms` takes back that the earlier one was resolved: where that says anything
of effectiveness, it counts as 0. All sums run in the order of event time, so that the same set of evidence gives the
same number to the last bit. What was not seen is None, never a made-up number.

Beside the dimensions, each with the number of pieces it rests on:
- overall: the mean of the known dimensions
- worst: of the touchpoints that were poor lately, the one with the lowest mean
- gap: how much better than expected, the mean in percent of what was
- trend: an exponentially weighted moving average in event time (λ = 0.2) with control limits (L = 3), after Roberts
  (1959) as in the NIST/SEMATECH e-Handbook, 6.3.2.4; its target and spread are those of the person's first eight pieces
- risk: why the person may leave, or ''
- repeats: contacts about an issue they had contacted us about, or looked for help with, shortly before
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Annotated, NamedTuple

import msgspec

from pipeline.domain.interaction import Interaction
from pipeline.domain.scoring import CONTACT, DAY_MS, NO_CONTACT, Experience, Scoring, Values

SEVERE_AT = "a severe experience at "  # a reason for risk; the touchpoint's id follows

TREND_WEIGHT = 0.2  # λ
TREND_WIDTH = 3.0  # L
TREND_BASE = 8  # pieces that tell what is usual for the person
TREND_MIN = 12  # with fewer pieces nothing is said
TREND_SPREAD_MIN = 5.0  # of 100: where somebody's first pieces are all alike, one that is a little worse is no signal


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
    touchpoint: str = ""
    gap: float | None = None  # how much better than expected, in percent of it
    severe: bool = False
    contact: int = NO_CONTACT
    issue: str = ""  # of a contact
    session_id: str = ""  # of a contact

    @property
    def day(self) -> int:
        """Days since 1970 in UTC."""
        return self.occurred_at // DAY_MS

    @property
    def event(self) -> tuple[str, str, str]:
        """Which stored interaction it comes from."""
        return self.identifier, self.source, self.event_id


#: What a row has room for. Rows of a replay come through a topic, and decoding holds them to it.
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class Score(NamedTuple):
    """One dimension of a person: `value` 0 to 100 or None, from `n` pieces; kind asked, observed, mixed or ''."""

    value: float | None
    n: Count
    kind: str


class Worst(NamedTuple):
    """The touchpoint that served a person worst lately; '' where none was poor."""

    touchpoint: str
    value: float | None
    n: Count


class Gap(NamedTuple):
    """How much better than expected, in percent of what was expected: −100 to 100."""

    value: float | None
    n: Count


class Trend(NamedTuple):
    """rising, falling or steady, '' where there is too little evidence; the average and its control limits."""

    direction: str
    value: float | None
    low: float | None
    high: float | None
    n: Count


class Scores(NamedTuple):
    """A person's scores."""

    effectiveness: Score
    ease: Score
    emotion: Score
    overall: Score
    worst: Worst
    gap: Gap
    trend: Trend
    risk: str
    repeats: Count

    @property
    def dimensions(self) -> tuple[Score, Score, Score]:
        """In the order of DIMENSIONS."""
        return self.effectiveness, self.ease, self.emotion


UNKNOWN = Score(None, 0, "")
NO_WORST, NO_GAP, NO_TREND = Worst("", None, 0), Gap(None, 0), Trend("", None, None, None, 0)
NO_SCORES = Scores(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, NO_WORST, NO_GAP, NO_TREND, "", 0)


class ScoreRow(NamedTuple):
    """A person's scores at the end of a UTC day; one that says nothing at all takes an earlier row back."""

    person: str
    day: Count  # since 1970
    definition: Count
    scores: Scores


def piece(x: Interaction, said: Experience) -> Piece | None:
    """An interaction's experience as a piece of a person's evidence; None where it says nothing of the person."""
    told = said.contact != NO_CONTACT and x.issue != ""
    if not told and said.gap is None and said.effectiveness is None and said.ease is None and said.emotion is None:
        return None
    return Piece(
        *(x.occurred_at, x.source, x.event_id, x.identifier, x.about),
        *(said.asked, said.effectiveness, said.ease, said.emotion),
        x.touchpoint,
        said.gap_share,
        said.severe,
        said.contact if told else NO_CONTACT,
        x.issue if told else "",
        x.session_id if told else "",
    )


def scores(pieces: Sequence[Piece], scoring: Scoring) -> Scores:
    """The scores from pieces in rising order."""
    if not pieces:
        return NO_SCORES
    if pieces[0].occurred_at < (oldest := pieces[-1].occurred_at - scoring.age_ms):
        pieces = [p for p in pieces if p.occurred_at >= oldest]
    repeats, unresolved = _repeats(pieces, scoring.repeat_ms)
    counted = _counted(pieces, unresolved)
    newest = pieces[-1].occurred_at
    weights = [2.0 ** ((p.occurred_at - newest) / scoring.half_life_ms) for p in pieces]
    effectiveness, ease, emotion = (_score(pieces, [each[d] for each in counted], weights) for d in range(3))
    means = [_mean(values) for values in counted]
    since = newest - scoring.lately_ms
    return Scores(
        *(effectiveness, ease, emotion),
        _overall((effectiveness, ease, emotion)),
        _worst(pieces, means, since, scoring.poor_below),
        _expectation(pieces),
        _trend([mean for mean in means if mean is not None]),
        _risk(pieces, since, repeats, scoring),
        len(repeats),
    )


def _counted(pieces: Sequence[Piece], unresolved: set[int]) -> list[Values]:
    """What each piece counts with: without observations that an answer outranks, and resolutions that did not hold."""
    answered = [p for p in pieces if p.asked and p.about]
    if not answered and not unresolved:
        return [(p.effectiveness, p.ease, p.emotion) for p in pieces]
    outranked = [
        {p.about for p in answered if p.effectiveness is not None},
        {p.about for p in answered if p.ease is not None},
        {p.about for p in answered if p.emotion is not None},
    ]
    result: list[Values] = []
    for index, p in enumerate(pieces):
        if p.asked:
            result.append((p.effectiveness, p.ease, p.emotion))
        else:
            goal = p.effectiveness if p.event_id not in outranked[0] else None
            if goal is not None and index in unresolved:
                goal = 0.0  # whatever it claimed: they had to come back
            ease = p.ease if p.event_id not in outranked[1] else None
            result.append((goal, ease, p.emotion if p.event_id not in outranked[2] else None))
    return result


def _repeats(pieces: Sequence[Piece], within_ms: int) -> tuple[list[int], set[int]]:
    """Indices of repeat contacts, and of the contacts that another one followed.

    What is of one session is one contact.
    """
    repeats: list[int] = []
    unresolved: set[int] = set()
    contacts: dict[str, list[int]] = {}  # issue → the newest contact about it
    looks: dict[str, int] = {}  # issue → when they last looked for help with it
    for index, p in enumerate(pieces):
        if p.contact == NO_CONTACT:
            continue
        if p.contact != CONTACT:
            looks[p.issue] = p.occurred_at
            continue
        before = contacts.get(p.issue)
        if before is not None and p.session_id and pieces[before[0]].session_id == p.session_id:
            before.append(index)
            continue
        since = p.occurred_at - within_ms
        followed = before is not None and pieces[before[-1]].occurred_at >= since
        if followed and before is not None:
            unresolved.update(before)
        if followed or looks.get(p.issue, since - 1) >= since:
            repeats.append(index)
        contacts[p.issue] = [index]
    return repeats, unresolved


def _score(pieces: Sequence[Piece], values: Sequence[float | None], weights: Sequence[float]) -> Score:
    """One dimension."""
    n_asked = n_observed = 0
    weighed = total = 0.0
    for p, value, weight in zip(pieces, values, weights, strict=True):
        if value is None:
            continue
        if p.asked:
            n_asked += 1
        else:
            n_observed += 1
        weighed += weight * value
        total += weight
    if not total:
        return UNKNOWN
    # Rounded, so that equal values give just that value.
    return Score(round(weighed / total, 9), n_asked + n_observed, _kind(n_asked > 0, n_observed > 0))


def _kind(asked: bool, observed: bool) -> str:
    return "mixed" if asked and observed else "asked" if asked else "observed" if observed else ""


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _overall(dimensions: Sequence[Score]) -> Score:
    value = _mean(score.value for score in dimensions)
    if value is None:
        return UNKNOWN
    kinds = {score.kind for score in dimensions}
    kind = _kind(not kinds.isdisjoint(("asked", "mixed")), not kinds.isdisjoint(("observed", "mixed")))
    return Score(round(value, 9), sum(score.n for score in dimensions), kind)


def _worst(pieces: Sequence[Piece], means: Sequence[float | None], since: int, poor_below: float) -> Worst:
    places: dict[str, list[float]] = {}
    for p, mean in zip(pieces, means, strict=True):
        if mean is not None and p.occurred_at >= since:
            places.setdefault(p.touchpoint, []).append(mean)
    if not places:
        return NO_WORST
    value, place = min((sum(found) / len(found), place) for place, found in places.items())
    return Worst(place, round(value, 9), len(places[place])) if value < poor_below else NO_WORST


def _expectation(pieces: Sequence[Piece]) -> Gap:
    gaps = [p.gap for p in pieces if p.gap is not None]
    return Gap(round(sum(gaps) / len(gaps), 9), len(gaps)) if gaps else NO_GAP


def _trend(values: Sequence[float]) -> Trend:
    n = len(values)
    if n < TREND_MIN:
        return NO_TREND._replace(n=n)
    base = values[:TREND_BASE]
    target = sum(base) / TREND_BASE
    spread = max(sqrt(sum((x - target) ** 2 for x in base) / (TREND_BASE - 1)), TREND_SPREAD_MIN)
    average = target
    for x in values[TREND_BASE:]:
        average = TREND_WEIGHT * x + (1 - TREND_WEIGHT) * average
    steps = n - TREND_BASE
    share = TREND_WEIGHT / (2 - TREND_WEIGHT) * (1 - (1 - TREND_WEIGHT) ** (2 * steps))
    margin = TREND_WIDTH * spread * sqrt(share)
    low, high = target - margin, target + margin
    direction = "falling" if average < low else "rising" if average > high else "steady"
    return Trend(direction, round(average, 9), round(low, 9), round(high, 9), n)


def _risk(pieces: Sequence[Piece], since: int, repeats: Sequence[int], scoring: Scoring) -> str:
    """Why the person may leave: the newest reason of the recent ones."""
    for index in range(len(pieces) - 1, -1, -1):
        p = pieces[index]
        if p.occurred_at < since:
            break
        if p.severe:
            return f"{SEVERE_AT}{p.touchpoint}"
        if index in repeats:
            return f"contacted us again about the same issue within {scoring.repeat_ms // DAY_MS} days"
    return ""


def rows(person: str, pieces: Sequence[Piece], since_day: int, scoring: Scoring) -> list[ScoreRow]:
    """A row for each day from `since_day` on that has evidence, over the evidence up to that day's end.

    `pieces` in rising order; all of them, also those before `since_day`.
    """
    result = []
    for end, p in enumerate(pieces, 1):
        last_of_day = end == len(pieces) or pieces[end].day != p.day
        if p.day >= since_day and last_of_day:
            result.append(ScoreRow(person, p.day, scoring.version, scores(pieces[:end], scoring)))
    return result


def retraction(person: str, day: int, scoring: Scoring) -> ScoreRow:
    """The row that takes a day's row back."""
    return ScoreRow(person, day, scoring.version, NO_SCORES)


def is_retraction(row: ScoreRow) -> bool:
    """Whether a row takes an earlier one back."""
    return row.scores == NO_SCORES
