"""Who does what when: the journeys that have begun, and their events in the order of time.

Time is an argument. A person begins a journey only when not in the midst of another; hours between two steps (a
parcel on its way) are not its midst.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from itertools import pairwise

from pipeline.local.shop.plan import Due, Event, Start, plan
from pipeline.local.shop.script import Person, Script

HISTORY_MS = 3 * 86_400_000
HISTORY_JOURNEYS = 260
RECENT_MS = 10 * 60_000  # before now, everything already goes at the live rate
BEGINNING_MS = 3 * 3_600_000  # in which everybody becomes a customer
JOURNEYS_A_SECOND = 0.3  # live; some two events a second
PAUSE_MS = 10 * 60_000  # longer than this between two steps, and the person is free in between
OPEN_MAX = 2_000  # journeys with events to come


class Schedule:
    """Journeys under way. `run` sets the numbers of its journeys apart from those of any other run."""

    def __init__(self, script: Script, people: tuple[Person, ...], run: str, seed: object) -> None:
        self._script = script
        self._people = people
        self._run = run
        self._rng = random.Random(f"{seed} {run}")  # noqa: S311  # a story, no secret
        self._begun = 0
        self._events: list[tuple[int, int, str, Event]] = []  # a heap: when, tie-breaker, journey's number, event
        self._pushed = 0
        self._open: dict[str, tuple[Start, int]] = {}  # number → its start, and how many events are to come
        self._busy: dict[int, int] = {}  # person → until when, ms

    def add(self, start: Start, since_ms: int = 0) -> None:
        """A journey that has begun, without its events before `since_ms`."""
        if not 0 <= start.person < len(self._people):
            return  # remembered from a larger cast
        events = plan(self._script, self._people[start.person], start)
        coming = [due for due in events if due.at_ms >= since_ms]
        if not coming:
            return
        self._open[start.number] = (start, len(coming))
        self._busy[start.person] = max(self._busy.get(start.person, 0), _sitting_ends(events))
        for at_ms, event in coming:
            self._pushed += 1
            heapq.heappush(self._events, (at_ms, self._pushed, start.number, event))

    def begin(self, at_ms: int) -> None:
        """Let somebody begin some journey; nothing where nobody is free or too many are under way."""
        free = [n for n in range(len(self._people)) if self._busy.get(n, 0) < at_ms]
        if free and len(self._open) < OPEN_MAX:
            journeys = self._script.journeys
            chosen = self._rng.choices(journeys, [each.weight for each in journeys])[0]
            self.add(Start(self._number(), self._rng.choice(free), chosen.name, at_ms))

    def begin_all(self, since_ms: int, until_ms: int) -> int:
        """Let journeys begin at the live rate; returns when the next one is due, at or after `until_ms`."""
        at_ms = since_ms
        while at_ms < until_ms:
            self.begin(at_ms)
            at_ms += max(1, int(self._rng.expovariate(JOURNEYS_A_SECOND) * 1000))
        return at_ms

    def begin_history(self, now_ms: int) -> None:
        """Everybody becomes a customer, and then the last days happen, denser towards now."""
        first_ms = now_ms - HISTORY_MS
        for person in range(len(self._people)):
            at_ms = first_ms + int(self._rng.random() * BEGINNING_MS)
            self.add(Start(self._number(), person, self._script.beginning.name, at_ms))
        begins_ms = first_ms + BEGINNING_MS + PAUSE_MS
        span_ms = now_ms - RECENT_MS - begins_ms
        for at_ms in sorted(begins_ms + int(span_ms * self._rng.random() ** 0.4) for _ in range(HISTORY_JOURNEYS)):
            self.begin(at_ms)

    def due(self, until_ms: int, limit: int) -> list[Due]:
        """The next events up to a time, at most `limit`; they stay until `done`."""
        if not self._events or self._events[0][0] > until_ms:
            return []
        taken = heapq.nsmallest(limit, self._events) if len(self._events) > limit else sorted(self._events)
        return [Due(at_ms, event) for at_ms, _, _, event in taken if at_ms <= until_ms]

    def done(self, count: int) -> None:
        """The first so many events are told."""
        for _ in range(count):
            _, _, number, _ = heapq.heappop(self._events)
            start, coming = self._open[number]
            if coming == 1:
                del self._open[number]
            else:
                self._open[number] = (start, coming - 1)

    def open(self) -> Iterator[Start]:
        """The journeys with events to come."""
        return (start for start, _ in self._open.values())

    def _number(self) -> str:
        self._begun += 1
        return f"{self._run}-{self._begun}"


def _sitting_ends(events: list[Due]) -> int:
    """Until when the person is busy: the last event before the first long pause."""
    for one, other in pairwise(events):
        if other.at_ms - one.at_ms > PAUSE_MS:
            return one.at_ms
    return events[-1].at_ms
