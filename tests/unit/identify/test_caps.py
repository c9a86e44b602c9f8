"""Over a cap: who stands alone, who is only not heard through public keys, and how people free them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.identity import same
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import UNASSIGNED, Assignment, Evidence, Unsaid
from pipeline.domain.spreading import outcomes
from pipeline.identify import erasing, explain, recall
from pipeline.identify.process import BOUNDS, Bounds
from tests.examples import examples
from tests.strategies import worlds
from tests.unit.identify.staging import COOKIE, DEVICE, EMAIL, PHONE, A, B, C, D, Stage, forged, said

FEW = Caps(
    links=4,
    owners=2,
    reach=3,
    sessions=2,
    freed_links=6,
    freed_owners=4,
    freed_reach=6,
    freed_sessions=4,
)


def cookies(strong: str, count: int, at: int = 1, first: int = 0) -> list[Evidence]:
    """So many cookies that somebody says are that one's."""
    return [forged(strong, f"anonymous:x{n}", at, event=f"x{n}") for n in range(first, first + count)]


def alone(stage: Stage) -> dict[str, tuple[str, bool]]:
    """Who is listed: why, and whether only what public keys said does not count."""
    found, _ = explain.alone(stage.state, 1_000, "")
    return {each["identifier"]: (each["why"], each["public"]) for each in found}


# What anybody can say.


@pytest.mark.parametrize("crowd", [1_001, 10_001])
def test_a_forged_crowd_takes_nobodys_phone_away(crowd: int) -> None:
    stage = Stage()
    stage.handle(said(A, PHONE), said(A, EMAIL), said(A, COOKIE))
    stage.handle(*cookies(A, crowd))
    for hers in (PHONE, EMAIL, COOKIE):
        assert stage.who(hers) == Assignment(0, (A,))
    assert stage.who("anonymous:x0") == stage.who(f"anonymous:x{crowd - 1}") == UNASSIGNED
    assert alone(stage) == {A: ("reach", True)}
    alert = stage.alerts[f"stands_alone|{A}"]
    assert alert is not None
    assert alert["reason"] == (
        "what public keys say of it does not count, since by that more than 1000 weaker identifiers came with it"
    )
    assert stage.free(A, at=100).state == "accepted"
    assert alone(stage) == {}
    assert stage.who(PHONE).owners == (A,)
    assert stage.who("anonymous:x0").owners == ((A,) if crowd < 10_000 else ())  # so many are forgotten
    stage.handle(forged(A, "anonymous:new", 200))
    assert stage.who("anonymous:new").owners == (A,)


def test_a_forged_crowd_of_customers_takes_nobodys_device_away() -> None:
    for count in (3, 5, 9):  # too many owners, too many links, more than any cap
        stage = Stage(FEW)
        stage.handle(said(A, DEVICE, 5, "s"))
        stage.handle(*(forged(f"customer:x{n}", DEVICE, 1, "s") for n in range(count)))
        assert stage.who(DEVICE) == Assignment(0, (A,)), count
        assert alone(stage) == {DEVICE: ("owners" if count < 5 else "links", True)}


def test_forged_sessions_and_candidates_take_nobodys_device_away() -> None:
    stage = Stage(FEW)
    stage.handle(said(A, DEVICE, 5, "s"), *(forged(B, DEVICE, 1, f"x{n}") for n in range(9)))
    assert stage.who(DEVICE) == Assignment(0, (A,))
    assert alone(stage) == {DEVICE: ("sessions", True)}


def test_what_is_not_heard_of_one_end_is_not_heard_of_the_other_either() -> None:
    stage = Stage(FEW)
    stage.handle(*cookies(A, 4), forged(B, "anonymous:x0", 9))
    assert stage.who("anonymous:x0") == Assignment(0, (B,))
    stage.handle(said(A, "anonymous:x1", 9))  # and now somebody says it who may be trusted
    assert stage.who("anonymous:x1") == Assignment(0, (A,))


def test_trusted_and_public_evidence_are_counted_apart() -> None:
    stage = Stage(FEW)
    stage.handle(*cookies(A, 3), *(said(A, f"device:{n}") for n in range(3)))
    assert alone(stage) == {}
    assert stage.who("anonymous:x2").owners == stage.who("device:2").owners == (A,)
    stage.handle(said(A, "device:3"))
    assert alone(stage) == {A: ("reach", False)}
    assert stage.who("anonymous:x2") == stage.who("device:2") == UNASSIGNED


def test_an_edge_has_the_times_and_sessions_of_what_is_heard() -> None:
    stage = Stage(FEW)
    stage.handle(said(A, DEVICE, 9, "late"), forged(A, DEVICE, 3, "early"), said(B, DEVICE, 5, "s"))
    assert stage.who(DEVICE).owners == (A, B)
    assert stage.who(DEVICE).sessions == {"early": A, "late": A, "s": B}
    stage.handle(*cookies(A, 4))
    assert stage.who(DEVICE).owners == (B, A)
    assert stage.who(DEVICE).sessions == {"late": A, "s": B}


def test_names_that_are_too_much_to_be_told() -> None:
    """However long they are: an assignment has to fit into a record."""
    stage = Stage(replace(CAPS, size=40_000))
    long = "s" * 250
    stage.handle(said(A, DEVICE), *(said(B, DEVICE, n, f"{long}{n:03}") for n in range(100)))
    assert stage.who(DEVICE).owners == (B, A)
    stage.handle(*(said(B, DEVICE, n, f"{long}{n:03}") for n in range(100, 200)))
    assert alone(stage) == {DEVICE: ("size", False)}


RECORD_BYTES_MAX = 512 * 1024  # engine.Limits.send_batch_bytes: a record that does not fit ends the process


def test_no_record_outgrows_a_batch_whatever_names_and_sessions_are() -> None:
    """The same session for everybody, and the longest names there can be."""
    stage = Stage()
    long = "ä" * 240
    everybody = [f"customer:{long}{n}" for n in range(600)]
    stage.handle(*(forged(who, DEVICE, 1, f"{long}s", f"{long}e") for who in everybody))
    stage.handle(*(forged(A, f"anonymous:{long}{n}", 1, f"{long}s", f"{long}e") for n in range(600)))
    stage.handle(*(forged((A, B)[n % 2], COOKIE, n, f"{long}{n}", f"{long}e") for n in range(600)))
    assert max(map(len, stage.state.data.values())) < RECORD_BYTES_MAX
    assert stage.erase(A, at=2_000).state == "accepted"
    assert max(map(len, stage.state.data.values())) < RECORD_BYTES_MAX
    assert max(len(each.value or b"") for each in stage.sent) < RECORD_BYTES_MAX
    scope = erasing.scope(stage.state, "o1")
    assert scope is not None
    assert len(scope.whole) == 601
    stage.finish("o1")
    assert stage.holds(f"anonymous:{long}7") == stage.holds(A) == []
    assert erasing.unfinished(stage.state) == []


def test_a_session_of_many_stays_with_all_of_them() -> None:
    stage = Stage()
    many = [f"customer:{n}" for n in range(20)]
    stage.handle(*(said(who, DEVICE, n, "kiosk") for n, who in enumerate(many)), said(many[0], DEVICE, 5, "alone"))
    assert stage.who(DEVICE).sessions == {"alone": many[0], "kiosk": ""}
    for n, who in enumerate(many[1:]):
        stage.part(DEVICE, who)
        assert stage.who(DEVICE).sessions == ({"alone": many[0], "kiosk": ""} if n < 18 else {})
    assert stage.who(DEVICE).owners == (many[0],)


def test_a_session_of_many_who_are_erased_stays_with_nameless_owners() -> None:
    stage = Stage()
    many = [f"customer:{n}" for n in range(20)]
    stage.handle(*(said(who, DEVICE, n, "kiosk") for n, who in enumerate(many)))
    for who in many:
        stage.finish(stage.erase(who, at=100).order_id)
    assert stage.holds("customer:") == []
    assert [key for key in stage.state.data if key[:1] == b"s" and b"kiosk" in key] != []  # of nameless owners


# The same evidence, in whatever order, ends where `assign` does.

ONE_SMALL = {
    "links": replace(CAPS, links=1),
    "owners": replace(CAPS, owners=1),
    "reach": replace(CAPS, reach=1),
    "sessions": replace(CAPS, sessions=1),
    "size": replace(CAPS, size=60),
    "all": FEW,
}


@pytest.mark.parametrize("caps", ONE_SMALL.values(), ids=ONE_SMALL)
@given(
    copies=worlds,
    size=st.integers(1, 8),
    bounds=st.sampled_from((BOUNDS, Bounds(changes=2, looks=3, spread=1, page=1))),
    chance=st.randoms(use_true_random=False),
)
@settings(max_examples=examples(60), deadline=None)
def test_at_a_cap_the_order_does_not_matter(
    caps: Caps, copies: list[Interaction], size: int, bounds: Bounds, chance: random.Random
) -> None:
    edges: list[dict[tuple[str, str], tuple[int, set[str]]]] = [{}, {}]
    evidence = []
    for each in copies:
        for weak in each.links:
            public = chance.random() < 0.4
            evidence.append(Evidence(each.identifier, weak, each.occurred_at, each.session_id, "shop", "e", 0, public))
            at, sessions = edges[public].get((each.identifier, weak), (each.occurred_at, set()))
            heard = sessions | ({each.session_id} - {""})
            edges[public][each.identifier, weak] = (min(at, each.occurred_at), heard)
    evidence += chance.choices(evidence, k=len(evidence) // 2) if evidence else []
    chance.shuffle(evidence)
    stage = Stage(caps, bounds=bounds)
    for start in range(0, len(evidence), size):
        stage.start(*evidence[start : start + size])
        if chance.random() < 0.3:
            stage.restart()
    stage.rest()
    expected = outcomes(edges[False], caps=caps, public=edges[True])
    for name, outcome in expected.items():
        assert same(stage.published.get(name, UNASSIGNED), outcome.assignment), name
    assert alone(stage) == {
        name: (each.alone or each.muted, not each.alone) for name, each in expected.items() if each.alone or each.muted
    }


# Freeing.


def family(stage: Stage, logins: int, first: int = 0) -> None:
    """A computer on which two people log in again and again."""
    stage.handle(*(said((A, B)[n % 2], DEVICE, n + 1, f"s{n}") for n in range(first, first + logins)))


def test_a_family_computer_is_freed_with_all_its_sessions() -> None:
    stage = Stage(FEW)
    family(stage, 4)
    assert alone(stage) == {DEVICE: ("sessions", False)}
    assert stage.free(DEVICE).state == "accepted"
    assert stage.who(DEVICE).sessions == {"s0": A, "s1": B, "s2": A, "s3": B}
    assert alone(stage) == {}
    family(stage, 1, first=4)
    assert alone(stage) == {DEVICE: ("sessions", False)}
    alert = stage.alerts[f"stands_alone|{DEVICE}"]
    assert alert is not None
    assert alert["reason"] == "several persons share it, in more than 4 sessions"  # the cap that holds by now
    (listed,), _ = explain.alone(stage.state, 10, "")
    assert listed["words"].endswith("freeing it once more has what was said so far forgotten.")


def test_a_family_computer_with_4001_logins_is_freed() -> None:
    stage = Stage()
    family(stage, 4_001)
    assert alone(stage) == {DEVICE: ("sessions", False)}
    stage.free(DEVICE)
    assert stage.who(DEVICE).owners == (A, B)
    assert len(stage.who(DEVICE).sessions) == 4_001


def test_an_alert_says_the_cap_that_holds() -> None:
    stage = Stage(FEW)
    stage.handle(*(said(f"customer:{n}", DEVICE) for n in range(5)))
    alert = stage.alerts[f"stands_alone|{DEVICE}"]
    assert alert is not None
    assert (alert["reason"], alert["closed_at"]) == ("more than 4 stronger identifiers came with it", None)
    order = stage.free(DEVICE)
    alert = stage.alerts[f"stands_alone|{DEVICE}"]
    assert alert is not None
    assert (alert["reason"], alert["closed_at"]) == ("more than 4 persons share it", None)
    assert stage.withdraw(order.order_id).state == "accepted"
    alert = stage.alerts[f"stands_alone|{DEVICE}"]
    assert alert is not None
    assert alert["reason"] == "more than 4 stronger identifiers came with it"


def kiosk(stage: Stage, customers: int) -> None:
    """A device on which so many log in."""
    stage.handle(*(said(f"customer:{n}", DEVICE, n + 1, f"s{n}") for n in range(customers)))


def test_beyond_the_widest_cap_what_was_said_is_forgotten_and_it_begins_anew() -> None:
    stage = Stage(FEW)
    kiosk(stage, 9)
    ordered = stage.free(DEVICE, at=100)
    assert (ordered.state, ordered.renewed) == ("accepted", "all")
    assert alone(stage) == {}
    assert stage.who(DEVICE) == UNASSIGNED
    alert = stage.alerts[f"stands_alone|{DEVICE}"]
    assert alert is not None
    assert alert["closed_at"] is not None
    assert stage.holds("customer:3") == []  # nor anything of it anywhere
    stage.restart()
    stage.handle(said(A, DEVICE, 99, "late"))
    assert stage.who(DEVICE) == UNASSIGNED
    stage.handle(said(A, DEVICE, 120, "s"))
    who = stage.who(DEVICE)
    assert who == Assignment(0, (DEVICE, A), 120, {"s": A}, (A,), ambiguous=True)
    assert who.owner(DEVICE, "s", 130) == A
    assert who.owner(DEVICE, "", 50) == who.owner(DEVICE, "", 130) == DEVICE  # what was before is nobody else's
    assert "cannot be taken back" in stage.withdraw(ordered.order_id).reason


def test_whoever_told_of_what_is_forgotten_tells_it_again() -> None:
    stage = Stage(FEW)
    kiosk(stage, 9)
    stage.free(DEVICE, at=100)
    told = {(each.to, each.weak, each.before) for each in stage.unsaid}
    assert told == {(DEVICE, "", 100), *((f"customer:{n}", DEVICE, 100) for n in range(9))}
    stage.handle(said(A, DEVICE, 99))
    assert stage.unsaid[-1] == Unsaid(A, DEVICE, 100)


def test_what_was_freed_in_vain_is_freed_by_having_it_forgotten() -> None:
    stage = Stage(FEW)
    stage.handle(*(said(f"customer:{n}", DEVICE) for n in range(5)))  # more owners than even the wider cap allows
    assert stage.free(DEVICE, at=100).renewed == ""
    assert alone(stage) == {DEVICE: ("owners", False)}
    assert stage.free(DEVICE, at=100).renewed == "all"
    assert alone(stage) == {}
    assert "has freed device:1 already, and it does not stand alone" in stage.free(DEVICE, at=100).reason


def test_a_bot_is_freed_by_having_it_forgotten() -> None:
    stage = Stage(FEW)
    stage.handle(*(said(A, f"anonymous:{n}", 5) for n in range(9)))
    assert stage.free(A, at=100).renewed == "all"
    assert alone(stage) == {}
    stage.handle(said(A, "anonymous:1", 99), said(A, "anonymous:2", 101), said(A, "anonymous:new", 101))
    assert [stage.who(f"anonymous:{n}").owners for n in (1, 2, "new")] == [(), (A,), (A,)]
    assert stage.who("anonymous:2") == Assignment(0, (A,))  # it was never anybody's, so all of it is


def test_of_one_who_is_not_heard_only_what_public_keys_said_is_forgotten() -> None:
    stage = Stage(FEW)
    stage.handle(said(A, DEVICE, 5), *(forged(f"customer:{n}", DEVICE, 5, f"s{n}") for n in range(9)))
    assert stage.free(DEVICE, at=100).renewed == "public"
    assert stage.who(DEVICE) == Assignment(0, (A,))
    stage.handle(forged(B, DEVICE, 120))
    assert stage.who(DEVICE).owners == (A, B)


def test_what_was_forgotten_stays_so_from_nothing() -> None:
    stage = Stage(FEW)
    kiosk(stage, 9)
    stage.free(DEVICE, at=100)
    kept = [recall.decode(value) for value in stage.orders.values() if value is not None]
    again = Stage(FEW, kept)
    kiosk(again, 9)
    assert again.who(DEVICE) == UNASSIGNED
    assert alone(again) == {}
    again.handle(said(A, DEVICE, 120, "s"))
    assert again.who(DEVICE).owners == (DEVICE, A)


def test_an_erasure_leaves_nothing_of_what_was_forgotten_or_freed() -> None:
    stage = Stage(FEW)
    stage.handle(*(said(A, f"anonymous:{n}", 5) for n in range(9)))
    stage.free(A, at=50)
    stage.handle(said(A, PHONE, 60, "call"), said(B, PHONE, 61, "call2"))
    assert stage.erase(A, at=100).state == "accepted"
    stage.finish("o2")
    assert stage.holds(A) == []
    assert stage.who(PHONE).owners == ("erased:100.o2", B)
    assert stage.orders["o1"] is None


def test_the_past_of_a_shared_device_outlives_the_next_owner() -> None:
    stage = Stage(FEW)
    kiosk(stage, 9)
    stage.free(DEVICE, at=100)
    stage.handle(said(C, DEVICE, 120, "s"), said(D, DEVICE, 130, "t"))
    assert stage.who(DEVICE).owners == (DEVICE, C, D)
    stage.erase(C, at=200)
    assert stage.who(DEVICE).owners == (DEVICE, "erased:200.o2", D)
    assert stage.published[DEVICE].owner(DEVICE, "", 10) == DEVICE


def test_at_the_widest_cap_an_erasure_takes_nobody_over_it() -> None:
    """What a public key said of them becomes a nameless owner's, in a session that has one already."""
    stage = Stage(replace(FEW, sessions=2, freed_sessions=2))
    stage.handle(said(A, PHONE), said(PHONE, DEVICE, 2, "s1"), said(PHONE, DEVICE, 3, "s3"))
    stage.handle(forged(A, DEVICE, 4, "s3"), forged(B, DEVICE, 5, "s1"))
    assert stage.who(DEVICE).owners == (A, B)
    assert stage.erase(A, at=100).state == "accepted"
    assert stage.who(DEVICE).owners == ("erased:100.o1", B)
    assert alone(stage) == {}
