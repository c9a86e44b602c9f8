"""What stands, and how it changes: the topic `alerts` in memory, and the one transaction by which it goes on.

Everything is read from the topic at the start, after the producer's id has been taken over: so nothing that another
process wrote is missed, and that one can write no more. What is in memory is what is committed.
"""

from __future__ import annotations

import asyncio
import time
from collections import ChainMap, OrderedDict
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from pipeline import kafka, logs, metrics
from pipeline.alert.erased import Erased
from pipeline.domain import alerts
from pipeline.domain.alerts import KINDS, STANDS_ALONE, Action, Alert, Refused, Rules
from pipeline.partition import partition_of
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.topics import ALERT_ACTIONS, ALERTS, IDENTITY_ORDERS, ROUTES
from pipeline.wire import Codec

GROUP = "alert"
TRANSACTIONAL_ID = "alert"
ROUTE = -2  # what the topic `routes` knows this process by
TRANSACTION_MS_MAX = 10_000  # an orphan holds readers of `alerts` up for so long
COMMIT_S_MAX = 30.0
TICK_MS = 1_000  # how finely time is looked at
OUTCOMES_MAX = 10_000  # of actions, remembered for whoever asks

_log = logs.get("alert")
_action = msgspec.json.Decoder(Action)
_json = msgspec.json.encode


class Looked(Protocol):
    """See looking.Seen."""

    @property
    def look(self) -> alerts.Look: ...
    @property
    def refusing(self) -> frozenset[str]: ...
    @property
    def as_of(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action: the alert, or why it was refused."""

    alert: Alert | None = None
    reason: str = ""
    detail: str = ""


class Turn:
    """What one turn of the loop changes, before it is committed: every change is a record of its own."""

    def __init__(self, known: Mapping[str, Alert]) -> None:
        self._new: dict[str, Alert] = {}
        self.alerts: Mapping[str, Alert] = ChainMap(self._new, cast("MutableMapping[str, Alert]", known))
        self.told: list[Alert] = []
        self.outcomes: dict[str, Outcome] = {}

    def take(self, changed: Iterable[Alert]) -> None:
        """The next changes."""
        for each in changed:
            self._new[each.alert_id] = each
            self.told.append(each)


class Stock:
    """All alerts that there are, as far as they are committed. Fed by records of the topic, and by our own changes."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._buried: set[str] = set()  # while the topic is read at the start: a tombstone is the last word
        self.alerts: dict[str, Alert] = {}
        self.to_bury: set[str] = set()  # came again after they were taken away

    def read(self, key: bytes, value: bytes | None) -> None:
        """A record of the topic at the start."""
        alert_id = key.decode()
        if value is None:
            self.alerts.pop(alert_id, None)
            self._buried.add(alert_id)
            return
        alert = self._decoded(value)
        if alert_id in self._buried and alert.kind != STANDS_ALONE:
            self.to_bury.add(alert_id)
        else:
            self.alerts[alert_id] = alert

    def hear(self, key: bytes, value: bytes | None) -> None:
        """A record of the topic later on: ours, which are known, and those of others."""
        alert_id = key.decode()
        if value is None:
            if self.alerts.pop(alert_id, None) is not None:
                _log.info("alert_taken_away", alert_id=alert_id.partition("|")[0])
            return
        alert = self._decoded(value)
        if alert.kind == STANDS_ALONE:
            self.alerts[alert_id] = alert
        elif alert_id not in self.alerts:
            self.to_bury.add(alert_id)

    def _decoded(self, value: bytes) -> Alert:
        schema, record = self._codec.decode(value)
        if schema != ALERTS.schema:
            raise ValueError(f"a record of {ALERTS.name} is a {schema}")
        return msgspec.convert(record, Alert)


class Keeper:
    """The loop's hands: reads, decides with the domain, commits."""

    def __init__(
        self, settings: Settings, codec: Codec, registry: Registry, rules: Rules, seal: Callable[[str], bytes]
    ) -> None:
        """`seal` makes what the erased are known by."""
        self._settings = settings
        self._codec = codec
        self._registry = registry
        self._rules = rules
        self._stock = Stock(codec)
        self._erased = Erased(seal)
        self._erased_more = True  # since it was looked whose alerts there are
        self._producer: AIOKafkaProducer | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._actions = TopicPartition(ALERT_ACTIONS.name, 0)
        self._orders = TopicPartition(IDENTITY_ORDERS.name, 0)
        self._ticked_at = 0  # ms
        self._outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self.news = asyncio.Condition()  # told whenever something was committed
        self.as_of: int | None = None  # ms: when ClickHouse was looked at last

    @property
    def alerts(self) -> Mapping[str, Alert]:
        """All there are, by id."""
        return self._stock.alerts

    def outcome(self, action_id: str) -> Outcome | None:
        """What became of an action, if that was lately."""
        return self._outcomes.get(action_id)

    async def start(self, url: str) -> None:
        """Shut out whoever did this before, read what stands, say where questions are answered. Raises KafkaError."""
        await self._registry.register((ALERTS,))
        self._producer = kafka.producer(
            self._settings,
            transactional_id=TRANSACTIONAL_ID,
            transaction_timeout_ms=TRANSACTION_MS_MAX,
            linger_ms=0,
            client_id=GROUP,
        )
        await self._producer.start()
        self._consumer = kafka.consumer(self._settings, group=GROUP, client_id=GROUP)
        await self._consumer.start()
        places = [TopicPartition(ALERTS.name, number) for number in range(self._settings.partitions)]
        self._consumer.assign([*places, self._orders, self._actions])
        await self._consumer.seek_to_beginning(*places, self._orders)
        await self._seek_actions()
        await self._read([*places, self._orders])
        route = {"partition": ROUTE, "url": url, "worker": GROUP, "generation": time.time_ns() // 1_000_000}
        await self._commit((), sent=[(ROUTES.name, 0, GROUP.encode(), _json(route))])

    async def _seek_actions(self) -> None:
        consumer = self._running(self._consumer)
        done = await consumer.committed(self._actions)
        if done is None:
            await consumer.seek_to_beginning(self._actions)
        else:
            consumer.seek(self._actions, done)

    async def _read(self, places: Sequence[TopicPartition]) -> None:
        consumer = self._running(self._consumer)
        ends = await consumer.end_offsets(list(places))
        while [each for each in places if await consumer.position(each) < ends[each]]:
            for place, records in (await consumer.getmany(*places, timeout_ms=200)).items():
                if place == self._orders:
                    self._hear_orders(records)
                    continue
                await self._registry.learn(records)
                for each in records:
                    self._stock.read(each.key or b"", each.value)

    def _hear_orders(self, records: Sequence[ConsumerRecord]) -> None:
        for each in records:
            self._erased_more |= self._erased.hear(each.value)

    async def gather(self, wait_s: float) -> list[ConsumerRecord]:
        """What people did since, in order; hears what others wrote. Waits so long where there is nothing."""
        consumer = self._running(self._consumer)
        actions: list[ConsumerRecord] = []
        for place, records in (await consumer.getmany(timeout_ms=max(1, int(wait_s * 1000)))).items():
            if place == self._actions:
                actions += records
                continue
            if place == self._orders:
                self._hear_orders(records)
                continue
            await self._registry.learn(records)
            for each in records:
                self._stock.hear(each.key or b"", each.value)
        return actions

    async def go_on(self, records: Sequence[ConsumerRecord], seen: Looked | None, now: int) -> int:
        """Decide on what was read and seen, and commit it. Returns how many causes had to wait for room.

        Raises KafkaError: then it did not happen, or nobody knows, and the next start finds out.
        """
        turn = Turn(self.alerts)
        for record in records:
            self._obey(record, turn, now)
        gone = set(self._stock.to_bury)
        held_back = 0
        if seen is not None:
            causes = [each for each in seen.look.causes if not self._erased.cause(each)]
            decided = alerts.decide(replace(seen.look, causes=causes), turn.alerts, now, self._rules)
            turn.take(decided.changed)
            held_back = decided.held_back
            gone |= {alert_id for alert_id in seen.refusing if alert_id in self.alerts}
            gone |= set(alerts.expired(self.alerts.values(), now, self._rules))
        if self._erased_more:
            gone |= {alert_id for alert_id, each in turn.alerts.items() if self._erased.alert(each)}
        if seen is not None or now - self._ticked_at >= TICK_MS:
            self._ticked_at = now
            turn.take(alerts.escalated(turn.alerts.values(), now, self._rules))
        told = [each for each in turn.told if each.alert_id not in gone]
        if told or gone or records or seen is not None:
            await self._commit(told, sorted(gone), position=records[-1].offset + 1 if records else None)
            self._remember(turn.outcomes)
            self._erased_more = False
            if seen is not None:
                self.as_of = seen.as_of
            self._count(told)
            async with self.news:
                self.news.notify_all()
        return held_back

    def _remember(self, outcomes: Mapping[str, Outcome]) -> None:
        self._outcomes.update(outcomes)
        while len(self._outcomes) > OUTCOMES_MAX:
            self._outcomes.popitem(last=False)

    def _obey(self, record: ConsumerRecord, turn: Turn, now: int) -> None:
        try:
            action = _action.decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError):
            _log.error("action_unreadable", partition=record.partition, offset=record.offset)
            return
        alert = turn.alerts.get(action.alert_id)
        try:
            after = alerts.act(alert, action, now)
        except Refused as refused:
            turn.outcomes[action.action_id] = Outcome(alert, refused.reason, refused.detail)
            return
        if after is not None:
            turn.take((after,))
        turn.outcomes[action.action_id] = Outcome(after or alert)

    async def _commit(
        self,
        changed: Sequence[Alert],
        gone: Sequence[str] = (),
        position: int | None = None,
        sent: Sequence[tuple[str, int, bytes, bytes | None]] = (),
    ) -> None:
        """All of it in one transaction, then in memory."""
        producer = self._running(self._producer)
        records: list[tuple[str, int, bytes, bytes | None]] = [*sent]
        for each in changed:
            told = self._codec.encode(ALERTS.schema, msgspec.structs.asdict(each))
            records.append((ALERTS.name, self._place(each.alert_id), each.alert_id.encode(), told))
        records += [(ALERTS.name, self._place(alert_id), alert_id.encode(), None) for alert_id in gone]
        async with asyncio.timeout(COMMIT_S_MAX):
            await producer.begin_transaction()
            for topic, partition, key, value in records:
                await producer.send(topic, value, key, partition)
            # Also where nothing was read: whoever was shut out finds it out here, within one look.
            here = position if position is not None else await self._running(self._consumer).position(self._actions)
            await producer.send_offsets_to_transaction({self._actions: here}, GROUP)
            await producer.commit_transaction()
        for each in changed:
            self._stock.alerts[each.alert_id] = each
        for alert_id in gone:
            self._stock.alerts.pop(alert_id, None)
            self._stock.to_bury.discard(alert_id)

    def _place(self, alert_id: str) -> int:
        """By its own id, which no change of the identifier key renames."""
        return partition_of(alert_id, self._settings.partitions)

    def _count(self, changed: Iterable[Alert]) -> None:
        for each in changed:
            metrics.ALERT_CHANGES.labels(each.kind, each.change).inc()
        standing = dict.fromkeys((*KINDS, STANDS_ALONE), 0)
        for each in self.alerts.values():
            if each.standing:
                standing[each.kind] = standing.get(each.kind, 0) + 1
        for kind, n in standing.items():
            metrics.ALERTS_STANDING.labels(kind).set(n)

    @staticmethod
    def _running(client: Any) -> Any:
        if client is None:
            raise RuntimeError("the keeper has not been started")
        return client

    async def stop(self) -> None:
        """Let go of the connections."""
        for client in (self._consumer, self._producer):
            if client is not None:
                await client.stop()
