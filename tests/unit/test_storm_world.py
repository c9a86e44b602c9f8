"""The storm's world and its truth, held against the product in memory: without processes, and so in seconds.

When the real storm differs from the truth and this does not, the fault is in the engine or the store.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.catalogue import load
from pipeline.domain.identifiers import Keyring
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from pipeline.domain.view import context, resolve
from pipeline.identify.process import Identify
from pipeline.partition import partition_of
from pipeline.settings import Settings
from pipeline.stitch.process import Stitch
from pipeline.topics import (
    CUSTOMER_SCORES,
    EVIDENCE,
    IDENTITIES,
    INBOX,
    REJECTED,
    TIMELINES,
    TOUCHPOINT_SCORES,
    channel_topic,
)
from pipeline.wire import Codec
from tests.comparison import Seen, answer_differences, differences, time_text
from tests.fakes import FakeBatch, FakeRecord
from tests.policies import POLICY
from tests.system.generator import HOUSEHOLD_EVENTS, Delivery, storm
from tests.truth import DIMENSIONS, Expected, answer, expected

NOW = 1_750_000_000_000
PARTITIONS = 8
SCHEMAS = Settings().schemas
CODEC, KEYRING = Codec(SCHEMAS), Keyring({"k1": b"k" * 32}, "k1", b"s" * 32, POLICY.placeholders)
RULES = Rules(scoring=load(SCHEMAS / "catalogue").scoring)


class Product:
    """Stitch and identify, one batch after the other."""

    def __init__(self, chance: random.Random) -> None:
        self.states: list[dict[bytes, bytes]] = [{} for _ in range(PARTITIONS + 1)]
        self.caches: list[dict[str, object]] = [{} for _ in range(PARTITIONS + 1)]
        self.waiting: dict[tuple[str, int], list[FakeRecord]] = defaultdict(list)  # topic and partition
        self.outputs: dict[str, dict[Any, dict[str, Any]]] = defaultdict(dict)
        self._chance = chance
        self._stitch = Stitch(CODEC, KEYRING, RULES, PARTITIONS, "US", policy=POLICY)
        self._identify = Identify(CODEC, PARTITIONS, KEYRING.seal)
        self._offset = 0

    def put(self, topic: str, partition: int, key: bytes | None, value: bytes | None, at_ms: int = 0) -> None:
        self._offset += 1
        self.waiting[topic, partition].append(FakeRecord(topic, partition, self._offset, at_ms, key, value))

    def step(self) -> bool:
        """One batch of somebody who has work; False where nobody has."""
        ready = [node for node, records in self.waiting.items() if records]
        if not ready:
            return False
        topic, partition = self._chance.choice(ready)
        if topic == EVIDENCE.name:
            batch = FakeBatch(0, [], self._take(topic, 0), self.states[-1], self.caches[-1])
            work = self._identify.process(batch)
        else:
            sources = [record for name in _sources() for record in self._take(name, partition)]
            inbox = self._take(INBOX.name, partition)
            batch = FakeBatch(partition, inbox, sources, self.states[partition], self.caches[partition])
            work = self._stitch.process(batch)
        for _ in work:
            pass
        for sent in batch.sent:
            if sent.topic in (INBOX.name, EVIDENCE.name):
                self.put(sent.topic, sent.partition, sent.key, sent.value)
            else:
                assert sent.value is not None
                record = CODEC.decode(sent.value)[1]
                event = (record["source"], record["event_id"]) if sent.topic == TIMELINES.name else ()
                self.outputs[sent.topic][sent.key, *event] = record
        return True

    def _take(self, topic: str, partition: int) -> list[FakeRecord]:
        records = self.waiting[topic, partition]
        count = self._chance.randint(1, 60)
        taken = records[:count]
        del records[:count]
        return taken


def _sources() -> Iterator[str]:
    return (channel_topic(channel) for channel in ("web", "mobile", "phone", "in_store", "chat", "message", "partner"))


def play(deliveries: list[Delivery], seed: int) -> Product:
    chance = random.Random(seed)
    product = Product(chance)
    for each in deliveries:
        if each.via == "http":
            if each.reason:
                continue  # collect answers it
            event = each.event or {}
            identifier = KEYRING.resolve(*_strongest(event["identifiers"]), "US").identifier
            value = CODEC.encode(f"interaction_{each.channel}", event | {"received_at": NOW + 1})
            product.put(channel_topic(each.channel), partition_of(identifier, PARTITIONS), None, value, NOW + 1)
        else:
            partition = partition_of(each.key, PARTITIONS) if each.key else chance.randrange(PARTITIONS)
            value = CODEC.encode(f"interaction_{each.channel}", each.event) if each.event else each.value
            product.put(channel_topic(each.channel), partition, None, value, NOW + 1)
        if chance.random() < 0.05:
            product.step()
    while product.step():
        pass
    return product


def _strongest(identifiers: dict[str, str]) -> tuple[str, str]:
    names = ("customer", "loyalty", "email", "phone", "anonymous", "device")
    return next((name, identifiers[name]) for name in names if name in identifiers)


def seen(product: Product) -> Seen:
    """The outputs as ClickHouse would show them."""
    identities = {}
    for row in product.outputs[IDENTITIES.name].values():
        earlier = row["owners"][0] if row["until"] is not None else ""
        sessions = {session: person or row["identifier"] for session, person in row["sessions"].items()}
        identities[row["identifier"]] = row | {"earlier_person": earlier, "sessions": sessions}
    interactions = {}
    for row in product.outputs[TIMELINES.name].values():
        answered = row["answer"] or {"question": "", "value": None, "min": None, "max": None}
        interactions[row["identifier"], row["source"], row["event_id"]] = (
            row
            | row["evidence"]
            | {
                "person": _person(row, identities.get(row["identifier"])),
                "answer": list(answered.values()),
                "items": [list(item.values()) for item in row["items"]],
            }
        )
    cells = {}
    for row in product.outputs[TOUCHPOINT_SCORES.name].values():
        if row["interactions"]:
            names = [
                f"{d}_{k}_{what}" for d in DIMENSIONS for k in ("asked", "observed") for what in ("n", "sum", "sum2")
            ]
            sums = [row[name] if name.endswith("_n") else round(row[name] * 1e6) for name in names]
            place = (row["window_start"], row["touchpoint"], row["channel"], row["partition"])
            cells[place] = (row["interactions"], *sums)
    scores = product.outputs[CUSTOMER_SCORES.name].values()
    return Seen(
        interactions=interactions,
        identities=identities,
        scores={(r["person"], r["day"]): r for r in scores if any(r[f"{d}_n"] for d in DIMENSIONS)},
        cells=cells,
        rejected=Counter(row["reason"] for row in product.outputs[REJECTED.name].values()),
    )


def _person(row: dict[str, Any], identity: dict[str, Any] | None) -> str:
    if identity is None:
        return str(row["identifier"])
    if row["session_id"] and row["session_id"] in identity["sessions"]:
        return str(identity["sessions"][row["session_id"]])
    if identity["until"] is not None and row["occurred_at"] < identity["until"]:
        return str(identity["earlier_person"])
    return str(identity["person"])


def asked(product: Product, identifier: str) -> dict[str, Any]:
    """As the API answers, from the product's own views."""

    def state(name: str) -> DictState:
        held = DictState()
        held.data = product.states[partition_of(name, PARTITIONS)]
        return held

    said = resolve(state(identifier), identifier, RULES)
    if said["ambiguous"]:
        nothing: dict[str, Any] = {"profile": None, "timeline": [], "now": {"last_order": None}}
        return nothing | {"match": "ambiguous", "candidates": [{"id": each} for each in said["candidates"]]}
    return context(state(said["person"]), said["person"], NOW, RULES) | {"match": "one", "candidates": []}


@pytest.fixture(scope="module")
def world() -> tuple[list[Delivery], Expected]:
    deliveries = storm(4_000, 7, NOW)
    return deliveries, expected(deliveries, KEYRING, RULES.scoring, NOW, PARTITIONS)


def test_the_product_ends_in_the_truth(world: tuple[list[Delivery], Expected]) -> None:
    deliveries, told = world
    product = play(deliveries, 1)
    assert differences(told, seen(product), NOW) == []
    for identifier in list(told.keys.values())[::3]:
        assert answer_differences(answer(told, identifier), asked(product, identifier)) == [], identifier


def test_what_is_wrong_is_found(world: tuple[list[Delivery], Expected]) -> None:
    """The comparison itself: one event fewer, and somebody else's session."""
    deliveries, told = world
    first = next(each.event["event_id"] for each in deliveries if each.event and not each.reason)
    lost = [each for each in deliveries if not each.event or each.event["event_id"] != first]
    said = differences(told, seen(play(lost, 1)), NOW)
    assert any(line.startswith("interactions: 1 missing") for line in said)
    assert any(line.startswith("touchpoint cells") for line in said)


def test_the_world_is_what_it_promises(world: tuple[list[Delivery], Expected]) -> None:
    deliveries, told = world
    assert deliveries == storm(4_000, 7, NOW)
    assert len(told.stored) >= 4_000
    stored = Counter(identifier for identifier, _, _ in told.stored)
    shared = {identifier for identifier, who in told.identities.items() if who.ambiguous}
    assert max(stored[identifier] for identifier in shared) <= HOUSEHOLD_EVENTS
    assert max(len(mine) for mine in told.persons.values()) > 200, "nobody's view is cut"
    ambiguous = [who for who in told.identities.values() if who.ambiguous]
    assert len(ambiguous) > 20
    assert any(len(who.owners) > 2 for who in ambiguous)
    assert any(set(who.sessions.values()) - {""} for who in ambiguous)
    assert any(not who.owners for who in ambiguous)
    assert time_text(NOW) == "2025-06-15T15:06:40.000Z"
