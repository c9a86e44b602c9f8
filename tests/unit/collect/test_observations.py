"""Observations over HTTP: what is written of them, and which are refused; the rest is in `test_lists`."""

from __future__ import annotations

from typing import Any

from pipeline.partition import partition_of
from tests.collecting import NOON, TIME
from tests.observing import observed
from tests.unit.collect.conftest import Site

BAD: list[tuple[Any, str, str]] = [
    (5, "wrong_type", "the observation: must be an object, not a whole number"),
    ({}, "missing_field", "observation_id"),
    *((observed(**{name: ...}), "missing_field", name) for name in observed() if name != "note"),
    (observed(source=""), "missing_field", "source"),
    (observed(value=None), "wrong_type", "value: must be a number, not null"),
    (observed(value="3.5"), "wrong_type", "value: must be a number, not text"),
    (observed(value=True), "wrong_type", "value: must be a number, not true or false"),
    (observed(value=1e300), "bad_value", "value: not a finite number"),
    (observed(kind="customer"), "bad_value", "kind: none of staff, system"),
    (observed(note=["x"]), "wrong_type", "note: must be text or null, not a list"),
    (observed(note="x" * 9_000), "oversize", "note: longer than 8192 characters"),
    (observed(note="x" * 40_000), "oversize", "at most 32768 are allowed"),
    (observed(measure="a\nb"), "bad_value", "measure: holds control"),
    (observed(mesure="x"), "wrong_type", "mesure: no such field; is it measure?"),
    (observed(colour="red"), "wrong_type", "colour: no such field"),
    (observed(received_at=NOON), "wrong_type", "received_at: no such field"),
    (observed(identifiers={"customer": "1"}), "wrong_type", "identifiers: no such field"),
    (observed(source="jo@example.com"), "bad_value", "source: stands for a customer"),
    (observed(observed_at="yesterday"), "wrong_type", f"observed_at: {TIME}"),
    (observed(observed_at=1), "absurd_time", "observed_at: before 1990"),
]


async def test_what_is_accepted_is_written_masked_under_its_key(site: Site) -> None:
    note = "ring (415) 555-0163, customer:4711 waits"
    answer = await site.observe(observed(note=note), observed(observation_id="o-2", kind="staff", value=-2, note=...))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "rejected": []}
    one, two = site.written()
    assert one == observed(received_at=NOON + 1000, note="ring [phone], [identifier] waits")
    assert two == observed(observation_id="o-2", kind="staff", value=-2.0, note="", received_at=NOON + 1000)
    first = site.broker.written[0]
    assert (first.topic, first.key) == ("observations", b"warehouse\0o-1")
    assert first.partition == partition_of("warehouse\0o-1", 8)
    assert site.budget.held == 0
