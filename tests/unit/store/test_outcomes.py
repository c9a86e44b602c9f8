"""Outcomes on their way into ClickHouse: anybody's are judged, a bad one stops nobody, and nobody erased comes back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from pipeline import wire
from pipeline.domain.identifiers import Keyring
from pipeline.domain.recalled import Recalled
from pipeline.settings import Settings
from pipeline.store import rows
from pipeline.store.main import block
from pipeline.store.rows import Block, Grounds
from tests.collecting import NOON
from tests.outcomes import sent
from tests.unit.store.test_observations import table_rows

CODEC = wire.Codec(Settings().schemas)
KEYRING = Keyring({"k1": bytes(range(32)), "k2": bytes(range(1, 33))}, "k2", bytes(range(32, 64)))
AT = NOON + 5
PHONE = "+12025550142"


def made(*values: bytes | None, erased: Recalled | None = None) -> Block:
    records = [
        ConsumerRecord("outcomes", 3, n, AT, 1, b"k", value, None, 1, len(value or b""), ())
        for n, value in enumerate(values)
    ]
    return block(rows.OUTCOMES, CODEC, 1, records, grounds=Grounds("US", KEYRING, erased or Recalled()))


def encoded(**changes: Any) -> bytes:
    return CODEC.encode("outcome", sent(**changes))


def test_an_outcome_becomes_a_row_of_its_strongest_identifier() -> None:
    told = made(encoded(), encoded(kind="churn", amount=None, currency="", received_at=NOON + 1))
    assert told.refused is None
    one, two = table_rows(rows.OUTCOMES, told.columns)
    row = sent(identifier="customer:4711", session_id="", received_at=AT, version=1 << 48)
    del row["identifiers"]
    assert one == row
    assert (two["amount"], two["currency"], two["received_at"], two["version"]) == (None, "", NOON + 1, 1 << 48 | 1)


def test_nobody_stands_there_in_clear_or_under_an_older_key() -> None:
    before = Keyring({"k1": bytes(range(32))}, "k1").resolve("phone", PHONE, "US").identifier
    keyed = KEYRING.resolve("phone", PHONE, "US").identifier
    told = made(encoded(identifiers={"phone": PHONE}), encoded(identifiers={"phone": before.removeprefix("phone:")}))
    assert [row["identifier"] for row in table_rows(rows.OUTCOMES, told.columns)] == [keyed, keyed]
    assert KEYRING.resolve.cache_info().currsize == 0, "nothing of them is remembered"


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, "tombstone", ""),
        (b"junk", "broken_avro", "no Avro of ours"),
        (encoded()[:-1], "broken_avro", "cut"),
        (wire.MAGIC + bytes(8), "unknown_schema", "fingerprint"),
        (encoded(kind="rumour"), "bad_value", "kind: none of"),
        (encoded(amount=-math.inf), "bad_value", "amount: not a finite number"),
        (encoded(amount=5.0), "bad_value", "amount: a refund costs"),
        (encoded(identifiers={}), "no_identifier", "identifiers: empty"),
        (encoded(identifiers={"phone": "12"}), "bad_identifier", "identifiers.phone"),
        (encoded(occurred_at=-(1 << 63)), "absurd_time", "occurred_at"),
        (encoded(source="customer:4711"), "bad_value", "source: stands for a customer"),
        (encoded(outcome_id="x" * 9_000), "oversize", "outcome_id: longer than"),
    ],
)
def test_a_bad_one_is_set_aside_by_its_reason(value: bytes | None, reason: str, detail: str) -> None:
    told = made(encoded(outcome_id="before"), value, encoded(outcome_id="after"))
    assert [row["outcome_id"] for row in table_rows(rows.OUTCOMES, told.columns)] == ["before", "after"]
    (letter,) = table_rows(rows.REJECTED, told.refused)
    assert (letter["id"], letter["topic"], letter["reason"]) == ("outcomes/3/1", "outcomes", reason)
    assert detail in letter["detail"]
    assert not any(isinstance(each, bytes) for each in letter.values())


def test_who_was_erased_is_not_kept_and_the_others_are() -> None:
    erased = Recalled()
    seal = KEYRING.seal("customer:4711").hex()
    erased.hear(f'{{"kind": "erase", "before": {NOON + 1}, "seals": ["{seal}"]}}'.encode())
    others = encoded(outcome_id="else", identifiers={"customer": "4712"})
    told = made(
        encoded(), others, encoded(outcome_id="later", occurred_at=NOON + 1, received_at=NOON + 1), erased=erased
    )
    assert [row["outcome_id"] for row in table_rows(rows.OUTCOMES, told.columns)] == ["else", "later"]
    assert told.refused is None, "there is nothing wrong with it"
