"""All erasures under way in this process: started, gone on with after a restart, tried again until they are proven.

Every process with this API works on whatever is not finished: two that do the same disturb nobody, since each step may
be done twice, and identify keeps the first proof.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from pipeline import logs
from pipeline.privacy.erasing import AGAIN_FROM, Erasing, Means, Refused, Remaining, following
from pipeline.privacy.progress import STEPS
from pipeline.serve.identify import IdentifyAway
from pipeline.serve.orders import UNKNOWN
from pipeline.serve.workers import Unavailable, WorkerFault
from pipeline.serve.writing import Unwritten

AT_ONCE = 2  # each of them reads whole topics
WAITING_MAX = 1_000  # in this process; of so many it is known how far they are
LOOK_EVERY_S = 30.0  # for what another process has left
AWAY_S = 1.0  # the same, while identify does not answer
PASSING = (KafkaError, ClickHouseError, IdentifyAway, Unavailable, WorkerFault, Unwritten, TimeoutError, OSError)
_log = logs.get("privacy")


class Erasures:
    """Start it with `run`, beside the app."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._erasing: dict[str, Erasing] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Go on with whatever is not finished, now and whenever something is found; until cancelled."""
        orders = -1
        try:
            while True:
                wait_s = LOOK_EVERY_S
                try:
                    known = await self._means.identify.erasures()
                    if known["orders"] != orders:  # perhaps an erasure that another process does, or has done
                        orders = known["orders"]
                        self._means.forget()
                    for request in known["unfinished"]:
                        self.start(request)
                except (IdentifyAway, WorkerFault):  # both may have been started together
                    wait_s = AWAY_S
                await asyncio.sleep(wait_s)
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def start(self, request: str) -> None:
        """Work on an erasure, unless that is done already; beyond the bound it is found again later."""
        if request in self._tasks or len(self._tasks) >= WAITING_MAX:
            return
        erasing = self._erasing[request] = Erasing(request, self._means)
        while len(self._erasing) > WAITING_MAX:
            self._erasing.pop(next(iter(self._erasing)))
        task = self._tasks[request] = asyncio.create_task(self._work(erasing), name=f"erase-{request}")
        task.add_done_callback(lambda _: self._tasks.pop(request, None))

    async def shown(self, request: str) -> dict[str, Any] | None:
        """How far an erasure is, or its proof; None where there is none. Raises IdentifyAway."""
        known = await self._means.identify.erasure(request)
        state = known["state"]
        erasing = self._erasing.get(request)
        if state == UNKNOWN and erasing is None:
            return None
        if state == "accepted" and request not in self._tasks:
            self.start(request)
            erasing = self._erasing[request]
        shown = erasing.progress.shown() if erasing is not None else None
        if state in (UNKNOWN, "accepted"):
            state = "retrying" if erasing is not None and erasing.progress.state == "retrying" else "running"
        return {
            "request": request,
            "state": state,
            "reason": known["reason"],
            "steps": shown if shown is not None else (known["proof"] or {}).get("steps", []),
            "proof": known["proof"],
        }

    async def _work(self, erasing: Erasing) -> None:
        """Do all steps, each as often as it needs."""
        step: str | None = next(iter(STEPS))
        async with self._places:
            while step is not None:
                step = await self._try(erasing, step)

    async def _try(self, erasing: Erasing, name: str) -> str | None:
        """Try one step; which one is next."""
        progress, patience = erasing.progress, self._means.patience
        progress.begin(name)
        try:
            await erasing.step(name)
        except Refused as refused:
            progress.fail(name, str(refused))
            return None
        except Remaining as left:
            problem, again = str(left), AGAIN_FROM
        except PASSING as trouble:
            problem, again = f"{type(trouble).__name__}: {trouble}", name
        except Exception as fault:  # noqa: BLE001  # a mistake of ours must not end serve; it is told, and tried again
            problem, again = f"unexpected {type(fault).__name__}", name
            _log.error("erasure_fault", request=erasing.request, step=name, error=repr(fault))
        else:
            progress.end(name)
            if name == "kept":
                _log.info("erased", request=erasing.request)
            return following(name)
        progress.fail(name, problem)
        _log.warning("erasure_waits", request=erasing.request, step=name, problem=problem)
        tried = min(progress.steps[name].attempts, 16)
        await asyncio.sleep(min(patience.retry_s_min * 2 ** (tried - 1), patience.retry_s_max))
        return again
