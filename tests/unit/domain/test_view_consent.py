"""What a profile shows where people refuse it, or where anybody may have said it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from pipeline.domain import view
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assignment, Message, Misfiled, Slice
from pipeline.domain.profile import advance
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from tests.interactions import DAY, NOON, SCORING, made
from tests.viewing import ME, RULES, context


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
