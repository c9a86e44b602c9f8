"""The whole network in memory: stitch's partitions, identify and the queues between them, in any order.

Kafka keeps the order of one sender's messages to one partition, and promises nothing else. So every sender has a
queue of its own to every receiver; whoever is next, takes a batch of what it finds there. Messages may be delivered
again, at once and later; a batch may fail half-way and be done again from committed state; what a stage holds only in
memory may be lost between two batches.

Feed it as you like: `send` and `order` put something on its way, `run` lets it arrive, and then you may go on.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.domain import records, tallies
from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Evidence, decode_said, encode
from pipeline.domain.orders import Order
from pipeline.domain.records import Held
from pipeline.domain.rules import Rules
from pipeline.domain.shelves import arrange
from pipeline.domain.state import DictState
from pipeline.domain.validate import interaction
from pipeline.domain.view import context
from pipeline.engine.batch import Batch
from pipeline.identify import erasing, orders, recall
from pipeline.identify.process import BOUNDS, Bounds, Identify
from pipeline.partition import partition_of
from pipeline.stitch import erasures
from pipeline.stitch.process import Stitch
from pipeline.topics import (
    ALERTS,
    CUSTOMER_SCORES,
    EVIDENCE,
    IDENTITIES,
    IDENTITY_ORDERS,
    INBOX,
    TALLIES,
    TIMELINES,
    TOUCHPOINT_SCORES,
    channel_topic,
)
from pipeline.wire import Codec
from tests.fakes import FakeBatch, FakeRecord, Sent
from tests.strategies import Copy

PARTITIONS = 3
IDENTIFY = PARTITIONS  # its number among the nodes, after stitch's partitions
REGION = "US"
ONCE = "rescore"  # its messages are not said again later: of two replays, what the last one says counts
STEPS_MAX = 20_000  # a world that is not done by then never will be
FEW = Bounds(changes=3, looks=5, spread=2, chores=2, waiting=4, page=2)  # of one batch of identify
ONE = Bounds(changes=1, looks=1, spread=1, chores=1, waiting=1, page=1)

CODEC = Codec(Path(__file__).parent.parent / "schemas")
KEYRING = Keyring({"k1": bytes(32)}, "k1", sealing=bytes(32))

Outputs = dict[str, dict[bytes, dict[str, Any]]]  # topic → key → the last record
Key = tuple[str, str, str]  # of a stored interaction: identifier, source, event id
Spoil = Callable[[Evidence | Order], Evidence | Order | None]  # None: it is lost


def interactions(copies: list[Copy]) -> list[Interaction]:
    """What each copy says, one by one."""
    return [interaction(copy.event, copy.channel, copy.broker_time, KEYRING, REGION) for copy in copies]


class Network:
    """Four nodes (three partitions of stitch, identify) and all that is on its way between them.

    `spoil` changes what identify is told on its way: for networks that are wrong on purpose.
    """

    def __init__(
        self,
        copies: list[Copy],
        rules: Rules,
        chance: random.Random,
        spoil: Spoil | None = None,
        caps: Caps = CAPS,
        recalled: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> None:
        """`recalled`: what the topic identity.orders has, where all else is begun from nothing."""
        self.states: list[dict[bytes, bytes]] = [{} for _ in range(PARTITIONS + 1)]
        self.outputs: Outputs = defaultdict(dict)
        self.published: set[tuple[bytes | None, int]] = set()  # assignments: identifier and version
        self.recalled = dict(recalled)  # the compacted topic identity.orders
        self.delivered: Counter[tuple[str, int]] = Counter()  # topic and node → records that were read, and it counts
        self._chance = chance
        self._spoil = spoil
        self._caches: list[dict[str, object]] = [{} for _ in range(PARTITIONS + 1)]
        self._queues: dict[tuple[str, int], list[FakeRecord]] = {}  # sender and receiving node → what waits
        self._again = self._hold = False  # identify has asked for another batch, and for one with nothing new
        self._identify = Identify(
            *(CODEC, PARTITIONS, KEYRING.seal),
            caps=caps,
            bounds=chance.choice((BOUNDS, FEW, ONE)),
            recalled=[recall.decode(value) for value in self.recalled.values()],
        )
        self._offset = 0
        self.use(rules)
        self.send(copies)

    # What comes from outside.

    def use(self, rules: Rules) -> None:
        """All workers start again, with these rules."""
        self._rules = rules
        self._stitch = Stitch(
            *(CODEC, KEYRING, rules, PARTITIONS, REGION),
            seal=KEYRING.seal,
            recalled=erasures.gather(self.recalled.values()),
        )
        for node in range(PARTITIONS + 1):
            self.restart(node)

    def restart(self, node: int) -> None:
        """One worker starts again: what it held in memory is gone, its state comes from the changelog."""
        self._caches[node] = {}
        self.states[node] = dict(self.states[node])
        if node == IDENTIFY:
            self._again, self._hold = True, False  # as the engine does: see Spec.resumes

    def send(self, copies: list[Copy]) -> None:
        """Events, written to Kafka in any order."""
        fed = list(zip(copies, interactions(copies), strict=True))
        self._chance.shuffle(fed)
        for copy, said in fed:
            home = partition_of(said.identifier, PARTITIONS)
            value = CODEC.encode(f"interaction_{copy.channel}", copy.event)
            node = home if copy.astray is None else copy.astray
            self._enqueue("sources", node, channel_topic(copy.channel), None, value, copy.broker_time)

    def order(self, order: Order) -> None:
        """What somebody orders: it gets its place in identify's log after all that they ordered before."""
        if (value := self._spoilt(EVIDENCE.name, encode(order))) is not None:
            self._enqueue("serve", IDENTIFY, EVIDENCE.name, None, value, order.at)

    def run(self, steps: int = STEPS_MAX) -> None:
        """Until nothing is on its way; with a smaller number of steps, only that far."""
        for _ in range(steps):
            waiting = [key[1] for key, queue in self._queues.items() if queue] + [IDENTIFY] * self._again
            if not waiting:
                return
            self._step(self._chance.choice(waiting))
        assert steps < STEPS_MAX, "the messages never end"

    def tell(self, sender: str, node: int, topic: str, key: bytes, value: bytes) -> None:
        """A message of somebody who is no node."""
        self._enqueue(sender, node, topic, key, value, 0)

    def waits(self, sender: str) -> bool:
        """Whether anything of a sender is still on its way."""
        return any(queue for (who, _), queue in self._queues.items() if who == sender)

    # One batch of one node.

    def _step(self, node: int) -> None:
        chance = self._chance
        inbox: list[FakeRecord] = []
        sources: list[FakeRecord] = []
        senders = [sender for sender, receiver in self._queues if receiver == node]
        chance.shuffle(senders)
        for sender in senders if node != IDENTIFY or not self._hold else ():
            queue = self._queues[sender, node]
            taken = [queue.pop(0) for _ in range(min(len(queue), chance.randint(0, 4)))]
            if taken and chance.random() < 0.15:
                taken += taken  # at once
            if taken and chance.random() < 0.1 and sender != ONCE:
                queue.insert(chance.randint(0, len(queue)), chance.choice(taken))  # later
            (inbox if sender != "sources" and node != IDENTIFY else sources).extend(taken)
        if chance.random() < 0.05:
            self._fail(node, inbox, sources)
        if chance.random() < 0.1:
            self._caches[node] = {}
        batch = FakeBatch(node % PARTITIONS, inbox, sources, self.states[node], self._caches[node])
        for _ in self._work(node, batch):
            pass
        self.delivered.update((each.topic, node) for each in sources)
        if node == IDENTIFY:
            self._again, self._hold = batch.again, batch.hold
        for each in batch.sent:
            self._publish(node, each)

    def _fail(self, node: int, inbox: list[FakeRecord], sources: list[FakeRecord]) -> None:
        """The worker dies in the middle of the batch: nothing of it has happened."""
        batch = FakeBatch(node % PARTITIONS, inbox, sources, dict(self.states[node]), self._caches[node])
        for _ in islice(self._work(node, batch), self._chance.randint(0, 2)):
            pass
        self._caches[node] = {}

    def _work(self, node: int, batch: Batch) -> Iterator[None]:
        return self._identify.process(batch) if node == IDENTIFY else self._stitch.process(batch)

    def _publish(self, node: int, each: Sent) -> None:
        """What a batch sent: on its way to another node, or come to its end."""
        assert each.key is not None
        if each.topic in (INBOX.name, EVIDENCE.name):
            assert each.value is not None
            if (value := self._spoilt(each.topic, each.value)) is not None:
                receiver = each.partition if each.topic == INBOX.name else IDENTIFY
                self._enqueue(f"node {node}", receiver, each.topic, each.key, value, 0)
        elif each.topic == IDENTITY_ORDERS.name:
            _put(self.recalled, each.key, each.value)
        elif each.value is None:
            self.outputs[each.topic].pop(each.key, None)
        else:
            record = CODEC.decode(each.value)[1]
            key = each.key
            if each.topic == TIMELINES.name:
                key += f"|{record['source']}|{record['event_id']}".encode()
            elif each.topic == IDENTITIES.name:
                assert (each.key, record["version"]) not in self.published
                self.published.add((each.key, record["version"]))
            self.outputs[each.topic][key] = record

    def _spoilt(self, topic: str, value: bytes) -> bytes | None:
        if topic != EVIDENCE.name or self._spoil is None:
            return value
        said = self._spoil(decode_said(value))
        return None if said is None else encode(said)

    def _enqueue(self, sender: str, node: int, topic: str, key: bytes | None, value: bytes, timestamp: int) -> None:
        self._offset += 1
        record = FakeRecord(topic, node % PARTITIONS, self._offset, timestamp, key, value)
        self._queues.setdefault((sender, node), []).append(record)

    # What the states say in the end.

    def view(self, identifier: str) -> list[Interaction]:
        """What a profile shows in the end, newest first."""
        state = DictState()
        state.data = self.states[partition_of(identifier, PARTITIONS)]
        return arrange(Held(state, identifier).shown, self._rules, identifier).view

    def context(self, identifier: str) -> dict[str, Any]:
        """What is told of a profile to those who serve the person."""
        state = DictState()
        state.data = self.states[partition_of(identifier, PARTITIONS)]
        return context(state, identifier, 0, self._rules)

    def kept(self, identifiers: Iterable[str]) -> dict[Key, Interaction]:
        """All that is stored under these identifiers, but for what has left their views."""
        found = {}
        for identifier in identifiers:
            state = DictState()
            state.data = self.states[partition_of(identifier, PARTITIONS)]
            for _, value in state.scan(records.prefix(identifier) + records.KEPT):
                x = records.decode_kept(value).interaction
                found[x.identifier, x.source, x.event_id] = x
        return found

    def lent(self, identifiers: Iterable[str]) -> dict[Key, Interaction]:
        """All interactions that these profiles have from others."""
        found = {}
        for identifier in identifiers:
            state = DictState()
            state.data = self.states[partition_of(identifier, PARTITIONS)]
            for lent in Held(state, identifier).lent.values():
                x = lent.interaction
                found[x.identifier, x.source, x.event_id] = x
        return found

    def scope(self, order_id: str) -> erasing.Scope | None:
        """Whom an erasure concerns."""
        state = DictState()
        state.data = self.states[IDENTIFY]
        return erasing.scope(state, order_id)

    def ordered(self, order_id: str) -> orders.Ordered | None:
        """What became of an order."""
        state = DictState()
        state.data = self.states[IDENTIFY]
        return orders.find(state, order_id)

    # What the outputs say in the end.

    @property
    def tallies(self) -> dict[tuple[str, int], tallies.Tally]:
        """(channel, partition) → what the state says; the newest that was published is the same."""
        found = {}
        for number, state in enumerate(self.states[:PARTITIONS]):
            for key, value in state.items():
                if key.startswith(tallies.PREFIX):
                    found[key[1:].decode(), number] = tallies.decode(value)
        published = {(row["channel"], row["partition"]): row for row in self.outputs[TALLIES.name].values()}
        assert published == {place: tallies.fields(*place, PARTITIONS, each) for place, each in found.items()}
        return found

    @property
    def identities(self) -> dict[str, dict[str, Any]]:
        """Identifier → row without its version, of all that have an owner or are ambiguous."""
        rows = self.outputs[IDENTITIES.name].values()
        known = (row for row in rows if row["owners"] or row["ambiguous"])
        return {row["identifier"]: {k: v for k, v in row.items() if k != "version"} for row in known}

    @property
    def alone(self) -> set[str]:
        """Who stands alone, by the alerts."""
        return {row["subject"] for row in self.outputs[ALERTS.name].values() if row["closed_at"] is None}

    @property
    def stored(self) -> dict[tuple[str, str, str], tuple[int, int, int]]:
        """Stored interaction → (occurred_at, as sent, received_at)."""
        return {
            (row["identifier"], row["source"], row["event_id"]): (
                row["occurred_at"],
                row["occurred_at_sent"],
                row["received_at"],
            )
            for row in self.outputs[TIMELINES.name].values()
        }

    @property
    def cells(self) -> dict[tuple[int, str, str], int]:
        """(window, touchpoint, channel) → interactions, over all partitions."""
        counts: dict[tuple[int, str, str], int] = defaultdict(int)
        for row in self.outputs[TOUCHPOINT_SCORES.name].values():
            counts[row["window_start"], row["touchpoint"], row["channel"]] += row["interactions"]
        return {key: count for key, count in counts.items() if count}

    @property
    def scores(self) -> dict[tuple[str, int], dict[str, Any]]:
        """(person, day) → row, without those that take one back."""
        return {
            (row["person"], row["day"]): row
            for row in self.outputs[CUSTOMER_SCORES.name].values()
            if row["overall_n"] or row["gap_n"] or row["repeat_contacts"]
        }


def _put(topic: dict[bytes, bytes], key: bytes, value: bytes | None) -> None:
    """A record of a compacted topic."""
    if value is None:
        topic.pop(key, None)
    else:
        topic[key] = value
