"""A batch that asks for another one gets it, though nothing comes; and so does a worker that was started again."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiokafka import AIOKafkaProducer

from pipeline import kafka
from pipeline.domain.caps import Caps
from pipeline.domain.messages import Evidence, encode
from pipeline.engine import Batch, Engine, EngineApp, Limits, NotMine, Spec, Store
from pipeline.identify.process import Bounds, Identify
from pipeline.identify.records import decode_counters, decode_record
from pipeline.settings import Settings
from pipeline.topics import EVIDENCE, IDENTIFY_CHANGELOG, Topic
from pipeline.wire import Codec
from tests.conftest import Stack
from tests.unit.identify.staging import seal

K = 30
#: The real one: rows go to the topics that other tests read.
CODEC = Codec(Settings().schemas)
CAPS = Caps(reach=K)
BOUNDS = Bounds(changes=40, looks=100, spread=20, chores=20, page=8)
BATCHES_BEFORE_IT_ENDS = 5


class Deciding:
    """identify on the real engine, with topics of its own. `stop_after`: so many batches, and then it hangs."""

    def __init__(self, spec: Spec, stop_after: int | None = None) -> None:
        self.batches = 0
        self.records = 0
        self._stop_after = stop_after
        self.engine = Engine(spec)
        self._app = EngineApp(self.engine, self._decide)
        self._identify = Identify(CODEC, 1, seal, caps=CAPS, bounds=BOUNDS)

    async def __aenter__(self) -> Deciding:
        await self._app.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._app.stop()

    async def _decide(self, batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            if self.batches == self._stop_after:
                await asyncio.Event().wait()
            for _ in self._identify.process(batch):
                pass
            self.batches += 1
            self.records += len(batch.sources)

    def state(self) -> Store | None:
        """What is committed."""
        try:
            return self.engine.state(0)[0]
        except NotMine:
            return None

    def waits(self) -> int:
        """How many keys say that something is not finished; −1 where nobody knows."""
        state = self.state()
        data = state.get(b"n") if state is not None else None
        return decode_counters(data).waiting if data is not None else -1


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


async def test_what_spreads_goes_on_without_anything_new_and_after_a_restart(stack: Stack, tmp_path: Path) -> None:
    name = f"again{uuid.uuid4().hex[:8]}"
    topics = [
        Topic(f"{name}.{each.name}", "", "", (), (), cleanup=each.cleanup, partitions=1)
        for each in (EVIDENCE, IDENTIFY_CHANGELOG)
    ]
    await kafka.create_topics(stack.settings, topics)
    spec = Spec(
        app_id=name,
        sources=(topics[0].name,),
        changelog=topics[1].name,
        partitions=1,
        bootstrap=stack.settings.bootstrap,
        state_dir=tmp_path / "state",
        worker="0",
        resumes=True,
        limits=Limits(batch_interval_s=0.01),
    )
    evidence = [Evidence("customer:a", f"anonymous:{n}", 1, "", "shop", "e") for n in range(K)]
    evidence += [Evidence(f"anonymous:{n}", f"device:{n}.{m}", 1, "", "shop", "e") for n in range(K) for m in range(K)]
    producer = AIOKafkaProducer(bootstrap_servers=stack.settings.bootstrap)
    await producer.start()
    try:
        for each in evidence:
            await producer.send(topics[0].name, encode(each), partition=0)
        await producer.flush()
        async with Deciding(spec) as deciding:
            await until(lambda: deciding.records == len(evidence) and deciding.waits() == 0)
        async with Deciding(spec, stop_after=BATCHES_BEFORE_IT_ENDS) as deciding:
            await until(lambda: deciding.batches == 1)  # it was asked for nothing, and said nothing
            last = Evidence("customer:a", "anonymous:one too many", 1, "", "shop", "e")
            await producer.send_and_wait(topics[0].name, encode(last), partition=0)
            await until(lambda: deciding.batches == BATCHES_BEFORE_IT_ENDS)
            assert deciding.waits() > 0
    finally:
        await producer.stop()
    async with Deciding(spec) as deciding:
        await until(lambda: deciding.waits() == 0)
        state = deciding.state()
        assert state is not None
        assert deciding.records == 0
        assert deciding.batches > K * K / BOUNDS.changes / 2
        for key, value in state.scan(b"idevice:"):
            assignment = decode_record(value).assignment
            assert assignment is not None
            assert assignment.owners == (f"anonymous:{key[len(b'idevice:') :].decode().partition('.')[0]}",)
