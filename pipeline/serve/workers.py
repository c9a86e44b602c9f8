"""Asking the stitch worker that owns a profile.

One keep-alive client for all requests. A worker that has lost the partition (421), is being replaced (503) or is
gone is asked again where the routes say by then, until the deadline; afterwards `Unavailable`. Every question is
one that may be asked twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, NamedTuple

import aiohttp
import msgspec

from pipeline.partition import partition_of
from pipeline.serve.routing import Routes

AGAIN = frozenset({421, 502, 503, 504})


class Unavailable(Exception):
    """Nobody who owns the profile answered in time."""


class WorkerFault(Exception):
    """A worker answered what the contract does not know: a mistake in one of the two, not a moment's trouble."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for workers."""

    deadline_s: float = 1.0  # for all that one request of ours needs
    attempt_s: float = 0.3  # for one answer: a frozen worker must not use up the deadline
    pause_s: float = 0.05  # between attempts, unless the routes change earlier
    connections: int = 64  # to one worker, for lookups; streams that wait have their own


class Resolution(msgspec.Struct, frozen=True):
    """What one profile knows about whose it is. `initials` and `last_seen` are its own."""

    id: str
    known: bool = False
    ambiguous: bool = False
    person: str | None = None
    candidates: list[str] = []
    initials: str = ""
    last_seen: int | str | None = None


class Resolved(NamedTuple):
    """What workers said about some ids: whose each is, how fresh each answer, and contexts by person."""

    found: dict[str, Resolution]
    freshness: list[Freshness]
    contexts: dict[str, dict[str, Any]]


class Freshness(msgspec.Struct, frozen=True):
    """How far an answer reaches: the stream up to `as_of`, which is `lag_ms` behind."""

    as_of: int | str | None = None
    lag_ms: int = 0


class Again(Exception):
    """This attempt failed in a way that another may not."""


_answer = msgspec.json.Decoder(dict[str, Any])


def fresh(answer: dict[str, Any]) -> Freshness:
    """The freshness that an answer carries."""
    return Freshness(answer.get("as_of"), int(answer.get("lag_ms") or 0))


class Deadline:
    """A moment until which something may take."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds left, 0 or less when it is over."""
        return self._end - time.monotonic()


class Workers:
    """The client. `open` it inside the running loop, `close` it there."""

    def __init__(self, routes: Routes, token: str, patience: Patience | None = None) -> None:
        self.routes = routes
        self.patience = patience or Patience()
        self._headers = {"Throughline-Worker-Token": token, "Content-Type": "application/json"}
        self._lookups: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the connections' pools."""
        limit = aiohttp.TCPConnector(limit=0, limit_per_host=self.patience.connections, keepalive_timeout=30)
        self._lookups = aiohttp.ClientSession(connector=limit, headers=self._headers)
        # A stream holds its connection while it waits: bounded by the number of streams, not here.
        self._streams = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=self._headers)

    async def close(self) -> None:
        """Close them."""
        for session in (self._lookups, self._streams):
            if session is not None:
                await session.close()

    def deadline(self) -> Deadline:
        """The time that one request of ours may take from now on."""
        return Deadline(self.patience.deadline_s)

    async def ask(self, identifier: str, path: str, question: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """The answer of the worker that owns an identifier's profile. Raises Unavailable, WorkerFault.

        When the owner has failed twice, the others take turns with it, and may answer from a standby copy: that
        answer says how far behind it is. (Asking is safe: whoever has neither says so.)
        """
        bodies = msgspec.json.encode(question), msgspec.json.encode({**question, "copy": True})
        return await self._ask(identifier, path, bodies, deadline)

    async def ask_owner(
        self, identifier: str, path: str, question: dict[str, Any], deadline: Deadline
    ) -> dict[str, Any]:
        """The same, where a copy's answer will not do."""
        return await self._ask(identifier, path, (msgspec.json.encode(question), None), deadline)

    async def _ask(
        self, identifier: str, path: str, bodies: tuple[bytes, bytes | None], deadline: Deadline
    ) -> dict[str, Any]:
        """`bodies`: the question to the owner, and to others, where they may be asked."""
        partition = partition_of(identifier, self.routes.partitions)
        for attempt in count():
            seen = self.routes.changed.count
            url, body = self.routes.owner(partition), bodies[0]
            others = self.routes.others(partition)
            if bodies[1] is not None and others and attempt >= 2 and attempt % 2 == 0:
                url, body = others[(attempt // 2 - 1) % len(others)], bodies[1]
            if url is not None:
                limit_s = min(deadline.left_s, self.patience.attempt_s)
                with contextlib.suppress(Again):
                    return await once(self._lookups, url + path, body, limit_s)
            if deadline.left_s <= self.patience.pause_s:
                break
            await self.routes.changed.passed(seen, self.patience.pause_s)
        raise Unavailable(f"nobody answered for partition {partition} in {attempt + 1} attempts")

    async def resolve(self, ids: Iterable[str], deadline: Deadline, now_ms: int | None = None) -> Resolved:
        """Whose each id is. One question per worker. Raises Unavailable, WorkerFault.

        With `now_ms`, a worker adds the context of the one person whom all its ids come to, where it owns them too:
        that saves a second question.
        """
        groups: dict[str | None, list[str]] = {}
        for each in dict.fromkeys(ids):
            url = self.routes.owner(partition_of(each, self.routes.partitions))
            groups.setdefault(url, []).append(each)
        answers = await asyncio.gather(*(self._resolve(url, group, deadline, now_ms) for url, group in groups.items()))
        resolved = Resolved({}, [], {})
        for answer in chain.from_iterable(answers):
            found = {key: msgspec.convert(value, Resolution) for key, value in answer["results"].items()}
            resolved.found.update(found)
            resolved.freshness.append(fresh(answer))
            resolved.contexts.update(answer.get("contexts", {}))
        return resolved

    async def wait(self, identifier: str, seen: int, timeout_s: float) -> int:
        """The profile's count of changes once it differs from `seen`, or after the time. Raises Unavailable.

        One attempt: a stream decides by itself when to try again.
        """
        url = self.routes.owner(partition_of(identifier, self.routes.partitions))
        if url is None:
            raise Unavailable("nobody has claimed the partition yet")
        body = msgspec.json.encode({"id": identifier, "seen": seen, "timeout_s": timeout_s})
        try:
            answer = await once(self._streams, f"{url}/internal/wait", body, timeout_s + self.patience.attempt_s)
        except Again as reason:
            raise Unavailable(str(reason)) from reason
        return int(answer["changed"])

    async def _resolve(
        self, url: str | None, ids: list[str], deadline: Deadline, now_ms: int | None
    ) -> list[dict[str, Any]]:
        """One worker's answers; where it does not own them all any more, each id is asked for by itself."""
        if url is not None:
            body = msgspec.json.encode({"ids": ids, "now_ms": now_ms})
            with contextlib.suppress(Again):
                limit_s = min(deadline.left_s, self.patience.attempt_s)
                return [await once(self._lookups, f"{url}/internal/resolve", body, limit_s)]
        alone = (self.ask(each, "/internal/resolve", {"ids": [each]}, deadline) for each in ids)
        return list(await asyncio.gather(*alone))


async def once(session: aiohttp.ClientSession | None, url: str, body: bytes, limit_s: float) -> dict[str, Any]:
    """One attempt. Raises Again where another one may succeed, WorkerFault where none will."""
    if session is None:
        raise RuntimeError("the client is not open")
    try:
        async with session.post(url, data=body, timeout=aiohttp.ClientTimeout(total=max(limit_s, 0.001))) as answer:
            data = await answer.read()
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as trouble:
        raise Again(f"{url}: {type(trouble).__name__}") from trouble
    if status in AGAIN:
        raise Again(f"{url}: {status}")
    if status != 200:
        raise WorkerFault(f"{url} answered {status}")
    try:
        return _answer.decode(data)
    except msgspec.DecodeError as error:
        raise WorkerFault(f"{url} answered what is no JSON object") from error
