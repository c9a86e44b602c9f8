"""The desk as a process, over profiles in memory: for the browser's tests, and for looking at it.

`python -m tests.desk_world PORT HOME` prints `ready`; then each line of its input is one thing that happens:
`{"anew": [port, home]}` (another desk, where nothing has happened), `{"say": {"identifier": …}}`, `{"ring": {…}}`,
`{"lag_ms": n}`, `{"join": [from, into]}`, `{"erase": person}`, `{"crowd": identifier}` (so many browsers that it
stands alone), `{"worker": "stop" | "start"}`, the same for `identify` and `http`. It answers `done`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn

from pipeline.domain.interaction import Item
from pipeline.domain.messages import Evidence
from pipeline.domain.orders import Erase, Join
from pipeline.serve.app import create_app
from pipeline.serve.main import Server
from tests.serving import Deciding, Ledger, Worker, World, keyed, now_ms, parts


class Stage:
    """What the lines do."""

    def __init__(self, port: int, home: Path) -> None:
        self._port = port
        self._home = home
        self._world = World()
        self._worker = Worker(self._world)
        self._deciding = Deciding(self._world)

    async def start(self) -> None:
        """The worker, and serve in front of it."""
        await self._worker.start()
        await self._deciding.start()
        await self._start_http()

    async def _start_http(self) -> None:
        """A new serve, that knows nothing but where the worker is."""
        self._parts = parts(self._home, ledger=Ledger(self._world), framed_by="http://localhost:*")
        self._worker.publish(self._parts.routes)
        self._deciding.publish(self._parts.routes)
        config = uvicorn.Config(create_app(self._parts, self._counting), port=self._port, log_level="warning")
        self._server = Server(config, self._parts.streams)
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def _counting(self) -> AsyncIterator[None]:
        counting = [asyncio.create_task(each.run()) for each in (self._parts.counting, self._parts.lately)]
        yield
        for each in counting:
            each.cancel()

    async def _stop_http(self) -> None:
        self._server.should_exit = True
        await self._serving

    async def end(self) -> None:
        """End all of it that still runs."""
        await self._stop_http()
        await self._worker.stop()
        await self._deciding.stop()

    async def do(self, line: dict[str, Any]) -> None:
        """One line. Phone numbers and e-mails stand in it in clear, under `phone` and `email`."""
        for what, given in line.items():
            match what:
                case "say":
                    self._say(given)
                case "ring":
                    self._ring(given)
                case "lag_ms":
                    self._worker.engine.lag_ms = given
                case "worker":
                    await (self._worker.stop() if given == "stop" else self._worker.start())
                case "identify":
                    await (self._deciding.stop() if given == "stop" else self._deciding.start())
                case "join":
                    self._world.decide(Join(f"order-{given[0]}", *given, "she called", "key:admin", now_ms()))
                case "erase":
                    self._world.decide(Erase(f"order-{given}", given, False, "she asked", "key:admin", now_ms()))
                case "crowd":
                    said = (Evidence(given, f"anonymous:c{n}", n, "", "shop", f"c{n}") for n in range(1, 1_002))
                    self._world.decide(*said)
                case "http":
                    await (self._stop_http() if given == "stop" else self._start_http())
                case _:
                    raise ValueError(f"nothing is called {what}")

    def _say(self, given: dict[str, Any]) -> None:
        links, masks = list(given.pop("links", ())), {}
        for namespace in ("email", "phone"):
            if namespace in given:
                identifier, mask = keyed(namespace, given.pop(namespace))
                links.insert(0, identifier)
                masks |= mask
        identifier = given.pop("identifier", None) or links.pop(0)
        items = tuple(Item(**each) for each in given.pop("items", ()))
        x = self._world.say(identifier, links=tuple(links), masks=masks, items=items, **given)
        told = (
            "identifier",
            "event_id",
            "session_id",
            "type",
            "touchpoint",
            "occurred_at",
            "masks",
            "details",
            "public",
        )
        self._parts.calls.see({name: getattr(x, name) for name in told}, now_ms())

    def _ring(self, given: dict[str, Any]) -> None:
        identifier, masks = keyed("phone", given["phone"])
        entry = {"identifier": identifier, "masks": masks, "occurred_at": now_ms(), "touchpoint": "call_queue"}
        kind = given.get("type", "call_ringing")
        more = {"event_id": f"{kind}-{given['session_id']}", "session_id": given["session_id"], "type": kind}
        self._parts.calls.see({**entry, **more, "details": given.get("details", {})}, now_ms())


async def lines() -> asyncio.StreamReader:
    """Standard input, a line at a time."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def main(port: int, home: Path) -> None:
    """Serve until the input ends."""
    stage = Stage(port, home)
    await stage.start()
    print("ready", flush=True)
    reader = await lines()
    while line := await reader.readline():
        happens = json.loads(line)
        if another := happens.pop("anew", None):
            await stage.end()
            stage = Stage(another[0], Path(another[1]))
            await stage.start()
        await stage.do(happens)
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
