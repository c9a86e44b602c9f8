"""Who somebody is, and why: what `identify` knows, as JSON values for people. Read from the state, bounded."""

from __future__ import annotations

from typing import Any

from pipeline.domain.identity import CAPS, Caps, Outcome, person
from pipeline.domain.messages import UNASSIGNED, is_erased
from pipeline.domain.slices import persons
from pipeline.domain.state import Reading
from pipeline.identify.erasing import Scope
from pipeline.identify.orders import Changed, Ordered, find
from pipeline.identify.records import Edge, Record, decode_record, decode_session
from pipeline.identify.words import rule

IDENTIFIERS_MAX = 1_000
EVIDENCE_MAX = 100  # of one identifier, the newest last
SESSIONS_MAX = 100  # of one identifier
DEPENDENTS_READ_MAX = 2_000  # keys read to find who belongs to a person

Json = dict[str, Any]


class Explaining:
    """One question to one state."""

    def __init__(self, state: Reading, caps: Caps = CAPS, sessions_max: int = SESSIONS_MAX) -> None:
        self._state = state
        self._caps = caps
        self._sessions_max = sessions_max
        self._records: dict[str, Record] = {}
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
        for strong in self.record(start).above:  # where it is ambiguous, or stands alone: who is said to have it
            if strong not in seen and not is_erased(strong):
                seen.add(strong)
                found.append(strong)
        return found

    def concerned(self, identifier: str) -> set[str]:
        """Whom an identifier may have to do with: owners, candidates, and who was parted from it."""
        record = self.record(identifier)
        known = record.assignment or UNASSIGNED
        return {*persons(known), *known.candidates, *record.parted, *(record.above if record.alone else ())}

    def _below(self, strong: str) -> list[str]:
        found = []
        for kind in ("d", "k"):
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
        orders = [record.joined_by, record.freed, *record.parted.values()]
        code, words = rule(identifier, record, known, self._caps)
        return {
            "id": identifier,
            "person": person(identifier, known),
            "ambiguous": known.ambiguous,
            "candidates": list(known.candidates),
            "since": min((edge.at for edge in record.above.values()), default=None),
            "rule": code,
            "words": words,
            "until": known.until,
            "earlier": known.owners[0] if known.until is not None and not is_erased(known.owners[0]) else None,
            "sessions": {s: ("" if is_erased(owner) else owner) for s, owner in sessions[-self._sessions_max :]},
            "sessions_n": record.sessions,
            "evidence": self._evidence(identifier, record),
            "alone": record.alone or None,
            "orders": [order_id for order_id in orders if order_id],
        }

    def _evidence(self, identifier: str, record: Record) -> list[Json]:
        """Each stronger identifier's earliest evidence, then what came in sessions."""
        shown = [self.piece(record, strong, edge, edge.session_id) for strong, edge in _by_time(record.above)]
        told = {(strong, edge.session_id) for strong, edge in record.above.items()}
        for key, value in self._state.scan(f"s{identifier}\0".encode()):
            if len(shown) >= EVIDENCE_MAX:
                break
            session_id = key.rpartition(b"\0")[2].decode()
            for strong, edge in _by_time(decode_session(value)):
                if (strong, session_id) not in told:
                    shown.append(self.piece(record, strong, edge, session_id))
        return shown[:EVIDENCE_MAX]

    def piece(self, record: Record, strong: str, edge: Edge, session_id: str) -> Json:
        """A piece of evidence, and whether it counts."""
        why_not = self._why_not(record, strong)
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

    def _why_not(self, record: Record, strong: str) -> str:
        """Why an edge does not count; '' where it does."""
        if record.alone:
            return "it stands alone"
        if record.joined:
            return "an order decides"
        above = self._outcome(strong)
        if above.alone:
            return f"{strong} stands alone"
        owner = person(strong, above.assignment)
        for parted in record.parted:
            if owner is not None and owner in (parted, person(parted, self._outcome(parted).assignment)):
                return f"an order parts it from {parted}"
        return f"{strong} is ambiguous" if owner is None and len(record.above) > 1 else ""

    def _outcome(self, identifier: str) -> Outcome:
        record = self.record(identifier)
        return Outcome(record.assignment or UNASSIGNED, record.alone)

    def record(self, identifier: str) -> Record:
        """All that is known about an identifier."""
        if identifier not in self._records:
            data = self._state.get(b"i" + identifier.encode())
            self._records[identifier] = decode_record(data) if data is not None else Record()
        return self._records[identifier]


def _by_time(edges: dict[str, Edge]) -> list[tuple[str, Edge]]:
    return sorted(edges.items(), key=lambda each: (each[1].at, each[0]))


def alone(state: Reading, limit: int, after: str) -> tuple[list[Json], str]:
    """Who stands alone because of a cap, by name: at most `limit` behind `after`; and where to go on, or ''."""
    found: list[Json] = []
    for key, _ in state.scan(b"a"):
        identifier = key[1:].decode()
        if identifier <= after:
            continue
        if len(found) == limit:
            return found, found[-1]["identifier"]
        data = state.get(b"i" + key[1:])
        record = decode_record(data) if data is not None else Record()
        found.append(
            {
                "identifier": identifier,
                "why": record.alone,
                "since": record.alone_at,
                "freed": bool(record.freed),
                "words": rule(identifier, record, record.assignment or UNASSIGNED, CAPS)[1],
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
    }


def shared(state: Reading, scope: Scope) -> list[Json]:
    """What of each shared identifier was an erased person's: sessions, and what came before `until` outside of any."""
    found = []
    for identifier in scope.shared:
        data = state.get(b"i" + identifier.encode())
        record = decode_record(data) if data is not None else Record()
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
