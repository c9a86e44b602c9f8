"""An agent that ends although nobody asked it to ends the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.engine import Batch, EngineApp
from pipeline.engine import app as engine_app


async def cancelled_by_a_library(_: AsyncIterator[Batch]) -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


@pytest.mark.parametrize(("stopping", "ended"), [(False, 1), (True, 0)])
async def test_a_cancellation_that_nobody_asked_for(
    monkeypatch: pytest.MonkeyPatch, stopping: bool, ended: int
) -> None:
    said: list[BaseException] = []
    monkeypatch.setattr(engine_app, "end_process", said.append)
    app = cast("Any", SimpleNamespace(should_stop=stopping))
    with pytest.raises(asyncio.CancelledError):
        await EngineApp._guarded(app, cancelled_by_a_library)(cast("Any", None))
    assert len(said) == ended
