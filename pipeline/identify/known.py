"""What `identify` remembers: evidence, orders and assignments, as keyed bytes of its one partition.

| key | value |
| --- | --- |
| `i` identifier | `Record`: its edges from stronger ones, its newest assignment, what was ordered about it |
| `s` weak NUL session | strong → `Edge`: the evidence that came in that session |
| `d` strong NUL weak | `1`: evidence leads down there |
| `k` identifier NUL other | `1`: by an order the other depends on it |
| `a` identifier | `1`: it stands alone, because of a cap |
| `z` seal | `Erasure` of the identifier with that seal |
| `n` | `Counters` |

and the orders themselves, see `orders`. Sessions have keys of their own, because a customer may log in on the same
device for years; they are read only where an identifier has several stronger ones, since nobody asks for them before.
Identifiers and session ids hold no NUL: validation saw to that.

What one piece of evidence costs does not grow with what is known: beyond a cap, edges from above and sessions are
only counted, not kept (their identifier then stands alone for good).

Records stay decoded in a bounded cache between batches. What a batch changes is written once, by `write`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from pipeline.domain.identity import CAPS, Caps, Facts, Link, Outcome
from pipeline.domain.messages import UNASSIGNED, Assignment, Evidence, is_erased
from pipeline.domain.state import State
from pipeline.identify.records import (
    Cache,
    Counters,
    Edge,
    Entry,
    Erasure,
    Record,
    decode_counters,
    decode_erasure,
    decode_record,
    decode_session,
)

_COUNTERS = b"n"
_MARK = b"1"

_encode = msgspec.msgpack.Encoder().encode


class Known:
    """Evidence, orders and assignments as one batch sees them. A `Graph` for `reassign`.

    `pending` holds the identifiers about which something changed that may change their assignment.
    """

    def __init__(self, state: State, cache: Cache, seal: Callable[[str], bytes], caps: Caps = CAPS) -> None:
        self.state = state
        self.caps = caps
        self.pending: set[str] = set()
        self.unsaid: dict[tuple[str, str], int] = {}  # (strong, weak) → from when (ms) to tell again
        data = state.get(_COUNTERS)
        self.counters = decode_counters(data) if data else Counters()
        self._written = data
        self._cache = cache
        self._seal = seal
        self._entries: dict[str, Entry] = {}
        self._changed: set[str] = set()

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever remembered."""
        return self._written is None and not self._changed

    # Evidence.

    def learn(self, evidence: Evidence) -> None:
        """Remember evidence, unless it is about somebody who was erased after it."""
        strong, weak, at = evidence.strong, evidence.weak, evidence.occurred_at
        if is_erased(strong) and not self.counters.anew:
            return
        if self.counters.erasures and (outlived := self._outlived(evidence)) is not None:
            identifier, erasure = outlived
            if identifier == weak and not is_erased(strong):
                self.unsaid[strong, weak] = erasure.spoken
            return
        entry = self._entry(weak)
        above = entry.record.above
        edge = above.get(strong)
        if edge is None:
            if is_erased(strong):  # a nameless owner, told again: nothing else is known of it
                entry.record.links += 1
            elif not self._connect(entry, strong, weak):
                return
        if edge is None or (at, evidence.source, evidence.event_id) < (edge.at, edge.source, edge.event_id):
            above[strong] = Edge(at, evidence.source, evidence.event_id, evidence.session_id)
            self._changed.add(weak)
            if edge is None or at < edge.at:
                self.pending.add(weak)
        if evidence.session_id and self._new_session(entry, evidence) and len(above) > 1:
            # With one stronger identifier there is one owner at most, and no session is asked about.
            self.pending.add(weak)

    def _outlived(self, evidence: Evidence) -> tuple[str, Erasure] | None:
        """Which of its two was erased after the event, or is blocked, and the erasure."""
        since = min(evidence.since or evidence.occurred_at, evidence.occurred_at)
        for identifier in (evidence.strong, evidence.weak):
            erasure = self.erasure(identifier)
            if erasure is not None and (erasure.blocked or since < erasure.before):
                return identifier, erasure
        return None

    def _connect(self, entry: Entry, strong: str, weak: str) -> bool:
        """Count a new edge. False where it is one too many to be kept."""
        record = entry.record
        mark = f"d{strong}\0{weak}".encode()
        if record.links > self.caps.links and self.state.get(mark) is not None:
            return False
        self.state.put(mark, _MARK)
        record.links += 1
        self._changed.add(weak)
        self._reached(strong, 1)
        if record.links > self.caps.links:
            self.pending.add(weak)
            return False
        return True

    def _reached(self, strong: str, more: int) -> None:
        """Count what lies below an identifier."""
        above = self._entry(strong)
        was_over = self._over(above.record)
        above.record.reach += more
        self._changed.add(strong)
        if self._over(above.record) != was_over:
            self.pending.add(strong)

    def _new_session(self, entry: Entry, evidence: Evidence) -> bool:
        record, weak, strong = entry.record, evidence.weak, evidence.strong
        if record.sessions > self.caps.sessions:
            return False
        known = entry.sessions.get(strong) if entry.sessions is not None else None
        if known is not None and evidence.session_id in known:
            return False
        key = f"s{weak}\0{evidence.session_id}".encode()
        data = self.state.get(key)
        heard = decode_session(data) if data is not None else {}
        if strong in heard:
            return False
        if data is None:
            record.sessions += 1
            self._changed.add(weak)
        if entry.sessions is not None:
            entry.sessions.setdefault(strong, set()).add(evidence.session_id)
        heard[strong] = Edge(evidence.occurred_at, evidence.source, evidence.event_id)
        self.state.put(key, _encode(heard))
        return True

    def cut(self, strong: str, weak: str, instead: str = "") -> None:
        """Take an edge away, or let another name stand for the stronger one."""
        entry = self._entry(weak)
        edge = entry.record.above.pop(strong, None)
        self.state.put(f"d{strong}\0{weak}".encode(), None)
        self._reached(strong, -1)
        self.pending.add(weak)
        self._changed.add(weak)
        if edge is not None and instead:
            other = entry.record.above.get(instead)
            at = edge.at if other is None else min(edge.at, other.at)
            entry.record.above[instead] = Edge(at)
        if edge is not None and entry.record.links <= self.caps.links:
            entry.record.links = len(entry.record.above)
        for key, value in list(self.state.scan(f"s{weak}\0".encode())):
            heard = decode_session(value)
            said = heard.pop(strong, None)
            if said is None:
                continue
            if instead:
                heard[instead] = Edge(min(said.at, heard[instead].at) if instead in heard else said.at)
            self.state.put(key, _encode(heard) if heard else None)
            if not heard and entry.record.sessions <= self.caps.sessions:  # beyond it stands alone for good
                entry.record.sessions -= 1
        entry.sessions = None

    # A graph.

    def facts(self, identifier: str) -> Facts:
        """See `identity.Graph`."""
        entry = self._entry(identifier)
        record = entry.record
        above: dict[str, Link]
        if len(record.above) < 2:
            above = {strong: (edge.at, ()) for strong, edge in record.above.items()}
        else:
            if entry.sessions is None:
                entry.sessions = self._read_sessions(identifier)
            sessions = entry.sessions
            above = {strong: (edge.at, sessions.get(strong, ())) for strong, edge in record.above.items()}
        return Facts(above, record.joined, record.parted, record.sessions, self._over(record), bool(record.freed))

    def _over(self, record: Record) -> str:
        """The cap that an identifier's evidence alone exceeds."""
        if record.links > self.caps.links:
            return "links"
        return "reach" if record.reach > (self.caps.freed_reach if record.freed else self.caps.reach) else ""

    def _read_sessions(self, weak: str) -> dict[str, set[str]]:
        sessions: dict[str, set[str]] = {}
        for session_id, heard in self.sessions(weak):
            for strong in heard:
                sessions.setdefault(strong, set()).add(session_id)
        return sessions

    def below(self, strong: str) -> Iterable[str]:
        """See `identity.Graph`."""
        return [*self.weaker(strong), *self.dependents(strong)]

    def dependents(self, identifier: str) -> list[str]:
        """Those whose assignment depends on it by an order."""
        return self._marked(f"k{identifier}\0")

    def weaker(self, strong: str) -> list[str]:
        """The weaker identifiers that evidence connects with it."""
        return self._marked(f"d{strong}\0")

    def stronger_beyond(self, weak: str) -> list[str]:
        """The stronger identifiers whose edges were too many to be kept. Looks through all there are."""
        end = f"\0{weak}".encode()
        keys = [key[1 : -len(end)].decode() for key, _ in self.state.scan(b"d") if key.endswith(end)]
        return [strong for strong in keys if strong not in self.record(weak).above]

    def _marked(self, prefix: str) -> list[str]:
        start = prefix.encode()
        return [key[len(start) :].decode() for key, _ in self.state.scan(start)]

    def outcome(self, identifier: str) -> Outcome:
        """See `identity.Graph`."""
        if is_erased(identifier):
            return Outcome(UNASSIGNED)
        record = self._entry(identifier).record
        return Outcome(record.assignment or UNASSIGNED, record.alone)

    def accept(self, identifier: str, assignment: Assignment) -> Assignment:
        """Take over a new assignment; returns it with its version."""
        numbered = msgspec.structs.replace(assignment, version=self.next_version())
        self._entry(identifier).record.assignment = numbered
        self._changed.add(identifier)
        return numbered

    def next_version(self) -> int:
        """A version that is higher than all before."""
        self.counters.version += 1
        return self.counters.version

    def set_alone(self, identifier: str, why: str, at: int) -> None:
        """Note that an identifier stands alone, or ('') no longer does."""
        record = self.change(identifier)
        record.alone, record.alone_at = why, at if why else 0
        self.state.put(f"a{identifier}".encode(), _MARK if why else None)

    # Orders and erasures.

    def record(self, identifier: str) -> Record:
        """What is known about an identifier, to be read."""
        return self._entry(identifier).record

    def change(self, identifier: str) -> Record:
        """The same, to be changed."""
        self._changed.add(identifier)
        return self._entry(identifier).record

    def depends(self, identifier: str, on: str, holds: bool) -> None:
        """By an order an identifier's assignment depends on another's, or no longer does."""
        self.state.put(f"k{on}\0{identifier}".encode(), _MARK if holds else None)

    def sessions(self, weak: str) -> Iterator[tuple[str, dict[str, Edge]]]:
        """Each session with evidence about an identifier: strong → evidence."""
        start = f"s{weak}\0".encode()
        for key, value in self.state.scan(start):
            yield key[len(start) :].decode(), decode_session(value)

    def forget(self, identifier: str) -> None:
        """Forget an identifier whose edges are all cut."""
        self._entry(identifier).record = Record()
        self._changed.add(identifier)
        self.state.put(f"a{identifier}".encode(), None)
        self.pending.discard(identifier)

    def seal(self, identifier: str) -> bytes:
        """What an identifier is known by once it must not be known."""
        return self._seal(identifier)

    def erasure(self, identifier: str) -> Erasure | None:
        """What is known of it where it was erased."""
        return self.erasure_of(self._seal(identifier))

    def erasure_of(self, seal: bytes) -> Erasure | None:
        """The same by its seal."""
        data = self.state.get(b"z" + seal)
        return decode_erasure(data) if data is not None else None

    def erased_before(self, seal: bytes) -> int:
        """Up to when the identifier with that seal was erased, in ms; 0: never."""
        erasure = self.erasure_of(seal)
        return erasure.before if erasure is not None else 0

    def set_erasure(self, seal: bytes, erasure: Erasure) -> None:
        """Note that an identifier was erased, or (also) something newer about that."""
        key = b"z" + seal
        if self.state.get(key) is None:
            self.counters.erasures += 1
        self.state.put(key, _encode(erasure))

    def write(self) -> None:
        """Write what changed, and give everything back to the cache. The end of the batch."""
        for identifier in self._changed:
            record = self._entries[identifier].record
            self.state.put(b"i" + identifier.encode(), None if record == Record() else _encode(record))
        self._changed.clear()
        counters = _encode(self.counters)
        if counters != self._written:
            self.state.put(_COUNTERS, counters)
            self._written = counters
        for identifier, entry in self._entries.items():
            self._cache.give(identifier, entry)

    def _entry(self, identifier: str) -> Entry:
        entry = self._entries.get(identifier)
        if entry is None:
            entry = self._cache.take(identifier)
            if entry is None:
                data = self.state.get(b"i" + identifier.encode())
                entry = Entry(decode_record(data) if data is not None else Record())
            self._entries[identifier] = entry
        return entry
