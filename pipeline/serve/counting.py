"""What a page may not wait for: counted in the background, kept for a while, shown with its time.

Figures of persons cannot be summed up ahead: a link that is found today moves last week's interactions to somebody
else. So they are counted anew, whole, and what is shown says as of when. Nothing is shown that is older than its pace
allows (15 minutes): a link, a parting, a refusal or an erasure is in the figures after that time at the latest, mostly
after a minute. (What is kept are counts; it names nobody.)

- One count at a time, in the order of asking; at most WAITING_MAX wait, at most KEPT_MAX results are kept.
- What is asked for is counted again when it is no longer fresh, or `rest` times as old as counting took: however much
  there is, ClickHouse counts at most 1/`rest` of the time for each.
- `ahead` is counted from the start, so that nobody waits for it.
- A count that fails says so to whoever asks, and is tried again when asked for, RETRY_S later at the earliest.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.serve.reports import ReportsAway

RETRY_S = 5.0
WAITING_MAX = 16
KEPT_MAX = 64


@dataclass(frozen=True, slots=True)
class Pace:
    """How old results may become, in s."""

    age_max_s: float  # older ones are not shown
    fresh_s: float  # older ones are counted again when somebody asks
    ahead_s: float  # of what is counted ahead, when nobody asks
    rest: float = 10.0
    rest_max_s: float = 600.0


PERSONS = Pace(age_max_s=900, fresh_s=60, ahead_s=300)
LIVE = Pace(age_max_s=60, fresh_s=5, ahead_s=45, rest_max_s=30)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Kept(Generic[V]):
    """A result. Times in s of the clock."""

    value: V
    began_at: float  # what came in later is not in it
    took_s: float


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """What is known now, and whether more comes."""

    kept: Kept[V] | None
    coming: bool  # it is being counted, or waits for that
    failed: bool  # the last attempt did not succeed
    busy: bool  # too much waits already: ask again later


class Counting(Generic[K, V]):
    """Keeps results by key. `count` raises ReportsAway; `clock` gives seconds that only grow."""

    def __init__(
        self, count: Callable[[K], Awaitable[V]], ahead: Sequence[K], pace: Pace, clock: Callable[[], float]
    ) -> None:
        self._count = count
        self._pace = pace
        self._ahead = ahead
        self._clock = clock
        self._kept: OrderedDict[K, Kept[V]] = OrderedDict()
        self._failed: OrderedDict[K, float] = OrderedDict()  # when
        self._waiting: OrderedDict[K, None] = OrderedDict()
        self._counted: K | None = None  # now
        self._asked = asyncio.Event()

    def get(self, key: K) -> Answer[V]:
        """What is kept of a key; it is counted anew where that is due."""
        kept = self._usable(key)
        wanted = kept is None or self._clock() - kept.began_at > self._due_s(kept, self._pace.fresh_s)
        busy = wanted and not self._ask(key)
        return Answer(kept, self._comes(key), key in self._failed, busy)

    async def run(self) -> None:
        """Count what is asked for and what is counted ahead, until cancelled."""
        while True:
            self._look_ahead()
            if not self._waiting:
                self._asked.clear()
                try:
                    async with asyncio.timeout(RETRY_S):
                        await self._asked.wait()
                except TimeoutError:
                    continue
                continue
            key, _ = self._waiting.popitem(last=False)
            self._counted = key
            try:
                await self._once(key)
            finally:
                self._counted = None

    async def _once(self, key: K) -> None:
        began = self._clock()
        try:
            value = await self._count(key)
        except ReportsAway:  # who asks is told, and the log has the reason
            _put(self._failed, key, began)
            return
        self._failed.pop(key, None)
        _put(self._kept, key, Kept(value, began, self._clock() - began))

    def _usable(self, key: K) -> Kept[V] | None:
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept.began_at > self._pace.age_max_s:
            del self._kept[key]
            return None
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def _look_ahead(self) -> None:
        for key in self._ahead:
            kept = self._kept.get(key)
            if kept is None or self._clock() - kept.began_at > self._due_s(kept, self._pace.ahead_s):
                self._ask(key)

    def _due_s(self, kept: Kept[V], least_s: float) -> float:
        return max(least_s, min(self._pace.rest * kept.took_s, self._pace.rest_max_s))

    def _comes(self, key: K) -> bool:
        return key in self._waiting or key == self._counted

    def _ask(self, key: K) -> bool:
        """Whether it is not refused: it comes, or was tried a moment ago."""
        failed_at = self._failed.get(key)
        if self._comes(key) or (failed_at is not None and self._clock() - failed_at < RETRY_S):
            return True
        if len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting[key] = None
        self._asked.set()
        return True


def _put(into: OrderedDict[K, V], key: K, value: V) -> None:
    into[key] = value
    into.move_to_end(key)
    while len(into) > KEPT_MAX:
        into.popitem(last=False)
