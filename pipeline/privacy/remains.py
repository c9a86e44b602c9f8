"""What a topic that keeps the newest record of each key still holds of somebody who was erased.

Every record is decoded by the code that reads it in earnest, never searched as bytes; what cannot be decoded is counted
apart. Of a key only its newest record counts: what it replaced is not read by anybody any more, and goes when the topic
is compacted.

Pure: a `Judge` is shown the records of one topic in order, and says afterwards which keys hold something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pipeline.domain import records
from pipeline.domain.messages import Assignment
from pipeline.domain.state import DictState
from pipeline.domain.sweeping import Sweep
from pipeline.privacy.scope import Scope
from pipeline.topics import ALERTS, CUSTOMER_SCORES, DAY_MS, IDENTITIES, STITCH_CHANGELOG
from pipeline.wire import Codec, WireError

Place = tuple[int, bytes]  # partition and key
DIMENSIONS = ("effectiveness", "ease", "emotion")


class Unread(ValueError):
    """A record that cannot be decoded."""


class Judge:
    """Looks through one topic. `found` says of each newest record whether it is about the erased from before."""

    def __init__(self, topic: str, how: str) -> None:
        self.topic = topic
        self.how = how
        self.looked = 0
        self._held: dict[Place, str] = {}
        self._unread: dict[Place, int] = {}

    def see(self, partition: int, key: bytes, value: bytes | None, timestamp: int) -> None:
        """The next record of a partition."""
        self.looked += 1
        kind = ""
        if self._unread:
            self._unread.pop((partition, key), None)
        if value is not None:
            try:
                kind = self.found(key, value, timestamp)
            except Unread:
                self._unread[partition, key] = timestamp
        if kind:
            self._held[partition, key] = kind
        elif self._held:
            self._held.pop((partition, key), None)

    def found(self, key: bytes, value: bytes, timestamp: int) -> str:
        """What kind of thing from before a record holds; '' where nothing. Raises Unread."""
        raise NotImplementedError

    def places(self) -> list[Place]:
        """The keys that hold something."""
        return sorted(self._held)

    def remaining(self) -> dict[str, int]:
        """How many of each kind."""
        return dict(sorted(Counter(self._held.values()).items()))

    @property
    def unread(self) -> int:
        """How many keys hold what cannot be decoded."""
        return len(self._unread)


class Profiles(Judge):
    """The changelog of the profiles, by the rules by which their state is looked through.

    Records come in the order in which they were written, so each is looked at by itself: what only says that there is
    a profile stands, where that profile holds something from after the erasure.
    """

    def __init__(self, scope: Scope) -> None:
        how = "each record of every profile decoded that may name somebody (counters do not), the newest of each key"
        super().__init__(STITCH_CHANGELOG.name, how)
        self._names = {each.encode() for each in scope.whole}
        self._sweep = Sweep(DictState(), scope.concern, lambda _: b"")
        self._blank: dict[bytes, bytes] = {}  # key → the erased profile that it names, and tells no more of
        self._after: dict[bytes, bytes] = {}  # key → the erased profile that has something from afterwards

    def see(self, partition: int, key: bytes, value: bytes | None, timestamp: int) -> None:
        """See Judge."""
        if self._after or self._blank:
            self._after.pop(key, None)
            self._blank.pop(key, None)
        super().see(partition, key, value, timestamp)

    def found(self, key: bytes, value: bytes, timestamp: int) -> str:
        """See Judge."""
        try:
            kind = self._sweep.judge(key, value)
        except (msgspec.DecodeError, ValueError, LookupError) as error:
            raise Unread(type(error).__name__) from error
        if kind == "unknown":
            raise Unread("a kind of record that is not known here")
        if kind not in ("", "name"):
            return kind
        name = key[1:].partition(b"\x00")[0] if key[:1] == records.PROFILE else b""
        if name not in self._names:
            return kind
        (self._blank if kind else self._after)[key] = name
        return ""

    def remaining(self) -> dict[str, int]:
        """See Judge."""
        alive = set(self._after.values())
        empty = sum(name not in alive for name in self._blank.values())
        return super().remaining() | ({"name": empty} if empty else {})


def names(assignment: Assignment, scope: Scope) -> bool:
    """Whether an assignment names somebody who was erased."""
    persons: Iterable[str] = (*assignment.owners, *assignment.candidates, *assignment.sessions.values())
    return not scope.whole.isdisjoint(persons)


class Avro(Judge):
    """A topic of Avro records."""

    def __init__(self, topic: str, schema: str, how: str, scope: Scope, codec: Codec) -> None:
        super().__init__(topic, how)
        self.scope = scope
        self._schema = schema
        self._codec = codec

    def found(self, key: bytes, value: bytes, timestamp: int) -> str:
        """See Judge."""
        try:
            schema, record = self._codec.decode(value)
        except WireError as error:
            raise Unread(type(error).__name__) from error
        if schema != self._schema:
            raise Unread(f"a {schema}")
        return self.holds(record)

    def holds(self, record: Mapping[str, Any]) -> str:
        """As `found`, of a decoded record."""
        raise NotImplementedError


class Identities(Avro):
    """Whose each identifier is, as ClickHouse is told. An assignment from after the erasure may name them again."""

    def __init__(self, scope: Scope, codec: Codec) -> None:
        how = "each assignment decoded, the newest of each identifier"
        super().__init__(IDENTITIES.name, IDENTITIES.schema, how, scope, codec)

    def holds(self, record: Mapping[str, Any]) -> str:
        """See Avro."""
        whole = self.scope.whole
        if record["version"] >= self.scope.version:
            return ""
        persons = (record["identifier"], record["person"], *record["owners"], *record["candidates"])
        named = not whole.isdisjoint(persons) or not whole.isdisjoint(record["sessions"].values())
        return "assignment" if named else ""


class Scores(Avro):
    """A person's scores by day. Rows that are taken back (n = 0) name the person still.

    What is from after the erasure stands on its day or later, with evidence.
    """

    def __init__(self, scope: Scope, codec: Codec) -> None:
        how = "the person of each row read from its key, theirs decoded, the newest of each person, day and definition"
        super().__init__(CUSTOMER_SCORES.name, CUSTOMER_SCORES.schema, how, scope, codec)
        self._day = scope.before // DAY_MS
        self._names = {each.encode() for each in scope.whole}

    def found(self, key: bytes, value: bytes, timestamp: int) -> str:
        """See Judge. A key is person, day and definition, with bars between them."""
        return super().found(key, value, timestamp) if key.rsplit(b"|", 2)[0] in self._names else ""

    def holds(self, record: Mapping[str, Any]) -> str:
        """See Avro."""
        if record["person"] not in self.scope.whole:
            return ""
        evidence = any(record[f"{dimension}_n"] for dimension in DIMENSIONS)
        return "" if evidence and record["day"] >= self._day else "score"


class Alerts(Avro):
    """What people were told of: a severe experience, for instance. One is from before where what it is about is."""

    def __init__(self, scope: Scope, codec: Codec) -> None:
        how = "each alert decoded, the newest of each"
        super().__init__(ALERTS.name, ALERTS.schema, how, scope, codec)

    def holds(self, record: Mapping[str, Any]) -> str:
        """See Avro."""
        signs = (record["opened_at"], record["since"])
        from_before = min(sign for sign in signs if sign is not None) < self.scope.before
        named = (record["subject"], record["person"], record["identifier"])
        return "alert" if from_before and not self.scope.whole.isdisjoint(named) else ""


class Looked(msgspec.Struct, frozen=True):
    """What looking through a topic came to."""

    topic: str
    how: str
    looked: int  # records
    unread: int  # keys whose newest record cannot be decoded
    remaining: dict[str, int]  # kind → keys
    places: list[Place]  # at most as many as were asked for
