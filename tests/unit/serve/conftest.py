"""serve over profiles in memory: a world, a worker that answers for it, the app in front."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.serve.access import COOKIE, DESK_PURPOSE, Principal, Ticket
from pipeline.serve.app import create_app
from pipeline.serve.parts import Parts
from pipeline.serve.seat import Seat, with_verified
from tests.serving import ADMIN, KEYRING, READ, Deciding, Ledger, Lines, Memory, Worker, World, now_ms, parts


@dataclass
class Serving:
    """Everything that a test may touch."""

    world: World
    worker: Worker
    deciding: Deciding
    ledger: Ledger
    parts: Parts
    history: Memory
    log: Lines
    app: FastAPI
    client: httpx.AsyncClient
    headers: dict[str, str] = field(
        default_factory=lambda: {"Authorization": f"Bearer {READ}", "Throughline-Purpose": "test"}
    )

    async def context(self, *keys: tuple[str, str], **more: Any) -> httpx.Response:
        """POST /v1/context."""
        body = {"keys": [{"namespace": name, "value": value} for name, value in keys], "purpose": "test", **more}
        return await self.client.post("/v1/context", json=body, headers=self.headers)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        """GET with the read key and a purpose."""
        return await self.client.get(path, params=query, headers=self.headers)

    async def post(self, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        """POST with the admin key."""
        return await self.client.post(path, json=body, headers={"Authorization": f"Bearer {ADMIN}", **headers})

    def sealed(self, *identifiers: str) -> list[str]:
        """As the audit names them."""
        return [KEYRING.seal(each).hex() for each in identifiers]

    def sign_in(self, *verified: str, extension: str = "", call: str = "") -> None:
        """Let the client sit at a desk, where these persons are verified in a call or in none."""
        ticket = seat(*verified, extension=extension, call=call).ticket
        self.client.cookies.set(COOKIE, self.parts.sessions.sign(ticket), domain="desk.test")


def seat(*verified: str, extension: str = "", call: str = "") -> Seat:
    """Somebody at a desk."""
    at = now_ms() / 1000
    ticket = Ticket("test", int(at) + 3600, ("read",), extension)
    for each in verified:
        ticket = with_verified(ticket, call, each, at)
    return Seat(Principal("desk:test", frozenset({"read"}), session=True), UTC, ticket, DESK_PURPOSE)


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Serving]:
    """serve with one worker that owns everything."""
    world = World()
    worker = Worker(world)
    await worker.start()
    deciding = Deciding(world)
    await deciding.start()
    history, log, ledger = Memory(), Lines(), Ledger(world)
    made = parts(tmp_path, history, log, ledger)
    worker.publish(made.routes)
    deciding.publish(made.routes)
    app = create_app(made)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client,
    ):
        yield Serving(world, worker, deciding, ledger, made, history, log, app, client)
    await worker.stop()
    await deciding.stop()
