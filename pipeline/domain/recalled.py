"""What a worker that begins from nothing must know of those who were erased, so that nothing of theirs comes back.

Whole identifiers are known by their seals: whatever is filed under one is refused. An identifier that others have a
part in stays, so of that is kept which of its interactions were the erased person's when they were erased: they are
refused at once. And `identify`, which begins from nothing too, is told of the nameless owner again, so that nobody else
inherits what is between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assignment, Evidence, erased_at
from pipeline.domain.outcomes import Outcome
from pipeline.domain.records import Erasure, Seen

Seal = Callable[[str], bytes]
ERASE, SHARE = "erase", "share"  # kinds of records of identity.orders


class Share(msgspec.Struct, frozen=True):
    """How an identifier was shared with somebody when they were erased. Others are known by seals only."""

    person: str  # the erased person's remaining name
    at: int | None  # ms: their first time with it; None where it was theirs by way of others only
    by: frozenset[bytes]  # the erased identifiers that evidence led from
    whole: bool = False  # nobody else had a part: all of it was theirs
    until: int | None = None  # ms: what occurred before was theirs, where no session said otherwise
    theirs: frozenset[bytes] = frozenset()  # sessions
    others: frozenset[bytes] = frozenset()  # sessions that were settled otherwise

    @property
    def before(self) -> int:
        """When they were erased, in ms."""
        return erased_at(self.person)

    def erases(self, x: Interaction | Seen | Outcome, seal: Seal) -> bool:
        """Whether that interaction or outcome of the identifier was theirs."""
        if x.since >= self.before:
            return False
        if self.whole:
            return True
        if x.session_id and (self.theirs or self.others):
            session = seal(x.session_id)
            if session in self.theirs or session in self.others:
                return session in self.theirs
        return self.until is not None and x.occurred_at < self.until


def share(person: str, at: int | None, by: frozenset[bytes], assignment: Assignment, seal: Seal) -> Share:
    """What the assignment of an identifier gives to an erased person."""
    first = bool(assignment.owners) and assignment.owners[0] == person
    if first and len(assignment.owners) == 1:
        return Share(person, at, by, whole=True)
    theirs = frozenset(seal(session) for session, owner in assignment.sessions.items() if owner == person)
    others = frozenset(seal(session) for session, owner in assignment.sessions.items() if owner != person)
    return Share(person, at, by, False, assignment.until if first else None, theirs, others)


class Record(msgspec.Struct):
    """A record of identity.orders, as far as it matters here. Orders of other kinds are none of ours."""

    kind: str
    number: int = 0
    before: int = 0  # ms
    blocked: bool = False
    seals: list[str] = []  # in hex, as all seals here
    person: str = ""
    at: int | None = None  # ms
    by: list[str] = []
    whole: bool = False
    until: int | None = None  # ms
    theirs: list[str] = []
    others: list[str] = []

    @property
    def share(self) -> Share:
        """What a record of that kind says."""
        by, theirs, others = map(_unhexed, (self.by, self.theirs, self.others))
        return Share(self.person, self.at, by, self.whole, self.until, theirs, others)


_decode = msgspec.json.Decoder(Record).decode


def _unhexed(texts: Iterable[str]) -> frozenset[bytes]:
    return frozenset(map(bytes.fromhex, texts))


@dataclass(frozen=True, slots=True)
class Recalled:
    """All of it, by seals."""

    erasures: dict[bytes, Erasure] = field(default_factory=dict)
    shares: dict[bytes, tuple[Share, ...]] = field(default_factory=dict)  # by time of the erasure
    persons: set[str] = field(default_factory=set)  # of whom it is known what they shared

    def hear(self, value: bytes) -> None:
        """Take one record of identity.orders, in any order. Raises msgspec.DecodeError where it is none."""
        said = _decode(value)
        if said.kind == ERASE:
            erasure = Erasure(said.before, said.blocked, said.number)
            for seal in _unhexed(said.seals):
                known = self.erasures.get(seal)
                self.erasures[seal] = erasure if known is None else known.merged(erasure)
        elif said.kind == SHARE:
            for seal in _unhexed(said.seals):
                shares = (*self.shares.get(seal, ()), said.share)
                self.persons.add(said.person)
                self.shares[seal] = tuple(sorted(shares, key=lambda share: (share.before, share.person)))

    def refuses(self, x: Outcome, seal: Seal) -> str:
        """Why an outcome is not kept: 'erased', 'blocked'; '' where it is."""
        if not self.erasures and not self.shares:
            return ""
        own = seal(x.identifier)
        erasure = self.erasures.get(own)
        if erasure is not None and (why := erasure.refuses(x.since)):
            return why
        return "erased" if any(each.erases(x, seal) for each in self.shares.get(own, ())) else ""

    def update(self, other: Recalled) -> None:
        """Take over what another one knows."""
        self.erasures.update(other.erasures)
        self.shares.update(other.shares)
        self.persons.update(other.persons)

    def evidence(self, x: Interaction, seal: Seal) -> Iterator[Evidence]:
        """What an event of somebody who was erased after it shows of what they shared, without their name."""
        if not self.shares:
            return
        own = seal(x.identifier)
        for weak in x.links:
            for each in self.shares.get(seal(weak), ()):
                if own in each.by and x.since < each.before:
                    at = x.linked_at
                    since = x.since if x.since < at else 0
                    yield Evidence(each.person, weak, at, x.session_id, "", "", since)
                    break


NOTHING_RECALLED = Recalled()
