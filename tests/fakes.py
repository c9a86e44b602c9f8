"""Stand-ins for what the engine gives: a batch in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.domain.state import DictState
from pipeline.engine.batch import Record


@dataclass(slots=True)
class FakeRecord:
    """A record as read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Sent(NamedTuple):
    """A record as published."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None


class FakeBatch(DictState):
    """A batch over a dict. Give the next batch of a partition the `data` and `cache` of the one before."""

    def __init__(
        self,
        partition: int,
        inbox: Sequence[Record] = (),
        sources: Sequence[Record] = (),
        data: dict[bytes, bytes] | None = None,
        cache: dict[str, object] | None = None,
    ) -> None:
        super().__init__()
        if data is not None:
            self.data = data
        self.partition = partition
        self.inbox: Sequence[Record] = inbox
        self.sources: Sequence[Record] = sources
        self.cache: dict[str, object] = {} if cache is None else cache
        self.sent: list[Sent] = []
        self.again = self.hold = False
        self._callbacks: list[Callable[[], None]] = []
        self._keys: list[bytes] | None = None  # in their order, once somebody has asked

    def put(self, key: bytes, value: bytes | None) -> None:
        if self._keys is not None and (value is not None) != (key in self.data):
            at = bisect_left(self._keys, key)
            self._keys[at : at + (value is None)] = [key] * (value is not None)
        super().put(key, value)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        if self._keys is None:
            self._keys = sorted(self.data)
        start = bisect_left(self._keys, max(prefix, after + b"\0") if after else prefix)
        below = prefix.rstrip(b"\xff")
        end = bisect_left(self._keys, below[:-1] + bytes([below[-1] + 1])) if below else len(self._keys)
        return ((key, self.data[key]) for key in self._keys[start:end] if key in self.data)

    def send(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, timestamp: int | None = None
    ) -> None:
        self.sent.append(Sent(topic, partition, key, value, timestamp))

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def ask_again(self, hold: bool = False) -> None:
        self.again = True
        self.hold = self.hold or hold

    def commit(self) -> None:
        """Run what was asked for after the commit."""
        for callback in self._callbacks:
            callback()
        self._callbacks.clear()

    def to(self, topic: str) -> list[Sent]:
        """What was published to a topic, in order."""
        return [each for each in self.sent if each.topic == topic]
