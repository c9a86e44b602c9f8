"""Changes on their way into ClickHouse: what anybody may have written is judged, and a bad one stops nobody."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import ConsumerRecord

from pipeline import wire
from pipeline.settings import Settings
from pipeline.store import rows
from pipeline.store.main import block
from pipeline.store.rows import Block, Grounds
from tests.collecting import NOON
from tests.unit.domain.test_changes import said
from tests.unit.store.test_observations import table_rows

CODEC = wire.Codec(Settings().schemas)


def made(*values: bytes | None) -> Block:
    records = [
        ConsumerRecord("changes", 0, n, NOON, 1, b"k", value, None, 1, len(value or b""), ())
        for n, value in enumerate(values)
    ]
    return block(rows.CHANGES, CODEC, 1, records, grounds=Grounds("US"))


def encoded(**changes: Any) -> bytes:
    return CODEC.encode("change", said(**changes))


def test_a_change_becomes_a_row() -> None:
    told = made(encoded(what="ring (415) 555-0163"))
    assert table_rows(rows.CHANGES, told.columns) == [said(what="ring [phone]", version=1 << 48)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"junk", "broken_avro"),
        (encoded(what=""), "missing_field"),
        (encoded(changed_on=-5), "absurd_time"),
        (encoded(recorded_by="Jo Smith"), "bad_value"),
        (encoded(touchpoint="customer:4711"), "bad_value"),
    ],
)
def test_a_bad_one_is_set_aside_by_its_reason(value: bytes | None, reason: str) -> None:
    told = made(encoded(change_id="before"), value, encoded(change_id="after"))
    assert [row["change_id"] for row in table_rows(rows.CHANGES, told.columns)] == ["before", "after"]
    (letter,) = table_rows(rows.REJECTED, told.refused)
    assert (letter["id"], letter["reason"]) == ("changes/0/1", reason)
