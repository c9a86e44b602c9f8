"""Who somebody is and why, as the API is told."""

from __future__ import annotations

from typing import Any

from pipeline.domain.caps import Caps
from pipeline.identify import erasing, explain, orders
from tests.unit.identify.staging import COOKIE, DEVICE, EMAIL, PHONE, A, B, C, D, Stage, forged, said


def rows(stage: Stage, identifier: str, caps: Caps | None = None) -> dict[str, dict[str, Any]]:
    told = explain.Explaining(stage.state, caps or Caps()).identity(identifier)
    assert told["id"] == identifier
    return {row["id"]: row for row in told["identifiers"]}


def test_every_identifier_with_its_evidence_and_the_rule_that_decided() -> None:
    stage = Stage()
    stage.handle(said(A, COOKIE, 9, "later"), said(A, COOKIE, 5, "visit", "login1"), said(COOKIE, DEVICE, 7))
    told = explain.Explaining(stage.state).identity(DEVICE)
    assert (told["person"], told["truncated"], told["orders"]) == (A, False, [])
    found = {row["id"]: row for row in told["identifiers"]}
    assert list(found) == [A, COOKIE, DEVICE]
    assert found[A]["rule"] == "own"
    cookie = found[COOKIE]
    assert (cookie["person"], cookie["since"], cookie["rule"], cookie["alone"]) == (A, 5, "one_owner", None)
    assert cookie["words"] == f"All evidence about it leads to {A} alone: everything under it is theirs."
    assert cookie["evidence"] == [
        {
            "from": A,
            "since": 5,
            "source": "shop",
            "event_id": "login1",
            "session_id": "visit",
            "counts": True,
            "why_not": "",
        },
        {
            "from": A,
            "since": 9,
            "source": "shop",
            "event_id": "e1",
            "session_id": "later",
            "counts": True,
            "why_not": "",
        },
    ]


def test_what_is_shared_is_shown_with_whom_and_since_when() -> None:
    stage = Stage()
    stage.handle(said(A, PHONE, 5, "call1"), said(B, PHONE, 8, "call2"))
    phone = rows(stage, A)[PHONE]
    assert (phone["person"], phone["ambiguous"], phone["candidates"]) == (None, True, [A, B])
    assert (phone["until"], phone["sessions"], phone["sessions_n"]) == (8, {"call1": A, "call2": B}, 2)
    assert phone["rule"] == "shared"
    assert phone["words"].startswith(f"It is shared by {A} and {B}.")
    assert rows(stage, PHONE).keys() == {PHONE, A, B}


def test_an_order_is_shown_with_what_it_set_aside() -> None:
    stage = Stage()
    stage.handle(said(A, PHONE), said(B, PHONE, 2), said(C, EMAIL))
    stage.part(PHONE, A)
    stage.join(EMAIL, A)
    told = explain.Explaining(stage.state).identity(A)
    found = {row["id"]: row for row in told["identifiers"]}
    assert [(each["from"], each["counts"]) for each in found[PHONE]["evidence"]] == [(A, False), (B, True)]
    assert found[PHONE]["evidence"][0]["why_not"] == f"an order parts it from {A}"
    assert found[EMAIL]["rule"] == "joined"
    assert found[EMAIL]["evidence"][0]["why_not"] == "an order decides"
    assert [(each["order_id"], each["kind"], each["said"]["reason"]) for each in told["orders"]] == [
        ("o2", "join", "same person"),
        ("o1", "part", "not hers"),
    ]
    assert (told["orders"][0]["said"]["from"], told["orders"][0]["said"]["into"]) == (EMAIL, A)


def test_who_stands_alone_says_why() -> None:
    few = Caps(owners=2)
    stage = Stage(few)
    stage.handle(said(A, DEVICE), said(B, DEVICE), said(C, DEVICE), said(A, COOKIE))
    device = rows(stage, A, few)[DEVICE]
    assert (device["alone"], device["rule"], device["person"]) == ("owners", "alone", DEVICE)
    assert "more than 2 persons share it" in device["words"]
    assert {each["why_not"] for each in device["evidence"]} == {"it stands alone"}
    found, more = explain.alone(stage.state, 10, "")
    assert [(each["identifier"], each["why"], each["freed"]) for each in found] == [(DEVICE, "owners", False)]
    assert more == ""
    stage.handle(*(said(name, "device:2") for name in (A, B, C)))
    found, more = explain.alone(stage.state, 1, "")
    assert ([each["identifier"] for each in found], more) == ([DEVICE], DEVICE)
    found, more = explain.alone(stage.state, 1, more)
    assert ([each["identifier"] for each in found], more) == (["device:2"], "")


def test_of_a_forged_crowd_it_says_that_only_what_public_keys_said_does_not_count() -> None:
    few = Caps(reach=2)
    stage = Stage(few)
    stage.handle(said(A, PHONE), *(forged(A, f"anonymous:{n}") for n in range(3)))
    mine = rows(stage, A, few)
    assert (mine[A]["rule"], mine[A]["alone"], mine[A]["person"]) == ("own", None, A)
    assert mine[A]["words"].endswith(
        "But what public keys say of it does not count, since by that more than 2 weaker identifiers came with it."
    )
    assert (mine[PHONE]["person"], mine[PHONE]["evidence"][0]["counts"]) == (A, True)
    (piece,) = rows(stage, "anonymous:0", few)["anonymous:0"]["evidence"]
    assert piece["why_not"] == f"there is too much like it from public keys about {A}"


def test_a_kiosk_of_a_web_page_stands_alone() -> None:
    few = Caps(owners=2)
    stage = Stage(few)
    stage.handle(*(forged(name, COOKIE) for name in (A, B, C)))
    kiosk = rows(stage, COOKIE, few)[COOKIE]
    assert (kiosk["rule"], kiosk["alone"]) == ("alone", "owners")
    assert {each["why_not"] for each in kiosk["evidence"]} == {"there is too much like it from public keys"}


def test_what_was_forgotten_is_not_shown() -> None:
    few = Caps(owners=2, freed_owners=2)
    stage = Stage(few)
    stage.handle(*(said(name, DEVICE, 1, "s") for name in (A, B, C)))
    stage.free(DEVICE, at=10)
    stage.free(DEVICE, at=10)
    stage.handle(said(A, DEVICE, 20, "t"))
    device = rows(stage, A, few)[DEVICE]
    assert [(each["from"], each["since"]) for each in device["evidence"]] == [(A, 20)]
    assert device["words"].startswith(f"It is shared by those who had it before that was forgotten and {A}.")
    assert (device["candidates"], device["earlier"], device["orders"]) == ([A], None, ["o1", "o2"])


def test_the_erased_are_somebody_and_nobody() -> None:
    stage = Stage()
    stage.handle(said(A, PHONE, 5, "call1"), said(B, PHONE, 8))
    stage.erase(A, at=100)
    phone = rows(stage, B)[PHONE]
    assert phone["candidates"] == [B]
    assert phone["sessions"] == {"call1": ""}
    assert phone["words"].startswith(f"It is shared by somebody whose data was erased and {B}.")
    assert phone["evidence"][0]["from"] == "erased"
    assert "erased:" not in repr(phone)


def test_what_of_a_shared_identifier_was_theirs() -> None:
    stage = Stage()
    stage.handle(said(A, PHONE, 5, "call1"), said(B, PHONE, 8, "call2"), said(B, EMAIL, 1), said(A, EMAIL, 2))
    stage.erase(A, at=100)
    scope = erasing.scope(stage.state, "o1")
    assert scope is not None
    shared = {each["identifier"]: each for each in explain.shared(stage.state, scope)}
    assert (shared[PHONE]["owned"], shared[PHONE]["settled"], shared[PHONE]["until"]) == (
        ["call1"],
        ["call1", "call2"],
        8,
    )
    assert shared[EMAIL]["until"] is None  # what came before the second owner is the other's


def test_orders_are_listed_newest_first() -> None:
    stage = Stage()
    for start in (B, C, D):
        stage.join(start, A)
    listed = [each.order_id for each in orders.newest(stage.state, None, 2)]
    assert listed == ["o3", "o2"]
    assert [each.order_id for each in orders.newest(stage.state, 2, 5)] == ["o1"]


def test_a_busy_identifier_is_shown_in_part() -> None:
    stage = Stage()
    stage.handle(*(said(A, PHONE, n, f"s{n}") for n in range(300)), said(B, PHONE, 500))
    phone = rows(stage, PHONE)[PHONE]
    assert len(phone["evidence"]) == explain.EVIDENCE_MAX
    assert len(phone["sessions"]) == explain.SESSIONS_MAX
    assert phone["sessions_n"] == 300
