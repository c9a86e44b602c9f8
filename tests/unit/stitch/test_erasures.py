"""Who was erased, as the topic has it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pipeline.domain.recalled import Recalled, Share
from pipeline.domain.records import Erasure
from pipeline.stitch.erasures import gather

ONE, OTHER = bytes(16), bytes(range(16))


def record(number: int, **said: Any) -> bytes:
    return json.dumps({"kind": "erase", "order_id": f"o{number}", "number": number, "said": {}, **said}).encode()


def test_an_erasure_is_found_under_each_of_its_seals() -> None:
    found = gather([record(3, before=7, blocked=True, seals=[ONE.hex(), OTHER.hex()])])
    assert found.erasures == {ONE: Erasure(7, True, 3), OTHER: Erasure(7, True, 3)}


@pytest.mark.parametrize("turn", [1, -1])
def test_of_several_the_latest_time_and_the_newest_word_count(turn: int) -> None:
    values = [
        record(3, before=9, blocked=True, seals=[ONE.hex()]),
        record(5, before=8, blocked=False, seals=[ONE.hex()]),
    ]
    assert gather(values[::turn]).erasures == {ONE: Erasure(9, False, 5)}


def test_what_an_erased_person_shared_is_found_under_its_seal() -> None:
    said = {"kind": "share", "person": "erased:9.o3", "at": 2, "until": 5, "theirs": [OTHER.hex()]}
    [share] = gather([record(3, **said, seals=[ONE.hex()], by=[OTHER.hex()])]).shares[ONE]
    assert share == Share("erased:9.o3", 2, frozenset([OTHER]), until=5, theirs=frozenset([OTHER]))
    assert share.before == 9


def test_other_orders_are_left_out() -> None:
    other = {"kind": "join", "order_id": "o1", "number": 1, "said": {"from_id": "a:1", "into_id": "b:1"}}
    assert gather([json.dumps(other).encode()]) == Recalled()


def test_what_cannot_be_read_stops_the_worker() -> None:
    with pytest.raises(msgspec.DecodeError):
        gather([b"junk"])
