"""`throughline ledger`: what became of everything that was received, and whether it adds up (`domain/balance.py`).

Nobody has to stop for it. What stitch counted comes from ClickHouse (`tallies`), as do the rows that are there and what
erasures deleted; Kafka says what waits. It is read in the order that makes the answer certain, and again for as long as
it does not add up, within a bound: what is being erased at the moment is neither there nor gone.

What this cannot see: whatever was lost before Kafka had it, and records that aged out of a channel's topic before
stitch read them. The latter, like markers of transactions, are offsets without a record, and are shown as such. Until
stitch has passed them, markers count among what waits.

Decisions
- 2026-11-26 Tallies are published with each batch, like cells, instead of being asked of the workers: the ledger can
  be drawn up while no worker runs, and whoever reads ClickHouse has it too (view `ledger`).
- 2026-11-26 What was stored before counting began is taken over by a person (`--carry`), not by guessing: after a
  rebuild from nothing it looks the same as rows that nobody stored.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error as ClickHouseError
from rich.console import Console
from rich.table import Table

from pipeline import kafka, keys
from pipeline.domain.balance import Balance, Held, Line, Place, Readings, balance, carried
from pipeline.domain.interaction import CHANNELS
from pipeline.domain.tallies import Tally
from pipeline.local.home import StackFile, attached
from pipeline.settings import Settings
from pipeline.store.writer import connect
from pipeline.topics import CHANNEL_TOPICS, INBOX, TALLIES, TIMELINES, Topic, channel_topic

ATTEMPTS_S_MAX = 30.0  # after this what does not add up is said
AGAIN_S = 0.5  # between two attempts
SETTLE_S_MAX = 5.0  # for the stages to read what was there when an attempt began
LOOK_EVERY_S = 0.1
QUERY_S_MAX = 60
ERASED_READ_MAX = 5  # how often in a row, while an erasure goes on

WIDTH = 140  # characters, where nobody says how wide it may be

STITCH, STORE = "stitch", "store"
_BOUNDS = {"max_execution_time": QUERY_S_MAX}
_TALLY = Tally.__struct_fields__
_TALLIED = f"SELECT channel, partition, {', '.join(_TALLY)} FROM tallies FINAL"  # noqa: S608  # names of ours
_PLACE = "channel, kafkaMurmurHash(identifier) % {partitions:UInt32} AS place"
_ROWS = f"SELECT {_PLACE}, count() FROM interactions FINAL GROUP BY channel, place"  # noqa: S608  # names of ours
_REPEATED = (
    f"SELECT {_PLACE}, toInt64(count()) - toInt64(uniqExact(identifier, source, event_id)) AS more "  # noqa: S608
    "FROM interactions FINAL GROUP BY channel, place HAVING more > 0"
)
_ERASED = "SELECT channel, partition, count() FROM erased_rows FINAL GROUP BY channel, partition"
_CARRIED = "SELECT channel, partition, events, rekeyed FROM tallies_carried FINAL"

Say = Callable[[str], None]
Offsets = Mapping[TopicPartition, int]


class Unread(RuntimeError):
    """The ledger cannot be drawn up now; says why."""


def run(
    settings: Settings,
    say: Say,
    *,
    as_json: bool = False,
    partitions: bool = False,
    carry: bool = False,
    attempts_s_max: float = ATTEMPTS_S_MAX,
) -> bool:
    """Draw it up and show it; with `carry`, take over first what was there before. True: it does not add up."""
    try:
        readings, drawn = read(settings, attempts_s_max)
        if carry:
            _carry(attached(settings), readings, drawn, say if not as_json else _silently)
            readings, drawn = read(settings, attempts_s_max)
    except Unread as error:
        if as_json:
            say(json.dumps({"adds_up": False, "troubles": [str(error)]}, indent=2))
        else:
            say(f"It cannot be said whether the ledger adds up. {error}")
        return True
    notes = _notes(readings, drawn)
    if as_json:
        said = {"adds_up": drawn.adds_up, "moving": drawn.moving, "findings": drawn.findings, "notes": notes}
        lines = {"channels": drawn.channels, "partitions": drawn.partitions}
        say(json.dumps(said | {name: [asdict(each) for each in some] for name, some in lines.items()}, indent=2))
    else:
        _show(drawn, notes, partitions)
    return not drawn.adds_up


def _silently(_line: str) -> None:
    """Where only JSON may be said."""


def read(settings: Settings, attempts_s_max: float = ATTEMPTS_S_MAX) -> tuple[Readings, Balance]:
    """Read until it adds up, or the time is over: what was read last. Raises Unread."""
    settings = attached(settings)
    if StackFile.read(settings.home) is None and not settings.kafka:
        raise Unread(f"No stack runs in {settings.home}. `throughline up` starts one.")
    try:
        client = connect(settings, keys.load_or_create(settings), settings.clickhouse_database)
        try:
            return asyncio.run(_read(settings, Tables(client, settings.partitions), attempts_s_max))
        finally:
            client.close()
    except ClickHouseError as error:
        raise Unread(f"ClickHouse at {settings.clickhouse} does not answer: {_first_line(error)}") from error
    except (KafkaError, OSError) as error:
        raise Unread(f"Kafka at {settings.bootstrap} does not answer: {error!r}") from error


async def _read(settings: Settings, tables: Tables, attempts_s_max: float) -> tuple[Readings, Balance]:
    loop = asyncio.get_running_loop()
    until = loop.time() + attempts_s_max
    while True:
        trouble: Unread | None = None
        try:
            readings, drawn = await _attempt(Positions(settings), tables)
            if drawn.adds_up and not drawn.moving:
                return readings, drawn
        except Unread as error:
            trouble = error
        if loop.time() > until or (trouble is None and drawn.adds_up):
            if trouble is not None:
                raise trouble
            return readings, drawn
        await asyncio.sleep(AGAIN_S)


async def _attempt(positions: Positions, tables: Tables) -> tuple[Readings, Balance]:
    """One reading, in the order in which each part bounds the others."""
    first = await asyncio.to_thread(tables.tallies)
    ends = await positions.ends(INBOX, TIMELINES)
    unheard = await positions.reached(STITCH, _of(INBOX, ends))
    behind = await positions.reached(STORE, _of(TIMELINES, ends))
    done = await positions.committed(STORE, _of(TIMELINES, ends))
    held = await asyncio.to_thread(tables.held)
    late = await positions.reached(STORE, await positions.ends(TALLIES))
    if late:
        raise Unread(f"ClickHouse has not got {late:,} records of what stitch counted. Does `store` run, and keep up?")
    last = await asyncio.to_thread(tables.tallies)
    unstored: dict[int, int] = {}
    if behind:
        ends = await positions.ends(TIMELINES)
        unstored = {part.partition: end - done[part] for part, end in ends.items()}
    readings = Readings(first, held, last, await _waiting(positions, last), unstored, unheard)
    drawn = balance(readings)
    if any(held.events(place) > last.get(place, Tally()).stored for place in readings.places):
        held = await asyncio.to_thread(tables.told_apart, held)
        readings = Readings(first, held, last, readings.waiting, unstored, unheard)
        drawn = balance(readings)
    return readings, drawn


async def _waiting(positions: Positions, tallies: Mapping[Place, Tally]) -> dict[Place, int]:
    """Records of the channels' topics that stitch has not read. Behind the last record may be markers."""
    places = {TopicPartition(channel_topic(channel), number): (channel, number)
              for channel in CHANNELS for number in range(positions.partitions)}  # fmt: skip
    done = await positions.committed(STITCH, places)
    ends = await positions.ends(*CHANNEL_TOPICS)
    return {
        place: ends[part] - max(done[part], tallies[place].read_to if place in tallies else 0)
        for part, place in places.items()
    }


def _of(topic: Topic, ends: Offsets) -> Offsets:
    return {part: end for part, end in ends.items() if part.topic == topic.name}


class Positions:
    """Where topics end and how far they were read. Each question connects by itself. Raises aiokafka's errors."""

    def __init__(self, settings: Settings) -> None:
        self.partitions = settings.partitions
        self._settings = settings

    async def ends(self, *topics: Topic) -> dict[TopicPartition, int]:
        """Where they end, counting committed records."""
        parts = [
            TopicPartition(topic.name, number)
            for topic in topics
            for number in range(kafka.partitions_of(topic, self._settings))
        ]
        reader = kafka.consumer(self._settings, group=None, client_id="ledger")
        await reader.start()
        try:
            return dict(await reader.end_offsets(parts))
        finally:
            await reader.stop()

    async def committed(self, group: str, parts: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """How far a group has read; where it has read nothing, how far the topic has been deleted."""
        wanted = list(parts)
        found = await kafka.committed(self._settings, group)
        reader = kafka.consumer(self._settings, group=None, client_id="ledger")
        await reader.start()
        try:
            begins = await reader.beginning_offsets(wanted)
        finally:
            await reader.stop()
        return {each: max(begins[each], found[each].offset if each in found else 0) for each in wanted}

    async def reached(self, group: str, ends: Offsets) -> int:
        """Wait until a group has read so far, for a while; returns how many offsets it is behind then."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SETTLE_S_MAX
        while True:
            done = await self.committed(group, ends)
            behind = sum(max(0, end - done[part]) for part, end in ends.items())
            if not behind or loop.time() > until:
                return behind
            await asyncio.sleep(LOOK_EVERY_S)


class Tables:
    """What ClickHouse says. Raises the driver's Error, Unread."""

    def __init__(self, client: Client, partitions: int) -> None:
        self._client = client
        self._partitions = partitions

    def tallies(self) -> dict[Place, Tally]:
        """What stitch counted, as far as it is stored."""
        return {(str(row[0]), int(row[1])): Tally(*map(int, row[2:])) for row in self._asked(_TALLIED)}

    def held(self) -> Held:
        """The rows that are there, and those that were deleted: at one moment, as far as erasures go."""
        erased = self._counts(_ERASED)
        for _ in range(ERASED_READ_MAX):
            rows = self._counts(_ROWS)
            before, erased = erased, self._counts(_ERASED)
            if before == erased:
                break
        else:
            raise Unread("Rows are being erased at the moment.")
        events: dict[Place, int] = {}
        rekeyed: dict[str, int] = {}
        for channel, number, count, more in self._asked(_CARRIED):
            events[str(channel), int(number)] = int(count)
            rekeyed[str(channel)] = rekeyed.get(str(channel), 0) + int(more)
        return Held(rows, erased, events, rekeyed)

    def told_apart(self, held: Held) -> Held:
        """The same, with the rows of events that were told with times of different days, and so stand twice."""
        return Held(held.rows, held.erased, held.carried, held.rekeyed, self._counts(_REPEATED))

    def carry(self, events: Mapping[Place, int], rekeyed: Mapping[str, int]) -> None:
        """Say what there was before counting began."""
        places = {*events, *((channel, 0) for channel in rekeyed)}
        rows = [
            (*place, events.get(place, 0), rekeyed.get(place[0], 0) if place[1] == 0 else 0) for place in sorted(places)
        ]
        for channel, number, count, more in rows:
            self._client.command(
                "INSERT INTO tallies_carried SELECT {channel:String}, {number:UInt32}, {count:Int64}, {more:Int64}, "
                "now64(3)",
                {"channel": channel, "number": number, "count": count, "more": more},
                settings={"async_insert": 0},
            )

    def _counts(self, sql: str) -> dict[Place, int]:
        return {(str(channel), int(number)): int(count) for channel, number, count in self._asked(sql)}

    def _asked(self, sql: str) -> Iterable[Any]:
        return self._client.query(sql, {"partitions": self._partitions}, settings=_BOUNDS).result_rows


def _carry(settings: Settings, readings: Readings, drawn: Balance, say: Say) -> None:
    """Take over what is there beyond what was counted, or is missing. Raises Unread where that cannot be known."""
    if drawn.moving:
        raise Unread("Nothing can be carried while the stream moves. Stop what sends events, and ask again.")
    if wrong := [tally for tally in readings.last.values() if tally.difference]:
        raise Unread(f"Nothing can be carried: {len(wrong)} tallies contradict themselves.")
    events, rekeyed = carried(readings)
    held = readings.held
    for (channel, number), count in sorted(events.items()):
        if count != held.carried.get((channel, number), 0):
            say(f"{channel}, partition {number}: {count:+,} interactions from before are carried forward.")
    for channel, count in rekeyed.items():
        if count != held.rekeyed.get(channel, 0):
            say(f"{channel}: {count:+,} interactions between partitions are carried forward.")
    client = connect(settings, keys.load_or_create(settings), settings.clickhouse_database)
    try:
        Tables(client, settings.partitions).carry(events, rekeyed)
    except ClickHouseError as error:
        raise Unread(f"ClickHouse at {settings.clickhouse} does not answer: {_first_line(error)}") from error
    finally:
        client.close()


def _first_line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0][:200]


def _notes(readings: Readings, drawn: Balance) -> list[str]:
    """What is to be known of it, and is nothing wrong."""
    notes = [
        f"{line.channel}: {line.gaps:,} offsets of its topic held no record: markers of transactions, or records that "
        "aged out before they were read."
        for line in drawn.channels
        if line.gaps
    ]
    for (channel, number), count in sorted(readings.held.repeated.items()):
        notes.append(
            f"{channel}, partition {number}: {count:,} events stand in ClickHouse twice. Their source told copies of "
            "them with times of different days."
        )
    return notes


_COLUMNS = ("received", "carried", "stored", "duplicates", "rejected", "erased", "in_flight")


def _show(drawn: Balance, notes: Iterable[str], partitions: bool) -> None:
    """Print it for people."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDTH  # in a file or a pipe no figure may be cut
    columns = _COLUMNS if not partitions else ("received", "carried", "rekeyed", *_COLUMNS[2:])
    table = Table(title="Ledger", title_justify="left", header_style="bold")
    for name in ("channel", *(("partition",) if partitions else ()), *columns):
        table.add_column(name.replace("_", " "), justify="left" if name == "channel" else "right", no_wrap=True)
    for line in drawn.partitions if partitions else drawn.channels:
        place = (line.channel, str(line.partition)) if partitions else (line.channel,)
        table.add_row(*place, *(f"{getattr(line, name):,}" for name in columns))
    table.add_section()
    totals = (f"{sum(getattr(line, name) for line in _lines(drawn, partitions)):,}" for name in columns)
    table.add_row("all", *(("",) if partitions else ()), *totals)
    console.print(table)
    for note in notes:
        console.print(note, markup=False)
    for finding in drawn.findings:
        console.print(finding, style="bold red", markup=False)
    left = "received + carried + rekeyed" if partitions else "received + carried"
    if drawn.findings:
        console.print(
            f"It does not add up: {left} should be stored + duplicates + rejected + erased + in flight. Where rows are "
            "from before counting began, or before a rebuild from nothing: `throughline ledger --carry`.",
            style="bold red",
            markup=False,
        )
    elif drawn.moving:
        console.print(
            f"It adds up, while the stream moves: {left} = stored + duplicates + rejected + erased + in flight."
        )
    else:
        console.print(f"It adds up: {left} = stored + duplicates + rejected + erased + in flight.")


def _lines(drawn: Balance, partitions: bool) -> list[Line]:
    return drawn.partitions if partitions else drawn.channels
