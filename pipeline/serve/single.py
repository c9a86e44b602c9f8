"""Asking a stage of which there is one process.

While it is being replaced it is asked again where the routes say by then, until the deadline; afterwards `Away`, and
the same request may be made a moment later. Every question may be asked twice.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from pipeline.serve.routing import Routes
from pipeline.serve.workers import Again, Deadline, once


class Away(Exception):
    """It did not answer in time."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for it."""

    deadline_s: float = 2.0  # for all that one request of ours asks, beside the time that it wants to wait there
    attempt_s: float = 1.0  # for one answer: it may be in the middle of a batch
    pause_s: float = 0.05  # between attempts, unless the routes change earlier
    connections: int = 16


class Single:
    """The client. `open` it inside the running loop, `close` it there."""

    name: str  # of the stage, and of its route
    away: type[Away] = Away

    def __init__(self, routes: Routes, token: str, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self.routes = routes
        self._headers = {"Throughline-Worker-Token": token, "Content-Type": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str | None:
        """Where it answers, as far as is known."""
        raise NotImplementedError

    async def open(self) -> None:
        """Make the connections' pool."""
        limit = aiohttp.TCPConnector(limit=self.patience.connections, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(connector=limit, headers=self._headers)

    async def close(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, path: str, question: dict[str, Any], wait_s: float = 0.0) -> dict[str, Any]:
        """The answer to a question that may take `wait_s` longer than an answer takes. Raises Away, WorkerFault."""
        deadline = Deadline(self.patience.deadline_s + wait_s)
        body = msgspec.json.encode(question)
        attempts = 0
        while True:
            seen = self.routes.changed.count
            url = self.url
            if url is not None:
                attempts += 1
                with contextlib.suppress(Again):
                    limit_s = min(deadline.left_s, self.patience.attempt_s + wait_s)
                    return await once(self._session, url + path, body, limit_s)
            if deadline.left_s <= self.patience.pause_s:
                raise self.away(f"{self.name} did not answer in {attempts} attempts")
            await self.routes.changed.passed(seen, self.patience.pause_s)
