"""Outcomes over HTTP: what is written of them, and which are refused; the rest is in `test_lists`."""

from __future__ import annotations

from typing import Any

from pipeline.keys import keyring
from pipeline.partition import partition_of
from tests.collecting import KEYS, NOON, TIME
from tests.outcomes import sent
from tests.unit.collect.conftest import Site

BAD: list[tuple[Any, str, str]] = [
    (5, "wrong_type", "the outcome: must be an object, not a whole number"),
    ({}, "missing_field", "outcome_id"),
    *((sent(**{name: ...}), "missing_field", name) for name in sent() if name != "amount"),
    (sent(source=""), "missing_field", "source"),
    (sent(amount="3.5"), "wrong_type", "amount: must be a number or null, not text"),
    (sent(amount=True), "wrong_type", "amount: must be a number or null, not true or false"),
    (sent(amount=-1e300), "bad_value", "amount: not a finite number"),
    (sent(amount=20), "bad_value", "amount: a refund costs the business something, so it must be negative"),
    (sent(currency="dollars"), "bad_value", "currency: must be three capital letters"),
    (sent(kind="order"), "bad_value", "kind: none of renewal, refund, churn, cost"),
    (sent(identifiers=["4711"]), "wrong_type", "identifiers: must be an object, not a list"),
    (sent(identifiers={"customer": 4711}), "wrong_type", "identifiers.customer: must be text, not a whole number"),
    (sent(identifiers={}), "no_identifier", "identifiers: empty"),
    (sent(identifiers={"customer": "null"}), "placeholder_identifier", "identifiers.customer: a placeholder"),
    (sent(identifiers={"phone": "5"}), "bad_identifier", "identifiers.phone"),
    (sent(source="x" * 300), "oversize", "source: longer than 256 characters"),
    (sent(identifiers={"customer": "x" * 40_000}), "oversize", "at most 32768 are allowed"),
    (sent(source="a\nb"), "bad_value", "source: holds control"),
    (sent(outcome_id="customer:4711"), "bad_value", "outcome_id: stands for a customer: say who it is in identifiers"),
    (sent(ammount=-2), "wrong_type", "ammount: no such field; is it amount?"),
    (sent(touchpoint="x"), "wrong_type", "touchpoint: no such field"),
    (sent(received_at=NOON), "wrong_type", "received_at: no such field"),
    (sent(occurred_at="yesterday"), "wrong_type", f"occurred_at: {TIME}"),
    (sent(occurred_at=1), "absurd_time", "occurred_at: before 1990"),
]


async def test_what_is_accepted_is_written_under_its_key_and_nobody_in_clear(site: Site) -> None:
    named = {"device": "d-1", "phone": "+1 202 555 0142"}
    answer = await site.account(sent(identifiers=named), sent(outcome_id="r-2", kind="churn", amount=..., currency=...))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "rejected": []}
    one, two = site.written()
    keyed = keyring(KEYS).resolve("phone", "+12025550142", "US").identifier.removeprefix("phone:")
    assert one == sent(identifiers={"phone": keyed}, received_at=NOON + 1000)
    assert two == sent(outcome_id="r-2", kind="churn", amount=None, currency="", received_at=NOON + 1000)
    first = site.broker.written[0]
    assert (first.topic, first.key) == ("outcomes", b"billing\0r-1")
    assert first.partition == partition_of("billing\0r-1", 8)
    assert b"555" not in first.value
    assert site.budget.held == 0
