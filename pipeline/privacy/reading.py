"""Reading topics whole: every committed record from the beginning to where the topic ended when reading began.

The sweep of an erasure reads hundreds of megabytes, so it runs in processes of its own (`look_apart`), each with some
partitions of every topic, and behind everybody else: requests are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from pipeline import kafka, keys, topics
from pipeline.privacy.known import Known, Recalled
from pipeline.privacy.letters import DeadLetters, Letters, learn
from pipeline.privacy.remains import Alerts, Identities, Judge, Looked, Profiles, Scores
from pipeline.privacy.scope import Scope
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.topics import Topic
from pipeline.wire import Codec

FETCH_RECORDS = 2_000
FETCH_BYTES = 4 * 1024 * 1024
POLL_MS = 200
PLACES_MAX = 100_000  # keys that one sweep gives back
PROCESSES_MAX = 4  # at once, for one sweep
NICE = 5  # how far these stand back
NAMED = {topic.name: topic for topic in topics.TOPICS}

#: Topics of which only the newest record of each key counts, mostly from small to large.
COMPACTED = (
    topics.IDENTITIES.name,
    topics.CUSTOMER_SCORES.name,
    topics.REJECTED.name,
    topics.ALERTS.name,
    topics.IDENTITY_ORDERS.name,
    topics.IDENTIFY_CHANGELOG.name,
    topics.STITCH_CHANGELOG.name,
)


class Cut(TimeoutError):
    """A topic could not be read to its end: nothing came any more."""


async def whole(
    settings: Settings, topic: Topic, partitions: Sequence[int] | None = None, idle_s_max: float = 20.0
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """All records of a topic, or of some partitions, in order within each, in batches. Raises Cut, aiokafka's errors.

    The end is told by positions: markers of transactions and compaction take up offsets too.
    """
    consumer = kafka.consumer(
        settings, group=None, client_id="privacy", max_partition_fetch_bytes=FETCH_BYTES, check_crcs=False
    )
    await consumer.start()
    try:
        numbers = range(kafka.partitions_of(topic, settings)) if partitions is None else partitions
        parts = [TopicPartition(topic.name, number) for number in numbers]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        begins = await consumer.beginning_offsets(parts)
        open_parts = {part for part in parts if begins[part] < ends[part]}
        for part in parts:
            consumer.seek(part, begins[part])
        idle_since = asyncio.get_running_loop().time()
        while open_parts:
            fetched = await consumer.getmany(*open_parts, timeout_ms=POLL_MS, max_records=FETCH_RECORDS)
            now = asyncio.get_running_loop().time()
            for part, records in fetched.items():
                yield [record for record in records if record.offset < ends[part]]
                idle_since = now
            open_parts = {part for part in open_parts if await _position(consumer, part) < ends[part]}
            if now - idle_since > idle_s_max:
                raise Cut(f"{topic.name} cannot be read to its end")
    finally:
        await consumer.stop()


async def _position(consumer: AIOKafkaConsumer, part: TopicPartition) -> int:
    return int(await consumer.position(part))


def judges(scope: Scope, names: Iterable[str], settings: Settings, codec: Codec) -> list[Judge]:
    """Whoever looks through these topics."""
    letters = Letters(codec, keys.keyring(keys.load_or_create(settings)), settings.phone_region)
    all_of_them: list[Judge] = [
        Identities(scope, codec),
        Scores(scope, codec),
        DeadLetters(scope, codec, letters),
        Alerts(scope, codec),
        Recalled(scope),
        Known(scope),
        Profiles(scope),
    ]
    wanted = set(names)
    return [judge for judge in all_of_them if judge.topic in wanted]


class Task(NamedTuple):
    """Some partitions of a topic, for one process to look through."""

    topic: str
    partitions: tuple[int, ...]


def tasks(settings: Settings, names: Iterable[str], processes: int) -> list[Task]:
    """Topics, each in as many parts as there are processes; those of which there is most come first."""
    wanted = set(names)
    parts = []
    for name in (each for each in reversed(COMPACTED) if each in wanted):
        numbers = range(kafka.partitions_of(NAMED[name], settings))
        parts += [Task(name, part) for n in range(processes) if (part := tuple(numbers[n::processes]))]
    return parts


async def look(settings: Settings, scope: Scope, task: Task) -> Looked:
    """Look through a part of a topic. Raises Cut, aiokafka's errors."""
    codec = Codec(settings.schemas)
    registry = Registry(settings.schema_registry, codec) if settings.schema_registry else None
    (judge,) = judges(scope, (task.topic,), settings, codec)
    async for records in whole(settings, NAMED[task.topic], task.partitions):
        await learn(registry, codec, records)
        see = judge.see
        for record in records:
            if record.key is not None:
                see(record.partition, record.key, record.value, record.timestamp)
    places = judge.places()[:PLACES_MAX]
    return Looked(judge.topic, judge.how, judge.looked, judge.unread, judge.remaining(), places)


def _look_apart(settings: Settings, scope: Scope, task: Task) -> Looked:
    gc.disable()  # what is decoded has no cycles
    return asyncio.run(look(settings, scope, task))


async def look_apart(settings: Settings, scope: Scope, names: Sequence[str]) -> list[Looked]:
    """Look through topics side by side in processes of their own, which end with it. Raises the same."""
    processes = min(PROCESSES_MAX, os.cpu_count() or 1)
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), os.nice, (NICE,))
    ask = asyncio.get_running_loop().run_in_executor
    try:
        parts = tasks(settings, names, processes)
        found = await asyncio.gather(*(ask(pool, _look_apart, settings, scope, each) for each in parts))
    finally:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
    return [together([each for each in found if each.topic == name]) for name in COMPACTED if name in names]


def together(parts: Sequence[Looked]) -> Looked:
    """What looking through all parts of a topic came to."""
    remaining: Counter[str] = Counter()
    for each in parts:
        remaining.update(each.remaining)
    return Looked(
        parts[0].topic,
        parts[0].how,
        sum(each.looked for each in parts),
        sum(each.unread for each in parts),
        dict(sorted(remaining.items())),
        sorted(place for each in parts for place in each.places)[:PLACES_MAX],
    )
