"""What an agent gets instead of an event: all that waits for one partition number, and its state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Protocol

from pipeline.engine.store import Store


class Record(Protocol):
    """One record as read. `timestamp` is the broker's (or producer's) in ms, as the topic is set."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Batch(Protocol):
    """A unit of work of one partition number. Nothing of it is visible to anyone before it is committed whole."""

    partition: int
    inbox: Sequence[Record]  # to be handled before the sources
    sources: Sequence[Record]

    @property
    def cache(self) -> dict[str, object]:
        """Yours as long as this worker owns the partition number; gone with it. What it says beyond the
        committed state is never seen by queries, and dies with a batch that fails. Bound it yourself."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """The value under a key, this batch's changes included."""
        ...

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set (None: delete) a key."""
        ...

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All under a prefix in key order, this batch's changes included; of keys behind `after` only, where given."""
        ...

    def send(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, timestamp: int | None = None
    ) -> None:
        """Publish with the batch. In order per topic and partition."""
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call back once the batch is committed and its state can be read."""
        ...

    def ask_again(self, hold: bool = False) -> None:
        """There is more to do than fits into one batch: the next one comes at once, whether anything has come or not.

        With `hold` it comes without anything new. A worker that starts is told nothing of what was asked before it:
        see `Spec.resumes`.
        """
        ...


Sent = tuple[int | None, bytes | None, bytes | None]  # timestamp in ms, key, value
_ABSENT = object()


class Unit:
    """The engine's Batch: RocksDB below, the batch's own changes above."""

    def __init__(
        self,
        partition: int,
        store: Store,
        cache: dict[str, object],
        inbox: Sequence[Record],
        sources: Sequence[Record],
        ends: Mapping[object, int],
    ) -> None:
        self.partition = partition
        self.inbox = inbox
        self.sources = sources
        self.ends = ends  # topic partition → position to commit
        self.handled = asyncio.Event()
        self.again = self.hold = False
        self.changes: dict[bytes, bytes | None] = {}
        self.sent: dict[tuple[str, int], list[Sent]] = {}
        self.callbacks: list[Callable[[], None]] = []
        self._store = store
        self._cache = cache
        self._groups: dict[bytes, dict[bytes, bytes | None]] = {}

    @property
    def cache(self) -> dict[str, object]:
        return self._cache

    def get(self, key: bytes) -> bytes | None:
        value = self.changes.get(key, _ABSENT)
        return self._store.get(key) if value is _ABSENT else value  # type: ignore[return-value]

    def put(self, key: bytes, value: bytes | None) -> None:
        self.changes[key] = value
        # Grouped by what stands before the first NUL (a profile), so that a scan need not look at the whole batch.
        group = key.partition(b"\x00")[0]
        try:
            self._groups[group][key] = value
        except KeyError:
            self._groups[group] = {key: value}

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        group, nul, _ = prefix.partition(b"\x00")
        changes = self._groups.get(group, {}) if nul else self.changes
        own = sorted(key for key in changes if key.startswith(prefix) and key > after)
        if not own:
            yield from self._store.scan(prefix, after)
            return
        stored = ((key, value) for key, value in self._store.scan(prefix, after) if key not in changes)
        mine = ((key, value) for key in own if (value := changes[key]) is not None)
        yield from merge(stored, mine)

    def send(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, timestamp: int | None = None
    ) -> None:
        try:
            self.sent[topic, partition].append((timestamp, key, value))
        except KeyError:
            self.sent[topic, partition] = [(timestamp, key, value)]

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def ask_again(self, hold: bool = False) -> None:
        self.again = True
        self.hold = self.hold or hold
