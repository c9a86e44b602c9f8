"""The records that `identify` remembers, and how some of them stay decoded between batches.

Of one identifier there is a `Record` with all that is counted, and its first few edges; more edges have keys of their
own, so that what a new one costs does not grow with how many there are.

Records stay decoded in a bounded cache between batches; whoever uses one takes it out and gives it back.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.messages import NEVER, Assignment

CACHE_WEIGHT = 400_000  # links and sessions kept decoded; some 60 MB
INLINE = 8  # edges of each kind in the record itself
LAYOUT = 1
COUNTLESS = 1 << 40  # where not all is there that was counted: more than any cap
_FORMER_SESSIONS = 4_000  # no more of them were kept in layout 0


class Edge(msgspec.Struct, array_like=True, gc=False):
    """The earliest evidence between two identifiers, or the earliest in one session."""

    at: int  # ms
    source: str = ""
    event_id: str = ""
    session_id: str = ""
    strong_life: int = 0  # how often each end had been told to forget: what is from an earlier life does not count
    weak_life: int = 0


class Tally(msgspec.Struct, array_like=True):
    """What public keys said of one identifier, as `Record` has it of trusted sources."""

    above: dict[str, Edge] = {}
    links: int = 0
    reach: int = 0
    sessions: int = 0
    since: int = 0
    more: int = 0
    life: int = 0


_NOTHING_SAID = Tally()


class Record(msgspec.Struct, array_like=True):
    """One identifier. Counts are of what is from its present life."""

    above: dict[str, Edge] = {}  # stronger identifier → the earliest evidence; others have keys of their own
    assignment: Assignment | None = None
    links: int = 0  # stronger ones that evidence leads from
    reach: int = 0  # weaker ones that evidence leads to
    sessions: int = 0  # in which each stronger one came; those beyond the widest cap are not kept
    alone: str = ""  # the cap because of which it stands alone
    alone_at: int = 0  # since when that is so, or what public keys said does not count, ms
    freed: str = ""  # the order that widened its caps
    joined: str = ""  # whose person's it was ordered to be
    joined_by: str = ""  # the order that did
    parted: dict[str, str] = {}  # person from whom it was parted → the order that did
    layout: int = 0
    public: Tally | None = None
    muted: str = ""  # the cap because of which what public keys said does not count
    told: str = ""  # what the newest alert says
    since: int = 0  # evidence from before (ms) was forgotten, by an order, and is not learnt any more
    past: bool = False  # it had owners that were forgotten
    renewals: list[str] = []  # the orders by which something was forgotten
    more: int = 0  # edges with keys of their own
    life: int = 0  # how often evidence so far was forgotten

    def of_kind(self, public: bool) -> Record | Tally:
        """What is counted of one kind, to be read only."""
        if not public:
            return self
        return _NOTHING_SAID if self.public is None else self.public


BLANK = Record(layout=LAYOUT)


def blank() -> Record:
    """What is known of one of which nothing is."""
    return Record(layout=LAYOUT)


class Counters(msgspec.Struct, array_like=True):
    """What is counted for ever."""

    version: int = 0  # of the newest assignment
    orders: int = 0
    erasures: int = 0
    anew: bool = False  # the state was begun from nothing: stitch tells of nameless owners again
    renewals: int = 0  # identifiers of which evidence was forgotten
    waiting: int = 0  # keys of what one batch could not finish
    at: int = 0  # ms: the time of the newest record, where something waits


class Erasure(msgspec.Struct, array_like=True, gc=False):
    """What is known of an erased identifier."""

    before: int  # ms
    blocked: bool
    number: int  # of the newest order about it

    @property
    def spoken(self) -> int:
        """From when on (ms) evidence about it is learnt."""
        return NEVER if self.blocked else self.before


_encode = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(Record).decode
decode_edge = msgspec.msgpack.Decoder(Edge).decode
decode_session = msgspec.msgpack.Decoder(dict[str, Edge]).decode
decode_erasure = msgspec.msgpack.Decoder(Erasure).decode
decode_counters = msgspec.msgpack.Decoder(Counters).decode


def decode_record(data: bytes) -> Record:
    """A record in this layout. Raises msgspec.DecodeError.

    In the one before, edges and sessions beyond a cap were counted but not kept: who has such is over every cap, until
    somebody has them forgotten. All evidence was taken as trusted.
    """
    record = _decode_record(data)
    if record.layout == 0:
        if record.links > len(record.above):
            record.links = COUNTLESS
        if record.sessions > _FORMER_SESSIONS:
            record.sessions = COUNTLESS
        record.layout = LAYOUT
    return record


def packed(record: Record) -> bytes | None:
    """The record as bytes; None where it says nothing."""
    if record.public == _NOTHING_SAID:
        record.public = None
    return None if record == BLANK else _encode(record)


class Entry:
    """A record in the cache, with what was read of its edges and sessions so far.

    By kind (False: trusted, True: public), None until they were read: `more` are the edges with keys of their own,
    `sessions` the sessions of each stronger identifier.
    """

    __slots__ = ("more", "record", "sessions", "weight")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.more: list[dict[str, Edge] | None] = [None, None]
        self.sessions: list[dict[str, set[str]] | None] = [None, None]
        self.weight = 1 + len(record.above)

    def side(self, public: bool) -> Record | Tally:
        """What is counted of one kind, to be changed."""
        if not public:
            return self.record
        if self.record.public is None:
            self.record.public = Tally()
        return self.record.public

    def weigh(self) -> int:
        """How much it holds: links and sessions."""
        record = self.record
        weight = 1 + len(record.above) + len(record.of_kind(True).above)
        weight += sum(len(more) for more in self.more if more)
        return weight + sum(len(heard) for each in self.sessions if each for heard in each.values())


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

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._weight = 0

    def give(self, identifier: str, entry: Entry) -> None:
        """Keep an entry as the most recently used; forget others where it gets too much."""
        entry.weight = entry.weigh()
        self._entries[identifier] = entry
        self._weight += entry.weight
        while self._weight > self._weight_max and self._entries:
            self._weight -= self._entries.pop(next(iter(self._entries))).weight
