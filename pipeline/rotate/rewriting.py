"""A compacted topic, read whole into stores on disk and changed in transactions.

A change is what the old key, the new key and all that depends on it become, in one transaction; so whatever is killed
in the middle, the next run finds each record either as it was or as it is to be. The stores are the changed topic
after each commit. They are only for the work, and can be thrown away at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Protocol

from aiokafka import TopicPartition

from pipeline import kafka
from pipeline.engine import Sent, Store
from pipeline.engine.restore import restore
from pipeline.engine.spec import Limits
from pipeline.engine.transaction import Fence
from pipeline.settings import Settings
from pipeline.topics import Topic

RECORDS_MAX = 5_000  # of a transaction
BYTES_MAX = 4 * 1024 * 1024  # of a transaction, exceeded by one group of records at most
TRANSACTION_S_MAX = 60  # a killed run holds readers up for so long, and the next run ends it
READ_AT_ONCE = 8  # partitions
FOREVER_S = 1e12  # a working store is never too old: what it lacks is read


Tell = Callable[[str, int], None]  # what is being done, and how far it is


def folder(settings: Settings) -> Path:
    """Where the working stores are."""
    return settings.home / "state" / "rotation"


def fence(settings: Settings, transactional_id: str) -> Fence:
    """A producer that shuts out whoever works under that id."""
    limits = replace(Limits(), transaction_timeout_ms=TRANSACTION_S_MAX * 1000)
    return Fence(settings.bootstrap, transactional_id, limits, lambda _point: None)


class Commits(Protocol):
    """What is used of a `Fence`."""

    async def commit(
        self, sent: Mapping[tuple[str, int], Sequence[Sent]], group: str, positions: Mapping[TopicPartition, int]
    ) -> object:
        """Send everything and commit it with the group's positions, in one transaction."""
        ...


class Copy:
    """The newest record of every key of a compacted topic, by partition."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self.topic = topic
        self.partitions = kafka.partitions_of(topic, settings)
        self._settings = settings
        place = folder(settings) / topic.name
        self.stores = [Store(place / str(number)) for number in range(self.partitions)]

    async def read(self, tell: Tell) -> None:
        """Bring the stores to where the topic is."""
        some = asyncio.Semaphore(READ_AT_ONCE)
        done = count(1)

        async def one(number: int, store: Store) -> None:
            async with some:
                await restore(store, self._settings.bootstrap, self.topic.name, number, FOREVER_S)
            tell(f"reading {self.topic.name}, partitions of {self.partitions}", next(done))

        async with asyncio.TaskGroup() as reading:
            for number, store in enumerate(self.stores):
                reading.create_task(one(number, store))

    def close(self) -> None:
        """Close the files."""
        for store in self.stores:
            store.close()


@contextmanager
def copied(settings: Settings, topic: Topic) -> Iterator[Copy]:
    """The copy of a topic, to be read first."""
    copy = Copy(settings, topic)
    try:
        yield copy
    finally:
        copy.close()


class Transactions:
    """Changes of a copy, collected into transactions. Commit what is left with `flush`."""

    def __init__(self, copy: Copy, fence: Commits) -> None:
        self._copy = copy
        self._fence = fence
        self._changes: dict[int, dict[bytes, bytes | None]] = {}
        self._sent: dict[tuple[str, int], list[Sent]] = {}
        self._bytes = 0
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether it is time to flush."""
        return self._count >= RECORDS_MAX or self._bytes >= BYTES_MAX

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The value under a key, with the changes that are not committed yet."""
        changed = self._changes.get(partition, {})
        return changed[key] if key in changed else self._copy.stores[partition].get(key)

    def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Set (None: delete) a key of the topic."""
        self._changes.setdefault(partition, {})[key] = value
        self._took(key, value)

    def send(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        """Publish something else with the changes."""
        self._sent.setdefault((topic, partition), []).append((None, key, value))
        self._took(key, value)

    def _took(self, key: bytes, value: bytes | None) -> None:
        self._bytes += len(key) + len(value or b"")
        self._count += 1

    async def flush(self) -> None:
        """Commit, then make it the copy. Raises KafkaError."""
        if not self._count:
            return
        topic = self._copy.topic.name
        sent = dict(self._sent)
        for partition, changes in self._changes.items():
            sent[topic, partition] = [(None, key, value) for key, value in changes.items()]
        await self._fence.commit(sent, "", {})
        for partition, changes in self._changes.items():
            store = self._copy.stores[partition]
            store.write(changes.items(), store.standing)
        self._changes, self._sent, self._bytes, self._count = {}, {}, 0, 0
