"""One contract for collect's producers: the one in memory that other tests use, and the one that talks to Kafka."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from pipeline import kafka
from pipeline.collect.app import Access, app_of, routes
from pipeline.collect.collector import Collector, Place
from pipeline.collect.event import Events
from pipeline.collect.limits import Budget, Full, Limits
from pipeline.collect.producer import KafkaProducer, Outgoing, Producer, Unavailable
from pipeline.domain.identifiers import Keyring
from pipeline.local import ports, process
from pipeline.local.jars import kafka_jars
from pipeline.settings import Settings
from pipeline.topics import written_by
from pipeline.wire import Codec
from tests.collecting import KEYS, FakeBroker, FakeProducer, event, until

PATIENCE_S = 2.5
STOPPED_S_MAX = 10.0
SOON_S = 1.0  # what is answered at once takes no longer, on a busy machine too
BACK_S = 30.0  # for a restarted broker to take records again
MANY = 10_000_000
_numbers = itertools.count()


def record(topic: str = "interactions.web", partition: int = 0, size: int = 10) -> Outgoing:
    """A record that no other test writes."""
    number = next(_numbers)
    return Outgoing(topic, partition, f"anonymous:{number}".encode(), f"{number:0{size}}".encode())


class World(Protocol):
    """A broker that can go away, and producers for it."""

    def producing(self, budget: Budget) -> Any:
        """A context with a producer that is ready."""
        ...

    def leave(self) -> None: ...

    def come_back(self) -> None: ...

    async def written(self, partitions: Sequence[tuple[str, int]]) -> list[Outgoing]:
        """All records of these (topic, partition), one after the other, each in order."""
        ...


class Contract:
    """What every producer keeps."""

    async def test_what_is_delivered_is_written_in_order(self, world: World) -> None:
        budget = Budget(MANY)
        async with world.producing(budget) as producer:
            for place in (("interactions.phone", 3), ("interactions.chat", 7)):  # the topics may be a moment old
                await until_delivered(producer, [record(*place)])
            records = [record("interactions.phone", 3) for _ in range(100)] + [record("interactions.chat", 7)]
            await producer.deliver(records)
        written = await world.written([("interactions.phone", 3), ("interactions.chat", 7)])
        assert [each for each in written if each in records] == records
        assert budget.held == 0

    async def test_many_requests_at_once(self, world: World) -> None:
        budget = Budget(MANY)
        requests = [[record(partition=number % 8) for number in range(20)] for _ in range(50)]
        async with world.producing(budget) as producer:
            await asyncio.gather(*(producer.deliver(each) for each in requests))
        written = await world.written([("interactions.web", number) for number in range(8)])
        assert sorted(r for each in requests for r in each) == sorted(set(written) & {r for q in requests for r in q})
        assert budget.held == 0

    async def test_more_than_may_be_held_is_refused_whole(self, world: World) -> None:
        first, second = record(), record()
        budget = Budget(first.size + second.size - 1)
        async with world.producing(budget) as producer:
            with pytest.raises(Full):
                await producer.deliver([first, second])
            assert budget.held == 0
            await producer.deliver([first])
        assert second not in await world.written([("interactions.web", 0)])

    async def test_a_broker_that_goes_and_comes_back(self, world: World) -> None:
        budget = Budget(MANY)
        kept, waiting, refused, late = [record()], [record(), record()], [record()], [record()]
        async with world.producing(budget) as producer:
            await producer.deliver(kept)
            world.leave()
            # It waits for the acknowledgement, though not for ever, and holds what it could not deliver.
            start = time.monotonic()
            with pytest.raises(Unavailable):
                await producer.deliver(waiting)
            assert time.monotonic() - start < PATIENCE_S + SOON_S
            assert budget.held in (0, sum(each.size for each in waiting))
            # Then it says so at once, and holds no more.
            held, start = budget.held, time.monotonic()
            with pytest.raises(Unavailable):
                producer.check()
            with pytest.raises(Unavailable):
                await producer.deliver(refused)
            assert time.monotonic() - start < SOON_S
            assert budget.held == held
            world.come_back()
            await until_delivered(producer, late)
            await until(lambda: budget.held == 0)
        written = await world.written([("interactions.web", 0)])
        assert kept[0] in written
        assert late[0] in written
        assert refused[0] not in written

    async def test_what_waits_counts_against_the_bound(self, world: World) -> None:
        first, second = record(), record()
        budget = Budget(first.size + second.size - 1)
        async with world.producing(budget) as producer:
            await producer.deliver([record()])
            world.leave()
            waiting = asyncio.create_task(producer.deliver([first]))
            await asyncio.sleep(0)
            with pytest.raises(Full):
                await producer.deliver([second])
            world.come_back()
            await asyncio.wait([waiting])
            if waiting.exception():
                assert isinstance(waiting.exception(), Unavailable)
            await until(lambda: budget.held == 0)

    async def test_over_http(self, world: World, codec: Codec) -> None:
        """What a sender sees: 202, 503 with Retry-After while the broker is away, 202 again."""
        budget = Budget(MANY)
        async with world.producing(budget) as producer, sending(producer, budget, codec) as send:
            assert (await send()).status_code == 202
            world.leave()
            for _ in range(2):
                refused = await send()
                assert refused.status_code == 503
                assert int(refused.headers["retry-after"]) > 0
                assert refused.json()["reason"] == "kafka_unavailable"
            world.come_back()
            deadline = time.monotonic() + BACK_S
            while (await send()).status_code != 202:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            await until(lambda: budget.held == 0)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(Settings().schemas)


@asynccontextmanager
async def sending(
    producer: Producer, budget: Budget, codec: Codec
) -> AsyncIterator[Callable[[], Awaitable[httpx.Response]]]:
    """A function that sends one event through a collector with this producer."""
    collector = Collector(
        Events(Settings().schemas),
        codec,
        Keyring({"k1": bytes(32)}, "k1"),
        producer,
        Place(partitions=8, region="US"),
        limits=Limits(patience_s=PATIENCE_S),
        budget=budget,
    )
    app = app_of(routes(collector, Access(KEYS), Settings().schemas))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collect") as client:

        async def send() -> httpx.Response:
            body = {"events": [event(event_id=f"http-{next(_numbers)}")]}
            return await client.post("/v1/interactions", json=body, headers={"Authorization": f"Bearer {KEYS.ingest}"})

        yield send


async def until_delivered(producer: Producer, records: Sequence[Outgoing]) -> None:
    """Send again until it is taken, as clients do after a 503."""
    deadline = time.monotonic() + BACK_S
    while True:
        try:
            return await producer.deliver(records)
        except Unavailable:
            assert time.monotonic() < deadline, "not delivered after the broker came back"
            await asyncio.sleep(0.1)


class FakeWorld:
    """In memory."""

    def __init__(self) -> None:
        self.broker = FakeBroker()
        self.leave = self.broker.leave
        self.come_back = self.broker.come_back

    @asynccontextmanager
    async def producing(self, budget: Budget) -> AsyncIterator[Producer]:
        yield FakeProducer(self.broker, budget=budget, patience_s=PATIENCE_S)

    async def written(self, partitions: Sequence[tuple[str, int]]) -> list[Outgoing]:
        return [each for place in partitions for each in self.broker.written if each[:2] == place]


class TestFake(Contract):
    """The one in memory."""

    @pytest.fixture
    def world(self) -> World:
        return FakeWorld()


class KafkaWorld:
    """A real broker of its own. It goes away by freezing: nothing answers, and what was sent may still be written."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, kafka_port=ports.free_port("127.0.0.1"))
        kafka_jars(self.settings)
        self.start()
        asyncio.run(kafka.create_topics(self.settings, written_by("collect")))

    def start(self) -> None:
        """Start it; returns when it listens."""
        self._child = process.spawn("broker", self.settings)
        host, port = self.settings.host, self.settings.kafka_port
        process.wait_until(lambda: ports.answers(host, port), self._child, self.settings, 60)

    def kill(self) -> None:
        """Kill it."""
        self._child.process.kill()
        self._child.process.wait()

    def leave(self) -> None:
        self._child.process.send_signal(signal.SIGSTOP)
        # Its threads run on until each has taken the signal: what is written meanwhile is written.
        deadline = time.monotonic() + STOPPED_S_MAX
        while os.waitid(os.P_PID, self._child.process.pid, os.WSTOPPED | os.WNOHANG) is None:
            assert time.monotonic() < deadline, "the broker does not freeze"
            time.sleep(0.01)

    def come_back(self) -> None:
        self._child.process.send_signal(signal.SIGCONT)

    def producer(self, budget: Budget) -> KafkaProducer:
        """One that is not started."""
        return KafkaProducer(
            lambda: kafka.producer(self.settings, linger_ms=2, request_timeout_ms=int(PATIENCE_S * 1000)),
            partitions=self.settings.partitions,
            budget=budget,
            patience_s=PATIENCE_S,
        )

    @asynccontextmanager
    async def producing(self, budget: Budget) -> AsyncIterator[Producer]:
        producer = self.producer(budget)
        await producer.start()
        try:
            await until(lambda: producer.connected)
            yield producer
        finally:
            await producer.stop()

    async def written(self, partitions: Sequence[tuple[str, int]]) -> list[Outgoing]:
        consumer = kafka.consumer(self.settings, group=None)
        wanted = [kafka.TopicPartition(*each) for each in partitions]
        await consumer.start()
        try:
            consumer.assign(wanted)
            ends = await consumer.end_offsets(wanted)
            await consumer.seek_to_beginning(*wanted)
            found: dict[Any, list[Outgoing]] = {tp: [] for tp in wanted}
            deadline = time.monotonic() + BACK_S
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                assert time.monotonic() < deadline
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp] += [Outgoing(r.topic, r.partition, r.key, r.value) for r in records]
            return [each for tp in wanted for each in found[tp]]
        finally:
            await consumer.stop()


@pytest.fixture(scope="module")
def kafka_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaWorld]:
    """One broker for all these tests."""
    world = KafkaWorld(tmp_path_factory.mktemp("broker"))
    yield world
    world.kill()


class TestKafka(Contract):
    """The one that talks to a real broker."""

    @pytest.fixture
    def world(self, kafka_world: KafkaWorld) -> World:
        return kafka_world

    async def test_a_broker_that_is_killed(self, kafka_world: KafkaWorld) -> None:
        """A producer that knew it, and one that starts before it."""
        budget = Budget(MANY)
        first, lost, late, after = [record()], [record()], [record()], [record()]
        async with kafka_world.producing(budget) as early:
            await early.deliver(first)
            kafka_world.kill()
            with pytest.raises(Unavailable):
                await early.deliver(lost)
            other = kafka_world.producer(budget)
            await other.start()
            try:
                with pytest.raises(Unavailable):
                    await other.deliver([record()])
                await asyncio.to_thread(kafka_world.start)
                await until_delivered(early, late)
                await until_delivered(other, after)
            finally:
                await other.stop()
            await until(lambda: budget.held == 0)
        written = await kafka_world.written([("interactions.web", 0)])
        assert all(written.count(each) == 1 for each in first + late + after)
        assert written.count(lost[0]) <= 1

    def test_other_partition_counts_end_the_process(self, kafka_world: KafkaWorld) -> None:
        async def start() -> None:
            producer = KafkaProducer(
                lambda: kafka.producer(kafka_world.settings), partitions=7, budget=Budget(MANY), patience_s=PATIENCE_S
            )
            await producer.start()
            await asyncio.sleep(BACK_S)

        with pytest.raises(SystemExit, match="8 partitions, not THROUGHLINE_PARTITIONS=7"):
            asyncio.run(start())
