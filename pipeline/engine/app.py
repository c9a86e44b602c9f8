"""The Faust app around the engine.

Still Faust's: the app, its worker with signals and life cycle, services, the agent and its stream. Not used: its
consumer, conductor, acks, tables and producer. The boot strategy leaves them out, through Faust's own hook for that,
so that nothing has to be patched; `tests/unit/engine/test_faust_names.py` holds what we rely on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import faust
import uvloop
from faust.app.base import BootStrategy
from mode import Service

from pipeline.engine.batch import Batch, Unit
from pipeline.engine.service import Engine, end_process

Agent = Callable[[AsyncIterator[Batch]], Coroutine[Any, Any, None]]


class Units(faust.Channel):  # type: ignore[misc]  # Faust is untyped here
    """Hands the agent one batch after another. Asking for the next says that the one before is handled.

    Nothing else says so: an agent that dies in the middle of a batch has not asked, and nothing of it is committed.
    """

    def __init__(self, app: faust.App, engine: Engine) -> None:
        super().__init__(app, is_iterator=True)
        self._engine = engine
        self._unit: Unit | None = None

    def clone(self, *, is_iterator: bool | None = None, **kwargs: Any) -> Units:
        """One agent, one stream: there is nothing to clone."""
        return self

    def __aiter__(self) -> Units:
        return self

    async def __anext__(self) -> Unit:
        if self._unit is not None:
            self._unit.handled.set()
            self._unit = None
        self._unit = await self._engine.next_unit()
        return self._unit


class _Boot(BootStrategy):  # type: ignore[misc]
    """Sensors, the engine, other services, then the agents."""

    enable_kafka = False
    enable_web = False

    def server(self) -> Any:
        return [*self.sensors(), self.app.engine, *self.app.services_beside, *self.agents()]


class EngineApp(faust.App):  # type: ignore[misc]
    """A Faust app whose one agent works in batches."""

    BootStrategy = _Boot

    def __init__(self, engine: Engine, agent: Agent, services: tuple[Service, ...] = ()) -> None:
        self.engine = engine
        self.services_beside = services
        spec = engine.spec
        super().__init__(
            spec.app_id,
            broker=f"kafka://{spec.bootstrap}",
            datadir=str(spec.state_dir),
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
        )
        self.agent(Units(self, engine), name=spec.app_id)(self._guarded(agent))

    def _guarded(self, agent: Agent) -> Agent:
        """An agent that ends before the app does ends the process: Faust says nothing of one that was cancelled."""

        async def guarded(batches: AsyncIterator[Batch]) -> None:
            try:
                await agent(batches)
            except asyncio.CancelledError:
                if not self.should_stop:
                    end_process(RuntimeError("the agent was cancelled"))
                raise

        return guarded

    async def start(self) -> None:
        """Start everything; whatever prevents it is said once and ends the process."""
        try:
            self.engine.spec.state_dir.mkdir(parents=True, exist_ok=True)
            await super().start()
        except Exception as error:  # noqa: BLE001  # ends the process
            end_process(error)

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        # Faust would start the agent again, on the next batch: what the failed one held would be lost.
        end_process(exc)


def run_worker(app: EngineApp) -> None:
    """Run until SIGTERM or SIGINT, then end the process. Logging stays as the process has set it up."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(app, loop=loop, loglevel="WARN", quiet=True, redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # it would write to a terminal that is the supervisor's
    worker.execute_from_commandline()
