"""Who somebody is, and why: what `identify` knows, as JSON values for people. Read from the state, bounded."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any

from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.identity import Outcome, person
from pipeline.domain.messages import UNASSIGNED, is_erased
from pipeline.domain.slices import persons
from pipeline.domain.state import Reading
from pipeline.identify.entries import BELOW, KINDS, MORE, SESSIONS, session_of
from pipeline.identify.erasing import Scope
from pipeline.identify.orders import Changed, Ordered, find
from pipeline.identify.records import Edge, Record, blank, decode_edge, decode_record, decode_session
from pipeline.identify.words import alone as why_alone
from pipeline.identify.words import rule, stands_alone

IDENTIFIERS_MAX = 1_000
EVIDENCE_MAX = 100  # of one identifier, the newest last
SESSIONS_MAX = 100  # of one identifier
EDGES_MAX = 1_000  # of each kind, that are read of one identifier
DEPENDENTS_READ_MAX = 2_000  # keys read to find who belongs to a person

FREE = "Freeing it gives it wider caps."
AGAIN = "It has wider caps already: freeing it once more has what was said so far forgotten."

Json = dict[str, Any]


class Explaining:
    """One question to one state."""

    def __init__(self, state: Reading, caps: Caps = CAPS, sessions_max: int = SESSIONS_MAX) -> None:
        self._state = state
        self._caps = caps
        self._sessions_max = sessions_max
        self._records: dict[str, Record] = {}
        self._above: dict[str, list[tuple[str, Edge, bool]]] = {}
        self._truncated = False

    def identity(self, identifier: str) -> Json:
        """The person of an identifier, with all that resolves to it or may."""
        who = self.person(identifier)
        start = who or identifier
        near = self._near(start)
        if identifier not in near:
            near.append(identifier)
        rows = [self.row(each) for each in near[:IDENTIFIERS_MAX]]
        ids = dict.fromkeys(order_id for row in rows for order_id in row["orders"])
        orders = [order_json(found) for order_id in ids if (found := find(self._state, order_id)) is not None]
        orders.sort(key=lambda each: -int(each["number"]))
        return {
            "id": identifier,
            "person": who,
            "identifiers": rows,
            "orders": orders,
            "truncated": self._truncated or len(near) > IDENTIFIERS_MAX,
        }

    def person(self, identifier: str) -> str | None:
        """Whose an identifier is; None where it is ambiguous."""
        return person(identifier, self._outcome(identifier).assignment)

    def _near(self, start: str) -> list[str]:
        """Whatever resolves to a person, or may be theirs; the person first."""
        found = [start]
        seen = {start}
        for each in found:  # grows meanwhile
            for other in self._below(each):
                if other not in seen and len(found) <= IDENTIFIERS_MAX:
                    seen.add(other)
                    if start in self.concerned(other):
                        found.append(other)
        for strong, _, _ in self._edges(start):  # where it is ambiguous, or stands alone: who is said to have it
            if strong not in seen and not is_erased(strong) and len(found) <= IDENTIFIERS_MAX:
                seen.add(strong)
                found.append(strong)
        return found

    def concerned(self, identifier: str) -> set[str]:
        """Whom an identifier may have to do with: owners, candidates, and who was parted from it."""
        record = self.record(identifier)
        known = record.assignment or UNASSIGNED
        said = self._edges(identifier) if record.alone or record.muted else ()
        return {*persons(known), *known.candidates, *record.parted, *(strong for strong, _, _ in said)}

    def _below(self, strong: str) -> list[str]:
        found = []
        for kind in (*BELOW, "k"):
            start = f"{kind}{strong}\0".encode()
            for n, (key, _) in enumerate(self._state.scan(start)):
                if n >= DEPENDENTS_READ_MAX:
                    self._truncated = True
                    break
                found.append(key[len(start) :].decode())
        return found

    def row(self, identifier: str) -> Json:
        """One identifier: whose it is, why, and on which evidence."""
        record = self.record(identifier)
        known = record.assignment or UNASSIGNED
        sessions = sorted(known.sessions.items())
        orders = dict.fromkeys([record.joined_by, record.freed, *record.renewals, *record.parted.values()])
        earlier = known.owners[0] if known.until is not None else identifier
        code, words = rule(identifier, record, known, self._caps)
        return {
            "id": identifier,
            "person": person(identifier, known),
            "ambiguous": known.ambiguous,
            "candidates": list(known.candidates),
            "since": min((edge.at for _, edge, _ in self._edges(identifier)), default=None),
            "rule": code,
            "words": words,
            "until": known.until,
            "earlier": earlier if earlier != identifier and not is_erased(earlier) else None,
            "sessions": {s: ("" if is_erased(owner) else owner) for s, owner in sessions[-self._sessions_max :]},
            "sessions_n": len(known.sessions) or record.sessions + (record.public.sessions if record.public else 0),
            "evidence": self._evidence(identifier, record),
            "alone": (record.alone or record.muted) if stands_alone(record) else None,
            "orders": [order_id for order_id in orders if order_id],
        }

    def _edges(self, identifier: str) -> list[tuple[str, Edge, bool]]:
        """(stronger identifier, evidence, public) of each that counts or could, the oldest first; at most so many."""
        if identifier not in self._above:
            kinds = ((public, islice(self.edges(identifier, public), EDGES_MAX)) for public in KINDS)
            found = [(strong, edge, public) for public, edges in kinds for strong, edge in edges]
            self._above[identifier] = sorted(found, key=lambda each: (each[1].at, each[0], each[2]))
        return self._above[identifier]

    def edges(self, identifier: str, public: bool, after: str = "") -> Iterator[tuple[str, Edge]]:
        """The edges of one kind from stronger identifiers, by their names; of those behind `after`."""
        record = self.record(identifier)
        side = record.of_kind(public)
        start = f"{MORE[public]}{identifier}\0".encode()
        keyed = self._state.scan(start, start + after.encode() if after else b"") if side.more else iter(())
        more = ((key[len(start) :].decode(), decode_edge(value)) for key, value in keyed)
        few = sorted(each for each in side.above.items() if each[0] > after)
        for strong, edge in merge(few, more, key=lambda each: each[0].encode()):
            if self.lives(record, strong, edge, public):
                yield strong, edge

    def edge(self, identifier: str, strong: str, public: bool) -> Edge | None:
        """One of them, whether it still counts or not."""
        side = self.record(identifier).of_kind(public)
        if strong in side.above or not side.more:
            return side.above.get(strong)
        data = self._state.get(f"{MORE[public]}{identifier}\0{strong}".encode())
        return decode_edge(data) if data is not None else None

    def lives(self, record: Record, strong: str, edge: Edge, public: bool) -> bool:
        """Whether evidence is of the present life of its ends."""
        above = blank() if is_erased(strong) else self.record(strong)
        return edge.strong_life == above.of_kind(public).life and edge.weak_life == record.of_kind(public).life

    def _evidence(self, identifier: str, record: Record) -> list[Json]:
        """Each stronger identifier's earliest evidence, then what came in sessions."""
        edges = self._edges(identifier)
        shown = [self.piece(record, strong, edge, edge.session_id, public) for strong, edge, public in edges]
        told = {(strong, edge.session_id, public) for strong, edge, public in edges}
        for public in KINDS:
            for name, heard in self.heard(identifier, public):
                session_id = session_of(name)
                if len(shown) >= EVIDENCE_MAX:
                    break
                for strong, edge in _by_time(heard):
                    if (strong, session_id, public) not in told and self.lives(record, strong, edge, public):
                        shown.append(self.piece(record, strong, edge, session_id, public))
        return shown[:EVIDENCE_MAX]

    def heard(self, identifier: str, public: bool, after: str = "") -> Iterator[tuple[str, dict[str, Edge]]]:
        """What came in sessions: (name, strong → evidence), by name; of those behind `after`. See `entries`."""
        start = f"{SESSIONS[public]}{identifier}\0".encode()
        for key, value in self._state.scan(start, start + after.encode() if after else b""):
            yield key[len(start) :].decode(), decode_session(value)

    def piece(self, record: Record, strong: str, edge: Edge, session_id: str, public: bool) -> Json:
        """A piece of evidence, and whether it counts."""
        why_not = self._why_not(record, strong, public)
        erased = is_erased(strong)
        return {
            "from": "erased" if erased else strong,
            "since": edge.at,
            "source": edge.source,
            "event_id": edge.event_id,
            "session_id": session_id,
            "counts": not why_not,
            "why_not": why_not,
        }

    def _why_not(self, record: Record, strong: str, public: bool) -> str:
        """Why an edge does not count; '' where it does."""
        if record.alone:
            return "it stands alone"
        if record.joined:
            return "an order decides"
        above = self._outcome(strong)
        if above.alone:
            return f"{strong} stands alone"
        if public and record.muted:
            return "there is too much like it from public keys"
        if public and above.muted:
            return f"there is too much like it from public keys about {strong}"
        owner = person(strong, above.assignment)
        for parted in record.parted:
            if owner is not None and owner in (parted, person(parted, self._outcome(parted).assignment)):
                return f"an order parts it from {parted}"
        several = len(record.above) + record.more + (len(record.public.above) if record.public is not None else 0) > 1
        return f"{strong} is ambiguous" if owner is None and several else ""

    def _outcome(self, identifier: str) -> Outcome:
        record = self.record(identifier)
        return Outcome(record.assignment or UNASSIGNED, record.alone, record.muted)

    def record(self, identifier: str) -> Record:
        """All that is known about an identifier."""
        if identifier not in self._records:
            data = self._state.get(b"i" + identifier.encode())
            self._records[identifier] = decode_record(data) if data is not None else blank()
        return self._records[identifier]


def _by_time(edges: dict[str, Edge]) -> list[tuple[str, Edge]]:
    return sorted(edges.items(), key=lambda each: (each[1].at, each[0]))


def alone(state: Reading, limit: int, after: str) -> tuple[list[Json], str]:
    """Who stands alone because of a cap, by name: at most `limit` behind `after`; and where to go on, or ''.

    Also whoever is only not heard through public keys (`public`).
    """
    found: list[Json] = []
    for key, _ in state.scan(b"a", b"a" + after.encode() if after else b""):
        if len(found) == limit:
            return found, found[-1]["identifier"]
        identifier = key[1:].decode()
        data = state.get(b"i" + key[1:])
        record = decode_record(data) if data is not None else blank()
        freed, public = bool(record.freed), not record.alone
        why = record.alone or record.muted
        words = why_alone(why, public, CAPS.of(freed)) if why else ""
        found.append(
            {
                "identifier": identifier,
                "why": why,
                "public": public,
                "since": record.alone_at,
                "freed": freed,
                "words": f"{words[:1].upper()}{words[1:]}. {AGAIN if freed else FREE}",
            }
        )
    return found, ""


def order_json(ordered: Ordered) -> Json:
    """An order and what came of it."""

    def changed(each: Changed) -> Json:
        return {"identifier": each.identifier, "version": each.version, "tell": each.tell}

    said = {name.removesuffix("_id"): value for name, value in ordered.said.items()}
    return {
        "order_id": ordered.order_id,
        "kind": ordered.kind,
        "state": ordered.state,
        "reason": ordered.reason,
        "said": said,
        "number": ordered.number,
        "changed": [changed(each) for each in ordered.changed],
        "changed_n": ordered.changed_n,
        "spreading": ordered.spreading,
    }


def shared(state: Reading, scope: Scope) -> list[Json]:
    """What of each shared identifier was an erased person's: sessions, and what came before `until` outside of any."""
    found = []
    for identifier in scope.shared:
        data = state.get(b"i" + identifier.encode())
        record = decode_record(data) if data is not None else blank()
        known = record.assignment or UNASSIGNED
        until = None
        if known.owners == (scope.placeholder,):
            until = scope.before
        elif known.owners and known.owners[0] == scope.placeholder:
            until = known.until
        found.append(
            {
                "identifier": identifier,
                "placeholder": scope.placeholder,
                "owned": [session for session, owner in known.sessions.items() if owner == scope.placeholder],
                "settled": list(known.sessions),
                "until": until,
            }
        )
    return found
