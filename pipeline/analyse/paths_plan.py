"""What the catalogue says of journeys, as the tables of numbers that the statement `paths_sql` takes. Pure.

A touchpoint may belong to several steps of a journey (a chat both gets people through and solves it). Who comes to it
is at the step that fits the design best (`entered`): where they are, if it is one of its steps and they did not stay
away; else at the first of its steps that may follow; else at the first of its steps. From there it takes them along
the design as far as it is this touchpoint's (getting through, then having it solved).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.analyse import PEOPLE_MIN
from pipeline.analyse.paths_sql import PUT_TOGETHER
from pipeline.domain import complaints
from pipeline.domain.catalogue import Catalogue, Journey
from pipeline.domain.interaction import CHANNELS

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

#: Types with which somebody says something, and is nowhere.
SAID = ("profile_updated", "consent_changed")
#: Types of what the shop or the courier does, and no customer, whether or not they come with a direction.
DONE_TO_THEM = ("delivery_promised", "delivered", "delivery_failed", *complaints.BETWEEN, complaints.CLOSED)


@dataclass(frozen=True, slots=True)
class How:
    """Which times tell things apart, ms."""

    pause_ms: int = 168 * HOUR_MS  # it ends a run through a journey
    within_ms: int = 14 * DAY_MS  # a run is followed for so long from its beginning
    stay_ms: int = HOUR_MS  # after it who comes to the same touchpoint comes again
    window_ms: int = 24 * HOUR_MS  # between touchpoints, and channels, that follow each other
    soon_ms: int = HOUR_MS  # a switch within it was made soon


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of the statement, and what its numbers mean: the first of each is number 1."""

    parameters: Mapping[str, Any]
    journeys: Sequence[Journey]
    touchpoints: Sequence[str]  # their names
    channels: Sequence[str]
    issues: Sequence[str]  # their names; 0: not said; one beyond the last: something else


def plan(known: Catalogue, since_ms: int, until_ms: int, how: How) -> Plan:
    """Everything that the statement needs, for a half open period."""
    journeys, ids, issues = list(known.journeys.values()), sorted(known.touchpoints), known.business.issues
    width = len(ids) + 1  # number 0 is what the catalogue does not know
    local = [0] * (width * (len(journeys) + 1))  # journey and touchpoint → which kind it is there, 0: none
    kinds = [_kinds(journey) for journey in journeys]
    kinds_n = max(map(len, kinds), default=0)
    following: list[list[int]] = []  # journey, step, kind, whether away → steps
    for number, (journey, known_kinds) in enumerate(zip(journeys, kinds, strict=True), 1):
        for place, of in enumerate((_steps_of(journey, each) for each in ids), 1):
            local[number * width + place - 1] = known_kinds.index(of) + 1 if of else 0
        edges = frozenset(edges_of(journey))
        rest = [frozenset[int]()] * (kinds_n - len(known_kinds))
        for state in range(len(journey.steps) + 1):
            following += [entered(state, of, away, edges) for of in known_kinds + rest for away in (False, True)]
    sizes = [(len(journey.steps) + 1) * kinds_n * 2 for journey in journeys]
    bases = [1 + sum(sizes[:n]) for n in range(len(journeys))]
    met_in = [(each.id, channel) for each in known.touchpoints.values() for channel in each.channels]
    ends = [(n, end) for n, journey in enumerate(journeys, 1) for end in ends_of(journey)]
    ways = [(n, *edge) for n, journey in enumerate(journeys, 1) for edge in _ways_of(journey)]
    parameters = _bounds(since_ms, until_ms, how)
    parameters |= {"touchpoints": ids, "touchpoint_numbers": _numbers(ids), "touchpoints_n": width}
    parameters |= {"channels": list(CHANNELS), "channel_numbers": _numbers(CHANNELS), "met_in": met_in}
    parameters |= {"issues": ["", *(each.id for each in issues)], "issue_numbers": [0, *_numbers(issues)]}
    parameters |= {"issue_other": len(issues) + 1, "journeys": [0, *_numbers(journeys)], "local": local}
    parameters |= {"following": following, "bases": bases, "kinds_n": kinds_n, "ends": ends, "edges": ways}
    names = [known.touchpoints[each].name for each in ids]
    return Plan(parameters, journeys, names, CHANNELS, [each.name for each in issues])


def entered(state: int, steps: Collection[int], away: bool, edges: Collection[tuple[int, int]]) -> list[int]:
    """The steps that somebody comes to with a touchpoint of these `steps`, who is at `state` (0: nowhere yet).

    `away`: they come after a pause, so it is anew, also where they were. Nothing where they stay.
    """
    if not steps:
        return []
    ordered, found = sorted(steps), []
    at = state
    if away or state not in steps:
        at = next((each for each in ordered if (state, each) in edges), ordered[0])
        found.append(at)
    while (ahead := next((each for each in ordered if each > at and (at, each) in edges), 0)) != 0:
        at = ahead
        found.append(at)
    return found


def edges_of(journey: Journey) -> list[tuple[int, int]]:
    """Which step may follow which, as numbers from 1 on."""
    number = {step.id: n for n, step in enumerate(journey.steps, 1)}
    return [(number[start], number[to]) for start, to in journey.edges]


def starts_of(journey: Journey) -> list[int]:
    """The steps with which it may begin: the first, and those that follow none."""
    follow = {to for _, to in edges_of(journey)}
    return [n for n in range(1, len(journey.steps) + 1) if n == 1 or n not in follow]


def ends_of(journey: Journey) -> list[int]:
    """The steps that nothing follows."""
    go_on = {start for start, _ in edges_of(journey)}
    return [n for n in range(1, len(journey.steps) + 1) if n not in go_on]


def _bounds(since_ms: int, until_ms: int, how: How) -> dict[str, Any]:
    found: dict[str, Any] = {"since": since_ms, "until": until_ms, "few": PEOPLE_MIN, "said": list(SAID)}
    found["done_to_them"] = list(DONE_TO_THEM)
    found |= {"pause": how.pause_ms, "within": how.within_ms, "stay": how.stay_ms}
    found |= {"window": how.window_ms, "soon": how.soon_ms}
    return {**found, "put_together": [int(each) for each in PUT_TOGETHER]}


def _ways_of(journey: Journey) -> list[tuple[int, int]]:
    return [*((0, start) for start in starts_of(journey)), *edges_of(journey)]


def _steps_of(journey: Journey, touchpoint: str) -> frozenset[int]:
    return frozenset(n for n, step in enumerate(journey.steps, 1) if touchpoint in step.touchpoints)


def _kinds(journey: Journey) -> list[frozenset[int]]:
    """The sets of steps that its touchpoints belong to."""
    places = {each for step in journey.steps for each in step.touchpoints}
    return sorted({_steps_of(journey, each) for each in places}, key=sorted)


def _numbers(of: Sequence[object]) -> list[int]:
    return list(range(1, len(of) + 1))
