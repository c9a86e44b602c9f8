"""One partition number as long as this worker owns it: fence, restore, seek, then batch after batch.

The order of effects makes it exact. The fence comes before anything is read: it decides what the predecessor's open
transaction became. Source offsets are read after the fence. A batch's changelog, outputs and positions are one
transaction; local state follows it, with no await between commit and write. If the process dies in between, the
changelog is ahead of the local state, and restoring catches up.

It does not decide anything about errors: they end the process, unless the number was revoked already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.engine.batch import Record, Sent, Unit
from pipeline.engine.ending import ended
from pipeline.engine.restore import restore
from pipeline.engine.spec import Spec
from pipeline.engine.store import Standing, Store
from pipeline.engine.transaction import Fence

Announcement = Callable[[int], Iterable[tuple[str, int, Sent]]]


class BatchGap(RuntimeError):
    """A batch does not start where the one before ended: records would be lost or repeated."""


class Ownership:
    """Drives one partition number. `hand` gives a batch to the agent and returns when it is handled."""

    def __init__(
        self,
        number: int,
        spec: Spec,
        store: Store,
        consumer: AIOKafkaConsumer,
        hand: Callable[[Ownership, Unit], Awaitable[None]],
        announce: Announcement,
    ) -> None:
        self.number = number
        self.store = store
        self.current = True
        self.ready = False
        self.as_of_ms = 0  # everything that the broker had at this time is in the state
        self.positions: dict[TopicPartition, int] = {}  # where the last batch ended
        self._spec = spec
        self._limits = spec.limits
        self._consumer = consumer
        self._hand = hand
        self._announce = announce
        self._seen: dict[TopicPartition, int] = {}  # the consumer's positions when it was last asked
        self._next_as_of_ms = 0
        self._due_at = 0.0  # when sources are taken again, on the monotonic clock
        self._cache: dict[str, object] = {}
        self._committing = False
        self._uncommitted_since: float | None = None  # positions moved over markers only
        self._fence = Fence(spec.bootstrap, f"{spec.app_id}-{number}", spec.limits, lambda point: self._probe(point))
        self._inbox = TopicPartition(spec.inbox, number) if spec.inbox else None
        self._sources = [TopicPartition(topic, number) for topic in spec.sources]
        self._inputs = [TopicPartition(topic, number) for topic in spec.inputs]

    def _probe(self, point: str) -> None:
        if self._spec.probe is not None:
            self._spec.probe(point, self.number)

    async def run(self) -> None:
        """Take over, then go on until cancelled."""
        await self._fence.start()
        self._probe("fenced")
        await restore(
            self.store, self._spec.bootstrap, self._spec.changelog, self.number, self._limits.state_idle_max_s
        )
        self._probe("restored")
        if not self.current:
            return
        await self._seek()
        await self._announced()
        self._consumer.resume(*self._inputs)
        self.ready = True
        again, hold = self._spec.resumes, False
        while self.current:
            unit = await self._next(hold) if again else await self._fetch()
            started_at = time.monotonic()
            if again or unit.inbox or unit.sources:
                await self._hand(self, unit)
            await self._settle(unit)
            again, hold = unit.again, unit.hold
            self._due_at = started_at + self._limits.batch_interval_s
            await asyncio.sleep(max(0.0, started_at + self._limits.inbox_interval_s - time.monotonic()))

    async def _seek(self) -> None:
        committed = {each: await self._consumer.committed(each) for each in self._inputs}
        beginnings = await self._consumer.beginning_offsets(self._inputs)
        for each in self._inputs:
            # A trimmed topic begins behind zero; what was trimmed had been committed.
            position = max(committed[each] or 0, beginnings[each])
            self._consumer.seek(each, position)
            self.positions[each] = self._seen[each] = position

    async def _announced(self) -> None:
        sent: dict[tuple[str, int], list[Sent]] = {}
        for topic, partition, record in self._announce(self.number):
            sent.setdefault((topic, partition), []).append(record)
        if sent:
            await asyncio.wait_for(self._fence.commit(sent, self._spec.app_id, {}), self._limits.commit_max_s)

    async def _fetch(self) -> Unit:
        """Wait until something is there, and take it: the inbox first, sources only while the inbox keeps up."""
        while True:
            fetched_at = time.time()
            await self._guard()
            found = await self._take()
            for each in self._inputs:
                self._seen[each] = await self._consumer.position(each)
            if found:
                return self._unit(found, fetched_at)
            if not self._behind(self._seen):
                self.as_of_ms = int(fetched_at * 1000)
            moved = self._moved()
            if moved:
                return Unit(self.number, self.store, self._cache, [], [], moved)

    async def _next(self, hold: bool) -> Unit:
        """Without waiting, what there is; with `hold` nothing: the agent goes on with what it has."""
        if hold:
            return self._unit({}, 0.0)
        fetched_at = time.time()
        await self._guard()
        found, _ = await self._there(0)
        for each in self._inputs:
            self._seen[each] = await self._consumer.position(each)
        return self._unit(found, fetched_at)

    def _unit(self, found: dict[TopicPartition, list[Record]], fetched_at: float) -> Unit:
        """A batch of what was taken."""
        ends = {each: self._seen[each] for each in found}
        inbox = found.pop(self._inbox, [])
        sources = [record for records in found.values() for record in records]
        if inbox or sources:
            self._fetched(fetched_at, [*inbox, *sources], ends)
        return Unit(self.number, self.store, self._cache, inbox, sources, ends)

    async def _guard(self) -> None:
        """Nobody but `_take` may move the positions: a batch must start where the last one ended."""
        for each in self._inputs:
            position = await self._consumer.position(each)
            if position != self._seen[each]:
                raise BatchGap(f"{each} stands at {position}, and the last batch ended at {self._seen[each]}")

    async def _take(self) -> dict[TopicPartition, list[Record]]:
        found, lagging = await self._there(self._due_ms())
        if found:
            return found
        limits = self._limits
        waited = [self._inbox] if self._inbox is not None and lagging else self._inputs
        limit = min(limits.inbox_records, limits.source_records)
        return await self._getmany(*waited, timeout_ms=limits.poll_wait_ms, max_records=limit)

    async def _there(self, sources_after_ms: int) -> tuple[dict[TopicPartition, list[Record]], bool]:
        """What is there, the sources after a while only; and whether the inbox is so far behind that they pause."""
        limits, inbox = self._limits, self._inbox
        found: dict[TopicPartition, list[Record]] = {}
        lagging = False
        if inbox is None:
            await asyncio.sleep(sources_after_ms / 1000)
        else:
            # What other profiles say does not wait for the next batch of sources: a login is four such steps.
            found.update(await self._getmany(inbox, timeout_ms=sources_after_ms, max_records=limits.inbox_records))
            lagging = self._lag(inbox) > limits.inbox_lag_records
        if not lagging:
            found.update(await self._getmany(*self._sources, timeout_ms=0, max_records=limits.source_records))
        return found, lagging

    def _due_ms(self) -> int:
        return max(0, int((self._due_at - time.monotonic()) * 1000))

    async def _getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Record]]:
        found = await self._consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
        return dict(found)

    def _lag(self, each: TopicPartition) -> int:
        # Against the high watermark: the last stable offset stands still while a dead writer's transaction is open.
        return (self._consumer.highwater(each) or 0) - self._seen[each]

    def _behind(self, ends: dict[TopicPartition, int]) -> bool:
        high = self._consumer.highwater
        return any((high(each) or 0) > ends.get(each, self._seen[each]) for each in self._inputs)

    def _fetched(self, fetched_at: float, records: list[Record], ends: dict[TopicPartition, int]) -> None:
        # Takes effect with the commit; see _settle.
        if self._behind(ends):
            self._next_as_of_ms = max(self.as_of_ms, min(record.timestamp for record in records))
        else:
            self._next_as_of_ms = int(fetched_at * 1000)

    def _moved(self) -> dict[TopicPartition, int]:
        """Positions that went over markers without a record, once they have waited long enough."""
        moved = {each: self._seen[each] for each in self._inputs if self._seen[each] > self.positions[each]}
        now = time.monotonic()
        if not moved:
            self._uncommitted_since = None
        elif self._uncommitted_since is None:
            self._uncommitted_since = now
        elif now - self._uncommitted_since >= self._limits.idle_commit_s:
            self._uncommitted_since = None
            return moved
        return {}

    async def _settle(self, unit: Unit) -> None:
        """Commit what the agent made of a batch, then make it the state."""
        if not (unit.changes or unit.sent or unit.ends):
            return  # one that was asked for in vain
        changelog = (self._spec.changelog, self.number)
        if unit.changes:
            unit.sent[changelog] = [(None, key, value) for key, value in unit.changes.items()]
        self._committing = True
        try:
            ends = await asyncio.wait_for(
                self._fence.commit(unit.sent, self._spec.app_id, unit.ends),
                self._limits.commit_max_s,
            )
        finally:
            self._committing = False
        # No await from here on.
        if not self.current:
            return
        if unit.changes:
            now_ms = int(time.time() * 1000)
            self.store.write(unit.changes.items(), Standing(ends[changelog], now_ms, now_ms))
        self.positions.update(unit.ends)
        if unit.inbox or unit.sources:
            self.as_of_ms = self._next_as_of_ms
        self._probe("applied")
        for callback in unit.callbacks:
            callback()

    def forget_decoded(self) -> None:
        """Let the next batch begin with nothing decoded. One that is under way keeps what it has, and ends with it."""
        self._cache = {}

    async def release(self, task: asyncio.Task[None]) -> None:
        """Give the number up: a transaction in flight may finish within its grace, nothing begins any more."""
        self.current = False
        if self._committing:
            await asyncio.wait([task], timeout=self._limits.revoke_grace_s)
        await ended([task])
        await self._fence.close()
