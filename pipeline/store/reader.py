"""Batches out of Kafka, and how far they were stored.

One consumer in the group `store` reads all output topics; each table takes the batches of its own topic at its own
pace. After a start or a rebalance reading begins a little before what was committed: rows replace themselves, so
reading again costs nothing, and heals what ClickHouse may have lost in a crash of its machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from pipeline import kafka, logs
from pipeline.settings import Settings

GROUP = "store"
REWIND = 1_000  # offsets to go back when reading begins
FETCH_BYTES = 1024 * 1024  # held per partition while its table is busy
UNASSIGNED_S = 0.1  # how often to look whether there are partitions now

_log = logs.get("store")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is closed: at the first that is reached."""

    rows: int = 10_000  # records, to be exact
    bytes: int = 8 * 1024 * 1024  # of values, as read; exceeded by what one fetch brings at most
    pace_s: float = 0.2  # after the one before: ClickHouse likes few large blocks
    settle_s: float = 0.02  # after its first record, where the one before is long ago: what comes with it
    idle_s: float = 0.25  # an empty batch: time to look whether to stop


@dataclass(slots=True)
class Batch:
    """Records of one topic, in order within each partition, and where their partitions stand behind them."""

    records: list[ConsumerRecord] = field(default_factory=list)
    bytes: int = 0
    positions: dict[TopicPartition, int] = field(default_factory=dict)

    def add(self, records: Sequence[ConsumerRecord]) -> None:
        """Put records behind those that it has."""
        self.records += records
        self.bytes += sum(len(each.value or b"") for each in records)


FETCH_INTERVAL_S = 0.1  # between two requests to a broker: nothing is stored more often


def consumer_for(settings: Settings) -> AIOKafkaConsumer:
    """The consumer that all tables share; subscribe it with a `Rewinding`, then start it."""
    return kafka.consumer(
        settings,
        group=GROUP,
        # A member with a name: the next process of this number takes its partitions over at once.
        group_instance_id=f"{GROUP}-{settings.worker}",
        session_timeout_ms=6_000,  # a process that is gone for good is replaced by the others after this
        # While ClickHouse is away nothing is asked for, for as long as it takes; heartbeats go on.
        max_poll_interval_ms=(1 << 31) - 1,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_bytes=16 * FETCH_BYTES,
    )


class Rewinding(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Starts each partition a little before what was committed, and says when partitions were assigned."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.assigned = asyncio.Event()  # for the first time

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing: what is in hand may still be stored, its commit is refused, and the next owner repeats it."""

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        partitions = list(assigned)
        if partitions:
            begins = await self._consumer.beginning_offsets(partitions)
            committed = await asyncio.gather(*(self._consumer.committed(each) for each in partitions))
            for partition, offset in zip(partitions, committed, strict=True):
                if offset is not None and offset < begins[partition]:
                    _log.error(
                        "records_gone",
                        topic=partition.topic,
                        partition=partition.partition,
                        stored_to=offset,
                        first=begins[partition],
                    )
                self._consumer.seek(partition, max(begins[partition], (offset or 0) - REWIND))
        _log.info("assigned", partitions=len(partitions))
        self.assigned.set()


class Reader:
    """The batches of one topic out of the shared consumer."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, limits: Limits) -> None:
        self._consumer = consumer
        self._topic = topic
        self._limits = limits
        self._committed: dict[TopicPartition, int] = {}
        self._closed_at = 0.0  # the last batch that had records

    def _partitions(self) -> list[TopicPartition]:
        return [each for each in self._consumer.assignment() if each.topic == self._topic]

    async def gather(self) -> Batch:
        """The next batch; without records when nothing came for a while. Raises aiokafka's errors."""
        limits, batch = self._limits, Batch()
        closes_at: float | None = None
        while len(batch.records) < limits.rows and batch.bytes < limits.bytes:
            partitions = self._partitions()
            if not partitions:  # asked without partitions, the consumer would give everybody's records
                await asyncio.sleep(UNASSIGNED_S)
                break
            wait_s = limits.idle_s if closes_at is None else closes_at - time.monotonic()
            if wait_s <= 0:
                break
            fetched = await self._consumer.getmany(
                *partitions, timeout_ms=int(wait_s * 1000), max_records=limits.rows - len(batch.records)
            )
            if not fetched:
                break
            if closes_at is None:
                closes_at = max(time.monotonic() + limits.settle_s, self._closed_at + limits.pace_s)
            for records in fetched.values():
                batch.add(records)
        if batch.records:
            self._closed_at = time.monotonic()
        for partition in self._partitions():
            try:
                # Behind the last record there may be a transaction's marker: the position is past it.
                batch.positions[partition] = await self._consumer.position(partition)
            except IllegalStateError:  # revoked in this moment
                continue
        return batch

    async def commit(self, batch: Batch) -> None:
        """Say that the batch is stored. Without effect for partitions that meanwhile belong to somebody else."""
        assigned = self._consumer.assignment()
        moved = {
            partition: position
            for partition, position in batch.positions.items()
            if partition in assigned and self._committed.get(partition) != position
        }
        if not moved:
            return
        try:
            await self._consumer.commit(moved)
        except CommitFailedError:
            _log.warning("commit_refused", topic=self._topic)  # a rebalance: it is read and stored again
            return
        self._committed.update(moved)
