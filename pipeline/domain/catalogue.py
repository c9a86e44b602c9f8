"""The catalogue: touchpoints and journeys with their owners, the strategy, how interactions become scores, and the
policy of identity and privacy. From the files' values to what the stages use.

Whoever edits the files is a person, so every problem says where it is and what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import available_timezones

from pipeline.domain.catalogue_files import (
    BusinessFile,
    ComplaintTimes,
    Expects,
    IdentityFile,
    Issue,
    Journey,
    JourneysFile,
    OutcomeSays,
    QuestionSays,
    Says,
    ScoresFile,
    Step,
    Strategy,
    Target,
    Thresholds,
    Touchpoint,
    TouchpointsFile,
)
from pipeline.domain.consent import PURPOSES
from pipeline.domain.policy import Placeholders, Policy
from pipeline.domain.scoring import (
    DAY_MS,
    DIMENSIONS,
    Curve,
    Expectation,
    Observation,
    Outcome,
    Question,
    Scoring,
    Values,
)

__all__ = [
    "BadCatalogue",
    "BusinessFile",
    "Catalogue",
    "ComplaintTimes",
    "Issue",
    "Journey",
    "Problem",
    "Step",
    "Strategy",
    "Target",
    "Thresholds",
    "Touchpoint",
    "policy",
    "problems",
    "scoring",
]

Place = tuple[str | int, ...]  # keys and positions from the top of a file


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that cannot be so."""

    place: Place
    says: str


class BadCatalogue(ValueError):
    """Files of the catalogue cannot be used; says where, and what is expected: a line for each problem."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All of it."""

    touchpoints: Mapping[str, Touchpoint]
    journeys: Mapping[str, Journey]
    business: BusinessFile
    scorings: Mapping[int, Scoring]  # by version
    policy: Policy

    @property
    def scoring(self) -> Scoring:
        """The newest definition."""
        return self.scorings[max(self.scorings)]

    def stages(self, touchpoint: str) -> list[tuple[str, str]]:
        """The journeys and their steps in which a touchpoint is met."""
        return [
            (journey.id, step.id)
            for journey in self.journeys.values()
            for step in journey.steps
            if touchpoint in step.touchpoints
        ]


def problems(name: str, given: object, known: Iterable[str]) -> Iterator[Problem]:
    """What is wrong with a file (without its ending) beyond its shape. `known`: the ids of the touchpoints."""
    if isinstance(given, TouchpointsFile):
        yield from _touchpoints(given)
    elif isinstance(given, JourneysFile):
        yield from _journeys(given, frozenset(known))
    elif isinstance(given, BusinessFile):
        yield from _business(given, frozenset(known))
    elif isinstance(given, ScoresFile):
        yield from _scores(given, name)
    elif isinstance(given, IdentityFile):
        yield from _identity(given)


def scoring(given: ScoresFile, touchpoints: Iterable[Touchpoint] = (), issues: Iterable[Issue] = ()) -> Scoring:
    """The definitions of a file, with what the touchpoints' customers expect and the words of issues."""
    curves: dict[str, list[Curve]] = {}
    for each in given.curves:
        curve = Curve(each.measure, DIMENSIONS.index(each.dimension), each.points)
        for kind in each.types:
            curves.setdefault(kind, []).append(curve)
    nothing = Says()
    return Scoring(
        version=given.version,
        half_life_ms=round(given.half_life_days * DAY_MS),
        questions={name: _question(each) for name, each in given.questions.items()},
        observed={
            kind: Observation(_values(given.constants.get(kind, nothing)), tuple(curves.get(kind, ())))
            for kind in sorted({*given.constants, *curves})
        },
        outcomes={
            name: Outcome(_values(each), each.resolved, each.queue, each.contact)
            for name, each in given.outcomes.items()
        },
        contacts=frozenset(given.contacts),
        self_service=frozenset(given.self_service),
        mild=frozenset(given.mild),
        severe_below=given.severe_below,
        poor_below=given.poor_below,
        lately_ms=round(given.lately_days * DAY_MS),
        repeat_ms=round(given.repeat_days * DAY_MS),
        expects={each.id: _expectation(each.expects) for each in touchpoints if each.expects is not None},
        issue_words={word.lower(): issue.id for issue in issues for word in issue.words},
    )


def policy(given: IdentityFile) -> Policy:
    """The policy of a file."""
    links = given.may_link
    return Policy(
        Placeholders(frozenset(given.placeholders.values), frozenset(given.placeholders.before_at)),
        frozenset(links.default),
        frozenset(links.public),
        {source: frozenset(each) for source, each in links.sources.items()},
        frozenset(given.purposes),
        frozenset(given.properties),
        frozenset(given.traits),
        frozenset(given.texts),
        frozenset(given.staff),
    )


def _expectation(given: Expects) -> Expectation:
    return Expectation(given.measure, given.target, given.better == "lower", frozenset(given.types))


def _values(says: Says | OutcomeSays) -> Values:
    return says.effectiveness, says.ease, says.emotion


def _question(given: str | QuestionSays) -> Question:
    if isinstance(given, str):
        return Question(DIMENSIONS.index(given))
    return Question(None if given.dimension is None else DIMENSIONS.index(given.dimension), given.metric)


def _twice(values: Sequence[str], place: Place, field: str = "") -> Iterator[Problem]:
    """Values that stand there more than once, at their second place."""
    seen: set[str] = set()
    for n, each in enumerate(values):
        if each in seen:
            yield Problem((*place, n, *((field,) if field else ())), f"{each} stands there twice")
        seen.add(each)


def _touchpoints(given: TouchpointsFile) -> Iterator[Problem]:
    yield from _twice([each.id for each in given.touchpoints], ("touchpoints",), "id")
    for n, each in enumerate(given.touchpoints):
        place: Place = ("touchpoints", n)
        if not each.owner.strip():
            yield Problem((*place, "owner"), f"{each.id} has no owner")
        if each.deputy == each.owner:
            yield Problem((*place, "deputy"), "must be somebody else than the owner")
        if (each.control == "partner") != bool(each.partner):
            yield Problem((*place, "control"), "partner: name the partner; ours: name none")
        if each.visible and each.layer in ("backstage", "support"):
            yield Problem((*place, "layer"), f"{each.layer} is behind the line of visibility: set visible to false")
        if not each.visible and each.layer not in ("backstage", "support"):
            yield Problem((*place, "layer"), f"what is {each.layer} is seen: leave visible out")
        if each.visible and not each.channels:
            yield Problem((*place, "channels") if each.channels else place, "needs at least one channel")
        limits = each.thresholds
        if limits is not None and limits.green == limits.yellow:
            yield Problem((*place, "thresholds"), "green and yellow must differ")
        if limits is not None and limits.measure == "score" and not 0 <= limits.yellow < limits.green <= 100:
            yield Problem((*place, "thresholds"), "of a score green must be above yellow, both 0 to 100")


def _journeys(given: JourneysFile, known: frozenset[str]) -> Iterator[Problem]:
    yield from _twice([each.id for each in given.journeys], ("journeys",), "id")
    for n, journey in enumerate(given.journeys):
        place: Place = ("journeys", n)
        yield from _twice([step.id for step in journey.steps], (*place, "steps"), "id")
        for m, step in enumerate(journey.steps):
            for k, touchpoint in enumerate(step.touchpoints):
                if touchpoint not in known:
                    yield Problem((*place, "steps", m, "touchpoints", k), f"no touchpoint {touchpoint} is listed")
        steps = {step.id for step in journey.steps}
        for m, edge in enumerate(journey.edges):
            for name in edge:
                if name not in steps:
                    yield Problem((*place, "edges", m), f"the journey has no step {name}")


def _business(given: BusinessFile, known: frozenset[str]) -> Iterator[Problem]:
    if given.time_zone not in available_timezones():
        yield Problem(("time_zone",), f"must be a zone such as Europe/Berlin, not {given.time_zone}")
    for n, target in enumerate(given.strategy.targets):
        place: Place = ("strategy", "targets", n)
        if target.touchpoint and target.touchpoint not in known:
            yield Problem((*place, "touchpoint"), f"no touchpoint {target.touchpoint} is listed")
        if (target.at_least is None) == (target.at_most is None):
            yield Problem(place, "needs one of at_least and at_most")
    yield from _twice([each.id for each in given.issues], ("issues",), "id")
    words: dict[str, str] = {}
    for n, issue in enumerate(given.issues):
        for m, word in enumerate(issue.words):
            if words.setdefault(word.lower(), issue.id) != issue.id:
                yield Problem(("issues", n, "words", m), f"{word} is a word of {words[word.lower()]} already")
    times = given.complaints
    ordered = (times.acknowledged_h, times.assessed_h, times.investigated_h, times.responded_h, times.closed_h)
    if list(ordered) != sorted(ordered):
        yield Problem(("complaints",), "each stage must be at the one before or later")


def _scores(given: ScoresFile, name: str) -> Iterator[Problem]:
    belongs = "scores" if given.version == 1 else f"scores-{given.version}"
    if name != belongs:
        yield Problem(("version",), f"version {given.version} belongs into {belongs}.yaml")
    for n, curve in enumerate(given.curves):
        measures = [point[0] for point in curve.points]
        if any(right <= left for left, right in pairwise(measures)):
            yield Problem(("curves", n, "points"), "the points' measures must rise")
    for kind in sorted(set(given.contacts) & set(given.self_service)):
        yield Problem(("self_service",), f"{kind} is a contact already")


def _identity(given: IdentityFile) -> Iterator[Problem]:
    if missing := frozenset(PURPOSES) - set(given.purposes):
        yield Problem(("purposes",), f"{min(missing)} is missing")
    for name in ("values", "before_at"):
        for n, each in enumerate(getattr(given.placeholders, name)):
            if each != each.lower().strip():
                says = f"{each!r} must be in lower case and without blanks around it"
                yield Problem(("placeholders", name, n), says)
        yield from _twice(getattr(given.placeholders, name), ("placeholders", name))
    for name in ("purposes", "properties", "traits", "texts", "staff"):
        yield from _twice(getattr(given, name), (name,))
