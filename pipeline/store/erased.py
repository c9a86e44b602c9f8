"""Who was erased, up to the moment of asking, as the topic identity.orders has it: by seals, so nobody's name is kept.

For what comes to the sink without having gone through a profile: that would know by itself whom it must not keep.
Guaranteed: what `so_far` is asked for after identify has accepted an erasure knows of it. What was judged before, the
erasure finds in ClickHouse: it deletes there only once the sink has stored all that was there when it began.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline import kafka, logs
from pipeline.domain.recalled import Recalled
from pipeline.settings import Settings
from pipeline.topics import IDENTITY_ORDERS

READ_MS = 200
IDLE_S_MAX = 20.0  # without anything coming, before the end
RETRY_S = 0.5  # while Kafka does not answer

_log = logs.get("store")


class Erased:
    """Follows the topic, without a group: every process needs all of it. Connects when first asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._place = TopicPartition(IDENTITY_ORDERS.name, 0)
        self._consumer: AIOKafkaConsumer | None = None
        self._known = Recalled()

    async def so_far(self, stop: asyncio.Event) -> Recalled | None:
        """All who were erased until now; waits for Kafka as long as it takes. None when told to stop before.

        Raises msgspec.DecodeError where a record is none of the topic's.
        """
        while not stop.is_set():
            try:
                await self._catch_up()
            except (KafkaError, OSError) as problem:  # a TimeoutError is an OSError
                _log.warning("erasures_unknown", problem=type(problem).__name__)
                await self.close()
                try:
                    await asyncio.wait_for(stop.wait(), RETRY_S)
                except TimeoutError:
                    continue
            else:
                return self._known
        return None

    async def _catch_up(self) -> None:
        if self._consumer is None:
            consumer = kafka.consumer(self._settings, group=None, client_id="store-erased")
            self._consumer = consumer  # also where it does not start: it is closed then
            await consumer.start()
            consumer.assign([self._place])
            await consumer.seek_to_beginning(self._place)
            self._known = Recalled()
        end = (await self._consumer.end_offsets([self._place]))[self._place]
        async with asyncio.timeout(IDLE_S_MAX) as patience:
            while await self._consumer.position(self._place) < end:
                found = await self._consumer.getmany(self._place, timeout_ms=READ_MS)
                for record in found.get(self._place, ()):
                    if record.value is not None:
                        self._known.hear(record.value)
                if found:
                    patience.reschedule(asyncio.get_running_loop().time() + IDLE_S_MAX)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
