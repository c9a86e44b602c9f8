"""Events to interactions: what is accepted, what is refused and why, and how times are corrected."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import validate
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import Answer, Interaction, Item
from pipeline.domain.reasons import Reason, Rejected
from tests.policies import POLICY

KEYRING = Keyring({"k1": bytes(32)}, "k1", placeholders=POLICY.placeholders)
NOW = 1_760_000_000_000
MINUTE = 60_000


def event(**changes: Any) -> dict[str, Any]:
    """A typical event, as Avro gives it."""
    return {
        "event_id": "7b0e7c1e-5c6e-4f1e-9a3c-2f5b0d6f9a01",
        "source": "shop",
        "type": "searched",
        "touchpoint": "site_search",
        "occurred_at": NOW - 1000,
        "sent_at": None,
        "received_at": NOW - 10,
        "identifiers": {"anonymous": "c-1", "customer": "4711"},
        "session_id": "s-1",
        "goal": "",
        "issue": "",
        "about": "",
        "items": [],
        "answer": None,
        "measures": {"results": 12.0},
        "properties": {"query": "red shoes", "page": "/search"},
        "consent": {},
        "details": {"url": "/search", "referrer": None},
    } | changes


def accept(channel: str = "web", broker_time: int = NOW, **changes: Any) -> Interaction:
    return validate.interaction(event(**changes), channel, broker_time, KEYRING, "US", POLICY)


def refuse(channel: str = "web", **changes: Any) -> Rejected:
    with pytest.raises(Rejected) as refusal:
        accept(channel, **changes)
    return refusal.value


def test_a_complaint_is_closed_with_its_root_cause_and_a_next_step() -> None:
    said = {"root_cause": "The label was torn.", "next_step": "Stronger labels."}
    assert accept(type="complaint_closed", properties=said).properties == said
    assert accept(type="complaint_opened", properties={}).type == "complaint_opened"
    for lacking in ({}, {"root_cause": "known"}, {"next_step": "call"}, said | {"next_step": " \t"}):
        refusal = refuse(type="complaint_closed", properties=lacking)
        assert refusal.reason == Reason.UNEXPLAINED_CLOSING
        assert refusal.detail in ("properties.root_cause", "properties.next_step")
        assert not lacking.get(refusal.detail.partition(".")[2], "").strip()


def test_a_typical_event() -> None:
    found = accept()
    assert found.identifier == "customer:4711"
    assert found.links == ("anonymous:c-1",)
    assert found.masks == {}
    assert (found.channel, found.type, found.touchpoint) == ("web", "searched", "site_search")
    assert found.received_at == NOW - 10
    assert found.measures == {"results": 12.0}
    assert found.properties == {"query": "red shoes", "page": "/search"}
    assert found.details == {"url": "/search"}
    assert 0 <= found.digest < 2**63


def test_personal_identifiers_are_keyed_and_masked() -> None:
    found = accept("phone", identifiers={"phone": "(202) 555-0142", "email": "Ann@Example.com", "device": "d1"})
    assert found.identifier.startswith("email:k1.")
    assert [each.partition(":")[0] for each in found.links] == ["phone", "device"]
    assert set(found.masks.values()) == {"a•••@e•••.com", "+1 ••• ••42"}
    assert "5550142" not in repr(found)
    assert "example" not in repr(found).lower()


def test_items_answers_and_consent() -> None:
    found = accept(
        items=[{"product": "p1", "quantity": 2.0, "price": None, "name": "Lamp"}, {"product": "p2", "price": 9.5}],
        answer={"question": "csat", "value": 4.0, "min": 1.0, "max": 5.0},
        consent={"analysis": False},
    )
    assert found.items == (Item("p1", 2.0, None, "Lamp"), Item("p2", 1.0, 9.5))
    assert found.answer == Answer("csat", 4.0, 1.0, 5.0)
    assert found.consent == {"analysis": False}


LINKS = replace(POLICY, sources_may_link={"newsletter": frozenset({"email"}), "till": frozenset()})
ALL = {"customer": "4711", "loyalty": "L1", "email": "ann@example.com", "phone": "+12025550142", "device": "d1"}

CLAIMS = [
    # source, public → namespaces linked, namespaces claimed
    ("shop", False, ["loyalty", "email", "phone", "device"], []),
    ("newsletter", False, ["email"], ["loyalty", "phone", "device"]),
    ("till", False, [], ["loyalty", "email", "phone", "device"]),
    ("shop", True, ["device"], ["loyalty", "email", "phone"]),
    ("newsletter", True, ["device"], ["loyalty", "email", "phone"]),  # anybody can say that they are the newsletter
]


@pytest.mark.parametrize(("source", "public", "linked", "claimed"), CLAIMS)
def test_a_source_links_what_it_may_and_claims_the_rest(
    source: str, public: bool, linked: list[str], claimed: list[str]
) -> None:
    given_event = event(source=source, public=public, identifiers=ALL)
    found = validate.interaction(given_event, "web", NOW, KEYRING, "US", LINKS)
    assert found.identifier == "customer:4711"
    assert [each.partition(":")[0] for each in found.links] == linked
    assert [each.partition(":")[0] for each in found.claims] == claimed
    assert {each.partition(":")[0] for each in found.masks} == {"email", "phone"} & set(linked)
    assert found.public is public


def test_the_strongest_identifier_needs_no_permission() -> None:
    found = validate.interaction(event(public=True, identifiers={"phone": "+12025550142"}), "web", NOW, KEYRING, "US")
    assert found.identifier.startswith("phone:k1.")
    assert (found.links, found.claims) == ((), ())


def test_what_is_public_shows_nothing_from_before_it_came() -> None:
    early = {"occurred_at": NOW - 1_000_000, "received_at": NOW - 10}
    assert accept(public=True, **early).linked_at == NOW - 10
    assert accept(**early).linked_at == NOW - 1_000_000


def test_copies_with_another_claim_are_other_copies() -> None:
    first, second = (accept(public=public, identifiers=ALL) for public in (True, False))
    assert first.digest != second.digest


NAMES = ("event_id", "source", "session_id", "about")
PLANTED = ("ann@example.com", "x-+12025550142", "(202) 555-0142", "4111-1111-1111-1111", "DE89370400440532013000")


@pytest.mark.parametrize("text", PLANTED)
def test_ids_that_hold_personal_data_are_hashed_and_names_masked(text: str) -> None:
    plain, found = accept(), accept(**dict.fromkeys((*NAMES, "type", "touchpoint"), text))
    for name in NAMES:
        hashed = getattr(found, name)
        assert hashed == KEYRING.opaque(text), "copies stay copies, and what refers to it still does"
        assert hashed != getattr(plain, name)
    assert found.type == found.touchpoint != text
    assert text not in repr(found)
    assert "555" not in repr(found)


def test_a_refusal_quotes_no_name_that_is_personal() -> None:
    long = "x" * 9_000
    for refusal in (
        refuse(measures={"ann@example.com": math.nan}),
        refuse(properties={"+12025550142": long}),
        refuse(properties={"(202) 555-0142": long}),
        refuse(properties={"2025550142": long}),
        refuse(details={"ann@example.com": math.inf, "n": 1}),
        refuse(details={"ann@example.com": long}),
        refuse(consent={"ann@example.com": True}),
    ):
        assert "ann" not in str(refusal)
        assert "555" not in str(refusal)


def test_a_refused_consent_says_which_purposes_there_are() -> None:
    assert refuse(consent={"analysis": True, "marketing": True}).detail == "consent: none of analysis, service"


def test_only_what_is_required_is_needed() -> None:
    needed = ("event_id", "source", "type", "touchpoint", "occurred_at", "identifiers")
    found = validate.interaction({name: event()[name] for name in needed}, "web", NOW, KEYRING, "US")
    assert found.received_at == NOW
    assert found.session_id == ""


REFUSED: list[tuple[dict[str, Any], Reason]] = [
    *[({name: ""}, Reason.MISSING_FIELD) for name in ("event_id", "source", "type", "touchpoint")],
    ({"occurred_at": None}, Reason.MISSING_FIELD),
    *[({"type": name}, Reason.NOT_AN_INTERACTION) for name in ("ad_viewed", "campaign_sent", "newsletter_opened")],
    ({"identifiers": {}}, Reason.NO_IDENTIFIER),
    ({"identifiers": {"customer": "null"}}, Reason.PLACEHOLDER_IDENTIFIER),
    ({"identifiers": {"customer": "4711", "anonymous": "0"}}, Reason.PLACEHOLDER_IDENTIFIER),
    ({"identifiers": {"customer": "4711", "shoe": "1"}}, Reason.UNKNOWN_NAMESPACE),
    ({"identifiers": {"shoe": "1"}}, Reason.UNKNOWN_NAMESPACE),
    ({"identifiers": {"phone": "12"}}, Reason.BAD_IDENTIFIER),
    ({"occurred_at": 0}, Reason.ABSURD_TIME),
    ({"occurred_at": -(2**63)}, Reason.ABSURD_TIME),
    ({"occurred_at": NOW * 1000}, Reason.ABSURD_TIME),  # microseconds
    ({"sent_at": 0}, Reason.ABSURD_TIME),
    ({"received_at": 0}, Reason.ABSURD_TIME),
    ({"sent_at": NOW + 2_000_000_000_000, "occurred_at": NOW}, Reason.ABSURD_TIME),  # corrected to before 1990
    ({"event_id": "x" * 257}, Reason.OVERSIZE),
    ({"session_id": "x" * 257}, Reason.OVERSIZE),
    ({"goal": "a\x00b"}, Reason.BAD_VALUE),
    ({"source": "a\nb"}, Reason.BAD_VALUE),
    ({"type": "a\u202eb"}, Reason.BAD_VALUE),  # turns the text behind it around
    ({"measures": {"x": math.nan}}, Reason.BAD_VALUE),
    ({"measures": {"x": math.inf}}, Reason.BAD_VALUE),
    ({"measures": {"x": -1e300}}, Reason.BAD_VALUE),
    ({"measures": {f"m{n}": 0.0 for n in range(65)}}, Reason.OVERSIZE),
    ({"measures": {"x" * 257: 0.0}}, Reason.OVERSIZE),
    ({"measures": {"a\x00": 0.0}}, Reason.BAD_VALUE),
    ({"properties": {"x": "y" * 8193}}, Reason.OVERSIZE),
    ({"properties": {f"p{n}": "" for n in range(65)}}, Reason.OVERSIZE),
    ({"properties": {f"p{n}": "y" * 8192 for n in range(9)}}, Reason.OVERSIZE),
    ({"properties": {"x": "\ud800"}}, Reason.BAD_VALUE),
    ({"consent": {"marketing": True}}, Reason.BAD_VALUE),
    ({"items": [{"product": "p"}] * 257}, Reason.OVERSIZE),
    ({"items": [{"product": "p", "quantity": math.nan}]}, Reason.BAD_VALUE),
    ({"items": [{"product": "p", "price": math.inf}]}, Reason.BAD_VALUE),
    ({"items": [{"product": "p" * 257}]}, Reason.OVERSIZE),
    ({"answer": {"question": "q", "value": 6.0, "min": 1.0, "max": 5.0}}, Reason.BAD_VALUE),
    ({"answer": {"question": "q", "value": 1.0, "min": 1.0, "max": 1.0}}, Reason.BAD_VALUE),
    ({"answer": {"question": "q", "value": math.nan, "min": 1.0, "max": 5.0}}, Reason.BAD_VALUE),
    ({"answer": {"question": "q", "value": 3.0, "min": 1.0, "max": math.inf}}, Reason.BAD_VALUE),
    ({"details": {"queue": "x" * 8193}}, Reason.OVERSIZE),
    ({"details": {"wait_s": math.inf}}, Reason.BAD_VALUE),
    ({"details": {f"d{n}": 1 for n in range(65)}}, Reason.OVERSIZE),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_refused(changes: dict[str, Any], reason: Reason) -> None:
    assert refuse(**changes).reason is reason


def test_an_unknown_channel() -> None:
    assert refuse("television").reason is Reason.UNKNOWN_CHANNEL


def test_every_reason_has_a_meaning() -> None:
    assert all(reason.meaning.endswith(".") for reason in Reason)


def test_texts_may_have_lines() -> None:
    assert accept(properties={"comment": "Good.\nThanks!"}).properties["comment"] == "Good.\nThanks!"


TIMES = [
    # occurred, sent, received (relative to the broker's NOW) → occurred_at, received_at
    (-1000, None, -10, -1000, -10),
    (-1000, None, None, -1000, 0),
    (-1000, None, 5000, -1000, 0),  # received later than the broker took it: the broker is right
    (-1000, -400, -10, -610, -10),  # the source's clock is 390 ms behind, or the way took as long
    (60 * MINUTE, 61 * MINUTE, 0, -MINUTE, 0),  # a clock an hour ahead
    (60 * MINUTE, None, 0, 5 * MINUTE, 0),  # the same, not corrected: clamped
    (-30 * MINUTE, -20 * MINUTE, None, -10 * MINUTE, 0),
    (-900_000_000_000, None, 0, -900_000_000_000, 0),  # history
]


@pytest.mark.parametrize(("occurred", "sent", "received", "expected", "expected_received"), TIMES)
def test_times(occurred: int, sent: int | None, received: int | None, expected: int, expected_received: int) -> None:
    found = accept(
        occurred_at=NOW + occurred,
        sent_at=None if sent is None else NOW + sent,
        received_at=None if received is None else NOW + received,
    )
    assert found.occurred_at - NOW == expected
    assert found.received_at - NOW == expected_received
    assert found.occurred_at_sent == NOW + occurred


def test_the_digest_speaks_of_the_content_alone() -> None:
    first = accept()
    turned = {name: event()[name] for name in reversed(event())}
    turned["properties"] = dict(reversed(turned["properties"].items()))
    assert validate.interaction(turned, "web", NOW, KEYRING, "US").digest == first.digest
    assert accept(received_at=NOW - 5).digest == first.digest
    assert accept(properties={"query": "blue shoes", "page": "/search"}).digest != first.digest
    assert accept("mobile").digest != first.digest


def test_it_survives_the_wire() -> None:
    found = accept(items=[{"product": "p"}], answer={"question": "q", "value": 1.0, "min": 0.0, "max": 1.0})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Interaction) == found


def test_the_event_is_not_changed() -> None:
    given_event = event()
    before = copy.deepcopy(given_event)
    validate.interaction(given_event, "web", NOW, KEYRING, "US")
    assert given_event == before


anything = st.text(max_size=300)
number = st.floats() | st.floats(0, 100)


@given(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("event_id", "source", "type", "touchpoint", "session_id", "goal"), anything),
            "occurred_at": st.integers(-(2**63), 2**63 - 1) | st.integers(NOW - 10**9, NOW + 10**9),
            "sent_at": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(NOW - 10**9, NOW + 10**9),
            "received_at": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(NOW - 10**9, NOW + 10**9),
            "identifiers": st.dictionaries(st.sampled_from(["customer", "phone", "email", "x"]), anything, max_size=3),
            "items": st.lists(st.fixed_dictionaries({"product": anything, "quantity": number}), max_size=3),
            "answer": st.none()
            | st.fixed_dictionaries({"question": anything, "value": number, "min": number, "max": number}),
            "measures": st.dictionaries(anything, number, max_size=3),
            "properties": st.dictionaries(anything, anything, max_size=3),
            "details": st.none() | st.dictionaries(anything, st.none() | anything | number | st.booleans(), max_size=3),
        }
    )
)
def test_whatever_comes_is_accepted_bounded_or_refused(given_event: dict[str, Any]) -> None:
    try:
        found = validate.interaction(given_event, "web", NOW, KEYRING, "US")
    except Rejected:
        return
    assert len(msgspec.msgpack.encode(found)) < 2 * validate.CONTENT_BYTES_MAX
    assert validate.EARLIEST_MS <= found.occurred_at <= NOW + 5 * MINUTE
    assert found.received_at <= NOW
