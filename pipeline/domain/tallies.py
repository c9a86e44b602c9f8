"""Tallies: what became of every record of a channel, counted where it is read and where it is stored.

A tally is of one channel at one partition number, absolute, and part of the state: it changes in the transaction that
it counts, so no kill and no repeat can make it wrong. After every batch

    received + rekeyed_in = stored + duplicates + rejected + refused + rekeyed_out

Guarantees: an event counts as stored once, whichever of its copies came first, and where copies differ in their
channel, in that of the copy that counts. What was stored and is erased later stays counted; what comes again after that
and is kept, counts anew.

The words are the ledger's (`pipeline/reconciliation.py`), which holds the tallies against what ClickHouse has.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.state import State

PREFIX = b"t"


class Tally(msgspec.Struct, array_like=True, gc=False):
    """How many records ended how, since counting began. `stored` alone may be negative: where more moved away by a
    change of keys than has been counted here."""

    read_to: int = 0  # offset behind the last record of the channel's topic that was read
    gaps: int = 0  # offsets up to there that held no record: markers of transactions, or what was lost
    received: int = 0  # read from the channel's topic
    rekeyed_in: int = 0  # came from another partition, where they did not belong
    rekeyed_out: int = 0  # went to the partition where they belong
    stored: int = 0  # events that were not known
    duplicates: int = 0  # copies of known events, better or not
    rejected: int = 0  # could not be used
    refused: int = 0  # about somebody who was erased after them, or who is blocked

    def read(self, offset: int) -> None:
        """A record of the channel's topic was read."""
        self.received += 1
        gap = offset - self.read_to
        if gap > 0:
            self.gaps += gap
        self.read_to = offset + 1

    @property
    def difference(self) -> int:
        """How many more records came than ended somehow. It is 0, or something is wrong."""
        came = self.received + self.rekeyed_in
        return came - self.stored - self.duplicates - self.rejected - self.refused - self.rekeyed_out


class Tallies:
    """The tallies that a batch changes, by channel. Whoever asks for one means to count."""

    def __init__(self, state: State) -> None:
        self.changed: dict[str, Tally] = {}
        self._state = state

    def of(self, channel: str) -> Tally:
        """The tally of a channel, to be counted in."""
        tally = self.changed.get(channel)
        if tally is None:
            data = self._state.get(state_key(channel))
            tally = self.changed[channel] = decode(data) if data else Tally()
        return tally

    def better(self, channel: str, former: str) -> None:
        """A better copy replaces one that was stored as of the channel `former`: one of the two is a duplicate."""
        if channel != former:
            self.of(former).stored -= 1
            self.of(channel).stored += 1
        self.of(former).duplicates += 1

    def moved_out(self, channel: str) -> None:
        """An event that is stored here is to be stored on another partition instead."""
        tally = self.of(channel)
        tally.stored -= 1
        tally.rekeyed_out += 1

    def moved_in(self, channel: str) -> None:
        """An event that was stored on another partition is stored here now."""
        tally = self.of(channel)
        tally.rekeyed_in += 1
        tally.stored += 1

    def write(self) -> None:
        """Put every changed tally."""
        for channel, tally in self.changed.items():
            self._state.put(state_key(channel), _encoder.encode(tally))


def state_key(channel: str) -> bytes:
    """Where the state has the tally of a channel."""
    return PREFIX + channel.encode()


def row_key(channel: str, partition: int) -> bytes:
    """The key of a tally's record."""
    return f"{channel}|{partition}".encode()


def fields(channel: str, partition: int, partitions: int, tally: Tally) -> dict[str, str | int]:
    """A tally as a record of the schema tally: of one of so many partitions."""
    place: dict[str, str | int] = {"channel": channel, "partition": partition, "partitions": partitions}
    return place | {name: getattr(tally, name) for name in tally.__struct_fields__}


_encoder = msgspec.msgpack.Encoder()
decode = msgspec.msgpack.Decoder(Tally).decode
