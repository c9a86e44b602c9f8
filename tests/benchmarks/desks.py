"""The agent desk, through the running product: how soon what happens is on an open desk, and what many desks cost.

    python -m tests.benchmarks.desks [--only visible|many|paint]

visible  20 desks, 1,000 events/s beside them: from HTTP accepted to the card that shows it, as the browser is sent it
many     500 desks, each with a verified caller's card open, on one serve process (which is also the collector): its
         memory before and with them, and from accepted to shown for each desk, while something happens at each of them
         every few seconds
paint    the card's first paint in Chromium (THROUGHLINE_CHROMIUM), from the navigation to what is painted, on a desk
         that is open and live, as an agent's is when a call comes
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from playwright.async_api import async_playwright, expect

from pipeline import keys
from pipeline.serve import access
from pipeline.serve.access import Sessions, Ticket
from pipeline.serve.seat import with_verified
from pipeline.settings import Settings
from tests.benchmarks.bench import machine, resident_mb
from tests.benchmarks.latency import WARM_UP_S, Run, quantile, started

FEW, MANY = 20, 500
VISIBLE_S = 25
MANY_S = 30
MANY_A_SECOND = 100  # events at the many desks, together
AT_ONCE = 8  # requests that give callers their past
HISTORY = 60  # entries in the timeline of each caller of a desk
SEEN_S_MAX = 20.0
PAINTS = 20
CHUNK_BYTES_MAX = 1 << 22

#: When the page was painted first, in ms since its navigation began. (It is not waited for with a string that is a
#: function: the desk's pages evaluate none.)
PAINTED = """() => new Promise((found) => {
  const look = () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    paint ? found(paint.startTime) : requestAnimationFrame(look);
  };
  look();
})"""


class Desk:
    """One open desk: its stream, read as a browser reads it. Times in ms."""

    def __init__(self, base: str, cookie: str, customer: str) -> None:
        self.customer = customer
        self.took: list[float] = []
        self._url = f"{base}/desk/stream?id=customer:{customer}"
        self._cookie = cookie
        self._waiting: dict[bytes, tuple[float, asyncio.Event]] = {}
        self.open = asyncio.Event()

    async def listen(self, client: aiohttp.ClientSession) -> None:
        """Read the stream until cancelled."""
        headers = {"Cookie": f"{access.COOKIE}={self._cookie}"}
        async with client.get(self._url, headers=headers, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            answer.raise_for_status()
            while line := await answer.content.readline():
                if line.startswith(b"event: card"):
                    self.open.set()
                for text in [each for each in self._waiting if each in line]:
                    since, seen = self._waiting.pop(text)
                    self.took.append((time.monotonic() - since) * 1000)
                    seen.set()
        raise RuntimeError("the stream has ended")

    async def see(self, text: str, accepted: float) -> None:
        """Wait until the desk is sent a card that holds the text."""
        seen = asyncio.Event()
        self._waiting[text.encode()] = accepted, seen
        async with asyncio.timeout(SEEN_S_MAX):
            await seen.wait()


class Desks:
    """Some desks of a running product, and what happens to their callers."""

    def __init__(self, settings: Settings, count: int, name: str) -> None:
        known = keys.load_or_create(settings)
        self._base = f"http://{settings.host}:{settings.http_port}"
        self._ingest = {"Authorization": f"Bearer {known.ingest}"}
        self._name = name
        running = json.loads((settings.home / "run" / "processes.json").read_text())["processes"]
        self.http = next(int(each["pid"]) for each in running if each["name"] == "http")
        sessions, at = Sessions(known.session_key), time.time()
        self.desks = []
        for n in range(count):
            customer = f"{name}-{n}"
            ticket = Ticket(f"{n:012x}", int(at) + 3600, ("read",), str(n))
            cookie = sessions.sign(with_verified(ticket, "", f"customer:{customer}", at))
            self.desks.append(Desk(self._base, cookie, customer))

    async def prepare(self, client: aiohttp.ClientSession) -> None:
        """Give each caller a past."""
        for start in range(0, len(self.desks), AT_ONCE):
            some = self.desks[start : start + AT_ONCE]
            await asyncio.gather(
                *(
                    self._post(
                        client, [self._event(desk, f"{desk.customer} {n}", 60 * (HISTORY - n)) for n in range(HISTORY)]
                    )
                    for desk in some
                )
            )

    def listening(self, client: aiohttp.ClientSession) -> list[asyncio.Task[None]]:
        """Open all of them."""
        return [asyncio.create_task(desk.listen(client)) for desk in self.desks]

    async def probe(self, client: aiohttp.ClientSession, seconds: float, a_second: float) -> None:
        """At one desk after the other something happens, until the time is over; raises where one does not see it."""
        began, seeing = time.monotonic(), set[asyncio.Task[None]]()
        for n in range(int(seconds * a_second)):
            await asyncio.sleep(max(0.0, began + n / a_second - time.monotonic()))
            task = asyncio.create_task(self._one(client, self.desks[n % len(self.desks)], f"{self._name} probe {n}."))
            seeing.add(task)
        await asyncio.gather(*seeing)

    async def _one(self, client: aiohttp.ClientSession, desk: Desk, text: str) -> None:
        seen = asyncio.create_task(desk.see(text, time.monotonic()))  # before it is answered, it may be seen
        await asyncio.sleep(0)
        await self._post(client, [self._event(desk, text, 0)])
        await seen

    def _event(self, desk: Desk, text: str, ago_s: int) -> dict[str, object]:
        return {
            "event_id": text,
            "source": "probe",
            "channel": "web",
            "type": "searched",
            "touchpoint": "site_search",
            "occurred_at": int(time.time() * 1000) - ago_s * 1000,
            "identifiers": {"customer": desk.customer},
            "properties": {"query": text},
        }

    async def _post(self, client: aiohttp.ClientSession, events: list[dict[str, object]]) -> None:
        url = f"{self._base}/v1/interactions"
        async with client.post(url, json={"events": events}, headers=self._ingest) as answer:
            told = await answer.json()
            if answer.status != 202 or told["rejected"]:
                raise RuntimeError(f"{answer.status}: {told}")


async def with_open(desks: Desks, work: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    """Prepare and open desks, work, close them. What ends a stream ends the work."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=CHUNK_BYTES_MAX) as client:
        await desks.prepare(client)
        streams = desks.listening(client)
        try:
            async with asyncio.timeout(60):
                await asyncio.gather(*(each.open.wait() for each in desks.desks))
            working = asyncio.ensure_future(work(client))
            await asyncio.wait([working, *streams], return_when=asyncio.FIRST_COMPLETED)
            for each in streams:
                if each.done():
                    each.result()
            await working
        finally:
            for each in streams:
                each.cancel()
            await asyncio.gather(*streams, return_exceptions=True)


def visible(settings: Settings) -> None:
    """See the module."""
    known, desks = keys.load_or_create(settings), Desks(settings, FEW, "few")
    run = Run(f"http://{settings.host}:{settings.http_port}", known.ingest, known.read, VISIBLE_S)

    async def work(client: aiohttp.ClientSession) -> None:
        async def probe() -> None:
            await asyncio.sleep(WARM_UP_S)
            await desks.probe(client, VISIBLE_S - 1, 8)

        await asyncio.gather(run.load(client), probe())

    asyncio.run(with_open(desks, work))
    took = [each for desk in desks.desks for each in desk.took]
    print(
        f"sent → shown on one of {FEW} open desks at {run.accepted / (VISIBLE_S + WARM_UP_S):,.0f} events/s "
        f"({len(took)} probes): median {quantile(took, 0.5):.0f} ms, p99 {quantile(took, 0.99):.0f} ms",
        flush=True,
    )


def many(settings: Settings) -> None:
    """See the module."""
    desks = Desks(settings, MANY, "many")
    before = resident_mb(desks.http)
    most = 0.0

    async def work(client: aiohttp.ClientSession) -> None:
        nonlocal most
        await desks.probe(client, MANY_S, MANY_A_SECOND)
        most = resident_mb(desks.http)

    asyncio.run(with_open(desks, work))
    took = [each for desk in desks.desks for each in desk.took]
    worst = max(max(desk.took) for desk in desks.desks)
    print(
        f"{MANY} desks open on one serve process, {MANY_A_SECOND} events/s at them ({len(took)} seen): "
        f"{most:.0f} MB resident ({before:.0f} MB before), sent → shown median {quantile(took, 0.5):.0f} ms, "
        f"p99 {quantile(took, 0.99):.0f} ms, the slowest of all desks {worst:.0f} ms",
        flush=True,
    )


def paint(settings: Settings) -> None:
    """See the module."""
    desks = Desks(settings, 1, "paint")

    async def measure() -> list[float]:
        async with aiohttp.ClientSession() as client:
            await desks.prepare(client)
        desk = desks.desks[0]
        place = os.environ.get("THROUGHLINE_CHROMIUM", "/usr/bin/chromium")
        base = f"http://{settings.host}:{settings.http_port}"
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=place, args=["--no-sandbox", "--disable-gpu"])
            context = await browser.new_context(viewport={"width": 1280, "height": 900})
            await context.add_cookies([{"name": access.COOKIE, "value": desk._cookie, "url": base}])
            page = await context.new_page()
            await page.goto(f"{base}/desk")
            found = []
            for _ in range(PAINTS):
                await expect(page.locator("#state")).to_have_text("Live")  # nothing of the page before is under way
                await page.goto(f"{base}/desk/customers/customer:{desk.customer}")
                found.append(await page.evaluate(PAINTED))
            await browser.close()
            return found

    took = asyncio.run(measure())
    print(
        f"first paint of a verified card with {HISTORY} entries, from the navigation on ({PAINTS} times): "
        f"first {took[0]:.0f} ms, median {quantile(took, 0.5):.0f} ms, slowest after it {max(took[1:]):.0f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("visible", "many", "paint"), help="one part of it")
    told = parser.parse_args()
    print(f"machine: {machine()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder, started(Path(folder) / "a") as settings:
        for name, part in (("paint", paint), ("visible", visible), ("many", many)):
            if told.only in (None, name):
                part(settings)


if __name__ == "__main__":
    main()
