"""Asking identify: who is who and why, and what became of an order.

There is one identify. While it is being replaced it is asked again where the routes say by then, until the deadline;
afterwards `IdentifyAway`, and the same request may be made a moment later. Every question may be asked twice: an order
is made in the log (`orders`), and only asked about here.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from pipeline.serve.routing import Routes
from pipeline.serve.workers import Again, Deadline, once


class IdentifyAway(Exception):
    """identify did not answer in time."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for identify."""

    deadline_s: float = 2.0  # for all that one request of ours asks, beside the time that it wants to wait there
    attempt_s: float = 1.0  # for one answer: it may be in the middle of a batch
    pause_s: float = 0.05  # between attempts, unless the routes change earlier
    connections: int = 16


class Identify:
    """The client. `open` it inside the running loop, `close` it there."""

    def __init__(self, routes: Routes, token: str, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self.routes = routes
        self._headers = {"Throughline-Worker-Token": token, "Content-Type": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connections' pool."""
        limit = aiohttp.TCPConnector(limit=self.patience.connections, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(connector=limit, headers=self._headers)

    async def close(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def identity(self, identifier: str) -> dict[str, Any]:
        """All that is known about who an identifier is, with the evidence. Raises IdentifyAway, WorkerFault."""
        return await self.ask("/internal/identity", {"id": identifier})

    async def order(self, order_id: str, wait_s: float = 0.0) -> dict[str, Any]:
        """What became of an order; waits so long until it is decided. `state` is 'unknown' where it is not."""
        return await self.ask("/internal/order", {"order_id": order_id, "wait_s": wait_s}, wait_s)

    async def orders(self, limit: int, before: int | None = None) -> dict[str, Any]:
        """`{"orders", "next"}`: the newest, with a number under `before`."""
        return await self.ask("/internal/orders", {"limit": limit, "before": before})

    async def alone(self, limit: int, after: str = "") -> dict[str, Any]:
        """`{"alone", "next"}`: who stands alone because of a cap, by identifier."""
        return await self.ask("/internal/alone", {"limit": limit, "after": after})

    async def erasure(self, order_id: str) -> dict[str, Any]:
        """How an erasure stands, and whom it concerns."""
        return await self.ask("/internal/erasure", {"order_id": order_id})

    async def erasures(self) -> dict[str, Any]:
        """`{"unfinished", "orders"}`: the erasures that nobody has finished, and how many orders there ever were."""
        return await self.ask("/internal/erasures", {})

    async def tidy(self, wait_s: float) -> dict[str, Any]:
        """Have it forget, in memory and files, what is not in its state any more."""
        return await self.ask("/internal/tidy", {}, wait_s)

    async def ask(self, path: str, question: dict[str, Any], wait_s: float = 0.0) -> dict[str, Any]:
        """The answer to a question that may take `wait_s` longer than an answer takes. Raises as above."""
        deadline = Deadline(self.patience.deadline_s + wait_s)
        body = msgspec.json.encode(question)
        attempts = 0
        while True:
            seen = self.routes.changed.count
            url = self.routes.identify
            if url is not None:
                attempts += 1
                with contextlib.suppress(Again):
                    limit_s = min(deadline.left_s, self.patience.attempt_s + wait_s)
                    return await once(self._session, url + path, body, limit_s)
            if deadline.left_s <= self.patience.pause_s:
                raise IdentifyAway(f"identify did not answer in {attempts} attempts")
            await self.routes.changed.passed(seen, self.patience.pause_s)
