"""The question whose answer is how people go through journeys: SQL, made from the catalogue.

One scan for all journeys, for a period and the one before it: per person the times at each step, then per step and way
what came of them. As the views `journey_steps` and `journey_edges` say it: who was at a step has gone on when they came
to one that may follow, at the same time or later than they first were there; a touchpoint of several steps counts in
each. Whose an interaction is, and who is left out, says the view `interactions_by_person`.

What the catalogue says goes in as parameters, and never as text of the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.domain.blueprint import EVERYBODY, Passage, Segment, Ways
from pipeline.domain.catalogue import Journey
from pipeline.domain.periods import Window

#: Of one statement; more journeys are asked about in several.
STEPS_MAX = 64

_FROM_TO = (
    "occurred_at >= fromUnixTimestamp64Milli({earliest:Int64}) "
    "AND occurred_at < fromUnixTimestamp64Milli({until:Int64})"
)
_WITHIN = (
    f"{_FROM_TO} AND (occurred_at >= fromUnixTimestamp64Milli({{since:Int64}})"
    " OR occurred_at < fromUnixTimestamp64Milli({earlier_until:Int64}))"
)
_EVIDENCE = "(effectiveness IS NOT NULL OR ease IS NOT NULL OR emotion IS NOT NULL)"
_KNOWN = "match(person, '^(customer|loyalty):')"
_SEVERAL = (
    f"(SELECT person FROM interactions_by_person WHERE {_FROM_TO} AND {_EVIDENCE}"  # noqa: S608  # texts of ours
    " GROUP BY person HAVING min(channel) != max(channel))"
)
_MET = (
    f"person IN (SELECT person FROM interactions_by_person WHERE {_FROM_TO} AND {_EVIDENCE}"  # noqa: S608  # texts of ours
    " AND if(details[{kind:String}] != '', details[{kind:String}], properties[{kind:String}]) = {segment:String})"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A statement with its parameters, and the journeys that it is about."""

    sql: str
    parameters: dict[str, Any]
    journeys: tuple[Journey, ...] = ()


def whose(segment: Segment) -> tuple[str, dict[str, str]]:
    """SQL: whether a person is of a segment, and its parameters beside the window's."""
    if segment == EVERYBODY:
        return "1", {}
    if segment.kind == "known":
        return (_KNOWN if segment.value == "known customer" else f"NOT {_KNOWN}"), {}
    if segment.kind == "channels":
        return f"person {'IN' if segment.value == 'several channels' else 'NOT IN'} {_SEVERAL}", {}
    return _MET, {"kind": segment.kind, "segment": segment.value}


def questions(journeys: Iterable[Journey], window: Window, segment: Segment) -> list[Question]:
    """What to ask about all of them: a statement for at most STEPS_MAX steps, or for one journey that has more."""
    found: list[list[Journey]] = [[]]
    for journey in journeys:
        if found[-1] and sum(len(each.steps) for each in (*found[-1], journey)) > STEPS_MAX:
            found.append([])
        found[-1].append(journey)
    return [_question(tuple(each), window, segment) for each in found if each]


def _question(journeys: tuple[Journey, ...], window: Window, segment: Segment) -> Question:
    times, reached, counted = [], [], []
    named: dict[str, list[str]] = {}
    for start, following in _places(journeys):
        n = start.number
        times.append(f"groupArrayIf(toUnixTimestamp64Milli(occurred_at), touchpoint IN {{p{n}:Array(String)}}) AS t{n}")
        named[f"p{n}"] = list(start.touchpoints)
        reached.append(f"t{n}, arrayMin(t{n}) AS f{n}")  # 0 where they were not there
        counted.append(f"countIf(f{n} > 0) AS persons{n}, sum(length(t{n})) AS met{n}")
        ways = [(f"{n}", following), *((f"{n}_{to}", [to]) for to in following)] if following else []
        for name, steps in ways:
            later = ", ".join(f"arrayMin(arrayFilter(x -> x >= f{n}, t{to}))" for to in steps)
            soonest = f"arrayMin(arrayFilter(x -> x > 0, [{later}]))"
            reached.append(f"if(f{n} = 0, 0, {soonest}) AS l{name}")
            counted.append(
                f"countIf(l{name} > 0) AS went{name}, quantileExactIf(0.5)(l{name} - f{n}, l{name} > 0) AS took{name}"
            )
    condition, parameters = whose(segment)
    sql = (
        f"SELECT earlier, {', '.join(counted)} FROM (SELECT earlier, {', '.join(reached)} FROM ("  # noqa: S608
        f"SELECT person, occurred_at < fromUnixTimestamp64Milli({{since:Int64}}) AS earlier, {', '.join(times)} "
        f"FROM interactions_by_person WHERE {_WITHIN} AND touchpoint IN {{places:Array(String)}} AND {condition} "
        "GROUP BY person, earlier)) GROUP BY earlier"
    )
    everywhere = sorted({each for found in named.values() for each in found})
    return Question(sql, {**window.bound(), **named, **parameters, "places": everywhere}, journeys)


@dataclass(frozen=True, slots=True)
class _Place:
    number: int
    journey: str
    step: str
    touchpoints: tuple[str, ...]


def _places(journeys: Sequence[Journey]) -> list[tuple[_Place, list[int]]]:
    """The steps of the journeys, numbered, each with the numbers of those that may follow."""
    found: list[tuple[_Place, list[int]]] = []
    for journey in journeys:
        number = {step.id: len(found) + n for n, step in enumerate(journey.steps)}
        for step in journey.steps:
            following = [number[to] for start, to in journey.edges if start == step.id]
            found.append((_Place(number[step.id], journey.id, step.id, step.touchpoints), following))
    return found


def ways(question: Question, rows: Iterable[dict[str, Any]]) -> dict[bool, Ways]:
    """What was answered, of the period (False) and the one before it (True); where nobody was, 0 everywhere."""
    told = {bool(row["earlier"]): row for row in rows}
    return {earlier: _ways(question, told.get(earlier, {})) for earlier in (False, True)}


def _ways(question: Question, row: dict[str, Any]) -> Ways:
    found: dict[tuple[str, str, str], Passage] = {}
    places = _places(question.journeys)
    for start, following in places:
        n, persons = start.number, int(row.get(f"persons{start.number}", 0))
        met = int(row.get(f"met{n}", 0))

        def passage(name: str, persons: int = persons, met: int = met) -> Passage:
            went = int(row.get(f"went{name}", 0))
            return Passage(persons, met, went, float(row[f"took{name}"]) / 1000 if went else None)

        found[start.journey, start.step, ""] = passage(str(n)) if following else Passage(persons, met, None, None)
        for to in following:
            found[start.journey, start.step, places[to][0].step] = passage(f"{n}_{to}")
    return found
