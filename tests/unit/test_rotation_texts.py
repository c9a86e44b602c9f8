"""Renaming to another identifier key: messages, topics, tables, what identify knows, and what the store reads."""

from __future__ import annotations

import re
import types
import typing
from typing import Any

import msgspec
import pytest
from aiokafka import ConsumerRecord

from pipeline.domain import messages, orders, records
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Evidence, Message
from pipeline.domain.renaming import Renaming
from pipeline.identify import entries, erasing, forgetting, known, waiting
from pipeline.identify import orders as book
from pipeline.identify import records as remembered
from pipeline.rotate import known as rotate_known
from pipeline.rotate.outputs import OUTPUTS, order
from pipeline.rotate.tables import SEALS, NotRenamed, Table, renamed_row
from pipeline.settings import Settings
from pipeline.store.main import block
from pipeline.store.rows import IDENTITIES, TABLES
from pipeline.topics import IDENTIFY_CHANGELOG, STITCH_CHANGELOG, TOPICS
from pipeline.wire import Codec
from tests.interactions import made
from tests.rings import FIRST, NEW, OLD, RENAMING, SECOND, THIRD
from tests.unit.store.records import identity

CODEC = Codec(Settings().schemas)


def test_every_kind_of_record_that_identify_documents_can_be_renamed() -> None:
    documented = {
        kind.encode()
        for module in (entries, known, book, erasing, waiting)
        for row in re.findall(r"^\| (`\w.*?) \|", module.__doc__ or "", re.M)
        for kind in re.findall(r"`(\w)`", row)
    }
    assert documented == rotate_known.KINDS


@pytest.mark.parametrize(
    "key", [b"i%s", b"s%s\0session\0customer:1", b"dcustomer:1\0%s", b"pcustomer:1\0%s", b"k%s\0customer:1", b"a%s"]
)
def test_keys_of_identify_are_renamed(key: bytes) -> None:
    record = remembered.blank()
    record.above, record.joined, record.parted = {OLD: remembered.Edge(1)}, OLD, {OLD: "o1"}
    record.public = remembered.Tally({OLD: remembered.Edge(2)}, links=1)
    new, value = rotate_known.renamed(key % OLD.encode(), records.encode(record), RENAMING)
    assert new == key % NEW.encode()
    after = remembered.blank()
    after.above, after.joined, after.parted = {NEW: remembered.Edge(1)}, NEW, {NEW: "o1"}
    after.public = remembered.Tally({NEW: remembered.Edge(2)}, links=1)
    assert remembered.decode_record(value) == after


def test_what_identify_could_not_finish_is_renamed_and_begun_anew() -> None:
    page = records.encode((f"d\0{OLD}", False, True))
    assert rotate_known.renamed(b"v" + OLD.encode(), page, RENAMING) == (
        b"v" + NEW.encode(),
        records.encode(("", False, True)),
    )
    chore = forgetting.Chore([1, 1], [True], 5, place="d", after=OLD)
    key, value = rotate_known.renamed(b"j" + OLD.encode() + b"\0o1", records.encode(chore), RENAMING)
    assert key == b"j" + NEW.encode() + b"\0o1"
    assert forgetting.decode_chore(value) == forgetting.Chore([1, 1], [True], 5)
    key, value = rotate_known.renamed(b"c" + OLD.encode(), records.encode([FIRST.seal(OLD)]), RENAMING)
    assert (key, value) == (b"c" + NEW.encode(), records.encode([SECOND.seal(NEW)]))
    waiting_record = b"r" + bytes(16)
    said = Evidence("customer:1", OLD, 1, "", "shop", "e")
    key, value = rotate_known.renamed(waiting_record, messages.encode(said), RENAMING)
    assert (key, messages.decode_said(value)) == (waiting_record, Evidence("customer:1", NEW, 1, "", "shop", "e"))


def test_erasures_of_identify_are_found_by_the_new_seal() -> None:
    erasure = records.encode(remembered.Erasure(5, True, 1))
    assert rotate_known.renamed(b"z" + FIRST.seal(OLD), erasure, RENAMING) == (b"z" + SECOND.seal(NEW), erasure)
    plain = b"z" + FIRST.seal("customer:1")
    assert rotate_known.renamed(plain, erasure, RENAMING) == (plain, erasure)


def filled(kind: Any) -> Any:
    """A value of a type, with an old identifier wherever a text can stand."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or hasattr(kind, "_fields")):
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
    names_nobody = {"scores.touchpoints", "tallies", "routes", "definitions"}
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
        "by": [FIRST.seal(OLD).hex()],
    }
    renamed = msgspec.json.decode(order(msgspec.json.encode(record), RENAMING))
    assert renamed == {
        "kind": "erase",
        "said": {"person": NEW},
        "seals": [SECOND.seal(each).hex() for each in (NEW, "customer:1")],
        "by": [SECOND.seal(NEW).hex()],
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
        # Of an alert only the subject is part of its id: ids that name nobody stay as they are.
        names = ("subject",) if table.schema == "alert" else ("identifier", "person")
        assert table.who == next((name for name in names if name in fields), "")


def test_what_the_store_reads_again_is_older_and_renamed() -> None:
    def rows_of(identifier: str, offset: int, person: str) -> list[Any]:
        record = identity(identifier=identifier, owners=[person], person=person)
        value = CODEC.encode(IDENTITIES.schema, record)
        read = ConsumerRecord(IDENTITIES.topic, 0, offset, 0, 0, b"k", value, None, 1, len(value), ())
        return block(IDENTITIES, CODEC, 1, [read], RENAMING).columns

    names = IDENTITIES.column_names
    before = dict(zip(names, rows_of(OLD, 900, OLD), strict=True))
    after = dict(zip(names, rows_of(NEW, 5, NEW), strict=True))
    assert before["identifier"] == after["identifier"] == before["person"] == [NEW]
    assert before["version"] == [1 << 48 | 900]
    assert after["version"] == [2 << 48 | 5]
    assert dict(zip(names, rows_of("device:d", 7, OLD), strict=True))["version"] == [1 << 48 | 7]


def test_a_tombstone_of_an_old_key_takes_away_no_row_that_came_after_the_renaming() -> None:
    read = ConsumerRecord(IDENTITIES.topic, 0, 900, 0, 0, OLD.encode(), None, None, 1, 0, ())
    assert block(IDENTITIES, CODEC, 1, [read], RENAMING).gone == {NEW: 1 << 48 | 900}
