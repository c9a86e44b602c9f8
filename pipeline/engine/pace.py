"""Giving the loop back while a batch is worked on, so that queries and heartbeats stay fast under load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

SLICE_S = 0.002


async def paced(steps: Iterator[None], slice_s: float = SLICE_S) -> None:
    """Exhaust the steps, giving the loop back each time `slice_s` of work is done."""
    started = time.perf_counter()
    for _ in steps:
        if time.perf_counter() - started >= slice_s:
            await asyncio.sleep(0)
            started = time.perf_counter()
