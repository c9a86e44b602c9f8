"""One change that concerns very many: bounded batches, what is new first, orders in their place, and all of it done."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from pipeline.domain.caps import Caps
from pipeline.domain.messages import UNASSIGNED, Evidence
from pipeline.identify import erasing
from pipeline.identify.orders import find
from pipeline.identify.process import BOUNDS, Bounds
from pipeline.topics import IDENTITIES
from tests.fakes import FakeBatch
from tests.unit.identify.staging import COOKIE, PHONE, A, B, C, Stage, forged, said

K = 25
FEW = Bounds(changes=50, looks=200, spread=20, chores=30, page=8)
CAPS = Caps(reach=K, freed_reach=2 * K)


def crowd(strong: str, at: int = 1) -> Iterator[Evidence]:
    """A customer with K cookies, each with K devices of its own."""
    for n in range(K):
        yield said(strong, f"anonymous:c{n}", at)
        for device in range(K):
            yield said(f"anonymous:c{n}", f"device:{n}.{device}", at)


def published(batch: FakeBatch) -> int:
    """How many assignments a batch has published."""
    return len(batch.to(IDENTITIES.name))


def keys(stage: Stage, *kinds: str) -> int:
    """How many keys of these kinds the state has."""
    return sum(key[:1].decode() in kinds for key in stage.state.data)


def test_a_customer_who_tips_over_a_cap_changes_a_bounded_number_at_a_time() -> None:
    stage = Stage(CAPS, bounds=FEW)
    stage.handle(*crowd(A))
    assert stage.who("device:7.7").owners == (A,)
    stage.handle(said(A, "anonymous:one too many"))
    assert len(stage.batches) > K * K / FEW.changes
    assert max(map(published, stage.batches)) <= FEW.changes
    assert all(stage.who(f"anonymous:c{n}") == UNASSIGNED for n in range(K))
    assert all(stage.who(f"device:{n}.{m}").owners == (f"anonymous:c{n}",) for n in range(K) for m in range(K))
    assert keys(stage, "w", "v", "r", "j", "g") == 0
    assert max(len(batch.sent) for batch in stage.batches) <= 3 * FEW.changes  # nothing else grows either


def test_with_the_real_bounds_a_million_would_be_two_hundred_batches() -> None:
    """A transaction has three seconds, and a record of it some tens of microseconds."""
    assert BOUNDS.changes <= 5_000
    assert BOUNDS.bytes <= 8 * 1024 * 1024


def test_large_assignments_count_as_what_they_are() -> None:
    stage = Stage(bounds=Bounds(bytes=20_000))
    for n in range(20):
        stage.handle(*(said(A, f"device:{n}", m, f"{'s' * 200}{m}") for m in range(50)))
    stage.handle(*(said(B, f"device:{n}", 99) for n in range(20)))
    sizes = [sum(len(each.value or b"") for each in batch.to(IDENTITIES.name)) for batch in stage.batches]
    assert len(sizes) > 5
    assert max(sizes) < 60_000


def test_what_is_new_comes_first() -> None:
    stage = Stage(CAPS, bounds=FEW)
    stage.handle(*crowd(A))
    stage.start(said(A, "anonymous:one too many"))
    assert stage.batches[-1].again
    assert not stage.batches[-1].hold
    stage.start(said(B, COOKIE), said(COOKIE, "device:hers"))
    assert stage.batches[-1].again
    assert stage.who(COOKIE).owners == stage.who("device:hers").owners == (B,)
    stage.rest()
    assert stage.who("device:0.0").owners == ("anonymous:c0",)


def test_it_goes_on_after_a_restart_though_nothing_new_comes() -> None:
    stage = Stage(CAPS, bounds=FEW)
    stage.handle(*crowd(A))
    stage.start(said(A, "anonymous:one too many"))
    for _ in range(3):
        stage.restart()
        stage.go_on()
    assert stage.batches[-1].again
    stage.restart()
    stage.rest()
    assert all(stage.who(f"device:{n}.{m}").owners == (f"anonymous:c{n}",) for n in range(K) for m in range(K))


def test_where_nothing_waits_no_other_batch_is_asked_for() -> None:
    stage = Stage()
    stage.start(said(A, COOKIE), said(COOKIE, "device:1"))
    assert not stage.batches[-1].again
    stage.go_on()
    assert (stage.batches[-1].again, stage.batches[-1].sent) == (False, [])


def test_an_order_is_complete_when_it_has_spread() -> None:
    stage = Stage(CAPS, bounds=FEW)
    stage.handle(*crowd(A))
    stage.start(stage.joining(A, B))
    ordered = find(stage.state, "o1")
    assert ordered is not None
    assert (ordered.state, ordered.spreading) == ("accepted", True)
    stage.start(said(C, PHONE))  # not because of the order
    stage.rest()
    ordered = find(stage.state, "o1")
    assert ordered is not None
    assert not ordered.spreading
    assert ordered.changed_n == 1 + K + K * K
    assert PHONE not in {each.identifier for each in ordered.changed}
    assert stage.who("device:9.9").owners == (B,)


def test_an_order_waits_until_nothing_spreads_and_what_is_behind_it_waits_too() -> None:
    stage = Stage(CAPS, bounds=FEW)
    stage.handle(*crowd(A))
    stage.start(said(A, "anonymous:one too many"), stage.erasing(A, at=100), said(B, COOKIE), stage.joining(B, C))
    assert stage.batches[-1].hold
    assert find(stage.state, "o1") is None
    assert COOKIE not in stage.published
    stage.restart()
    stage.rest()
    assert find(stage.state, "o1") is not None
    scope = erasing.scope(stage.state, "o1")
    assert scope is not None
    assert scope.whole == [A]  # by then nobody else was theirs
    assert stage.who(COOKIE).owners == (C,)
    assert sorted(stage.holds(A)) == [b"eo1", b"oo1"]  # until it is proven


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_in_between_it_ends_the_same(seed: int) -> None:
    chance = random.Random(seed)
    evidence = [*crowd(A), *crowd(B, 2), said(A, "anonymous:one too many")]
    evidence += [said(C, f"anonymous:c{n}", 3, f"s{n}") for n in range(0, K, 3)]
    whole = Stage(CAPS)
    whole.handle(*evidence)
    chance.shuffle(evidence)
    parts = Stage(CAPS, bounds=FEW)
    for start in range(0, len(evidence), 200):
        parts.start(*evidence[start : start + 200])
        if chance.random() < 0.3:
            parts.restart()
    parts.rest()
    names = {name for each in evidence for name in (each.strong, each.weak)}
    assert [name for name in names if parts.who(name) != whole.who(name)] == []


# What is taken away, a part at a time.


def test_a_bot_is_erased_part_by_part_and_nothing_names_it() -> None:
    stage = Stage(Caps(reach=K), bounds=FEW)
    stage.handle(*(said(A, f"anonymous:{n}", 1, f"s{n}") for n in range(1_000)), said(A, PHONE, 1))
    stage.handle(stage.erasing(A, at=100))
    assert len(stage.batches) > 1_000 / FEW.chores / 2
    assert max(len(batch.sent) for batch in stage.batches) < 100
    stage.finish("o1")
    assert stage.holds(A) == []
    assert keys(stage, "d", "s", "j", "w") == 0
    stage.handle(said(A, COOKIE, 99), said(A, PHONE, 120))
    assert stage.who(COOKIE) == UNASSIGNED
    assert stage.who(PHONE).owners == (A,)


def test_while_it_is_taken_away_nothing_of_it_counts_and_what_is_new_does() -> None:
    stage = Stage(Caps(reach=K), bounds=FEW)
    stage.handle(*(said(A, f"anonymous:{n}", 1) for n in range(1_000)))
    stage.start(stage.erasing(A, at=100))
    assert stage.batches[-1].again
    stage.start(said(A, "anonymous:999", 120, "new"), said(A, PHONE, 120))
    assert stage.who("anonymous:999").owners == stage.who(PHONE).owners == (A,)
    stage.rest()
    assert stage.who("anonymous:999").owners == stage.who(PHONE).owners == (A,)
    assert stage.who("anonymous:1") == UNASSIGNED
    assert stage.who("anonymous:998") == UNASSIGNED
    assert keys(stage, "d") == 2


def test_a_kiosk_is_erased_part_by_part_and_whoever_used_it_tells_again() -> None:
    stage = Stage(Caps(links=10, freed_links=20), bounds=FEW)
    stage.handle(*(said(f"customer:{n}", COOKIE, 1, f"s{n}") for n in range(1_000)))
    stage.handle(stage.erasing(COOKIE, at=100))
    assert {each.to for each in stage.unsaid} == {f"customer:{n}" for n in range(1_000)}
    stage.finish("o1")
    assert stage.holds(COOKIE) == []
    assert [key for key in stage.state.data if key[:1] == b"i"] == []  # nor counts anything of theirs


def test_a_person_over_whom_a_crowd_was_forged_is_erased() -> None:
    stage = Stage(Caps(reach=K), bounds=FEW)
    stage.handle(said(A, PHONE, 1, "call"), said(B, PHONE, 2, "call2"))
    stage.handle(*(forged(A, f"anonymous:{n}", 1, f"s{n}") for n in range(1_000)))
    stage.handle(stage.erasing(A, at=100))
    assert stage.who(PHONE).owners == ("erased:100.o1", B)
    assert stage.who(PHONE).sessions == {"call": "erased:100.o1", "call2": B}
    stage.finish("o1")
    assert stage.holds(A) == []
    assert keys(stage, "d", "p") == 1


def test_so_many_as_no_person_has_are_not_erased_and_it_says_what_to_do() -> None:
    stage = Stage()
    for n in range(5):
        stage.handle(said(A, f"anonymous:{n}"), *(said(f"anonymous:{n}", f"device:{n}.{m}") for m in range(900)))
    refused = stage.erase(A)
    assert refused.state == "refused"
    assert "part from them what is not theirs, and erase what is left" in refused.reason
    assert "below anonymous:" in refused.reason
    stage.part("anonymous:0", A)
    assert stage.erase(A).state == "accepted"
