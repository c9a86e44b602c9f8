"""A broker and producer in memory that keep collect's contract, and events to send."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.collect.limits import Budget
from pipeline.collect.producer import Outgoing, Unavailable
from pipeline.keys import Keys

#: Secrets that open nothing.
KEYS = Keys(
    ingest="ingest_secret",
    public="public_secret",
    read="read_secret",
    admin="admin_secret",
    clickhouse_user="u",
    clickhouse_password="p",
    bi_user="bi",
    bi_password="b",
    identifier_keys={"k1": bytes(32)},
    identifier_key="k1",
    worker_token="w",
    session_key="s",
)
NOON = 1_763_805_600_000  # 2025-11-22 10:00:00 UTC
TIME = "must be a time in RFC 3339 with its offset, or whole milliseconds since 1970"


def event(**changes: Any) -> dict[str, Any]:
    """An event as a sender writes it; a change to ... leaves the field out."""
    given = {
        "event_id": "e-1",
        "source": "shop",
        "channel": "web",
        "type": "searched",
        "touchpoint": "site_search",
        "occurred_at": NOON,
        "identifiers": {"anonymous": "c0ffee"},
    }
    return {name: value for name, value in (given | changes).items() if value is not ...}


async def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    """Return once the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.005)


class FakeBroker:
    """Takes records while it is there; what comes meanwhile waits for it."""

    def __init__(self) -> None:
        self.written: list[Outgoing] = []
        self._there = asyncio.Event()
        self._there.set()

    def leave(self) -> None:
        """Be away."""
        self._there.clear()

    def come_back(self) -> None:
        """Be there again."""
        self._there.set()

    async def write(self, records: Sequence[Outgoing]) -> None:
        """Return when they are written."""
        await self._there.wait()
        self.written += records


class FakeProducer:
    """A producer whose clients never fail: the broker is there, or it is not."""

    def __init__(self, broker: FakeBroker, *, budget: Budget, patience_s: float) -> None:
        self._broker = broker
        self._budget = budget
        self._patience_s = patience_s
        self._waiting: dict[asyncio.Task[None], float] = {}

    def check(self) -> None:
        """See pipeline.collect.producer.Producer."""
        if self._waiting and time.monotonic() - min(self._waiting.values()) > self._patience_s:
            raise Unavailable("the broker is away")

    async def deliver(self, records: Sequence[Outgoing]) -> None:
        """See pipeline.collect.producer.Producer."""
        self.check()
        size = sum(record.size for record in records)
        self._budget.take(size)
        writing = asyncio.create_task(self._broker.write(records))
        self._waiting[writing] = time.monotonic()
        writing.add_done_callback(lambda _: self._budget.give(size))
        writing.add_done_callback(self._waiting.pop)
        try:
            await asyncio.wait_for(asyncio.shield(writing), self._patience_s)
        except TimeoutError as error:
            raise Unavailable("the broker is away") from error
