"""From what was counted to the lines of a result. Pure.

Every line has the same figures: `people` and of how many (`of`), their `share` with its 95 % interval (Wilson: each
person counts once), how many `times`, the median of seconds; of contacts the seconds with somebody and what they cost.
What fewer than 10 people did is in no line, nor what all but fewer than 10 did: it is said without its number, or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.analyse import PEOPLE_MIN
from pipeline.analyse.paths_plan import Plan, edges_of, ends_of, starts_of
from pipeline.analyse.paths_sql import BUCKETS_A_DOUBLING, GOES_ON, Fact
from pipeline.analyse.result import Row
from pipeline.domain.catalogue import Journey
from pipeline.domain.catalogue_files import ContactCosts
from pipeline.domain.intervals import proportion

PATHS_MAX, MOVES_MAX, CONTACTS_MAX, WINDOWS_MAX = 10, 30, 30, 20  # the most frequent are shown
ARROW = " → "
UNSAID, ELSE = "an issue that nobody noted", "something else"  # of contacts, where the catalogue has no name

NEARLY_ALL = f"all but fewer than {PEOPLE_MIN} people"


@dataclass(frozen=True, slots=True)
class Count:
    """How many people, how often; of contacts of how many the seconds with somebody are known, and their sum."""

    people: int = 0
    times: int = 0
    handled: int = 0
    handle_s: float = 0.0


Counts = Mapping[tuple[int, ...], Count]
NOBODY = Count()
NOTHING: Mapping[str, str] = {}


def counts(rows: Iterable[Sequence[Any]]) -> Counts:
    """The statement's answer by key."""
    return {tuple(key): Count(int(people), int(n), int(known), float(s)) for key, people, n, known, s in rows}


def people(of: Counts) -> int:
    """Who did anything in the period."""
    return of.get((Fact.PEOPLE,), NOBODY).people


def rows(of: Counts, plan: Plan, costs: ContactCosts | None = None) -> list[Row]:
    """The lines: journey by journey, then switches, what they were about, and touchpoints one after another."""
    found: list[Row] = []
    for number, journey in enumerate(plan.journeys, 1):
        found += _journey(of, number, journey)
    return [*found, *_switches(of, plan), *_contacts(of, plan, costs), *_windows(of, plan)]


def late(of: Counts, plan: Plan) -> dict[str, int]:
    """Journey's name → people who began it too late to be followed, where they are enough to be told."""
    found = {journey.name: of.get((Fact.LATE, n), NOBODY).people for n, journey in enumerate(plan.journeys, 1)}
    return {name: people for name, people in found.items() if people >= PEOPLE_MIN}


def median_s(buckets: Mapping[int, int]) -> float | None:
    """Of a histogram of the statement: off by at most 5 % (and some tenths of a second). None where it is empty."""
    half, seen = sum(buckets.values()) / 2, 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= half:
            return float(2 ** (bucket / BUCKETS_A_DOUBLING) - 1)
    return None


def what(journey: Journey, start: int, to: int) -> str:
    """How a way differs from the design; '' where it is one of the design."""
    names = [step.name for step in journey.steps]
    if start == 0:
        first = [names[each - 1] for each in starts_of(journey)]
        return "" if to in starts_of(journey) else f"begins at “{names[to - 1]}”, not at “{' or '.join(first)}”"
    if (start, to) in edges_of(journey):
        return ""
    if to < start:
        return f"goes back from “{names[start - 1]}” to “{names[to - 1]}”"
    left_out = [f"“{each}”" for each in names[start : to - 1]]
    if not left_out:
        return f"goes from “{names[start - 1]}” to “{names[to - 1]}”, which the design does not say"
    return f"goes from “{names[start - 1]}” to “{names[to - 1]}” without {', '.join(left_out)}"


@dataclass(frozen=True, slots=True)
class _Journey:
    """What was counted of one journey, and of how many people."""

    of: Counts
    number: int
    journey: Journey
    everyone: int

    def row(self, part: str, item: str, label: str, k: int, n: int, told: Mapping[str, str] = NOTHING) -> Row:
        """A line: k of n people."""
        return Row(f"{part}:{self.journey.id}:{item}", self._name(label), _figures(k, n), self._notes(part, told))

    def nearly_all(self, item: str, label: str, told: Mapping[str, str]) -> Row:
        """A line in the place of one whose number would tell of the few that it leaves out: a picture needs it."""
        name, notes = self._name(f"{label}, {NEARLY_ALL}"), self._notes("untold", told)
        return Row(f"untold:{self.journey.id}:{item}", name, {"of": float(self.everyone)}, notes)

    def people(self, kind: Fact, *rest: int) -> int:
        """How many did it."""
        return self.of.get((kind, self.number, *rest), NOBODY).people

    def _name(self, label: str) -> str:
        return f"{self.journey.name}: {label}"

    def _notes(self, part: str, told: Mapping[str, str]) -> dict[str, str]:
        return {"part": part, "journey": self.journey.id, "journey_name": self.journey.name, **told}


def _journey(of: Counts, number: int, journey: Journey) -> Iterator[Row]:
    fits = {key[2:]: count.people for key, count in of.items() if key[:2] == (Fact.FITS, number)}
    everyone = sum(fits.values())
    if everyone < PEOPLE_MIN:
        return
    on = _Journey(of, number, journey, everyone)
    times = {key[2]: count.people for key, count in of.items() if key[:2] == (Fact.TIME, number)}
    completed = sum(people for (_, ended), people in fits.items() if ended)
    kept = sum(people for (design, _), people in fits.items() if design)
    if _tellable(kept, everyone):
        yield on.row("kept", "", "never left the design", kept, everyone)
    if _tellable(completed, everyone):
        end = on.row("completed", "", "came to its end", completed, everyone)
        yield Row(end.item, end.label, {**end.figures, "median_s": median_s(times)}, end.notes)
    yield from _steps(on)
    yield from _moves(on)
    yield from _paths(on)


def _steps(on: _Journey) -> Iterator[Row]:
    for n, step in enumerate(on.journey.steps, 1):
        here = on.people(Fact.AT, n)
        if here < PEOPLE_MIN:
            continue
        told = {"step": step.id, "step_name": step.name, "step_number": str(n)}
        if not _tellable(here, on.everyone):
            yield on.nearly_all(step.id, step.name, told)
            continue
        yield on.row("step", step.id, step.name, here, on.everyone, told)
        ended, again = on.people(Fact.ENDED, n), on.people(Fact.AGAIN, n)
        if ended and _tellable(ended, here) and n not in ends_of(on.journey):
            yield on.row("dropped", step.id, f"ended at {step.name}", ended, here, told)
        if again and _tellable(again, here):
            yield on.row("again", step.id, f"came to {step.name} again", again, here, told)


def _moves(on: _Journey) -> Iterator[Row]:
    steps = on.journey.steps
    for (start, to), count in _most(on.of, (Fact.MOVE, on.number), MOVES_MAX):
        off = what(on.journey, start, to)
        name = steps[to - 1].name
        label = f"{steps[start - 1].name}{ARROW}{name}" if start else f"began at {name}"
        ends = {"from": steps[start - 1].id if start else "", "to": steps[to - 1].id}
        told, item = {"design": "no" if off else "yes", "what": off, **ends}, f"{ends['from']}>{ends['to']}"
        if _tellable(count.people, on.everyone):
            yield on.row("move", item, label, count.people, on.everyone, told)
        elif not off:
            yield on.nearly_all(item, label, told)


def _paths(on: _Journey) -> Iterator[Row]:
    """The most frequent. The few that are left are told with the last of them: they are all people less the others."""
    names = [step.name for step in on.journey.steps]
    paths = _most(on.of, (Fact.PATH, on.number), PATHS_MAX)
    rest = on.everyone - sum(count.people for _, count in paths)
    if paths and 0 < rest < PEOPLE_MIN:
        rest += paths.pop()[1].people
    for steps, count in paths:
        item = ">".join("…" if each == GOES_ON else on.journey.steps[each - 1].id for each in steps)
        yield on.row("path", item, _way(steps, names), count.people, on.everyone)
    if PEOPLE_MIN <= rest < on.everyone:
        yield on.row("path", "*", "any other way", rest, on.everyone)


def _switches(of: Counts, plan: Plan) -> Iterator[Row]:
    for (start, to), count in _most(of, (Fact.SWITCH,), MOVES_MAX):
        soon = _soon(of, start, to)
        times = {key[3]: each.times for key, each in of.items() if key[:3] == (Fact.SWITCH_TIME, start, to)}
        names = [_channel(plan, start), _channel(plan, to)]
        figures = {} if soon is None else _figures(soon, count.people)
        figures |= {"switched": float(count.people), "times": float(count.times), "median_s": median_s(times)}
        told = {"part": "switch", "from": plan.channels[start - 1], "to": plan.channels[to - 1]}
        yield Row(f"switch:{told['from']}>{told['to']}", ARROW.join(names).capitalize(), figures, told)


def _soon(of: Counts, start: int, to: int) -> int | None:
    """How many changed the channel so soon; None where they are few, or all others are."""
    soon, switched = (of.get((kind, start, to), NOBODY).people for kind in (Fact.SOON, Fact.SWITCH))
    return soon if _tellable(soon, switched) else None


def _contacts(of: Counts, plan: Plan, costs: ContactCosts | None) -> Iterator[Row]:
    issues = [UNSAID, *plan.issues, ELSE]
    for (place, start, to, issue), count in _most(of, (Fact.CONTACT,), CONTACTS_MAX):
        before = plan.touchpoints[place - 1] if place else "a touchpoint that the catalogue does not know"
        channels, soon = (plan.channels[start - 1], plan.channels[to - 1]), _soon(of, start, to)
        figures: dict[str, float | None] = {
            **({} if soon is None or not _tellable(count.people, soon) else _figures(count.people, soon)),
            "people": float(count.people),
            "times": float(count.times),
            "handled": float(count.handled),
            "handle_s": count.handle_s if count.handled else None,
        }
        told = {"part": "contact", "from": channels[0], "to": channels[1], "issue": issues[issue], "after": before}
        if costs is not None and channels[1] in costs.channels:
            figures["cost"] = round(count.times * costs.channels[channels[1]], 2)
            told["currency"] = costs.currency
        label = f"{before} ({_channel(plan, start)}){ARROW}{_channel(plan, to)}, about {issues[issue]}"
        yield Row(f"contact:{place}:{start}:{to}:{issue}", label, figures, told)


def _windows(of: Counts, plan: Plan) -> Iterator[Row]:
    everyone = people(of)
    for places, count in _most(of, (Fact.WINDOW,), WINDOWS_MAX):
        if not _tellable(count.people, everyone):
            continue
        item = ">".join(map(str, places))
        figures = _figures(count.people, everyone, count.times)
        yield Row(f"window:{item}", _way(places, plan.touchpoints), figures, {"part": "window"})


def _most(of: Counts, kind: tuple[int, ...], most: int) -> list[tuple[tuple[int, ...], Count]]:
    """What follows a kind, with enough people; the most people first."""
    found = [
        (key[len(kind) :], count)
        for key, count in of.items()
        if key[: len(kind)] == kind and count.people >= PEOPLE_MIN
    ]
    return sorted(found, key=lambda each: (-each[1].people, each[0]))[:most]


def _figures(k: int, n: int, times: int | None = None) -> dict[str, float | None]:
    share = proportion(k, n)
    return {
        "people": float(k),
        "of": float(n),
        "share": share.value,
        "share_low": share.low,
        "share_high": share.high,
        "times": float(k if times is None else times),
        "median_s": None,
    }


def _tellable(k: int, n: int) -> bool:
    """Nobody or enough, both of who did it and of who did not: whoever reads k of n knows n - k too."""
    return all(each == 0 or each >= PEOPLE_MIN for each in (k, n - k))


def _way(numbers: Sequence[int], names: Sequence[str]) -> str:
    return ARROW.join("…" if each == GOES_ON else names[each - 1] for each in numbers)


def _channel(plan: Plan, number: int) -> str:
    return plan.channels[number - 1].replace("_", " ")
