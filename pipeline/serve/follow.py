"""Reading Kafka for serve: who owns which partition, and which calls ring. Without a consumer group: every serve
process needs all of it, and remembers nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import kafka, logs, topics
from pipeline.registry import Registry
from pipeline.serve.calls import RINGING_MS_MAX, Calls
from pipeline.serve.routing import Routes
from pipeline.settings import Settings
from pipeline.wire import Codec, WireError

FETCH_RECORDS_MAX = 2_000
FETCH_INTERVAL_S = 0.05
FETCH_WAIT_MS = 1_000  # the broker answers at once when there is something
#: Further behind than this, the calls' reader jumps to the last minutes: nothing older can still ring.
BEHIND_RECORDS_MAX = 20_000
_log = logs.get("serve")


async def follow_routes(settings: Settings, routes: Routes) -> None:
    """Keep the routing table as the topic says, for ever."""
    consumer = kafka.consumer(settings, group=None, client_id="serve", fetch_max_wait_ms=FETCH_WAIT_MS)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topics.ROUTES.name, 0)])
        await consumer.seek_to_beginning()
        while True:
            for records in (await consumer.getmany(timeout_ms=60_000, max_records=FETCH_RECORDS_MAX)).values():
                for each in records:
                    routes.see(each.value)
    finally:
        await consumer.stop()


async def follow_calls(settings: Settings, codec: Codec, registry: Registry, calls: Calls) -> None:
    """Feed the calls from the timelines' last minutes on, for ever."""
    consumer = kafka.consumer(settings, group=None, client_id="serve", fetch_max_wait_ms=FETCH_WAIT_MS)
    await consumer.start()
    kafka.space_fetches(consumer, FETCH_INTERVAL_S)
    try:
        parts = [TopicPartition(topics.TIMELINES.name, number) for number in range(settings.partitions)]
        consumer.assign(parts)
        await _seek(consumer, parts)
        while True:
            fetched = await consumer.getmany(timeout_ms=60_000, max_records=FETCH_RECORDS_MAX)
            for records in fetched.values():
                await registry.learn(records)
                for each in records:
                    _see(each.value, codec, calls)
            behind = [part for part in fetched if _behind(consumer, part, fetched[part][-1].offset)]
            if behind:
                await _seek(consumer, behind)
            await asyncio.sleep(0)  # records that wait are no reason to keep others waiting
    finally:
        await consumer.stop()


def _see(value: bytes | None, codec: Codec, calls: Calls) -> None:
    now_ms = time.time_ns() // 1_000_000
    if value is None or not calls.may_concern(value, now_ms):
        return
    try:
        _, entry = codec.decode(value)
    except WireError as error:
        # A newer stitch may write what this process cannot read yet. The store needs every record; a list of who
        # rings right now must not end serve for one.
        _log.warning("call_unreadable", problem=type(error).__name__)
        return
    calls.see(entry, now_ms)


def _behind(consumer: Any, part: TopicPartition, offset: int) -> bool:
    end = consumer.highwater(part)
    return end is not None and end - offset > BEHIND_RECORDS_MAX


async def _seek(consumer: AIOKafkaConsumer, parts: list[TopicPartition]) -> None:
    """Go to the first record of the last minutes, or to the end where there is none."""
    since = time.time_ns() // 1_000_000 - RINGING_MS_MAX
    found = await consumer.offsets_for_times(dict.fromkeys(parts, since))
    ends = await consumer.end_offsets(parts)
    for part in parts:
        consumer.seek(part, found[part].offset if found.get(part) else ends[part])
