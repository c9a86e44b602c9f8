"""Whose a dead letter is, and what topics of Avro records still hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.domain import messages
from pipeline.domain.messages import Misfiled
from pipeline.privacy.letters import DeadLetters, Letters
from pipeline.privacy.remains import Identities, Scores, Unread
from pipeline.privacy.scope import Scope
from pipeline.topics import DAY_MS, IDENTITIES, REJECTED
from pipeline.wire import Codec
from tests.interactions import HOUR, NOON, made
from tests.serving import KEYRING, keyed

CODEC = Codec(Path(__file__).resolve().parents[3] / "schemas")
LETTERS = Letters(CODEC, KEYRING, "US")
ANNA = "customer:anna"
PHONE, _ = keyed("phone", "+14155550123")
AT = NOON + HOUR
SCOPE = Scope("0f", 7, AT, False, 40, frozenset({ANNA, PHONE}), [])


def event(**fields: Any) -> bytes:
    """A web event as its source sent it."""
    known = {"event_id": "e", "source": "shop", "type": "page_viewed", "touchpoint": "site", "occurred_at": NOON}
    return CODEC.encode("interaction_web", {**known, "identifiers": {}, **fields})


def letter(value: bytes | None, **fields: Any) -> dict[str, Any]:
    """A record of interactions.rejected."""
    known = {"topic": "interactions.web", "partition": 0, "offset": 3, "timestamp": NOON, "reason": "bad_value"}
    return {"id": "interactions.web/0/3", "detail": "", "key": None, "value": value, **known, **fields}


def verdict(record: dict[str, Any], scope: Scope = SCOPE) -> str:
    return DeadLetters(scope, CODEC, LETTERS).found(b"k", CODEC.encode(REJECTED.schema, record), NOON)


@pytest.mark.parametrize(
    "identifiers",
    [
        {"customer": " anna "},
        {"phone": "(415) 555-0123"},
        {"device": "d", "phone": "+1 415 555 0123"},
        {"customer": "anna", "email": "not one"},
    ],
)
def test_a_dead_letter_is_found_by_any_identifier_in_it_however_it_is_spelt(identifiers: dict[str, str]) -> None:
    assert verdict(letter(event(identifiers=identifiers))) == "dead letter"


def test_a_dead_letter_of_somebody_else_is_not() -> None:
    assert verdict(letter(event(identifiers={"customer": "ben", "phone": "+14155550124"}))) == ""


def test_a_dead_letter_from_afterwards_is_not() -> None:
    value = event(identifiers={"customer": "anna"}, occurred_at=AT + 1)
    assert verdict(letter(value, timestamp=AT + 2)) == ""
    assert verdict(letter(value, timestamp=AT - 1)) == "dead letter"


def test_one_that_came_afterwards_and_tells_of_before_is() -> None:
    assert verdict(letter(event(identifiers={"customer": "anna"}), timestamp=AT + HOUR)) == "dead letter"


def test_an_absurd_time_does_not_make_it_one_from_before() -> None:
    value = event(identifiers={"customer": "anna"}, occurred_at=5)
    assert verdict(letter(value, timestamp=AT + HOUR)) == ""


def test_a_key_names_whom_it_names_even_where_the_bytes_cannot_be_read() -> None:
    assert verdict(letter(b"\xc3\x01broken", key=b"customer:anna")) == "dead letter"
    assert verdict(letter(b"\xc3\x01broken", key=b"phone:+1 415 555 0123")) == "dead letter"
    assert verdict(letter(b"\xc3\x01broken", key=PHONE.encode())) == "dead letter"
    assert verdict(letter(None, key=b"customer:anna")) == "dead letter"


def test_what_names_nobody_and_cannot_be_read_is_counted_apart() -> None:
    with pytest.raises(Unread):
        LETTERS.read(letter(b"\xc3\x01broken"))
    judge = DeadLetters(SCOPE, CODEC, LETTERS)
    judge.see(0, b"k", CODEC.encode(REJECTED.schema, letter(b"\xc3\x01broken")), NOON)
    assert (judge.unread, judge.remaining()) == (1, {})


def test_a_message_between_profiles_names_its_receiver_and_what_it_holds() -> None:
    message = messages.encode(Misfiled(made("customer:ben", links=(PHONE,))))
    read = LETTERS.read(letter(message, topic="profiles.inbox"))
    assert read.identifiers == {"customer:ben", PHONE}


def identity(version: int, **fields: Any) -> bytes:
    known = {"identifier": "device:d", "person": "device:d", "until": None, "ambiguous": False}
    more = {"owners": [], "candidates": [], "sessions": {}, "version": version}
    return CODEC.encode(IDENTITIES.schema, {**known, **more, **fields})


@pytest.mark.parametrize(
    "naming",
    [{"owners": [ANNA, "customer:ben"]}, {"sessions": {"s": ANNA}}, {"candidates": [ANNA]}, {"identifier": PHONE}],
)
def test_an_assignment_from_before_that_names_the_erased_is_found(naming: dict[str, Any]) -> None:
    judge = Identities(SCOPE, CODEC)
    assert judge.found(b"k", identity(39, **naming), NOON) == "assignment"
    assert judge.found(b"k", identity(40, **naming), NOON) == ""
    assert judge.found(b"k", identity(39), NOON) == ""


def test_a_score_row_of_the_day_of_the_erasure_is_from_afterwards_where_it_has_evidence() -> None:
    judge = Scores(SCOPE, CODEC)
    today = AT // DAY_MS

    def row(person: str, day: int, n: int) -> str:
        record = {"person": person, "day": day, "definition": 1, "emotion_n": n, "emotion": 5.0 if n else None}
        key = f"{person}|{day}|1".encode()
        judge.see(0, key, CODEC.encode("customer_score", record), NOON)
        found = judge.remaining()
        judge.see(0, key, None, NOON)
        return next(iter(found), "")

    assert row(ANNA, today - 1, 1) == "score"
    assert row(ANNA, today, 0) == "score"
    assert row(ANNA, today, 1) == ""
    assert row("customer:ben", today - 1, 1) == ""
    assert row(f"{ANNA}|1", today - 1, 1) == ""  # a name may have a bar in it
    assert row("customer:b|b", today - 1, 1) == ""


def test_score_rows_of_others_are_told_by_their_keys() -> None:
    judge = Scores(SCOPE, CODEC)
    judge.see(0, b"customer:ben|20000|1", b"no row at all", NOON)
    assert (judge.looked, judge.unread) == (1, 0)
    judge.see(0, f"{ANNA}|20000|1".encode(), b"no row at all", NOON)
    assert (judge.looked, judge.unread) == (2, 1)
