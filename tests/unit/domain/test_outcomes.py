"""The verdict on outcomes: what is kept, what is refused and why, and that nobody stands in them in clear."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.outcomes import GAINS, KINDS, Outcome, outcome
from pipeline.domain.reasons import Rejected
from pipeline.domain.recalled import Recalled
from pipeline.domain.validate import AHEAD_MS_MAX, EARLIEST_MS, LATEST_MS, NAME_CHARS_MAX, NUMBER_MAX
from tests.collecting import NOON
from tests.outcomes import sent
from tests.policies import POLICY

KEYRING = Keyring({"k1": bytes(range(32))}, "k1", bytes(range(32, 64)), POLICY.placeholders)
PHONE = "+1 202 555 0142"


def judged(given: dict[str, Any], at: int = NOON + 5) -> Outcome:
    return outcome(given, at, KEYRING, "US")


def test_it_is_kept_as_it_was_said() -> None:
    found = judged(sent())
    assert found == Outcome("r-1", "billing", "refund", "customer:4711", NOON, NOON + 5, -20.0, "USD")
    assert (found.key, found.since, found.session_id) == ("billing\0r-1", NOON, "")
    assert judged(sent(kind="churn", amount=..., currency="EUR")).amount is None
    assert judged(sent(kind="churn", amount=None, currency="EUR")).currency == ""


def test_the_strongest_identifier_counts_and_is_keyed_where_it_is_personal() -> None:
    both = {"device": "d-1", "phone": PHONE}
    keyed = KEYRING.resolve("phone", PHONE, "US").identifier
    assert judged(sent(identifiers=both)).identifier == keyed
    assert judged(sent(identifiers={**both, "customer": "4711"})).identifier == "customer:4711"
    assert "555" not in repr(judged(sent(identifiers=both)).record)


def test_an_id_with_personal_data_is_the_hash_that_an_event_has() -> None:
    found = judged(sent(outcome_id="return of jo@example.com"))
    assert found.outcome_id == KEYRING.opaque("return of jo@example.com")


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        *(({name: given}, "missing_field", name) for name in ("outcome_id", "source") for given in ("", ...)),
        ({"occurred_at": ...}, "missing_field", "occurred_at"),
        ({"kind": "order"}, "bad_value", "kind: none of renewal, refund, churn, cost"),
        ({"kind": ...}, "bad_value", "kind: none of"),
        ({"source": "x" * (NAME_CHARS_MAX + 1)}, "oversize", "source: longer than 256 characters"),
        ({"outcome_id": "a\0b"}, "bad_value", "outcome_id: holds control"),
        *(({"outcome_id": f"{name}:4711"}, "bad_value", "outcome_id: stands for a customer") for name in NAMESPACES),
        ({"identifiers": {}}, "no_identifier", "identifiers: empty"),
        ({"identifiers": ...}, "no_identifier", "identifiers: empty"),
        ({"identifiers": {"customer": "4711", "name": "Jo"}}, "unknown_namespace", "identifiers: none of"),
        ({"identifiers": {"customer": "4711", "phone": "12"}}, "bad_identifier", "identifiers.phone"),
        ({"identifiers": {"customer": "guest"}}, "placeholder_identifier", "identifiers.customer"),
        ({"identifiers": {"customer": "x" * 300}}, "bad_identifier", "identifiers.customer: longer than"),
        ({"amount": math.nan}, "bad_value", "amount: not a finite number"),
        ({"amount": -math.inf}, "bad_value", "amount: not a finite number"),
        ({"amount": -1.1 * NUMBER_MAX}, "bad_value", "amount: not a finite number"),
        *(({"kind": k, "amount": 20}, "bad_value", f"amount: a {k} costs") for k in ("refund", "churn", "cost")),
        ({"kind": "renewal"}, "bad_value", "amount: a renewal brings"),
        ({"currency": ""}, "missing_field", "currency: an amount needs one"),
        *(({"currency": c}, "bad_value", "currency: must be three capital") for c in ("usd", "US", "USD ", "ÄÖÜ", "$")),
        ({"occurred_at": NOON // 1000}, "absurd_time", "occurred_at: before 1990"),
        ({"occurred_at": NOON * 1000}, "absurd_time", "occurred_at"),
        ({"received_at": 0}, "absurd_time", "received_at"),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, Any], reason: str, detail: str) -> None:
    with pytest.raises(Rejected) as why:
        judged(sent(**changes))
    assert (why.value.reason, why.value.detail[: len(detail)]) == (reason, detail)


def test_a_clock_that_is_ahead_is_held_back() -> None:
    assert judged(sent(occurred_at=NOON + 10 * AHEAD_MS_MAX)).occurred_at == NOON + 5 + AHEAD_MS_MAX
    assert judged(sent(received_at=NOON + 10)).received_at == NOON + 5


names = st.text(max_size=12) | st.sampled_from(["jo@example.com", PHONE, "customer:1", "x"])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "outcome_id": names,
            "source": names,
            "kind": st.sampled_from(KINDS) | names,
            "identifiers": st.dictionaries(st.sampled_from(NAMESPACES) | names, names, max_size=3),
            "occurred_at": st.integers(EARLIEST_MS, LATEST_MS) | st.integers(-(1 << 63), (1 << 63) - 1),
            "received_at": st.none() | st.integers(EARLIEST_MS, LATEST_MS),
            "amount": st.none() | st.floats(),
            "currency": st.sampled_from(["USD", "EUR", "", "x"]),
        },
    )
)
def test_whatever_is_sent_is_refused_or_kept_for_good(changes: dict[str, Any]) -> None:
    try:
        found = judged(sent(**changes))
    except Rejected:
        return
    assert outcome(found.record, NOON + 5, KEYRING, "") == found, "what has passed once passes again"
    assert found.amount is None or math.isfinite(found.amount)
    assert not found.amount or (found.amount > 0) == (found.kind in GAINS)
    assert not {"jo@example.com", PHONE, "2025550142"} & {found.outcome_id, found.source, found.identifier}
    assert len(found.key) <= 2 * NAME_CHARS_MAX + 1
    assert found.key.count("\0") == 1


def erase(number: int, before: int, blocked: bool = False, *identifiers: str) -> bytes:
    seals = ", ".join(f'"{KEYRING.seal(each).hex()}"' for each in identifiers or ("customer:4711",))
    flag = str(blocked).lower()
    return (
        f'{{"kind": "erase", "number": {number}, "before": {before}, "blocked": {flag}, "seals": [{seals}]}}'.encode()
    )


def shared(before: int, until: int | None, whole: bool = False) -> bytes:
    said = (
        f'"person": "erased:{before}.o", "until": {"null" if until is None else until}, "whole": {str(whole).lower()}'
    )
    return f'{{"kind": "share", "seals": ["{KEYRING.seal("customer:4711").hex()}"], {said}}}'.encode()


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], ""),
        ([erase(1, NOON)], ""),  # it happened afterwards
        ([erase(1, NOON + 1)], "erased"),
        ([erase(1, NOON - 9, True)], "blocked"),
        ([erase(1, NOON - 9, True), erase(2, 0)], ""),  # the order that ends the blocking
        ([erase(2, 0), erase(1, NOON - 9, True)], ""),
        ([erase(1, NOON + 1, False, "customer:else")], ""),
        ([b'{"kind": "join", "number": 4, "said": {}}'], ""),
        ([shared(NOON + 9, None, whole=True)], "erased"),
        ([shared(NOON + 9, NOON + 1)], "erased"),
        ([shared(NOON + 9, NOON)], ""),  # of the time it was another owner's
        ([shared(NOON + 9, None)], ""),
        ([shared(NOON, NOON + 1)], ""),  # it happened after that erasure
    ],
)
def test_who_was_erased_is_not_brought_back_by_what_is_late(records: list[bytes], why: str) -> None:
    recalled = Recalled()
    for each in records:
        recalled.hear(each)
    assert recalled.refuses(judged(sent()), KEYRING.seal) == why
