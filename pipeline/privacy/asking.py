"""Asking every stitch worker about an erasure: by partition number, and for longer than a lookup may take."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp
import msgspec

from pipeline.internal import TOKEN_HEADER
from pipeline.partition import partition_of
from pipeline.privacy.scope import Scope
from pipeline.serve.routing import Routes
from pipeline.serve.workers import Again, Unavailable, once

IDS_MAX = 1_000  # in one question
QUICK_S = 2.0  # one answer from a few records
SWEEP_S = 60.0  # one answer from every record of a partition number
PAUSE_S = 0.05  # between two looks whether an erasure has arrived
SWEEPS_AT_ONCE = 2  # of different workers


class Workers:
    """The client. `open` it inside the running loop, `close` it there. Answers raise Unavailable, WorkerFault."""

    def __init__(self, routes: Routes, token: str) -> None:
        self._routes = routes
        self._headers = {TOKEN_HEADER: token, "Content-Type": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connections' pool."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16), headers=self._headers)

    async def close(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def erased(self, ids: Iterable[str], order: int, wait_s: float) -> None:
        """Return once every profile knows of that order to erase it. Raises Unavailable when that takes longer."""
        ends_at = asyncio.get_running_loop().time() + wait_s
        for number, group in self._by_number(ids).items():
            for start in range(0, len(group), IDS_MAX):
                question = {"ids": group[start : start + IDS_MAX], "order": order}
                while not (await self.ask(number, "/internal/erased", question, QUICK_S, wait_s))["reached"]:
                    if asyncio.get_running_loop().time() > ends_at:
                        raise Unavailable(f"partition {number} has not heard of the erasure after {wait_s:g} s")
                    await asyncio.sleep(PAUSE_S)

    async def sweep(self, scope: Scope, wait_s: float) -> list[dict[str, Any]]:
        """Let every partition number's owner decode all its records: `{"number", "looked", "found"}` of each."""
        shared = msgspec.to_builtins(scope.shared)
        known = {"before": scope.before, "version": scope.version, "shared": shared}
        question = {"ids": sorted(scope.whole), **known}
        places = asyncio.Semaphore(SWEEPS_AT_ONCE)

        async def one(number: int) -> dict[str, Any]:
            async with places:
                answer = await self.ask(number, "/internal/sweep", {"number": number, **question}, SWEEP_S, wait_s)
            return {"number": number, **answer}

        return list(await asyncio.gather(*(one(number) for number in range(self._routes.partitions))))

    async def tidy(self, offsets: Mapping[int, int], wait_s: float) -> list[dict[str, Any]]:
        """Have every worker forget what is not in the state any more, once its standby copies are as far as said.

        The answer of each. One that owns nothing any more is not asked. Raises Unavailable, WorkerFault.
        """
        ends_at = asyncio.get_running_loop().time() + wait_s
        body = msgspec.json.encode({"offsets": {str(number): end for number, end in offsets.items()}})
        answers: dict[str, dict[str, Any]] = {}
        why = ""
        while missing := [url for url in self._routes.everyone if url not in answers]:
            for url in missing:
                try:
                    answer = await once(self._session, f"{url}/internal/tidy", body, SWEEP_S)
                except Again as trouble:
                    why = str(trouble)
                    continue
                if answer["behind"]:
                    why = f"standby copies are behind: {answer['behind']}"
                else:
                    answers[url] = answer
            if asyncio.get_running_loop().time() > ends_at:
                raise Unavailable(why)
            await asyncio.sleep(PAUSE_S)
        return list(answers.values())

    async def ask(
        self, number: int, path: str, question: dict[str, Any], answer_s: float, wait_s: float
    ) -> dict[str, Any]:
        """The answer of a partition number's owner, whoever that is by then. Raises Unavailable, WorkerFault."""
        body = msgspec.json.encode(question)
        ends_at = asyncio.get_running_loop().time() + wait_s
        why = "nobody has claimed it"
        while True:
            seen, url = self._routes.changed.count, self._routes.owner(number)
            if url is not None:
                try:
                    return await once(self._session, url + path, body, answer_s)
                except Again as trouble:
                    why = str(trouble)
            if asyncio.get_running_loop().time() > ends_at:
                raise Unavailable(f"partition {number}: {why}")
            await self._routes.changed.passed(seen, PAUSE_S)

    def number_of(self, identifier: str) -> int:
        """The partition number of a profile."""
        return partition_of(identifier, self._routes.partitions)

    def _by_number(self, ids: Iterable[str]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for each in sorted(ids):
            found[self.number_of(each)].append(each)
        return found
