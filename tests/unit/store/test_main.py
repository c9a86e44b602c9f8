"""The way of a batch: what is waited for, what ends the process, what is committed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from clickhouse_connect.driver.exceptions import DatabaseError, Error, OperationalError

from pipeline import wire
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.store import rows
from pipeline.store.main import BrokenOutput, Outlet, block, pump
from pipeline.store.reader import Batch, Limits, Reader, Rewinding
from pipeline.store.rows import Block

from .records import entry, identity

CODEC = wire.Codec(Settings().schemas)
REGISTRY = Registry("", CODEC)
PARTITION = TopicPartition(rows.INTERACTIONS.topic, 3)
OTHER = TopicPartition(rows.IDENTITIES.topic, 3)
ONE = Block([[1]], {})


def record(offset: int, value: bytes | None = None, tp: TopicPartition = PARTITION) -> ConsumerRecord:
    """A record of an interaction, or with another value."""
    if value is None:
        value = CODEC.encode("timeline_entry", entry(event_id=str(offset)))
    return ConsumerRecord(tp.topic, tp.partition, offset, 0, 0, b"k", value, None, 1, len(value), ())


class FakeWriter:
    """Fails as told, one entry an insert, then stores."""

    def __init__(self, *errors: Error) -> None:
        self.loop = asyncio.get_running_loop()
        self.errors = list(errors)
        self.blocks: list[Block] = []
        self.opened = self.closed = 0
        self.failed = asyncio.Event()

    def open(self) -> FakeWriter:
        self.opened += 1
        return self

    def store(self, block: Block) -> None:
        if self.errors:
            self.loop.call_soon_threadsafe(self.failed.set)
            raise self.errors.pop(0)
        self.blocks.append(block)

    def close(self) -> None:
        self.closed += 1


class FakeConsumer:
    """Answers `getmany` with what was put in, in order, and remembers positions and commits."""

    def __init__(self, *fetches: dict[TopicPartition, list[ConsumerRecord]]) -> None:
        self.fetches = list(fetches)
        self.asked: list[tuple[tuple[TopicPartition, ...], int]] = []
        self.commits: list[dict[TopicPartition, int]] = []
        self.assigned = {PARTITION, OTHER}
        self.positions = {PARTITION: 0, OTHER: 0}
        self.committed_at: dict[TopicPartition, int | None] = {}
        self.begins = {PARTITION: 0, OTHER: 0}
        self.committed_something = asyncio.Event()

    def assignment(self) -> set[TopicPartition]:
        return set(self.assigned)

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        self.asked.append((partitions, max_records))
        await asyncio.sleep(0)
        fetched = self.fetches.pop(0) if self.fetches else {}
        for tp, records in fetched.items():
            self.positions[tp] = records[-1].offset + 2  # a marker behind
        return fetched

    async def position(self, tp: TopicPartition) -> int:
        return self.positions[tp]

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits.append(offsets)
        self.committed_something.set()

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {each: self.begins[each] for each in partitions}

    async def committed(self, tp: TopicPartition) -> int | None:
        return self.committed_at.get(tp)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset


def test_columns_carry_epoch_and_offset() -> None:
    made = block(rows.INTERACTIONS, CODEC, 2, [record(7), record(9)])
    assert made.columns[-1] == [2 << 48 | 7, 2 << 48 | 9]


@pytest.mark.parametrize(
    "value", [b"", b"junk", CODEC.encode("timeline_entry", entry())[:-1], CODEC.encode("identity", identity())]
)
def test_a_broken_record_is_named_and_raised(value: bytes) -> None:
    with pytest.raises(BrokenOutput, match="timelines/3/5"):
        block(rows.INTERACTIONS, CODEC, 1, [record(5, value)])


def keyed(offset: int, key: str, value: bytes | None, topic: str = OTHER.topic) -> ConsumerRecord:
    size = 0 if value is None else len(value)
    return ConsumerRecord(topic, 3, offset, 0, 0, key.encode(), value, None, len(key), size, ())


def test_of_a_compacted_topic_the_newest_record_of_a_key_counts_and_a_tombstone_takes_the_older_rows() -> None:
    def said(identifier: str) -> bytes:
        return CODEC.encode("identity", identity(identifier=identifier, person=identifier))

    made = block(
        rows.IDENTITIES,
        CODEC,
        2,
        [
            keyed(3, "device:gone", said("device:gone")),
            keyed(4, "device:d", said("device:d")),
            keyed(5, "device:back", None),
            keyed(6, "device:gone", None),
            keyed(7, "device:d", said("device:d")),
            keyed(8, "device:back", said("device:back")),
        ],
    )
    columns = dict(zip(rows.IDENTITIES.column_names, made.columns, strict=True))
    assert sorted(zip(columns["identifier"], columns["version"], strict=True)) == [
        ("device:back", 2 << 48 | 8),
        ("device:d", 2 << 48 | 7),
    ]
    assert made.gone == {"device:gone": 2 << 48 | 6, "device:back": 2 << 48 | 5}


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (rows.IDENTITIES, "phone:k1.00"),
        (rows.CUSTOMER_SCORES, "customer:a|b|20000|1"),
        (rows.REJECTED, "interactions.web/3/9"),
        (rows.ALERTS, "stands_alone|device:d"),
    ],
)
def test_a_batch_of_tombstones_alone_has_something_to_do(table: rows.Table, key: str) -> None:
    made = block(table, CODEC, 1, [keyed(5, key, None, table.topic)])
    assert made
    assert made.gone == {key: 1 << 48 | 5}
    assert not made.columns[0]


@pytest.mark.parametrize("table", [rows.INTERACTIONS, rows.AUDIT])
def test_where_no_tombstone_belongs_it_is_a_bug(table: rows.Table) -> None:
    with pytest.raises(BrokenOutput):
        block(table, CODEC, 1, [keyed(5, "k", None, table.topic)])


def test_a_record_that_could_not_be_compacted_is_a_bug() -> None:
    record = keyed(5, "", CODEC.encode("identity", identity()))
    with pytest.raises(BrokenOutput, match="identities/3/5 has no key"):
        block(rows.IDENTITIES, CODEC, 1, [replace(record, key=None)])


async def test_what_passes_is_waited_out_with_a_new_connection() -> None:
    fake = FakeWriter(OperationalError("away"), DatabaseError("too many parts", code=252))
    outlet = Outlet(rows.INTERACTIONS, fake.open, asyncio.Event())  # type: ignore[arg-type]
    assert await outlet.store(ONE)
    assert (fake.blocks, fake.opened, fake.closed) == ([ONE], 3, 2)


async def test_what_clickhouse_refuses_is_raised() -> None:
    fake = FakeWriter(DatabaseError("no such column", code=16))
    with pytest.raises(DatabaseError):
        await Outlet(rows.INTERACTIONS, fake.open, asyncio.Event()).store(ONE)  # type: ignore[arg-type]
    assert not fake.blocks


async def test_told_to_stop_while_clickhouse_is_away_nothing_is_committed() -> None:
    stop, fake = asyncio.Event(), FakeWriter(*[OperationalError("away")] * 1000)
    consumer = FakeConsumer({PARTITION: [record(0)]})
    source = Reader(consumer, PARTITION.topic, Limits())
    outlet = Outlet(rows.INTERACTIONS, fake.open, stop)  # type: ignore[arg-type]
    task = asyncio.create_task(pump(rows.INTERACTIONS, source, outlet, CODEC, REGISTRY, 1, stop))
    await asyncio.wait_for(fake.failed.wait(), 5)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert not consumer.commits
    assert not fake.blocks


async def test_a_batch_is_stored_then_committed_behind_the_marker() -> None:
    stop, fake = asyncio.Event(), FakeWriter()
    consumer = FakeConsumer({PARTITION: [record(0), record(1)]}, {PARTITION: [record(4)]})
    outlet = Outlet(rows.INTERACTIONS, fake.open, stop)  # type: ignore[arg-type]
    task = asyncio.create_task(
        pump(rows.INTERACTIONS, Reader(consumer, PARTITION.topic, Limits()), outlet, CODEC, REGISTRY, 1, stop)
    )
    await asyncio.wait_for(consumer.committed_something.wait(), 5)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert [len(made.columns[0]) for made in fake.blocks] == [3]
    assert consumer.commits == [{PARTITION: 6}]
    assert {tps for tps, _ in consumer.asked} == {(PARTITION,)}, "a table takes its own topic only"


async def test_a_batch_is_closed_by_rows_and_by_bytes() -> None:
    fetches = [{PARTITION: [record(n)]} for n in range(6)]
    source = Reader(FakeConsumer(*fetches), PARTITION.topic, Limits(rows=4))
    assert [len((await source.gather()).records) for _ in range(2)] == [4, 2]
    size = len(record(0).value)
    source = Reader(FakeConsumer(*fetches), PARTITION.topic, Limits(bytes=2 * size))
    assert [len((await source.gather()).records) for _ in range(3)] == [2, 2, 2]


async def test_without_partitions_nothing_is_asked_for() -> None:
    consumer = FakeConsumer({OTHER: [record(0, tp=OTHER)]})
    consumer.assigned = {OTHER}
    assert not (await Reader(consumer, PARTITION.topic, Limits()).gather()).records
    assert not consumer.asked


async def test_partitions_that_are_gone_are_not_committed() -> None:
    consumer = FakeConsumer()
    source = Reader(consumer, PARTITION.topic, Limits())
    consumer.assigned = {OTHER}
    await source.commit(Batch(positions={PARTITION: 9}))
    assert not consumer.commits


@pytest.mark.parametrize(
    ("begin", "committed", "start"),
    [(0, None, 0), (40, None, 40), (0, 600, 0), (0, 5_000, 4_000), (4_500, 5_000, 4_500), (6_000, 5_000, 6_000)],
)
async def test_reading_begins_a_little_before_what_was_stored(begin: int, committed: int | None, start: int) -> None:
    consumer = FakeConsumer()
    consumer.begins[PARTITION], consumer.committed_at[PARTITION] = begin, committed
    rewinding = Rewinding(consumer)
    await rewinding.on_partitions_assigned([PARTITION])
    assert consumer.positions[PARTITION] == start
    assert rewinding.assigned.is_set()
