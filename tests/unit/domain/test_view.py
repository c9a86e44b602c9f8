"""What a profile shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import view
from pipeline.domain.interaction import Item
from pipeline.domain.messages import Assignment, Message, Misfiled, Slice
from pipeline.domain.profile import advance
from pipeline.domain.state import DictState
from tests.interactions import DAY, HOUR, MINUTE, NOON, SECOND, made
from tests.viewing import ME, RULES, context


def test_the_context_of_nobody_is_empty_and_complete() -> None:
    assert context() == {
        "profile": {
            "id": ME,
            "identifiers": [{"id": ME, "namespace": "customer", "value": "1", "first_seen": None, "last_seen": None}],
            "traits": {},
        },
        "consent": {},
        "now": {
            "searches": [],
            "viewed": [],
            "open_goals": [],
            "open_complaints": [],
            "last_order": None,
            "preferences": {},
        },
        "scores": {
            "definition": 1,
            **{name: {"value": None, "n": 0, "kind": ""} for name in ("effectiveness", "ease", "emotion", "overall")},
            **dict.fromkeys(("worst_touchpoint", "expectation_gap", "trend", "at_risk")),
            "repeat_contacts": 0,
        },
        "timeline": [],
    }


def test_the_anonymous_search_of_a_caller_is_there() -> None:
    """The main job: what they searched for a moment ago, found by the person that the phone resolves to."""
    search = made(
        "anonymous:7",
        "search",
        type="searched",
        touchpoint="site_search",
        properties={"query": "return blue shoes"},
        measures={"results": 12.0},
        session_id="v1",
        at=NOON - 90 * SECOND,
    )
    phone = "phone:k1.aa"
    call = made(
        ME,
        "call",
        type="call_ringing",
        channel="phone",
        touchpoint="call_queue",
        links=(phone,),
        masks={phone: "+1 ••42"},
    )
    mine = Assignment(1, (ME,))
    state = DictState()
    messages: list[Message] = [
        Slice(ME, "anonymous:7", mine, (search,)),
        Slice(ME, "email:k1.bb", mine, ()),
        Misfiled(call),
    ]
    advance(state, messages, RULES)
    told = view.context(state, ME, NOON, RULES)
    assert told["now"]["searches"] == [
        {
            "text": "return blue shoes",
            "channel": "web",
            "touchpoint": "site_search",
            "occurred_at": "2023-11-14T22:11:50.000Z",
            "age_s": 90,
        }
    ]
    assert [e["event_id"] for e in told["timeline"]] == ["call", "search"]
    assert told["timeline"][1] == {
        "source": "shop",
        "event_id": "search",
        "occurred_at": "2023-11-14T22:11:50.000Z",
        "channel": "web",
        "type": "searched",
        "touchpoint": "site_search",
        "session_id": "v1",
        "identifier": "anonymous:7",
        "summary": "Searched for “return blue shoes” (12 results)",
        "measures": {"results": 12.0},
        "properties": {"query": "return blue shoes"},
    }
    called = {"first_seen": "2023-11-14T22:13:20.000Z", "last_seen": "2023-11-14T22:13:20.000Z"}
    assert told["profile"]["identifiers"] == [
        {"id": ME, "namespace": "customer", "value": "1", **called},
        {"id": "email:k1.bb", "namespace": "email", "value": view.HIDDEN, "first_seen": None, "last_seen": None},
        {"id": phone, "namespace": "phone", "value": "+1 ••42", **called},
        {
            "id": "anonymous:7",
            "namespace": "anonymous",
            "value": "7",
            "first_seen": "2023-11-14T22:11:50.000Z",
            "last_seen": "2023-11-14T22:11:50.000Z",
        },
    ]


def test_now_is_the_newest_ten_of_the_last_half_hour() -> None:
    searches = [
        made(event_id=f"s{n}", type="searched", properties={"query": f"q{n}"}, at=NOON - n * 2 * MINUTE)
        for n in range(20)
    ]
    views = [made(event_id=f"v{n}", type="product_viewed", at=NOON - n * 10 * MINUTE) for n in range(6)]
    told = context(*searches, *views)["now"]
    assert [each["text"] for each in told["searches"]] == [f"q{n}" for n in range(10)]
    assert len(told["viewed"]) == 4


def test_what_was_looked_at_has_its_name() -> None:
    told = context(
        made(event_id="a", type="product_viewed", properties={"product": "p1", "product_name": "Blue shoes"}),
        made(event_id="b", properties={"page": "/returns"}, at=NOON - 1),
    )["now"]["viewed"]
    assert [(v["text"], v.get("product"), v.get("page")) for v in told] == [
        ("Blue shoes", "p1", None),
        ("/returns", None, "/returns"),
    ]


def test_a_future_event_is_no_negative_age() -> None:
    told = context(made(type="searched", at=NOON + MINUTE))["now"]["searches"]
    assert told[0]["age_s"] == 0


@pytest.mark.parametrize(
    ("said", "open_goals"),
    [
        ([("goal_started", "a")], ["a"]),
        ([("goal_started", "a"), ("goal_completed", "a")], []),
        ([("goal_started", "a"), ("goal_abandoned", "a"), ("goal_started", "a")], ["a"]),
        ([("goal_completed", "a")], []),
        ([("goal_started", "a"), ("goal_started", "b"), ("goal_completed", "a")], ["b"]),
        ([("goal_started", "a"), ("order_placed", "a")], []),
        ([("goal_started", "")], []),
    ],
)
def test_goals_are_open_until_the_last_word_closes_them(said: list[tuple[str, str]], open_goals: list[str]) -> None:
    events = [made(event_id=f"e{n}", type=kind, goal=goal, at=NOON + n) for n, (kind, goal) in enumerate(said)]
    for order in (events, events[::-1]):
        assert [g["goal"] for g in context(*order, now=NOON + DAY)["now"]["open_goals"]] == open_goals


def test_a_cart_is_a_goal_until_it_is_ordered_or_emptied() -> None:
    filled = made(event_id="a", type="cart_updated", items=(Item("p1", 2.0, 10.0, "Shoes"),))
    [goal] = context(filled)["now"]["open_goals"]
    assert (goal["goal"], goal["items"], goal["amount"]) == ("cart", 2, 20.0)
    assert goal["summary"] == "Put 2 items into the cart for 20.00"
    ordered = made(event_id="b", type="order_placed", channel="in_store", at=NOON + 1)
    assert context(filled, ordered)["now"]["open_goals"] == []
    emptied = made(event_id="b", type="cart_updated", at=NOON + 1)
    assert context(filled, emptied)["now"]["open_goals"] == []


def test_complaints_are_open_until_closed_in_whatever_order_they_come() -> None:
    opened = made(event_id="a", type="complaint_opened", issue="late parcel", properties={"complaint_id": "c1"})
    closed = made(event_id="b", type="complaint_closed", properties={"complaint_id": "c1"}, at=NOON + HOUR)
    other = made(event_id="c", type="complaint_opened", properties={"complaint_id": "c2"}, at=NOON - DAY)
    [first, second] = context(opened, other)["now"]["open_complaints"]
    assert (first["complaint_id"], first["issue"], first["summary"]) == (
        "c1",
        "late parcel",
        "Complained: “late parcel”",
    )
    assert second["complaint_id"] == "c2"
    for order in ((opened, closed, other), (closed, other, opened)):
        assert [c["complaint_id"] for c in context(*order)["now"]["open_complaints"]] == ["c2"]


WORDS = ["opened", "acknowledged", "assessed", "responded", "closed", "opened", "assessed"]  # one an hour


@pytest.mark.parametrize(
    ("told", "stage"),
    [
        ([0], "received"),
        ([0, 1], "acknowledged"),
        ([0, 1, 2, 3], "responded"),
        ([0, 3, 2], "responded"),  # the furthest, not what was told last
        ([0, 1, 4], None),
        ([0, 4, 6], None),  # a stage that is told late opens nothing
        ([0, 1, 2, 3, 4, 5], "received"),  # opened again: what was reached before counts no more
        ([0, 1, 2, 3, 4, 5, 6], "assessed"),
    ],
)
@given(st.randoms(use_true_random=False))
def test_an_open_complaint_shows_the_stage_it_has_reached(told: list[int], stage: str | None, random: Any) -> None:
    words = [
        made(event_id=str(n), type=f"complaint_{WORDS[n]}", at=NOON + n * HOUR, properties={"complaint_id": "c1"})
        for n in told
    ]
    random.shuffle(words)
    assert [each["stage"] for each in context(*words)["now"]["open_complaints"]] == ([stage] if stage else [])


def test_what_is_about_an_opening_is_a_word_on_that_complaint() -> None:
    opened = made(event_id="a", type="complaint_opened", about="call-1")
    closed = made(event_id="b", type="complaint_closed", about="a", at=NOON + HOUR)
    assert [each["complaint_id"] for each in context(opened)["now"]["open_complaints"]] == ["a"]
    assert context(opened, closed)["now"]["open_complaints"] == []


def test_the_last_order_has_the_last_word_on_it() -> None:
    first = made(event_id="a", type="order_placed", properties={"order_id": "o1"}, at=NOON - DAY)
    last = made(
        *(ME, "b"),
        type="order_placed",
        properties={"order_id": "o2", "currency": "EUR"},
        measures={"amount": 59.9},
        items=(Item("p1"),),
    )
    returned = made(event_id="c", type="order_returned", properties={"order_id": "o2"}, at=NOON + HOUR)
    other = made(event_id="d", type="order_returned", properties={"order_id": "o1"}, at=NOON + 2 * HOUR)
    told = context(first, last, other, now=NOON + DAY)["now"]["last_order"]
    assert told == {
        "order_id": "o2",
        "status": "placed",
        "items": [{"product": "p1", "quantity": 1.0, "price": None, "name": ""}],
        "amount": 59.9,
        "currency": "EUR",
        "channel": "web",
        "touchpoint": "product_page",
        "occurred_at": "2023-11-14T22:13:20.000Z",
        "age_s": 86400,
    }
    assert context(returned, other, last, first)["now"]["last_order"]["status"] == "returned"


def test_the_newest_trait_and_preference_of_each_name_count() -> None:
    told = context(
        made(event_id="a", type="profile_updated", properties={"name": "Ada King", "language": "en"}, at=NOON + 1),
        made(event_id="b", type="profile_updated", properties={"name": "Ada", "city": "London"}),
        made(event_id="c", type="profile_updated", properties={"city": ""}, at=NOON + 2),
        made(event_id="d", type="preference_set", properties={"delivery": "evening"}),
        made(event_id="e", type="preference_set", properties={"delivery": "morning"}, at=NOON - 1),
    )
    assert told["profile"]["traits"] == {"name": "Ada King", "language": "en"}
    assert told["now"]["preferences"] == {"delivery": "evening"}


def test_the_values_of_traits_do_not_stand_in_the_timeline() -> None:
    told = context(made(type="profile_updated", properties={"name": "Ada King"}))
    assert "Ada" not in json.dumps(told["timeline"])
    assert told["timeline"][0]["summary"] == "Updated name"


def test_scores_have_their_kind() -> None:
    told = context(
        made(event_id="a", type="goal_completed"),
        made(event_id="b", type="survey_answered", answer=("feeling", 4.0, 0.0, 5.0)),
    )["scores"]
    assert told == {
        "definition": 1,
        "effectiveness": {"value": 100.0, "n": 1, "kind": "observed"},
        "ease": {"value": None, "n": 0, "kind": ""},
        "emotion": {"value": 80.0, "n": 1, "kind": "asked"},
        "overall": {"value": 90.0, "n": 2, "kind": "mixed"},
        "worst_touchpoint": None,
        "expectation_gap": None,
        "trend": None,
        "at_risk": None,
        "repeat_contacts": 0,
    }


def test_every_answer_can_be_written_as_json() -> None:
    told = context(made(items=(Item("p"),), answer=("goal", 1.0, 0.0, 1.0), details={"queue": "a", "wait_s": 2}))
    assert json.loads(json.dumps(told)) == told
