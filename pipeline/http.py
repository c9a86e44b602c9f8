"""collect and serve in one process, behind one port, with privacy's routes among serve's.

Each is a whole app of its own: this one only looks at the path, runs both lifespans, and lets /docs describe both.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from fastapi import FastAPI

from pipeline.collect.app import create_app as collector
from pipeline.keys import Keys, load_or_create
from pipeline.privacy import running as privacy
from pipeline.serve.app import Beside, merge_openapi, nothing
from pipeline.serve.live import Streams
from pipeline.serve.main import app_of, run_app
from pipeline.settings import Settings

COLLECT = ("/v1/interactions", "/v1/observations", "/v1/outcomes")


class Http:
    """The ASGI app of both."""

    def __init__(self, collect: FastAPI, serve: FastAPI, beside: Beside = nothing) -> None:
        """`beside` is what runs beside both, for as long as they do."""
        merge_openapi(serve, collect.openapi())
        self._collect = collect
        self._serve = serve
        self._beside = beside
        self._running = AsyncExitStack()
        self.streams: Streams = serve.state.parts.streams

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif any(scope["path"] == each or scope["path"].startswith(f"{each}/") for each in COLLECT):
            await self._collect(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        try:
            for app in (self._collect, self._serve):
                await self._running.enter_async_context(app.router.lifespan_context(app))
            await self._running.enter_async_context(self._beside())
        except BaseException:
            await self._running.aclose()
            await send({"type": "lifespan.startup.failed", "message": "see the log"})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._running.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def app_of_both(settings: Settings, keys: Keys, failures: list[BaseException]) -> Http:
    """Both apps for these settings."""
    collecting, serving = collector(settings, keys), app_of(settings, keys, failures)
    return Http(collecting, serving, privacy.install(serving, settings, keys, (collecting.state.keyring,)))


def run(settings: Settings) -> None:
    """Serve both until SIGTERM."""
    failures: list[BaseException] = []
    app = app_of_both(settings, load_or_create(settings), failures)
    run_app(app, app.streams, settings, failures)
