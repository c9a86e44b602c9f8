"""Which alerts are of somebody who was erased."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.privacy.remains import Alerts
from pipeline.privacy.scope import Scope
from pipeline.settings import Settings
from pipeline.wire import Codec

CODEC = Codec(Settings().schemas)
BEFORE = 1_000
HERS = ("customer:anna", "phone:k1.0f")
SCOPE = Scope("o", 3, BEFORE, False, 8, frozenset(HERS), [])


def judged(key: str = "severe-1", value: bytes | None = None, **alert: Any) -> dict[str, int]:
    judge = Alerts(SCOPE, CODEC)
    said = {"alert_id": key, "kind": "severe", "opened_at": BEFORE + 9, **alert}
    judge.see(0, key.encode(), CODEC.encode("alert", said), 0)
    if value is not None:
        judge.see(0, key.encode(), value or None, 0)
    return judge.remaining()


@pytest.mark.parametrize("field", ["subject", "identifier", "person"])
@pytest.mark.parametrize("who", HERS)
def test_whoever_is_named_in_one_from_before_it_is_theirs(field: str, who: str) -> None:
    assert judged(**{field: who}, opened_at=BEFORE - 1) == {"alert": 1}
    assert judged(**{field: who}, since=BEFORE - 1) == {"alert": 1}  # opened afterwards, about what was before
    assert judged(**{field: who}) == judged(**{field: who}, since=BEFORE) == {}
    assert judged(**{field: "customer:ben"}, since=BEFORE - 1) == {}


def test_one_that_was_taken_back_is_gone() -> None:
    assert judged(person="customer:anna", since=1, value=b"") == {}
