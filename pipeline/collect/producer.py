"""Records to Kafka: what collect needs of a producer, and the one that talks to the broker.

`deliver` returns when the broker has all records on all its in-sync replicas. It waits no longer than it is told to,
holds no more bytes than its budget, and says `Unavailable` at once while records wait for too long already. Records
whose caller was told so may still arrive: sending them again is safe, since an event is stored once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from pipeline import logs
from pipeline.collect.limits import Budget
from pipeline.kafka import UnequalPartitions
from pipeline.topics import written_by

RECORD_OVERHEAD_BYTES = 200  # what a waiting record costs beside its key and value, about
CONNECT_BACKOFF_S = (0.2, 5.0)  # first and longest

log = logs.get("collect")


class Unavailable(Exception):
    """Kafka does not take the records now; the text says why."""


class Outgoing(NamedTuple):
    """A record to be written."""

    topic: str
    partition: int
    key: bytes
    value: bytes

    @property
    def size(self) -> int:
        """What it holds of the budget until it is acknowledged."""
        return len(self.key) + len(self.value) + RECORD_OVERHEAD_BYTES


class Producer(Protocol):
    """Writes records. The contract is held by tests/contract/test_producers.py."""

    def check(self) -> None:
        """Raises Unavailable where `deliver` would say so at once, before work is put into making records."""
        ...

    async def deliver(self, records: Sequence[Outgoing]) -> None:
        """Return once all are acknowledged. Raises Unavailable, limits.Full."""
        ...


class _Delivery:
    """The records of one request, counted down as they are acknowledged."""

    def __init__(self, budget: Budget, bytes_held: int) -> None:
        self.since = time.monotonic()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: BaseException | None = None
        self._budget = budget
        self._held = bytes_held
        self._open = 1  # the sending itself

    def add(self, sent: asyncio.Future[object]) -> None:
        """Wait for this one too."""
        self._open += 1
        sent.add_done_callback(self._settled)

    def _settled(self, sent: asyncio.Future[object]) -> None:
        self.failure = asyncio.CancelledError() if sent.cancelled() else sent.exception() or self.failure
        self.close()

    def close(self) -> None:
        """One thing less to wait for."""
        self._open -= 1
        if not self._open:
            self._budget.give(self._held)
            if not self.done.done():
                self.done.set_result(None)


class KafkaProducer:
    """A producer that outlives the broker's absences and its own client.

    The client is made in the background, again after every failure it reports: an idempotent client that has lost a
    batch has lost its place in the sequence, and nothing it writes later would be taken.
    """

    def __init__(
        self, connect: Callable[[], AIOKafkaProducer], *, partitions: int, budget: Budget, patience_s: float
    ) -> None:
        """`connect` makes a client that is not started; `patience_s` is how long an acknowledgement may take."""
        self._connect = connect
        self._partitions = partitions
        self._budget = budget
        self._patience_s = patience_s
        self._client: AIOKafkaProducer | None = None
        self._failed = asyncio.Event()
        self._waiting: dict[_Delivery, None] = {}  # oldest first
        self._keeper: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to connect. Ends the process later (SystemExit) where a topic has another number of partitions."""
        self._keeper = asyncio.create_task(self._keep())
        self._keeper.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Give what is on its way `patience_s`, then leave it: nobody was told that it arrived."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        self._retire()
        if self._closing:
            await asyncio.wait(self._closing, timeout=self._patience_s)

    @property
    def connected(self) -> bool:
        """Whether there is a client that has not failed."""
        return self._client is not None

    def check(self) -> None:
        """See Producer."""
        self._ready()

    def _ready(self) -> AIOKafkaProducer:
        if self._client is None:
            raise Unavailable("there is no connection to Kafka")
        oldest = next(iter(self._waiting), None)
        if oldest and time.monotonic() - oldest.since > self._patience_s:
            raise Unavailable("Kafka has not acknowledged earlier events yet")
        return self._client

    async def deliver(self, records: Sequence[Outgoing]) -> None:
        """See Producer."""
        client = self._ready()
        size = sum(record.size for record in records)
        self._budget.take(size)
        delivery = _Delivery(self._budget, size)
        self._waiting[delivery] = None
        delivery.done.add_done_callback(lambda _: self._settle(delivery, client))
        try:
            async with asyncio.timeout(self._patience_s):
                try:
                    for record in records:
                        delivery.add(await client.send(record.topic, record.value, record.key, record.partition))
                finally:
                    delivery.close()
                await asyncio.shield(delivery.done)
        except (TimeoutError, KafkaTimeoutError) as error:
            raise Unavailable(f"Kafka has not acknowledged within {self._patience_s:g} s") from error
        except KafkaError as error:
            self._fail(client, error)
            raise Unavailable("Kafka does not take events now") from error
        if delivery.failure is not None:
            raise Unavailable("Kafka did not take the events") from delivery.failure

    def _settle(self, delivery: _Delivery, client: AIOKafkaProducer) -> None:
        """A delivery is over; its caller may have been told long ago that it takes too long."""
        del self._waiting[delivery]
        if delivery.failure is not None:
            self._fail(client, delivery.failure)

    def _fail(self, client: AIOKafkaProducer, error: BaseException) -> None:
        if client is self._client:
            log.error("producer_failed", error=repr(error))
            self._retire()
            self._failed.set()

    def _retire(self) -> None:
        """Close the client once what it holds is delivered or given up: it does that by itself."""
        if self._client is not None:
            task = asyncio.create_task(self._client.stop())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._client = None

    async def _keep(self) -> None:
        """Connect, wait for a failure, connect again."""
        wait_s, longest_s = CONNECT_BACKOFF_S
        while True:
            self._failed.clear()
            client = self._connect()
            try:
                await client.start()
                await self._check(client)
            except (KafkaError, OSError) as error:
                log.warning("kafka_unreachable", error=repr(error), retry_s=wait_s)
                await client.stop()
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, longest_s)
                continue
            except (UnequalPartitions, asyncio.CancelledError):
                await client.stop()
                raise
            self._client = client
            wait_s = CONNECT_BACKOFF_S[0]
            log.info("kafka_connected")
            await self._failed.wait()
            await asyncio.sleep(wait_s)

    async def _check(self, client: AIOKafkaProducer) -> None:
        """Learn the topics now, and that a key's partition is where stitch expects it."""
        for topic in written_by("collect"):
            count = len(await client.partitions_for(topic.name))
            if count != self._partitions:
                raise UnequalPartitions(
                    f"Topic {topic.name} has {count} partitions, not THROUGHLINE_PARTITIONS={self._partitions}: set it "
                    "to what the topics have."
                )

    def _ended(self, keeper: asyncio.Task[None]) -> None:
        """Nobody would connect again: end the process, so that it is restarted or mended."""
        if keeper.cancelled():
            return
        error = keeper.exception()
        log.error("producer_ended", error=repr(error))
        raise SystemExit(str(error)) from error
