"""The agent of the fault tests, a process of its own: it counts, and every count can be checked.

Each source record raises its key's count, says so on the output topic, and tells a partner key through the inbox,
as profiles do. The partner keeps the sender's last number and publishes a complaint when one is missing or repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

from pipeline.engine import Batch, Engine, EngineApp, Limits, Spec, run_worker
from pipeline.engine.ownership import Ownership
from pipeline.engine.store import Standing
from pipeline.partition import partition_of

SESSION_MS = 3_000


class AppliedTooEarly(Ownership):
    """Wrong on purpose: local state before the transaction. The comparison must notice."""

    async def _settle(self, unit) -> None:  # type: ignore[no-untyped-def]
        if unit.changes:
            standing = self.store.standing
            self.store.write(unit.changes.items(), Standing(standing.offset, int(time.time() * 1000), 0))
        await super()._settle(unit)


def partner(key: str, keys: int) -> str:
    """Whom a key tells of itself."""
    return f"k{(int(key[1:]) * 7 + 1) % keys}"


def handle(batch: Batch, prefix: str, partitions: int, keys: int) -> None:
    """Count a batch."""
    for record in batch.inbox:
        receiver, sender, said = record.value.decode().split(" ")  # type: ignore[union-attr]
        assert partition_of(receiver, partitions) == batch.partition
        heard = f"i{receiver}\0{sender}".encode()
        before = int(batch.get(heard) or b"0")
        if int(said) != before + 1:
            batch.send(f"{prefix}.out", batch.partition, b"!", f"{receiver} heard {said} after {before}".encode())
        batch.put(heard, said.encode())
    for record in batch.sources:
        key = record.key.decode()  # type: ignore[union-attr]
        name = f"c{key}".encode()
        count = str(int(batch.get(name) or b"0") + 1)
        batch.put(name, count.encode())
        batch.send(f"{prefix}.out", batch.partition, record.key, count.encode())
        told = partner(key, keys)
        to = partition_of(told, partitions)
        batch.send(f"{prefix}.inbox", to, told.encode(), f"{told} {key} {count}".encode())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--keys", type=int, required=True)
    parser.add_argument("--sources", type=int, required=True)
    parser.add_argument("--die-at", default="", help="point[:after how many passes]")
    parser.add_argument("--wrong", action="store_true")
    told = parser.parse_args()
    point, _, after = told.die_at.partition(":")
    left = int(after or 0)

    def probe(passed: str, number: int) -> None:
        nonlocal left
        if passed == point:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    spec = Spec(
        app_id=f"{told.prefix}.app",
        sources=tuple(f"{told.prefix}.s{number}" for number in range(told.sources)),
        inbox=f"{told.prefix}.inbox",
        changelog=f"{told.prefix}.changelog",
        partitions=told.partitions,
        bootstrap=told.bootstrap,
        state_dir=told.state / told.worker,
        worker=told.worker,
        trimmed=(f"{told.prefix}.inbox",),
        limits=Limits(session_timeout_ms=SESSION_MS, heartbeat_ms=300, trim_every_s=2.0),
        probe=probe if point else None,
    )

    async def count(batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            handle(batch, told.prefix, told.partitions, told.keys)
            await asyncio.sleep(0)

    engine = Engine(spec, ownership=AppliedTooEarly if told.wrong else Ownership)
    run_worker(EngineApp(engine, count))


if __name__ == "__main__":
    main()
