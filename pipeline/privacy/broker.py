"""What an erasure asks of Kafka: where topics end, how far they were read, and that records go; when the rest goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline import kafka
from pipeline.privacy.remains import Place
from pipeline.settings import Settings
from pipeline.topics import Topic

LOOK_EVERY_S = 0.1
STITCH = "stitch"  # the group of the workers
FOR_EVER_MS = 1 << 60  # Kafka's own word for it is the largest number there is
_WANTED = ("retention.ms", "segment.ms", "max.compaction.lag.ms")

Offsets = Mapping[TopicPartition, int]


class Behind(TimeoutError):
    """A group has not read far enough in time."""


class Keeps(msgspec.Struct, frozen=True):
    """How long a topic keeps what nobody needs any more (its settings at the broker), in ms; −1: for ever."""

    retention_ms: int
    segment_ms: int
    compaction_lag_ms: int

    @property
    def retained_ms(self) -> int:
        """A record goes with its segment, which goes when its newest record is old enough."""
        return -1 if self.retention_ms < 0 else self.retention_ms + self.segment_ms

    @property
    def compacted_ms(self) -> int:
        """What was replaced goes when its file is compacted, which is put off for so long at most."""
        return self.compaction_lag_ms if self.compaction_lag_ms < FOR_EVER_MS else -1


class Broker:
    """Kafka, for one erasure after the other. Each call connects by itself. Raises aiokafka's errors."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        client = kafka.admin(self._settings)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    def _parts(self, topics: Iterable[Topic]) -> list[TopicPartition]:
        return [
            TopicPartition(topic.name, number)
            for topic in topics
            for number in range(kafka.partitions_of(topic, self._settings))
        ]

    async def ends(self, topics: Iterable[Topic]) -> dict[TopicPartition, int]:
        """Where the topics end, counting committed records."""
        reader = kafka.consumer(self._settings, group=None, client_id="privacy")
        await reader.start()
        try:
            return dict(await reader.end_offsets(self._parts(topics)))
        finally:
            await reader.stop()

    async def reached(self, group: str, ends: Offsets, wait_s: float) -> None:
        """Return once a group has committed these positions. Raises Behind."""
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            done = await kafka.committed(self._settings, group)
            missing = sum(max(0, end - (done[part].offset if part in done else 0)) for part, end in ends.items())
            if not missing:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise Behind(f"{group} is {missing} records behind")
            await asyncio.sleep(LOOK_EVERY_S)

    async def trim(self, ends: Offsets) -> int:
        """Delete what is before these positions; returns how many positions that was."""
        deleting = {part: RecordsToDelete(end) for part, end in ends.items() if end > 0}
        if not deleting:
            return 0
        reader = kafka.consumer(self._settings, group=None, client_id="privacy")
        await reader.start()
        try:
            begins = await reader.beginning_offsets(list(deleting))
        finally:
            await reader.stop()
        # Positions that are gone already are refused.
        deleting = {part: each for part, each in deleting.items() if begins[part] < ends[part]}
        if deleting:
            async with self._admin() as client:
                await client.delete_records(deleting)
        return sum(ends[part] - begins[part] for part in deleting)

    async def bury(self, topic: str, places: Sequence[Place]) -> None:
        """Publish a tombstone for each key, on the partition that it is on."""
        if not places:
            return
        producer = kafka.producer(self._settings, client_id="privacy")
        await producer.start()
        try:
            for start in range(0, len(places), 1_000):
                sent = [await producer.send(topic, None, key, part) for part, key in places[start : start + 1_000]]
                await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def workers(self) -> int:
        """How many stitch workers there are, also those that own nothing."""
        return (await kafka.members(self._settings, (STITCH,))).get(STITCH, 0)

    async def keeps(self, topics: Iterable[Topic]) -> dict[str, Keeps]:
        """Topic → how long it keeps things."""
        names = [topic.name for topic in topics]
        async with self._admin() as client:
            asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
            answers = await client.describe_configs(asked)
        found: dict[str, Keeps] = {}
        for answer in answers:
            for _, _, _, name, entries in answer.resources:
                values = {entry[0]: entry[1] for entry in entries if entry[0] in _WANTED}
                found[name] = Keeps(
                    retention_ms=int(values.get("retention.ms", -1)),
                    segment_ms=int(values.get("segment.ms", -1)),
                    compaction_lag_ms=int(values.get("max.compaction.lag.ms", FOR_EVER_MS)),
                )
        return found
