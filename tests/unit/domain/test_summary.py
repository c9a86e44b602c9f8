"""One plain sentence for each interaction."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.interaction import Item
from pipeline.domain.summary import _WORDS, duration, summary
from tests.interactions import made

CASES: list[tuple[dict[str, Any], str]] = [
    (
        {"type": "searched", "properties": {"query": "blue shoes"}, "measures": {"results": 12.0}},
        "Searched for “blue shoes” (12 results)",
    ),
    ({"type": "searched", "properties": {"query": "x"}, "measures": {"results": 1.0}}, "Searched for “x” (1 result)"),
    ({"type": "searched", "properties": {"query": "x"}, "measures": {"results": 0.0}}, "Searched for “x” (no results)"),
    ({"type": "searched"}, "Searched"),
    ({"type": "page_viewed", "properties": {"page": "/returns"}}, "Viewed the page “/returns”"),
    ({"type": "page_viewed"}, "Viewed a page"),
    (
        {"type": "product_viewed", "properties": {"product": "p1", "product_name": "Blue shoes"}},
        "Looked at “Blue shoes”",
    ),
    (
        {"type": "cart_updated", "items": (Item("a", 1.0, 3.5), Item("b", 1.0, 4.0))},
        "Put 2 items into the cart for 7.50",
    ),
    ({"type": "cart_updated"}, "Emptied the cart"),
    ({"type": "cart_updated", "measures": {"amount": 5.0}}, "Changed the cart for 5.00"),
    (
        {"type": "order_placed", "measures": {"amount": 1234.5, "items": 1.0}, "properties": {"currency": "USD"}},
        "Ordered 1 item for 1,234.50 USD",
    ),
    ({"type": "order_placed", "items": (Item("a"),)}, "Ordered 1 item"),
    ({"type": "order_placed"}, "Placed an order"),
    (
        {"type": "order_returned", "properties": {"order_id": "o1", "reason": "too small"}},
        "Returned order o1: too small",
    ),
    ({"type": "delivered", "details": {"order": "o1"}}, "Delivered order o1"),
    ({"type": "goal_started", "goal": "return shoes"}, "Started “return shoes”"),
    ({"type": "goal_completed"}, "Reached a goal"),
    ({"type": "profile_updated", "properties": {"name": "Ada", "city": "London"}}, "Updated city, name"),
    ({"type": "preference_set", "properties": {"delivery": "evening"}}, "Prefers delivery: evening"),
    ({"type": "call_ringing", "details": {"queue": "returns"}}, "Calls (returns)"),
    (
        {"type": "call_ended", "details": {"wait_s": 42.0, "handle_s": 190.0, "transfers": 1, "outcome": "AGENT"}},
        "Call ended: waited 42 s, talked 3 min, 1 transfer, agent",
    ),
    ({"type": "visit_ended", "measures": {"duration_s": 4000.0}}, "Visit: took 1 h 7 min"),
    (
        {"type": "survey_answered", "answer": ("how_easy", 4.0, 1.0, 5.0), "properties": {"comment": "fine"}},
        "Answered 4 of 1 to 5 on how easy: “fine”",
    ),
    ({"type": "survey_answered"}, "Answered a survey"),
    ({"type": "complaint_opened", "issue": "late parcel"}, "Complained: “late parcel”"),
    ({"type": "complaint_acknowledged", "issue": "late parcel"}, "Complaint acknowledged: “late parcel”"),
    ({"type": "complaint_responded"}, "Complaint answered"),
    (
        {
            "type": "complaint_closed",
            "issue": "late",
            "properties": {"root_cause": "no label", "next_step": "print it"},
        },
        "Complaint closed: “late” (cause “no label”, next “print it”)",
    ),
    ({"type": "complaint_closed"}, "Complaint closed"),
    ({"type": "identified"}, "Said who they are"),
    ({"type": "loyalty_card_scanned"}, "Loyalty card scanned"),
    ({"type": "_"}, "Interaction"),
]


@pytest.mark.parametrize(("fields", "expected"), CASES)
def test_words(fields: dict[str, Any], expected: str) -> None:
    assert summary(made(**fields)) == expected


@given(
    st.sampled_from([*_WORDS, "odd"]),
    st.dictionaries(
        st.sampled_from(("query", "page", "product", "reason", "comment", "currency", "order_id")),
        st.text(max_size=9000),
    ),
    st.dictionaries(
        st.sampled_from(("results", "amount", "items", "wait_s", "duration_s", "transfers")), st.floats(-1e18, 1e18)
    ),
    st.dictionaries(
        st.sampled_from(("queue", "outcome", "wait_s", "order")),
        st.text(max_size=9000) | st.integers(-(2**63), 2**63) | st.booleans(),
    ),
)
def test_whatever_an_event_says_its_sentence_is_short(
    kind: str, properties: dict[str, str], measures: dict[str, float], details: dict[str, Any]
) -> None:
    text = summary(made(type=kind, properties=properties, measures=measures, details=details, goal="g" * 256))
    assert 0 < len(text) < 700


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (95, "2 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
