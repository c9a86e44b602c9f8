"""Messages that wait in the topics between profiles and identify, under another identifier key.

They are passed on in their order, renamed, behind what waits already; the positions of the group that reads them move
past the old ones in the same transaction. So a message is there once, whenever the command is killed.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import kafka
from pipeline.domain import messages
from pipeline.domain.identifiers import Keyring
from pipeline.domain.renaming import Renaming
from pipeline.engine import Sent
from pipeline.partition import partition_of
from pipeline.rotate.rewriting import Commits, Tell
from pipeline.settings import Settings
from pipeline.topics import INBOX, Topic

RECORDS_MAX = 2_000  # of a transaction
POLL_MS = 200


async def rename_waiting(
    settings: Settings, topic: Topic, fences: Mapping[int, Commits], keyring: Keyring, tell: Tell
) -> None:
    """Rename what the topic's reader (a group of that name) has not read. `fences` by partition number."""
    renaming = Renaming(keyring)
    (group,) = topic.readers
    committed = await kafka.committed(settings, group)
    consumer = kafka.consumer(settings, group=None)
    await consumer.start()
    try:
        for number, fence in fences.items():
            place = TopicPartition(topic.name, number)
            start = committed[place].offset if place in committed else 0
            consumer.assign([place])
            begin, end = (
                (await consumer.beginning_offsets([place]))[place],
                (await consumer.end_offsets([place]))[place],
            )
            if await _concerned(consumer, place, max(start, begin), end, renaming):
                await _pass_on(consumer, place, max(start, begin), end, renaming, fence, group, settings, tell)
    finally:
        await consumer.stop()


async def _concerned(
    consumer: AIOKafkaConsumer, place: TopicPartition, start: int, end: int, renaming: Renaming
) -> bool:
    """Whether any message from `start` to before `end` holds an old identifier."""
    consumer.seek(place, start)
    while await consumer.position(place) < end:
        for found in (await consumer.getmany(place, timeout_ms=POLL_MS)).values():
            if any(each.offset < end and renaming.concerns(each.value or b"") for each in found):
                return True
    return False


async def _pass_on(
    consumer: AIOKafkaConsumer,
    place: TopicPartition,
    start: int,
    end: int,
    renaming: Renaming,
    fence: Commits,
    group: str,
    settings: Settings,
    tell: Tell,
) -> None:
    consumer.seek(place, start)
    looked = 0
    while (position := await consumer.position(place)) < end:
        sent: dict[tuple[str, int], list[Sent]] = {}
        for found in (await consumer.getmany(place, timeout_ms=POLL_MS, max_records=RECORDS_MAX)).values():
            for each in found:
                if each.offset < end and each.value is not None:
                    number, record = passed_on(each.key or b"", each.value, place, settings.partitions, renaming)
                    sent.setdefault((place.topic, number), []).append(record)
            looked += len(found)
        reached = min(await consumer.position(place), end)
        if reached > position:
            await fence.commit(sent, group, {place: reached})
        tell(f"waiting in {place.topic}", looked)


def passed_on(key: bytes, value: bytes, place: TopicPartition, partitions: int, renaming: Renaming) -> tuple[int, Sent]:
    """(partition, record) of a message as it is to wait. One that nobody could read waits on as it is."""
    after = renaming.packed(value)
    new = renaming.text(key.decode()).encode() if renaming.concerns(key) else key
    if new != key and place.topic == INBOX.name:
        return partition_of(messages.receiver(messages.decode_message(after)), partitions), (None, new, after)
    return place.partition, (None, new, after)
