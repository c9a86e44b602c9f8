"""What one batch could not finish, kept in the state: the batches that follow go on with it, also after a restart.

| key | value |
| --- | --- |
| `w` identifier | `1` or `0`: it is to be looked at, because of what somebody ordered or not |
| `v` identifier | `Page`: those below it are to be looked at |
| `j` identifier NUL order_id | `Chore`: what is from before a time is to be taken away from around it |
| `f` order_id | of an erasure: the number of the order that is next to forget whom it named |
| `r` number, time (8 bytes each) | a record of the log that waits behind an order, as it came |
| `g` | the order whose effect is still spreading |
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pipeline.domain.spreading import Page, Spread
from pipeline.domain.state import State
from pipeline.identify.forgetting import Chore, decode_chore
from pipeline.identify.records import Counters

_UNDER_WAY = b"g"
_encode = msgspec.msgpack.Encoder().encode
_decode_number = msgspec.msgpack.Decoder(int).decode
_decode_page = msgspec.msgpack.Decoder(tuple[str, bool, bool]).decode


class Waits(NamedTuple):
    """A record of the log that waits behind an order."""

    timestamp: int  # ms
    value: bytes


class Waiting:
    """All of it, as one batch finds it, changes it and leaves it."""

    def __init__(self, state: State, counters: Counters, spread: Spread) -> None:
        """Fills `spread`. Where nothing waits, nothing is read."""
        self.records: list[Waits] = []
        self.chores: dict[str, Chore] = {}  # identifier NUL order_id
        self.unnaming: dict[str, int] = {}  # order_id of an erasure → number of the order that is next
        self.order_id = ""  # the order whose effect is still spreading
        self._state = state
        self._counters = counters
        self._spread = spread
        self._written: dict[bytes, bytes] = {}
        if counters.waiting:
            self._read()

    def _read(self) -> None:
        state, spread = self._state, self._spread
        for kind in (b"w", b"v", b"j", b"f", b"r"):
            self._written.update(state.scan(kind))
        for key, value in self._written.items():
            kind, name = key[:1], key[1:]
            if kind == b"w":
                spread.add((name.decode(),), value == b"1")
            elif kind == b"v":
                spread.open(name.decode(), Page(*_decode_page(value)))
            elif kind == b"j":
                self.chores[name.decode()] = decode_chore(value)
            elif kind == b"f":
                self.unnaming[name.decode()] = _decode_number(value)
            else:
                self.records.append(Waits(int.from_bytes(name[8:]), value))
        under_way = state.get(_UNDER_WAY)
        if under_way is not None:
            self._written[_UNDER_WAY] = under_way
            self.order_id = under_way.decode()

    def write(self) -> None:
        """Keep what is left."""
        left: dict[bytes, bytes] = {}
        for identifier, ordered in self._spread.looks.items():
            left[b"w" + identifier.encode()] = b"1" if ordered else b"0"
        for identifier, page in self._spread.pages.items():
            left[b"v" + identifier.encode()] = _encode(tuple(page))
        for identifier, chore in self.chores.items():
            left[b"j" + identifier.encode()] = _encode(chore)
        for order_id, number in self.unnaming.items():
            left[b"f" + order_id.encode()] = _encode(number)
        for number, record in enumerate(self.records):
            left[b"r" + number.to_bytes(8) + record.timestamp.to_bytes(8)] = record.value
        if self.order_id:
            left[_UNDER_WAY] = self.order_id.encode()
        for key in self._written.keys() - left.keys():
            self._state.put(key, None)
        for key, value in left.items():
            if self._written.get(key) != value:
                self._state.put(key, value)
        self._counters.waiting = len(left)
