"""What it takes to erase and to export somebody, on a store of a million interactions.

    python -m tests.benchmarks.privacy [--only erase|export] [--events 1000000]

erase   a customer with some 50 interactions, a cookie, a phone number and a device they share: from the request until
        it is proven, and each step of it
export  a customer with 10,000 interactions: until the summary, which is the last line

Everything goes through the running product: the million as Avro over Kafka, the two customers over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from pipeline import kafka, keys
from pipeline.settings import Settings
from tests.benchmarks.bench import fill, machine
from tests.benchmarks.latency import started

EVENTS = 1_000_000
CUSTOMERS = 100_000
ERASED_S_MAX = 60.0
EXPORTED = 10_000
EXPORTED_S_MAX = 2.0
HIS = 50
PER_REQUEST = 500
SETTLED_S_MAX = 1_800.0
QUIET = 5  # looks in a row at which nothing was behind: each stage tells the next one
MINUTE_MS = 60_000

Events = list[dict[str, Any]]


def main() -> None:
    """Fill, measure, print; ends with 1 where a figure is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("erase", "export"), help="one of the two")
    parser.add_argument("--events", type=int, default=EVENTS, help="how many interactions are stored")
    told = parser.parse_args()
    print(f"machine: {machine()}", flush=True)
    parts = [PARTS[told.only]] if told.only else list(PARTS.values())
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder, started(Path(folder) / "a") as settings:
        met = asyncio.run(_measured(settings, told.events, parts))
    sys.exit(0 if met else 1)


async def _measured(settings: Settings, count: int, parts: list[Part]) -> bool:
    began = time.monotonic()
    await fill(settings, count, CUSTOMERS)
    await settled(settings)
    print(f"{count:,} interactions are stored and settled ({time.monotonic() - began:.0f} s)", flush=True)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=900)) as client:
        product = Product(settings, client)
        return all([await part(product) for part in parts])


class Product:
    """The running product, over HTTP."""

    def __init__(self, settings: Settings, client: aiohttp.ClientSession) -> None:
        known = keys.load_or_create(settings)
        self.settings = settings
        self._client = client
        self._base = f"http://{settings.host}:{settings.http_port}"
        self._ingest = {"Authorization": f"Bearer {known.ingest}"}
        self._admin = {"Authorization": f"Bearer {known.admin}"}

    async def send(self, events: Events) -> None:
        """Send all, and wait until every stage has worked through them."""
        for start in range(0, len(events), PER_REQUEST):
            body = {"events": events[start : start + PER_REQUEST]}
            async with self._client.post(f"{self._base}/v1/interactions", json=body, headers=self._ingest) as answer:
                told = await answer.json()
                if answer.status != 202 or told["rejected"]:
                    raise RuntimeError(f"{answer.status}: {told}")
        await settled(self.settings)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """As the admin."""
        async with self._client.post(self._base + path, json=body, headers=self._admin) as answer:
            told: dict[str, Any] = await answer.json()
            if answer.status not in (200, 202):
                raise RuntimeError(f"{answer.status}: {told}")
            return told

    async def get(self, path: str) -> dict[str, Any]:
        """The same."""
        async with self._client.get(self._base + path, headers=self._admin) as answer:
            told: dict[str, Any] = await answer.json()
            return told

    async def lines(self, path: str, body: dict[str, Any]) -> Iterator[bytes]:
        """The lines of an answer."""
        async with self._client.post(self._base + path, json=body, headers=self._admin) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{answer.status}: {await answer.text()}")
            return iter((await answer.read()).splitlines())


Part = Callable[[Product], Awaitable[bool]]


async def settled(settings: Settings) -> None:
    """Return once every stage has worked through all that there was, and nobody has said anything new for a while."""
    deadline, quiet = time.monotonic() + SETTLED_S_MAX, 0
    while quiet < QUIET:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not settled within {SETTLED_S_MAX:.0f} s")
        behind = sum(sum(lag.values()) for lag in (await kafka.lags(settings)).values())
        quiet = 0 if behind else quiet + 1
        await asyncio.sleep(0.3)


def _event(number: int, customer: str, ago_ms: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"{customer}-{number}",
        "source": "shop",
        "channel": "web",
        "type": "searched",
        "touchpoint": "site_search",
        "occurred_at": int(time.time() * 1000) - ago_ms,
        "session_id": f"{customer}-s{number % 7}",
        "identifiers": {"customer": customer},
        "properties": {"query": f"blue shoes {number}"},
        **fields,
    }


async def erase(product: Product) -> bool:
    """One customer of many."""
    name, minute = "to-be-erased", MINUTE_MS
    ways: list[dict[str, Any]] = [{}, {"phone": "+14155550123"}, {"anonymous": "cookie-erased"}, {"device": "tablet"}]
    events = [_event(n, name, (HIS - n) * minute) for n in range(HIS)]
    for number, event in enumerate(events):
        event["identifiers"] = {"customer": name, **ways[number % len(ways)]}
    other = _event(0, "the-other-owner", 5 * minute, identifiers={"customer": "the-other-owner", "device": "tablet"})
    await product.send([*events, other, _event(1, "cookie", 90 * minute, identifiers={"anonymous": "cookie-erased"})])
    began = time.monotonic()
    asked = await product.post("/v1/privacy/erase", {"id": f"customer:{name}", "reason": "benchmark"})
    while (told := await product.get(asked["status_url"]))["state"] != "finished":  # noqa: ASYNC110  # over HTTP
        await asyncio.sleep(0.1)
    took_s = time.monotonic() - began
    for step in told["steps"]:
        tries = f", {step['attempts']} attempts: {step['problem']}" if step["attempts"] > 1 else ""
        print(f"  {step['name']:<10} {_seconds(step):6.1f} s{tries}", flush=True)
    for place in told["proof"]["places"]:
        print(f"    {place['place']}: {place['looked']:,} looked at, found {place['found']}", flush=True)
    if told["proof"]["remaining"]:
        raise RuntimeError(str(told["proof"]["remaining"]))
    return _said("erased, and proven", took_s, ERASED_S_MAX)


def _seconds(step: dict[str, Any]) -> float:
    if not (step["started"] and step["ended"]):
        return 0.0  # the proof is made before its own step ends
    began, ended = (datetime.fromisoformat(step[name]) for name in ("started", "ended"))
    return (ended - began).total_seconds()


async def export(product: Product) -> bool:
    """One customer with a long life."""
    name = "to-be-exported"
    await product.send([_event(n, name, (EXPORTED - n) * MINUTE_MS) for n in range(EXPORTED)])
    began = time.monotonic()
    lines = await product.lines("/v1/privacy/export", {"id": f"customer:{name}", "reason": "benchmark"})
    took_s = time.monotonic() - began
    told = [msgspec.json.decode(line) for line in lines]
    if told[-1]["kind"] != "summary" or not told[-1]["value"]["complete"]:
        raise RuntimeError(f"it ends with {told[-1]}")
    for place, n in told[-1]["value"]["places"].items():
        print(f"    {place}: {n:,}", flush=True)
    stored = {each["value"]["event_id"] for each in told if each["where"] == "ClickHouse table interactions"}
    if len(stored) != EXPORTED:
        raise RuntimeError(f"{len(stored)} of {EXPORTED} interactions are there")
    return _said(f"exported {EXPORTED:,} interactions", took_s, EXPORTED_S_MAX)


def _said(what: str, took_s: float, most_s: float) -> bool:
    met = took_s <= most_s
    print(f"{what}: {took_s:.1f} s (at most {most_s:.0f} s: {'met' if met else 'NOT MET'})", flush=True)
    return met


PARTS: dict[str, Part] = {"export": export, "erase": erase}

if __name__ == "__main__":
    main()
