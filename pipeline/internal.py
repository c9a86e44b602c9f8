"""What processes ask each other: HTTP with JSON, a token in front, answers that say how far behind they are.

A question is a POST with a JSON object; its handler gets it decoded. Where the process does not own what is asked for,
it answers 421: whoever asks looks up the owner again. `GET /metrics` gives the process's own metrics.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web
from mode import Service

from pipeline import metrics
from pipeline.engine import NotMine

TOKEN_HEADER = "Throughline-Worker-Token"  # noqa: S105  # its name
BODY_BYTES_MAX = 1024 * 1024

Answer = Callable[[Any], Awaitable[dict[str, Any]]]


class Freshness:
    """How far behind an answer is: as the oldest of the states that were asked."""

    def __init__(self, copy_will_do: bool = False) -> None:
        self.copy_will_do = copy_will_do
        self._as_of_ms = int(time.time() * 1000)

    def saw(self, as_of_ms: int) -> None:
        """A state was asked that is complete up to then."""
        self._as_of_ms = min(self._as_of_ms, as_of_ms)

    def told(self) -> dict[str, Any]:
        """`as_of` and `lag_ms`, to be put into the answer."""
        moment = datetime.fromtimestamp(self._as_of_ms / 1000, UTC)
        text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"as_of": text, "lag_ms": int(time.time() * 1000) - self._as_of_ms}


class Answering(Service):  # type: ignore[misc]  # mode is untyped
    """The HTTP server beside an agent, on the same loop."""

    def __init__(self, questions: Mapping[str, tuple[type[Any], Answer]], token: str, host: str, port: int) -> None:
        """`questions`: path → what is asked, and who answers. Answers raise NotMine (421) and ValueError (400)."""
        self._questions = questions
        self._token = token.encode()
        self._host = host
        self._port = port
        super().__init__()

    async def on_start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for path, (kind, answer) in self._questions.items():
            app.router.add_post(path, self._handler(kind, answer))
        app.router.add_get("/metrics", _metrics)
        # Whoever waits for a change is cut off: serve asks the next owner.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def on_stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def _handler(self, kind: type[Any], answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
        decoder = msgspec.json.Decoder(kind)

        async def handle(request: web.Request) -> web.Response:
            given = request.headers.get(TOKEN_HEADER, "").encode()
            if not hmac.compare_digest(given, self._token):
                return problem(401, "the worker's token is missing or wrong")
            try:
                question = decoder.decode(await request.read())
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                return problem(400, str(error))
            try:
                told = await answer(question)
            except NotMine as error:
                return problem(421, f"partition number {error} is not this worker's")
            except ValueError as error:
                return problem(400, str(error))
            return web.Response(body=msgspec.json.encode(told), content_type="application/json")

        return handle


async def _metrics(_: web.Request) -> web.Response:
    """Of this process, without a token: they say nothing about anyone."""
    return web.Response(body=metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})


def problem(status: int, detail: str) -> web.Response:
    """An answer that is none."""
    return web.Response(status=status, body=msgspec.json.encode({"detail": detail}), content_type="application/json")
