"""Observations on their way into ClickHouse: what anybody may have written is judged, and a bad one stops nobody."""

from __future__ import annotations

import math
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from pipeline import wire
from pipeline.settings import Settings
from pipeline.store import rows
from pipeline.store.main import block
from pipeline.store.rows import Block
from tests.collecting import NOON
from tests.observing import observed

from .records import entry

CODEC = wire.Codec(Settings().schemas)
AT = NOON + 5


def record(offset: int, value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord("observations", 3, offset, AT, 1, b"k", value, None, 1, len(value or b""), ())


def made(*values: bytes | None) -> Block:
    records = [record(n, value) for n, value in enumerate(values)]
    return block(rows.OBSERVATIONS, CODEC, 1, records, grounds=rows.Grounds("US"))


def encoded(**changes: Any) -> bytes:
    return CODEC.encode("observation", observed(**changes))


def table_rows(table: rows.Table, columns: list[rows.Column] | None) -> list[dict[str, Any]]:
    assert columns is not None
    assert len({len(column) for column in columns}) == 1
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def test_an_observation_becomes_a_row() -> None:
    told = made(encoded(), encoded(received_at=NOON + 1, kind="staff", note="call (415) 555-0163"))
    assert told.refused is None
    one, two = table_rows(rows.OBSERVATIONS, told.columns)
    assert one == observed(received_at=AT, version=1 << 48)
    assert (two["received_at"], two["kind"], two["note"], two["version"]) == (
        *(NOON + 1, "staff", "call [phone]"),
        1 << 48 | 1,
    )


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, "tombstone", ""),
        (b"junk", "broken_avro", "no Avro of ours"),
        (encoded()[:-1], "broken_avro", "cut"),
        (wire.MAGIC + bytes(8), "unknown_schema", "fingerprint"),
        (CODEC.encode("timeline_entry", entry()), "unknown_schema", "timeline_entry does not belong on this topic"),
        (encoded(kind="rumour"), "bad_value", "kind: none of staff, system"),
        (encoded(value=math.nan), "bad_value", "value: not a finite number"),
        (encoded(observed_at=-(1 << 63)), "absurd_time", "observed_at"),
        (encoded(source="jo@example.com"), "bad_value", "source: stands for a customer"),
        (encoded(note="x" * 9_000), "oversize", "note: longer than"),
    ],
)
def test_a_bad_one_is_set_aside_by_its_reason(value: bytes | None, reason: str, detail: str) -> None:
    told = made(encoded(observation_id="before"), value, encoded(observation_id="after"))
    assert [row["observation_id"] for row in table_rows(rows.OBSERVATIONS, told.columns)] == ["before", "after"]
    (letter,) = table_rows(rows.REJECTED, told.refused)
    assert letter == letter | {
        "id": "observations/3/1",
        "topic": "observations",
        "partition": 3,
        "offset": 1,
        "time": AT,
        "reason": reason,
        "value_bytes": None if value is None else len(value),
        "version": 1 << 48 | 1,
    }
    assert detail in letter["detail"]
    assert not any(isinstance(each, bytes) for each in letter.values())


def test_a_batch_of_bad_ones_has_something_to_do() -> None:
    told = made(b"junk")
    assert told
    assert not told.columns[0]
