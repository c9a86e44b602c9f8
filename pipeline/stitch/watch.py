"""Who waits for which profile to change, and the count that tells one change from the next.

Counts live in memory only and begin anew with the worker: whoever waits treats any other count as a change.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Set

WATCHED_PROFILES_MAX = 10_000


class Watch:
    """Change counts of the profiles that somebody asked about lately."""

    def __init__(self, profiles_max: int = WATCHED_PROFILES_MAX) -> None:
        self._profiles_max = profiles_max
        self._count = 0
        self._last: OrderedDict[str, int] = OrderedDict()
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    def changed(self, profiles: Set[str]) -> None:
        """These profiles changed. Cheap for those whom nobody watches."""
        for profile in profiles & self._last.keys():
            self._count += 1
            self._last[profile] = self._count
            for waiter in self._waiting.pop(profile, ()):
                if not waiter.done():
                    waiter.set_result(None)

    def forget(self) -> int:
        """Forget whom nobody waits for: the next who asks takes it for a change. Returns how many those were."""
        idle = self._last.keys() - self._waiting.keys()
        for profile in idle:
            del self._last[profile]
        return len(idle)

    async def wait(self, profile: str, seen: int, timeout_s: float) -> int:
        """The profile's count, as soon as it differs from `seen`; after the time-out, as it is then."""
        known = self._last.get(profile)
        if known is None:
            # Not watched until now, so it may have changed unseen: a new count, different from any that was seen.
            self._count += 1
            known = self._last[profile] = self._count
            if len(self._last) > self._profiles_max:
                self._last.popitem(last=False)
        self._last.move_to_end(profile)
        if known != seen:
            return known
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(profile, set()).add(waiter)
        try:
            await asyncio.wait([waiter], timeout=timeout_s)
        finally:
            waiting = self._waiting.get(profile)
            if waiting is not None:
                waiting.discard(waiter)
                if not waiting:
                    del self._waiting[profile]
        return self._last.get(profile, known)
