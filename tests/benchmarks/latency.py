"""From HTTP accepted to visible in the context answer, under load, through the running product."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from pipeline import keys
from pipeline.local import ports
from pipeline.local.home import with_partitions
from pipeline.settings import Settings
from tests.benchmarks.traffic import FIRST_CUSTOMER, events

RATE = 1_000  # events a second
PER_REQUEST = 10
CUSTOMERS = 5_000
SECONDS = 30
WARM_UP_S = 5
PROBES_A_SECOND = 8
VISIBLE_S_MAX = 10.0
READY_S_MAX = 90.0
LOOK_EVERY_S = 0.02  # a look costs what a lookup costs, its audit record too: looking harder is a load of its own


def quantile(values: list[float], q: float) -> float:
    """The q-quantile, nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


class Run:
    """Load, probes and what they saw. Times in ms."""

    def __init__(
        self, base: str, ingest: str, read: str, seconds: int = SECONDS, name: str = "probe", rate: int = RATE
    ) -> None:
        self._base = base
        self._seconds = seconds
        self._name = name
        self._rate = rate
        self._ingest = {"Authorization": f"Bearer {ingest}"}
        self._read = {"Authorization": f"Bearer {read}"}
        self.visible: list[float] = []
        self.context: list[float] = []
        self.accepted = 0

    async def load(self, client: aiohttp.ClientSession) -> None:
        """Send so many events a second in requests of PER_REQUEST, at fixed times whatever the answers take."""
        batches = iter(events(self._rate * (self._seconds + WARM_UP_S), customers=CUSTOMERS, seed=3))
        began = time.monotonic()
        sending: set[asyncio.Task[None]] = set()
        for number in range(self._rate * (self._seconds + WARM_UP_S) // PER_REQUEST):
            envelopes = []
            for _ in range(PER_REQUEST):
                channel, envelope = next(batches)
                envelopes.append({**envelope, "channel": channel, "occurred_at": int(time.time() * 1000)})
            await asyncio.sleep(max(0.0, began + number * PER_REQUEST / self._rate - time.monotonic()))
            task = asyncio.create_task(self.post(client, envelopes))
            sending.add(task)
            task.add_done_callback(sending.discard)
        await asyncio.gather(*sending)

    async def post(self, client: aiohttp.ClientSession, envelopes: list[dict[str, Any]]) -> None:
        """Send events; all must be accepted."""
        async with client.post(
            f"{self._base}/v1/interactions", json={"events": envelopes}, headers=self._ingest
        ) as answer:
            told = await answer.json()
            if answer.status != 202 or told["rejected"]:
                raise RuntimeError(f"{answer.status}: {told}")
            self.accepted += told["accepted"]

    async def probe(self, client: aiohttp.ClientSession) -> None:
        """Now and then send one search, and ask until it is seen."""
        await asyncio.sleep(WARM_UP_S)
        rng = random.Random(4)
        for number in range(self._seconds * PROBES_A_SECOND):
            began = time.monotonic()
            await self._one(
                client, f"{self._name} {number} {os.getpid()}", str(FIRST_CUSTOMER + rng.randrange(CUSTOMERS))
            )
            await asyncio.sleep(max(0.0, 1 / PROBES_A_SECOND - (time.monotonic() - began)))

    async def _one(self, client: aiohttp.ClientSession, text: str, customer: str) -> None:
        event = {
            "event_id": text,
            "source": "probe",
            "channel": "web",
            "type": "searched",
            "touchpoint": "site_search",
            "occurred_at": int(time.time() * 1000),
            "identifiers": {"customer": customer},
            "properties": {"query": text},
        }
        await self.post(client, [event])
        self.visible.append(await self.seen(client, text, customer))

    async def seen(self, client: aiohttp.ClientSession, text: str, customer: str) -> float:
        """Ask for a customer's context until it shows a search; how long that took, in ms."""
        accepted = time.monotonic()
        question = {"keys": [{"namespace": "customer", "value": customer}], "purpose": "benchmark"}
        while True:
            asked = time.monotonic()
            async with client.post(f"{self._base}/v1/context", json=question, headers=self._read) as answer:
                told = await answer.json()
                now = time.monotonic()
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {told}")
            self.context.append((now - asked) * 1000)
            if any(search["text"] == text for search in told["now"]["searches"]):
                return (now - accepted) * 1000
            if now - accepted > VISIBLE_S_MAX:
                raise TimeoutError(f"not visible after {VISIBLE_S_MAX:.0f} s")
            await asyncio.sleep(LOOK_EVERY_S)


async def probed(run: Run, *beside: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> Run:
    """Load, probes and whatever else goes on beside them."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as client:
        await asyncio.gather(run.load(client), run.probe(client), *(each(client) for each in beside))
    return run


@contextmanager
def product(home: Path) -> Iterator[tuple[str, keys.Keys]]:
    """A started stack of its own: where it answers, and its keys."""
    with started(home) as settings:
        yield f"http://{settings.host}:{settings.http_port}", keys.load_or_create(settings)


@contextmanager
def started(home: Path) -> Iterator[Settings]:
    """A started stack of its own, as its settings reach it."""
    host = "127.0.0.1"
    settings = replace(
        with_partitions(Settings.from_environment({"THROUGHLINE_HOME": str(home)})),
        http_port=ports.free_port(host),
        kafka_port=ports.free_port(host),
        clickhouse_port=ports.free_port(host),
    )
    home.mkdir(parents=True)
    with (home / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "up"], env=settings.environment(), stdout=log, stderr=log
        )
    try:
        _wait_until_ready(f"http://{host}:{settings.http_port}", up, home)
        yield settings
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(30)


def measure(home: Path) -> None:
    """Start the product, measure, print."""
    with product(home) as (base, known):
        run = asyncio.run(probed(Run(base, known.ingest, known.read)))
    print(
        f"accepted → visible in the context answer at {RATE:,} events/s ({len(run.visible)} probes): "
        f"median {quantile(run.visible, 0.5):.0f} ms, p99 {quantile(run.visible, 0.99):.0f} ms\n"
        f"context query under that load ({len(run.context)}): "
        f"median {quantile(run.context, 0.5):.0f} ms, p99 {quantile(run.context, 0.99):.0f} ms\n"
        f"accepted: {run.accepted:,} events",
        flush=True,
    )


def _wait_until_ready(base: str, up: subprocess.Popen[bytes], home: Path) -> None:
    import urllib.error
    import urllib.request

    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline:
        if up.poll() is not None:
            raise RuntimeError(f"the stack ended: {(home / 'up.log').read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{base}/v1/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    raise TimeoutError("the stack was not ready in time")
