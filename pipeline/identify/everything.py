"""Everything that is known of a person, for an export: whole, however much it is, in pages of a bounded size.

`explain` is for people who look somebody up, and stops where nobody would read on. Here nothing is left out: whoever
asks goes on behind the cursor of the answer before, until that is ''.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.domain.state import Reading
from pipeline.identify.entries import BELOW, MORE, SESSIONS, session_of
from pipeline.identify.explain import Explaining, order_json
from pipeline.identify.orders import find

IDS_MAX = 100  # in one question
KEYS_MAX = 500  # read for one answer: batches wait for it
WEIGHT_MAX = 20_000  # sessions and pieces of evidence in one answer, and those of the identifier that is one too many
EVIDENCE_MAX = 100  # pieces in one answer, and those that came in the same session as the last
SESSIONS_MAX = 10_000  # of one identifier: more than are kept
_KINDS = (*BELOW, "k")  # weaker by evidence, others by orders
_PLACES = (*MORE, *SESSIONS)  # where evidence is
_PUBLIC = (MORE[1], SESSIONS[1])

Json = dict[str, Any]


def below(state: Reading, who: str, above: Sequence[str], after: str) -> Json:
    """`{"whole", "shared", "next"}`: of what stands below some identifiers, what is that person's, or may be partly.

    Raises ValueError where `after` is no cursor.
    """
    explaining = Explaining(state)
    place, whole, shared = "", list[str](), list[str]()
    for n, (place, identifier) in enumerate(_marks(state, above, after), 1):
        if explaining.person(identifier) == who:
            whole.append(identifier)
        elif who in explaining.concerned(identifier):
            shared.append(identifier)
        if n == KEYS_MAX:
            return {"whole": whole, "shared": shared, "next": place}
    return {"whole": whole, "shared": shared, "next": ""}


def _marks(state: Reading, above: Sequence[str], after: str) -> Iterator[tuple[str, str]]:
    """(cursor, identifier) of all that stands below these, behind a cursor."""
    index, kind, behind = _place(after)
    for n, strong in enumerate(above):
        for each in _KINDS:
            if n < index or (n == index and kind and _KINDS.index(each) < _KINDS.index(kind)):
                continue
            start = f"{each}{strong}\0".encode()
            resumed = start + behind.encode() if behind and (n, each) == (index, kind) else b""
            for key, _ in state.scan(start, resumed):
                identifier = key[len(start) :].decode()
                yield f"{n}:{each}:{identifier}", identifier


def _place(after: str) -> tuple[int, str, str]:
    if not after:
        return 0, "", ""
    index, _, rest = after.partition(":")
    kind, _, behind = rest.partition(":")
    if not index.isdecimal() or kind not in _KINDS or not behind:
        raise ValueError("not a place below identifiers")
    return int(index), kind, behind


def rows(state: Reading, ids: Sequence[str]) -> Json:
    """`{"rows", "orders"}`: each identifier as `explain` has it, with `evidence_next`; and the orders about them.

    Of the first of them, at least one, as many as fit.
    """
    explaining = Explaining(state, sessions_max=SESSIONS_MAX)
    found: list[Json] = []
    weight = 0
    for identifier in ids:
        told = evidence(state, identifier, "")
        row = {**explaining.row(identifier), "evidence": told["evidence"], "evidence_next": told["next"]}
        found.append(row)
        weight += len(row["sessions"]) + len(row["evidence"])
        if weight >= WEIGHT_MAX:
            break
    about = dict.fromkeys(order_id for row in found for order_id in row["orders"])
    orders = [order_json(each) for order_id in about if (each := find(state, order_id)) is not None]
    return {"rows": found, "orders": sorted(orders, key=lambda each: int(each["number"]))}


def evidence(state: Reading, identifier: str, after: str) -> Json:
    """`{"evidence", "next"}`: each stronger identifier's earliest, by name, then what came in sessions, by theirs.

    Each time first what trusted sources said. Raises ValueError where `after` is no cursor.
    """
    place, behind = after[:1], after[1:]
    if after and (place not in _PLACES or not behind):
        raise ValueError("not a place in evidence")
    explaining = Explaining(state)
    pieces: list[Json] = []
    for each in _PLACES[_PLACES.index(place) if place else 0 :]:
        public = each in _PUBLIC
        found = _edges if each in MORE else _sessions
        for name, some in found(explaining, identifier, public, behind if each == place else ""):
            pieces += some
            if len(pieces) >= EVIDENCE_MAX:
                return {"evidence": pieces, "next": f"{each}{name}"}
    return {"evidence": pieces, "next": ""}


def _edges(explaining: Explaining, identifier: str, public: bool, after: str) -> Iterator[tuple[str, list[Json]]]:
    record = explaining.record(identifier)
    for strong, edge in explaining.edges(identifier, public, after):
        yield strong, [explaining.piece(record, strong, edge, edge.session_id, public)]


def _sessions(explaining: Explaining, identifier: str, public: bool, after: str) -> Iterator[tuple[str, list[Json]]]:
    record = explaining.record(identifier)
    for name, heard in explaining.heard(identifier, public, after):
        session_id, pieces = session_of(name), []
        for strong, edge in sorted(heard.items()):
            known = explaining.edge(identifier, strong, public)
            told = known is not None and known.session_id == session_id
            if not told and explaining.lives(record, strong, edge, public):
                pieces.append(explaining.piece(record, strong, edge, session_id, public))
        yield name, pieces
