"""Reading records back from Kafka."""

from __future__ import annotations

import time
from typing import Any

from pipeline import kafka
from pipeline.settings import Settings


async def read(settings: Settings, topic: str, partition: int, offset: int, count: int) -> list[Any]:
    """That many records from an offset on."""
    consumer = kafka.consumer(settings, group=None)
    place = kafka.TopicPartition(topic, partition)
    await consumer.start()
    try:
        consumer.assign([place])
        consumer.seek(place, offset)
        found: list[Any] = []
        deadline = time.monotonic() + 30
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} records of {topic}/{partition} from {offset}"
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found[:count]
    finally:
        await consumer.stop()


async def ends(settings: Settings, topic: str) -> dict[int, int]:
    """The offset that each partition's next record gets."""
    consumer = kafka.consumer(settings, group=None)
    await consumer.start()
    try:
        places = [kafka.TopicPartition(topic, number) for number in range(settings.partitions)]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}
    finally:
        await consumer.stop()
