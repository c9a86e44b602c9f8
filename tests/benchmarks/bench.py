"""`make bench`: what one machine does, with the real broker, the real ClickHouse engine and the real processes.

Prints the machine, then each figure. Ratios come from one run on one machine; latencies belong to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from aiokafka import TopicPartition

from pipeline import kafka
from pipeline.local import ports
from pipeline.local.bare import bare
from pipeline.partition import partition_of
from pipeline.settings import Settings
from pipeline.topics import CHANNEL_TOPICS, channel_topic
from pipeline.wire import Codec
from tests.benchmarks import latency
from tests.benchmarks.traffic import avro, events

EVENTS = 200_000
PROFILES = 10_000
MANY_PROFILES = 100_000
IDIOMATIC_EVENTS = 20_000
CATCH_UP_S_MAX = 600.0


def machine() -> str:
    """One line about where this ran."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Python {platform.python_version()}"


def resident_mb(pid: int) -> float:
    """The process's resident memory now, in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmRSS")


async def fill(settings: Settings, count: int, customers: int) -> None:
    """Put the traffic on its topics."""
    codec = Codec(settings.schemas)
    producer = kafka.producer(settings, linger_ms=20)
    await producer.start()
    pending = []
    for channel, envelope in events(count, customers):
        key = f"customer:{envelope['identifiers']['customer']}"
        value = codec.encode(f"interaction_{channel}", avro(envelope))
        number = partition_of(key, settings.partitions)
        pending.append(await producer.send(channel_topic(channel), value, key=key.encode(), partition=number))
        if len(pending) >= 5_000:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    await producer.stop()


@contextmanager
def process(settings: Settings, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the product (or the other app), ended afterwards."""
    with (settings.home / "bench.log").open("ab") as log:
        child = subprocess.Popen([sys.executable, *command], env=settings.environment(), stdout=log, stderr=log)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


async def caught_up(settings: Settings, group: str, child: subprocess.Popen[bytes]) -> float:
    """Wait until a group has committed every channel topic to its end; returns when (monotonic seconds)."""
    numbers = range(settings.partitions)
    tps = [TopicPartition(topic.name, number) for topic in CHANNEL_TOPICS for number in numbers]
    return await caught_up_on(settings, group, tps, child)


async def caught_up_on(
    settings: Settings, group: str, tps: list[TopicPartition], child: subprocess.Popen[bytes]
) -> float:
    """The same for some partitions."""
    admin, reader = kafka.admin(settings), kafka.consumer(settings, group=None)
    await admin.start()
    await reader.start()
    try:
        ends = await reader.end_offsets(tps)
        deadline = time.monotonic() + CATCH_UP_S_MAX
        while time.monotonic() < deadline:
            if child.poll() is not None:
                raise RuntimeError(f"the process ended: see {settings.home}/bench.log and logs/")
            committed = await admin.list_consumer_group_offsets(group)
            if all(ends[tp] == 0 or (tp in committed and committed[tp].offset >= ends[tp]) for tp in tps):
                return time.monotonic()
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{group} did not catch up within {CATCH_UP_S_MAX:.0f} s")
    finally:
        await admin.close()
        await reader.stop()


async def owning(settings: Settings, marker: Path, child: subprocess.Popen[bytes]) -> float:
    """Wait until the process has said that it works; returns when (monotonic seconds)."""
    while not os.path.exists(marker):  # noqa: ASYNC240  # a look at a local file
        if child.poll() is not None:
            raise RuntimeError(f"the process ended: see {settings.home}/bench.log and logs/")
        await asyncio.sleep(0.01)
    return time.monotonic()


def stitch_rate(home: Path, count: int, customers: int) -> tuple[float, float]:
    """(events a second, resident MB) of one stitch worker on a full backlog."""
    with bare(Settings(home=home, kafka_port=0, clickhouse_port=0)) as settings:
        asyncio.run(fill(settings, count, customers))
        own = replace(settings, worker_port=ports.free_port(settings.host))

        async def measure() -> tuple[float, float]:
            with process(own, "-m", "pipeline.cli", "run", "stitch-0") as child:
                began = await owning(own, own.home / "run" / "ready" / "stitch-0", child)
                ended = await caught_up(own, "stitch", child)
                return count / (ended - began), resident_mb(child.pid)

        return asyncio.run(measure())


def idiomatic_rate(home: Path, count: int, customers: int) -> float:
    """Events a second of the ordinary Faust app, from its first entry to its last: its start is not counted."""
    with bare(Settings(home=home, kafka_port=0, clickhouse_port=0)) as settings:
        asyncio.run(fill(settings, count, customers))

        async def measure() -> float:
            with process(settings, "-m", "tests.benchmarks.idiomatic", str(home / "faust")):
                began = await _published(settings, 1)
                return count / (await _published(settings, count) - began)

        return asyncio.run(measure())


async def _published(settings: Settings, count: int) -> float:
    """Wait until so many entries are on `timelines`; returns when. For an app that commits only now and then."""
    reader = kafka.consumer(settings, group=None, isolation_level="read_uncommitted")
    await reader.start()
    try:
        tps = [TopicPartition("timelines", number) for number in range(settings.partitions)]
        deadline = time.monotonic() + CATCH_UP_S_MAX
        while sum((await reader.end_offsets(tps)).values()) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count} entries were not published within {CATCH_UP_S_MAX:.0f} s")
            await asyncio.sleep(0.02)
        return time.monotonic()
    finally:
        await reader.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("stitch", "memory", "latency"), help="one part of it")
    told = parser.parse_args()
    print(f"machine: {machine()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        home = Path(folder)
        if told.only in (None, "stitch"):
            ours, _ = stitch_rate(home / "a", EVENTS, PROFILES)
            print(f"stitch, one worker, full work in committed transactions: {ours:,.0f} events/s", flush=True)
            theirs = idiomatic_rate(home / "b", IDIOMATIC_EVENTS, PROFILES // 10)
            print(f"an idiomatic Faust app, less work, no transactions: {theirs:,.0f} events/s", flush=True)
            print(f"ratio: {ours / theirs:.1f}", flush=True)
        if told.only in (None, "memory"):
            rate, memory = stitch_rate(home / "c", 3 * MANY_PROFILES, MANY_PROFILES)
            print(
                f"stitch with {MANY_PROFILES:,} profiles: {memory:,.0f} MB resident, {rate:,.0f} events/s", flush=True
            )
        if told.only in (None, "latency"):
            latency.measure(home / "d")


if __name__ == "__main__":
    main()
