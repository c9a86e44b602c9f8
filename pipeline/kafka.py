"""Kafka as the stages use it: clients with the settings the promises rest on, topics, and lags.

Producers wait for all in-sync replicas and do not duplicate on retry; consumers read committed records only and never
commit by themselves. Whoever makes a client starts and closes it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.structs import OffsetAndMetadata

from pipeline.settings import Settings
from pipeline.topics import TOPICS, Topic

READ_MS = 500  # between two looks whether the end is reached
MESSAGE_BYTES_MAX = 4 * 1024 * 1024  # the broker's own limit, and so the producers'
COORDINATOR_S_MAX = 10.0
TOPICS_S_MAX = 20.0  # until the broker knows the topics that were created

_SET_ON_TOPIC = 1  # where a value of a topic's configuration comes from, in Kafka's protocol


class UnequalPartitions(RuntimeError):
    """A topic exists with another number of partitions than it must have; growth is a migration."""


def producer(settings: Settings, **changes: Any) -> AIOKafkaProducer:
    """A producer: idempotent, acknowledged by all in-sync replicas, LZ4. `changes` are aiokafka's own options."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "lz4",
        "linger_ms": 5,
        "max_batch_size": 256 * 1024,
        "max_request_size": MESSAGE_BYTES_MAX,
        "request_timeout_ms": 30_000,
    }
    return AIOKafkaProducer(**{**options, **changes})


def consumer(settings: Settings, *topics: str, group: str | None, **changes: Any) -> AIOKafkaConsumer:
    """A consumer of committed records, from the beginning where its group has no position.

    Group None follows topics without committing. `changes` are aiokafka's own options.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "group_id": group,
        "isolation_level": "read_committed",
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "fetch_max_wait_ms": 100,
        "max_partition_fetch_bytes": MESSAGE_BYTES_MAX,
        "session_timeout_ms": 10_000,
        "heartbeat_interval_ms": 1_000,
    }
    return AIOKafkaConsumer(*topics, **{**options, **changes})


def space_fetches(consumer: AIOKafkaConsumer, apart_s: float) -> None:
    """Let a started consumer ask each broker at most every `apart_s`.

    aiokafka names all its partitions in each request, a hundred of them, and asks again as soon as one record has come:
    at a thousand records a second that keeps the broker, and the loop here, busy with requests. Who waits for the
    first record has it at once all the same, where the broker holds an empty answer for longer than that.

    Nor does what somebody has not taken yet hold up what others wait for: aiokafka would not ask a broker for 100 ms
    while a record of any of its partitions lies here.
    """
    fetcher = consumer._fetcher
    fetcher._prefetch_backoff = 0.0
    fetch = fetcher._proc_fetch_request
    last_at: dict[int, float] = {}  # broker → when it was asked, on the monotonic clock

    async def spaced(assignment: Any, node_id: int, request: Any) -> Any:
        try:
            await asyncio.sleep(max(0.0, last_at.get(node_id, 0.0) + apart_s - time.monotonic()))
        except asyncio.CancelledError:
            return False  # as aiokafka's own: it cancels its requests when it closes, and waits for each
        last_at[node_id] = time.monotonic()
        return await fetch(assignment, node_id, current(assignment, node_id) or request)

    def current(assignment: Any, node_id: int) -> Any:
        # What was taken from here while this waited is asked for as well, not only with the next request. The fetcher
        # leaves out a broker that it is asking.
        fetcher._in_flight.discard(node_id)
        requests = dict(fetcher._get_actions_per_node(assignment)[0]) if assignment.active else {}
        fetcher._in_flight.add(node_id)
        return requests.get(node_id)

    fetcher._proc_fetch_request = spaced


async def read_whole(settings: Settings, topic: Topic) -> list[ConsumerRecord]:
    """All that a topic of one partition holds now, in its order: for small ones. Raises aiokafka's errors."""
    reader = consumer(settings, group=None)
    await reader.start()
    try:
        place = TopicPartition(topic.name, 0)
        reader.assign([place])
        await reader.seek_to_beginning(place)
        end = (await reader.end_offsets([place]))[place]
        found: list[ConsumerRecord] = []
        while await reader.position(place) < end:
            found += (await reader.getmany(place, timeout_ms=READ_MS)).get(place, ())
        return found
    finally:
        await reader.stop()


def admin(settings: Settings) -> AIOKafkaAdminClient:
    """An admin client."""
    return AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap, request_timeout_ms=20_000)


def partitions_of(topic: Topic, settings: Settings) -> int:
    """How many partitions a topic has."""
    return settings.partitions if topic.partitions is None else topic.partitions


async def create_topics(settings: Settings, topics: Iterable[Topic] = TOPICS) -> list[str]:
    """Create the topics that are missing; returns their names. Safe to repeat, also by several at once.

    Raises UnequalPartitions when a topic has another count than it must have, aiokafka's errors when the broker
    refuses.
    """
    wanted = {topic.name: topic for topic in topics}
    client = admin(settings)
    await client.start()
    try:
        existing = await _partition_counts(client, wanted)
        _check_counts(existing, wanted, settings)
        missing = [topic for name, topic in wanted.items() if name not in existing]
        if not missing:
            return []
        answer = await client.create_topics(
            [
                NewTopic(t.name, partitions_of(t, settings), settings.replicas, topic_configs=t.configuration)
                for t in missing
            ]
        )
        for name, code, *detail in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise for_code(code)(f"topic {name}: {detail[0] if detail else ''}")
        _check_counts(await _await_topics(client, wanted), wanted, settings)
        return [topic.name for topic in missing]
    finally:
        await client.close()


async def configure_topics(settings: Settings, topics: Iterable[Topic] = TOPICS) -> dict[str, dict[str, str]]:
    """Give existing topics the configuration that they must have, and leave what else operators set on them.

    Returns topic → name → "old → new" for what was changed. Safe to repeat, also by several at once. Raises aiokafka's
    errors when the broker refuses.
    """
    wanted = {topic.name: topic.configuration for topic in topics}
    client = admin(settings)
    await client.start()
    try:
        found: dict[str, dict[str, tuple[str, int]]] = {}
        for answer in await client.describe_configs([_resource(name) for name in wanted]):
            for code, said, _, name, rows in answer.resources:
                if code != 0:
                    raise for_code(code)(f"topic {name}: {said}")
                found[name] = {row[0]: (row[1], row[3]) for row in rows}
        changed = {
            name: {
                each: f"{found[name][each][0]} → {value}"
                for each, value in config.items()
                if found[name][each][0] != value
            }
            for name, config in wanted.items()
        }
        changed = {name: changes for name, changes in changed.items() if changes}
        for name in changed:
            # The broker takes a topic's settings whole: what is not named falls back to the cluster's.
            own = {each: value for each, (value, source) in found[name].items() if source == _SET_ON_TOPIC}
            for answer in await client.alter_configs([_resource(name, own | wanted[name])]):
                for code, said, *_ in answer.resources:
                    if code != 0:
                        raise for_code(code)(f"topic {name}: {said}")
        return changed
    finally:
        await client.close()


def _resource(name: str, config: dict[str, str] | None = None) -> ConfigResource:
    return ConfigResource(ConfigResourceType.TOPIC, name, config)


async def _await_topics(client: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    """Their partition counts, once the broker knows them all: it learns of a new topic only after it has answered."""
    wanted = set(names)
    deadline = asyncio.get_running_loop().time() + TOPICS_S_MAX
    while True:
        counts = await _partition_counts(client, wanted)
        if counts.keys() >= wanted:
            return counts
        if asyncio.get_running_loop().time() > deadline:
            raise UnknownTopicOrPartitionError(f"created, and not there: {', '.join(sorted(wanted - counts.keys()))}")
        await asyncio.sleep(0.05)


async def _partition_counts(client: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    wanted = set(names)
    described = await client.describe_topics([name for name in await client.list_topics() if name in wanted])
    return {each["topic"]: len(each["partitions"]) for each in described if each["error_code"] == 0}


def _check_counts(existing: dict[str, int], wanted: dict[str, Topic], settings: Settings) -> None:
    wrong = [
        f"{name} has {count}, not {partitions_of(wanted[name], settings)}"
        for name, count in sorted(existing.items())
        if count != partitions_of(wanted[name], settings)
    ]
    if wrong:
        raise UnequalPartitions(
            f"Topics with another number of partitions than THROUGHLINE_PARTITIONS={settings.partitions} asks for: "
            f"{'; '.join(wrong)}. The number is fixed when topics are created: set it back, or start with a new "
            "THROUGHLINE_HOME."
        )


async def lags(settings: Settings, topics: Iterable[Topic] = TOPICS) -> dict[str, dict[str, int]]:
    """Reading stage → topic → committed records that it has not committed yet (its group has the stage's name).

    Topics that no group has ever committed count from their beginning. Raises aiokafka's errors.
    """
    by_group: dict[str, list[TopicPartition]] = defaultdict(list)
    for topic in topics:
        for reader in () if topic.read_whole else topic.readers:
            by_group[reader].extend(
                TopicPartition(topic.name, number) for number in range(partitions_of(topic, settings))
            )
    if not by_group:
        return {}
    everything = sorted({each for group in by_group.values() for each in group})
    client, reader_ = admin(settings), consumer(settings, group=None)
    await client.start()
    try:
        await reader_.start()
        try:
            ends = await reader_.end_offsets(everything)
            begins = await reader_.beginning_offsets(everything)
        finally:
            await reader_.stop()
        result: dict[str, dict[str, int]] = {}
        for group, tps in by_group.items():
            committed = await _committed(client, group)
            per_topic: dict[str, int] = defaultdict(int)
            for tp in tps:
                position = committed[tp].offset if tp in committed else -1
                per_topic[tp.topic] += max(0, ends[tp] - max(position, begins[tp]))
            result[group] = dict(per_topic)
        return result
    finally:
        await client.close()


async def _committed(client: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """What a group has committed. A new broker makes its offsets topic only when it is first asked: that passes."""
    deadline = asyncio.get_running_loop().time() + COORDINATOR_S_MAX
    while True:
        try:
            return dict(await client.list_consumer_group_offsets(group))
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError):
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.1)


async def committed(settings: Settings, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """How far a group has read, where it has committed anything. Raises aiokafka's errors."""
    client = admin(settings)
    await client.start()
    try:
        return await _committed(client, group)
    finally:
        await client.close()


async def members(settings: Settings, groups: Sequence[str]) -> dict[str, int]:
    """Group → how many members it has, for those that have any. Raises aiokafka's errors."""
    client = admin(settings)
    await client.start()
    try:
        found: dict[str, int] = {}
        for group in groups:
            await _committed(client, group)  # a new broker has to make its offsets topic first
            # One by one: aiokafka reads an answer about several as one of an older version, and loses its place.
            for answer in await client.describe_consumer_groups([group]):
                found |= {each[1]: len(each[5]) for each in answer.groups}
        return {group: count for group, count in found.items() if count}
    finally:
        await client.close()
