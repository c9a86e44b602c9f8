"""The verdict on observations: what is kept, what is refused and why, and that nothing in them names anybody."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.impersonal import IDENTIFIER
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.observations import KINDS, Observation, observation
from pipeline.domain.reasons import Rejected
from pipeline.domain.validate import AHEAD_MS_MAX, NAME_CHARS_MAX, NUMBER_MAX, TEXT_CHARS_MAX
from tests.collecting import NOON
from tests.observing import observed


def judged(given: dict[str, Any], at: int = NOON + 5) -> Observation:
    return observation(given, at, "US")


def test_it_is_kept_as_it_was_said() -> None:
    assert judged(observed()) == Observation(
        *("o-1", "warehouse", "order_picking", NOON, NOON + 5, "system", "open_orders_h", 3.5, "two pickers ill")
    )
    assert judged(observed(received_at=NOON + 1, note=None)).received_at == NOON + 1
    assert judged(observed(note=...)).note == ""
    assert judged(observed(note=" \n kept \n twice \t ")).note == "kept \n twice"


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        *(({name: ""}, "missing_field", name) for name in ("observation_id", "source", "touchpoint", "measure")),
        *(({name: ...}, "missing_field", name) for name in ("observation_id", "value", "observed_at")),
        ({"source": "x" * (NAME_CHARS_MAX + 1)}, "oversize", "source: longer than 256 characters"),
        ({"measure": "a\0b"}, "bad_value", "measure: holds control"),
        ({"kind": "customer"}, "bad_value", "kind: none of staff, system"),
        ({"kind": ""}, "bad_value", "kind: none of staff, system"),
        ({"value": math.nan}, "bad_value", "value: not a finite number"),
        ({"value": -math.inf}, "bad_value", "value: not a finite number"),
        ({"value": 1.1 * NUMBER_MAX}, "bad_value", "value: not a finite number"),
        ({"observed_at": NOON // 1000}, "absurd_time", "observed_at: before 1990"),
        ({"observed_at": NOON * 1000}, "absurd_time", "observed_at"),
        ({"received_at": 0}, "absurd_time", "received_at"),
        ({"note": "x" * (TEXT_CHARS_MAX + 1)}, "oversize", "note: longer than 8192 characters"),
        ({"observation_id": "+1 202 555 0142"}, "bad_value", "observation_id: stands for a customer"),
        ({"source": "jo@example.com"}, "bad_value", "source: stands for a customer"),
        *(({"touchpoint": f"{name}:4711"}, "bad_value", "touchpoint: stands for a customer") for name in NAMESPACES),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, Any], reason: str, detail: str) -> None:
    with pytest.raises(Rejected) as why:
        judged(observed(**changes))
    assert (why.value.reason, why.value.detail[: len(detail)]) == (reason, detail)


def test_a_clock_that_is_ahead_is_held_back() -> None:
    assert judged(observed(observed_at=NOON + 10 * AHEAD_MS_MAX)).observed_at == NOON + 5 + AHEAD_MS_MAX
    assert judged(observed(received_at=NOON + 10)).received_at == NOON + 5


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("call (415) 555-0163 back", "call [phone] back"),
        ("jo@example.com waits", "[e-mail] waits"),
        ("customer:4711 was loud, and device:a1b2 too", f"{IDENTIFIER} was loud, and {IDENTIFIER} too"),
        ("phone:k1.9f86d081884c7d659a2feaa0c55ad015", IDENTIFIER),
        ("the customer: loud", "the customer: loud"),
        ("availability 99.9, 14 orders since 09:30", "availability 99.9, 14 orders since 09:30"),
    ],
)
def test_notes_name_nobody(note: str, kept: str) -> None:
    assert judged(observed(note=note)).note == kept


texts = st.text(max_size=40)
anything = st.fixed_dictionaries(
    {
        **dict.fromkeys(("observation_id", "source", "touchpoint", "measure"), texts),
        "kind": st.sampled_from(KINDS) | texts,
        "observed_at": st.integers(NOON - 10**13, NOON + 10**13),
        "value": st.floats(),
    },
    optional={"received_at": st.none() | st.integers(0, 2 * NOON), "note": texts | st.just("ﷺ" * 8_000)},
)


@given(anything, st.integers(NOON, NOON + 10**9))
def test_what_has_passed_passes_again_and_is_bounded(said: dict[str, Any], at: int) -> None:
    try:
        first = judged(said, at)
    except Rejected:
        return
    assert judged(msgspec.structs.asdict(first), at) == first
    assert len(first.note) <= TEXT_CHARS_MAX
    assert abs(first.value) <= NUMBER_MAX
    assert first.key.count("\0") == 1
    assert max(first.observed_at, first.received_at) <= at + AHEAD_MS_MAX
