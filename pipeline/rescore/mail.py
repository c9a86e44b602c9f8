"""Messages into the profiles' inboxes, no faster than they are read; and how far a stage has come with a topic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import TracebackType

from aiokafka import TopicPartition

from pipeline import kafka
from pipeline.domain.messages import Judging, Message, encode, receiver
from pipeline.partition import partition_of
from pipeline.settings import Settings
from pipeline.topics import INBOX, Topic

WAITING_MAX = 1_000  # messages that were sent and are not read yet: what comes in must not wait long behind them
LOOK_S = 0.1
STALLED_S_MAX = 60.0  # without any progress

Ends = dict[TopicPartition, int]


class Stalled(TimeoutError):
    """A stage does not read any more; says which."""


class Mail:
    """The way to the profiles. An async context manager. Raises aiokafka's errors, and Stalled where it waits."""

    def __init__(self, settings: Settings, stalled_s_max: float = STALLED_S_MAX) -> None:
        self._settings = settings
        self._stalled_s_max = stalled_s_max
        self._sent: Ends = {}  # inbox → the position behind what was sent
        self._clients = AsyncExitStack()

    async def __aenter__(self) -> Mail:
        self._producer = kafka.producer(self._settings)
        self._admin = kafka.admin(self._settings)
        self._consumer = kafka.consumer(self._settings, group=None)
        await self._producer.start()
        self._clients.push_async_callback(self._producer.stop)
        await self._admin.start()
        self._clients.push_async_callback(self._admin.close)
        await self._consumer.start()
        self._clients.push_async_callback(self._consumer.stop)
        await asyncio.sleep(0)  # a consumer that is stopped before its tasks have begun raises
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._clients.aclose()

    async def send(self, messages: Iterable[Message]) -> int:
        """Send them in their order, and wait until few enough are left unread. Returns how many they were."""
        count = 0
        waiting: dict[int, asyncio.Future[object]] = {}
        for message in messages:
            for number in self._numbers(message):
                key, value = receiver(message).encode(), encode(message)
                waiting[number] = await self._producer.send(INBOX.name, value, key=key, partition=number)
                count += 1
                if count % WAITING_MAX == 0:
                    await self._sent_all(waiting)
                    await self._until(INBOX, self._sent, WAITING_MAX)
        await self._sent_all(waiting)
        await self._until(INBOX, self._sent, WAITING_MAX)
        return count

    async def read(self) -> None:
        """Return when stitch has read, and committed, all that was sent."""
        await self._until(INBOX, self._sent, 0)

    async def caught_up(self, *topics: Topic) -> None:
        """Return when the readers of these topics have committed all that stands in them now."""
        for topic in topics:
            places = [TopicPartition(topic.name, n) for n in range(kafka.partitions_of(topic, self._settings))]
            await self._until(topic, await self._consumer.end_offsets(places), 0)

    def _numbers(self, message: Message) -> Iterable[int]:
        partitions = self._settings.partitions
        return range(partitions) if isinstance(message, Judging) else [partition_of(receiver(message), partitions)]

    async def _sent_all(self, waiting: dict[int, asyncio.Future[object]]) -> None:
        for future in waiting.values():
            told: object = await future
            place = TopicPartition(told.topic, told.partition)  # type: ignore[attr-defined]  # aiokafka's RecordMetadata
            self._sent[place] = told.offset + 1  # type: ignore[attr-defined]
        waiting.clear()

    async def _until(self, topic: Topic, ends: Ends, left_max: int) -> None:
        """Wait until at most so many records before these ends are not committed by the topic's reader."""
        loop = asyncio.get_running_loop()
        (group,) = topic.readers
        least, since = None, loop.time()
        while True:
            committed = await self._admin.list_consumer_group_offsets(group, partitions=list(ends)) if ends else {}
            left = sum(max(0, end - max(0, committed[place].offset)) for place, end in ends.items())
            if left <= left_max:
                return
            if least is None or left < least:
                least, since = left, loop.time()
            elif loop.time() - since > self._stalled_s_max:
                raise Stalled(
                    f"{group} has not read on in {topic.name} for {self._stalled_s_max:.0f} s, and {left:,} records "
                    "are waiting: see `throughline status` and the logs (a worker whose catalogue lacks the version "
                    "ends), and call this command again, which goes on"
                )
            await asyncio.sleep(LOOK_S)
