"""Erasures step by step: what is asked of whom, what is tried again, and what the proof says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from pipeline import topics
from pipeline.domain.messages import decode_said
from pipeline.domain.orders import Finish
from pipeline.privacy import erasures as running
from pipeline.privacy.broker import Behind, Keeps
from pipeline.privacy.erasing import Means, Patience
from pipeline.privacy.erasures import Erasures
from pipeline.privacy.proof import AGEING, REPLACED, TRIMMED, Ageing, Place
from pipeline.privacy.remains import Looked
from pipeline.privacy.scope import Scope
from pipeline.serve.workers import Unavailable
from tests.serving import until

REQUEST, ANNA = "0f3a", "customer:anna"
BEFORE = 1_700_000_000_000


class World:
    """Everybody whom an erasure asks; each can be away, or have something left, for a number of times."""

    def __init__(self) -> None:
        self.state, self.reason = "accepted", ""
        self.proof: dict[str, Any] | None = None
        self.asked: list[str] = []
        self.trouble: dict[str, list[Exception]] = {}
        self.left: list[dict[str, int]] = []  # of the profiles, at each sweep
        self.dead: list[tuple[int, bytes]] = [(1, b"interactions.web/1/7")]
        self.buried: list[tuple[str, int, bytes]] = []
        self.trimmed: dict[TopicPartition, int] = {}
        self.later = 0  # stores that are too large to be compacted at once
        self.workers_n = 1
        self.orders = 1
        self.forgotten = 0

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        waiting = self.trouble.get(what)
        if waiting:
            raise waiting.pop(0)

    # identify and its log.

    async def order(self, order_id: str, wait_s: float = 0.0) -> dict[str, Any]:
        self._ask("order")
        changed = [{"identifier": ANNA, "version": 9, "tell": [ANNA]}, {"identifier": "d", "version": 8, "tell": []}]
        return {"order_id": order_id, "state": self.state, "reason": self.reason, "number": 3, "changed": changed}

    async def erasure(self, order_id: str) -> dict[str, Any]:
        shared = {"identifier": "device:d", "placeholder": "erased:1.0f", "owned": ["s"], "settled": ["s"]}
        return {
            "state": self.state,
            "reason": self.reason,
            "before": BEFORE,
            "blocked": False,
            "whole": [ANNA],
            "shared": [{**shared, "until": None}],
            "proof": self.proof,
        }

    async def erasures(self) -> dict[str, Any]:
        self._ask("erasures")
        return {"unfinished": [REQUEST] if self.state == "accepted" else [], "orders": self.orders}

    async def identity(self, identifier: str) -> dict[str, Any]:
        self._ask("identity")
        return {"identifiers": [{"id": identifier, "evidence": []}], "orders": []}

    async def write(self, topic: str, key: bytes, value: bytes, partition: int | None = None) -> None:
        self._ask("write")
        said = decode_said(value)
        assert isinstance(said, Finish)
        assert (topic, partition, said.order_id) == (topics.EVIDENCE.name, 0, REQUEST)
        self.state, self.proof = "finished", msgspec.json.decode(said.proof)

    async def outstanding(self, ordered: dict[str, Any], deadline: Any) -> list[Any]:
        self._ask("outstanding")
        return []

    # The workers.

    async def erased(self, ids: Iterable[str], order: int, wait_s: float) -> None:
        self._ask("erased")
        assert (set(ids), order) == ({ANNA}, 3)

    async def sweep(self, scope: Scope, wait_s: float) -> list[dict[str, Any]]:
        self._ask("sweep")
        assert scope.version == 8
        return [{"number": 0, "looked": 12, "found": self.left.pop(0) if self.left else {}, "offset": 70}]

    async def tidy(self, offsets: Any, wait_s: float = 0.0) -> Any:
        told = {"copies": [], "forgotten": 3, "dropped": 0, "compacted": 1, "later": self.later}
        if not isinstance(offsets, dict):  # identify
            return told
        self._ask("tidy")
        assert offsets == {0: 70}
        return [told | {"copies": [0], "dropped": 2}]

    async def workers(self) -> int:
        return self.workers_n

    def forget(self) -> int:
        self.forgotten += 1
        return 5

    # Kafka.

    async def ends(self, of: Iterable[topics.Topic]) -> dict[TopicPartition, int]:
        return {TopicPartition(topic.name, 0): 10 for topic in of}

    async def reached(self, group: str, ends: Mapping[TopicPartition, int], wait_s: float) -> None:
        self._ask(f"reached {group}")

    async def trim(self, ends: Mapping[TopicPartition, int]) -> int:
        self._ask("trim")
        self.trimmed.update(ends)
        return 10

    async def bury(self, topic: str, places: Sequence[tuple[int, bytes]]) -> None:
        self._ask("bury")
        self.buried += [(topic, *place) for place in places]
        self.dead = [] if places else self.dead

    async def keeps(self, of: Iterable[topics.Topic]) -> dict[str, Keeps]:
        return {topic.name: Keeps(retention_ms=1_000, segment_ms=100, compaction_lag_ms=10) for topic in of}

    async def look(self, scope: Scope, names: Sequence[str]) -> list[Looked]:
        self._ask("look")
        dead = {topics.REJECTED.name: self.dead}
        return [
            Looked(name, "read", 5, 0, {"dead letter": len(places)} if places else {}, places)
            for name in names
            for places in (dead.get(name, []),)
        ]

    # ClickHouse, and this process.

    async def erase(self, scope: Scope, rejected: Sequence[str]) -> dict[str, int]:
        self._ask("tables")
        assert list(rejected) == ["interactions.web/1/7"]
        return {"ClickHouse table interactions": 4}

    async def look_at_tables(self, scope: Scope, rejected: Sequence[str]) -> list[Place]:
        return [Place("ClickHouse table interactions", "compared", 100, {}, {})]

    async def ageing(self) -> list[Ageing]:
        return [Ageing("ClickHouse, inactive parts", "files", "soon")]

    async def drop(self, scope: Scope) -> Place:
        return Place("memory", "emptied", 1, {}, {})


class _Tables:
    def __init__(self, world: World) -> None:
        self.erase, self.look, self.ageing = world.erase, world.look_at_tables, world.ageing


def erasures(world: World) -> Erasures:
    """Erasures in that world, which try again at once."""
    everyone: Any = world
    tables: Any = _Tables(world)
    patience = Patience(step_s=0.2, sweep_s=1, pause_s=0.001, retry_s_min=0.001, retry_s_max=0.002)
    return Erasures(
        Means(everyone, everyone, everyone, everyone, everyone, world.look, tables, world.drop, world.forget, patience)
    )


async def finished(world: World, erasing: Erasures) -> dict[str, Any]:
    """The proof, when there is one."""
    erasing.start(REQUEST)
    await until(lambda: world.proof is not None)
    shown = await erasing.shown(REQUEST)
    assert shown is not None
    assert shown["state"] == "finished"
    proof: dict[str, Any] = shown["proof"]
    return proof


async def test_an_erasure_ends_with_a_proof_of_every_place() -> None:
    world = World()
    proof = await finished(world, erasures(world))
    places = {each["place"]: each for each in proof["places"]}
    assert proof["remaining"] == []
    assert proof["identifiers"] == {"erased": 1, "shared": 1}
    assert {f"Kafka topic {topic.name}" for topic in TRIMMED} <= set(places)
    assert places["Kafka topic interactions.rejected"]["found"] == {"dead letter": 1}
    assert places["ClickHouse table interactions"]["found"] == {"row": 4}
    assert places["stitch's state, partition 0"]["looked"] == 12
    ageing = {each["place"] for each in proof["ages_out"]}
    assert {f"Kafka topic {topic.name}" for topic in (*AGEING, *TRIMMED, *REPLACED)} <= ageing


async def test_the_proof_names_nobody() -> None:
    world = World()
    proof = msgspec.json.encode(await finished(world, erasures(world)))
    assert b"anna" not in proof
    assert b"device:d" not in proof


async def test_clickhouse_is_told_only_when_store_has_read_what_was_on_its_way() -> None:
    world = World()
    await finished(world, erasures(world))
    order = [world.asked.index(each) for each in ("erased", "outstanding", "reached store", "tables", "sweep", "write")]
    assert order == sorted(order)
    assert world.buried == [("interactions.rejected", 1, b"interactions.web/1/7")]
    assert {each.topic for each in world.trimmed} == {topic.name for topic in TRIMMED}


@pytest.mark.parametrize(
    "away", ["order", "erased", "reached store", "look", "bury", "tables", "trim", "sweep", "write"]
)
async def test_whoever_is_away_is_asked_again(away: str) -> None:
    world = World()
    world.trouble[away] = [Unavailable("away"), Behind("behind"), OSError("no route")]
    await finished(world, erasures(world))
    assert world.asked.count(away) >= 4


async def test_a_fault_of_ours_is_told_and_tried_again() -> None:
    world = World()
    world.trouble["tables"] = [ZeroDivisionError()] * 3
    erasing = erasures(world)
    erasing.start(REQUEST)
    await until(lambda: world.proof is not None)
    assert world.asked.count("tables") == 4


async def test_where_something_is_left_it_is_taken_and_looked_for_again() -> None:
    world = World()
    world.left = [{"mention": 2}, {"mention": 1}]
    proof = await finished(world, erasures(world))
    assert proof["remaining"] == []
    assert world.asked.count("sweep") == 3
    assert world.asked.count("tables") == 3


async def test_the_progress_says_what_is_waited_for() -> None:
    world = World()
    world.trouble["reached store"] = [Behind("store is 5 records behind")] * 10_000
    erasing = erasures(world)
    erasing.start(REQUEST)
    await until(lambda: world.asked.count("reached store") > 2)
    shown = await erasing.shown(REQUEST)
    assert shown is not None
    steps = {each["name"]: each for each in shown["steps"]}
    assert steps["profiles"]["state"] == "done"
    assert steps["stored"]["attempts"] > 1
    assert steps["verified"]["state"] == "waiting"
    assert shown["proof"] is None
    world.trouble.clear()
    await until(lambda: world.proof is not None)


async def test_a_refused_request_says_why() -> None:
    world = World()
    world.state, world.reason = "refused", "customer:x is customer:y: erase that person."
    erasing = erasures(world)
    erasing.start(REQUEST)
    await until(lambda: "order" in world.asked)
    shown = await erasing.shown(REQUEST)
    assert shown is not None
    assert (shown["state"], shown["reason"]) == ("refused", world.reason)
    assert "erased" not in world.asked


async def test_what_another_process_has_left_is_gone_on_with() -> None:
    world = World()
    running = asyncio.create_task(erasures(world).run())
    await until(lambda: world.proof is not None)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_request_that_nobody_made_is_unknown() -> None:
    world = World()
    world.state = "unknown"
    assert await erasures(world).shown("nobody") is None


async def test_copies_memory_and_files_of_the_workers_are_in_the_proof() -> None:
    world = World()
    proof = await finished(world, erasures(world))
    places = {each["place"]: each for each in proof["places"]}
    assert places["stitch's state, standby copies"]["looked"] == 1
    assert places["files of the workers' state"]["found"] == {"state of others": 2}
    assert places["memory of the workers"]["looked"] == 6
    ageing = {each["place"]: each["until"] for each in proof["ages_out"]}
    assert proof["finished"] < ageing["memory of other processes that serve HTTP"] < "9999"
    assert "disks of workers that do not run" in ageing
    assert not {"files of the workers' state", "stitch's state, workers that own nothing"} & ageing.keys()


async def test_what_is_too_large_or_not_to_be_asked_ages_out() -> None:
    world = World()
    world.later, world.workers_n = 1, 3
    ageing = {each["place"]: each["until"] for each in (await finished(world, erasures(world)))["ages_out"]}
    assert ageing["files of the workers' state"] == ageing["stitch's state, workers that own nothing"]
    assert ageing["memory of other processes that serve HTTP"] < ageing["files of the workers' state"]


async def test_files_and_memory_wait_until_nothing_is_left_in_the_state() -> None:
    world = World()
    world.left = [{"mention": 2}]
    await finished(world, erasures(world))
    assert world.asked.count("tidy") == 1
    assert world.asked.index("tidy") > world.asked.index("sweep")


async def test_every_process_forgets_when_there_was_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOOK_EVERY_S", 0.001)
    world = World()
    world.state = "finished"
    task = asyncio.create_task(erasures(world).run())
    for orders in (1, 2):
        world.orders = orders
        await until(lambda: world.forgotten == world.orders)
        looks = world.asked.count("erasures")
        await until(lambda looks=looks: world.asked.count("erasures") > looks + 3)  # type: ignore[misc]  # binds it
        assert world.forgotten == orders
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
