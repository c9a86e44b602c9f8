"""Watching a person: their new timeline entries as server-sent events.

The stream long-polls the owning worker, and on a change reads the newest entries and sends those it has not sent.
An event's id holds what the client has been shown (hashes of the newest entries), so that a client that comes back
with `Last-Event-ID` gets exactly what it missed, also from another serve process. A worker that restarts makes the
stream quiet, not broken. What disappears (a parting) is not told here: read the timeline again for that.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from enum import Enum
from typing import Any

import msgspec

from pipeline import metrics
from pipeline.domain import view
from pipeline.problems import unavailable
from pipeline.serve.audit import Unaudited
from pipeline.serve.lookup import Lookup
from pipeline.serve.workers import Unavailable, Workers

#: How many of the newest entries a stream looks at.
WINDOW = 50
POLL_S = 10.0  # and so a heart-beat at least every 10 s
BREATH_S = 0.02  # a burst of changes is read together
AWAY_PAUSE_S = (0.1, 0.2, 0.5, 1.0)
HASH_BYTES = 4
BEAT = b": heart-beat\n\n"
#: Is told of each person whom a stream shows from now on, before it does. Raises audit.Unaudited.
Told = Callable[[str], Awaitable[None]]
#: What of an entry whoever reads the stream may see.
Seen = Callable[[dict[str, Any]], dict[str, Any]]
#: Browsers come back after this time when the connection is lost.
RETRY_MS = 1000


class Turn(Enum):
    """What came of waiting a while."""

    CHANGED = "changed"
    QUIET = "quiet"
    AWAY = "away"  # no worker answered: what is shown may be behind


class BadEventId(ValueError):
    """A Last-Event-ID that is none of ours."""


class Streams:
    """Bounds the open streams, and ends them when the process is to stop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0
        self._ending = asyncio.Event()

    def admit(self) -> None:
        """Raises Problem 503 when there are too many."""
        if self._open >= self._limit or self._ending.is_set():
            raise unavailable("too_many_streams", f"{self._open} live streams are open; try again, or ask once.")

    def end(self) -> None:
        """End all streams as if they were done: their clients come back, to another process."""
        self._ending.set()

    async def run(self, body: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """A stream, counted while it is open. Ask `admit` first."""
        self._count(1)
        ending = asyncio.ensure_future(self._ending.wait())
        following: asyncio.Future[bytes | None] | None = None
        try:
            while not ending.done():
                following = asyncio.ensure_future(anext(body, None))
                await asyncio.wait((following, ending), return_when=asyncio.FIRST_COMPLETED)
                if not following.done() or (chunk := following.result()) is None:
                    break
                yield chunk
        finally:
            self._count(-1)
            waiting = [each for each in (ending, following) if each is not None]
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            await body.aclose()

    def _count(self, by: int) -> None:
        self._open += by
        metrics.LIVE_STREAMS.set(self._open)


class Watch:
    """Waits for changes of one person's profile."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._person = ""
        self._seen = -1
        self._failures = 0

    def follow(self, person: str) -> None:
        """Whom to watch from now on."""
        if person != self._person:
            self._person = person
            self._seen = -1

    def again(self) -> None:
        """What the last change announced could not be read: let the next turn announce it again."""
        self._seen = -1

    async def turn(self, timeout_s: float = POLL_S) -> Turn:
        """Wait for a change, at most the time given. The first turn after `follow` is CHANGED at once."""
        try:
            changed = await self._workers.wait(self._person, self._seen, timeout_s)
        except Unavailable:
            pause_s = AWAY_PAUSE_S[min(self._failures, len(AWAY_PAUSE_S) - 1)]
            self._failures += 1
            # A restarted worker counts anew.
            self._seen = -1
            await self._workers.routes.changed.passed(self._workers.routes.changed.count, pause_s)
            return Turn.AWAY
        self._failures = 0
        if changed == self._seen:
            return Turn.QUIET
        self._seen = changed
        return Turn.CHANGED


class Shown:
    """What a client has been shown of the newest entries: a floor in event time, and hashes above it."""

    def __init__(self, floor: int = 0, hashes: tuple[bytes, ...] = ()) -> None:
        self._floor = floor
        self._hashes = dict.fromkeys(hashes)

    @classmethod
    def of(cls, entries: list[dict[str, Any]]) -> Shown:
        """A client that was shown these, newest first."""
        shown = cls()
        shown._cut(entries)
        for each in entries:
            shown._hashes[_hash(each)] = None
        return shown

    @classmethod
    def parse(cls, token: str) -> Shown:
        """From an event's id. Raises BadEventId."""
        try:
            data = base64.b64decode(token, altchars=b"-_", validate=True)
            floor, hashes = struct.unpack_from(">q", data)[0], data[8:]
        except (ValueError, struct.error) as error:
            raise BadEventId("not an event id of this stream") from error
        if len(hashes) % HASH_BYTES or len(hashes) > WINDOW * HASH_BYTES:
            raise BadEventId("not an event id of this stream")
        return cls(floor, tuple(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)))

    @property
    def token(self) -> str:
        """As an event's id."""
        newest = list(self._hashes)[-WINDOW:]
        return base64.b64encode(struct.pack(">q", self._floor) + b"".join(newest), altchars=b"-_").decode()

    def take(self, entries: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
        """The new ones of the newest entries (newest first), each with its event id, oldest first."""
        fresh = []
        for each in reversed(entries):
            mark = _hash(each)
            # What slid into the window from below, because something above it went, is not new.
            if mark in self._hashes or view.time_ms(each["occurred_at"]) < self._floor:
                continue
            self._hashes[mark] = None
            fresh.append((self.token, each))
        self._cut(entries)
        while len(self._hashes) > 4 * WINDOW:
            del self._hashes[next(iter(self._hashes))]
        return fresh

    def _cut(self, entries: list[dict[str, Any]]) -> None:
        self._floor = view.time_ms(entries[-1]["occurred_at"]) if len(entries) >= WINDOW else 0


async def events(lookup: Lookup, identifier: str, shown: Shown | None, told: Told, seen: Seen) -> AsyncGenerator[bytes]:
    """The stream's bytes. Without `shown` it begins with what happens from now on."""
    watch = Watch(lookup.workers)
    watch.follow(identifier)
    person = ""
    yield f"retry: {RETRY_MS}\n\n".encode()
    while True:
        turn = await watch.turn()
        if turn is Turn.CHANGED:
            try:
                now, entries = await _newest(lookup, watch, identifier)
                if now != person:
                    await told(now)
                    person = now
            except (Unavailable, Unaudited):
                watch.again()
                turn = Turn.AWAY
            else:
                if shown is None:
                    shown = Shown.of(entries)
                    yield f"id: {shown.token}\n\n".encode()  # without data: nothing to show, a place to resume
                for token, entry in shown.take(entries):
                    yield b"id: %b\ndata: %b\n\n" % (token.encode(), msgspec.json.encode(seen(entry)))
                await asyncio.sleep(BREATH_S)
                continue
        yield BEAT


async def _newest(lookup: Lookup, watch: Watch, identifier: str) -> tuple[str, list[dict[str, Any]]]:
    """The person that the id is by now, and their newest entries."""
    deadline = lookup.workers.deadline()
    person, _ = await lookup.person(identifier, deadline)
    watch.follow(person)
    page = await lookup.timeline(person, WINDOW, None, None, deadline)
    entries: list[dict[str, Any]] = page["timeline"]
    return person, entries


def _hash(entry: dict[str, Any]) -> bytes:
    text = "\0".join((entry["identifier"], entry["source"], entry["event_id"])).encode()
    return hashlib.blake2b(text, digest_size=HASH_BYTES).digest()
