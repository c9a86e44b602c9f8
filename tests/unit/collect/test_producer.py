"""The producer's own client: what happens when it fails for good."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, OutOfOrderSequenceNumber

from pipeline.collect import producer as module
from pipeline.collect.limits import Budget
from pipeline.collect.producer import KafkaProducer, Outgoing, Unavailable
from tests.collecting import until

RECORD = Outgoing("interactions.web", 0, b"k", b"v")


class Client:
    """Stands for aiokafka's; `fate` is what becomes of its records."""

    def __init__(self, fate: Any = None, connects: bool = True) -> None:
        self.fate = fate
        self.connects = connects
        self.stopped = asyncio.Event()

    async def start(self) -> None:
        if not self.connects:
            raise KafkaConnectionError("nobody there")

    async def stop(self) -> None:
        self.stopped.set()

    async def partitions_for(self, _: str) -> set[int]:
        return set(range(8))

    async def send(self, *_: Any) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if isinstance(self.fate, Exception):
            future.set_exception(self.fate)
        elif self.fate is None:
            future.set_result(None)
        return future


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_BACKOFF_S", (0.01, 0.02))


async def delivered(producer: KafkaProducer) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                return await producer.deliver([RECORD])
            except Unavailable:
                await asyncio.sleep(0.005)


async def test_a_client_that_failed_is_replaced() -> None:
    """One lost batch makes every later one of an idempotent client fail, so it must not stay."""
    bad, good = Client(OutOfOrderSequenceNumber()), Client()
    clients = iter([Client(connects=False), Client(connects=False), bad, good])
    budget = Budget(10_000)
    producer = KafkaProducer(lambda: next(clients), partitions=8, budget=budget, patience_s=1)
    await producer.start()
    try:
        await delivered(producer)
    finally:
        await producer.stop()
    assert bad.stopped.is_set()
    assert good.stopped.is_set()
    assert budget.held == 0


async def test_a_failure_after_nobody_waits_any_more_counts_too() -> None:
    silent, good = Client(fate=...), Client()
    clients = iter([silent, good])
    budget = Budget(10_000)
    producer = KafkaProducer(lambda: next(clients), partitions=8, budget=budget, patience_s=0.05)
    await producer.start()
    sent: list[asyncio.Future[None]] = []
    send = silent.send

    async def kept(*arguments: Any) -> asyncio.Future[None]:
        sent.append(await send(*arguments))
        return sent[-1]

    silent.send = kept  # type: ignore[method-assign]  # the future is wanted here
    try:
        await until(lambda: producer.connected)
        with pytest.raises(Unavailable):
            await producer.deliver([RECORD])
        assert budget.held == RECORD.size
        sent[0].set_exception(OutOfOrderSequenceNumber())
        await delivered(producer)
    finally:
        await producer.stop()
    assert silent.stopped.is_set()
    assert budget.held == 0


async def test_a_bug_is_no_outage() -> None:
    client = Client()

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    client.send = broken  # type: ignore[assignment,method-assign]  # that is the test
    budget = Budget(10_000)
    producer = KafkaProducer(lambda: client, partitions=8, budget=budget, patience_s=1)
    await producer.start()
    try:
        await until(lambda: producer.connected)
        with pytest.raises(ZeroDivisionError):
            await producer.deliver([RECORD])
        assert budget.held == 0
    finally:
        await producer.stop()
