"""The codec against fastavro as the oracle, and against broken bytes."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import avro, wire

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
CODEC = wire.Codec(SCHEMAS)
PARSED = {name: json.loads((SCHEMAS / "avro" / f"{name}.avsc").read_text()) for name in CODEC.names}

EVENT: dict[str, Any] = {
    "event_id": "e-1",
    "source": "shop",
    "type": "searched",
    "touchpoint": "site_search",
    "occurred_at": 1_763_853_000_000,
    "sent_at": 1_763_853_000_100,
    "received_at": None,
    "identifiers": {"anonymous": "c0ffee", "customer": "4711"},
    "session_id": "s-1",
    "goal": "",
    "issue": "",
    "about": "",
    "items": [{"product": "p1", "quantity": 2.0, "price": None, "name": "Kaffee für zwei"}],
    "answer": {"question": "nps", "value": 9.0, "min": 0.0, "max": 10.0},
    "measures": {"results": 12.0},
    "properties": {"query": "espresso machine " * 8},
    "consent": {"analysis": True, "service": False},
    "public": False,
    "details": {"url": "/search", "referrer": None, "device": "phone", "browser": None, "campaign": None},
}


def values(schema: Any, named: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Any value of a schema."""
    named = {} if named is None else named
    if isinstance(schema, list):
        return st.one_of([values(each, named) for each in schema])
    if isinstance(schema, str) and schema in named:
        return values(named[schema], named)
    kind = schema if isinstance(schema, str) else schema["type"]
    match kind:
        case "null":
            return st.none()
        case "string":
            return st.text(max_size=100)
        case "bytes":
            return st.binary(max_size=100)
        case "boolean":
            return st.booleans()
        case "int":
            return st.integers(-(1 << 31), (1 << 31) - 1)
        case "long":
            return st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(1_500_000_000_000, 1_900_000_000_000)
        case "double":
            return st.floats(allow_nan=False)
        case "array":
            return st.lists(values(schema["items"], named), max_size=4)
        case "map":
            return st.dictionaries(st.text(max_size=8), values(schema["values"], named), max_size=4)
        case "record":
            named[schema["name"]] = schema
            return st.fixed_dictionaries({f["name"]: values(f["type"], named) for f in schema["fields"]})
    raise AssertionError(kind)


def by_library(schema: Any, record: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


@pytest.mark.parametrize("name", CODEC.names)
@given(data=st.data())
def test_writes_and_reads_what_the_library_does(name: str, data: st.DataObject) -> None:
    record = data.draw(values(PARSED[name]))
    encoded = CODEC.encode(name, record)
    assert encoded[wire.HEADER :] == by_library(PARSED[name], record)
    assert CODEC.decode(encoded) == (name, record)


@given(data=st.data())
def test_broken_bytes_end_in_a_named_error_or_in_a_record_of_the_schema(data: st.DataObject) -> None:
    good = bytearray(CODEC.encode("interaction_web", EVENT))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        name, record = CODEC.decode(bytes(good))
    except wire.WireError:
        return
    assert name == "interaction_web"
    assert CODEC.decode(CODEC.encode(name, record))[1].keys() == record.keys()


@given(st.binary(max_size=200))
def test_any_bytes_after_a_known_header(body: bytes) -> None:
    with contextlib.suppress(wire.BrokenAvro):
        CODEC.decode(wire.header(PARSED["interaction_phone"]) + body)


def test_the_header_is_the_specifications() -> None:
    # The fingerprint of "int" is 0x7275d51a3f395c8f in Apache Avro's own test vectors; on the wire little-endian.
    assert wire.header("int") == bytes.fromhex("c301" + "8f5c393f1ad57572")


def test_every_cut_is_found() -> None:
    good = CODEC.encode("interaction_web", EVENT)
    for end in range(len(good)):
        with pytest.raises(wire.BrokenAvro):
            CODEC.decode(good[:end])


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", wire.BrokenAvro),
        (b'{"event_id": "e-1"}', wire.BrokenAvro),
        (b"\x00\x00\x00\x00\x01 a registry's", wire.UnknownSchema),
        (b"\x00\x00\x00", wire.BrokenAvro),
        (b"\xc3\x01\x00", wire.BrokenAvro),
        (b"\xc3\x01" + bytes(8), wire.UnknownSchema),
        (CODEC.encode("interaction_web", EVENT) + b"\x00", wire.BrokenAvro),
        (wire.header(PARSED["interaction_web"]) + b"\xff" * 100, wire.BrokenAvro),
        (wire.header(PARSED["interaction_web"]) + bytes(wire.EVENT_BYTES), wire.Oversize),
        (wire.header(PARSED["interaction_web"]) + b"\x08\xff\xfe\xff\xfe", wire.BrokenAvro),
    ],
    ids=["empty", "json", "confluent", "short-id", "short", "fingerprint", "trailing", "ones", "large", "not-utf8"],
)
def test_what_cannot_be_read(data: bytes, error: type[wire.WireError]) -> None:
    with pytest.raises(error):
        CODEC.decode(data)


@pytest.mark.parametrize("declared", [1 << 20, 1 << 40, (1 << 63) - 1, -1, -(1 << 63)])
def test_a_length_or_count_that_lies_allocates_nothing(declared: int) -> None:
    head = wire.header(PARSED["interaction_web"])
    number = by_library("long", declared)
    names = b"\x02e\x02s\x02t\x02p" + b"\x00" + b"\x00" + b"\x00"  # four names, occurred_at 0, two nulls
    for body in (number, names + number + b"\x02a\x02b\x00", names + b"\x02" + number):
        with pytest.raises(wire.BrokenAvro):
            CODEC.decode(head + body)


def test_maps_in_several_blocks_and_blocks_with_their_size() -> None:
    schema = {"type": "map", "values": "string"}
    read = avro.reader(schema, schema)
    blocks = b"\x02" + b"\x02a\x02x" + b"\x01\x08" + b"\x02b\x02y" + b"\x00"
    assert read(blocks, 0) == ({"a": "x", "b": "y"}, len(blocks))


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": None},
        {"event_id": 7},
        {"occurred_at": "now"},
        {"occurred_at": 1 << 63},
        {"occurred_at": 1.5},
        {"identifiers": None},
        {"identifiers": {"customer": 4711}},
        {"measures": {"a": "1"}},
        {"consent": {"ads": 1}},
        {"answer": {"question": "nps"}},
        {"details": {"url": "/", "colour": "red"}},
        {"items": [{"quantity": 1.0}]},
        {"properties": {"half": "\ud800"}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_does_not_fit_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(wire.Unfit):
        CODEC.encode("interaction_web", EVENT | change)


def test_a_missing_required_field_is_named() -> None:
    with pytest.raises(wire.Unfit, match="touchpoint"):
        CODEC.encode("interaction_web", {k: v for k, v in EVENT.items() if k != "touchpoint"})


def test_fields_with_a_default_may_be_missing() -> None:
    least = {k: EVENT[k] for k in ("event_id", "source", "type", "touchpoint", "occurred_at", "identifiers")}
    _, record = CODEC.decode(CODEC.encode("interaction_web", least | {"items": [{"product": "p1"}]}))
    assert record["session_id"] == ""
    assert record["details"] is None
    assert record["items"] == [{"product": "p1", "quantity": 1.0, "price": None, "name": ""}]
    # Defaults are not shared between records.
    assert CODEC.decode(CODEC.encode("interaction_web", least))[1]["properties"] == {}


def test_what_is_larger_than_its_schema_allows_is_not_written() -> None:
    with pytest.raises(wire.Oversize):
        CODEC.encode("interaction_web", EVENT | {"properties": {"a": "x" * wire.EVENT_BYTES}})
    rejected = {"id": "t/0/1", "topic": "t", "partition": 0, "offset": 1, "timestamp": 0, "reason": "oversize"}
    assert CODEC.encode("rejected", rejected | {"value": bytes(2 * wire.EVENT_BYTES)})


def test_an_unknown_schema_is_not_written() -> None:
    with pytest.raises(wire.UnknownSchema):
        CODEC.encode("interaction_television", EVENT)


def test_infinities_are_left_to_validation() -> None:
    _, record = CODEC.decode(CODEC.encode("interaction_web", EVENT | {"measures": {"a": math.inf}}))
    assert record["measures"]["a"] == math.inf


def schema_of(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "thing", "fields": list(fields)}


A = {"name": "a", "type": "string"}


def test_an_older_version_is_read_as_the_newest(tmp_path: Path) -> None:
    folder = tmp_path / "avro"
    (folder / "released").mkdir(parents=True)
    old = schema_of({"name": "gone", "type": "string"}, A, {"name": "n", "type": "int"})
    new = schema_of(
        A,
        {"name": "n", "type": ["null", "double"], "default": None},
        {"name": "more", "type": {"type": "map", "values": "string"}, "default": {}},
        {"name": "kind", "type": "string", "default": "new"},
    )
    (folder / "thing.avsc").write_text(json.dumps(new))
    (folder / "released" / "thing.1.avsc").write_text(json.dumps(old))
    data = wire.header(old) + by_library(old, {"gone": "x", "a": "y", "n": 3})
    codec = wire.Codec(tmp_path)
    record = codec.decode(data)[1]
    assert record == {"a": "y", "n": 3.0, "more": {}, "kind": "new"}
    record["more"]["spoilt"] = "x"
    assert codec.decode(data)[1]["more"] == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (schema_of(A), schema_of(A, {"name": "b", "type": "string"})),
        (schema_of(A), schema_of({"name": "a", "type": "long"})),
        (schema_of({"name": "a", "type": ["null", "string"]}), schema_of(A)),
        (schema_of({"name": "a", "type": "double"}), schema_of({"name": "a", "type": "long"})),
        (schema_of(A), schema_of(A) | {"name": "other"}),
    ],
    ids=["no-default", "other-type", "no-longer-null", "narrower", "renamed"],
)
def test_a_version_that_cannot_be_read_as_the_newest_is_refused_at_once(old: Any, new: Any) -> None:
    with pytest.raises(avro.Unsupported):
        avro.reader(old, new)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "long", "logicalType": "timestamp-millis"},
        ["null", "string", "long"],
        ["string", "null"],
        "float",
        {"type": "enum", "name": "e", "symbols": ["A"]},
        schema_of({"name": "next", "type": ["null", "thing"]}),
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused(schema: Any) -> None:
    with pytest.raises(avro.Unsupported):
        avro.writer(schema)


def test_a_folder_without_schemas(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        wire.Codec(tmp_path)
