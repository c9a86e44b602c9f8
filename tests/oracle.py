"""The truth, as one batch function of everything that was ever sent; and a check that knows none of the rules.

Written from DESIGN.md section 4 alone, and kept apart from `pipeline.domain.identity`, so that the same mistake would
have to be made twice. Slow and short on purpose. What people order comes in from `tests.oracle_orders`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assignment

DAY_MS = 86_400_000
Copies = Iterable[Interaction]
Key = tuple[str, str, str]  # of a stored interaction: identifier, source, event id
NOBODY = Assignment(0)


class Said(NamedTuple):
    """Evidence: that the strong and the weak belong together."""

    at: int
    strong: str
    weak: str
    session: str
    public: bool = False  # anybody may have said it


@dataclass(frozen=True)
class Limits:
    """Beyond these an identifier stands alone; but first it is not heard through public keys."""

    links: int = 1_000  # stronger identifiers
    owners: int = 64  # or candidates
    reach: int = 1_000  # weaker identifiers
    sessions: int = 4_000  # where it has two owners; one counts once for each stronger identifier
    size: int = 256 * 1024  # bytes of all names in an assignment
    freed_links: int = 4_000
    freed_owners: int = 1_000
    freed_reach: int = 10_000
    freed_sessions: int = 8_000  # of more, it is known only that there are
    freed_size: int = 320 * 1024


@dataclass(frozen=True)
class InForce:
    """What people have ordered, as it holds now."""

    joins: Mapping[str, str] = field(default_factory=dict)  # from → into
    parts: Mapping[str, Collection[str]] = field(default_factory=dict)  # identifier → persons
    freed: Collection[str] = ()
    stuck: Collection[tuple[str, bool]] = ()  # (identifier, public): of that kind there were too many sessions to know
    past: Collection[str] = ()  # identifiers whose owners were forgotten


class Who(NamedTuple):
    """Whose an identifier is; the cap because of which it stands alone, or is not heard through public keys, or ''."""

    is_: Assignment  # version 0
    alone: str = ""
    muted: str = ""


@dataclass(frozen=True)
class Truth:
    """What every view, sink and answer must equal in the end."""

    assignments: dict[str, Assignment]  # version 0; of every identifier that evidence connects
    persons: dict[str, list[Interaction]]  # all interactions of each person, newest first: scores come from these
    timelines: dict[str, list[Interaction]]  # the same, cut as a view is


def truth(copies: Copies, size: int = 200, age_ms: int = 400 * DAY_MS) -> Truth:
    """Persons and timelines, from every copy of every event. `size` and `age_ms` cut the timelines."""
    copies = list(copies)
    said = [Said(x.linked_at, x.identifier, weak, x.session_id, x.public) for x in copies for weak in x.links]
    counted: dict[Key, Interaction] = {}
    for x in copies:
        counted[(x.identifier, *x.event)] = min(
            (x, counted.get((x.identifier, *x.event), x)), key=lambda copy: copy.precedence
        )
    everyone = WhoIsWho(said)
    assignments = {name: everyone.who(name).is_ for each in said for name in (each.strong, each.weak)}
    return told(assignments, counted.values(), size, age_ms)


def told(
    assignments: dict[str, Assignment],
    stored: Iterable[Interaction],
    size: int,
    age_ms: int,
    accepts: Callable[[str, Interaction], bool] = lambda person, x: True,
) -> Truth:
    """Persons and timelines, from what is stored and whose it is; but for what a person does not accept."""
    persons: dict[str, list[Interaction]] = defaultdict(list)
    for each in sorted(stored, key=lambda one: (*one.position, one.identifier), reverse=True):
        owner = whose(each, assignments.get(each.identifier, NOBODY))
        if accepts(owner, each):
            persons[each.identifier if owner.startswith("erased:") else owner].append(each)
    timelines = {
        name: [each for each in found[:size] if found[0].occurred_at - each.occurred_at <= age_ms]
        for name, found in persons.items()
    }
    return Truth(assignments, dict(persons), timelines)


class WhoIsWho:
    """Who everybody is, by all evidence and by what people ordered."""

    def __init__(self, said: Iterable[Said], orders: InForce | None = None, limits: Limits | None = None) -> None:
        self._orders = orders or InForce()
        self._limits = limits or Limits()
        self._above: dict[str, list[Said]] = defaultdict(list)
        self._below: dict[tuple[str, bool], set[str]] = defaultdict(set)
        for each in said:
            self._above[each.weak].append(each)
            self._below[each.strong, each.public].add(each.weak)
        self._known: dict[str, Who] = {}

    def who(self, name: str) -> Who:
        """Who that identifier is."""
        if name not in self._known:
            self._known[name] = self._decide(name)
        return self._known[name]

    def person(self, name: str) -> str | None:
        """The person that it resolves to; None where it is ambiguous."""
        found = self.who(name).is_
        return None if found.ambiguous else (found.owners or (name,))[0]

    def counts(self, each: Said) -> bool:
        """Whether that evidence counts at its weak end, were it not for caps there."""
        strong = self.who(each.strong)
        heard = not (strong.alone or (each.public and strong.muted))
        return heard and self.person(each.strong) not in self.barred(each.weak)

    def barred(self, name: str) -> set[str]:
        """The persons that it is parted from, and whoever these are by now."""
        parted = self._orders.parts.get(name, ())
        return {*parted, *(person for each in parted if (person := self.person(each)))}

    def _decide(self, name: str) -> Who:
        over = self._over(name, public=False)
        muted = "" if over else self._over(name, public=True)
        if name in self._orders.joins:
            into = self._orders.joins[name]
            owner = self.person(into)
            if owner is None:
                return Who(Assignment(0, candidates=self.who(into).is_.candidates, ambiguous=True), over, muted)
            return Who(NOBODY if owner in self.barred(name) else Assignment(0, (owner,)), over, muted)
        if over:
            return Who(NOBODY, over)
        trusted = [each for each in self._above[name] if not each.public]
        public = [each for each in self._above[name] if each.public]
        if not muted and any(self.who(each.strong)[1:] == ("", "") for each in public):
            found, muted = self._by(name, [*trusted, *public])
            if not muted:
                return Who(found)
        found, alone = self._by(name, trusted)
        return Who(found, alone, "" if alone else muted)

    def _by(self, name: str, said: list[Said]) -> tuple[Assignment, str]:
        """Whose it is by that evidence; or the cap that this exceeds."""
        caps = self._caps(name)
        evidence = [each for each in said if self.counts(each)]
        clear = [(each.at, owner, each.session) for each in evidence if (owner := self.person(each.strong))]
        first = {owner: min(at for at, o, _ in clear if o == owner) for _, owner, _ in clear}
        if not first:
            may_be = {c for each in evidence for c in self.who(each.strong).is_.candidates} - self.barred(name)
            found = Assignment(0, candidates=tuple(sorted(may_be)), ambiguous=bool(evidence))
            return (NOBODY, "candidates") if len(may_be) > caps.owners else self._told(found, caps)
        if name in self._orders.past:
            first[name] = -1
        owners = tuple(sorted(first, key=lambda owner: (first[owner], owner[:7] != "erased:", owner.split(":", 1))))
        if len(owners) == 1:
            return Assignment(0, owners), ""
        if len(owners) > caps.owners:
            return NOBODY, "owners"
        kinds = {each.public for each in said}
        if any(self._crowded(name, public, caps.sessions) for public in kinds | {False}):
            return NOBODY, "sessions"
        sessions = {session: {o for _, o, s in clear if s == session} for session in sessions_of(evidence)}
        settled = {session: min(found) if len(found) == 1 else "" for session, found in sessions.items()}
        candidates = tuple(sorted(owner for owner in owners if owner[:7] != "erased:" and owner != name))
        return self._told(Assignment(0, owners, first[owners[1]], settled, candidates, ambiguous=True), caps)

    def _told(self, found: Assignment, caps: Limits) -> tuple[Assignment, str]:
        """The same, if it is not too much to tell."""
        names = [*found.owners, *found.candidates, *found.sessions, *found.sessions.values()]
        return (NOBODY, "size") if sum(len(each.encode()) for each in names) > caps.size else (found, "")

    def _caps(self, name: str) -> Limits:
        caps = self._limits
        if name not in self._orders.freed:
            return caps
        wide = {each: getattr(caps, f"freed_{each}") for each in ("links", "owners", "reach", "sessions", "size")}
        return replace(caps, **wide)

    def _crowded(self, name: str, public: bool, sessions: int) -> bool:
        said = [each for each in self._above[name] if each.public == public]
        return (name, public) in self._orders.stuck or logins(said) > sessions

    def _over(self, name: str, public: bool) -> str:
        """The cap that one kind of its evidence alone exceeds."""
        caps = self._caps(name)
        if name.startswith("erased:"):
            return ""
        if len({each.strong for each in self._above[name] if each.public == public}) > caps.links:
            return "links"
        return "reach" if len(self._below[name, public]) > caps.reach else ""


def logins(said: Iterable[Said]) -> int:
    """In how many sessions evidence came, each once for each stronger identifier."""
    return len({(each.strong, each.session) for each in said if each.session})


def sessions_of(said: Iterable[Said]) -> set[str]:
    """The sessions in which evidence came."""
    return {each.session for each in said} - {""}


def whose(one: Interaction, who: Assignment) -> str:
    """The person of an interaction that is stored under an identifier with this assignment."""
    if len(who.owners) < 2:
        return who.owners[0] if who.owners else one.identifier
    if one.session_id in who.sessions:
        return who.sessions[one.session_id] or one.identifier
    assert who.until is not None
    return who.owners[0] if one.occurred_at < who.until else one.identifier


@dataclass(frozen=True)
class Ordered:
    """What people ordered, as far as it limits what may be shown, whatever the rules are."""

    joins: Mapping[str, str] = field(default_factory=dict)  # from → into
    parts: Mapping[str, Collection[str]] = field(default_factory=dict)  # identifier → persons
    erased: Mapping[str, int] = field(default_factory=dict)  # identifier → what is older than that (ms) is erased
    unheard: Collection[str] = ()  # who stood alone at any time: what they say of others may not count
    muffled: Collection[str] = ()  # who was not heard through public keys at any time
    forgotten: Collection[str] = ()  # of whom something was forgotten at any time
    unsaid: Collection[tuple[str, str]] = ()  # (identifier, person): parted at any time


NOTHING_ORDERED = Ordered()


def strangers(
    shown: Mapping[str, Iterable[Interaction]], copies: Copies, ordered: Ordered = NOTHING_ORDERED
) -> list[tuple[str, Interaction]]:
    """What is shown to a person without raw evidence that it is theirs: (person, interaction). Must be empty.

    Things that hold whatever the rules are. From the person to the identifier under which an interaction is stored
    leads a chain of events, each naming the next identifier beside a stronger one, or of joins; and none of the
    identifiers on the way is parted from that person. An interaction of a session in which customers named themselves
    with that identifier is shown to none but them. What is from before an erasure is shown to nobody.
    """
    joins = ordered.joins
    says: dict[str, set[str]] = defaultdict(set)
    named: dict[tuple[str, str], set[str]] = defaultdict(set)
    for start, into in joins.items():
        says[into].add(start)
    for each in copies:
        says[each.identifier].update(each.links)
        if each.session_id and each.identifier.startswith("customer:") and each.identifier not in ordered.unheard:
            customer = _end(each.identifier, joins)
            for weak in each.links:
                if {each.identifier, weak} & {*ordered.forgotten, *(ordered.muffled if each.public else ())}:
                    continue
                if each.since < ordered.erased.get(weak, 0):
                    continue  # nobody knows of it any more; where the customer alone is erased, nobody inherits it
                if not {(weak, each.identifier), (weak, customer)} & set(ordered.unsaid):
                    named[weak, each.session_id].add(customer)

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = [start]
        while ahead:
            name = ahead.pop()
            if name not in found and start not in {_end(parted, joins) for parted in ordered.parts.get(name, ())}:
                found.add(name)
                ahead += says[name]
        return found

    wrong = []
    for person, interactions in shown.items():
        near = reached(person)
        for one in interactions:
            customers = named.get((one.identifier, one.session_id)) if one.identifier not in joins else None
            if (
                one.identifier not in near
                or (person != one.identifier and customers and person not in customers)
                or one.since < ordered.erased.get(one.identifier, 0)
            ):
                wrong.append((person, one))
    return wrong


def _end(name: str, joins: Mapping[str, str]) -> str:
    """What it is joined into, directly or by way of others; itself where it is not."""
    while name in joins:
        name = joins[name]
    return name
