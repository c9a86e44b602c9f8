"""Whether the ledger adds up: the tallies of stitch against what ClickHouse has and what is on its way. Pure.

For each channel    received + carried = stored + duplicates + rejected + erased + in flight
and for each of its partitions, with what was re-keyed to it less what was re-keyed away, on the left.

Received are all records of the channel's topic since counting began, read or not. Stored are the rows that are there.
Erased are rows that were deleted, and what was refused when it came afterwards. In flight is what waits to be read, is
on its way to the partition where it belongs, or was stored by stitch and is not in ClickHouse yet. Carried is what was
there before counting began, or before it began anew.

A stream does not stand still to be counted. So tallies are read twice, before everything else and behind it: what the
first have stored must be there by then, and no more may be there than the second have stored. Where both are the same,
nothing moved, and the answer is exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.domain.tallies import Tally

Place = tuple[str, int]  # channel, partition number
NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Held:
    """What ClickHouse has, by place."""

    rows: Mapping[Place, int]  # interactions that queries see
    erased: Mapping[Place, int]  # events that erasures deleted
    carried: Mapping[Place, int] = field(default_factory=dict)  # events from before counting began
    rekeyed: Mapping[str, int] = field(default_factory=dict)  # channel → came in beyond what had gone out before that
    repeated: Mapping[Place, int] = field(default_factory=dict)  # rows of events that have another row on another day

    def events(self, place: Place) -> int:
        """What is stored there, or was until it was erased, of what has been counted."""
        rows = self.rows.get(place, 0) - self.repeated.get(place, 0)
        return rows + self.erased.get(place, 0) - self.carried.get(place, 0)


@dataclass(frozen=True, slots=True)
class Readings:
    """All that was read, in the order in which it has to be read."""

    first: Mapping[Place, Tally]
    held: Held  # when all is in ClickHouse that was published by the time of `first`, but for `unstored`
    last: Mapping[Place, Tally]  # at least as new as `held`
    waiting: Mapping[Place, int]  # records of the channels' topics that nobody has read
    unstored: Mapping[int, int]  # partition number → records of timelines that ClickHouse has not got, at most
    unheard: int = 0  # messages between profiles that were not read in time, at most

    @property
    def places(self) -> list[Place]:
        """All that are named anywhere."""
        held = self.held
        return sorted({*self.first, *self.last, *held.rows, *held.erased, *held.carried, *self.waiting})


@dataclass(frozen=True, slots=True)
class Line:
    """One channel, or one of its partitions."""

    channel: str
    partition: int | None  # None: all of them
    received: int
    carried: int
    rekeyed: int  # to this partition, less what was re-keyed away; 0 for a channel
    stored: int
    duplicates: int
    rejected: int
    erased: int
    in_flight: int
    gaps: int  # offsets that held no record; they are not among what was received

    @property
    def difference(self) -> int:
        """What is missing on the right side. Never anything but 0, once `Balance.findings` is empty."""
        came = self.received + self.carried + self.rekeyed
        return came - self.stored - self.duplicates - self.rejected - self.erased - self.in_flight


@dataclass(frozen=True, slots=True)
class Balance:
    """The ledger, and what is wrong with it."""

    partitions: list[Line]
    channels: list[Line]
    findings: list[str]  # why it does not add up
    moving: bool  # whether the stream went on while it was read

    @property
    def adds_up(self) -> bool:
        """Whether nothing is missing and nothing is too much."""
        return not self.findings


def balance(readings: Readings) -> Balance:
    """Draw it up."""
    partitions = [_line(readings, place) for place in readings.places]
    channels = [_channel(readings, name, partitions) for name in sorted({line.channel for line in partitions})]
    findings = [*_of_places(readings, partitions), *_unstored(readings), *_rekeyed(readings)]
    moving = any(readings.first.get(each, NOTHING) != readings.last.get(each, NOTHING) for each in readings.places)
    return Balance(partitions, channels, findings, moving or any(readings.unstored.values()))


def carried(readings: Readings) -> tuple[dict[Place, int], dict[str, int]]:
    """What would have to be carried so that it adds up: events by place, and what was re-keyed by channel."""
    held = readings.held
    events = {
        place: held.events(place) + held.carried.get(place, 0) - readings.last.get(place, NOTHING).stored
        for place in readings.places
    }
    came, went = _totals(readings.last)
    return events, {channel: came[channel] - went[channel] for channel in sorted({name for name, _ in readings.places})}


def _line(readings: Readings, place: Place) -> Line:
    held, tally = readings.held, readings.last.get(place, NOTHING)
    channel, partition = place
    waiting = readings.waiting.get(place, 0)
    return Line(
        channel=channel,
        partition=partition,
        received=tally.received + waiting,
        carried=held.carried.get(place, 0),
        rekeyed=tally.rekeyed_in - tally.rekeyed_out,
        stored=held.rows.get(place, 0) - held.repeated.get(place, 0),
        duplicates=tally.duplicates,
        rejected=tally.rejected,
        erased=tally.refused + held.erased.get(place, 0),
        in_flight=waiting + tally.stored - held.events(place),
        gaps=tally.gaps,
    )


def _channel(readings: Readings, channel: str, partitions: Iterable[Line]) -> Line:
    lines = [line for line in partitions if line.channel == channel]
    before = readings.held.rekeyed.get(channel, 0)

    def total(name: str) -> int:
        return sum(getattr(line, name) for line in lines)

    return Line(
        channel=channel,
        partition=None,
        received=total("received"),
        carried=total("carried") + before,
        rekeyed=0,
        stored=total("stored"),
        duplicates=total("duplicates"),
        rejected=total("rejected"),
        erased=total("erased"),
        in_flight=total("in_flight") - total("rekeyed") + before,
        gaps=total("gaps"),
    )


def _of_places(readings: Readings, lines: Iterable[Line]) -> Iterable[str]:
    """What each place says by itself, and what it has too much or, where nothing waits, too little."""
    for line in lines:
        place = line.channel, line.partition or 0
        first, last = readings.first.get(place, NOTHING), readings.last.get(place, NOTHING)
        named = f"{line.channel}, partition {line.partition}"
        if last.difference:
            yield f"{named}: stitch has read {last.difference:+,} records more than it knows what became of"
        if readings.waiting.get(place, 0) < 0:
            yield f"{named}: stitch has read {-readings.waiting[place]:,} records more than the topic has"
        there = readings.held.events(place)
        if there > last.stored:
            yield f"{named}: {there - last.stored:,} interactions are in ClickHouse that stitch has not counted"
        elif there < first.stored and not readings.unstored.get(place[1], 0):
            yield f"{named}: {first.stored - there:,} interactions that stitch stored are not in ClickHouse"


def _unstored(readings: Readings) -> Iterable[str]:
    """Where the sink is behind: whether more is missing than what it has not read."""
    missing: dict[int, int] = defaultdict(int)
    for place in readings.places:
        missing[place[1]] += readings.last.get(place, NOTHING).stored - readings.held.events(place)
    for partition, most in sorted(readings.unstored.items()):
        if most and missing[partition] > most:
            yield (
                f"partition {partition}: {missing[partition]:,} interactions that stitch stored are not in ClickHouse, "
                f"and only {most:,} records are still to be stored"
            )


def _rekeyed(readings: Readings) -> Iterable[str]:
    """Whether all that left a partition has come to another, and nothing else has."""
    came_first, went_first = _totals(readings.first)
    came_last, went_last = _totals(readings.last)
    for channel in sorted({name for name, _ in readings.places}):
        before = readings.held.rekeyed.get(channel, 0)
        if (more := came_first[channel] - went_last[channel] - before) > 0:
            yield f"{channel}: {more:,} interactions came from another partition that none had sent"
        if (lost := went_first[channel] + before - came_last[channel]) > readings.unheard:
            yield f"{channel}: {lost:,} interactions that were sent to another partition did not get there"


def _totals(tallies: Mapping[Place, Tally]) -> tuple[dict[str, int], dict[str, int]]:
    """Channel → what came from other partitions, and what went to others."""
    came: dict[str, int] = defaultdict(int)
    went: dict[str, int] = defaultdict(int)
    for (channel, _), tally in tallies.items():
        came[channel] += tally.rekeyed_in
        went[channel] += tally.rekeyed_out
    return came, went
