"""The verdict on changes: what is kept, what is refused and why, and that nothing in them names a customer."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.changes import WHAT_CHARS_MAX, Change, change
from pipeline.domain.reasons import Rejected
from tests.collecting import NOON

STAFF = "staff:0123456789abcdef"


def said(**changes: Any) -> dict[str, Any]:
    given = {"change_id": "c-1", "touchpoint": "call_queue", "changed_on": 20_414, "what": "Two more agents."}
    return given | {"recorded_at": NOON, "recorded_by": STAFF} | changes


def test_it_is_kept_as_it_was_said() -> None:
    found = change(said(), NOON + 5, "US")
    assert found == Change("c-1", "call_queue", 20_414, "Two more agents.", NOON, STAFF)
    assert found.day == date(2025, 11, 22)
    assert change(said(recorded_at=NOON + 99), NOON + 5, "US").recorded_at == NOON + 5


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        *(({name: ""}, "missing_field", name) for name in ("change_id", "touchpoint", "what")),
        ({"what": " \n"}, "missing_field", "what"),
        ({"what": "x" * (WHAT_CHARS_MAX + 1)}, "oversize", "what: longer than 1000 characters"),
        ({"change_id": "x" * 257}, "oversize", "change_id: longer than 256 characters"),
        ({"touchpoint": "a\0b"}, "bad_value", "touchpoint: holds control"),
        ({"change_id": "customer:4711"}, "bad_value", "change_id: stands for a customer"),
        ({"touchpoint": "jo@example.com"}, "bad_value", "touchpoint: stands for a customer"),
        ({"changed_on": 7_304}, "absurd_time", "on: before 1990 or after 2099"),
        ({"changed_on": 47_482}, "absurd_time", "on: before 1990 or after 2099"),
        *(({"recorded_by": name}, "bad_value", "recorded_by: no pseudonym") for name in ("", "key:admin", "Jo Smith")),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, Any], reason: str, detail: str) -> None:
    with pytest.raises(Rejected) as why:
        change(said(**changes), NOON, "US")
    assert (why.value.reason, why.value.detail[: len(detail)]) == (reason, detail)


@given(st.text(max_size=60) | st.sampled_from(["ring (415) 555-0163", "mail jo@example.com", "customer:4711 said so"]))
def test_what_has_passed_once_passes_again_and_names_nobody(what: str) -> None:
    try:
        found = change(said(what=what), NOON, "US")
    except Rejected:
        return
    assert change(msgspec.structs.asdict(found), NOON, "US") == found
    assert not any(each in found.what for each in ("555-0163", "jo@example.com", "customer:4711"))
