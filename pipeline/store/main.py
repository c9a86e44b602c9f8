"""store: every output topic into its table of ClickHouse.

    records ──gather──► batch ──block──► block ──store──► acknowledged ──commit──► offsets

and, beside it, the sums of hours that are over (`hours.py`).

Guaranteed: offsets are committed only when ClickHouse has acknowledged the rows, so nothing is lost; a row carries
the offset it came from, so what is sent again replaces itself. While ClickHouse is away each
table holds two batches and reads nothing more. A record of our own that cannot be read, or rows that ClickHouse
refuses, are bugs: the process ends. A record that somebody else may have written is judged (`judging`); of outcomes
none is kept whose customer was erased afterwards (`erased`).
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import uvloop
from aiokafka import ConsumerRecord
from clickhouse_connect.driver.exceptions import Error

from pipeline import catalogue, garbage, kafka, keys, logs, metrics, wire
from pipeline.domain.renaming import NOTHING_RENAMED, Renaming
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.store import hours, judging, reader, rows
from pipeline.store.erased import Erased
from pipeline.store.reader import Batch, Limits, Reader, Rewinding
from pipeline.store.rows import Block, Grounds, Stored, Table
from pipeline.store.writer import Writer, connect, is_transient

RETRY_S_MIN, RETRY_S_MAX = 0.1, 5.0
GC_THRESHOLD = 200_000  # new objects: blocks are large here
REPEAT_LOG_S = 30.0  # while ClickHouse stays away

#: What people look at within the second (a dot follows an answer within two), and what dashboards and reports read: an
#: insert costs ClickHouse the more the wider the table is and the more views copy from it, however few its rows are.
FRESH, STEADY = Limits(pace_s=0.5), Limits(pace_s=1.0)
LIMITS = dict.fromkeys((rows.INTERACTIONS.name, rows.CUSTOMER_SCORES.name, rows.TALLIES.name), STEADY)

_log = logs.get("store")


class BrokenOutput(RuntimeError):
    """A record of an output topic cannot be read as what it should be; says where it is."""


def block(
    table: Table,
    codec: wire.Codec,
    layout_epoch: int,
    records: Sequence[ConsumerRecord],
    renaming: Renaming = NOTHING_RENAMED,
    grounds: Grounds | None = None,
) -> Block:
    """What a batch does to its table, with the identifiers that are current. Raises BrokenOutput, rows.Inconsistent."""
    if table.judge is not None:
        return judging.block(table, table.judge, codec, layout_epoch, records, grounds or Grounds())
    stored: list[Stored] = []
    gone: dict[str, int] = {}
    if table.tombstones is not None:
        counting = newest(records)
        for each in records:
            if each.value is None:
                key = each.key.decode()
                epoch = layout_epoch + renaming.rank(table.tombstones.who(key))
                gone[renaming.text(key)] = rows.version(epoch, each.offset)
        records = [each for each in counting if each.value is not None]
    for each in records:
        try:
            schema, record = codec.decode(each.value or b"")
        except wire.WireError as e:
            raise BrokenOutput(f"{each.topic}/{each.partition}/{each.offset}: {e}") from e
        if schema != table.schema:
            raise BrokenOutput(f"{each.topic}/{each.partition}/{each.offset} is a {schema}, not a {table.schema}")
        epoch = layout_epoch + (renaming.rank(record[table.who]) if table.who else 0)
        if renaming.concerns(each.value):
            record = renaming.value(record)
        if table.seals and renaming.pattern is not None:
            record |= {name: [renaming.sealed(seal) for seal in record[name]] for name in table.seals}
        stored.append(Stored(rows.version(epoch, each.offset), record))
    return Block(table.columns_of(stored), gone)


def newest(records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
    """Of each key the newest record. Raises BrokenOutput where one has none."""
    found: dict[tuple[int, bytes], ConsumerRecord] = {}
    for each in records:
        if each.key is None:
            raise BrokenOutput(f"{each.topic}/{each.partition}/{each.offset} has no key")
        found[each.partition, each.key] = each
    return list(found.values())


class Outlet:
    """The way of one table into ClickHouse: connects when it must, and waits out what passes."""

    def __init__(self, table: Table, open_writer: Callable[[], Writer], stop: asyncio.Event) -> None:
        self._table = table
        self._open = open_writer
        self._stop = stop
        self._writer: Writer | None = None

    async def store(self, block: Block) -> bool:
        """Return True once ClickHouse has done it, False when told to stop before. Raises the driver's Error for
        what does not pass by waiting."""
        away_since, said_at, retry_s = 0.0, 0.0, RETRY_S_MIN
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                await asyncio.to_thread(self._store, block)
            except Error as error:
                if not is_transient(error):
                    raise
                away_since = away_since or started
                if started - said_at > REPEAT_LOG_S:
                    said_at = started
                    waited_s = round(started - away_since)
                    _log.warning("clickhouse_away", table=self._table.name, code=error.code, waited_s=waited_s)
                await self._wait(retry_s)
                retry_s = min(retry_s * 2, RETRY_S_MAX)
                continue
            ended = time.monotonic()
            metrics.STORE_SECONDS.labels(self._table.name).observe(ended - started)
            metrics.ROWS_STORED.labels(self._table.name).inc(len(block.columns[0]))
            if away_since:
                _log.info("clickhouse_back", table=self._table.name, away_s=round(ended - away_since, 1))
            return True
        return False

    def _store(self, block: Block) -> None:
        if self._writer is None:
            self._writer = self._open()
        try:
            self._writer.store(block)
        except Error:
            self.close()
            raise

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


async def pump(
    table: Table,
    source: Reader,
    outlet: Outlet,
    codec: wire.Codec,
    registry: Registry,
    layout_epoch: int,
    stop: asyncio.Event,
    renaming: Renaming = NOTHING_RENAMED,
    grounds: Grounds | None = None,
    erased: Erased | None = None,
) -> None:
    """Batch after batch of one table until told to stop. While one is on its way, the next one is read and built.

    `erased` is asked before each batch of a table that has to know. Raises what was not expected, in an ExceptionGroup.
    """

    async def deliver(batch: Batch, made: Block | None) -> bool:
        if made and not await outlet.store(made):
            return False
        await source.commit(batch)
        return True

    async with asyncio.TaskGroup() as group:
        delivered: asyncio.Task[bool] | None = None
        while not stop.is_set():
            batch, made = await source.gather(), None
            if batch.records:
                if not await registry.learn(batch.records, stop):
                    return
                if table.asks_erased and erased is not None:
                    known = await erased.so_far(stop)
                    if known is None:
                        return
                    grounds = replace(grounds or Grounds(), erased=known)
                # In a thread: building a large block would keep the consumer from its heartbeats.
                made = await asyncio.to_thread(block, table, codec, layout_epoch, batch.records, renaming, grounds)
            if delivered is not None and not await delivered:
                return
            delivered = group.create_task(deliver(batch, made))


async def _serve(settings: Settings) -> None:
    own_keys, codec = keys.load_or_create(settings), wire.Codec(settings.schemas)
    registry, renaming = Registry(settings.schema_registry, codec), Renaming(keys.keyring(own_keys))
    placeholders = catalogue.load(settings.catalogue_folder).policy.placeholders
    grounds, erased = Grounds(settings.phone_region, keys.keyring(own_keys, placeholders)), Erased(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def opener(table: Table) -> Callable[[], Writer]:
        return lambda: Writer(connect(settings, own_keys, settings.clickhouse_database), table)

    consumer = reader.consumer_for(settings)
    rewinding = Rewinding(consumer)
    consumer.subscribe([table.topic for table in rows.TABLES], listener=rewinding)
    await consumer.start()
    kafka.space_fetches(consumer, reader.FETCH_INTERVAL_S)
    outlets = {table.name: Outlet(table, opener(table), stop) for table in rows.TABLES}
    try:
        async with asyncio.TaskGroup() as pumps:
            for table in rows.TABLES:
                source = Reader(consumer, table.topic, LIMITS.get(table.name, FRESH))
                work = (table, source, outlets[table.name], codec, registry, settings.layout_epoch, stop, renaming)
                pumps.create_task(pump(*work, grounds, erased))
            pumps.create_task(_say_ready(settings, rewinding, stop))
            pumps.create_task(hours.keep(lambda: connect(settings, own_keys, settings.clickhouse_database), stop))
    finally:
        await consumer.stop()
        await erased.close()
        for outlet in outlets.values():
            outlet.close()
    _log.info("stopped")


async def _say_ready(settings: Settings, rewinding: Rewinding, stop: asyncio.Event) -> None:
    """Leave the file that says that records are read, unless told to stop before."""
    waiting = [asyncio.ensure_future(each.wait()) for each in (rewinding.assigned, stop)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    if rewinding.assigned.is_set():
        folder = settings.home / "run" / "ready"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "store").touch()


def run(settings: Settings) -> None:
    """Store until SIGTERM. Raises what was not expected: the supervisor starts it again."""
    # Batches are many short-lived objects without cycles: looking for cycles among them was a third of the work.
    garbage.settle(GC_THRESHOLD)
    uvloop.run(_serve(settings))
