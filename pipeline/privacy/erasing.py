"""One erasure, step by step, from its order to its proof.

    decided → profiles → stored → taken_back → tables → trimmed → verified → kept

Every step may be done again, so one that fails is tried again, for as long as it takes, and a process that starts goes
on with what another left. Only the order itself and the proof are kept (by identify): how far the steps are is found
out by doing them. Where looking through everything finds something, the steps from `stored` on are done again.

What comes in about the person meanwhile is from after the erasure, and stays: nothing here looks at anything but the
times and versions by which it is told apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from aiokafka import TopicPartition

from pipeline import topics
from pipeline.domain.messages import encode
from pipeline.domain.orders import Finish
from pipeline.privacy import proof
from pipeline.privacy.broker import Keeps
from pipeline.privacy.progress import STEPS, Progress, now_ms
from pipeline.privacy.proof import Ageing, Place
from pipeline.privacy.reading import COMPACTED
from pipeline.privacy.remains import Looked
from pipeline.privacy.remains import Place as Key
from pipeline.privacy.scope import Scope, scope_of
from pipeline.serve.identify import Identify
from pipeline.serve.orders import Orders
from pipeline.serve.workers import Deadline
from pipeline.serve.writing import Writer
from pipeline.topics import Topic

#: What `store` reads of what may be about a person.
STORED = (
    *(topics.TIMELINES, topics.IDENTITIES, topics.CUSTOMER_SCORES, topics.ALERTS, topics.REJECTED),
    topics.OUTCOMES,
)
#: Topics of which single records are taken back here; of the others their writers do that.
TAKEN_BACK = (topics.CUSTOMER_SCORES.name, topics.REJECTED.name, topics.ALERTS.name)
AGAIN_FROM = "stored"  # where looking through everything finds something
IDS_ASKED_MAX = 1_000  # of identify, one by one, beside its changelog, which is read whole
ASKED_AT_ONCE = 8


class Refused(Exception):
    """identify does not accept the order; its text says why."""


class NotYet(TimeoutError):
    """A step has not come to its end in time; its text says what is missing."""


class Remaining(Exception):
    """Looking through everything has found something; its text says where."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one attempt of a step waits, and how long the next one waits for it."""

    step_s: float = 30.0
    sweep_s: float = 120.0
    pause_s: float = 0.2
    retry_s_min: float = 0.5
    retry_s_max: float = 30.0


class Kafka(Protocol):
    """What is asked of Kafka; see broker.Broker."""

    async def ends(self, of: Iterable[Topic]) -> dict[TopicPartition, int]: ...
    async def reached(self, group: str, ends: Mapping[TopicPartition, int], wait_s: float) -> None: ...
    async def trim(self, ends: Mapping[TopicPartition, int]) -> int: ...
    async def bury(self, topic: str, places: Sequence[Key]) -> None: ...
    async def keeps(self, of: Iterable[Topic]) -> dict[str, Keeps]: ...
    async def workers(self) -> int: ...


class Profiles(Protocol):
    """What is asked of the stitch workers; see asking.Workers."""

    async def erased(self, ids: Iterable[str], order: int, wait_s: float) -> None: ...
    async def sweep(self, scope: Scope, wait_s: float) -> list[dict[str, Any]]: ...
    async def tidy(self, offsets: Mapping[int, int], wait_s: float) -> list[dict[str, Any]]: ...


class Tables(Protocol):
    """What is asked of ClickHouse; see tables.Tables."""

    async def erase(self, scope: Scope, rejected: Sequence[str]) -> dict[str, int]: ...
    async def look(self, scope: Scope, rejected: Sequence[str]) -> list[Place]: ...
    async def ageing(self) -> list[Ageing]: ...


Look = Callable[[Scope, Sequence[str]], Awaitable[list[Looked]]]  # through topics, whole
Drop = Callable[[Scope], Awaitable[Place]]  # what is in this process's memory


@dataclass(slots=True)
class Means:
    """What erasures are done with."""

    identify: Identify
    orders: Orders
    writer: Writer
    profiles: Profiles
    kafka: Kafka
    look: Look
    tables: Tables
    drop: Drop
    forget: Callable[[], int]  # empties this process's caches of identifiers; how much there was
    patience: Patience = field(default_factory=Patience)


class Erasing:
    """One request on its way."""

    def __init__(self, request: str, means: Means) -> None:
        self.request = request
        self.progress = Progress()
        self._means = means
        self._patience = means.patience
        self._scope: Scope | None = None
        self._ordered: dict[str, Any] = {}
        self._ends: dict[str, dict[TopicPartition, int]] = {}  # reading group → where its topics ended
        self._taken: dict[str, dict[str, int]] = {}  # topic or table → what was taken from it, by kind
        self._letters: list[str] = []  # ids of their dead letters
        self._places: list[Place] = []
        self._tidied: list[dict[str, Any]] = []  # what each stitch worker has taken away, and identify

    @property
    def scope(self) -> Scope:
        """Whom it concerns, once identify has said."""
        if self._scope is None:
            raise NotYet("identify has not said whom it concerns")
        return self._scope

    async def step(self, name: str) -> None:
        """Do one of `progress.STEPS`. Raises Refused, NotYet, Remaining, and what those raise who are asked."""
        await getattr(self, f"_{name}")()

    # The steps.

    async def _decided(self) -> None:
        ordered = await self._means.identify.order(self.request, self._patience.step_s)
        if ordered["state"] == "refused":
            raise Refused(ordered["reason"])
        erasure = await self._means.identify.erasure(self.request)
        if ordered.get("spreading", False):
            raise NotYet("identify has not yet told everybody whom it concerns")
        if ordered["state"] != "accepted" or erasure["state"] != "accepted":
            raise NotYet(f"identify says that the request is {erasure['state']}")
        self._ordered = ordered
        self._scope = scope_of(self.request, erasure, ordered)

    async def _profiles(self) -> None:
        await self._means.profiles.erased(self.scope.whole, self.scope.number, self._patience.step_s)
        missing = await self._means.orders.outstanding(self._ordered, Deadline(self._patience.step_s))
        if missing:
            raise NotYet(f"{len(missing)} profiles have not heard whose the shared identifiers are")

    async def _stored(self) -> None:
        kafka, wait_s = self._means.kafka, self._patience.step_s
        groups = {"store": STORED, "stitch": (topics.INBOX,), "identify": (topics.EVIDENCE,)}
        groups |= {"alert": (topics.ALERT_ACTIONS,)}
        self._ends = {group: await kafka.ends(read) for group, read in groups.items()}
        for group, ends in self._ends.items():
            await kafka.reached(group, ends, wait_s)

    async def _taken_back(self) -> None:
        for looked in await self._means.look(self.scope, TAKEN_BACK):
            await self._means.kafka.bury(looked.topic, looked.places)
            self._took(looked.topic, looked.remaining)
            if looked.topic == topics.REJECTED.name:
                self._letters += [key.decode() for _, key in looked.places]

    async def _tables(self) -> None:
        for table, n in (await self._means.tables.erase(self.scope, self._letters)).items():
            self._took(table, {"row": n} if n else {})

    async def _trimmed(self) -> None:
        trimming = {topic.name for topic in proof.TRIMMED}
        ends = {part: end for group in self._ends.values() for part, end in group.items() if part.topic in trimming}
        for topic in sorted(trimming):
            gone = await self._means.kafka.trim({part: end for part, end in ends.items() if part.topic == topic})
            self._took(topic, {"record": gone} if gone else {})

    async def _verified(self) -> None:
        means, scope = self._means, self.scope
        memory = await means.drop(scope)
        sweeps, looked, tables, identify = await asyncio.gather(
            self._sweep(),
            means.look(scope, COMPACTED),
            means.tables.look(scope, self._letters),
            self._ask_identify(),
        )
        self._places = [
            *(_swept(each) for each in sweeps),
            *proof.of_workers(self._tidied),
            identify,
            *(proof.of_topic(each, self._taken) for each in looked),
            *(self._trimmed_place(topic) for topic in proof.TRIMMED),
            *(msgspec.structs.replace(each, found=self._taken.get(each.place, {})) for each in tables),
            memory,
        ]
        left = [f"{each.place}: {kind} {n}" for each in self._places for kind, n in each.remaining.items()]
        if left:
            raise Remaining("; ".join(left))

    async def _kept(self) -> None:
        means, scope, at = self._means, self.scope, now_ms()
        keeps = await means.kafka.keeps((*proof.AGEING, *proof.TRIMMED, *proof.REPLACED))
        ages_out = [
            *proof.ageing(keeps, scope.before, at, self._unread),
            *await means.tables.ageing(),
            *proof.elsewhere(self._tidied, await means.kafka.workers(), at),
        ]
        steps = [each for each in self.progress.shown() if each["name"] != "kept"]
        body = proof.proof(scope, at, self._places, ages_out, steps)
        finish = encode(Finish(self.request, body, at))
        await means.writer.write(topics.EVIDENCE.name, self.request.encode(), finish, partition=0)
        ends_at = asyncio.get_running_loop().time() + self._patience.step_s
        while (await means.identify.erasure(self.request))["state"] != "finished":
            if asyncio.get_running_loop().time() > ends_at:
                raise NotYet("identify has not kept the proof")
            await asyncio.sleep(self._patience.pause_s)
        await means.identify.tidy(self._patience.sweep_s)  # it has forgotten whom it concerned only now

    # What they need.

    def _took(self, place: str, kinds: Mapping[str, int]) -> None:
        taken = self._taken.setdefault(place, {})
        for kind, n in kinds.items():
            taken[kind] = taken.get(kind, 0) + n

    @property
    def _unread(self) -> int:
        name = f"Kafka topic {topics.REJECTED.name}"
        return sum(each.unread for each in self._places if each.place == name)

    async def _sweep(self) -> list[dict[str, Any]]:
        """Have the workers look through their state; where nothing is left, their copies, memory and files follow."""
        means, wait_s = self._means, self._patience.sweep_s
        sweeps = await means.profiles.sweep(self.scope, wait_s)
        if not any(each["found"] for each in sweeps):
            offsets = {int(each["number"]): int(each["offset"]) for each in sweeps}
            identify = await means.identify.tidy(wait_s)
            self._tidied = [*await means.profiles.tidy(offsets, wait_s), identify]
        return sweeps

    def _trimmed_place(self, topic: Topic) -> Place:
        how = "deleted up to where it ended when the profiles had erased"
        return Place(f"Kafka topic {topic.name}", how, 0, self._taken.get(topic.name, {}), {})

    async def _ask_identify(self) -> Place:
        """Ask identify about each of the person's identifiers, as anybody would who looks them up."""
        scope, ids = self.scope, sorted(self.scope.whole)[:IDS_ASKED_MAX]
        places = asyncio.Semaphore(ASKED_AT_ONCE)

        async def one(identifier: str) -> tuple[int, int]:
            async with places:
                answer = await self._means.identify.identity(identifier)
            return _known_before(answer, scope)

        counts = await asyncio.gather(*(one(each) for each in ids))
        edges, orders = sum(each[0] for each in counts), sum(each[1] for each in counts)
        remaining = {kind: n for kind, n in (("evidence", edges), ("order", orders)) if n}
        found = {"identifier": len(scope.whole)}
        return Place("identify's state", "asked who each of the identifiers is", len(ids), found, remaining)


def _known_before(answer: Mapping[str, Any], scope: Scope) -> tuple[int, int]:
    """How much evidence, and how many orders, from before the erasure an answer about an identifier shows."""
    edges = sum(
        piece["since"] < scope.before
        for row in answer["identifiers"]
        for piece in row["evidence"]
        if row["id"] in scope.whole or piece["from"] in scope.whole
    )
    orders = sum(each["number"] < scope.number for each in answer["orders"])
    return edges, orders


def _swept(answer: Mapping[str, Any]) -> Place:
    how = "every record that may name somebody decoded by the worker that owns it"
    return Place(f"stitch's state, partition {answer['number']}", how, answer["looked"], {}, dict(answer["found"]))


def following(name: str) -> str | None:
    """The step behind one; None behind the last."""
    names = [*STEPS, None]
    return names[names.index(name) + 1]
