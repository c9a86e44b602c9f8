"""A counter of changes that wakes those who wait for the next one."""

from __future__ import annotations

import asyncio


class Signal:
    """Many waiters, none of them remembered: who waits passes the count it has seen."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def fire(self) -> None:
        """Count one change and wake everyone."""
        self.count += 1
        passed, self._next = self._next, asyncio.Event()
        passed.set()

    async def passed(self, seen: int, timeout_s: float) -> bool:
        """Wait until the count differs from `seen`. False when the time is over first."""
        if self.count != seen:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._next.wait()
        except TimeoutError:
            return False
        return True
