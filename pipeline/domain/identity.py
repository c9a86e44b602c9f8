"""Who is who: one pure function of the evidence and of what people ordered, whatever order it came in.

Evidence is a set of edges from a stronger identifier to a weaker one, each with the earliest time and the sessions in
which an event has said so. *Every* copy of an event is evidence, also one that does not count as an interaction
because another copy was received earlier: so evidence is a set union with a smallest time, and nothing that was said
later takes anything back. What came with a public key is a set of edges of its own.

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
person, no edge counts from an identifier that resolves to that person, or to whomever that person resolves to. Where a
person ordered that the evidence so far be forgotten, w itself stands in the place of the owners it had: what was under
it before is nobody else's.

Nobody is the person of a kiosk. Over a cap (`caps`) an identifier stands alone: it is a person of its own, and no edge
from or to it counts. But first it is left without what public keys said: no public edge from or to it counts then.
Which ones do is a function of the evidence alone, never of its order.

What an identifier's assignment depends on is only above it: so `spreading` looks at what changed and goes downwards as
long as something changes, however large the component. `assign` is the same for all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from msgspec import structs

from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.messages import UNASSIGNED, Assignment, is_erased

#: Of one edge: the earliest time (ms), and the sessions in which evidence came.
Link = tuple[int, Collection[str]]
#: (strong, weak) → link.
Edges = Mapping[tuple[str, str], Link]

NO_LINKS: Mapping[str, Link] = MappingProxyType({})
_NAME_BYTES = 1_040  # of an identifier or a session at most: 256 characters, and a namespace
_ALWAYS = -1  # ms: the first time of those who were before


class Facts(NamedTuple):
    """What is known about one identifier, apart from what becomes of it."""

    above: Mapping[str, Link]  # from each stronger one. With one alone, its sessions may be left out
    joined: str = ""  # ordered to be that identifier's person's; '': to nobody's
    parted: Collection[str] = ()  # ordered not to be these persons'
    sessions: int = 0  # with evidence, once for each stronger one
    over: str = ""  # the cap that its evidence alone exceeds: 'links', 'reach', or ''
    freed: bool = False
    public: Mapping[str, Link] = NO_LINKS  # and the same of what came with public keys
    public_sessions: int = 0
    muted: str = ""  # the cap that this alone exceeds
    past: str = ""  # itself, where owners that it had were forgotten


class Outcome(NamedTuple):
    """What becomes of an identifier. Caps: 'links', 'owners', 'candidates', 'reach', 'sessions', 'size'."""

    assignment: Assignment  # version 0
    alone: str = ""  # the cap because of which it stands alone, or ''
    muted: str = ""  # the cap because of which public edges from and to it do not count; '' also where it stands alone


class Change(NamedTuple):
    """What became of an identifier, and what it was before."""

    identifier: str
    before: Outcome
    after: Outcome
    ordered: bool = False  # because of what somebody ordered, directly or by way of others


class Graph(Protocol):
    """Evidence, orders and assignments as they stand, seen from `spreading`."""

    def facts(self, identifier: str) -> Facts:
        """What is known about it."""
        ...

    def joined(self, identifier: str) -> str:
        """What it was ordered to be; ''."""
        ...

    def below(self, identifier: str, after: str, limit: int, by_orders: bool) -> tuple[Sequence[str], str]:
        """A page of all whose assignment may depend on its own: weaker ones by evidence, and others by orders.

        At most about `limit` behind `after` ('': from the start), and what to go on after ('': that was all).
        `by_orders`: only those that depend on it by orders.
        """
        ...

    def outcome(self, identifier: str) -> Outcome:
        """What became of it the last time; NOTHING where it was never looked at."""
        ...


NOTHING = Outcome(UNASSIGNED)


def ranks(namespaces: Sequence[str] = NAMESPACES) -> dict[str, int]:
    """Namespace → rank; 0 is the strongest."""
    return {namespace: rank for rank, namespace in enumerate(namespaces)}


def check(strong: str, weak: str, order: Mapping[str, int]) -> None:
    """Raises ValueError unless `strong` stands above `weak`: two of the same rank are never joined by evidence."""
    above, below = order.get(namespace(strong)), order.get(namespace(weak))
    if above is None or below is None or above >= below:
        raise ValueError(f"no evidence leads from {namespace(strong)!r} to {namespace(weak)!r}")


def settle(facts: Facts, outcome: Callable[[str], Outcome], caps: Caps = CAPS) -> Outcome:
    """What becomes of one identifier, from what is known about it and the outcomes of what stands above it."""
    muted = "" if facts.over else facts.muted
    if facts.joined:
        return Outcome(_by_order(facts, outcome), facts.over, muted)
    if facts.over:
        return Outcome(UNASSIGNED, facts.over)
    if facts.freed:
        caps = caps.of(freed=True)
    known = {strong: outcome(strong) for strong in facts.above}
    said = {strong: link for strong, link in facts.above.items() if not known[strong].alone}
    others = _others(facts.parted, outcome) if facts.parted else frozenset()
    if facts.public and not muted:
        known.update((strong, outcome(strong)) for strong in facts.public)
        heard = {s: link for s, link in facts.public.items() if not (known[s].alone or known[s].muted)}
        if heard:
            crowded = max(facts.sessions, facts.public_sessions) > caps.sessions
            decided = _by_evidence(_united(said, heard), known, others, facts.past, crowded, caps)
            if not decided.alone:
                return decided
            muted = decided.alone
    decided = _by_evidence(said, known, others, facts.past, facts.sessions > caps.sessions, caps)
    return decided if decided.alone or not muted else Outcome(decided.assignment, "", muted)


def _by_order(facts: Facts, outcome: Callable[[str], Outcome]) -> Assignment:
    """The assignment of one that was joined."""
    into = outcome(facts.joined).assignment
    owner = person(facts.joined, into)
    if owner is None:
        return Assignment(0, candidates=into.candidates, ambiguous=True)
    if facts.parted and owner in _others(facts.parted, outcome):  # `into` has become theirs since
        return UNASSIGNED
    return Assignment(0, (owner,))


def _by_evidence(
    said: Mapping[str, Link],
    known: Mapping[str, Outcome],
    others: Collection[str],
    past: str,
    crowded: bool,
    caps: Caps,
) -> Outcome:
    """The assignment by the edges that count, but for those from `others`. `crowded`: with too many sessions."""
    persons: dict[str, str | None] = {}
    first: dict[str, int] = {}
    for strong, (at, _) in said.items():
        owner = person(strong, known[strong].assignment)
        if owner is not None:
            if owner in others:
                continue
            if at < first.get(owner, at + 1):
                first[owner] = at
        persons[strong] = owner
    if not first:
        may_be = {candidate for strong in persons for candidate in known[strong].assignment.candidates}
        return _bounded(
            Assignment(0, candidates=tuple(sorted(may_be.difference(others))), ambiguous=bool(persons)), caps
        )
    if past:
        first[past] = _ALWAYS
    if len(first) == 1:
        return Outcome(Assignment(0, tuple(first)))
    if len(first) > caps.owners:
        return Outcome(UNASSIGNED, "owners")
    if crowded:
        return Outcome(UNASSIGNED, "sessions")
    owners = sorted(first, key=lambda owner: (first[owner], not is_erased(owner), *owner.split(":", 1)))
    candidates = tuple(sorted(owner for owner in owners if not is_erased(owner) and owner != past))
    sessions = _sessions(said, persons)
    return _bounded(Assignment(0, tuple(owners), first[owners[1]], sessions, candidates, ambiguous=True), caps)


def _bounded(assignment: Assignment, caps: Caps) -> Outcome:
    """Nothing, where more persons or names would have to be told than one assignment may hold."""
    known, sessions = assignment, assignment.sessions
    if len(known.candidates) > caps.owners:
        return Outcome(UNASSIGNED, "candidates")
    if (len(known.owners) + len(known.candidates) + 2 * len(sessions)) * _NAME_BYTES > caps.size:
        names = (*known.owners, *known.candidates, *sessions, *sessions.values())
        if sum(len(name.encode()) for name in names) > caps.size:
            return Outcome(UNASSIGNED, "size")
    return Outcome(assignment)


def _united(one: Mapping[str, Link], other: Mapping[str, Link]) -> Mapping[str, Link]:
    """What both say."""
    if not one:
        return other
    united = dict(one)
    for strong, (at, sessions) in other.items():
        known = united.get(strong)
        united[strong] = (at, sessions) if known is None else (min(at, known[0]), {*known[1], *sessions})
    return united


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


def resolution(outcome: Outcome) -> tuple[object, ...]:
    """What others below it see of an outcome."""
    known = outcome.assignment
    return known.ambiguous, known.owners, known.candidates, outcome.alone, outcome.muted


def _sessions(above: Mapping[str, Link], persons: Mapping[str, str | None]) -> dict[str, str]:
    """Session with evidence → its only owner, or '' where there is none, or more."""
    heard: dict[str, set[str]] = {}
    for strong, owner in persons.items():
        for session in above[strong][1]:
            owners = heard.setdefault(session, set())
            if owner is not None:
                owners.add(owner)
    return {session: owners.pop() if len(owners) == 1 else "" for session, owners in sorted(heard.items())}


def namespace(identifier: str) -> str:
    """What stands before its value."""
    return identifier.partition(":")[0]
