"""What `identify` remembers: evidence and assignments, as keyed bytes of its one partition.

| key | value |
| --- | --- |
| `i` identifier | MessagePack [[strong, earliest time] …, assignment or nil] |
| `s` weak NUL session NUL strong | `1`: evidence came in that session |
| `d` strong NUL weak | `1`: evidence leads down there |
| `n` | the counter behind every assignment's version, 8 bytes |

Sessions have keys of their own, because a customer may log in on the same device for years; they are read only where
an identifier has several stronger ones, since nobody asks for them before. Identifiers and session ids hold no NUL:
validation saw to that.

Records stay decoded in a bounded cache between batches. What a batch changes is written once, by `write`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from pipeline.domain.identity import Link
from pipeline.domain.messages import UNASSIGNED, Assignment
from pipeline.domain.state import State

CACHE_WEIGHT = 400_000  # links and sessions kept decoded; some 60 MB
_COUNTER = b"n"
_MARK = b"1"

_encode = msgspec.msgpack.Encoder().encode


class Record(msgspec.Struct, array_like=True):
    """One identifier: the earliest evidence from each stronger one, and its newest assignment."""

    above: dict[str, int] = {}
    assignment: Assignment | None = None


_decode = msgspec.msgpack.Decoder(Record).decode


class Entry:
    """A record in the cache. `sessions` (strong → sessions) is None until they were read."""

    __slots__ = ("record", "sessions", "weight")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.sessions: dict[str, set[str]] | None = None
        self.weight = 1 + len(record.above)


class Cache:
    """Entries by identifier, least recently used first; bounded by their weight."""

    def __init__(self, weight_max: int = CACHE_WEIGHT) -> None:
        self._weight_max = weight_max
        self._weight = 0
        self._entries: dict[str, Entry] = {}

    def take(self, identifier: str) -> Entry | None:
        """Remove and return an entry: whoever uses it gives it back with `give`."""
        entry = self._entries.pop(identifier, None)
        if entry is not None:
            self._weight -= entry.weight
        return entry

    def give(self, identifier: str, entry: Entry) -> None:
        """Keep an entry as the most recently used; forget others where it gets too much."""
        entry.weight = 1 + len(entry.record.above) + sum(map(len, (entry.sessions or {}).values()))
        self._entries[identifier] = entry
        self._weight += entry.weight
        while self._weight > self._weight_max and self._entries:
            self._weight -= self._entries.pop(next(iter(self._entries))).weight


class Known:
    """Evidence and assignments as one batch sees them. A `Graph` for `reassign`."""

    def __init__(self, state: State, cache: Cache) -> None:
        self._state = state
        self._cache = cache
        self._entries: dict[str, Entry] = {}
        self._changed: set[str] = set()
        counter = state.get(_COUNTER)
        self._version = self._written = int.from_bytes(counter) if counter else 0

    def learn(self, strong: str, weak: str, occurred_at: int, session_id: str) -> bool:
        """Remember evidence. Whether it may change an assignment: what is known already may not."""
        entry = self._entry(weak)
        above = entry.record.above
        first_at = above.get(strong)
        news = first_at is None or occurred_at < first_at
        if news:
            above[strong] = occurred_at
            self._changed.add(weak)
        if first_at is None:
            self._state.put(f"d{strong}\0{weak}".encode(), _MARK)
        if session_id and self._new_session(entry, strong, weak, session_id):
            # With one stronger identifier there is one owner at most, and no session is asked about.
            news = news or len(above) > 1
        return news

    def _new_session(self, entry: Entry, strong: str, weak: str, session_id: str) -> bool:
        key = f"s{weak}\0{session_id}\0{strong}".encode()
        if entry.sessions is not None:
            sessions = entry.sessions.setdefault(strong, set())
            if session_id in sessions:
                return False
            sessions.add(session_id)
        elif self._state.get(key) is not None:
            return False
        self._state.put(key, _MARK)
        return True

    def above(self, weak: str) -> Mapping[str, Link]:
        entry = self._entry(weak)
        above = entry.record.above
        if len(above) < 2:
            return {strong: (at, ()) for strong, at in above.items()}
        if entry.sessions is None:
            entry.sessions = self._read_sessions(weak)
        sessions = entry.sessions
        return {strong: (at, sessions.get(strong, ())) for strong, at in above.items()}

    def _read_sessions(self, weak: str) -> dict[str, set[str]]:
        sessions: dict[str, set[str]] = {}
        for key, _ in self._state.scan(f"s{weak}\0".encode()):
            _, session_id, strong = key.decode().split("\0")
            sessions.setdefault(strong, set()).add(session_id)
        return sessions

    def below(self, strong: str) -> Iterable[str]:
        prefix = f"d{strong}\0".encode()
        return [key[len(prefix) :].decode() for key, _ in self._state.scan(prefix)]

    def assigned(self, identifier: str) -> Assignment:
        return self._entry(identifier).record.assignment or UNASSIGNED

    def accept(self, identifier: str, assignment: Assignment) -> Assignment:
        """Take over a new assignment; returns it with its version."""
        self._version += 1
        numbered = msgspec.structs.replace(assignment, version=self._version)
        self._entry(identifier).record.assignment = numbered
        self._changed.add(identifier)
        return numbered

    def write(self) -> None:
        """Write what changed, and give everything back to the cache. The end of the batch."""
        for identifier in self._changed:
            self._state.put(b"i" + identifier.encode(), _encode(self._entries[identifier].record))
        if self._version != self._written:
            self._state.put(_COUNTER, self._version.to_bytes(8))
            self._written = self._version
        for identifier, entry in self._entries.items():
            self._cache.give(identifier, entry)

    def _entry(self, identifier: str) -> Entry:
        entry = self._entries.get(identifier)
        if entry is None:
            entry = self._cache.take(identifier)
            if entry is None:
                data = self._state.get(b"i" + identifier.encode())
                entry = Entry(_decode(data) if data is not None else Record())
            self._entries[identifier] = entry
        return entry
