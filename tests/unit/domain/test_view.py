"""What a profile shows."""

from __future__ import annotations

import itertools
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import view
from pipeline.domain.interaction import Interaction, Item
from pipeline.domain.messages import Assigned, Assignment, Message, Misfiled, Slice
from pipeline.domain.profile import advance
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from tests.interactions import DAY, HOUR, MINUTE, NOON, SCORING, SECOND, made

RULES = Rules(scoring=SCORING)
ME = "customer:1"


def context(*interactions: Interaction, now: int = NOON, rules: Rules = RULES) -> dict[str, Any]:
    state = DictState()
    advance(state, [Misfiled(x) for x in interactions], rules)
    return view.context(state, ME, now, rules)


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


# Timelines


def pages(state: DictState, limit: int, channel: str | None = None) -> list[str]:
    """All events, page after page."""
    found: list[str] = []
    before: str | None = None
    while True:
        page = view.timeline(state, ME, RULES, limit, before, channel)
        assert len(page["timeline"]) <= limit
        found += [e["event_id"] for e in page["timeline"]]
        before = page["next"]
        if before is None:
            return found


@given(st.integers(1, 12))
def test_pages_follow_each_other_without_gap_or_repeat(limit: int) -> None:
    state = DictState()
    channels = ("web", "phone")
    stored = [made(event_id=f"e{n:02}", at=NOON + n // 3, channel=channels[n % 2]) for n in range(20)]
    advance(state, [Misfiled(x) for x in stored], RULES)
    newest_first = [x.event_id for x in stored][::-1]
    assert pages(state, limit) == newest_first
    assert pages(state, limit, "phone") == newest_first[::2]


def test_a_page_before_nothing_is_empty() -> None:
    state = DictState()
    advance(state, [Misfiled(made())], RULES)
    told = view.timeline(state, ME, RULES, 50, view.cursor((NOON, "", "")), None)
    assert told == {"timeline": [], "next": None, "complete": True}


def test_a_timeline_that_was_cut_says_so() -> None:
    state, rules = DictState(), Rules(view_size=4, spare=0)
    for n in range(5):
        advance(state, [Misfiled(made(event_id=f"e{n}", at=NOON + n))], rules)
    assert view.timeline(state, ME, rules, 50, None, None)["complete"] is False
    few = DictState()
    advance(few, [Misfiled(made())], rules)
    assert view.timeline(few, ME, rules, 50, None, None)["complete"] is True


def test_a_timeline_with_a_share_of_something_may_not_be_all() -> None:
    state = DictState()
    shared = Assignment(1, (ME, "customer:2"), NOON + 1, {}, (ME, "customer:2"), True)
    advance(state, [Slice(ME, "device:d", shared, (made("device:d"),))], RULES)
    told = view.timeline(state, ME, RULES, 50, None, None)
    assert (len(told["timeline"]), told["complete"]) == (1, False)


@given(st.tuples(st.integers(0, 1 << 50), st.text(), st.text()))
def test_a_cursor_comes_back(at: tuple[int, str, str]) -> None:
    try:
        text = view.cursor(at)
    except UnicodeEncodeError:  # half a surrogate pair: no stored name holds one
        return
    assert text.isascii()
    assert view.position(text) == at


@given(st.text() | st.text("abcdefgABCDEFG0123456789-_=", max_size=40))
def test_a_cursor_of_nobodys_making_is_refused(text: str) -> None:
    try:
        at, source, event_id = view.position(text)
    except ValueError:
        return
    assert isinstance(at, int)
    assert isinstance(source + event_id, str)


@pytest.mark.parametrize(
    "data", [b"[1,2,3]", b'[true,"a","b"]', b"{}", b'[1,"a"]', b"[" * 5000, b"\xff", b'[1e999,"",""]']
)
def test_a_cursor_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a place"):
        view.position(urlsafe_b64encode(data).decode())


@given(st.integers(631_152_000_000, 4_102_444_800_000))
def test_times_come_back(ms: int) -> None:
    assert view.time_ms(view.time_text(ms)) == ms


def test_an_entry_knows_its_place() -> None:
    assert view.entry_position(view.entry(made())) == made().position


# Resolution


def resolve(*messages: Message, identifier: str = "anonymous:7") -> dict[str, Any]:
    state = DictState()
    advance(state, messages, RULES)
    return view.resolve(state, identifier)


NOTHING = {"initials": "", "last_seen": None}


def test_an_unknown_identifier_resolves_to_itself() -> None:
    assert resolve() == {
        "id": "anonymous:7",
        "known": False,
        "ambiguous": False,
        "person": "anonymous:7",
        "candidates": [],
        **NOTHING,
    }


def test_a_profile_of_its_own_shows_who_it_is() -> None:
    told = resolve(
        Misfiled(made(type="profile_updated", properties={"first_name": "Ada", "last_name": "King"})), identifier=ME
    )
    assert (told["known"], told["person"], told["initials"]) == (True, ME, "AK")
    assert told["last_seen"] == "2023-11-14T22:13:20.000Z"


def test_one_owner_is_the_person() -> None:
    told = resolve(Misfiled(made("anonymous:7")), Assigned("anonymous:7", Assignment(1, (ME,))))
    assert (told["known"], told["ambiguous"], told["person"], told["candidates"]) == (True, False, ME, [])


@pytest.mark.parametrize("owners", [(ME, "customer:2"), ()])
def test_an_ambiguous_one_has_candidates_and_no_person(owners: tuple[str, ...]) -> None:
    assignment = Assignment(1, owners, None, {}, (ME, "customer:2"), True)
    told = resolve(Assigned("anonymous:7", assignment))
    assert (told["known"], told["ambiguous"], told["person"]) == (True, True, None)
    assert told["candidates"] == [ME, "customer:2"]


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({}, ""),
        ({"name": "Ada King"}, "AK"),
        ({"name": "ada"}, "A"),
        ({"name": "Ada Augusta Byron Maria King"}, "AAK"),
        ({"name": "  "}, ""),
        ({"name": "42 (test)"}, ""),
        ({"first_name": "Örs", "last_name": "žák", "name": "X"}, "ÖŽ"),
        ({"first_name": "ßa"}, "S"),
    ],
)
def test_initials(traits: dict[str, str], expected: str) -> None:
    assert view.initials(traits) == expected


# Consent


def test_what_was_refused_for_service_is_not_shown() -> None:
    told = context(
        made(ME, "shown", type="searched"),
        made(ME, "refused", type="searched", consent={"service": False}),
        made(ME, "goal", type="goal_completed", consent={"service": False}),
        made(ME, "trait", type="profile_updated", properties={"name": "Ada"}, consent={"analysis": False}),
    )
    assert [each["event_id"] for each in told["timeline"]] == ["trait", "shown"]
    assert len(told["now"]["searches"]) == 1
    assert told["scores"]["effectiveness"]["n"] == 0
    assert told["consent"] == {"analysis": False}


def test_a_goal_that_was_reached_unseen_is_not_open() -> None:
    started = made(ME, "a", type="goal_started", goal="g")
    reached = made(ME, "b", type="goal_completed", goal="g", at=NOON + 1, consent={"service": False})
    assert context(started, reached)["now"]["open_goals"] == []


@pytest.mark.parametrize("kind", ["profile_updated", "consent_changed"])
def test_of_a_person_who_refuses_nothing_else_is_told(kind: str) -> None:
    state = DictState()
    refusal = made(ME, "no", type=kind, consent={"service": False, "analysis": True}, at=NOON - 500 * DAY)
    trait = made(ME, "name", type="profile_updated", properties={"name": "Ada"})
    small = Rules(scoring=SCORING, view_size=2, spare=0)
    advance(state, [Misfiled(refusal), Misfiled(trait)], small)
    for n in range(9):  # the refusal does not age, and is not pushed out
        advance(state, [Misfiled(made(ME, f"e{n}", type="goal_completed"))], small)
    told = view.context(state, ME, NOON, small)
    assert told["consent"] == {"service": False, "analysis": True}
    assert told["profile"] == {"id": ME, "identifiers": [], "traits": {}}
    assert (told["timeline"], told["now"]["open_goals"], told["scores"]["effectiveness"]["n"]) == ([], [], 0)
    page = view.timeline(state, ME, small, 10, None, None)
    assert page == {"timeline": [], "next": None, "complete": True}
    assert view.card(state, ME, small) == {"id": ME, "initials": "", "last_seen": None}


def test_the_newest_word_on_consent_counts_whatever_came_last() -> None:
    yes = made(ME, "yes", type="consent_changed", consent={"service": True}, at=NOON + 1)
    no = made(ME, "no", type="consent_changed", consent={"service": False})
    for order in ((yes, no), (no, yes)):
        told = context(*order)
        assert told["consent"] == {"service": True}
        assert [each["event_id"] for each in told["timeline"]] == ["yes"]


def test_an_event_of_another_kind_speaks_for_itself_alone() -> None:
    told = context(made(ME, "a", consent={"service": False}), made(ME, "b"))
    assert (told["consent"], [each["event_id"] for each in told["timeline"]]) == ({}, ["b"])


# What came with a public key, and may be forged


BROWSER = "anonymous:b"


def hers(*interactions: Interaction) -> dict[str, Any]:
    """The context of a customer to whom a browser was found to belong."""
    state = DictState()
    advance(state, [Misfiled(x) for x in interactions if x.identifier == ME], RULES)
    lent = tuple(x for x in interactions if x.identifier != ME)
    advance(state, [Slice(ME, BROWSER, Assignment(1, (ME,)), lent)], RULES)
    return view.context(state, ME, NOON, RULES)


def said(event: str, at: int, identifier: str = ME, public: bool = True, **consent: bool) -> Interaction:
    return made(identifier, event, type="consent_changed", consent=consent, at=NOON + at, public=public)


@pytest.mark.parametrize("kind", ["profile_updated", "consent_changed"])
def test_a_public_refusal_does_not_empty_the_context_of_a_customer(kind: str) -> None:
    order = made(ME, "order", type="order_placed")
    forged = made(ME, "forged", type=kind, at=NOON + 1, consent={"service": False, "analysis": False}, public=True)
    told = context(order, forged)
    assert told["consent"] == {}
    assert [each["event_id"] for each in told["timeline"]] == ["order"]  # for itself it speaks


def test_a_public_yes_does_not_take_back_a_refusal() -> None:
    refusals = said("no", 0, public=False, service=False, analysis=False)
    for word in (said("yes", 1, service=True, analysis=True), said("yes", 1, BROWSER, service=True, analysis=True)):
        told = hers(refusals, word)
        assert told["consent"] == {"service": False, "analysis": False}
        assert told["timeline"] == []


def test_a_public_event_says_nothing_of_a_customer() -> None:
    """It names nobody anew, and changes neither orders nor complaints."""
    known = [
        made(ME, "name", type="profile_updated", properties={"name": "Ada"}),
        made(ME, "prefers", type="preference_set", properties={"shipping": "shop"}),
        made(ME, "order", type="order_placed", properties={"order_id": "o1"}),
        made(ME, "complaint", type="complaint_opened", issue="parcel"),
    ]
    forged = [
        made(ME, "f1", type="profile_updated", properties={"name": "Eve"}, at=NOON + 1, public=True),
        made(BROWSER, "f2", type="profile_updated", properties={"name": "Eve", "x": "y"}, at=NOON + 1, public=True),
        made(ME, "f3", type="preference_set", properties={"shipping": "to Eve"}, at=NOON + 1, public=True),
        made(ME, "f4", type="order_placed", properties={"order_id": "o2"}, at=NOON + 1, public=True),
        made(ME, "f5", type="order_cancelled", properties={"order_id": "o1"}, at=NOON + 1, public=True),
        made(ME, "f6", type="complaint_closed", issue="parcel", at=NOON + 1, public=True),
        made(ME, "f7", type="complaint_opened", issue="forged", at=NOON + 1, public=True),
    ]
    told = hers(*known, *forged)
    alone = hers(*known)
    assert told["profile"]["traits"] == {"name": "Ada"}
    for part in ("preferences", "last_order", "open_complaints"):
        assert told["now"][part] == alone["now"][part]
        assert told["now"][part]
    assert {each["event_id"] for each in told["timeline"] if each.get("public")} == {x.event_id for x in forged}


def test_what_somebody_does_in_a_browser_is_shown_and_marked() -> None:
    told = hers(
        made(ME, "cart", type="cart_updated", measures={"items": 2.0}, public=True),
        made(BROWSER, "search", type="searched", properties={"query": "shoes"}, public=True),
        made(ME, "goal", type="goal_started", goal="return", public=True),
    )
    assert [each["text"] for each in told["now"]["searches"]] == ["shoes"]
    assert [(each["goal"], each["public"]) for each in told["now"]["open_goals"]] == [("return", True), ("cart", True)]
    ordered = made(ME, "order", type="order_placed", at=NOON + 1, public=True)
    told = context(made(ME, "cart", type="cart_updated", measures={"items": 2.0}, public=True), ordered)
    assert (told["now"]["open_goals"], told["now"]["last_order"]) == ([], None)


def test_a_public_event_says_how_it_was_and_puts_nobody_at_risk() -> None:
    answers = [
        made(ME, f"a{n}", type="survey_answered", answer=("goal", 0.0, 0.0, 10.0), public=True) for n in range(3)
    ]
    told = context(*answers)["scores"]
    assert (told["effectiveness"]["value"], told["at_risk"]) == (0.0, None)
    vouched = context(*answers, made(ME, "b", type="survey_answered", answer=("goal", 0.0, 0.0, 10.0)))["scores"]
    assert vouched["at_risk"] is not None


@pytest.mark.parametrize("person", [BROWSER, "device:d"])
def test_a_visitor_speaks_for_themselves(person: str) -> None:
    state = DictState()
    search = made(person, "search", type="searched")
    name = made(person, "name", type="profile_updated", properties={"language": "fr"}, public=True)
    advance(state, [Misfiled(search), Misfiled(name)], RULES)
    assert view.context(state, person, NOON, RULES)["profile"]["traits"] == {"language": "fr"}
    advance(state, [Misfiled(said("no", 1, person, service=False))], RULES)
    told = view.context(state, person, NOON, RULES)
    assert (told["consent"], told["timeline"]) == ({"service": False}, [])
    advance(state, [Misfiled(said("yes", 2, person, service=True))], RULES)
    told = view.context(state, person, NOON, RULES)
    assert (told["consent"], [each["event_id"] for each in told["timeline"]]) == (
        {"service": True},
        ["yes", "search", "name"],
    )


def test_the_no_of_a_browser_goes_with_it_and_is_not_the_customers() -> None:
    order = made(ME, "order", type="order_placed")
    search = made(BROWSER, "search", type="searched", properties={"query": "shoes"})
    told = hers(order, search, said("no", 1, BROWSER, service=False))
    assert told["consent"] == {}
    assert [each["event_id"] for each in told["timeline"]] == ["order"]
    assert told["now"]["searches"] == []
    allowed = hers(order, search, said("no", 1, BROWSER, service=False), said("yes", 2, public=False, service=True))
    assert [each["event_id"] for each in allowed["timeline"]] == ["yes", "search", "order"]
    assert [
        each["event_id"]
        for each in hers(
            order, search, said("no", 3, BROWSER, service=False), said("yes", 2, public=False, service=True)
        )["timeline"]
    ] == ["yes", "order"]


@pytest.mark.parametrize("one_by_one", [True, False])
def test_what_a_browser_refuses_for_analysis_is_in_no_score_of_the_customer(one_by_one: bool) -> None:
    """Whatever comes first: the refusal, what it refuses, or what takes it back."""
    bad = made(BROWSER, "bad", type="survey_answered", answer=("goal", 0.0, 0.0, 10.0))
    good = made(ME, "good", type="survey_answered", answer=("goal", 10.0, 0.0, 10.0))
    no = said("no", 1, BROWSER, analysis=False)
    yes = said("yes", 2, public=False, analysis=True)
    link = Assignment(1, (ME,))
    for order in itertools.permutations([bad, good, no]):
        state, told = DictState(), []
        steps: list[Message] = [Misfiled(x) if x.identifier == ME else Slice(ME, BROWSER, link, (x,)) for x in order]
        for some in [[each] for each in steps] if one_by_one else [steps]:
            told += advance(state, some, RULES).scores
        assert view.context(state, ME, NOON, RULES)["scores"]["effectiveness"]["value"] == 100.0
        assert told[-1].scores.effectiveness.value == 100.0
        told = advance(state, [Misfiled(yes)], RULES).scores
        assert told[-1].scores.effectiveness.value == 50.0


def test_a_forged_copy_does_not_forestall_the_event_itself() -> None:
    """Whoever guesses the id of what a source is going to send."""
    forged = made(ME, "order-1", type="page_viewed", received=0, public=True)
    real = made(ME, "order-1", type="order_placed", properties={"order_id": "1"}, received=5_000)
    for order in ((forged, real), (real, forged)):
        told = context(*order)
        assert [each["type"] for each in told["timeline"]] == ["order_placed"]
        assert told["now"]["last_order"]["order_id"] == "1"
