"""What serve writes to Kafka: there when `write` returns, refused in time otherwise; a broker that freezes or dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from pipeline import kafka, logs
from pipeline.registry import Registry
from pipeline.serve.access import Principal
from pipeline.serve.audit import Audit
from pipeline.serve.writing import Bounds, KafkaWriter, Unwritten
from pipeline.settings import Settings
from pipeline.topics import AUDIT, CHANNEL_TOPICS, Topic, written_by
from pipeline.wire import Codec
from tests.conftest import Stack
from tests.contract.test_producers import KafkaWorld, kafka_world, until
from tests.serving import free_port

__all__ = ["kafka_world"]  # a fixture

BUSY_S = 3.0  # what a busy machine may take on top; nobody waits so long without the bound
BRIEF = Bounds(ack_s=0.5, give_up_s=2.0, retry_s_min=0.05, retry_s_max=0.2)
WEB = next(topic for topic in CHANNEL_TOPICS if topic.name == "interactions.web")


@asynccontextmanager
async def writing(settings: Settings, *topics: Topic, bounds: Bounds = BRIEF) -> AsyncIterator[KafkaWriter]:
    """A connected writer."""
    writer = KafkaWriter(settings, topics, bounds=bounds)
    running = asyncio.create_task(writer.run())
    await until(lambda: writer.ready)
    yield writer
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not writer.ready


async def whole(settings: Settings, topic: Topic) -> list[bytes]:
    """The values of a topic, in the order of each partition."""
    consumer = kafka.consumer(settings, group=None)
    await consumer.start()
    try:
        places = [kafka.TopicPartition(topic.name, n) for n in range(kafka.partitions_of(topic, settings))]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        found = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [each.value for each in records]
        return found
    finally:
        await consumer.stop()


async def test_an_audit_record_is_there_when_the_lookup_is_answered(stack: Stack) -> None:
    codec, mark = Codec(stack.settings.schemas), uuid4().hex
    who = Principal("key:read", frozenset({"read"}))
    async with writing(stack.settings, AUDIT, bounds=Bounds(ack_s=10)) as writer:  # the topics may be a moment old
        audit = Audit(logs.get("test"), writer, codec, str.encode, str.strip)
        await asyncio.gather(*(audit.looked_up("context", who, mark, [f"{n}"], ["p"], "one") for n in range(50)))
        records = [codec.decode(value) for value in await whole(stack.settings, AUDIT)]
    mine = [each for name, each in records if name == AUDIT.schema and each["purpose"] == mark]
    assert {bytes.fromhex(*each["subjects"]).decode() for each in mine} == {f"{n}" for n in range(50)}
    assert all(bytes.fromhex(*each["shown"]) == b"p" for each in mine)
    assert len(mine) == len({each["audit_id"] for each in mine}) == 50


async def test_schemas_are_registered_before_the_first_record(stack: Stack) -> None:
    said = []

    async def prepare() -> None:
        assert not writer.ready
        said.append(written_by("serve"))
        await Registry("", Codec(stack.settings.schemas)).register(said[0])

    writer = KafkaWriter(stack.settings, written_by("serve"), prepare)
    running = asyncio.create_task(writer.run())
    await until(lambda: writer.ready)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert AUDIT in said[0]


async def test_without_a_broker_it_is_refused_at_once() -> None:
    bounds = Bounds(ack_s=5.0)  # longer than this takes on a busy machine
    writer = KafkaWriter(Settings(kafka_port=free_port()), (), bounds=bounds)
    running = asyncio.create_task(writer.run())
    started = time.monotonic()
    for _ in range(3):
        with pytest.raises(Unwritten):
            await writer.write(WEB.name, b"k", b"v")
        await asyncio.sleep(0)
    assert time.monotonic() - started < bounds.ack_s
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_broker_that_freezes_is_waited_for_so_long_and_no_longer(kafka_world: KafkaWorld) -> None:
    bounds = Bounds(ack_s=0.5, waiting_max=2)
    async with writing(kafka_world.settings, WEB, bounds=bounds) as writer:
        await until_written(writer, b"before")
        kafka_world.leave()
        try:
            started = time.monotonic()
            refused = await asyncio.gather(
                *(writer.write(WEB.name, b"k", b"late") for _ in range(2)), return_exceptions=True
            )
            assert [type(each) for each in refused] == [Unwritten] * 2
            assert time.monotonic() - started < bounds.ack_s + BUSY_S
            with pytest.raises(Unwritten, match="2 records wait"):  # also those that nobody waits for any more
                await writer.write(WEB.name, b"k", b"more")
        finally:
            kafka_world.come_back()
        await until_written(writer, b"after")


@pytest.mark.long
async def test_a_broker_that_dies_is_found_again(kafka_world: KafkaWorld) -> None:
    mark = uuid4().hex.encode()
    async with writing(kafka_world.settings, WEB) as writer:
        kafka_world.kill()
        with pytest.raises(Unwritten):
            await writer.write(WEB.name, b"k", b"lost")
        await asyncio.to_thread(kafka_world.start)
        await until_written(writer, mark)
    assert mark in await whole(kafka_world.settings, WEB)


async def until_written(writer: KafkaWriter, value: bytes) -> None:
    """Write it as soon as Kafka takes it."""
    async with asyncio.timeout(40):
        while True:
            try:
                return await writer.write(WEB.name, b"k", value)
            except Unwritten:
                await asyncio.sleep(0.1)
