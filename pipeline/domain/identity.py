"""Who is who: one pure function of the evidence, whatever order it came in.

Evidence is a set of edges from a stronger identifier to a weaker one, each with the earliest time and the sessions in
which an event has said so. *Every* copy of an event is evidence, also one that does not count as an interaction
because another copy was received earlier: so evidence is a set union with a smallest time, and nothing that was said
later takes anything back.

The rule, from the strongest rank down: the owners of w are the persons that its stronger identifiers resolve to.
An ambiguous one resolves to nobody, and is left out while another remains. If none remains, w is ambiguous with their
candidates, and everything stays with w. Otherwise:

- one owner: everything under w is theirs, also from before they were known;
- two or more: w is ambiguous. A session with evidence for exactly one owner is theirs; a session with any other
  evidence stays with w whole; outside these sessions, what happened before the second owner's first time is the first
  owner's, and the rest stays with w.

An owner's first time is the earliest evidence between w and any identifier that resolves to it; at equal times the
smaller (namespace, value), compared as text, is first.

What an identifier's assignment depends on is only above it: so `reassign` looks at what changed and spreads downwards
as long as something changes, however large the component. `assign` is the same for all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Protocol

from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.messages import UNASSIGNED, Assignment

#: Of one edge: the earliest time (ms), and the sessions in which evidence came.
Link = tuple[int, Collection[str]]
#: (strong, weak) → link.
Edges = Mapping[tuple[str, str], Link]


class Graph(Protocol):
    """Evidence and assignments as they stand, seen from `reassign`."""

    def above(self, weak: str) -> Mapping[str, Link]:
        """The stronger identifiers that evidence connects with it. With one alone, its sessions may be left out."""
        ...

    def below(self, strong: str) -> Iterable[str]:
        """The weaker identifiers that evidence connects with it."""
        ...

    def assigned(self, identifier: str) -> Assignment:
        """Its newest assignment; UNASSIGNED where there is none."""
        ...


def ranks(namespaces: Sequence[str] = NAMESPACES) -> dict[str, int]:
    """Namespace → rank; 0 is the strongest."""
    return {namespace: rank for rank, namespace in enumerate(namespaces)}


def assign(edges: Edges, namespaces: Sequence[str] = NAMESPACES) -> dict[str, Assignment]:
    """The assignment (version 0) of every identifier that the edges connect.

    Raises ValueError where an edge does not lead from a stronger to a weaker namespace.
    """
    whole = _Whole(edges)
    order = ranks(namespaces)
    for strong, weak in edges:
        check(strong, weak, order)
    for identifier, _, after in reassign(whole.stronger, whole, order):
        whole.assignments[identifier] = after
    return {identifier: whole.assigned(identifier) for edge in edges for identifier in edge}


def check(strong: str, weak: str, order: Mapping[str, int]) -> None:
    """Raises ValueError unless `strong` stands above `weak`: two of the same rank are never joined by evidence."""
    above, below = order.get(_namespace(strong)), order.get(_namespace(weak))
    if above is None or below is None or above >= below:
        raise ValueError(f"no evidence leads from {_namespace(strong)!r} to {_namespace(weak)!r}")


def reassign(
    changed: Iterable[str], graph: Graph, order: Mapping[str, int]
) -> Iterator[tuple[str, Assignment, Assignment]]:
    """What becomes of identifiers whose evidence changed, and of those below them.

    Yields (identifier, assignment before, assignment after, its version 0) once for each that it looked at, strongest
    first; before it goes on, `graph` must know the assignment after.
    """
    waiting = [(order[_namespace(identifier)], identifier) for identifier in set(changed)]
    heapify(waiting)
    seen = {identifier for _, identifier in waiting}
    while waiting:
        _, identifier = heappop(waiting)
        before = graph.assigned(identifier)
        after = settle(graph.above(identifier), graph.assigned)
        yield identifier, before, after
        if _resolution(before) != _resolution(after):
            for weak in graph.below(identifier):
                if weak not in seen:
                    seen.add(weak)
                    heappush(waiting, (order[_namespace(weak)], weak))


def settle(above: Mapping[str, Link], assigned: Callable[[str], Assignment]) -> Assignment:
    """The assignment (version 0) of one identifier, from its evidence and the assignments of what stands above it."""
    persons = {strong: person(strong, assigned(strong)) for strong in above}
    first: dict[str, int] = {}
    for strong, owner in persons.items():
        at = above[strong][0]
        if owner is not None and at < first.get(owner, at + 1):
            first[owner] = at
    if len(first) == 1:
        return Assignment(0, tuple(first))
    if not first:
        candidates = {candidate for strong in above for candidate in assigned(strong).candidates}
        return Assignment(0, candidates=tuple(sorted(candidates)), ambiguous=bool(above))
    owners = sorted(first, key=lambda owner: (first[owner], *owner.split(":", 1)))
    return Assignment(
        0,
        owners=tuple(owners),
        until=first[owners[1]],
        sessions=_sessions(above, persons),
        candidates=tuple(sorted(owners)),
        ambiguous=True,
    )


def person(identifier: str, assignment: Assignment) -> str | None:
    """The person that an identifier resolves to; None where it is ambiguous."""
    if assignment.ambiguous:
        return None
    return assignment.owners[0] if assignment.owners else identifier


def same(one: Assignment, other: Assignment) -> bool:
    """Whether two assignments say the same, whatever their versions."""
    return _resolution(one) == _resolution(other) and (one.until, one.sessions) == (other.until, other.sessions)


def _resolution(assignment: Assignment) -> tuple[object, ...]:
    """What others below it see of an assignment."""
    return assignment.ambiguous, assignment.owners, assignment.candidates


def _sessions(above: Mapping[str, Link], persons: Mapping[str, str | None]) -> dict[str, str]:
    """Session with evidence → its only owner, or '' where there is none, or more."""
    heard: dict[str, set[str]] = {}
    for strong, (_, sessions) in above.items():
        owner = persons[strong]
        for session in sessions:
            owners = heard.setdefault(session, set())
            if owner is not None:
                owners.add(owner)
    return {session: owners.pop() if len(owners) == 1 else "" for session, owners in sorted(heard.items())}


def _namespace(identifier: str) -> str:
    return identifier.partition(":")[0]


class _Whole:
    """A graph in memory."""

    def __init__(self, edges: Edges) -> None:
        self.stronger: dict[str, dict[str, Link]] = {}
        self.weaker: dict[str, list[str]] = {}
        self.assignments: dict[str, Assignment] = {}
        for (strong, weak), link in edges.items():
            self.stronger.setdefault(weak, {})[strong] = link
            self.weaker.setdefault(strong, []).append(weak)

    def above(self, weak: str) -> Mapping[str, Link]:
        return self.stronger[weak]

    def below(self, strong: str) -> Iterable[str]:
        return self.weaker.get(strong, ())

    def assigned(self, identifier: str) -> Assignment:
        return self.assignments.get(identifier, UNASSIGNED)
