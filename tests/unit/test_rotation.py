"""Renaming to another identifier key: what stood under the old one is as if it had always been under the new one."""

from __future__ import annotations

import asyncio
import re
import types
import typing
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import ConsumerRecord

from pipeline.domain import messages, orders, records, rollup
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assigned, Assignment, Erased, Evidence, Message, Misfiled, receiver
from pipeline.domain.profile import Work
from pipeline.domain.renaming import Renaming
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from pipeline.engine.batch import Sent
from pipeline.identify import erasing, known
from pipeline.identify import orders as book
from pipeline.partition import partition_of
from pipeline.rotate import known as rotate_known
from pipeline.rotate import profiles, state
from pipeline.rotate.outputs import OUTPUTS, order
from pipeline.rotate.rewriting import Copy
from pipeline.rotate.tables import SEALS, NotRenamed, Table, renamed_row
from pipeline.settings import Settings
from pipeline.store.main import columns
from pipeline.store.rows import IDENTITIES, TABLES
from pipeline.topics import IDENTIFY_CHANGELOG, STITCH_CHANGELOG, TOPICS, TOUCHPOINT_SCORES
from pipeline.wire import Codec
from tests.interactions import HOUR, NOON, SCORING, made
from tests.unit.store.records import identity

KEYS = {"k1": b"1" * 32, "k2": b"2" * 32, "k10": b"3" * 32}
FIRST, SECOND, THIRD = (Keyring(KEYS, name, b"s" * 32) for name in KEYS)
RENAMING = Renaming(SECOND)
OLD = FIRST.keyed("phone", "+12025550142")
NEW = SECOND.keyed("phone", "+12025550142")
CODEC = Codec(Settings().schemas)
PARTITIONS = 8
RULES = Rules(scoring=SCORING, view_size=3, spare=0, alias_sessions=4)


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
        event(erased, 100 + number, touchpoint=GONE)
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
    """The records of each partition but the cells: those under seals, or those of profiles."""
    return [{k: v for k, v in data.items() if k[:1] != rollup.PREFIX and (k[:1] in state.SEALED) == sealed}
            for data in states]  # fmt: skip


def rename(copy: Copy, ring: Keyring, broker: Broker) -> None:
    asyncio.run(state.rename_profiles(copy, dict.fromkeys(range(PARTITIONS), broker), ring, CODEC, never))


def check(copy: Copy, expected: list[dict[bytes, bytes]]) -> None:
    found = [dict(store.everything()) for store in copy.stores]
    assert others(found, sealed=False) == others(expected, sealed=False)
    assert cells(found) == cells(expected)
    for mine, wanted in zip(others(found, sealed=True), others(expected, sealed=True), strict=True):
        assert wanted.items() <= mine.items()
    kinds = {profiles.parts(key)[1] for data in expected for key in data if key[:1] == records.PROFILE}
    assert kinds == profiles.KINDS
    assert {key[:1] for data in expected for key in data} - {records.PROFILE, rollup.PREFIX} == state.SEALED


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
            assert key == f"{row['window_start']}|{row['touchpoint']}|{row['channel']}|{number}|1".encode()
            assert row["partition"] == number
            published[number, f"c{row['window_start']}|{row['channel']}|1|{row['touchpoint']}".encode()] = row[
                "interactions"
            ]
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
    assert single == profiles.KINDS | state.SEALED | {records.PROFILE}


# What identify knows, messages, topics, tables.


def test_every_kind_of_record_that_identify_documents_can_be_renamed() -> None:
    documented = {
        kind.encode()
        for module in (known, book, erasing)
        for kind in re.findall(r"^\| `(\w)`", module.__doc__ or "", re.M)
    }
    assert documented == rotate_known.KINDS


@pytest.mark.parametrize("key", [b"i%s", b"s%s\0session\0customer:1", b"dcustomer:1\0%s", b"k%s\0customer:1", b"a%s"])
def test_keys_of_identify_are_renamed(key: bytes) -> None:
    record = known.Record(above={OLD: known.Edge(1)}, joined=OLD, parted={OLD: "o1"})
    new, value = rotate_known.renamed(key % OLD.encode(), records.encode(record), RENAMING)
    assert new == key % NEW.encode()
    assert known.decode_record(value) == known.Record(above={NEW: known.Edge(1)}, joined=NEW, parted={NEW: "o1"})


def test_erasures_of_identify_are_found_by_the_new_seal() -> None:
    erasure = records.encode(known.Erasure(5, True, 1))
    assert rotate_known.renamed(b"z" + FIRST.seal(OLD), erasure, RENAMING) == (b"z" + SECOND.seal(NEW), erasure)
    plain = b"z" + FIRST.seal("customer:1")
    assert rotate_known.renamed(plain, erasure, RENAMING) == (plain, erasure)


def filled(kind: Any) -> Any:
    """A value of a type, with an old identifier wherever a text can stand."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{name: filled(each) for name, each in typing.get_type_hints(kind).items()})
    if origin in (typing.Union, types.UnionType):
        return filled(inner[0])
    if origin is tuple:
        return tuple(filled(each) for each in inner if each is not Ellipsis)
    if origin is list:
        return [filled(inner[0])]
    if origin is dict:
        return {filled(inner[0]): filled(inner[1])}
    return {str: OLD, int: 7, float: 2.0, bool: True, bytes: b"b"}[kind]


@pytest.mark.parametrize("kind", [*typing.get_args(Message), Evidence, *typing.get_args(orders.Order)])
def test_every_message_is_renamed_whole(kind: Any) -> None:
    value = filled(kind)
    renamed = RENAMING.packed(messages.encode(value))
    decoded = msgspec.msgpack.Decoder(kind).decode(renamed)
    assert messages.encode(decoded).replace(NEW.encode(), OLD.encode()) == messages.encode(value)
    assert OLD.encode() not in renamed


def test_numbers_and_bytes_keep_their_types() -> None:
    x = made(OLD, measures={"wait_s": 3.0}, details={"wait_s": 3, "outcome": True, "share": 1.0})
    renamed = msgspec.msgpack.Decoder(Interaction).decode(RENAMING.packed(records.encode(x)))
    assert renamed == msgspec.structs.replace(x, identifier=NEW)
    assert [type(each) for each in renamed.details.values()] == [int, bool, float]
    assert type(renamed.measures["wait_s"]) is float


def test_only_old_identifiers_are_renamed() -> None:
    text = f"{OLD} is {OLD}|2, not {NEW}, k1.{'0a' * 16}, staff:k1.{'0a' * 16}, phone:k1.0a"
    assert RENAMING.text(text) == text.replace(OLD, NEW)
    assert Renaming(FIRST).text(text) == text
    assert RENAMING.packed(b"\xc1 not MessagePack") == b"\xc1 not MessagePack"
    assert Renaming(THIRD).text(f"{OLD} {NEW}") == " ".join([THIRD.keyed("phone", "+12025550142")] * 2)


def test_every_compacted_topic_is_renamed_or_names_nobody() -> None:
    names_nobody = {"scores.touchpoints", "routes"}
    ages_out = {"interactions.rejected"}
    compacted = {topic.name for topic in TOPICS if "compact" in topic.cleanup}
    assert (
        compacted
        == {each.topic.name for each in OUTPUTS}
        | {STITCH_CHANGELOG.name, IDENTIFY_CHANGELOG.name}
        | names_nobody
        | ages_out
    )
    for output in OUTPUTS:
        if output.who:
            assert output.who in {field["name"] for field in CODEC.schema(output.topic.schema)["fields"]}


def test_orders_and_the_seals_of_the_erased_are_renamed() -> None:
    record = {
        "kind": "erase",
        "said": {"person": OLD},
        "seals": [FIRST.seal(each).hex() for each in (OLD, "customer:1")],
    }
    renamed = msgspec.json.decode(order(msgspec.json.encode(record), RENAMING))
    assert renamed == {
        "kind": "erase",
        "said": {"person": NEW},
        "seals": [SECOND.seal(each).hex() for each in (NEW, "customer:1")],
    }


TABLE = Table(
    "audit",
    (("audit_id", "String"), ("links", "Array(String)"), ("subjects", "Array(String)"), ("n", "UInt8")),
    "audit_id",
)


@pytest.fixture
def seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEALS, "audit", ("subjects",))


@pytest.mark.usefixtures("seals")
def test_rows_are_renamed_in_texts_arrays_maps_and_seals() -> None:
    row = [f"stands_alone|{OLD}", [OLD, "customer:1"], [FIRST.seal(OLD).hex(), FIRST.seal("customer:1").hex()], 5]
    expected = [
        f"stands_alone|{NEW}",
        [NEW, "customer:1"],
        [SECOND.seal(NEW).hex(), SECOND.seal("customer:1").hex()],
        5,
    ]
    assert renamed_row(TABLE, row, RENAMING) == expected
    assert renamed_row(TABLE, expected, RENAMING) == expected


@pytest.mark.usefixtures("seals")
def test_a_row_that_would_keep_an_old_identifier_is_not_given_up() -> None:
    with pytest.raises(NotRenamed):
        renamed_row(TABLE, [OLD.encode(), [], [], 5], RENAMING)


@pytest.mark.usefixtures("seals")
def test_rows_are_looked_for_in_every_column_that_can_hold_a_text() -> None:
    table = Table(
        "t",
        (
            ("a", "String"),
            ("b", "LowCardinality(String)"),
            ("c", "Map(String, String)"),
            ("d", "UInt64"),
            ("e", "Array(Tuple(x String, y Float64))"),
        ),
        "a",
    )
    condition = table.condition("P", 1)
    assert re.findall(r"match\((?:toString\()?(\w)", condition) == ["a", "b", "c", "e"]
    assert "toString(c)" in condition
    assert "'01'" in TABLE.condition("P", 1)
    assert Table("t", (("d", "UInt64"),), "d").condition("P", 1) == ""


def test_fields_of_seals_are_named_and_keyed_fields_say_whose_they_are() -> None:
    for table in TABLES:
        fields = {field["name"]: str(field.get("doc", "")) for field in CODEC.schema(table.schema)["fields"]}
        assert table.seals == tuple(name for name, doc in fields.items() if "seal" in doc)
        assert table.who == next((name for name in ("identifier", "person") if name in fields), "")


def test_what_the_store_reads_again_is_older_and_renamed() -> None:
    def rows_of(identifier: str, offset: int, person: str) -> list[Any]:
        record = identity(identifier=identifier, owners=[person], person=person)
        value = CODEC.encode(IDENTITIES.schema, record)
        read = ConsumerRecord(IDENTITIES.topic, 0, offset, 0, 0, b"k", value, None, 1, len(value), ())
        return columns(IDENTITIES, CODEC, 1, [read], RENAMING)

    names = IDENTITIES.column_names
    before = dict(zip(names, rows_of(OLD, 900, OLD), strict=True))
    after = dict(zip(names, rows_of(NEW, 5, NEW), strict=True))
    assert before["identifier"] == after["identifier"] == before["person"] == [NEW]
    assert before["version"] == [1 << 48 | 900]
    assert after["version"] == [2 << 48 | 5]
    assert dict(zip(names, rows_of("device:d", 7, OLD), strict=True))["version"] == [1 << 48 | 7]
