"""What identity costs: a login under load, a device that 10,000 people use, evidence a second.

    python -m tests.benchmarks.identity [--only evidence|login|kiosk|devices|cookies|spread] [--rate 1000]

evidence  new pieces of evidence a second through `identify`, in committed transactions
login     at so many events/s: an anonymous visitor logs in; how long until the search from before is in the customer's
          context (99th percentile); in the first half minute of a stack that has just been started, and after it
kiosk     at so many events/s: others' latency while 10,000 people log in on one device, against the same without
devices   the same while one customer logs in on 10,000 devices; cookies: with 10,000 cookies
spread    a customer with 500 cookies of 500 devices each is joined into another: how long until all are theirs, and how
          long new evidence takes meanwhile
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from pipeline import kafka
from pipeline.domain.messages import Evidence, encode
from pipeline.domain.orders import Join
from pipeline.local import ports
from pipeline.local.bare import bare
from pipeline.settings import Settings
from pipeline.topics import EVIDENCE, IDENTITIES
from tests.benchmarks.bench import caught_up_on, machine, owning, process
from tests.benchmarks.latency import RATE, WARM_UP_S, Run, probed, product, quantile

PIECES = 200_000
OWNERS = 10_000
LOGINS_A_SECOND = 4
KIOSK_SECONDS = 30
LOGIN_SECONDS = 30
PER_REQUEST = 20
ROUNDS = 2
WIDE = 500  # cookies, and devices of each


async def fill(settings: Settings, pieces: int) -> None:
    """New evidence: each customer with a phone, a cookie and, in eight sessions, a device they share with another."""
    producer = kafka.producer(settings, linger_ms=20)
    await producer.start()
    pending = []
    for n in range(pieces):
        who, kind = divmod(n, 10)
        strong = f"customer:{who}"
        weak = (f"phone:k1.{who:032x}", f"anonymous:a{who}", *[f"device:d{who // 2}"] * 8)[kind]
        evidence = Evidence(strong, weak, 1_760_000_000_000 + n, f"s{n}", "bench", f"e{n}")
        pending.append(await producer.send(EVIDENCE.name, encode(evidence), partition=0))
        if len(pending) >= 5_000:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    await producer.stop()


def evidence_rate(home: Path) -> float:
    """Pieces a second on a full backlog."""
    with bare(Settings(home=home, kafka_port=0, clickhouse_port=0)) as settings:
        asyncio.run(fill(settings, PIECES))
        own = replace(settings, identify_port=ports.free_port(settings.host))

        async def measure() -> float:
            with process(own, "-m", "pipeline.cli", "run", "identify") as child:
                began = await owning(own, own.home / "run" / "ready" / "identify", child)
                ended = await caught_up_on(own, "identify", [TopicPartition(EVIDENCE.name, 0)], child)
                return PIECES / (ended - began)

        return asyncio.run(measure())


class Logins:
    """Visitors who search, and then log in."""

    def __init__(self, run: Run, seconds: int, name: str) -> None:
        self._run = run
        self._seconds = seconds
        self._name = name
        self.seen_ms: list[float] = []

    async def __call__(self, client: aiohttp.ClientSession) -> None:
        """One after the other."""
        await asyncio.sleep(WARM_UP_S)
        for number in range(self._seconds * LOGINS_A_SECOND):
            began = time.monotonic()
            await self._one(client, number)
            await asyncio.sleep(max(0.0, 1 / LOGINS_A_SECOND - (time.monotonic() - began)))

    async def _one(self, client: aiohttp.ClientSession, number: int) -> None:
        visitor, customer = f"visitor-{self._name}-{number}", f"login-{self._name}-{number}"
        text = f"before the {self._name} login {number} {os.getpid()}"
        event = {
            "event_id": text,
            "source": "shop",
            "channel": "web",
            "type": "searched",
            "touchpoint": "site_search",
            "occurred_at": int(time.time() * 1000),
            "session_id": f"visit-{self._name}-{number}",
            "identifiers": {"anonymous": visitor},
            "properties": {"query": text},
        }
        await self._run.post(client, [event])
        login = {
            "event_id": f"login {text}",
            "type": "identified",
            "touchpoint": "account",
            "properties": {},
            "identifiers": {"customer": customer, "anonymous": visitor},
        }
        await self._run.post(client, [{**event, **login}])
        self.seen_ms.append(await self._run.seen(client, text, customer))


class Crowd:
    """So many logins, evenly over the time. `kind`: of what there is only one, 'apart' for nothing."""

    def __init__(self, run: Run, seconds: int, name: str, kind: str) -> None:
        self._run = run
        self._seconds = seconds
        self._name = name
        self._kind = kind

    async def __call__(self, client: aiohttp.ClientSession) -> None:
        """All of them."""
        began = time.monotonic()
        for first in range(0, OWNERS, PER_REQUEST):
            await self._run.post(client, [self._login(n) for n in range(first, first + PER_REQUEST)])
            await asyncio.sleep(max(0.0, began + (first + PER_REQUEST) / OWNERS * self._seconds - time.monotonic()))

    def _login(self, number: int) -> dict[str, object]:
        each = f"{self._name}-{number}"
        weak = "anonymous" if self._kind == "cookies" else "device"
        return {
            "event_id": f"{self._name} {number}",
            "source": "shop",
            "channel": "in_store",
            "type": "identified",
            "touchpoint": "kiosk",
            "occurred_at": int(time.time() * 1000),
            "session_id": each,
            "identifiers": {
                "customer": self._name if self._kind in ("devices", "cookies") else each,
                weak: self._name if self._kind == "kiosk" else each,
            },
        }


def logins(home: Path, rate: int) -> None:
    """Measure and print."""
    with product(home) as (base, known):
        for name in ("cold", "warm"):
            run = Run(base, known.ingest, known.read, LOGIN_SECONDS, name, rate)
            visitors = Logins(run, LOGIN_SECONDS, name)
            asyncio.run(probed(run, visitors))
            print(
                f"login → anonymous history in the customer's context, at {rate:,} events/s, {name} stack "
                f"({len(visitors.seen_ms)} logins): median {quantile(visitors.seen_ms, 0.5):.0f} ms, "
                f"p99 {quantile(visitors.seen_ms, 0.99):.0f} ms",
                flush=True,
            )


CROWDS = {
    "kiosk": f"{OWNERS:,} people log in on one device",
    "devices": f"one customer logs in on {OWNERS:,} devices",
    "cookies": f"one customer logs in with {OWNERS:,} cookies",
}


def crowd(home: Path, kind: str, rate: int) -> None:
    """Measure and print: rounds alternate, so that what the machine does meanwhile meets both."""
    latencies: dict[str, list[float]] = {"apart": [], kind: []}
    with product(home) as (base, known):
        for round_ in range(ROUNDS):
            for each, into in latencies.items():
                name = f"{each}{round_}"
                run = Run(base, known.ingest, known.read, KIOSK_SECONDS, name, rate)
                asyncio.run(probed(run, Crowd(run, KIOSK_SECONDS, name, each)))
                into += run.visible
                print(
                    f"  {name}: median {quantile(run.visible, 0.5):.0f} ms, p99 {quantile(run.visible, 0.99):.0f} ms",
                    flush=True,
                )
    apart, together = latencies.values()
    ratios = [quantile(together, q) / quantile(apart, q) for q in (0.5, 0.95)]
    print(
        f"others' accepted → visible at {rate:,} events/s while {CROWDS[kind]}, against as many logins apart: "
        f"median × {ratios[0]:.2f}, 95th percentile × {ratios[1]:.2f} ({len(together)} probes each)",
        flush=True,
    )


async def _ask(producer: AIOKafkaProducer, said: Evidence | Join) -> int:
    """Send one message; its offset."""
    sent = await producer.send_and_wait(EVIDENCE.name, encode(said), partition=0)
    return int(sent.offset)


async def _spread(settings: Settings) -> tuple[float, list[float]]:
    """Seconds until a join has spread to all; and until new evidence that came meanwhile was settled, each time."""
    place = TopicPartition(EVIDENCE.name, 0)
    producer = kafka.producer(settings, linger_ms=20)
    await producer.start()
    pending = []
    for n in range(WIDE):
        said = [Evidence("customer:a", f"anonymous:{n}", 1, "", "bench", "e")]
        said += [Evidence(f"anonymous:{n}", f"device:{n}.{m}", 1, "", "bench", "e") for m in range(WIDE)]
        pending += [await producer.send(EVIDENCE.name, encode(each), partition=0) for each in said]
        if len(pending) > 5_000:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    await producer.stop()
    own = replace(settings, identify_port=ports.free_port(settings.host))
    with process(own, "-m", "pipeline.cli", "run", "identify") as child:
        await owning(own, own.home / "run" / "ready" / "identify", child)
        await caught_up_on(own, "identify", [place], child)
        one_by_one = kafka.producer(settings)
        follower = kafka.consumer(settings, group=None)
        await one_by_one.start()
        await follower.start()
        try:
            places = [TopicPartition(IDENTITIES.name, number) for number in range(settings.partitions)]
            follower.assign(places)
            await follower.seek_to_end(*places)
            began = time.monotonic()
            await _ask(one_by_one, Join("o1", "customer:a", "customer:b", "bench", "bench", 1))
            return await _followed(one_by_one, follower, began)
        finally:
            await one_by_one.stop()
            await follower.stop()


async def _followed(producer: AIOKafkaProducer, follower: AIOKafkaConsumer, began: float) -> tuple[float, list[float]]:
    """Log in again and again until all of the join is published."""
    expected, seen = 1 + WIDE + WIDE * WIDE, 0
    asked: dict[bytes, float] = {}
    took: list[float] = []
    while seen < expected:
        if not asked:
            name = f"anonymous:new{len(took)}"
            asked[name.encode()] = time.monotonic()
            await _ask(producer, Evidence(f"customer:new{len(took)}", name, 1, "", "bench", "e"))
        for records in (await follower.getmany(timeout_ms=50)).values():
            for record in records:
                if record.key in asked:
                    took.append(time.monotonic() - asked.pop(record.key))
                elif not record.key.startswith(b"anonymous:new"):
                    seen += 1
    return time.monotonic() - began, took


def spread(home: Path) -> None:
    """Measure and print."""
    with bare(Settings(home=home, kafka_port=0, clickhouse_port=0)) as settings:
        seconds, took = asyncio.run(_spread(settings))
    logins_ms = [1_000 * each for each in took]
    print(
        f"a join that changes {1 + WIDE + WIDE * WIDE:,} assignments: all published after {seconds:.1f} s; meanwhile "
        f"new evidence is settled within {quantile(logins_ms, 0.5):.0f} ms (median), {max(logins_ms):.0f} ms (longest "
        f"of {len(logins_ms)})",
        flush=True,
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("evidence", "login", *CROWDS, "spread"), help="one part of it")
    parser.add_argument("--rate", type=int, default=RATE, help="events a second of others meanwhile")
    told = parser.parse_args()
    print(f"machine: {machine()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        home = Path(folder)
        if told.only in (None, "evidence"):
            print(f"identify, new evidence: {evidence_rate(home / 'a'):,.0f} pieces/s", flush=True)
        if told.only in (None, "login"):
            logins(home / "b", told.rate)
        for kind in CROWDS:
            if told.only in (None, kind):
                crowd(home / kind, kind, told.rate)
        if told.only in (None, "spread"):
            spread(home / "d")


if __name__ == "__main__":
    main()
