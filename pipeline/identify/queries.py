"""What identify answers: who somebody is and why, what became of an order, whom an erasure concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from pipeline.engine import Engine, Store
from pipeline.identify import erasing, everything, explain, orders
from pipeline.internal import Answering, Freshness

WAIT_S_MAX = 10.0
LIMIT_MAX = 1_000
LOOK_EVERY_S = 0.02  # while somebody waits for an order; batches are 50 ms apart


class Identity(msgspec.Struct, forbid_unknown_fields=True):
    id: str


class Below(msgspec.Struct, forbid_unknown_fields=True):
    person: str
    above: list[str]
    after: str = ""


class Rows(msgspec.Struct, forbid_unknown_fields=True):
    ids: list[str]


class EvidenceOf(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    after: str = ""


class Order(msgspec.Struct, forbid_unknown_fields=True):
    order_id: str
    wait_s: float = 0.0


class Orders(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 50
    before: int | None = None


class Alone(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 100
    after: str = ""


class Erasure(msgspec.Struct, forbid_unknown_fields=True):
    order_id: str


class Erasures(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Tidy(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Queries:
    """The answers, from committed state."""

    def __init__(self, engine: Engine, forget: Callable[[], int] = lambda: 0) -> None:
        """`forget` empties this process's caches of identifiers, and says how much there was."""
        self._engine = engine
        self._forget = forget

    def service(self, token: str, host: str, port: int) -> Answering:
        """The server that gives them."""
        questions: dict[str, Any] = {
            "/internal/identity": (Identity, self.identity),
            "/internal/below": (Below, self.below),
            "/internal/rows": (Rows, self.rows),
            "/internal/evidence": (EvidenceOf, self.evidence),
            "/internal/order": (Order, self.order),
            "/internal/orders": (Orders, self.orders),
            "/internal/alone": (Alone, self.alone),
            "/internal/erasure": (Erasure, self.erasure),
            "/internal/erasures": (Erasures, self.erasures),
            "/internal/tidy": (Tidy, self.tidy),
        }
        return Answering(questions, token, host, port)

    def _state(self, freshness: Freshness) -> Store:
        store, as_of_ms = self._engine.state(0)
        freshness.saw(as_of_ms)
        return store

    async def identity(self, asked: Identity) -> dict[str, Any]:
        """Who an identifier is, with everything that is theirs or may be."""
        freshness = Freshness()
        explaining = explain.Explaining(self._state(freshness))
        return {**explaining.identity(asked.id), **freshness.told()}

    async def below(self, asked: Below) -> dict[str, Any]:
        """A page of what stands below some identifiers of a person: what is theirs, and what may be partly."""
        _bounded(asked.above)
        freshness = Freshness()
        return {
            **everything.below(self._state(freshness), asked.person, asked.above, asked.after),
            **freshness.told(),
        }

    async def rows(self, asked: Rows) -> dict[str, Any]:
        """Some identifiers, each with the first page of its evidence, and the orders about them."""
        _bounded(asked.ids)
        freshness = Freshness()
        return {**everything.rows(self._state(freshness), asked.ids), **freshness.told()}

    async def evidence(self, asked: EvidenceOf) -> dict[str, Any]:
        """A page of the evidence of one identifier."""
        freshness = Freshness()
        return {**everything.evidence(self._state(freshness), asked.id, asked.after), **freshness.told()}

    async def order(self, asked: Order) -> dict[str, Any]:
        """What became of an order; waits until it is decided, and its effect has spread."""
        ends_at = asyncio.get_running_loop().time() + min(asked.wait_s, WAIT_S_MAX)
        while True:
            ordered = orders.find(self._state(Freshness()), asked.order_id)
            late = asyncio.get_running_loop().time() >= ends_at
            if ordered is not None and (late or not ordered.spreading):
                return explain.order_json(ordered)
            if late:
                return {"order_id": asked.order_id, "state": "unknown", "spreading": False}
            await asyncio.sleep(LOOK_EVERY_S)

    async def orders(self, asked: Orders) -> dict[str, Any]:
        """Orders, newest first."""
        found = list(orders.newest(self._state(Freshness()), asked.before, min(asked.limit, LIMIT_MAX)))
        more = found[-1].number if len(found) == min(asked.limit, LIMIT_MAX) and found[-1].number > 1 else None
        return {"orders": [explain.order_json(each) for each in found], "next": more}

    async def alone(self, asked: Alone) -> dict[str, Any]:
        """Who stands alone because of a cap."""
        found, more = explain.alone(self._state(Freshness()), min(asked.limit, LIMIT_MAX), asked.after)
        return {"alone": found, "next": more}

    async def erasure(self, asked: Erasure) -> dict[str, Any]:
        """An erasure: whom it concerns while it is under way, its proof afterwards."""
        state = self._state(Freshness())
        ordered = orders.find(state, asked.order_id)
        if ordered is None or ordered.kind != "erase":
            return {"state": "unknown", "reason": "", "whole": [], "shared": [], "proof": None}
        scope = erasing.scope(state, asked.order_id)
        return {
            "state": ordered.state,
            "reason": ordered.reason,
            "number": ordered.number,
            "before": scope.before if scope is not None else ordered.said.get("at"),
            "blocked": scope.blocked if scope is not None else bool(ordered.said.get("block")),
            "whole": scope.whole if scope is not None else [],
            "shared": explain.shared(state, scope) if scope is not None else [],
            "proof": msgspec.json.decode(ordered.proof) if ordered.state == "finished" else None,
        }

    async def erasures(self, asked: Erasures) -> dict[str, Any]:
        """The erasures that are not proven yet, and how many orders there ever were."""
        state = self._state(Freshness())
        return {"unfinished": erasing.unfinished(state), "orders": orders.count(state)}

    async def tidy(self, asked: Tidy) -> dict[str, Any]:
        """Forget, in memory and files, what is not in the state any more."""
        self._state(Freshness())
        forgotten = self._forget()
        return {"copies": [], "forgotten": forgotten, **(await self._engine.tidy())._asdict()}


def _bounded(ids: list[str]) -> None:
    if len(ids) > everything.IDS_MAX:
        raise ValueError(f"at most {everything.IDS_MAX} ids at once")
