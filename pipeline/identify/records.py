"""The records that `identify` remembers, and how some of them stay decoded between batches.

Records stay decoded in a bounded cache between batches; whoever uses one takes it out and gives it back.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.messages import NEVER, Assignment

CACHE_WEIGHT = 400_000  # links and sessions kept decoded; some 60 MB


class Edge(msgspec.Struct, array_like=True, gc=False):
    """The earliest evidence between two identifiers, or the earliest in one session."""

    at: int  # ms
    source: str = ""
    event_id: str = ""
    session_id: str = ""


class Record(msgspec.Struct, array_like=True):
    """One identifier."""

    above: dict[str, Edge] = {}  # stronger identifier → the earliest evidence
    assignment: Assignment | None = None
    links: int = 0  # stronger ones there ever were; those beyond the cap are not in `above`
    reach: int = 0  # weaker ones that evidence leads to
    sessions: int = 0  # with evidence; those beyond the cap are not kept
    alone: str = ""  # the cap because of which it stands alone
    alone_at: int = 0  # since when, ms
    freed: str = ""  # the order that widened its caps
    joined: str = ""  # whose person's it was ordered to be
    joined_by: str = ""  # the order that did
    parted: dict[str, str] = {}  # person from whom it was parted → the order that did


class Counters(msgspec.Struct, array_like=True):
    """What is counted for ever."""

    version: int = 0  # of the newest assignment
    orders: int = 0
    erasures: int = 0
    anew: bool = False  # the state was begun from nothing: stitch tells of nameless owners again


class Erasure(msgspec.Struct, array_like=True, gc=False):
    """What is known of an erased identifier."""

    before: int  # ms
    blocked: bool
    number: int  # of the newest order about it

    @property
    def spoken(self) -> int:
        """From when on (ms) evidence about it is learnt."""
        return NEVER if self.blocked else self.before


decode_record = msgspec.msgpack.Decoder(Record).decode
decode_session = msgspec.msgpack.Decoder(dict[str, Edge]).decode
decode_erasure = msgspec.msgpack.Decoder(Erasure).decode
decode_counters = msgspec.msgpack.Decoder(Counters).decode


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
