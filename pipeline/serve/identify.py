"""Asking identify: who is who and why, and what became of an order.

An order is made in the log (`orders`), and only asked about here.
"""

from __future__ import annotations

from typing import Any

from pipeline.serve.single import Away, Patience, Single

__all__ = ["Identify", "IdentifyAway", "Patience"]


class IdentifyAway(Away):
    """identify did not answer in time."""


class Identify(Single):
    """The client."""

    name = "identify"
    away = IdentifyAway

    @property
    def url(self) -> str | None:
        """See Single."""
        return self.routes.identify

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
