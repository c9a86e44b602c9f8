"""Who is who: one pure function of the evidence and of what people ordered, whatever order it came in.

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
smaller (namespace, value), compared as text, is first, but somebody erased before all others: they inherit nothing.

What people order goes before: a join makes the person of another identifier the only owner; where w is parted from a
person, no edge counts from an identifier that resolves to that person, or to whomever that person resolves to.

Nobody is the person of a kiosk. Over a cap (`Caps`) an identifier stands alone: it is a person of its own, and no edge
from or to it counts. Which ones do is a function of the evidence alone, never of its order.

What an identifier's assignment depends on is only above it: so `reassign` looks at what changed and spreads downwards
as long as something changes, however large the component. `assign` is the same for all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import NamedTuple, Protocol

from msgspec import structs

from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.messages import UNASSIGNED, Assignment, is_erased

#: Of one edge: the earliest time (ms), and the sessions in which evidence came.
Link = tuple[int, Collection[str]]
#: (strong, weak) → link.
Edges = Mapping[tuple[str, str], Link]


@dataclass(frozen=True, slots=True)
class Caps:
    """With more than this, an identifier stands alone."""

    links: int = 1_000  # stronger identifiers that evidence connects with it
    owners: int = 64  # persons that these resolve to
    reach: int = 1_000  # weaker identifiers
    sessions: int = 4_000  # with evidence, where it has two owners or more
    freed_owners: int = 1_000  # once a person has freed it
    freed_reach: int = 10_000


class Facts(NamedTuple):
    """What is known about one identifier, apart from what becomes of it."""

    above: Mapping[str, Link]  # from each stronger one. With one alone, its sessions may be left out
    joined: str = ""  # ordered to be that identifier's person's; '': to nobody's
    parted: Collection[str] = ()  # ordered not to be these persons'
    sessions: int = 0  # with evidence
    over: str = ""  # the cap that its evidence alone exceeds: 'links', 'reach', or ''
    freed: bool = False


class Outcome(NamedTuple):
    """What becomes of an identifier."""

    assignment: Assignment  # version 0
    alone: str = ""  # the cap because of which it stands alone: 'links', 'owners', 'reach', 'sessions', or ''


class Change(NamedTuple):
    """What became of an identifier, and what it was before."""

    identifier: str
    before: Outcome
    after: Outcome


class Graph(Protocol):
    """Evidence, orders and assignments as they stand, seen from `reassign`."""

    def facts(self, identifier: str) -> Facts:
        """What is known about it."""
        ...

    def below(self, strong: str) -> Iterable[str]:
        """All whose assignment may depend on its own: weaker ones by evidence, and others by orders."""
        ...

    def dependents(self, identifier: str) -> Iterable[str]:
        """Of these, those that do by orders."""
        ...

    def outcome(self, identifier: str) -> Outcome:
        """What became of it the last time; NOTHING where it was never looked at."""
        ...


NOTHING = Outcome(UNASSIGNED)
CAPS = Caps()


def ranks(namespaces: Sequence[str] = NAMESPACES) -> dict[str, int]:
    """Namespace → rank; 0 is the strongest."""
    return {namespace: rank for rank, namespace in enumerate(namespaces)}


def assign(edges: Edges, namespaces: Sequence[str] = NAMESPACES, caps: Caps = CAPS) -> dict[str, Assignment]:
    """The assignment (version 0) of every identifier that the edges connect.

    Raises ValueError where an edge does not lead from a stronger to a weaker namespace.
    """
    whole = _Whole(edges, caps)
    order = ranks(namespaces)
    for strong, weak in edges:
        check(strong, weak, order)
    for change in reassign({*whole.stronger, *whole.weaker}, whole, order, caps):
        whole.outcomes[change.identifier] = change.after
    return {identifier: whole.outcome(identifier).assignment for edge in edges for identifier in edge}


def check(strong: str, weak: str, order: Mapping[str, int]) -> None:
    """Raises ValueError unless `strong` stands above `weak`: two of the same rank are never joined by evidence."""
    above, below = order.get(_namespace(strong)), order.get(_namespace(weak))
    if above is None or below is None or above >= below:
        raise ValueError(f"no evidence leads from {_namespace(strong)!r} to {_namespace(weak)!r}")


def reassign(changed: Iterable[str], graph: Graph, order: Mapping[str, int], caps: Caps = CAPS) -> Iterator[Change]:
    """What becomes of identifiers about which something changed, and of those that depend on them.

    Yields a change for each identifier that it looked at, strongest first, once each; before it goes on, `graph` must
    know the outcome.
    """

    def place(identifier: str) -> tuple[int, int, str]:
        return order[_namespace(identifier)], _depth(identifier, graph, order), identifier

    waiting = [place(identifier) for identifier in set(changed)]
    heapify(waiting)
    seen = {identifier for *_, identifier in waiting}
    while waiting:
        *_, identifier = heappop(waiting)
        before = graph.outcome(identifier)
        after = settle(graph.facts(identifier), graph.outcome, caps)
        yield Change(identifier, before, after)
        if _resolution(before) != _resolution(after):
            # No evidence below it counts where it stands alone; but by a join it may be somebody's all the same.
            others = graph.dependents(identifier) if before.alone and after.alone else graph.below(identifier)
            for other in others:
                if other not in seen:
                    seen.add(other)
                    heappush(waiting, place(other))


def _depth(identifier: str, graph: Graph, order: Mapping[str, int]) -> int:
    """How many joins within its rank lie between an identifier and its person: those nearer to it are settled first."""
    depth, rank = 0, order[_namespace(identifier)]
    while (into := graph.facts(identifier).joined) and order[_namespace(into)] == rank:
        depth, identifier = depth + 1, into
    return depth


def settle(facts: Facts, outcome: Callable[[str], Outcome], caps: Caps = CAPS) -> Outcome:
    """What becomes of one identifier, from what is known about it and the outcomes of what stands above it."""
    if facts.joined:
        into = outcome(facts.joined).assignment
        owner = person(facts.joined, into)
        if owner is None:
            return Outcome(Assignment(0, candidates=into.candidates, ambiguous=True), facts.over)
        if facts.parted and owner in _others(facts.parted, outcome):  # `into` has become theirs since
            return Outcome(UNASSIGNED, facts.over)
        return Outcome(Assignment(0, (owner,)), facts.over)
    if facts.over:
        return Outcome(UNASSIGNED, facts.over)
    counting = {strong: known.assignment for strong in facts.above if not (known := outcome(strong)).alone}
    persons = {strong: person(strong, assignment) for strong, assignment in counting.items()}
    others = _others(facts.parted, outcome) if facts.parted else frozenset()
    if others:
        persons = {strong: owner for strong, owner in persons.items() if owner not in others}
    first: dict[str, int] = {}
    for strong, owner in persons.items():
        at = facts.above[strong][0]
        if owner is not None and at < first.get(owner, at + 1):
            first[owner] = at
    if len(first) == 1:
        return Outcome(Assignment(0, tuple(first)))
    if not first:
        may_be = {candidate for strong in persons for candidate in counting[strong].candidates} - others
        return Outcome(Assignment(0, candidates=tuple(sorted(may_be)), ambiguous=bool(persons)))
    if len(first) > (caps.freed_owners if facts.freed else caps.owners):
        return Outcome(UNASSIGNED, "owners")
    if facts.sessions > caps.sessions:
        return Outcome(UNASSIGNED, "sessions")
    owners = sorted(first, key=lambda owner: (first[owner], not is_erased(owner), *owner.split(":", 1)))
    return Outcome(
        Assignment(
            0,
            owners=tuple(owners),
            until=first[owners[1]],
            sessions=_sessions(facts.above, persons),
            candidates=tuple(sorted(owner for owner in owners if not is_erased(owner))),
            ambiguous=True,
        )
    )


def _others(parted: Collection[str], outcome: Callable[[str], Outcome]) -> frozenset[str]:
    """Whom an identifier is parted from: these persons, and whom they resolve to by now."""
    resolved = (person(each, outcome(each).assignment) for each in parted)
    return frozenset((*parted, *(each for each in resolved if each is not None)))


def person(identifier: str, assignment: Assignment) -> str | None:
    """The person that an identifier resolves to; None where it is ambiguous."""
    if assignment.ambiguous:
        return None
    return assignment.owners[0] if assignment.owners else identifier


def same(one: Assignment, other: Assignment) -> bool:
    """Whether two assignments say the same, whatever their versions."""
    return structs.replace(one, version=0) == structs.replace(other, version=0)


def _resolution(outcome: Outcome) -> tuple[object, ...]:
    """What others below it see of an outcome."""
    known = outcome.assignment
    return known.ambiguous, known.owners, known.candidates, outcome.alone


def _sessions(above: Mapping[str, Link], persons: Mapping[str, str | None]) -> dict[str, str]:
    """Session with evidence → its only owner, or '' where there is none, or more."""
    heard: dict[str, set[str]] = {}
    for strong, owner in persons.items():
        for session in above[strong][1]:
            owners = heard.setdefault(session, set())
            if owner is not None:
                owners.add(owner)
    return {session: owners.pop() if len(owners) == 1 else "" for session, owners in sorted(heard.items())}


def _namespace(identifier: str) -> str:
    return identifier.partition(":")[0]


class _Whole:
    """A graph in memory, of evidence alone."""

    def __init__(self, edges: Edges, caps: Caps) -> None:
        self._caps = caps
        self.stronger: dict[str, dict[str, Link]] = {}
        self.weaker: dict[str, list[str]] = {}
        self.outcomes: dict[str, Outcome] = {}
        for (strong, weak), link in edges.items():
            self.stronger.setdefault(weak, {})[strong] = link
            self.weaker.setdefault(strong, []).append(weak)

    def facts(self, identifier: str) -> Facts:
        above = self.stronger.get(identifier, {})
        sessions = {session for _, heard in above.values() for session in heard}
        over = "links" if len(above) > self._caps.links else ""
        if not over and len(self.weaker.get(identifier, ())) > self._caps.reach:
            over = "reach"
        return Facts(above, sessions=len(sessions), over=over)

    def below(self, strong: str) -> Iterable[str]:
        return self.weaker.get(strong, ())

    def dependents(self, identifier: str) -> Iterable[str]:
        return ()

    def outcome(self, identifier: str) -> Outcome:
        return self.outcomes.get(identifier, NOTHING)
