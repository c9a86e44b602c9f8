"""The ledger of small worlds: it adds up whatever happened, and does not once one event is lost or is too much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pipeline.domain.balance import Balance, Held, Place, Readings, balance, carried
from pipeline.domain.tallies import Tally

CHANNELS, PARTITIONS = ("web", "phone"), 2
PLACES = [(channel, number) for channel in CHANNELS for number in range(PARTITIONS)]
#: What may become of a record, and when: in the first reading, between the two, or not by then.
FATES = ("stored", "duplicates", "rejected", "refused", "astray", "under way", "waiting", "unstored", "erased")


@dataclass
class World:
    """What happened to each record, as the readings show it."""

    first: dict[Place, Tally] = field(default_factory=lambda: {place: Tally() for place in PLACES})
    last: dict[Place, Tally] = field(default_factory=lambda: {place: Tally() for place in PLACES})
    rows: Counter[Place] = field(default_factory=Counter)
    erased: Counter[Place] = field(default_factory=Counter)
    waiting: Counter[Place] = field(default_factory=Counter)
    unstored: Counter[int] = field(default_factory=Counter)

    def happen(self, place: Place, fate: str, when: int) -> None:
        channel, number = place
        other = channel, 1 - number
        if fate == "waiting":
            self.waiting[place] += 1
            return
        for tallies in (self.first, self.last)[when:]:
            tally = tallies[place]
            tally.read(tally.read_to)
            if fate in ("astray", "under way"):
                tally.rekeyed_out += 1
            if fate == "astray":
                tallies[other].rekeyed_in += 1
            if fate in ("duplicates", "rejected", "refused"):
                setattr(tally, fate, getattr(tally, fate) + 1)
            elif fate != "under way":
                tallies[other if fate == "astray" else place].stored += 1
        there = other if fate == "astray" else place
        if fate in ("stored", "astray"):
            self.rows[there] += 1
        elif fate == "erased":
            self.erased[there] += 1
        elif fate == "unstored":
            self.unstored[number] += 1

    def readings(self, under_way: int) -> Readings:
        held = Held(dict(self.rows), dict(self.erased))
        return Readings(self.first, held, self.last, dict(self.waiting), dict(self.unstored), under_way)


records = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(FATES), st.integers(0, 1)), max_size=40)


def world(drawn: Iterable[tuple[Place, str, int]]) -> Readings:
    """The readings of a world with these records."""
    made = World()
    drawn = list(drawn)
    for record in drawn:
        made.happen(*record)
    return made.readings(sum(fate == "under way" for _, fate, _ in drawn))


@given(records)
def test_it_adds_up_whatever_happens(drawn: list[tuple[Place, str, int]]) -> None:
    drawn_up = balance(world(drawn))
    assert drawn_up.findings == []
    for line in (*drawn_up.channels, *drawn_up.partitions):
        assert line.difference == 0
    for line in drawn_up.channels:
        mine = [fate for (channel, _), fate, _ in drawn if channel == line.channel]
        assert line.received == len(mine)
        assert line.in_flight == sum(fate in ("waiting", "under way", "unstored") for fate in mine)
        assert line.erased == sum(fate in ("refused", "erased") for fate in mine)
    assert drawn_up.moving == any(fate == "unstored" or (when == 1 and fate != "waiting") for _, fate, when in drawn)


def still(drawn: list[tuple[Place, str, int]]) -> Readings:
    """A world that is quiet: all that was read is stored, and nothing is on its way between partitions."""
    return world((place, fate, 0) for place, fate, _ in drawn if fate not in ("under way", "unstored"))


@given(records, st.sampled_from(PLACES), st.sampled_from([-1, 1]))
def test_one_event_too_few_or_too_many_is_found(drawn: list[tuple[Place, str, int]], place: Place, sign: int) -> None:
    readings = still(drawn)
    rows = {**readings.held.rows, place: readings.held.rows.get(place, 0) + sign}
    erased = {**readings.held.erased, place: readings.held.erased.get(place, 0) + sign}
    for held in (replace(readings.held, rows=rows), replace(readings.held, erased=erased)):
        found = balance(replace(readings, held=held))
        assert len(found.findings) == 1
        assert f"{place[0]}, partition {place[1]}: 1 interactions" in found.findings[0]
    for name in ("received", "stored", "duplicates", "rejected", "refused", "rekeyed_in", "rekeyed_out"):
        tally = readings.last[place]
        wrong = structs.replace(tally, **{name: getattr(tally, name) + sign})
        assert not _both(readings, {place: wrong}).adds_up, name


def _both(readings: Readings, changed: dict[Place, Tally]) -> Balance:
    return balance(replace(readings, first=readings.first | changed, last=readings.last | changed))


@given(records, st.sampled_from(CHANNELS), st.integers(0, 1))
def test_what_was_sent_to_another_partition_and_is_lost_or_made_up_is_found(
    drawn: list[tuple[Place, str, int]], channel: str, number: int
) -> None:
    readings, place = still(drawn), (channel, number)
    tally = readings.last[place]
    lost = structs.replace(tally, received=tally.received + 1, rekeyed_out=tally.rekeyed_out + 1)
    found = _both(readings, {place: lost})
    assert found.findings == [f"{channel}: 1 interactions that were sent to another partition did not get there"]
    unheard = replace(readings, first=readings.first | {place: lost}, last=readings.last | {place: lost}, unheard=1)
    assert balance(unheard).adds_up
    made_up = structs.replace(tally, rekeyed_in=tally.rekeyed_in + 1, duplicates=tally.duplicates + 1)
    found = _both(readings, {place: made_up})
    assert found.findings == [f"{channel}: 1 interactions came from another partition that none had sent"]


def test_while_the_sink_is_behind_no_more_may_be_missing_than_it_has_to_read() -> None:
    tallies = {("web", 0): Tally(read_to=3, received=3, stored=3), ("phone", 0): Tally(read_to=1, received=1, stored=1)}
    held = Held({("web", 0): 1}, {})

    def behind(most: int) -> Balance:
        return balance(Readings(tallies, held, tallies, {}, {0: most}))

    assert behind(3).adds_up
    assert behind(3).moving
    assert {line.channel: line.in_flight for line in behind(3).channels} == {"phone": 1, "web": 2}
    assert len(behind(2).findings) == 1
    assert len(behind(0).findings) == 2


@given(records, records)
def test_what_was_there_before_is_carried(
    before: list[tuple[Place, str, int]], drawn: list[tuple[Place, str, int]]
) -> None:
    """Counting begins anew while ClickHouse keeps all it has."""
    old, new = still(before), still(drawn)
    rows = Counter(old.held.rows) + Counter(new.held.rows)
    erased = Counter(old.held.erased) + Counter(new.held.erased)
    readings = replace(new, held=Held(rows, erased))
    events, rekeyed = carried(readings)
    assert {place: n for place, n in events.items() if n} == Counter(old.held.rows) + Counter(old.held.erased)
    assert not any(rekeyed.values())
    taken_over = balance(replace(readings, held=Held(rows, erased, events, rekeyed)))
    assert taken_over.adds_up
    assert all(line.difference == 0 for line in (*taken_over.channels, *taken_over.partitions))
    again = replace(readings, held=Held(rows, erased, events, rekeyed))
    assert carried(again) == (events, rekeyed)


def test_what_came_in_from_before_counting_began_is_carried() -> None:
    tally = {("web", 1): Tally(rekeyed_in=2, stored=2)}
    readings = Readings(tally, Held({("web", 1): 2}, {}), tally, {}, {})
    assert balance(readings).findings == ["web: 2 interactions came from another partition that none had sent"]
    assert carried(readings) == ({("web", 1): 0}, {"web": 2})
    drawn = balance(replace(readings, held=replace(readings.held, rekeyed={"web": 2})))
    assert drawn.adds_up
    assert [line.difference for line in (*drawn.channels, *drawn.partitions)] == [0, 0]


def test_rows_that_stand_twice_count_once() -> None:
    tally = {("web", 0): Tally(read_to=2, received=2, stored=1, duplicates=1)}
    held = Held({("web", 0): 2}, {})
    assert not balance(Readings(tally, held, tally, {}, {})).adds_up
    assert balance(Readings(tally, replace(held, repeated={("web", 0): 1}), tally, {}, {})).adds_up


@pytest.mark.parametrize("waiting", [-1, -5])
def test_a_topic_that_ends_before_what_was_read_is_found(waiting: int) -> None:
    tally = {("web", 0): Tally(read_to=6, received=6, stored=6)}
    readings = Readings(tally, Held({("web", 0): 6}, {}), tally, {("web", 0): waiting}, {})
    assert balance(readings).findings == [
        f"web, partition 0: stitch has read {-waiting} records more than the topic has"
    ]
