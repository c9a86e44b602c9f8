"""What people order: accepted, refused with the reason, withdrawn; and that nothing of it stays behind."""

from __future__ import annotations

import pytest

from pipeline.domain.caps import Caps
from pipeline.domain.messages import UNASSIGNED, Assignment
from pipeline.identify import recall
from tests.unit.identify.staging import COOKIE, DEVICE, EMAIL, PHONE, A, B, C, D, Stage, said

FEW = Caps(links=4, owners=2, reach=3, sessions=2, freed_owners=4, freed_reach=6)


def test_a_join_gives_everything_to_the_other_person() -> None:
    stage = Stage()
    stage.handle(said(A, COOKIE))
    ordered = stage.join(A, B)
    assert ordered.state == "accepted"
    assert stage.who(A) == stage.who(COOKIE) == Assignment(0, (B,))
    assert {(each.identifier, tuple(each.tell)) for each in ordered.changed} == {(A, (A, B)), (COOKIE, (COOKIE, A, B))}
    stage.restart()
    stage.handle(said(A, PHONE))  # also later
    assert stage.who(PHONE).owners == (B,)


def test_withdrawing_a_join_brings_everything_back() -> None:
    stage = Stage()
    stage.handle(said(A, COOKIE), said(B, PHONE))
    order_id = stage.join(A, B).order_id
    ordered = stage.withdraw(order_id)
    assert ordered.state == "accepted"
    assert stage.who(A) == UNASSIGNED
    assert stage.who(COOKIE).owners == (A,)
    assert stage.withdraw(order_id).state == "refused"
    assert stage.orders[order_id] is None


def test_joins_follow_one_another_and_form_no_ring() -> None:
    stage = Stage()
    assert stage.join(A, B).state == "accepted"
    assert stage.join(B, C).state == "accepted"
    assert stage.who(A).owners == stage.who(B).owners == (C,)
    ring = stage.join(C, A)
    assert ring.state == "refused"
    assert "withdraw order o1 first" in ring.reason
    assert stage.join(A, A).state == "refused"
    again = stage.join(A, D)
    assert again.state == "refused"
    assert f"{A} is joined into {B} already: withdraw order o1 first" in again.reason


def test_a_join_leads_to_the_same_or_a_stronger_kind() -> None:
    stage = Stage()
    assert stage.join(PHONE, A).state == "accepted"
    assert stage.join(A, EMAIL).state == "refused"
    assert stage.join("phone:2", PHONE).state == "accepted"
    assert stage.who("phone:2").owners == (A,)


@pytest.mark.parametrize("hostile", ["", "nobody", "shoe:1", "erased:1.x", "customer:", "customer:\0"])
def test_a_hostile_identifier_is_refused(hostile: str) -> None:
    stage = Stage()
    assert stage.join(A, hostile).state == "refused"
    assert stage.join(hostile, A).state == "refused"
    assert stage.part(PHONE, hostile).state == "refused"
    assert stage.part(hostile, A).state == "refused"
    assert stage.free(hostile).state == "refused"
    assert stage.erase(hostile).state == "refused"


def test_a_part_is_as_if_the_link_had_never_been_and_outlasts_later_evidence() -> None:
    stage = Stage()
    stage.handle(said(A, PHONE, 5, "s"), said(B, PHONE, 8), said(PHONE, DEVICE))
    assert stage.part(PHONE, A).state == "accepted"
    assert stage.who(PHONE).owners == stage.who(DEVICE).owners == (B,)
    stage.restart()
    stage.handle(said(A, PHONE, 1, "t"))
    assert stage.who(PHONE) == Assignment(0, (B,))
    stage.withdraw("o1")
    assert stage.who(PHONE).owners == (A, B)
    assert stage.who(PHONE).sessions == {"s": A, "t": A}


def test_a_part_before_any_evidence_holds() -> None:
    stage = Stage()
    stage.part(PHONE, A)
    stage.handle(said(A, PHONE))
    assert PHONE not in stage.published


def test_a_part_counts_for_whomever_the_person_is_joined_into_later() -> None:
    stage = Stage()
    stage.handle(said(A, PHONE), said(D, PHONE, 3))
    stage.part(PHONE, A)
    assert stage.who(PHONE).owners == (D,)
    assert stage.join(A, B).state == "accepted"
    stage.handle(said(B, PHONE, 2))
    assert stage.who(PHONE).owners == (D,)


def test_of_two_contradicting_orders_the_later_is_refused() -> None:
    stage = Stage()
    assert stage.join(PHONE, A).state == "accepted"
    refused = stage.part(PHONE, A)
    assert refused.state == "refused"
    assert "withdraw order o1 first" in refused.reason
    assert stage.part(EMAIL, B).state == "accepted"
    refused = stage.join(EMAIL, B)
    assert refused.state == "refused"
    assert "withdraw order o3 first" in refused.reason
    assert stage.join(EMAIL, A).state == "accepted"
    refused = stage.join(A, B)  # would join the e-mail to whom it was parted from
    assert refused.state == "refused"
    assert f"{EMAIL} was parted from {B}" in refused.reason


def test_a_part_names_a_person() -> None:
    stage = Stage()
    stage.join(A, B)
    assert f"{A} is {B}: name that person" in stage.part(PHONE, A).reason
    assert "no evidence joins them" in stage.part(A, B).reason
    stage.handle(said(C, EMAIL), said(D, EMAIL))
    assert "ambiguous" in stage.part(PHONE, EMAIL).reason


def test_an_order_that_comes_twice_counts_once() -> None:
    stage = Stage()
    ordered = stage.join(A, B)
    stage.handle(*[])
    sent = len(stage.sent)
    stage._orders = 0
    assert stage.join(A, B) == ordered
    assert len(stage.sent) == sent


def test_who_stands_alone_has_an_alert_and_can_be_freed() -> None:
    stage = Stage(FEW)
    stage.handle(said(A, DEVICE), said(B, DEVICE), said(C, DEVICE), said(A, COOKIE))
    assert stage.who(DEVICE) == UNASSIGNED
    alert = stage.alerts[f"stands_alone|{DEVICE}"]
    assert alert is not None
    assert (alert["kind"], alert["subject"], alert["closed_at"]) == ("stands_alone", DEVICE, None)
    assert alert["reason"] == "more than 2 persons share it"
    assert stage.free(COOKIE).state == "refused"
    assert stage.free(DEVICE).state == "accepted"
    assert set(stage.who(DEVICE).owners) == {A, B, C}
    alert = stage.alerts[f"stands_alone|{DEVICE}"]
    assert alert is not None
    assert alert["closed_at"] == 6
    stage.withdraw("o2")
    assert stage.who(DEVICE) == UNASSIGNED


def test_a_test_account_takes_nobody_with_it() -> None:
    stage = Stage(FEW)
    stage.handle(said(A, "anonymous:0", 5))
    for n in range(3):
        stage.handle(said(C, f"anonymous:{n}", 7))
    assert stage.who("anonymous:0").owners == (A, C)
    stage.handle(said(C, "anonymous:3", 7))
    assert stage.who("anonymous:0").owners == (A,)
    assert stage.who("anonymous:1") == stage.who("anonymous:3") == UNASSIGNED
    assert stage.free(C).state == "accepted"
    assert stage.who("anonymous:0").owners == (A, C)
    assert stage.who("anonymous:3").owners == (C,)


def test_from_nothing_orders_hold_as_before() -> None:
    stage = Stage(FEW)
    stage.join(A, B)
    stage.part(PHONE, B)
    stage.free(DEVICE)  # refused
    kept = [recall.decode(value) for value in stage.orders.values() if value is not None]
    assert [each.order_id for each in kept] == ["o1", "o2"]
    again = Stage(FEW, kept)
    again._orders = 10
    again.handle(said(A, COOKIE), said(B, PHONE))
    assert again.who(A).owners == again.who(COOKIE).owners == (B,)
    assert again.who(PHONE) == UNASSIGNED
    assert again.withdraw("o1").state == "accepted"
    assert again.who(COOKIE).owners == (A,)


def test_whoever_is_joined_into_a_test_account_follows_it() -> None:
    stage = Stage(Caps(reach=1))
    stage.handle(said(A, PHONE), said(A, COOKIE))
    stage.join(EMAIL, A)
    assert stage.who(EMAIL) == Assignment(0, (A,))
    stage.join(A, B)  # it stands alone before and after
    assert stage.who(EMAIL) == Assignment(0, (B,))
