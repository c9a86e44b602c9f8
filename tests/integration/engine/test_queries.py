"""Who may answer: the owner, and only while its group has lately confirmed that it is alive."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import kafka
from pipeline.engine import Engine, Limits, NotMine, Spec
from pipeline.local import ports, process
from pipeline.local.jars import kafka_jars
from pipeline.settings import Settings
from pipeline.topics import EVIDENCE, IDENTIFY_CHANGELOG

LIMITS = Limits(heartbeat_ms=200, confirmed_max_s=1.0)


def mine(engine: Engine) -> bool:
    """Whether the engine would answer about partition number 0."""
    try:
        engine.state(0)
    except NotMine:
        return False
    return True


async def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[Settings, process.Child]]:
    """A broker of its own, since it is frozen."""
    settings = Settings(home=tmp_path / "home", kafka_port=ports.free_port("127.0.0.1"))
    kafka_jars(settings)
    child = process.spawn("broker", settings)
    try:
        process.wait_until(lambda: ports.answers(settings.host, settings.kafka_port), child, settings, 60)
        yield settings, child
    finally:
        child.process.kill()
        child.process.wait()


async def test_an_owner_that_hears_nothing_of_its_group_answers_nothing(
    broker: tuple[Settings, process.Child], tmp_path: Path
) -> None:
    """What a worker knows that was frozen, or cut off: its state may be another's by now."""
    settings, child = broker
    await kafka.create_topics(settings, (EVIDENCE, IDENTIFY_CHANGELOG))
    spec = Spec(
        app_id="lonely",
        sources=(EVIDENCE.name,),
        changelog=IDENTIFY_CHANGELOG.name,
        partitions=1,
        bootstrap=settings.bootstrap,
        state_dir=tmp_path / "state",
        worker="0",
        limits=LIMITS,
    )
    engine = Engine(spec)
    await engine.start()
    try:
        await until(lambda: mine(engine), 20)
        child.process.send_signal(signal.SIGSTOP)
        try:
            await until(lambda: not mine(engine), LIMITS.confirmed_max_s + 2)
        finally:
            child.process.send_signal(signal.SIGCONT)
        await until(lambda: mine(engine), 20)
        with pytest.raises(NotMine):
            engine.state(1)
    finally:
        await engine.stop()
