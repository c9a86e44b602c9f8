"""Finding the owner: workers that lose partitions, freeze, die and come back elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from pipeline.partition import partition_of
from pipeline.serve.routing import Routes
from pipeline.serve.workers import Patience, Unavailable, WorkerFault, Workers
from tests.serving import PARTITIONS, TOKEN, Worker, World, free_port, now_ms

ID = "customer:1"
HOME = partition_of(ID, PARTITIONS)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """A client that knows no routes yet."""
    client = Workers(Routes(PARTITIONS), TOKEN)
    await client.open()
    yield client
    await client.close()


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """A worker that owns everything."""
    world = World()
    world.say(ID)
    made = Worker(world)
    await made.start()
    yield made
    await made.stop()


async def ask(workers: Workers) -> dict[str, Any]:
    """Ask for the timeline of ID."""
    return await workers.ask(ID, "/internal/timeline", {"id": ID}, workers.deadline())


async def test_the_owner_answers(workers: Workers, worker: Worker) -> None:
    worker.publish(workers.routes)
    assert len((await ask(workers))["timeline"]) == 1


async def test_without_a_route_it_waits_for_one(workers: Workers, worker: Worker) -> None:
    asked = asyncio.create_task(ask(workers))
    await asyncio.sleep(0.1)
    worker.publish(workers.routes)
    assert len((await asked)["timeline"]) == 1


async def test_without_any_worker_it_gives_up_in_time(workers: Workers) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await ask(workers)
    assert time.monotonic() - started < 1.3


@pytest.mark.parametrize("trouble", ["lost", "gone"])
async def test_after_a_refusal_it_asks_whoever_owns_it_by_then(workers: Workers, worker: Worker, trouble: str) -> None:
    worker.publish(workers.routes)
    await ask(workers)
    if trouble == "lost":
        worker.engine.owned.discard(HOME)
    else:
        await worker.stop()
    asked = asyncio.create_task(ask(workers))
    await asyncio.sleep(0.12)
    assert not asked.done()
    heir = Worker(worker.world)
    await heir.start()
    heir.publish(workers.routes)
    assert len((await asked)["timeline"]) == 1
    await heir.stop()


async def test_a_route_that_a_dead_owner_published_late_does_not_hold_it(workers: Workers, worker: Worker) -> None:
    worker.publish(workers.routes)
    dead = msgspec.json.encode({"partition": HOME, "url": f"http://127.0.0.1:{free_port()}"})
    workers.routes.see(dead)
    assert len((await ask(workers))["timeline"]) == 1


async def test_a_standby_copy_answers_for_an_owner_that_is_away(workers: Workers, worker: Worker) -> None:
    worker.publish(workers.routes)
    standby = Worker(worker.world)
    standby.engine.owned = {0, 1, 2, 3} - {HOME}
    standby.engine.copies = {HOME}
    standby.engine.lag_ms = 3000
    await standby.start()
    standby.publish(workers.routes, range(HOME + 1, HOME + 2) if HOME < 3 else range(1))
    await worker.stop()
    answer = await ask(workers)
    assert len(answer["timeline"]) == 1
    assert answer["lag_ms"] >= 3000
    await standby.stop()


async def test_a_frozen_worker_does_not_use_up_the_deadline(workers: Workers, worker: Worker) -> None:
    async def freeze(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    frozen = await asyncio.start_server(freeze, "127.0.0.1", 0)
    port = frozen.sockets[0].getsockname()[1]
    worker.publish(workers.routes)
    workers.routes.see(msgspec.json.encode({"partition": HOME, "url": f"http://127.0.0.1:{port}"}))
    started = time.monotonic()
    assert len((await ask(workers))["timeline"]) == 1
    assert time.monotonic() - started < 1.0
    frozen.close()


@pytest.mark.parametrize(("status", "body"), [(500, b"{}"), (401, b"{}"), (404, b""), (200, b"no json"), (200, b"[]")])
async def test_an_answer_beyond_the_contract_is_a_fault(workers: Workers, status: int, body: bytes) -> None:
    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_post("/internal/timeline", broken)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    workers.routes.see(msgspec.json.encode({"partition": HOME, "url": f"http://127.0.0.1:{port}"}))
    with pytest.raises(WorkerFault):
        await ask(workers)
    await runner.cleanup()


async def test_a_wrong_token_is_a_fault(worker: Worker) -> None:
    client = Workers(Routes(PARTITIONS), "another token", Patience())
    await client.open()
    worker.publish(client.routes)
    with pytest.raises(WorkerFault):
        await ask(client)
    await client.close()


async def test_ids_of_several_workers_are_resolved_together(workers: Workers, worker: Worker) -> None:
    other = Worker(worker.world)
    await other.start()
    worker.engine.owned = {0, 1}
    other.engine.owned = {2, 3}
    worker.publish(workers.routes, range(2))
    other.publish(workers.routes, range(2, 4))
    ids = [f"customer:{n}" for n in range(20)]
    found, freshness, _ = await workers.resolve(ids, workers.deadline())
    assert set(found) == set(ids)
    assert len(freshness) == 2
    assert found[ID].known

    # The routes say that one worker has it all, and it has not.
    worker.publish(workers.routes)
    asked = asyncio.create_task(workers.resolve(ids, workers.deadline()))
    await asyncio.sleep(0.1)
    other.publish(workers.routes, range(2, 4))
    assert set((await asked).found) == set(ids)
    await other.stop()


def test_routes_keep_the_last_word() -> None:
    routes = Routes(2)
    for url in ("http://a", "http://b"):
        routes.see(msgspec.json.encode({"partition": 0, "url": url, "worker": 1, "generation": 3}))
    routes.see(msgspec.json.encode({"partition": 7, "url": "http://c"}))
    routes.see(None)
    assert routes.owner(0) == "http://b"
    assert routes.owner(1) is None
    assert not routes.complete
    assert routes.changed.count == 2
    with pytest.raises(msgspec.DecodeError):
        routes.see(b"{}")


async def test_the_owner_of_all_adds_the_context_at_once(workers: Workers, worker: Worker) -> None:
    worker.publish(workers.routes)
    resolved = await workers.resolve([ID], workers.deadline(), now_ms=now_ms())
    assert resolved.contexts[ID]["profile"]["id"] == ID
    assert (await workers.resolve([ID], workers.deadline())).contexts == {}
