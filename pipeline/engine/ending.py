"""Ending tasks for certain.

A task may survive its cancellation: aiokafka swallows one that arrives while its fetcher closes, and `asyncio.wait_for`
of Python 3.11 one that arrives in the moment in which what it waits for ends. Who then waits for the task waits
forever, in the middle of a rebalance. So it is asked again, and not for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

ASK_EVERY_S = 0.5
END_S_MAX = 20.0


class DidNotEnd(RuntimeError):
    """A task goes on although it was cancelled again and again."""


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks and return when they are gone. What they raise is not looked at. Raises DidNotEnd."""
    pending = {task for task in tasks if not task.done()}
    deadline = time.monotonic() + END_S_MAX
    while pending:
        if time.monotonic() > deadline:
            raise DidNotEnd(", ".join(sorted(task.get_name() for task in pending)))
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=ASK_EVERY_S)
