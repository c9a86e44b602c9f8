"""The engine as a service of a Faust app: one consumer, an ownership per assigned partition number.

An error ends the process: with one exit path there is one thing to get right, and the supervisor starts it again.
The exception are errors of a number that was revoked meanwhile; what it had begun is the next owner's to settle.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from mode import Service

from pipeline import kafka
from pipeline.engine.assignor import make_assignor
from pipeline.engine.batch import Unit
from pipeline.engine.ending import ended
from pipeline.engine.ownership import Announcement, Ownership
from pipeline.engine.spec import Spec
from pipeline.engine.standby import Standby
from pipeline.engine.store import Store

EXIT_UNEXPECTED = 70
EXIT_TOPICS = 78


class NotMine(LookupError):
    """This worker does not own the partition number, or cannot be sure that it still does."""


class Tidied(NamedTuple):
    """What was taken away that is not in the state."""

    dropped: int  # stores of numbers that are neither owned nor copied here
    compacted: int  # stores whose files hold nothing else now
    later: int  # stores that were too large for that: their files are compacted within `store.FILES_S_MAX`


def end_process(error: BaseException) -> None:
    """Say what happened, and stop at once: nothing half-done may go on."""
    traceback.print_exception(error, file=sys.stderr)
    sys.stderr.flush()
    os._exit(EXIT_UNEXPECTED)


class Engine(Service):  # type: ignore[misc]  # mode is untyped
    """Owns partition numbers, hands out their batches, answers where their state is."""

    def __init__(
        self,
        spec: Spec,
        announce: Announcement = lambda number: (),
        on_ready: Callable[[frozenset[int]], None] = lambda numbers: None,
        ownership: type[Ownership] = Ownership,
    ) -> None:
        self.spec = spec
        self.owned: dict[int, Ownership] = {}
        self._announce = announce
        self._on_ready = on_ready
        self._ownership = ownership
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._stores: dict[int, Store] = {}
        self._standbys: dict[int, tuple[Standby, asyncio.Task[None]]] = {}
        self._copies: list[int] = []  # the numbers that this assignment wants copies of
        self._queue: asyncio.Queue[tuple[Ownership, Unit]] = asyncio.Queue(maxsize=spec.partitions)
        self._held: list[int] = []  # of the last assignment: what this worker claims when the group decides anew
        self._confirmed_at = 0.0
        self._ending = False
        self._tidying = asyncio.Lock()  # one at a time: nobody else closes stores meanwhile
        super().__init__()

    async def on_start(self) -> None:
        """Check the topics, join the group."""
        spec, limits = self.spec, self.spec.limits
        await self._check_topics()
        assignor = make_assignor(spec.inputs, spec.partitions, spec.worker, lambda: self._held, self._stand_by)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=spec.bootstrap,
            group_id=spec.app_id,
            group_instance_id=f"{spec.app_id}-{spec.worker}",
            partition_assignment_strategy=(assignor,),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=limits.poll_wait_ms,
            max_partition_fetch_bytes=limits.fetch_partition_bytes,
            session_timeout_ms=limits.session_timeout_ms,
            heartbeat_interval_ms=limits.heartbeat_ms,
            check_crcs=False,
        )
        self._consumer.subscribe(list(spec.inputs), listener=_Listener(self))
        await self._consumer.start()
        kafka.space_fetches(self._consumer, limits.fetch_interval_s)
        self._watch_heartbeats()

    def _watch_heartbeats(self) -> None:
        coordinator = self._consumer._coordinator
        beat = coordinator._do_heartbeat

        async def observed() -> bool:
            asked_at = time.monotonic()
            alive: bool = await beat()
            if alive:
                self._confirmed_at = asked_at
            return alive

        coordinator._do_heartbeat = observed

    async def _check_topics(self) -> None:
        spec = self.spec
        admin = AIOKafkaAdminClient(bootstrap_servers=spec.bootstrap)
        await admin.start()
        try:
            told = await admin.describe_topics([*spec.inputs, spec.changelog])
        finally:
            await admin.close()
        counts = {each["topic"]: len(each["partitions"]) for each in told}
        wrong = {name: counts.get(name, 0) for name in (*spec.inputs, spec.changelog)}
        wrong = {name: count for name, count in wrong.items() if count != spec.partitions}
        if wrong:
            found = ", ".join(f"{name} has {count or 'none'}" for name, count in sorted(wrong.items()))
            sys.stderr.write(
                f"{spec.app_id} needs {spec.partitions} partitions of each of its topics, but {found}. "
                f"Run `throughline prepare`, or set THROUGHLINE_PARTITIONS to what the topics were made with.\n"
            )
            sys.stderr.flush()
            os._exit(EXIT_TOPICS)

    # -- the group

    async def revoked(self) -> None:
        """Give up everything; the group decides anew."""
        released = [(self.owned[number], self._tasks.pop(number)) for number in list(self.owned)]
        await asyncio.gather(*(ownership.release(task) for ownership, task in released))
        self.owned.clear()

    def _stand_by(self, numbers: list[int]) -> None:
        # Called by the group's protocol just before `assigned`.
        self._copies = numbers

    async def _change_standbys(self) -> None:
        leaving = [number for number in self._standbys if number not in self._copies]
        # Two writers of one store would be one too many.
        await ended([self._standbys.pop(number)[1] for number in leaving])
        for number in self._copies:
            if number not in self._standbys:
                standby = Standby(number, self.spec, self._store(number))
                task = asyncio.create_task(standby.run(), name=f"standby-{number}")
                task.add_done_callback(self._standby_ended)
                self._standbys[number] = standby, task

    def _standby_ended(self, task: asyncio.Task[None]) -> None:
        if self._ending or all(task is not mine for _, mine in self._standbys.values()):
            return
        error = None if task.cancelled() else task.exception()
        end_process(error or RuntimeError(f"{task.get_name()} stopped"))

    async def assigned(self, numbers: Iterable[int]) -> None:
        """Take over, each number in a task of its own; nothing is fetched before its state is restored."""
        mine = self._held = sorted(numbers)
        self._consumer.pause(*(TopicPartition(topic, number) for topic in self.spec.inputs for number in mine))
        self._confirmed_at = time.monotonic()
        await self._change_standbys()
        for number in mine:
            ownership = self._ownership(
                number, self.spec, self._store(number), self._consumer, self._hand, self._announce
            )
            self.owned[number] = ownership
            task = asyncio.create_task(ownership.run(), name=f"partition-{number}")
            task.add_done_callback(partial(self._ended, ownership))
            self._tasks[number] = task

    def _store(self, number: int) -> Store:
        if number not in self._stores:
            self._stores[number] = Store(self._path(number))
        return self._stores[number]

    def _path(self, number: int) -> Path:
        return self.spec.state_dir / f"{self.spec.app_id}-{number}"

    def _ended(self, ownership: Ownership, task: asyncio.Task[None]) -> None:
        if not ownership.current or self._ending:
            return
        # Nobody but `revoked` may cancel it; a library's own cancellation that comes through is an error like others.
        error = None if task.cancelled() else task.exception()
        end_process(error or RuntimeError(f"partition number {ownership.number} stopped"))

    # -- batches

    async def _hand(self, ownership: Ownership, unit: Unit) -> None:
        await self._queue.put((ownership, unit))
        await unit.handled.wait()

    async def next_unit(self) -> Unit:
        """The next batch of any partition number."""
        while True:
            ownership, unit = await self._queue.get()
            if ownership.current:
                return unit

    # -- what queries may see

    def state(self, number: int) -> tuple[Store, int]:
        """The committed state of a number and the time in ms up to which it is complete.

        Raises NotMine unless this worker surely is the owner: a worker that was frozen and woke would otherwise
        answer from the past as if it were now.
        """
        ownership = self.owned.get(number)
        if ownership is None or not ownership.ready or not ownership.current:
            raise NotMine(number)
        if time.monotonic() - self._confirmed_at > self.spec.limits.confirmed_max_s:
            raise NotMine(number)
        return ownership.store, ownership.as_of_ms

    def copy(self, number: int) -> tuple[Store, int]:
        """The standby copy of a number, and when its owner wrote the newest change in it. Raises NotMine."""
        found = self._standbys.get(number)
        if found is None or not found[0].as_of_ms:
            raise NotMine(number)
        return found[0].store, found[0].as_of_ms

    def offset(self, number: int) -> int:
        """How far of its changelog the state of a number is that this worker owns. Raises NotMine."""
        return self.state(number)[0].standing.offset

    def copied(self) -> dict[int, int]:
        """Number → how far of its changelog the standby copy here is."""
        return {number: standby.store.standing.offset for number, (standby, _) in self._standbys.items()}

    # -- upkeep

    async def tidy(self) -> Tidied:
        """Let memory and files here hold nothing that is not in the state: decoded records, stores of numbers that
        another worker has by now, and what files keep until they are compacted.
        """
        async with self._tidying:
            for ownership in self.owned.values():
                ownership.forget_decoded()
            dropped = self._drop_unused()
            compacted = later = 0
            for number in sorted(self.owned.keys() | self._standbys.keys()):
                store = self._store(number)
                if await asyncio.to_thread(store.compact):
                    store.settle()
                    compacted += 1
                else:
                    later += 1
            return Tidied(dropped, compacted, later)

    def _drop_unused(self) -> int:
        """Delete the stores of numbers that are neither owned nor copied here; returns how many there were.

        They are left by a change of owners, so that a number that comes back is there at once. While the group
        decides, nobody knows which ones that are.
        """
        if not self.owned or not all(each.ready for each in self.owned.values()):
            return 0
        used = self.owned.keys() | self._standbys.keys()
        for number in self._stores.keys() - used:
            self._stores.pop(number).close()
        unused = [
            path for path in self.spec.state_dir.glob(f"{self.spec.app_id}-*") if path not in map(self._path, used)
        ]
        for path in unused:
            shutil.rmtree(path)
        return len(unused)

    @Service.task  # type: ignore[untyped-decorator]
    async def _say_ready(self) -> None:
        said: frozenset[int] | None = None
        while not self.should_stop:
            ready = frozenset(number for number, each in self.owned.items() if each.ready)
            if ready != said and len(ready) == len(self.owned) and self.owned:
                self._on_ready(ready)
                said = ready
            await self.sleep(0.05)

    @Service.task  # type: ignore[untyped-decorator]
    async def _trim(self) -> None:
        if not self.spec.trimmed:
            return
        admin = AIOKafkaAdminClient(bootstrap_servers=self.spec.bootstrap)
        await admin.start()
        try:
            while not self.should_stop:
                await self.sleep(self.spec.limits.trim_every_s)
                behind = {
                    each: RecordsToDelete(position)
                    for ownership in self.owned.values()
                    for each, position in ownership.positions.items()
                    if ownership.ready and position and each.topic in self.spec.trimmed
                }
                if behind:
                    await admin.delete_records(behind)
        finally:
            await admin.close()

    async def on_stop(self) -> None:
        """Let transactions in flight finish, and leave."""
        self._ending = True
        await self.revoked()
        await ended([task for _, task in self._standbys.values()])
        await self._consumer.stop()
        for store in self._stores.values():
            store.close()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka logs what a listener raises and goes on; here it ends the process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        try:
            await self._engine.revoked()
        except Exception as error:  # noqa: BLE001  # ends the process
            end_process(error)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        try:
            await self._engine.assigned({each.partition for each in assigned})
        except Exception as error:  # noqa: BLE001  # ends the process
            end_process(error)
