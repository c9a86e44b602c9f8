"""Who was erased, as the topic identity.orders has it: for a worker whose state was begun from nothing.

Where the changelog is gone and all events are read anew, no profile knows that it was erased. The topic knows it by
seals. It is small, since it is compacted, and read whole before the first batch.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline import kafka
from pipeline.domain.messages import Scrub, encode
from pipeline.domain.recalled import Recalled, Share
from pipeline.domain.records import Erasure
from pipeline.partition import partition_of
from pipeline.settings import Settings
from pipeline.topics import IDENTITY_ORDERS, INBOX

ERASE = "erase"
SHARE = "share"


class Record(msgspec.Struct):
    """A record of the topic, as far as it matters here. Orders of other kinds are none of stitch's."""

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


def gather(values: Iterable[bytes]) -> Recalled:
    """The topic's records in any order, by seals. Raises msgspec.DecodeError on what is none."""
    found = Recalled()
    for value in values:
        each = _decode(value)
        if each.kind == ERASE:
            erasure = Erasure(each.before, each.blocked, each.number)
            for seal in _unhexed(each.seals):
                known = found.erasures.get(seal)
                found.erasures[seal] = erasure if known is None else known.merged(erasure)
        elif each.kind == SHARE:
            for seal in _unhexed(each.seals):
                shares = (*found.shares.get(seal, ()), each.share)
                found.persons.add(each.person)
                found.shares[seal] = tuple(sorted(shares, key=lambda share: (share.before, share.person)))
    return found


async def read(settings: Settings) -> Recalled:
    """All that the topic holds now. Raises aiokafka's errors."""
    newest = {record.key: record.value for record in await kafka.read_whole(settings, IDENTITY_ORDERS)}
    return gather(value for value in newest.values() if value is not None)


async def tell(settings: Settings, messages: Iterable[Scrub]) -> None:
    """Put messages into the inboxes of profiles, outside of any batch. Raises aiokafka's errors."""
    waiting = list(messages)
    if not waiting:
        return
    producer = kafka.producer(settings)
    await producer.start()
    try:
        for message in waiting:
            number = partition_of(message.to, settings.partitions)
            await producer.send(INBOX.name, encode(message), key=message.to.encode(), partition=number)
        await producer.flush()
    finally:
        await producer.stop()
