"""Bringing the local state to where its changelog is.

Reads `read_committed` up to the last stable offset, by the consumer's *position*: markers and compaction take up
offsets too, so the offset of the last record says nothing about the end.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.engine.store import Standing, Store

_FETCH_BYTES = 4 * 1024 * 1024
_POLL_MS = 200
_RECORDS_A_WRITE = 5_000


async def restore(store: Store, bootstrap: str, changelog: str, partition: int, idle_max_s: float) -> Standing:
    """Restore a store and return where it stands now."""
    async with _reader(bootstrap, changelog, partition) as consumer:
        await _begin(store, consumer, idle_max_s)
        (source,) = consumer.assignment()
        end = (await consumer.end_offsets([source]))[source]
        while await consumer.position(source) < end:
            await _apply(store, consumer)
        return store.standing


async def follow(store: Store, bootstrap: str, changelog: str, partition: int, idle_max_s: float) -> None:
    """Keep a store where its changelog is, until cancelled."""
    async with _reader(bootstrap, changelog, partition) as consumer:
        await _begin(store, consumer, idle_max_s)
        while True:
            await _apply(store, consumer)


@asynccontextmanager
async def _reader(bootstrap: str, changelog: str, partition: int) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_wait_ms=_POLL_MS,
        check_crcs=False,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(changelog, partition)])
        yield consumer
    finally:
        await consumer.stop()


async def _begin(store: Store, consumer: AIOKafkaConsumer, idle_max_s: float) -> None:
    """Seek to where the store stands.

    Local state that is ahead of the changelog (which was truncated or made anew), or so old that deletions may
    have been compacted away since, is wiped and read from the beginning.
    """
    (source,) = consumer.assignment()
    end = (await consumer.end_offsets([source]))[source]
    beginning = (await consumer.beginning_offsets([source]))[source]
    standing = store.standing
    idle_s = time.time() - standing.written_at / 1000
    if standing.offset and (standing.offset > end or standing.offset < beginning or idle_s > idle_max_s):
        store.wipe()
        standing = store.standing
    consumer.seek(source, max(standing.offset, beginning))


async def _apply(store: Store, consumer: AIOKafkaConsumer) -> None:
    """Take what is there (or wait a little), and write it with the position behind it."""
    (source,) = consumer.assignment()
    before = await consumer.position(source)
    found = await consumer.getmany(source, timeout_ms=_POLL_MS, max_records=_RECORDS_A_WRITE)
    position = await consumer.position(source)
    if position > before:
        records = found.get(source, ())
        record_at = records[-1].timestamp if records else store.standing.record_at
        changes = ((record.key, record.value) for record in records)
        store.write(changes, Standing(position, int(time.time() * 1000), record_at))
