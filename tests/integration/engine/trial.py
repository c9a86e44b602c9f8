"""One trial of the engine: feed, disturb, wait for quiet, compare with the truth.

Used by the tests (short) and by `python -m tests.integration.engine.trial` (long, any number of rounds).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.engine.store import Store
from pipeline.partition import partition_of
from tests.integration.engine.counting import SESSION_MS, partner

POINTS = ("fenced", "restored", "begun", "sending", "sent", "committing", "committed", "applied")
ONCE_A_NUMBER = ("fenced", "restored")  # a worker passes these only when it takes a number over
BACK_OFF_S = 0.3
QUIET_MAX_S = 90.0
FEED_S_MAX = 60.0  # while there are points at which nobody has died yet
PORTIONS = 100  # of what is fed in `feed_s`


@dataclass
class Plan:
    """What is done to the workers, and how much flows meanwhile."""

    records: int = 40_000
    keys: int = 200
    partitions: int = 4
    sources: int = 3
    workers: int = 2
    die_at: tuple[str, ...] = ()  # each worker start takes the next of these; feeding goes on until all have been used
    kills: int = 0  # at random moments
    freezes: int = 0  # beyond the session
    feed_s: float = 10.0  # at least
    wrong: bool = False
    seed: int = 1


@dataclass
class Trial:
    """The processes and the truth of one trial."""

    bootstrap: str
    plan: Plan
    home: Path
    prefix: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}")
    truth: Counter[str] = field(default_factory=Counter)
    restarts: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.plan.seed)
        self._points = list(self.plan.die_at)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._due: dict[str, str] = {}  # worker → the point at which it is to die
        self._killed: set[str] = set()  # by us, at a random moment
        self._stopping = False
        self.log = (self.home / "workers.log").open("ab")

    # -- topics and records

    def inputs(self) -> list[str]:
        return [f"{self.prefix}.inbox", *(f"{self.prefix}.s{number}" for number in range(self.plan.sources))]

    async def create_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            compact = {"cleanup.policy": "compact", "segment.ms": "2000", "min.cleanable.dirty.ratio": "0.01"}
            names = [*self.inputs(), f"{self.prefix}.out"]
            count = self.plan.partitions
            topics = [NewTopic(name, count, 1) for name in names]
            topics.append(NewTopic(f"{self.prefix}.changelog", count, 1, topic_configs=compact))
            await admin.create_topics(topics)
        finally:
            await admin.close()

    async def feed(self) -> None:
        """Produce over `feed_s`, and at the same pace until every point was used: only who has work passes one.

        Every tenth portion is in a transaction that is aborted and must not count.
        """
        plain = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5)
        moody = AIOKafkaProducer(bootstrap_servers=self.bootstrap, transactional_id=f"{self.prefix}-feed")
        await plain.start()
        await moody.start()
        deadline = time.monotonic() + FEED_S_MAX
        try:
            for portion in itertools.count():
                started = time.monotonic()
                if portion >= PORTIONS and (started > deadline or not self.unused()):
                    return
                keys = [f"k{self._random.randrange(self.plan.keys)}" for _ in range(self.plan.records // PORTIONS)]
                if portion % 10 == 9:
                    await moody.begin_transaction()
                    await self._send(moody, keys[:50])
                    await moody.abort_transaction()
                await self._send(plain, keys)
                self.truth.update(keys)
                await asyncio.sleep(max(0.0, self.plan.feed_s / PORTIONS - (time.monotonic() - started)))
        finally:
            await plain.stop()
            await moody.stop()

    async def _send(self, producer: AIOKafkaProducer, keys: list[str]) -> None:
        sends = [
            await producer.send(
                f"{self.prefix}.s{self._random.randrange(self.plan.sources)}",
                key=key.encode(),
                value=b"x",
                partition=partition_of(key, self.plan.partitions),
            )
            for key in keys
        ]
        await asyncio.gather(*sends)

    # -- workers

    def start_worker(self, name: str) -> None:
        plan = self.plan
        command = [sys.executable, "-m", "tests.integration.engine.counting", "--bootstrap", self.bootstrap]
        command += ["--prefix", self.prefix, "--worker", name, "--state", str(self.home)]
        command += ["--partitions", str(plan.partitions), "--keys", str(plan.keys), "--sources", str(plan.sources)]
        if self._points:
            point = self._due[name] = self._points.pop(0)
            passes = 1 if point in ONCE_A_NUMBER else 8
            command += ["--die-at", f"{point}:{self._random.randrange(passes)}"]
        if plan.wrong:
            command += ["--wrong"]
        self._processes[name] = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    async def supervise(self) -> None:
        """Start what died again, as the supervisor does."""
        while not self._stopping:
            for name, process in list(self._processes.items()):
                if process.poll() is not None:
                    self.restarts += 1
                    self._account(name, process.returncode)
                    await asyncio.sleep(BACK_OFF_S)
                    self.start_worker(name)
            await asyncio.sleep(0.05)

    def _account(self, name: str, code: int) -> None:
        """A point is used when who was to die there did; whoever ended otherwise leaves it to the next to start."""
        point = self._due.pop(name, None)
        if point and (code != -signal.SIGKILL or name in self._killed):
            self._points.append(point)
        self._killed.discard(name)

    def unused(self) -> list[str]:
        """The points at which nobody has died yet."""
        return [*self._points, *self._due.values()]

    async def disturb(self) -> None:
        """Kills and freezes at random moments of the feeding."""
        acts = ["kill"] * self.plan.kills + ["freeze"] * self.plan.freezes
        self._random.shuffle(acts)
        for act in acts:
            await asyncio.sleep(self._random.uniform(0.3, 1.7) * self.plan.feed_s / (len(acts) + 1))
            name = self._random.choice(sorted(self._processes))
            process = self._processes[name]
            if process.poll() is not None:
                continue
            if act == "kill":
                self._killed.add(name)
                process.kill()
            else:
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(SESSION_MS / 1000 * 1.7)
                if process.poll() is None:
                    process.send_signal(signal.SIGCONT)

    async def stop_workers(self) -> list[int]:
        """SIGTERM; the exit codes."""
        self._stopping = True
        for process in self._processes.values():
            process.terminate()
        codes = []
        for process in self._processes.values():
            try:
                codes.append(await asyncio.to_thread(process.wait, 15))
            except subprocess.TimeoutExpired:
                process.kill()
                codes.append(process.wait())
        return codes

    def kill_workers(self) -> None:
        self._stopping = True
        for process in self._processes.values():
            process.kill()
            process.wait()
        self.log.close()

    # -- the end

    async def quiet(self) -> None:
        """Wait until every input is committed to its end. Raises TimeoutError."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=f"{self.prefix}.app")
        consumer._group_id = None
        await consumer.start()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        inputs = [TopicPartition(name, n) for name in self.inputs() for n in range(self.plan.partitions)]
        lag: dict[TopicPartition, int] = {}
        deadline = time.monotonic() + QUIET_MAX_S
        try:
            while time.monotonic() < deadline:
                ends = await consumer.end_offsets(inputs)
                committed = await admin.list_consumer_group_offsets(f"{self.prefix}.app")
                lag = {}
                for each in inputs:
                    done = committed[each].offset if each in committed else 0
                    if ends[each] > max(done, 0):
                        lag[each] = ends[each] - done
                if not lag:
                    return
                await asyncio.sleep(0.2)
        finally:
            await consumer.stop()
            await admin.close()
        raise TimeoutError(f"still behind: {lag}")

    def expected(self) -> dict[str, str]:
        """The state that the truth gives."""
        state = {f"c{key}": str(count) for key, count in self.truth.items()}
        for key, count in self.truth.items():
            state[f"i{partner(key, self.plan.keys)}\0{key}"] = str(count)
        return state

    async def differences(self) -> dict[str, int]:
        """How far outputs, changelog and local states are from the truth; all zero is right."""
        expected = self.expected()
        changelog: dict[str, str] = {}
        for record in await self._read(f"{self.prefix}.changelog"):
            changelog[record.key.decode()] = record.value.decode()
        outputs: dict[str, list[str]] = {}
        for record in await self._read(f"{self.prefix}.out"):
            outputs.setdefault(record.key.decode(), []).append(record.value.decode())
        wrong_outputs = sum(
            outputs.get(key, []) != [str(each) for each in range(1, n + 1)] for key, n in self.truth.items()
        )
        return {
            "outputs": wrong_outputs + len(outputs.keys() - self.truth.keys()),
            "changelog": _apart(changelog, expected),
            "state": _apart(self._newest_states(), expected),
        }

    def _newest_states(self) -> dict[str, str]:
        """Per partition number the local state that stands furthest: the last owner's."""
        found: dict[str, str] = {}
        for number in range(self.plan.partitions):
            stores = [Store(path) for path in self.home.glob(f"*/{self.prefix}.app-{number}")]
            newest = max(stores, key=lambda store: store.standing.offset)
            found.update({key.decode(): value.decode() for key, value in newest.everything()})
            for store in stores:
                store.close()
        return found

    async def _read(self, topic: str) -> list:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, isolation_level="read_committed")
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(self.plan.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(partitions)
            records = []
            while any([await consumer.position(each) < ends[each] for each in partitions]):
                for found in (await consumer.getmany(timeout_ms=300)).values():
                    records += found
            return records
        finally:
            await consumer.stop()

    async def run(self) -> dict[str, int]:
        """The whole trial."""
        await self.create_topics()
        for number in range(self.plan.workers):
            self.start_worker(f"w{number}")
        supervisor = asyncio.create_task(self.supervise())
        try:
            await asyncio.gather(self.feed(), self.disturb())
            await self.quiet()
        finally:
            supervisor.cancel()
            codes = await self.stop_workers()
            self.kill_workers()
        result = await self.differences()
        result["bad exits"] = sum(code not in (0, -signal.SIGTERM) for code in codes)
        return result


def _apart(found: dict[str, str], expected: dict[str, str]) -> int:
    return sum(found.get(key) != expected.get(key) for key in found.keys() | expected.keys())


async def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--freezes", type=int, default=1)
    parser.add_argument("--points", default=",".join(POINTS))
    told = parser.parse_args()
    failed = 0
    for number in range(told.rounds):
        points = tuple(point for point in told.points.split(",") if point)
        plan = Plan(die_at=points, kills=told.kills, freezes=told.freezes, wrong=told.wrong, seed=told.seed + number)
        home = Path(tempfile.mkdtemp(prefix="trial-"))
        trial = Trial(told.bootstrap, plan, home)
        started = time.monotonic()
        try:
            result = await trial.run()
        except TimeoutError as error:
            result = {"timeout": 1}
            print(error)
        took = time.monotonic() - started
        failed += any(result.values())
        print(f"seed {plan.seed}: {result} restarts {trial.restarts} {took:.0f} s log {home}/workers.log", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
