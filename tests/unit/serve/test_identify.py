"""Asking identify while it starts, freezes, is replaced, or is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web

from pipeline.domain.orders import Join
from pipeline.serve.identify import Identify, IdentifyAway, Patience
from pipeline.serve.routing import Routes
from pipeline.serve.workers import WorkerFault
from tests.serving import PARTITIONS, TOKEN, Deciding, World, free_port

BRIEF = Patience(deadline_s=0.4, attempt_s=0.1, pause_s=0.02)
JOIN = Join("o1", "customer:1", "customer:2", "one person", "key:admin", 1)


@pytest.fixture
async def identify() -> AsyncIterator[Identify]:
    """A client that knows no route yet."""
    client = Identify(Routes(PARTITIONS), TOKEN, BRIEF)
    await client.open()
    yield client
    await client.close()


@pytest.fixture
async def world() -> World:
    """Somebody who was seen with a browser."""
    made = World()
    made.say("customer:1", links=("anonymous:a1",), session_id="s1")
    return made


@pytest.fixture
async def deciding(world: World) -> AsyncIterator[Deciding]:
    """The identify of that world."""
    made = Deciding(world)
    await made.start()
    yield made
    await made.stop()


async def test_it_is_asked_where_it_says(identify: Identify, deciding: Deciding) -> None:
    deciding.publish(identify.routes)
    said = await identify.identity("anonymous:a1")
    assert said["person"] == "customer:1"
    assert {each["id"] for each in said["identifiers"]} == {"customer:1", "anonymous:a1"}


async def test_its_route_is_nobodys_partition(deciding: Deciding) -> None:
    routes = Routes(PARTITIONS)
    deciding.publish(routes)
    assert routes.identify is not None
    assert not routes.complete
    assert all(routes.owner(number) is None for number in range(-1, PARTITIONS))
    assert routes.others(0) == []


async def test_without_a_route_it_waits_for_one(identify: Identify, deciding: Deciding) -> None:
    asked = asyncio.create_task(identify.identity("customer:1"))
    await asyncio.sleep(0)
    deciding.publish(identify.routes)
    assert (await asked)["person"] == "customer:1"


async def test_the_next_one_answers_for_the_one_that_is_gone(identify: Identify, world: World) -> None:
    first, second = Deciding(world), Deciding(world)
    await first.start()
    first.publish(identify.routes)
    await identify.identity("customer:1")
    await first.stop()
    asked = asyncio.create_task(identify.identity("customer:1"))
    await second.start()
    second.publish(identify.routes)
    assert (await asked)["person"] == "customer:1"
    await second.stop()


async def test_without_it_the_wait_is_bounded(identify: Identify) -> None:
    for url in (None, f"http://127.0.0.1:{free_port()}"):
        if url is not None:
            route = {"partition": -1, "url": url, "worker": "identify", "generation": 1}
            identify.routes.see(msgspec.json.encode(route))
        started = time.monotonic()
        with pytest.raises(IdentifyAway):
            await identify.orders(10)
        assert time.monotonic() - started < 1.0


async def test_one_that_answers_nonsense_is_a_fault_and_not_asked_again(identify: Identify) -> None:
    asked = 0

    async def refuse(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=400)

    app = web.Application()
    app.router.add_post("/internal/orders", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    route = {"partition": -1, "url": f"http://127.0.0.1:{port}", "worker": "identify", "generation": 1}
    identify.routes.see(msgspec.json.encode(route))
    with pytest.raises(WorkerFault):
        await identify.orders(10)
    assert asked == 1
    await runner.cleanup()


async def test_an_order_is_waited_for(identify: Identify, world: World, deciding: Deciding) -> None:
    deciding.publish(identify.routes)
    assert (await identify.order("o1"))["state"] == "unknown"
    asked = asyncio.create_task(identify.order("o1", wait_s=5.0))
    await asyncio.sleep(0)
    world.decide(JOIN)
    said = await asked
    assert said["state"] == "accepted"
    assert {each["identifier"] for each in said["changed"]} == {"customer:1", "anonymous:a1"}
    assert (await identify.orders(10))["orders"] == [said]
