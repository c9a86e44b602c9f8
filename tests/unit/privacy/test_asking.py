"""Asking every worker, whoever they are by then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from pipeline.privacy.asking import Workers
from pipeline.serve.routing import Routes
from pipeline.serve.workers import Unavailable
from tests.serving import TOKEN, free_port


class Stitch:
    """A worker's HTTP: what it was asked, and its answers in turn, the last one for ever."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.asked: list[Any] = []
        self._answers = list(answers)
        self.port = free_port()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/internal/tidy", self._tidy)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _tidy(self, request: web.Request) -> web.Response:
        self.asked.append((await request.json())["offsets"])
        return web.json_response(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])

    def owns(self, routes: Routes, *numbers: int) -> None:
        for number in numbers:
            route = {"partition": number, "url": f"http://127.0.0.1:{self.port}", "worker": self.port, "generation": 1}
            routes.see(msgspec.json.encode(route))


DONE = {"behind": {}, "copies": [1]}


@pytest.fixture
def routes() -> Routes:
    return Routes(2)


@pytest.fixture
async def profiles(routes: Routes) -> AsyncIterator[Workers]:
    made = Workers(routes, TOKEN)
    await made.open()
    yield made
    await made.close()


async def test_each_is_asked_until_its_copies_have_followed(profiles: Workers, routes: Routes) -> None:
    one, other = Stitch(DONE), Stitch({"behind": {"0": 3}}, {"behind": {"0": 1}}, DONE)
    for worker, number in ((one, 0), (other, 1)):
        await worker.start()
        worker.owns(routes, number)
    assert await profiles.tidy({0: 7, 1: 8}, 5) == [DONE, DONE]
    assert (len(one.asked), len(other.asked)) == (1, 3)
    assert other.asked[0] == {"0": 7, "1": 8}
    for worker in (one, other):
        await worker.stop()


async def test_one_that_owns_nothing_any_more_is_not_waited_for(profiles: Workers, routes: Routes) -> None:
    gone, heir = Stitch(DONE), Stitch(DONE)
    await heir.start()
    gone.owns(routes, 0)
    heir.owns(routes, 1)
    with pytest.raises(Unavailable):
        await profiles.tidy({0: 7}, 0.2)
    heir.owns(routes, 0)
    assert await profiles.tidy({0: 7}, 5) == [DONE]
    await heir.stop()
