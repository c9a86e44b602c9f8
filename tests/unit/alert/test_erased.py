"""Whose alerts and causes are from before they were erased."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pipeline.alert.erased import Erased
from pipeline.domain.alerts import Alert, Cause
from tests.serving import KEYRING

ANNA, BEN = "customer:anna", "customer:ben"


def erased(before: int = 100, **said: Any) -> Erased:
    found = Erased(KEYRING.seal)
    seals = [KEYRING.seal(ANNA).hex()]
    record = {"kind": "erase", "order_id": "o", "number": 1, "said": {}, "before": before, "seals": seals, **said}
    assert found.hear(json.dumps(record).encode()) is (record["kind"] == "erase")
    return found


def cause(who: str, since: int | None, person: str = "") -> Cause:
    return Cause(
        kind="severe", cause="c", reason="r", touchpoint="t", identifier=who, person=person or who, since=since
    )


def alert(who: str, opened_at: int, since: int | None, **more: Any) -> Alert:
    given: dict[str, Any] = {"kind": "severe", "identifier": who, "person": who} | more
    return Alert(alert_id="a", opened_at=opened_at, since=since, **given)


@pytest.mark.parametrize(
    ("who", "since", "person", "gone"),
    [
        (ANNA, 99, "", True),
        (ANNA, 100, "", False),
        (ANNA, None, "", True),  # nobody knows: then it is not told
        (BEN, 99, "", False),
        ("device:shared", 99, ANNA, True),
        ("", 99, "", False),
    ],
)
def test_a_cause_from_before_opens_nothing(who: str, since: int | None, person: str, gone: bool) -> None:
    assert erased().cause(cause(who, since, person)) is gone
    assert not Erased(KEYRING.seal).cause(cause(who, since, person))


def test_an_alert_is_as_old_as_what_it_is_about() -> None:
    found = erased()
    assert found.alert(alert(ANNA, 500, 99))
    assert found.alert(alert(ANNA, 99, None))
    assert not found.alert(alert(ANNA, 500, 100))
    assert not found.alert(alert(ANNA, 99, 99, kind="stands_alone"))


def test_the_latest_erasure_counts_and_other_orders_are_none() -> None:
    found = erased(100)
    seals = [KEYRING.seal(ANNA).hex()]
    found.hear(json.dumps({"kind": "erase", "order_id": "p", "number": 2, "before": 50, "seals": seals}).encode())
    assert found.cause(cause(ANNA, 99))
    assert not found.hear(None)
    assert not erased(kind="join").cause(cause(ANNA, 1))
    with pytest.raises(msgspec.DecodeError):
        found.hear(b"junk")
