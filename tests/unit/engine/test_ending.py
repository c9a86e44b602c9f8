"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from pipeline.engine import ending


async def test_a_task_that_swallows_its_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "ASK_EVERY_S", 0.01)
    asked = 0

    async def stubborn() -> None:
        nonlocal asked
        while asked < 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                asked += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(ending.ended([task]), 5)
    assert task.done()
    assert asked == 3


async def test_one_that_never_ends_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "ASK_EVERY_S", 0.01)
    monkeypatch.setattr(ending, "END_S_MAX", 0.05)
    over = asyncio.Event()

    async def deaf() -> None:
        while not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()

    task = asyncio.create_task(deaf(), name="partition-3")
    await asyncio.sleep(0)
    with pytest.raises(ending.DidNotEnd, match="partition-3"):
        await ending.ended([task])
    over.set()
    await task


async def test_what_a_task_raises_while_it_ends_does_not_matter() -> None:
    async def failing() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("while ending")

    async def over() -> None:
        return

    tasks = [asyncio.create_task(failing()), asyncio.create_task(over())]
    await asyncio.sleep(0)
    await ending.ended(tasks)
    assert all(task.done() for task in tasks)
    with pytest.raises(ValueError, match="while ending"):
        await tasks[0]
