"""Who was erased, as the topic identity.orders has it: for a worker whose state was begun from nothing.

Where the changelog is gone and all events are read anew, no profile knows that it was erased. The topic knows it by
seals. It is small, since it is compacted, and read whole before the first batch.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline import kafka
from pipeline.domain.messages import Scrub, encode
from pipeline.domain.recalled import Recalled
from pipeline.partition import partition_of
from pipeline.settings import Settings
from pipeline.topics import IDENTITY_ORDERS, INBOX


def gather(values: Iterable[bytes]) -> Recalled:
    """The topic's records in any order, by seals. Raises msgspec.DecodeError on what is none."""
    found = Recalled()
    for value in values:
        found.hear(value)
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
