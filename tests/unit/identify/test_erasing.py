"""Erasing a person: nothing names them afterwards, nobody inherits, older evidence does not count."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec

from pipeline.domain.caps import Caps
from pipeline.domain.messages import UNASSIGNED, Assignment, Erased, Unsaid
from pipeline.identify import erasing, recall
from pipeline.identify.orders import find
from pipeline.identify.process import BOUNDS
from tests.unit.identify.staging import COOKIE, DEVICE, EMAIL, PHONE, A, B, C, Stage, said, seal


def couple() -> Stage:
    """A has a cookie of her own; she and B share a phone."""
    stage = Stage()
    stage.handle(
        said(A, COOKIE, 5, "s"), said(A, PHONE, 6, "call1"), said(B, PHONE, 8, "call2"), said(COOKIE, DEVICE, 7)
    )
    return stage


def test_what_was_hers_alone_goes_whole_and_what_was_shared_keeps_a_nameless_owner() -> None:
    stage = couple()
    ordered = stage.erase(A, at=100)
    assert ordered.state == "accepted"
    assert stage.erased == {each: Erased(each, 100, False, 1) for each in (A, COOKIE, DEVICE)}
    assert stage.who(A) == stage.who(COOKIE) == stage.who(DEVICE) == UNASSIGNED
    assert stage.identities[COOKIE] is None
    nameless = "erased:100.o1"
    assert stage.who(PHONE) == Assignment(
        0, (nameless, B), 8, {"call1": nameless, "call2": B}, candidates=(B,), ambiguous=True
    )
    scope = erasing.scope(stage.state, "o1")
    assert scope is not None
    assert (scope.whole, scope.shared) == (sorted([A, COOKIE, DEVICE]), [PHONE])
    assert erasing.unfinished(stage.state) == ["o1"]


def test_afterwards_nothing_names_them() -> None:
    stage = couple()
    stage.join(EMAIL, A)
    stage.part("phone:2", A)
    stage.erase(A)
    stage.finish("o3")
    assert erasing.unfinished(stage.state) == []
    for name in (A, COOKIE, DEVICE, EMAIL, '"e1"'):
        assert stage.holds(name) == [], name
    assert stage.orders["o1"] is stage.orders["o2"] is None
    assert b"customer" not in (stage.orders["o3"] or b"")


def test_no_order_names_them_whatever_came_of_it() -> None:
    stage = couple()
    stage.handle(said(C, PHONE, 9))
    taken_back = stage.join(EMAIL, A)
    assert stage.join(EMAIL, A).state == "refused"
    stage.withdraw(taken_back.order_id)
    assert "customer:a" in stage.join(A, A).reason
    assert stage.erase(COOKIE).reason == f"{COOKIE} is {A}: erase that person."
    other = stage.part(PHONE, B)  # the phone is A's, too: she was told
    assert len(stage.holds(A)) > 6
    erased = stage.erase(A)
    assert len(stage.batches) == 1
    stage.finish(erased.order_id)
    for name in (A, COOKIE):
        assert stage.holds(name) == [], name
    after = find(stage.state, other.order_id)
    assert after is not None
    assert (after.state, after.said["person"], after.changed) == ("accepted", B, [])


def test_many_orders_forget_whom_they_named_a_part_at_a_time() -> None:
    stage = Stage(bounds=replace(BOUNDS, chores=10))
    stage.handle(said(A, COOKIE, 5))
    for _ in range(25):
        assert stage.join(A, A).state == "refused"
    erased = stage.erasing(A)
    stage.start(erased)
    assert stage.batches[-1].again
    stage.restart()
    assert len([key for key in stage.holds(A) if key[:1] == b"o"]) == 16  # and the erasure itself
    stage.rest()
    assert [key for key in stage.holds(A) if key[:1] == b"o"] == [b"o" + erased.order_id.encode()]
    stage.finish(erased.order_id)
    assert stage.holds(A) == []


def test_older_evidence_does_not_come_back_and_newer_starts_afresh() -> None:
    stage = couple()
    stage.erase(A, at=100)
    stage.finish("o1")
    stage.restart()
    before = dict(stage.state.data)
    assert len(stage.handle(said(A, COOKIE, 5, "s"), said(A, PHONE, 99), said(C, COOKIE, 7))) == 1
    assert stage.unsaid == [Unsaid(C, COOKIE, 100)]  # who was not erased is to tell it again, should it show again
    assert stage.state.data == before
    stage.handle(said(A, COOKIE, 100, "new"), said(A, PHONE, 120))
    assert stage.who(COOKIE).owners == (A,)
    assert stage.who(PHONE).owners == ("erased:100.o1", B, A)


def test_what_had_arrived_before_counts_as_before_whatever_time_it_claims() -> None:
    stage = couple()
    stage.erase(A, at=100)
    late = msgspec.structs.replace(said(A, COOKIE, 103), since=99)
    assert stage.handle(late) == []


def test_the_other_owner_inherits_nothing() -> None:
    stage = couple()
    stage.erase(A, at=100)
    who = stage.published[PHONE]
    assert who.owner(PHONE, "call1", 50) != B
    assert who.owner(PHONE, "", 7) != B
    assert who.owner(PHONE, "call2", 50) == B
    stage.erase(B, at=200)
    assert stage.who(PHONE).candidates == ()
    assert stage.who(PHONE).owners == ("erased:100.o1", "erased:200.o2")


def test_the_blocked_stay_away_until_unblocked() -> None:
    stage = couple()
    stage.erase(A, at=100, block=True)
    assert stage.handle(said(A, COOKIE, 500)) == []
    assert stage.unblock("customer:unknown").state == "refused"
    assert stage.unblock(A).state == "accepted"
    assert stage.erased[A] == Erased(A, 100, False, 3)
    stage.handle(said(A, "anonymous:2", 500))
    assert stage.who("anonymous:2").owners == (A,)
    assert stage.handle(said(A, "anonymous:2", 99)) == []


def test_what_happened_while_they_were_blocked_stays_away() -> None:
    """Else it would be theirs or not by whether it is told again."""
    stage = couple()
    stage.erase(A, at=100, block=True)
    stage.handle(said(A, "anonymous:2", 300))
    assert stage.unblock(A, at=400).state == "accepted"
    assert stage.erased[A] == Erased(A, 400, False, 2)
    assert stage.handle(said(A, "anonymous:2", 300)) == []
    assert stage.who("anonymous:2").owners == ()
    stage.handle(said(A, "anonymous:2", 400))
    assert stage.who("anonymous:2").owners == (A,)


def test_whom_it_cannot_mean_is_refused() -> None:
    stage = couple()
    assert f"{COOKIE} is {A}: erase that person" in stage.erase(COOKIE).reason
    assert "ambiguous" in stage.erase(PHONE).reason
    assert stage.erase("customer:unknown").state == "accepted"


def test_from_nothing_the_erased_stay_erased() -> None:
    stage = couple()
    stage.erase(A, at=100)
    kept = [recall.decode(value) for value in stage.orders.values() if value is not None]
    again = Stage(recalled=kept)
    again.handle(said(A, COOKIE, 5), said(A, PHONE, 6), said(B, PHONE, 8))
    assert again.who(COOKIE) == UNASSIGNED
    assert again.who(PHONE).owners == (B,)
    again.handle(said(A, COOKIE, 101))
    assert again.who(COOKIE).owners == (A,)


def test_how_they_shared_is_kept_for_a_rebuild_by_seals_alone() -> None:
    stage = couple()
    stage.erase(A, at=100)
    kept = {key: json.loads(value) for key, value in stage.orders.items() if value is not None}
    shared = kept[f"o1/{seal(PHONE).hex()}"]
    assert shared == {
        "kind": "share",
        "order_id": "o1",
        "number": 1,
        "person": "erased:100.o1",
        "at": 6,
        "until": 8,
        "seals": [seal(PHONE).hex()],
        "by": [seal(A).hex()],
        "theirs": [seal("call1").hex()],
        "others": [seal("call2").hex()],
    }
    again = Stage(recalled=[recall.decode(json.dumps(each).encode()) for each in kept.values()])
    again.handle(said("erased:100.o1", PHONE, 6, "call1"), said(B, PHONE, 8, "call2"))  # as stitch tells it
    assert again.who(PHONE).owners == ("erased:100.o1", B)
    assert again.who(PHONE).sessions == {"call1": "erased:100.o1", "call2": B}
    assert again.who("erased:100.o1") == UNASSIGNED


def test_whom_it_was_parted_from_leaves_no_owner_behind() -> None:
    stage = Stage()
    stage.handle(said(A, PHONE, 1, "s"), said(B, PHONE, 8))
    stage.part(PHONE, A)
    assert stage.who(PHONE) == Assignment(0, (B,))
    assert stage.erase(A, at=100).state == "accepted"
    assert stage.who(PHONE) == Assignment(0, (B,))


def test_a_test_account_leaves_no_owner_behind() -> None:
    stage = Stage(Caps(reach=2))
    stage.handle(said(A, PHONE, 1), said(A, COOKIE, 2), said(A, DEVICE, 3), said(B, PHONE, 8, "s"), said(C, DEVICE, 9))
    assert stage.who(PHONE) == Assignment(0, (B,))  # for A stands alone
    assert stage.erase(A, at=100).state == "accepted"
    assert stage.who(PHONE) == Assignment(0, (B,))
    assert stage.who(DEVICE) == Assignment(0, (C,))
    assert stage.who(COOKIE) == UNASSIGNED


def test_whoever_stays_tells_again_what_they_told_of_the_erased() -> None:
    stage = Stage()
    stage.handle(said(A, PHONE, 1), said(B, PHONE, 2), said(PHONE, COOKIE, 3), said(A, COOKIE, 4))
    stage.erase(A, at=100)  # the cookie was hers alone, since the phone is ambiguous; the phone stays
    assert stage.unsaid == [Unsaid(PHONE, COOKIE, 100)]
    stage.handle(said(PHONE, COOKIE, 99))  # late: not learnt, and not to be taken for told
    assert stage.unsaid == [Unsaid(PHONE, COOKIE, 100)] * 2
    stage.handle(said(A, COOKIE, 99))  # of the erased themselves nothing is left that could tell
    assert len(stage.unsaid) == 2


def test_nothing_is_joined_into_the_erased() -> None:
    stage = couple()
    stage.erase(A, at=100, block=True)
    assert stage.join(EMAIL, A).reason == f"{A} is blocked, nothing can be theirs: unblock it first."
    stage.part(PHONE, B)
    assert stage.who(PHONE).owners == ("erased:100.o1",)
    assert "was only ever somebody's whose data was erased" in stage.join(DEVICE, PHONE).reason


def test_beyond_the_cap_of_sessions_an_erasure_changes_nothing() -> None:
    stage = Stage(Caps(sessions=1))
    stage.handle(said(C, PHONE, 1, "s3"), said(A, PHONE, 2, "s1"), said(B, PHONE, 3, "s2"))
    stage.part(PHONE, C)
    stage.erase(C, at=100)
    stage.handle(said(A, PHONE, 4))
    assert stage.who(PHONE) == UNASSIGNED
    assert [alert and alert["closed_at"] for alert in stage.alerts.values()] == [None]
