"""Renaming to another identifier key: what stood under the old one is as if it had always been under the new one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.domain import records, rollup, tallies
from pipeline.domain.identifiers import Keyring
from pipeline.domain.messages import Assigned, Assignment, Erased, Judging, Message, Misfiled, encode, receiver
from pipeline.domain.profile import Work
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from pipeline.engine.batch import Sent
from pipeline.partition import partition_of
from pipeline.rotate import known as rotate_known
from pipeline.rotate import profiles, state
from pipeline.rotate.rewriting import Copy
from pipeline.settings import Settings
from pipeline.topics import IDENTIFY_CHANGELOG, STITCH_CHANGELOG, TOUCHPOINT_SCORES
from pipeline.wire import Codec
from tests.interactions import HOUR, NOON, SCORING, made
from tests.rings import FIRST, NEW, OLD, RENAMING, SECOND, THIRD

CODEC = Codec(Settings().schemas)
PARTITIONS = 8
RULES = Rules(scoring=SCORING, view_size=3, spare=0, alias_sessions=4, beside=replace(SCORING, version=2))
JUDGING = encode(Judging(3, 1, 2))


def never(_what: str, _looked: int) -> None:
    """Progress that nobody reads."""


class Killed(Exception):
    """The command was killed."""


class Broker:
    """Commits, until it is killed."""

    def __init__(self, commits: int = 1_000_000) -> None:
        self.left = commits
        self.sent: list[tuple[str, int, Sent]] = []

    async def commit(
        self, sent: Mapping[tuple[str, int], Sequence[Sent]], group: str, positions: Mapping[Any, int]
    ) -> object:
        if not self.left:
            raise Killed
        self.left -= 1
        self.sent += [(*place, record) for place, each in sent.items() for record in each]
        return None


# Profiles.

GONE = "gone"  # where only the erased was: what is counted there stays on the partition where it was counted
ERASED_KEY = tallies.state_key("message")  # the channel that only they used
COUNTS = (rollup.PREFIX, tallies.PREFIX)
OTHER_MESSAGES = 5  # that are no events

PEOPLE = (
    ("phone", "+12025550142"),
    ("phone", "+12025550199"),
    ("email", "ann@example.com"),
    ("customer", "ann@example.com"),
    ("email", "bob@example.com"),
)


def told(ring: Keyring) -> list[Message]:
    """What profiles were told, with the identifiers of a ring: every kind of record comes of it."""
    phone, other, email, hidden, erased = (ring.keyed(*each) for each in PEOPLE)
    told: list[Message] = []

    def event(identifier: str, number: int, **more: Any) -> None:
        x = made(identifier, f"e{number}", at=NOON + number * HOUR, received=number * HOUR, **more)
        told.append(Misfiled(msgspec.structs.replace(x, digest=number)))

    for number in range(8):
        event(phone, number, type="call_ended", measures={"wait_s": 30.0}, channel="phone", session_id=f"c{number}")
        event("customer:1", 20 + number, links=(email, phone, "device:d"), session_id=f"s{number}")
        event("device:d", 40 + number, type="goal_completed", session_id=f"s{number}")
        event(hidden, 60 + number, links=(other,), masks={other: "+1 ••• ••99"})
        event(email, 80 + number, type="complaint_opened", links=(phone,))
        event(erased, 100 + number, touchpoint=GONE, channel="message")
    told += [
        Assigned("device:d", Assignment(1, (phone, hidden), NOON + 44 * HOUR, {"s1": hidden}, (hidden, phone), True)),
        Assigned(phone, Assignment(2, ("customer:1",))),
        Assigned(email, Assignment(3, (phone,))),
        Assigned(email, Assignment(4, ("customer:1",))),  # so phone hears that nothing of it is its own any more
        Erased(erased, NOON + 500 * HOUR, blocked=True, order=1),
    ]
    return told


def stored(ring: Keyring) -> list[dict[bytes, bytes]]:
    """The state of all partitions when everything that was told is settled, in one order."""
    states = [DictState() for _ in range(PARTITIONS)]
    for each in states:
        each.put(records.JUDGING, JUDGING)
    waiting = deque(told(ring))
    while waiting:
        message = waiting.popleft()
        work = Work(states[partition_of(receiver(message), PARTITIONS)], RULES, seal=ring.seal)
        work.advance(message)
        for _ in work.close():
            pass
        work.rollup.write()
        waiting += work.step.messages
    return [each.data for each in states]


def copied(home: Path, states: Sequence[Mapping[bytes, bytes]]) -> Copy:
    topic = STITCH_CHANGELOG if len(states) > 1 else IDENTIFY_CHANGELOG
    copy = Copy(Settings(home=home, partitions=len(states)), topic)
    for store, data in zip(copy.stores, states, strict=True):
        store.write(data.items(), store.standing)
    return copy


def cells(states: Sequence[Mapping[bytes, bytes]]) -> list[dict[bytes, rollup.Cell]]:
    """The cells of each partition that count anything, but those of the erased."""
    decode = msgspec.msgpack.Decoder(rollup.Cell).decode
    every = [{k: decode(v) for k, v in data.items() if k.startswith(rollup.PREFIX)} for data in states]
    return [{k: c for k, c in each.items() if c != rollup.Cell() and not k.endswith(GONE.encode())} for each in every]


def others(states: Sequence[Mapping[bytes, bytes]], sealed: bool) -> list[dict[bytes, bytes]]:
    """The records of each partition but the counts: those under seals, or those of profiles."""
    return [{k: v for k, v in data.items() if k[:1] not in COUNTS and (k[:1] in state.SEALED) == sealed}
            for data in states]  # fmt: skip


def tallied(states: Sequence[Mapping[bytes, bytes]]) -> list[dict[bytes, tallies.Tally]]:
    """The tallies of each partition."""
    return [{k: tallies.decode(v) for k, v in data.items() if k.startswith(tallies.PREFIX)} for data in states]


def moved_from_home(found: list[dict[bytes, tallies.Tally]], expected: list[dict[bytes, tallies.Tally]]) -> None:
    """Each tally adds up, what went out came in, and stored is what is stored there, or was until it was erased."""
    for data in (*found, *expected):
        assert [each.difference for each in data.values()] == [0] * len(data)
    for mine, wanted in zip(found, expected, strict=True):
        assert {k: t.stored for k, t in mine.items() if t.stored and k != ERASED_KEY} == {
            k: t.stored for k, t in wanted.items() if t.stored and k != ERASED_KEY
        }
    every = [each for data in found for each in data.values()]
    came_from_outside = len(told(FIRST)) - OTHER_MESSAGES
    assert sum(t.rekeyed_in for t in every) - sum(t.rekeyed_out for t in every) == came_from_outside


def rename(copy: Copy, ring: Keyring, broker: Broker) -> None:
    asyncio.run(state.rename_profiles(copy, dict.fromkeys(range(PARTITIONS), broker), ring, CODEC, never))


def check(copy: Copy, expected: list[dict[bytes, bytes]]) -> None:
    found = [dict(store.everything()) for store in copy.stores]
    assert others(found, sealed=False) == others(expected, sealed=False)
    assert cells(found) == cells(expected)
    moved_from_home(tallied(found), tallied(expected))
    for mine, wanted in zip(others(found, sealed=True), others(expected, sealed=True), strict=True):
        assert wanted.items() <= mine.items()
    kinds = {profiles.parts(key)[1] for data in expected for key in data if key[:1] == records.PROFILE}
    assert kinds == profiles.KINDS
    assert {key[:1] for data in expected for key in data} - {records.PROFILE, records.JUDGING, *COUNTS} == state.SEALED
    assert {data[records.JUDGING] for data in found} == {JUDGING}


def test_renamed_profiles_are_as_if_they_had_always_had_that_key(tmp_path: Path) -> None:
    copy = copied(tmp_path, stored(FIRST))
    homes = [[partition_of(ring.keyed(*each), PARTITIONS) for each in PEOPLE] for ring in (FIRST, SECOND)]
    assert all(before != after for before, after in zip(*homes, strict=True))
    rename(copy, SECOND, Broker())
    check(copy, stored(SECOND))
    rename(copy, THIRD, Broker())
    check(copy, stored(THIRD))
    copy.close()


def test_a_renaming_that_was_killed_goes_on_from_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.rotate.rewriting.RECORDS_MAX", 1)
    copy = copied(tmp_path, stored(FIRST))
    kills = 0
    while kills < 1_000:
        try:
            rename(copy, SECOND, Broker(commits=7))
            break
        except Killed:
            kills += 1
    assert 5 < kills < 1_000
    check(copy, stored(SECOND))
    copy.close()


def test_a_second_renaming_changes_nothing(tmp_path: Path) -> None:
    copy = copied(tmp_path, stored(FIRST))
    rename(copy, SECOND, Broker())
    again = Broker()
    rename(copy, SECOND, again)
    assert again.sent == []
    copy.close()


def test_cells_are_published_as_they_stand_in_the_end(tmp_path: Path) -> None:
    copy, broker = copied(tmp_path, stored(FIRST)), Broker()
    rename(copy, SECOND, broker)
    published: dict[tuple[int, bytes], int] = {}
    for topic, number, (_, key, value) in broker.sent:
        if topic == TOUCHPOINT_SCORES.name:
            row = CODEC.decode(value or b"")[1]
            assert (
                key
                == f"{row['window_start']}|{row['touchpoint']}|{row['channel']}|{number}|{row['definition']}".encode()
            )
            assert row["partition"] == number
            cell = f"c{row['window_start']}|{row['channel']}|{row['definition']}|{row['touchpoint']}".encode()
            published[number, cell] = row["interactions"]
    before, after = cells(stored(FIRST)), cells([dict(store.everything()) for store in copy.stores])
    changed = {
        (n, key)
        for n in range(PARTITIONS)
        for key in before[n].keys() | after[n].keys()
        if before[n].get(key) != after[n].get(key)
    }
    assert changed
    assert changed <= published.keys()
    for (number, key), count in published.items():
        assert count == after[number].get(key, rollup.Cell()).interactions
    copy.close()


def test_of_two_records_under_one_seal_the_stricter_remains(tmp_path: Path) -> None:
    key = records.ERASURE + FIRST.seal(OLD)
    says = [
        records.Erasure(before, blocked, number)
        for before, blocked, number in ((9, False, 1), (5, True, 2), (7, False, 0))
    ]
    copy = copied(
        tmp_path, [{key: records.encode(each)} for each in says] + [{} for _ in range(PARTITIONS - len(says))]
    )
    rename(copy, SECOND, Broker())
    home = copy.stores[partition_of(NEW, PARTITIONS)]
    found = home.get(records.ERASURE + SECOND.seal(NEW))
    assert found is not None
    assert records.decode_erasure(found) == records.Erasure(9, True, 2)
    copy.close()


def test_an_unknown_record_stops_the_renaming(tmp_path: Path) -> None:
    with pytest.raises(profiles.UnknownRecord):
        list(profiles.renamed([(b"pcustomer:1\0?", b"\x90")], RENAMING))
    with pytest.raises(profiles.UnknownRecord):
        rotate_known.renamed(b"?x", b"\x90", RENAMING)
    copy = copied(tmp_path, [{b"?": b"\x90"}, *({} for _ in range(PARTITIONS - 1))])
    with pytest.raises(profiles.UnknownRecord):
        rename(copy, SECOND, Broker())
    copy.close()


def test_every_kind_of_profile_record_can_be_renamed() -> None:
    single = {v for n, v in vars(records).items() if n.isupper() and isinstance(v, bytes)}
    assert single == profiles.KINDS | state.SEALED | {records.PROFILE, records.JUDGING}
