"""`throughline import KIND FILE`: a file's rows as events or outcomes in Kafka, each once however often it is imported.

The same file gives the same under the same ids, so that an import that broke off, or is repeated, adds only
what is missing. Rows that cannot be used are left out, counted and shown with their line numbers, and the others go
in: one bad row in a million is for people to look at, not a reason to do without the rest; the exit status says so.

What is counted as imported has been acknowledged by the broker.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pipeline import catalogue, kafka, keys
from pipeline.domain import validate
from pipeline.domain.identifiers import Keyring
from pipeline.domain.outcomes import outcome
from pipeline.domain.policy import Policy
from pipeline.domain.reasons import Rejected
from pipeline.partition import partition_of
from pipeline.registry import Registry, RegistryFailed
from pipeline.settings import Settings
from pipeline.sources import bank_calls, cdnow, outcomes, web_sessions
from pipeline.sources.adapter import Adapter, Imported, ImportedOutcome, Line, NotThisFile, Refused, Row
from pipeline.topics import CHANNEL_TOPICS, OUTCOMES, channel_topic
from pipeline.wire import Codec, WireError

ADAPTERS: dict[str, Adapter] = {
    "bank-calls": bank_calls.read,
    "web-sessions": web_sessions.read,
    "cdnow": cdnow.read,
    "outcomes": outcomes.read,
}
LINE_BYTES_MAX = 16 * 1024
REFUSED_SHOWN = 10
CHUNK_ROWS = 2_000  # go to Kafka together
BATCHES_IN_FLIGHT = 32  # sent and not yet acknowledged; of at most 256 KiB each
BROKER_WAIT_S = 15.0  # until the first answer

ALL_IMPORTED, SOME_REFUSED, FAILED = 0, 1, 2  # exit statuses


class ImportFailed(Exception):
    """The import cannot begin or go on; the text says why, and what to do."""


class Outgoing(NamedTuple):
    """What a row became, ready for Kafka."""

    topic: str
    key: str
    value: bytes


@dataclass(slots=True)
class Tally:
    """How far an import is."""

    imported: int = 0
    refused: int = 0
    shown: list[Refused] = field(default_factory=list)  # the first REFUSED_SHOWN

    def refuse(self, row: Refused) -> None:
        self.refused += 1
        if len(self.shown) < REFUSED_SHOWN:
            self.shown.append(row)


def run(settings: Settings, kind: str, file: Path) -> int:
    """Import a file, with a progress bar; says how it went. Returns an exit status (see above)."""
    console = Console(stderr=True, highlight=False)
    begun = time.monotonic()
    tally = Tally()
    try:
        import_file(settings, kind, file, tally, console)
    except ImportFailed as problem:
        console.print(str(problem), style="red", markup=False, soft_wrap=True)
        if tally.imported:
            console.print(f"{tally.imported:,} rows were imported before. Import again: nothing is stored twice.")
        return FAILED
    for row in tally.shown:
        console.print(f"line {row.line}: {row.why}", markup=False, soft_wrap=True)
    if tally.refused > len(tally.shown):
        console.print(f"… and {tally.refused - len(tally.shown):,} more")
    took_s = max(time.monotonic() - begun, 1e-3)
    refused = f", {tally.refused:,} refused" if tally.refused else ""
    console.print(
        f"{tally.imported:,} rows imported{refused} ({took_s:.1f} s, {tally.imported / took_s:,.0f} a second)."
    )
    return SOME_REFUSED if tally.refused else ALL_IMPORTED


def import_file(settings: Settings, kind: str, file: Path, tally: Tally, console: Console) -> None:
    """Import a file into Kafka, counting in `tally`. Raises ImportFailed."""
    if kind not in ADAPTERS:
        raise ImportFailed(f"{kind!r} is no kind of file: choose {', '.join(ADAPTERS)}")
    try:
        opened = file.open("rb")
    except OSError as problem:
        raise ImportFailed(f"{file} cannot be read: {problem.strerror}") from problem
    with opened, _bar(console) as progress:
        size = file.stat().st_size
        task = progress.add_task(file.name, total=size)
        try:
            codec = Codec(settings.schemas)
            asyncio.run(Registry(settings.schema_registry, codec).register((*CHANNEL_TOPICS, OUTCOMES)))
            prepared = prepare(settings, codec, ADAPTERS[kind](lines(opened)), time.time_ns() // 1_000_000)
            asyncio.run(_send(settings, prepared, tally, lambda: progress.update(task, completed=opened.tell())))
        except NotThisFile as problem:
            raise ImportFailed(f"{file}: {problem}") from problem
        except RegistryFailed as problem:
            raise ImportFailed(str(problem)) from problem
        except (KafkaError, OSError, TimeoutError) as problem:
            raise ImportFailed(
                f"Kafka at {settings.bootstrap} does not take events ({type(problem).__name__}). Is the stack up "
                "(`throughline up`)?"
            ) from problem
        progress.update(task, completed=size)


def lines(file: IO[bytes]) -> Iterator[Line]:
    """A file's lines. Raises NotThisFile where it is no text, or has a line of more than LINE_BYTES_MAX."""
    number = 0
    while data := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(data) > LINE_BYTES_MAX:
            raise NotThisFile(f"line {number}: longer than {LINE_BYTES_MAX:,} bytes")
        try:
            text = data.decode()
        except UnicodeDecodeError as problem:
            raise NotThisFile(f"line {number}: not text in UTF-8") from problem
        if "\0" in text:
            raise NotThisFile(f"line {number}: not text")
        yield Line(number, text.rstrip("\r\n"))


def prepare(settings: Settings, codec: Codec, rows: Iterable[Row], now_ms: int) -> Iterator[Outgoing | Refused]:
    """Rows as Kafka takes them; those that would be rejected are refused here, with their line."""
    policy = catalogue.load(settings.catalogue_folder).policy
    keyring = keys.keyring(keys.load_or_create(settings), policy.placeholders)
    for row in rows:
        if isinstance(row, Refused):
            yield row
            continue
        try:
            yield _outgoing(row, codec, now_ms, keyring, settings.phone_region, policy)
        except (Rejected, WireError) as problem:
            yield Refused(row.line, str(problem))


def _outgoing(
    row: Imported | ImportedOutcome, codec: Codec, now_ms: int, keyring: Keyring, region: str, policy: Policy
) -> Outgoing:
    """A row's record. Raises Rejected, WireError."""
    if isinstance(row, ImportedOutcome):
        found = outcome(row.given, now_ms, keyring, region)
        return Outgoing(OUTCOMES.name, found.key, codec.encode(OUTCOMES.schema, found.record))
    checked = validate.interaction(row.event, row.channel, now_ms, keyring, region, policy)
    value = codec.encode(f"interaction_{row.channel}", row.event)
    return Outgoing(channel_topic(row.channel), checked.identifier, value)


async def _send(
    settings: Settings, prepared: Iterator[Outgoing | Refused], tally: Tally, show: Callable[[], None]
) -> None:
    """Send all of it, counting what the broker has acknowledged."""
    first = next(prepared, None)  # what is not this kind of file ends here, before anything is asked of Kafka
    producer = kafka.producer(settings)
    async with asyncio.timeout(BROKER_WAIT_S):
        await producer.start()
    try:
        sender = Sender(producer, tally)
        for n, each in enumerate(chain(() if first is None else (first,), prepared), 1):
            if isinstance(each, Refused):
                tally.refuse(each)
            else:
                await sender.add(each)
            if n % CHUNK_ROWS == 0:
                await sender.flush()
                show()
        await sender.finish()
    finally:
        await producer.stop()


class Sender:
    """Records to Kafka in batches made here, which costs the producer a fraction of sending one by one."""

    def __init__(self, producer: AIOKafkaProducer, tally: Tally) -> None:
        self._producer = producer
        self._tally = tally
        self._counts: dict[str, int] = {}  # partitions of each topic
        self._open: dict[tuple[str, int], BatchBuilder] = {}
        self._sent: deque[tuple[Future[Any], int]] = deque()  # in order, with how many records each has

    async def add(self, outgoing: Outgoing) -> None:
        """Put a record into the batch of its partition."""
        topic, key, value = outgoing
        place = topic, partition_of(key, await self._partitions(topic))
        batch = self._open.get(place)
        if batch is None or batch.append(key=key.encode(), value=value, timestamp=None) is None:
            if batch is not None:
                await self._close(place)
            self._open[place] = batch = self._producer.create_batch()
            batch.append(key=key.encode(), value=value, timestamp=None)

    async def flush(self) -> None:
        """Send what has been added, and wait until no more than BATCHES_IN_FLIGHT are unacknowledged."""
        for place in list(self._open):
            await self._close(place)
        while len(self._sent) > BATCHES_IN_FLIGHT:
            await self._acknowledged()

    async def finish(self) -> None:
        """Send what is left, and wait for all of it. Raises KafkaError."""
        await self.flush()
        while self._sent:
            await self._acknowledged()

    async def _partitions(self, topic: str) -> int:
        if topic not in self._counts:
            async with asyncio.timeout(BROKER_WAIT_S):
                self._counts[topic] = len(await self._producer.partitions_for(topic))
        return self._counts[topic]

    async def _close(self, place: tuple[str, int]) -> None:
        batch = self._open.pop(place)
        count = batch.record_count()
        topic, partition = place
        self._sent.append((await self._producer.send_batch(batch, topic, partition=partition), count))

    async def _acknowledged(self) -> None:
        """Wait for the oldest batch. Raises KafkaError."""
        sent, count = self._sent[0]
        await sent
        self._sent.popleft()
        self._tally.imported += count


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
