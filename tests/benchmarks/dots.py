"""From accepted evidence to the changed dot: `python -m tests.benchmarks.dots [--rate 0]`.

Somebody answers a survey; how long until `touchpoint_dots` counts it, while others send so many events a second.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import tempfile
import time
from pathlib import Path

import aiohttp

from pipeline import keys
from pipeline.settings import Settings
from tests.benchmarks.bench import machine
from tests.benchmarks.latency import Run, quantile, started

FIRST = 5  # answers while all that has just been started finds its feet; told apart
ANSWERS = 60
EVERY_S = 0.5
LOOK_EVERY_S = 0.25  # a look costs some 50 ms of a processor: looking harder is a load of its own
CHANGED_S_MAX = 30.0
TARGET_MS = 2_000
TOUCHPOINT = "returns_page"  # nobody else answers a survey there
_QUERY = f"SELECT n FROM throughline.touchpoint_dots WHERE touchpoint = '{TOUCHPOINT}' FORMAT TabSeparated"


class Answers:
    """Survey answers, one after the other, and what became of the dot. Times in ms."""

    def __init__(self, settings: Settings) -> None:
        known = keys.load_or_create(settings)
        self._collect = f"http://{settings.host}:{settings.http_port}/v1/interactions"
        self._ingest = {"Authorization": f"Bearer {known.ingest}"}
        self._clickhouse = settings.clickhouse
        user = f"{known.clickhouse_user}:{known.clickhouse_password}"
        self._reads = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
        self.changed: list[float] = []

    async def all(self, client: aiohttp.ClientSession) -> None:
        """One after the other."""
        for number in range(FIRST + ANSWERS):
            began = time.monotonic()
            before = await self._n(client)
            await self._answer(client, number)
            accepted = time.monotonic()
            while await self._n(client) == before:
                if time.monotonic() - accepted > CHANGED_S_MAX:
                    raise TimeoutError(f"the dot has not changed after {CHANGED_S_MAX:.0f} s")
                await asyncio.sleep(LOOK_EVERY_S)
            self.changed.append((time.monotonic() - accepted) * 1000)
            await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))

    async def _n(self, client: aiohttp.ClientSession) -> str:
        async with client.post(self._clickhouse, data=_QUERY, headers=self._reads) as answer:
            told = await answer.text()
            if answer.status != 200:
                raise RuntimeError(told)
            return told

    async def _answer(self, client: aiohttp.ClientSession, number: int) -> None:
        event = {
            "event_id": f"answer-{number}",
            "source": "survey",
            "channel": "web",
            "type": "survey_answered",
            "touchpoint": TOUCHPOINT,
            "occurred_at": int(time.time() * 1000),
            "identifiers": {"customer": f"asked-{number}"},
            "answer": {"question": "ease", "value": 3 + number % 3, "min": 1, "max": 5},
        }
        async with client.post(self._collect, json={"events": [event]}, headers=self._ingest) as answer:
            told = await answer.json()
            if answer.status != 202 or told["rejected"]:
                raise RuntimeError(f"{answer.status}: {told}")


async def _measured(settings: Settings, rate: int) -> list[float]:
    known, answers = keys.load_or_create(settings), Answers(settings)
    async with aiohttp.ClientSession() as client:
        if not rate:
            await answers.all(client)
            return answers.changed
        base = f"http://{settings.host}:{settings.http_port}"
        load = asyncio.create_task(Run(base, known.ingest, known.read, 3_600, rate=rate).load(client))
        await answers.all(client)
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
    return answers.changed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=0, help="events a second of others meanwhile")
    rate = parser.parse_args().rate
    print(f"machine: {machine()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder, started(Path(folder) / "a") as settings:
        changed = asyncio.run(_measured(settings, rate))
    first, changed = changed[:FIRST], changed[FIRST:]
    print(f"just started: longest of {len(first)} {max(first):.0f} ms", flush=True)
    print(
        f"survey answer accepted → dot changed, at {rate:,} events/s ({len(changed)} answers): median "
        f"{quantile(changed, 0.5):.0f} ms, p95 {quantile(changed, 0.95):.0f} ms, longest {max(changed):.0f} ms "
        f"(at most {TARGET_MS:,}: {'met' if max(changed) <= TARGET_MS else 'NOT MET'})",
        flush=True,
    )


if __name__ == "__main__":
    main()
