"""Topics and lags, on a real broker."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline import kafka
from pipeline.topics import COMPACTED_MS_MAX, TOPICS, Topic
from tests.collecting import until
from tests.conftest import Stack


def topic(**changes: object) -> Topic:
    name = f"t.{uuid.uuid4().hex}"
    return replace(Topic(name, "any", "any", ("a",), (f"reader.{name}",)), **changes)  # type: ignore[arg-type]


async def configuration(stack: Stack, name: str) -> dict[str, str]:
    admin = kafka.admin(stack.settings)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        return {row[0]: row[1] for row in answer.resources[0][4]}
    finally:
        await admin.close()


async def test_the_flow_is_there_and_creating_it_again_changes_nothing(stack: Stack) -> None:
    assert await kafka.create_topics(stack.settings) == []
    admin = kafka.admin(stack.settings)
    await admin.start()
    described = await admin.describe_topics([each.name for each in TOPICS])
    await admin.close()
    counts = {each["topic"]: len(each["partitions"]) for each in described}
    assert counts == {each.name: kafka.partitions_of(each, stack.settings) for each in TOPICS}


async def test_a_topic_gets_its_configuration(stack: Stack) -> None:
    mine = topic(cleanup="compact", log_append_time=True, partitions=1, config={"delete.retention.ms": "1234"})
    assert await kafka.create_topics(stack.settings, [mine]) == [mine.name]
    config = await configuration(stack, mine.name)
    assert config["cleanup.policy"] == "compact"
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert config["delete.retention.ms"] == "1234"


async def test_a_topic_that_exists_gets_a_changed_configuration_and_keeps_what_operators_set(stack: Stack) -> None:
    mine = topic(partitions=1, retention_ms=1_000, config={"delete.retention.ms": "1234"})
    await kafka.create_topics(stack.settings, [mine])
    changed = replace(mine, cleanup="compact,delete", retention_ms=2_000, config={})
    said = await kafka.configure_topics(stack.settings, [changed])
    assert said[mine.name]["cleanup.policy"] == "delete → compact,delete"
    assert said[mine.name]["retention.ms"] == "1000 → 2000"
    config = await configuration(stack, mine.name)
    assert {name: config[name] for name in changed.configuration} == changed.configuration
    assert config["max.compaction.lag.ms"] == str(COMPACTED_MS_MAX)
    assert config["delete.retention.ms"] == "1234"
    assert await kafka.configure_topics(stack.settings, [changed]) == {}


async def test_the_flow_has_its_configuration(stack: Stack) -> None:
    assert await kafka.configure_topics(stack.settings) == {}


async def test_another_number_of_partitions_is_refused(stack: Stack) -> None:
    mine = topic()
    await kafka.create_topics(stack.settings, [mine])
    count = stack.settings.partitions
    grown = replace(stack.settings, partitions=count + 1)
    said = f"THROUGHLINE_PARTITIONS={count + 1} .*{mine.name} has {count}, not {count + 1}"
    with pytest.raises(kafka.UnequalPartitions, match=said):
        await kafka.create_topics(grown, [mine])


async def test_the_lag_is_what_was_not_committed(stack: Stack) -> None:
    mine = topic(partitions=2)
    (group,) = mine.readers
    await kafka.create_topics(stack.settings, [mine])
    producer = kafka.producer(stack.settings)
    await producer.start()
    for number in range(10):
        await producer.send_and_wait(mine.name, b"%d" % number, partition=number % 2)
    await producer.stop()
    assert await kafka.lags(stack.settings, [mine]) == {group: {mine.name: 10}}

    consumer = kafka.consumer(stack.settings, mine.name, group=group)
    await consumer.start()
    seen = 0
    while seen < 4:
        seen += sum(len(each) for each in (await consumer.getmany(timeout_ms=1000, max_records=4 - seen)).values())
    await consumer.commit()
    await consumer.stop()
    assert await kafka.lags(stack.settings, [mine]) == {group: {mine.name: 6}}
    assert await kafka.lags(stack.settings, [replace(mine, read_whole=True)]) == {}


async def test_what_is_not_committed_is_not_read(stack: Stack) -> None:
    mine = topic(partitions=1)
    await kafka.create_topics(stack.settings, [mine])
    producer = kafka.producer(stack.settings, transactional_id=mine.name)
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(mine.name, b"aborted")
    await producer.abort_transaction()
    async with producer.transaction():
        await producer.send_and_wait(mine.name, b"committed")
    await producer.stop()
    consumer = kafka.consumer(stack.settings, mine.name, group=None)
    await consumer.start()
    record = await consumer.getone()
    await consumer.stop()
    assert record.value == b"committed"


async def test_a_consumer_whose_requests_are_spaced_has_the_first_record_at_once_and_the_others_together(
    stack: Stack,
) -> None:
    apart_s, count = 1.0, 30
    mine = topic(partitions=1)
    await kafka.create_topics(stack.settings, [mine])
    producer, consumer = (
        kafka.producer(stack.settings),
        kafka.consumer(stack.settings, group=None, fetch_max_wait_ms=5_000),
    )
    await producer.start()
    await consumer.start()
    try:
        kafka.space_fetches(consumer, apart_s)
        consumer.assign([TopicPartition(mine.name, 0)])
        await consumer.seek_to_beginning()
        began = time.monotonic()
        await producer.send_and_wait(mine.name, b"first", partition=0)
        fetches = [[each.value for each in (await consumer.getmany(timeout_ms=20_000))[TopicPartition(mine.name, 0)]]]
        assert time.monotonic() - began < apart_s
        for number in range(count):
            await producer.send_and_wait(mine.name, str(number).encode(), partition=0)
        while sum(map(len, fetches)) <= count:
            fetches += [
                [each.value for each in found] for found in (await consumer.getmany(timeout_ms=20_000)).values()
            ]
        took_s = time.monotonic() - began
    finally:
        await consumer.stop()
        await producer.stop()
    assert [value for each in fetches for value in each] == [b"first", *(str(n).encode() for n in range(count))]
    assert len(fetches) <= 2 + took_s / apart_s


async def test_what_nobody_has_taken_does_not_hold_up_another_partition(stack: Stack) -> None:
    """aiokafka would not ask for 100 ms: the inbox of a partition number waited for the sources of another."""
    mine = topic(partitions=2)
    await kafka.create_topics(stack.settings, [mine])
    left, wanted = (TopicPartition(mine.name, number) for number in range(2))
    producer, consumer = kafka.producer(stack.settings), kafka.consumer(stack.settings, group=None)
    await producer.start()
    await consumer.start()
    try:
        kafka.space_fetches(consumer, 0.001)
        consumer._fetcher._fetcher_timeout = 60.0  # nothing but what is tested lets it ask
        consumer.assign([left, wanted])
        await consumer.seek_to_beginning()
        took_s = []
        for _ in range(10):
            await producer.send_and_wait(mine.name, b"left lying", partition=left.partition)
            await until(lambda: left in consumer._fetcher._records)
            began = time.monotonic()
            await producer.send_and_wait(mine.name, b"wanted", partition=wanted.partition)
            assert (await consumer.getmany(wanted, timeout_ms=20_000))[wanted][0].value == b"wanted"
            took_s.append(time.monotonic() - began)
            await consumer.getmany(left, timeout_ms=20_000)
    finally:
        await consumer.stop()
        await producer.stop()
    assert min(took_s) < 0.05
