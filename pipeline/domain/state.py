"""The state that a batch reads and changes, seen from the rules: bytes under keys, in key order.

The engine's batch is one (RocksDB below, the batch's own changes above); tests use `DictState`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Reading(Protocol):
    """Keyed bytes of one partition, to be read."""

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        ...

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All (key, value) under a prefix in key order; of keys behind `after` only, where that is given.

        Do not put under the prefix meanwhile: collect first.
        """
        ...


class State(Reading, Protocol):
    """Keyed bytes of one partition. What was put is seen at once by get and scan."""

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set the value; None deletes."""
        ...


class DictState:
    """A state in memory."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.data.pop(key, None)
        else:
            self.data[key] = value

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted((k, v) for k, v in self.data.items() if k.startswith(prefix) and (not after or k > after)))
