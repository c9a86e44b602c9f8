"""The truth, as one batch function of everything that was ever sent; and a check that knows none of the rules.

Written from DESIGN.md section 4 alone, and kept apart from `pipeline.domain.identity`, so that the same mistake would
have to be made twice. Slow and short on purpose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.domain.interaction import NAMESPACES, Interaction
from pipeline.domain.messages import Assignment

DAY_MS = 86_400_000
Copies = Iterable[Interaction]


@dataclass(frozen=True)
class Truth:
    """What every view, sink and answer must equal in the end."""

    assignments: dict[str, Assignment]  # version 0; of every identifier that evidence connects
    persons: dict[str, list[Interaction]]  # all interactions of each person, newest first: scores come from these
    timelines: dict[str, list[Interaction]]  # the same, cut as a view is


def truth(copies: Copies, size: int = 200, age_ms: int = 400 * DAY_MS) -> Truth:
    """Persons and timelines, from every copy of every event. `size` and `age_ms` cut the timelines."""
    copies = list(copies)
    evidence: dict[str, list[tuple[int, str, str]]] = defaultdict(list)  # weak → (time, strong, session)
    counted: dict[tuple[str, str, str], Interaction] = {}
    for each in copies:
        for weak in each.links:
            evidence[weak].append((each.occurred_at, each.identifier, each.session_id))
        counted[(each.identifier, *each.event)] = min(
            (each, counted.get((each.identifier, *each.event), each)), key=lambda copy: copy.precedence
        )
    who: dict[str, Assignment] = {each.identifier: Assignment(0) for each in copies if each.links}
    for weak in sorted(evidence, key=lambda name: NAMESPACES.index(name.split(":")[0])):
        who[weak] = _who(evidence[weak], who)
    persons: dict[str, list[Interaction]] = defaultdict(list)
    for each in sorted(counted.values(), key=lambda one: (*one.position, one.identifier), reverse=True):
        persons[_whose(each, who.get(each.identifier, Assignment(0)))].append(each)
    timelines = {
        name: [each for each in found[:size] if found[0].occurred_at - each.occurred_at <= age_ms]
        for name, found in persons.items()
    }
    return Truth(who, dict(persons), timelines)


def _who(evidence: list[tuple[int, str, str]], who: Mapping[str, Assignment]) -> Assignment:
    """The assignment of the identifier that this evidence is about."""
    clear = [
        (at, (who[strong].owners or (strong,))[0], session)
        for at, strong, session in evidence
        if not who[strong].ambiguous
    ]
    first = {name: min(at for at, owner, _ in clear if owner == name) for _, name, _ in clear}
    owners = tuple(sorted(first, key=lambda name: (first[name], name.split(":", 1))))
    if not owners:
        return Assignment(
            0, candidates=tuple(sorted({c for _, s, _ in evidence for c in who[s].candidates})), ambiguous=True
        )
    if len(owners) == 1:
        return Assignment(0, owners)
    sessions = {session: {o for _, o, s in clear if s == session} for _, _, session in evidence if session}
    settled = {session: min(found) if len(found) == 1 else "" for session, found in sessions.items()}
    return Assignment(0, owners, first[owners[1]], settled, tuple(sorted(owners)), ambiguous=True)


def _whose(one: Interaction, who: Assignment) -> str:
    """The person of an interaction that is stored under an identifier with this assignment."""
    if len(who.owners) < 2:
        return who.owners[0] if who.owners else one.identifier
    if one.session_id in who.sessions:
        return who.sessions[one.session_id] or one.identifier
    assert who.until is not None
    return who.owners[0] if one.occurred_at < who.until else one.identifier


def strangers(shown: Mapping[str, Iterable[Interaction]], copies: Copies) -> list[tuple[str, Interaction]]:
    """What is shown to a person without raw evidence that it is theirs: (person, interaction). Must be empty.

    Two things that hold whatever the rules are. From the person to the identifier under which an interaction is
    stored leads a chain of events, each naming the next identifier beside a stronger one. And an interaction of a
    session in which customers named themselves with that identifier is shown to none but them.
    """
    copies = list(copies)
    says: dict[str, set[str]] = defaultdict(set)
    named: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in copies:
        says[each.identifier].update(each.links)
        for weak in each.links if each.session_id and each.identifier.startswith("customer:") else ():
            named[weak, each.session_id].add(each.identifier)

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = [start]
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += says[name]
        return found

    wrong = []
    for person, interactions in shown.items():
        near = reached(person)
        for one in interactions:
            customers = named.get((one.identifier, one.session_id))
            if one.identifier not in near or (person != one.identifier and customers and person not in customers):
                wrong.append((person, one))
    return wrong
