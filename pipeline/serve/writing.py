"""Writing to Kafka: what serve has to be sure of before it answers, which is who looked at whom, and what was ordered.

`write` returns once all in-sync replicas have the record, or raises `Unwritten` within a bound; such a record may still
arrive. Records that come while others are on their way travel together. A client that fails is replaced by a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline import kafka, logs
from pipeline.settings import Settings
from pipeline.topics import Topic

_log = logs.get("serve")


class Unwritten(Exception):
    """Kafka does not take the record now, or has not said in time that it did; the text says which."""


class Writer(Protocol):
    """Writes records. tests/integration/test_serve.py holds the real one to it."""

    @property
    def ready(self) -> bool:
        """Whether there is a connection."""
        ...

    async def write(self, topic: str, key: bytes, value: bytes, partition: int | None = None) -> None:
        """Return once it is acknowledged. Without a partition, the key's. Raises Unwritten."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long, and how much."""

    ack_s: float = 1.0  # until a record is acknowledged
    give_up_s: float = 5.0  # until Kafka is asked no more: nobody waits for the record any longer
    waiting_max: int = 10_000  # records not acknowledged yet, also those that nobody waits for any more
    retry_s_min: float = 0.2  # between attempts to connect
    retry_s_max: float = 5.0


class KafkaWriter:
    """The one that talks to the broker. `run` beside the app connects it, for as long as it runs."""

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[Topic],
        prepare: Callable[[], Awaitable[object]] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        """`topics` are those that are written; `prepare` comes before the first record: schemas have to be registered,
        where there is a registry."""
        self._settings = settings
        self._topics = topics
        self._prepare = prepare
        self._bounds = bounds or Bounds()
        self._client: AIOKafkaProducer | None = None
        self._failed = asyncio.Event()
        self._waiting = 0
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """See Writer."""
        return self._client is not None

    async def run(self) -> None:
        """Connect, wait for a failure, connect again; until cancelled. Raises what `prepare` raises."""
        if self._prepare is not None:
            await self._prepare()
        wait_s, give_up_ms = self._bounds.retry_s_min, int(self._bounds.give_up_s * 1000)
        try:
            while True:
                self._failed.clear()
                client = kafka.producer(self._settings, client_id="serve", linger_ms=0, request_timeout_ms=give_up_ms)
                try:
                    await client.start()
                    for topic in self._topics:  # now, and not while somebody waits for an answer
                        await client.partitions_for(topic.name)
                except (KafkaError, OSError) as error:
                    _log.warning("kafka_unreachable", error=repr(error), retry_s=wait_s)
                    await client.stop()
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, self._bounds.retry_s_max)
                    continue
                self._client, wait_s = client, self._bounds.retry_s_min
                await self._failed.wait()
                await asyncio.sleep(wait_s)
        finally:
            self._retire()
            await self._end()

    async def _end(self) -> None:
        """Give what is on its way a moment, then leave it: nobody was told that it arrived."""
        ending = list(self._ending)
        if ending:
            await asyncio.wait(ending, timeout=self._bounds.ack_s)
        for each in ending:
            each.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def write(self, topic: str, key: bytes, value: bytes, partition: int | None = None) -> None:
        """See Writer."""
        client = self._client
        if client is None:
            raise Unwritten("there is no connection to Kafka")
        if self._waiting >= self._bounds.waiting_max:
            raise Unwritten(f"{self._waiting} records wait for Kafka already")
        try:
            async with asyncio.timeout(self._bounds.ack_s):
                sent = await client.send(topic, value=value, key=key, partition=partition)
                self._waiting += 1
                sent.add_done_callback(lambda done: self._settle(client, done))
                await asyncio.shield(sent)
        except TimeoutError as error:
            raise Unwritten(f"Kafka has not acknowledged within {self._bounds.ack_s:g} s") from error
        except KafkaError as error:
            self._fail(client, error)
            raise Unwritten("Kafka did not take it") from error

    def _settle(self, client: AIOKafkaProducer, sent: asyncio.Future[Any]) -> None:
        """A record is acknowledged, or never will be; whoever waited may have gone."""
        self._waiting -= 1
        if not sent.cancelled() and (error := sent.exception()) is not None:
            self._fail(client, error)

    def _fail(self, client: AIOKafkaProducer, error: BaseException) -> None:
        if client is self._client:
            _log.error("writer_failed", error=repr(error))
            self._retire()
            self._failed.set()

    def _retire(self) -> None:
        """Close the client once what it holds is delivered or given up: it does that by itself."""
        if self._client is not None:
            task = asyncio.create_task(self._client.stop())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self._client = None
