"""Erasing a person from who is who.

*Whole* are the identifiers whose only owner is that person, and the person itself: nothing of them remains but their
seals, by which older evidence about them is known. *Shared* are weaker ones that others have a part in: there a
nameless owner takes the person's place, so that nobody inherits what was theirs. Where evidence of theirs did not
count (it was parted from them, or they stood alone), they had no part, and nothing takes their place.

| key | value |
| --- | --- |
| `e` order_id, `e` order_id NUL number | `Scope`: whom an erasure concerns, until it is proven |
| `c` identifier | seals of the erased who shared it, until all that follows from their erasure is settled |

What stands alone may be below or above a million others: nothing of that counts, and it is taken away bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pipeline.domain.identity import Outcome
from pipeline.domain.messages import erased_person, is_erased
from pipeline.domain.orders import Erase
from pipeline.domain.recalled import share
from pipeline.domain.state import Reading, State
from pipeline.identify import recall
from pipeline.identify.entries import KINDS
from pipeline.identify.forgetting import PAGE, Chore, clear, cut, lives_of
from pipeline.identify.known import Known
from pipeline.identify.orders import FORGOTTEN, Book, Ordered, Refused, find, unname
from pipeline.identify.records import Erasure

WEAKER_MAX = 4_000  # whole, and shared: more is no person, and would be too much for one transaction
SCOPE_MAX = 100  # whole, and as many shared, in one record
LOOKED_MAX = 20_000  # at, to find them

_encode = msgspec.msgpack.Encoder().encode
_decode_seals = msgspec.msgpack.Decoder(list[bytes]).decode


class Scope(msgspec.Struct):
    """Whom an erasure concerns."""

    before: int  # ms
    blocked: bool
    placeholder: str
    whole: list[str]
    shared: list[str]


_decode = msgspec.msgpack.Decoder(Scope).decode


def scope(state: Reading, order_id: str) -> Scope | None:
    """Whom an erasure that is not proven yet concerns."""
    data = state.get(b"e" + order_id.encode())
    if data is None:
        return None
    found = _decode(data)
    for _, value in state.scan(b"e" + order_id.encode() + b"\0"):
        part = _decode(value)
        found.whole += part.whole
        found.shared += part.shared
    return found


def unfinished(state: Reading) -> list[str]:
    """The erasures that are not proven yet."""
    return [key[1:].decode() for key, _ in state.scan(b"e") if b"\0" not in key]


def _keep(known: Known, order_id: str, scope: Scope) -> None:
    """Write a scope, in records that fit into a batch whatever the names are."""
    start = b"e" + order_id.encode()
    for number, at in enumerate(range(0, max(len(scope.whole), len(scope.shared), 1), SCOPE_MAX)):
        whole, shared = scope.whole[at : at + SCOPE_MAX], scope.shared[at : at + SCOPE_MAX]
        part = Scope(scope.before, scope.blocked, scope.placeholder, whole, shared)
        known.state.put(start + b"\0%08d" % number if number else start, _encode(part))


class Erasing:
    """What one order to erase does. `ended`: the orders about them that no longer hold."""

    def __init__(self, known: Known, book: Book, order: Erase, ordered: Ordered) -> None:
        self._known = known
        self._book = book
        self._order = order
        self._ordered = ordered
        self.ended: list[str] = []
        self.before: dict[str, Outcome] = {}  # what they were
        self._looked = 0

    def run(self) -> Scope:
        """Erase from evidence and orders; the caller tells the profiles. Raises Refused before it changes anything."""
        order, known = self._order, self._known
        self._book.rank(order.person)
        owner = self._book.owner(order.person)
        if owner is None:
            raise Refused(
                f"{order.person} is ambiguous: it belongs to nobody for certain. "
                "Erase the persons who share it, or part it from them first."
            )
        if owner != order.person:
            raise Refused(f"{order.person} is {owner}: erase that person.")
        whole = self._whole()
        self.before = {each: known.outcome(each) for each in whole}
        counting = self._counting(whole)
        shared = sorted({weak for _, weak in counting}.difference(whole))
        if len(shared) > WEAKER_MAX:
            raise Refused(self._too_many(whole))
        done = Scope(order.at, order.block, erased_person(order.at, order.order_id), whole, shared)
        for each in whole:
            self._end_orders(each)
        persons = set(whole)
        erasures = {}
        for each in whole:
            seal = known.seal(each)
            before = max(order.at, known.erased_before(seal))
            erasures[each] = Erasure(before, order.block, self._ordered.number)
            known.set_erasure(seal, erasures[each])
        # All trusted evidence first: what takes the place of public one is trusted too. Were it there before the other
        # is gone, more sessions would count at a shared identifier than ever do, and beyond the widest cap none is
        # counted off any more.
        later: dict[str, list[bool]] = {each: [] for each in whole}
        for public in KINDS:
            for each in whole:
                if not self._cut(each, public, erasures[each], counting, persons, done.placeholder):
                    later[each].append(public)
        for each in whole:
            self._forget(each, later[each], erasures[each])
        for weak in shared:
            seals = sorted(known.seal(strong) for strong, other in counting if other == weak)
            known.state.put(b"c" + weak.encode(), _encode(seals))
        _keep(known, order.order_id, done)
        return done

    def _whole(self) -> list[str]:
        """The person, and all whose only owner it is."""
        known, start = self._known, self._order.person
        found = {start}
        waiting = [start]
        while waiting:
            for other in self._below(waiting.pop()):
                if other not in found and known.outcome(other).assignment.owners == (start,):
                    found.add(other)
                    waiting.append(other)
                if len(found) > WEAKER_MAX or self._looked > LOOKED_MAX:
                    raise Refused(self._too_many(found))
        return sorted(found)

    def _below(self, identifier: str) -> Iterator[str]:
        """Whatever may be somebody's because of it: by orders, and by evidence that counts."""
        known, outcome = self._known, self._known.outcome(identifier)
        yield from known.dependents(identifier)
        for public in KINDS:
            if not (outcome.alone or (public and outcome.muted)):
                for weak in known.weaker(identifier, public):
                    self._looked += 1
                    yield weak

    def _too_many(self, whole: Iterable[str]) -> str:
        """Why so many cannot be erased, and what to do."""
        most = max(sorted(whole), key=self._reach)
        return (
            f"More than {WEAKER_MAX} identifiers are {self._order.person}'s, or shared with them, most of them below "
            f"{most}: part from them what is not theirs, and erase what is left."
        )

    def _reach(self, identifier: str) -> int:
        record = self._known.record(identifier)
        return record.reach + record.of_kind(True).reach

    def _counting(self, whole: list[str]) -> dict[tuple[str, str], set[bool]]:
        """(one of theirs, a weaker one) → the kinds of evidence that make them an owner, were it not for others."""
        known, found = self._known, dict[tuple[str, str], set[bool]]()
        for each in whole:
            outcome = self.before[each]
            for public in KINDS:
                if outcome.alone or (public and outcome.muted):
                    continue
                for weak in known.weaker(each, public):
                    if self._counts(each, weak, public):
                        found.setdefault((each, weak), set()).add(public)
        return found

    def _counts(self, strong: str, weak: str, public: bool) -> bool:
        """Whether evidence from one who is heard makes them an owner, were it not for others."""
        known, start = self._known, self._order.person
        if public and known.outcome(weak).muted:
            return False
        edge = known.edge(strong, weak, public)
        if edge is None or not known.lives(strong, weak, public, edge):
            return False
        return all(start not in (parted, self._book.owner(parted)) for parted in self._known.record(weak).parted)

    def _end_orders(self, identifier: str) -> None:
        """No order may name whom nobody may know."""
        known = self._known
        record = known.record(identifier)
        about = [record.joined_by, record.freed, *record.renewals, *record.parted.values()]
        for other in list(known.dependents(identifier)):
            its = known.record(other)
            about += [its.joined_by if its.joined == identifier else "", its.parted.get(identifier, "")]
        for order_id in filter(None, about):
            if self._book.end(order_id, FORGOTTEN, forget=True) is not None:
                self.ended.append(order_id)

    def _cut(
        self,
        identifier: str,
        public: bool,
        erasure: Erasure,
        counting: Mapping[tuple[str, str], set[bool]],
        whole: set[str],
        placeholder: str,
    ) -> bool:
        """Take all its evidence of a kind away; not where it is too much at once, and counts for nothing."""
        known, outcome = self._known, self.before[identifier]
        dead = bool(outcome.alone or (public and outcome.muted))
        if dead and self._size(identifier, public) > PAGE:
            return False
        for strong in clear(known, identifier, public):
            if strong not in whole and not is_erased(strong):
                known.unsay(strong, identifier, erasure.spoken)
        for weak in list(known.weaker(identifier, public)):
            if weak not in whole:  # of those all is cleared
                counts = public in counting.get((identifier, weak), ())
                cut(known, identifier, weak, placeholder if counts else "", kinds=(public,))
        return True

    def _forget(self, identifier: str, later: list[bool], erasure: Erasure) -> None:
        """Forget what else is known of it; evidence of these kinds goes bit by bit."""
        known = self._known
        known.forget(identifier, is_bare=not later)
        if later:
            chore = Chore(lives_of(known, identifier), later, erasure.spoken, erased=True)
            self._book.chores[f"{identifier}\0{self._order.order_id}"] = chore

    def _size(self, identifier: str, public: bool) -> int:
        side = self._known.entry(identifier).side(public)
        return len(side.above) + side.more + side.sessions + side.reach


def shares(known: Known, ordered: Ordered, person: str) -> Iterator[tuple[str, bytes]]:
    """What is kept of how they shared, once everything is settled: records of identity.orders by their keys."""
    by = {key[1:].decode(): frozenset(_decode_seals(value)) for key, value in known.state.scan(b"c")}
    for weak in by:
        known.state.put(b"c" + weak.encode(), None)
    waiting = sorted(by)
    while waiting:
        weak = waiting.pop()
        assignment = known.outcome(weak).assignment
        if person not in assignment.owners and person not in assignment.sessions.values():
            continue
        edge = known.edge(person, weak, False)
        told = share(person, edge.at if edge else None, by[weak], assignment, known.seal)
        yield recall.shared(ordered, known.seal(weak), told)
        if assignment.owners == (person,):  # what is below may be theirs by way of it
            for public in (False,) if known.outcome(weak).muted else KINDS:
                for below in known.weaker(weak, public):
                    if below not in by:
                        by[below] = frozenset()
                        waiting.append(below)


def unname_orders(state: State, order_id: str, start: int) -> Iterator[int]:
    """Let no order that came before an erasure name whom it concerns; yields the number that is next, from `start`.

    Of orders that hold that is done with the erasure itself; others name people too: refused ones, those that were
    taken back, and whoever was in the way of one that changed somebody else.
    """
    concerned, ordered = scope(state, order_id), find(state, order_id)
    if concerned is None or ordered is None:  # proven already
        return
    whole = frozenset(concerned.whole)
    for number in range(start, ordered.number):
        unname(state, number, whole)
        yield number + 1


def finish(known: Known, ordered: Ordered, proof: bytes) -> None:
    """Keep the proof of an erasure, and forget whom it concerned."""
    ordered.state, ordered.said, ordered.changed = "finished", {"at": ordered.said.get("at")}, []
    ordered.proof = proof
    start = b"e" + ordered.order_id.encode()
    for key in [start, *(key for key, _ in known.state.scan(start + b"\0"))]:
        known.state.put(key, None)
