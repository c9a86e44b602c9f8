"""Edges, sessions and what is counted of them, as keyed bytes: what `known` is made of.

| key | value |
| --- | --- |
| `i` identifier | `Record` |
| `u` weak NUL strong, `b` weak NUL strong | `Edge`, where the record has too many: trusted, public |
| `s` weak NUL session, `t` weak NUL session | strong → `Edge`: what came in that session; trusted, public |
| `s` weak NUL session NUL strong, `t` … | the same of one more, where there were too many for one record |
| `d` strong NUL weak, `p` strong NUL weak | `1`: evidence leads down there; trusted, public |

What is from an earlier life of one of its ends does not count any more; it is taken away bit by bit (`forgetting`).
A count is of what is from the present life of its own end.

Identifiers and session ids hold no NUL: validation saw to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.messages import is_erased
from pipeline.domain.state import State
from pipeline.identify.records import (
    INLINE,
    Cache,
    Counters,
    Edge,
    Entry,
    blank,
    decode_counters,
    decode_edge,
    decode_record,
    decode_session,
    packed,
)

KINDS = (False, True)  # trusted, public
MORE = ("u", "b")
SESSIONS = ("s", "t")
BELOW = ("d", "p")
MARK = b"1"
SAID_MAX = 8  # stronger identifiers in one record of a session
_COUNTERS = b"n"

encode = msgspec.msgpack.Encoder().encode


class Entries:
    """Records, edges and sessions as one batch sees them. `public` says which kind of evidence is meant."""

    def __init__(self, state: State, cache: Cache, caps: Caps = CAPS) -> None:
        self.state = state
        self.caps = caps
        self.pending: set[str] = set()  # about which something changed that may change their assignment
        data = state.get(_COUNTERS)
        self.counters = decode_counters(data) if data else Counters()
        self._written = data
        self._few = caps.links - 1, caps.reach - 1  # so many links, or weaker ones, and one more are under every cap
        self._cache = cache
        self._entries: dict[str, Entry] = {}
        self._changed: set[str] = set()

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever remembered."""
        return self._written is None and not self._changed

    def entry(self, identifier: str) -> Entry:
        """What is known of an identifier, decoded."""
        entry = self._entries.get(identifier)
        if entry is None:
            entry = self._cache.take(identifier)
            if entry is None:
                data = self.state.get(b"i" + identifier.encode())
                entry = Entry(decode_record(data) if data is not None else blank())
            self._entries[identifier] = entry
        return entry

    def changed(self, identifier: str) -> None:
        """Its record is to be written."""
        self._changed.add(identifier)

    def write(self) -> None:
        """Write what changed, and give everything back to the cache. The end of the batch."""
        for identifier in self._changed:
            self.state.put(b"i" + identifier.encode(), packed(self._entries[identifier].record))
        self._changed.clear()
        counters = encode(self.counters)
        if counters != self._written:
            self.state.put(_COUNTERS, counters)
            self._written = counters
        for identifier, entry in self._entries.items():
            self._cache.give(identifier, entry)
        self._entries = {}

    def forget_sessions(self) -> None:
        """What was read of sessions is to be read again: some of it does not count any more."""
        self._cache.clear()
        for entry in self._entries.values():
            entry.sessions = [None, None]

    # Counting.

    def over(self, identifier: str, public: bool) -> str:
        """The cap that one kind of an identifier's evidence alone exceeds; ''."""
        record, caps = self.entry(identifier).record, self.caps
        side = record.of_kind(public)
        links, reach = (caps.freed_links, caps.freed_reach) if record.freed else (caps.links, caps.reach)
        if side.links > links:
            return "links"
        return "reach" if side.reach > reach else ""

    def count(self, identifier: str, public: bool, links: int = 0, reach: int = 0) -> None:
        """So many more links, or weaker identifiers."""
        entry = self.entry(identifier)
        side = entry.side(public)
        self._changed.add(identifier)
        few = side.links <= self._few[0] and side.reach <= self._few[1]
        before = "" if few else self.over(identifier, public)
        side.links = max(0, side.links + links)
        side.reach = max(0, side.reach + reach)
        if not few and self.over(identifier, public) != before:
            self.pending.add(identifier)

    def since(self, identifier: str, public: bool) -> int:
        """From when on (ms) evidence of that kind about an identifier counts."""
        if not self.counters.renewals or is_erased(identifier):
            return 0
        return self.entry(identifier).record.of_kind(public).since

    def life(self, identifier: str, public: bool) -> int:
        """How often evidence of that kind about an identifier was forgotten."""
        if not self.counters.renewals or is_erased(identifier):
            return 0
        return self.entry(identifier).record.of_kind(public).life

    def lives(self, strong: str, weak: str, public: bool, edge: Edge) -> bool:
        """Whether evidence between two still counts."""
        if not self.counters.renewals:
            return True
        return edge.strong_life == self.life(strong, public) and edge.weak_life == self.life(weak, public)

    # Edges.

    def edge(self, strong: str, weak: str, public: bool) -> Edge | None:
        """The edge between two, whether it still counts or not."""
        entry = self.entry(weak)
        side = entry.record.of_kind(public)
        edge = side.above.get(strong)
        if edge is None and side.more:
            known = entry.more[public]
            if known is not None:
                return known.get(strong)
            data = self.state.get(_edge_key(strong, weak, public))
            return decode_edge(data) if data is not None else None
        return edge

    def put_edge(self, strong: str, weak: str, public: bool, edge: Edge, is_new: bool) -> None:
        """Set an edge. `is_new`: there was none."""
        entry = self.entry(weak)
        side = entry.side(public)
        if strong in side.above or (is_new and len(side.above) < INLINE):
            side.above[strong] = edge
            self.changed(weak)
            return
        if is_new:
            side.more += 1
            self.changed(weak)
        self.state.put(_edge_key(strong, weak, public), encode(edge))
        if (known := entry.more[public]) is not None:
            known[strong] = edge

    def take_edge(self, strong: str, weak: str, public: bool) -> None:
        """Remove an edge that there is, without counting."""
        entry = self.entry(weak)
        side = entry.side(public)
        self.changed(weak)
        if side.above.pop(strong, None) is not None:
            return
        side.more -= 1
        self.state.put(_edge_key(strong, weak, public), None)
        if (known := entry.more[public]) is not None:
            known.pop(strong, None)

    def edges(self, weak: str, public: bool) -> Mapping[str, Edge]:
        """All edges of one kind from stronger identifiers that count. Not to be changed."""
        entry = self.entry(weak)
        side = entry.record.of_kind(public)
        edges: Mapping[str, Edge] = side.above
        if side.more:
            more = entry.more[public]
            if more is None:
                more = entry.more[public] = dict(self.more(weak, public))
            edges = {**edges, **more}
        if self.counters.renewals:
            return {strong: edge for strong, edge in edges.items() if self.lives(strong, weak, public, edge)}
        return edges

    def more(self, weak: str, public: bool, after: str = "") -> Iterator[tuple[str, Edge]]:
        """The edges with keys of their own, whether they still count or not; of stronger ones behind `after`."""
        start = f"{MORE[public]}{weak}\0".encode()
        for key, value in self.state.scan(start, start + after.encode() if after else b""):
            yield key[len(start) :].decode(), decode_edge(value)

    # What leads down.

    def mark(self, strong: str, weak: str, public: bool, holds: bool) -> None:
        """Note that evidence leads from one down to the other, or no longer does."""
        self.state.put(f"{BELOW[public]}{strong}\0{weak}".encode(), MARK if holds else None)

    def weaker(self, strong: str, public: bool, after: str = "") -> Iterator[str]:
        """The weaker identifiers that evidence connects with it, by name; of those behind `after`."""
        return self._marked(f"{BELOW[public]}{strong}\0", after)

    def dependents(self, identifier: str, after: str = "") -> Iterator[str]:
        """Those whose assignment depends on it by an order, by name; of those behind `after`."""
        return self._marked(f"k{identifier}\0", after)

    def _marked(self, prefix: str, after: str) -> Iterator[str]:
        start = prefix.encode()
        for key, _ in self.state.scan(start, start + after.encode() if after else b""):
            yield key[len(start) :].decode()

    # Sessions. What several identifiers showed in one has more than one key: a name is then session NUL strong.

    def sessions(self, weak: str, public: bool, after: str = "") -> Iterator[tuple[str, dict[str, Edge]]]:
        """What came in sessions: name, strong → evidence, whether it still counts or not; by name, behind `after`."""
        start = f"{SESSIONS[public]}{weak}\0".encode()
        for key, value in self.state.scan(start, start + after.encode() if after else b""):
            yield key[len(start) :].decode(), decode_session(value)

    def said(self, strong: str, weak: str, session_id: str, public: bool) -> Edge | None:
        """What one showed in a session, whether it still counts or not."""
        key = session_key(weak, session_id, public)
        data = self.state.get(key)
        if data is None:
            return None
        said = decode_session(data).get(strong)
        if said is None and (data := self.state.get(_more_key(key, strong))) is not None:
            said = decode_session(data)[strong]
        return said

    def hear(self, strong: str, weak: str, session_id: str, public: bool, edge: Edge) -> None:
        """Set what one showed in a session, and count it; beyond the widest cap nothing is counted any more."""
        key = session_key(weak, session_id, public)
        data = self.state.get(key)
        heard = decode_session(data) if data is not None else {}
        more = self.state.get(_more_key(key, strong)) if data is not None and strong not in heard else None
        said = heard.get(strong) if more is None else decode_session(more)[strong]
        if more is not None or (strong not in heard and len(heard) >= SAID_MAX):
            self.state.put(_more_key(key, strong), encode({strong: edge}))
        else:
            heard[strong] = edge
            self.state.put(key, encode(heard))
        side = self.entry(weak).side(public)
        if (said is None or said.weak_life != side.life) and side.sessions <= self.caps.freed_sessions:
            side.sessions += 1
            self.changed(weak)

    def unhear(self, strong: str, weak: str, session_id: str, public: bool) -> Edge | None:
        """Take away what one showed in a session, and return it."""
        key = session_key(weak, session_id, public)
        data = self.state.get(key)
        if data is None:
            return None
        heard = decode_session(data)
        said = heard.pop(strong, None)
        if said is None:
            more = self.state.get(_more_key(key, strong))
            if more is None:
                return None
            said = decode_session(more)[strong]
            self.state.put(_more_key(key, strong), None)
        # The session's own key is there as long as there is any other.
        is_last = not heard and next(iter(self.state.scan(_more_key(key, ""))), None) is None
        self.state.put(key, None if is_last else encode(heard))
        side = self.entry(weak).side(public)
        if said.weak_life == side.life and 0 < side.sessions <= self.caps.freed_sessions:
            side.sessions -= 1
            self.changed(weak)
        return said

    def unhear_all(self, weak: str, public: bool) -> None:
        """Take away what came in all sessions."""
        for key, _ in list(self.state.scan(f"{SESSIONS[public]}{weak}\0".encode())):
            self.state.put(key, None)
        self.entry(weak).side(public).sessions = 0
        self.entry(weak).sessions[public] = None
        self.changed(weak)

    def sessions_by_strong(self, weak: str, public: bool) -> Mapping[str, set[str]]:
        """Strong → the sessions with evidence of that kind that counts."""
        entry = self.entry(weak)
        known = entry.sessions[public]
        if known is None:
            known = entry.sessions[public] = {}
            for name, heard in self.sessions(weak, public):
                for strong, edge in heard.items():
                    if self.lives(strong, weak, public, edge):
                        known.setdefault(strong, set()).add(session_of(name))
        return known


def _edge_key(strong: str, weak: str, public: bool) -> bytes:
    return f"{MORE[public]}{weak}\0{strong}".encode()


def _more_key(key: bytes, strong: str) -> bytes:
    return key + b"\0" + strong.encode()


def session_of(name: str) -> str:
    """The session's id, of a name under which something of it is kept."""
    return name.partition("\0")[0]


def session_key(weak: str, session_id: str, public: bool) -> bytes:
    """Where the state has what came in a session."""
    return f"{SESSIONS[public]}{weak}\0{session_id}".encode()
