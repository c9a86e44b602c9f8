"""The stage `identify`: what it publishes, what it keeps, and that it ends where `assign` does."""

from __future__ import annotations

import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.identity import same
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import UNASSIGNED, Assigned, Assignment, Evidence, decode_message, encode
from pipeline.domain.spreading import assign
from pipeline.identify.process import Identify
from pipeline.identify.records import Cache, Edge, Entry, Record
from pipeline.topics import EVIDENCE, IDENTITIES, INBOX
from tests.examples import examples
from tests.fakes import FakeBatch, FakeRecord, Sent
from tests.strategies import worlds
from tests.unit.identify.staging import COOKIE, DEVICE, PARTITIONS, PHONE, A, B, JsonCodec, Stage, said, seal


def evidence_of(copies: list[Interaction]) -> list[Evidence]:
    return [
        Evidence(each.identifier, weak, each.occurred_at, each.session_id, each.source, each.event_id)
        for each in copies
        for weak in each.links
    ]


def handle(
    records: list[FakeRecord], data: dict[bytes, bytes] | None = None, cache: dict[str, object] | None = None
) -> list[Sent]:
    """Handle one batch to its end."""
    batch = FakeBatch(0, sources=records, data=data, cache=cache)
    for _ in Identify(JsonCodec(), PARTITIONS, seal).process(batch):
        pass
    return batch.sent


def test_an_assignment_goes_to_its_profile_and_to_the_store() -> None:
    to_profile, to_store = Stage().handle(said(A, COOKIE, 5))
    assert to_profile.topic == INBOX.name
    assert decode_message(to_profile.value or b"") == Assigned(COOKIE, Assignment(1, (A,)))
    assert to_store.topic == IDENTITIES.name
    assert json.loads(to_store.value or b"") == [
        "identity",
        {
            "identifier": COOKIE,
            "version": 1,
            "person": A,
            "until": None,
            "ambiguous": False,
            "owners": [A],
            "candidates": [],
            "sessions": {},
        },
    ]


def test_a_shared_identifier_is_its_own_person_in_the_store() -> None:
    sent = Stage().handle(said(A, COOKIE, 5, "s"), said(B, COOKIE, 8))
    row = json.loads(sent[-1].value or b"")[1]
    assert (row["person"], row["until"], row["ambiguous"]) == (COOKIE, 8, True)
    assert (row["owners"], row["candidates"], row["sessions"]) == ([A, B], [A, B], {"s": A})


def test_what_is_known_changes_nothing() -> None:
    stage = Stage()
    stage.handle(said(A, COOKIE, 5, "s"), said(B, COOKIE, 8))
    before = dict(stage.state.data)
    for _ in range(2):
        assert stage.handle(said(A, COOKIE, 5, "s"), said(A, COOKIE, 6), said(B, COOKIE, 8)) == []
        assert stage.state.data == before
        stage.restart()


def test_a_batch_settles_each_identifier_once() -> None:
    stage = Stage()
    stage.handle(*(said(A, PHONE, n) for n in range(9, 0, -1)), said(PHONE, COOKIE), said(COOKIE, DEVICE))
    assert stage.versions == [1, 2, 3]
    assert {name: who.owners for name, who in stage.published.items()} == dict.fromkeys((PHONE, COOKIE, DEVICE), (A,))


def test_a_change_spreads_to_what_is_below() -> None:
    stage = Stage()
    stage.handle(said(PHONE, COOKIE), said(COOKIE, DEVICE))
    stage.restart()
    assert stage.published[DEVICE].owners == (PHONE,)
    stage.handle(said(A, PHONE))
    assert stage.published[DEVICE].owners == (A,)
    stage.handle(said(B, PHONE))
    assert stage.published[DEVICE] == Assignment(8, candidates=(A, B), ambiguous=True)
    assert stage.versions == list(range(1, 9))


def test_a_session_of_an_only_owner_is_remembered_for_later() -> None:
    stage = Stage()
    stage.handle(said(A, COOKIE, 5, "s"))
    stage.restart()
    assert stage.handle(said(A, COOKIE, 6, "t")) == []
    stage.restart()
    stage.handle(said(B, COOKIE, 9))
    assert stage.published[COOKIE].sessions == {"s": A, "t": A}
    stage.handle(said(A, COOKIE, 7, "u"))
    assert stage.published[COOKIE].sessions == {"s": A, "t": A, "u": A}


@pytest.mark.parametrize("value", [None, b"", b"\xc1", encode(Assigned(A, UNASSIGNED)), encode(said(COOKIE, A))])
def test_broken_evidence_ends_the_process(value: bytes | None) -> None:
    with pytest.raises((ValueError, msgspec.DecodeError)):
        handle([FakeRecord(EVIDENCE.name, 0, 0, 0, None, value)])


def test_the_loop_is_given_back_often() -> None:
    records = [FakeRecord(EVIDENCE.name, 0, n, 0, None, encode(said(A, f"device:{n}"))) for n in range(640)]
    pauses = list(Identify(JsonCodec(), PARTITIONS, seal).process(FakeBatch(0, sources=records)))
    assert len(pauses) >= 10 + 640


@given(worlds, st.integers(1, 8), st.randoms(use_true_random=False))
@settings(max_examples=examples(200), deadline=None)
def test_any_order_any_batches_and_restarts_end_where_assign_does(
    copies: list[Interaction], size: int, chance: random.Random
) -> None:
    evidence = evidence_of(copies)
    edges: dict[tuple[str, str], tuple[int, set[str]]] = {}
    for each in evidence:
        at, sessions = edges.get((each.strong, each.weak), (each.occurred_at, set()))
        edges[each.strong, each.weak] = (min(at, each.occurred_at), sessions | ({each.session_id} - {""}))
    evidence += chance.choices(evidence, k=len(evidence) // 2) if evidence else []
    chance.shuffle(evidence)
    stage = Stage()
    for start in range(0, len(evidence), size):
        stage.handle(*evidence[start : start + size])
        if chance.random() < 0.3:
            stage.restart()
    expected = {name: who for name, who in assign(edges).items() if not same(who, UNASSIGNED)}
    assert stage.published.keys() == expected.keys()
    assert all(same(stage.published[name], expected[name]) for name in expected)
    assert stage.versions == list(range(1, len(stage.versions) + 1))


def test_a_record_of_the_layout_before_is_read_and_its_edges_count_as_trusted() -> None:
    """Edges and sessions that were not kept are over every cap, until somebody has them forgotten."""
    edges = {f"customer:{n}": [n, "shop", "e", "s"] for n in range(20)}
    stage = Stage()
    old = [edges, None, 20, 0, 20, "", 0, "", "", "", {}]
    stage.state.put(b"i" + DEVICE.encode(), msgspec.msgpack.encode(old))
    stage.handle(said("customer:20", DEVICE, 50))
    assert len(stage.who(DEVICE).owners) == 21
    stage.restart()
    stage.handle(said("customer:21", DEVICE, 60))
    assert len(stage.who(DEVICE).owners) == 22
    more = [edges, None, 1_001, 0, 20, "links", 5, "", "", "", {}]
    stage.state.put(b"i" + PHONE.encode(), msgspec.msgpack.encode(more))
    assert stage.free(PHONE, at=100).renewed == "all"


def test_the_cache_is_bounded() -> None:
    cache = Cache(weight_max=10)
    for n in range(20):
        cache.give(f"device:{n}", Entry(Record({A: Edge(1)})))
    assert cache.take("device:0") is None
    kept = [n for n in range(20) if cache.take(f"device:{n}")]
    assert kept == [15, 16, 17, 18, 19]
    cache.give("device:0", Entry(Record({f"customer:{n}": Edge(1) for n in range(50)})))  # too large to keep at all
    assert cache.take("device:0") is None
