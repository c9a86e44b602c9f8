"""Giving orders about identity: into the log, then what `identify` makes of them, then until everyone concerned knows.

The log that evidence is in has one partition, so orders stand in one order with it. An order that is in the log counts,
whatever becomes of the request: where the wait for its effect is over too early, the answer says what is outstanding,
and the same order may be asked about, or given again under the same id, which changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline.domain.messages import encode
from pipeline.domain.orders import Order
from pipeline.partition import partition_of
from pipeline.serve.identify import Identify, IdentifyAway
from pipeline.serve.workers import Deadline, Unavailable, Workers
from pipeline.serve.writing import Writer
from pipeline.topics import EVIDENCE

PAIRS_MAX = 100  # in one question to a worker
UNKNOWN = "unknown"  # the state of an order that identify has not decided


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request waits for an order's effect."""

    effect_s: float = 5.0  # all in all
    pause_s: float = 0.03  # between two questions to the same worker


@dataclass(frozen=True, slots=True)
class Pair:
    """Somebody who must know a version of somebody's assignment."""

    profile: str
    sender: str
    version: int


class Reused(Exception):
    """The order_id is another order's."""


def order_id(who: str, key: str | None) -> str:
    """A new order's id; with a key of theirs, always the same for the same person and key."""
    if key is None:
        return secrets.token_hex(16)
    return hashlib.sha256(f"{who}\0{key}".encode()).hexdigest()[:32]


class Orders:
    """Gives orders and follows them."""

    def __init__(self, writer: Writer, identify: Identify, workers: Workers, patience: Patience | None = None) -> None:
        self._writer = writer
        self._identify = identify
        self._workers = workers
        self.patience = patience or Patience()

    def deadline(self) -> Deadline:
        """The time that one order of ours may take from now on."""
        return Deadline(self.patience.effect_s)

    async def give(self, order: Order, deadline: Deadline) -> dict[str, Any]:
        """Record an order, and what identify says of it (`state` is 'unknown' where it has said nothing in time).

        Raises writing.Unwritten: then it may be recorded all the same.
        """
        await self._writer.write(EVIDENCE.name, order.order_id.encode(), encode(order), partition=0)
        try:
            return await self._identify.order(order.order_id, max(deadline.left_s, 0.0))
        except IdentifyAway:
            return {"order_id": order.order_id, "state": UNKNOWN, "spreading": False}

    async def known(self, order: Order) -> dict[str, Any] | None:
        """What became of an order that was given before under this id; None where none was.

        Raises Reused where that was another order, IdentifyAway.
        """
        found = await self._identify.order(order.order_id)
        if found["state"] == UNKNOWN:
            return None
        wanted = {name.removesuffix("_id"): value for name, value in msgspec.structs.asdict(order).items()}
        if any(wanted.get(name) != value for name, value in found["said"].items() if name != "at"):
            raise Reused(order.order_id)
        return found

    async def outstanding(self, ordered: dict[str, Any], deadline: Deadline) -> list[Pair]:
        """Wait until everyone whom an order concerns knows what it changed; who does not when the time is over."""
        pairs = [
            Pair(profile, each["identifier"], each["version"])
            for each in ordered.get("changed", ())
            for profile in each["tell"]
        ]
        by_number = defaultdict(list)
        for pair in pairs:
            by_number[partition_of(pair.profile, self._workers.routes.partitions)].append(pair)
        chunks = [known[at : at + PAIRS_MAX] for known in by_number.values() for at in range(0, len(known), PAIRS_MAX)]
        left = await asyncio.gather(*(self._missing(chunk, deadline) for chunk in chunks))
        return [pair for chunk in left for pair in chunk]

    async def _missing(self, chunk: list[Pair], deadline: Deadline) -> list[Pair]:
        """All of a chunk (of one partition number), unless they have all been reached in time."""
        question = {"pairs": [msgspec.to_builtins(pair) for pair in chunk]}
        while True:
            try:
                answer = await self._workers.ask_owner(chunk[0].profile, "/internal/told", question, deadline)
            except Unavailable:
                return chunk
            if answer["reached"]:
                return []
            if deadline.left_s <= self.patience.pause_s:
                return chunk
            await asyncio.sleep(self.patience.pause_s)
