"""The state of stitch and identify under another identifier key: their changelogs, and the counts that go along.

A renamed profile may live on another partition. Its interactions are counted in the cells of the partition on which
they are stored, so with each of them its count moves too: taken back there, added here, in the same transaction, and
published. The sum over all partitions is the same at every moment. In the tallies the event is re-keyed as well: it
goes out there and comes in here.

A seal does not say on which partition its identifier lives: that depends on the namespace too. So what stands under a
seal is put wherever an identifier with that seal could live; there are few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby

from pipeline.domain import records, rollup, tallies
from pipeline.domain.identifiers import SEAL_BYTES, Keyring
from pipeline.domain.records import Besides
from pipeline.domain.renaming import Renaming
from pipeline.domain.rollup import CellKey, Rollup
from pipeline.domain.tallies import Tallies
from pipeline.partition import partition_of
from pipeline.rotate import known
from pipeline.rotate.profiles import Renamed, UnknownRecord, renamed
from pipeline.rotate.rewriting import Commits, Copy, Tell, Transactions
from pipeline.topics import TALLIES, TOUCHPOINT_SCORES
from pipeline.wire import Codec


async def rename_profiles(
    copy: Copy, fences: Mapping[int, Commits], keyring: Keyring, codec: Codec, tell: Tell
) -> None:
    """Rename the state of stitch. `fences` by partition number. Raises UnknownRecord, KafkaError."""
    renaming = Renaming(keyring)
    for number, store in enumerate(copy.stores):
        transactions = Transactions(copy, fences[number])
        counts = Counts(transactions, codec, copy.partitions)
        for change in _of_stitch(store.everything(), number, copy.partitions, renaming, transactions, counts):
            tell(f"profiles, partition {number + 1} of {copy.partitions}", change)
            if transactions.full:
                counts.write()
                await transactions.flush()
        counts.write()
        await transactions.flush()


def _of_stitch(
    found: Iterator[tuple[bytes, bytes]],
    number: int,
    partitions: int,
    renaming: Renaming,
    transactions: Transactions,
    counts: Counts,
) -> Iterator[int]:
    """Put what becomes of one partition's records; yields how many were looked at, wherever a commit may come."""
    looked = 0
    for prefix, group in groupby(found, key=lambda record: record[0][:1]):
        if prefix in (rollup.PREFIX, tallies.PREFIX, records.JUDGING):
            continue
        if prefix in SEALED:
            for key, value in group:
                _put_sealed(key, value, number, partitions, renaming, transactions)
        elif prefix == records.PROFILE:
            for one in renamed(group, renaming):
                _put_record(one, number, partitions, transactions, counts)
                looked += 1
                yield looked
        else:
            raise UnknownRecord(f"a record of stitch of the kind {prefix!r}")
    yield looked


def _put_record(one: Renamed, number: int, partitions: int, transactions: Transactions, counts: Counts) -> None:
    if not one.changed:
        return
    place = partition_of(one.profile, partitions) if one.moves else number
    if one.key != one.before:
        transactions.put(number, one.before, None)
    transactions.put(place, one.key, one.value)
    if place != number:
        counts.move(one, number, place)


def _put_sealed(
    key: bytes, value: bytes, number: int, partitions: int, renaming: Renaming, transactions: Transactions
) -> None:
    """A record whose key is one or two seals, the first of them the profile's."""
    seals = [key[start : start + SEAL_BYTES] for start in range(1, len(key), SEAL_BYTES)]
    new = key[:1] + b"".join(map(renaming.seal, seals))
    if new == key:
        return
    transactions.put(number, key, None)
    behind = renaming.behind(seals[0])
    for place in {partition_of(identifier, partitions) for identifier in behind} if behind else {number}:
        there = transactions.get(place, new)  # a copy of an earlier rotation, which may say less or more
        transactions.put(place, new, value if there is None else _MERGED[key[:1]](there, value))


def _erasure(one: bytes, other: bytes) -> bytes:
    return records.encode(records.decode_erasure(one).merged(records.decode_erasure(other)))


def _version(one: bytes, other: bytes) -> bytes:
    return max(one, other, key=records.decode_version)


#: The kinds of records whose keys hold seals and nothing else, and what two under one key say together.
_MERGED: dict[bytes, Callable[[bytes, bytes], bytes]] = {records.ERASURE: _erasure, records.HEARD: _version}
SEALED = frozenset(_MERGED)


async def rename_known(copy: Copy, fence: Commits, keyring: Keyring, tell: Tell) -> None:
    """Rename the state of identify. Raises UnknownRecord, KafkaError."""
    renaming = Renaming(keyring)
    transactions = Transactions(copy, fence)
    for looked, (key, value) in enumerate(copy.stores[0].everything(), 1):
        new, after = known.renamed(key, value, renaming)
        if new != key:
            transactions.put(0, key, None)
        if (new, after) != (key, value):
            transactions.put(0, new, after)
        tell("who is who", looked)
        if transactions.full:
            await transactions.flush()
    await transactions.flush()


class Counts:
    """The touchpoint cells and tallies of all partitions, as far as counts move between them."""

    def __init__(self, transactions: Transactions, codec: Codec, partitions: int) -> None:
        self._transactions = transactions
        self._codec = codec
        self._partitions = partitions
        self._rollups: dict[int, Rollup] = {}
        self._tallies: dict[int, Tallies] = {}

    def move(self, one: Renamed, number: int, target: int) -> None:
        """Count a record's interaction on another partition; records that count nothing change nothing."""
        kind = one.before.partition(b"\0")[2][:1]
        if kind == records.KEPT:
            kept = records.decode_kept(one.value)
            x = kept.interaction
            said = (kept.definition, kept.experience), *kept.beside
            self._move(number, target, x.occurred_at, x.touchpoint, x.channel, said)
        elif kind == records.SEEN:
            seen = records.decode_seen(one.value)
            said = (seen.definition, seen.experience), *seen.beside
            self._move(number, target, seen.occurred_at, seen.touchpoint, seen.channel, said)

    def _move(self, number: int, target: int, at: int, touchpoint: str, channel: str, said: Besides) -> None:
        self._tallies_of(number).moved_out(channel)
        self._tallies_of(target).moved_in(channel)
        for definition, experience in said:
            if definition != records.UNCOUNTED:
                self._of(number).count(at, touchpoint, channel, definition, experience, -1)
                self._of(target).count(at, touchpoint, channel, definition, experience, 1)

    def write(self) -> None:
        """Put and publish every changed cell and tally with the transaction."""
        for number, cells in self._rollups.items():
            cells.write()
            for key, cell in cells.cells.items():
                value = self._codec.encode(TOUCHPOINT_SCORES.schema, rollup.fields(key, number, cell))
                self._transactions.send(TOUCHPOINT_SCORES.name, number, _row(key, number), value)
        self._rollups.clear()
        for number, each in self._tallies.items():
            each.write()
            for channel, tally in each.changed.items():
                record = tallies.fields(channel, number, self._partitions, tally)
                value = self._codec.encode(TALLIES.schema, record)
                self._transactions.send(TALLIES.name, number, tallies.row_key(channel, number), value)
        self._tallies.clear()

    def _tallies_of(self, number: int) -> Tallies:
        if number not in self._tallies:
            self._tallies[number] = Tallies(_Partition(self._transactions, number))
        return self._tallies[number]

    def _of(self, number: int) -> Rollup:
        if number not in self._rollups:
            self._rollups[number] = Rollup(_Partition(self._transactions, number))
        return self._rollups[number]


def _row(key: CellKey, number: int) -> bytes:
    """The key of a cell's row, as stitch publishes it."""
    return f"{key.window_start}|{key.touchpoint}|{key.channel}|{number}|{key.definition}".encode()


class _Partition:
    """One partition of what transactions change, as a `State` of which only single keys are asked."""

    def __init__(self, transactions: Transactions, number: int) -> None:
        self._transactions = transactions
        self._number = number

    def get(self, key: bytes) -> bytes | None:
        return self._transactions.get(self._number, key)

    def put(self, key: bytes, value: bytes | None) -> None:
        self._transactions.put(self._number, key, value)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        raise NotImplementedError("cells are read one by one")
