"""Erasing a person from who is who.

*Whole* are the identifiers whose only owner is that person, and the person itself: nothing of them remains but their
seals, by which older evidence about them is known. *Shared* are weaker ones that others have a part in: there a
nameless owner takes the person's place, so that nobody inherits what was theirs. Where evidence of theirs did not
count (it was parted from them, or they stood alone), they had no part, and nothing takes their place.

| key | value |
| --- | --- |
| `e` order_id | `Scope`: whom an erasure concerns, until it is proven; then this is forgotten too |
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pipeline.domain.messages import erased_person, is_erased
from pipeline.domain.orders import Erase
from pipeline.domain.recalled import share
from pipeline.domain.state import Reading
from pipeline.identify import recall
from pipeline.identify.known import Known
from pipeline.identify.orders import Book, Ordered, Refused
from pipeline.identify.records import Erasure

WEAKER_MAX = 10_000  # below one person: more is no person, and would be too much for one transaction

_encode = msgspec.msgpack.Encoder().encode


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
    return _decode(data) if data is not None else None


def unfinished(state: Reading) -> list[str]:
    """The erasures that are not proven yet."""
    return [key[1:].decode() for key, _ in state.scan(b"e")]


class Erasing:
    """What one order to erase does. `ended`: the orders about them that no longer hold."""

    def __init__(self, known: Known, book: Book, order: Erase, ordered: Ordered) -> None:
        self._known = known
        self._book = book
        self._order = order
        self._ordered = ordered
        self.ended: list[str] = []
        self.counting: set[tuple[str, str]] = set()  # (one of theirs, a weaker one) where the evidence counted

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
        counting = {(each, weak) for each in whole for weak in known.weaker(each) if self._counts(each, weak)}
        self.counting = counting
        shared = sorted({weak for _, weak in counting}.difference(whole))
        if len(shared) > WEAKER_MAX:
            raise Refused(f"{order.person} stands over more than {WEAKER_MAX} identifiers: it is no person.")
        done = Scope(order.at, order.block, erased_person(order.at, order.order_id), whole, shared)
        for each in whole:
            self._end_orders(each)
        persons = set(whole)
        for each in whole:
            seal = known.seal(each)
            before = max(order.at, known.erased_before(seal))
            erasure = Erasure(before, order.block, self._ordered.number)
            known.set_erasure(seal, erasure)
            self._cut(each, erasure.spoken, counting, persons, done.placeholder)
        known.state.put(b"e" + order.order_id.encode(), _encode(done))
        return done

    def shares(self) -> Iterator[tuple[str, bytes]]:
        """What is kept of how they shared, once everything is settled: records of identity.orders by their keys."""
        known, order = self._known, self._order
        person = erased_person(order.at, order.order_id)
        by: dict[str, set[bytes]] = {}
        for strong, weak in self.counting:
            by.setdefault(weak, set()).add(known.seal(strong))
        waiting = sorted(by)
        while waiting:
            weak = waiting.pop()
            assignment = known.outcome(weak).assignment
            if person not in assignment.owners and person not in assignment.sessions.values():
                continue
            edge = known.record(weak).above.get(person)
            told = share(person, edge.at if edge else None, frozenset(by[weak]), assignment, known.seal)
            yield recall.shared(self._ordered, known.seal(weak), told)
            if assignment.owners == (person,):  # what is below may be theirs by way of it
                for below in known.below(weak):
                    if below not in by:
                        by[below] = set()
                        waiting.append(below)

    def _whole(self) -> list[str]:
        """The person, and all whose only owner it is."""
        known, start = self._known, self._order.person
        found = {start}
        waiting = [start]
        while waiting:
            for other in known.below(waiting.pop()):
                if other not in found and known.outcome(other).assignment.owners == (start,):
                    found.add(other)
                    waiting.append(other)
            if len(found) > WEAKER_MAX:
                raise Refused(f"{start} stands over more than {WEAKER_MAX} identifiers: it is no person.")
        return sorted(found)

    def _end_orders(self, identifier: str) -> None:
        """No order may name whom nobody may know."""
        known = self._known
        record = known.record(identifier)
        about = [record.joined_by, record.freed, *record.parted.values()]
        for other in known.dependents(identifier):
            its = known.record(other)
            about += [its.joined_by if its.joined == identifier else "", its.parted.get(identifier, "")]
        for order_id in filter(None, about):
            if self._book.end(order_id, "somebody it named was erased", forget=True) is not None:
                self.ended.append(order_id)

    def _counts(self, strong: str, weak: str) -> bool:
        """Whether evidence from an identifier of theirs makes them an owner, were it not for others."""
        if self._known.outcome(strong).alone:
            return False
        start = self._order.person
        return all(start not in (parted, self._book.owner(parted)) for parted in self._known.record(weak).parted)

    def _cut(
        self, identifier: str, spoken: int, counting: set[tuple[str, str]], whole: set[str], placeholder: str
    ) -> None:
        known = self._known
        above = list(known.record(identifier).above)
        if known.record(identifier).links > known.caps.links:  # edges beyond the cap are known from above only
            above += known.stronger_beyond(identifier)
        for strong in above:
            known.cut(strong, identifier)
            if strong not in whole and not is_erased(strong):
                known.unsaid[strong, identifier] = spoken
        for weak in known.weaker(identifier):
            nameless = (identifier, weak) in counting and weak not in whole
            known.cut(identifier, weak, placeholder if nameless else "")


def finish(known: Known, ordered: Ordered, proof: bytes) -> None:
    """Keep the proof of an erasure, and forget whom it concerned."""
    ordered.state, ordered.said, ordered.changed = "finished", {"at": ordered.said.get("at")}, []
    ordered.proof = proof
    known.state.put(b"e" + ordered.order_id.encode(), None)
