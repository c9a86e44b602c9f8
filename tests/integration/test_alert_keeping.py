"""Keeping alerts on a real Kafka: restarts, actions, somebody else, and the webhook's reader."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from pipeline import kafka, keys
from pipeline.alert.keeping import Keeper
from pipeline.alert.webhook import Telling, Webhook
from pipeline.domain.alerts import SEVERE, Action, Alert, Cause, Look, Rules
from pipeline.partition import partition_of
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.topics import ALERT_ACTIONS, ALERTS, IDENTITY_ORDERS
from pipeline.wire import Codec
from tests.conftest import Stack
from tests.serving import until as until_true

NOON = 1_764_158_400_000
CODEC = Codec(Settings().schemas)


@dataclass(frozen=True)
class Seen:
    look: Look
    refusing: frozenset[str] = frozenset()
    as_of: int = NOON


def cause(who: str, **changes: Any) -> Cause:
    given: dict[str, Any] = {"reason": "bad", "touchpoint": "doorstep", "since": NOON, "person": who}
    return Cause(kind=SEVERE, cause="doorstep/d", identifier=who, **given | changes)


@asynccontextmanager
async def keeping(stack: Stack) -> AsyncIterator[Keeper]:
    seal = keys.keyring(stack.keys).seal
    keeper = Keeper(stack.settings, CODEC, Registry("", CODEC), Rules(severe_max=10_000), seal)
    try:
        await keeper.start("http://nowhere")
        yield keeper
    finally:
        await keeper.stop()


async def turn(keeper: Keeper, *causes: Cause, now: int = NOON, refusing: frozenset[str] = frozenset()) -> None:
    """A turn of the loop with a look."""
    await keeper.go_on(await keeper.gather(0.0), Seen(Look(causes), refusing), now)


async def until(keeper: Keeper, true: Callable[[], bool], now: int = NOON) -> None:
    """Turns without a look, until something is so."""
    async with asyncio.timeout(30):
        while not true():
            await keeper.go_on(await keeper.gather(0.1), None, now)


async def sent(stack: Stack, topic: str, key: str, value: bytes | None, partition: int) -> None:
    producer = kafka.producer(stack.settings)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key.encode(), partition)
    finally:
        await producer.stop()


async def did(stack: Stack, alert: Alert, what: str, note: str = "") -> str:
    action = Action(uuid.uuid4().hex, alert.alert_id, what, "key:read", note)
    value = json.dumps({name: getattr(action, name) for name in action.__struct_fields__}).encode()
    await sent(stack, ALERT_ACTIONS.name, alert.alert_id, value, 0)
    return action.action_id


def of(keeper: Keeper, who: str) -> Alert:
    (alert,) = [each for each in keeper.alerts.values() if each.identifier == who]
    return alert


def place(stack: Stack, alert_id: str) -> int:
    return partition_of(alert_id, stack.settings.partitions)


async def test_a_new_process_goes_on_and_what_was_done_counts_once(stack: Stack) -> None:
    who = f"customer:{uuid.uuid4().hex}"
    async with keeping(stack) as keeper:
        await turn(keeper, cause(who))
        opened = of(keeper, who)
        action_id = await did(stack, opened, "acknowledge", "on it")
        await until(keeper, lambda: keeper.outcome(action_id) is not None, NOON + 5)
        taken = of(keeper, who)
        assert (taken.state, taken.acknowledged_at, taken.note) == ("acknowledged", NOON + 5, "on it")
        late = await did(stack, opened, "resolve", "while nobody is there")
    async with keeping(stack) as keeper:
        assert of(keeper, who) == taken
        await until(keeper, lambda: keeper.outcome(late) is not None, NOON + 9)
        assert keeper.outcome(action_id) is None  # it was read before
        done = of(keeper, who)
        assert (done.state, done.closed_at, done.resolution) == ("resolved", NOON + 9, "while nobody is there")
        await turn(keeper, cause(who), now=NOON + 10)
        assert of(keeper, who) == done
        refused = await did(stack, opened, "acknowledge")
        await until(keeper, lambda: keeper.outcome(refused) is not None)
        outcome = keeper.outcome(refused)
        assert outcome is not None
        assert outcome.reason == "already_resolved"


async def test_of_two_processes_only_the_one_that_started_last_can_write(stack: Stack) -> None:
    first, second, third = (f"customer:{uuid.uuid4().hex}" for _ in range(3))
    async with keeping(stack) as old:
        await turn(old, cause(first))
        async with keeping(stack) as new:
            assert of(new, first) == of(old, first)
            with pytest.raises(KafkaError):
                await turn(old, cause(first), cause(second))
            await turn(new, cause(first), cause(third))
    async with keeping(stack) as last:
        known = {each.identifier for each in last.alerts.values()}
        assert {first, third} <= known
        assert second not in known


async def test_what_somebody_else_took_away_stays_away(stack: Stack) -> None:
    """An erasure buries it, also where our next record was under way."""
    who = f"customer:{uuid.uuid4().hex}"
    async with keeping(stack) as keeper:
        await turn(keeper, cause(who))
        alert = of(keeper, who)
        where = ALERTS.name, alert.alert_id
        await sent(stack, *where, None, place(stack, alert.alert_id))
        await until(keeper, lambda: alert.alert_id not in keeper.alerts)
        record = CODEC.encode(ALERTS.schema, {name: getattr(alert, name) for name in alert.__struct_fields__})
        await sent(stack, *where, record, place(stack, alert.alert_id))
        assert await newest(stack, alert.alert_id) is not None
        async with asyncio.timeout(30):
            while await newest(stack, alert.alert_id) is not None:
                await keeper.go_on(await keeper.gather(0.1), None, NOON)
        await sent(stack, *where, record, place(stack, alert.alert_id))
    async with keeping(stack) as keeper:  # and by whoever starts then
        assert alert.alert_id not in keeper.alerts
        await until(keeper, lambda: True)
        await turn(keeper)
        assert await newest(stack, alert.alert_id) is None


async def newest(stack: Stack, key: str) -> bytes | None:
    """The newest committed record of an alert."""
    consumer = kafka.consumer(stack.settings, group=None)
    await consumer.start()
    try:
        where = kafka.TopicPartition(ALERTS.name, place(stack, key))
        consumer.assign([where])
        await consumer.seek_to_beginning(where)
        end = (await consumer.end_offsets([where]))[where]
        found: bytes | None = None
        while await consumer.position(where) < end:
            for each in (await consumer.getmany(where, timeout_ms=200)).get(where, ()):
                if each.key == key.encode():
                    found = each.value
        return found
    finally:
        await consumer.stop()


async def test_who_refuses_analysis_has_no_alert(stack: Stack) -> None:
    who = f"customer:{uuid.uuid4().hex}"
    async with keeping(stack) as keeper:
        await turn(keeper, cause(who))
        alert_id = of(keeper, who).alert_id
        await turn(keeper, refusing=frozenset({alert_id, "unknown"}))
        assert alert_id not in keeper.alerts
    assert await newest(stack, alert_id) is None


async def test_what_is_from_before_an_erasure_opens_no_alert_and_what_there_is_goes(stack: Stack) -> None:
    who, other = (f"customer:{uuid.uuid4().hex}" for _ in range(2))
    seals = [keys.keyring(stack.keys).seal(who).hex()]
    order = json.dumps({"kind": "erase", "order_id": "o", "number": 1, "before": NOON + 5, "seals": seals}).encode()
    async with keeping(stack) as keeper:
        await turn(keeper, cause(who), cause(f"device:{who}", person=who), cause(other))
        hers = {each.alert_id for each in keeper.alerts.values() if each.person == who}
        await sent(stack, IDENTITY_ORDERS.name, f"o-{who}", order, 0)
        await until(keeper, lambda: not hers & keeper.alerts.keys())
        await turn(keeper, cause(who), cause(other))  # a look that had begun before
        assert who not in {each.identifier for each in keeper.alerts.values()}
        assert of(keeper, other).standing
    async with keeping(stack) as keeper:
        await turn(keeper, cause(who), cause(who, since=NOON + 5), now=NOON + 9)
        assert of(keeper, who).since == NOON + 5
    assert all([await newest(stack, alert_id) is None for alert_id in hers])


async def test_what_is_no_action_is_passed_over(stack: Stack) -> None:
    who = f"customer:{uuid.uuid4().hex}"
    async with keeping(stack) as keeper:
        await turn(keeper, cause(who))
        await sent(stack, ALERT_ACTIONS.name, "x", b"no json", 0)
        await sent(stack, ALERT_ACTIONS.name, "x", None, 0)
        action_id = await did(stack, of(keeper, who), "resolve")
        await until(keeper, lambda: keeper.outcome(action_id) is not None)
        assert of(keeper, who).state == "resolved"


class Receiver(Webhook):
    """Remembers what it is told; blocks while it is told to."""

    def __init__(self) -> None:
        super().__init__("http://nowhere", "secret")
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.open_ = asyncio.Event()
        self.open_.set()

    async def tell(self, body: bytes, delivery: str) -> str:
        await self.open_.wait()
        self.told.append((delivery, json.loads(body)))
        return "delivered"

    def of(self, alert_id: str) -> list[str]:
        return [said["event"] for _, said in self.told if said["alert"]["alert_id"] == alert_id]


@asynccontextmanager
async def telling(stack: Stack, receiver: Receiver) -> AsyncIterator[None]:
    work = Telling(stack.settings, CODEC, Registry("", CODEC), receiver)
    await work.start()
    task = asyncio.create_task(work.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await work.stop()


async def test_the_webhook_is_told_of_each_change_in_order_and_goes_on_where_it_was(stack: Stack) -> None:
    who = f"customer:{uuid.uuid4().hex}"
    async with keeping(stack) as keeper:
        first = Receiver()
        await turn(keeper, cause(f"{who}-before"))
        async with telling(stack, first):
            await turn(keeper, cause(who))
            alert_id = of(keeper, who).alert_id
            await did(stack, of(keeper, who), "acknowledge")
            await until(keeper, lambda: of(keeper, who).state == "acknowledged")
            await until_true(lambda: first.of(alert_id) == ["alert.opened", "alert.acknowledged"], 30)
            assert first.of(of(keeper, f"{who}-before").alert_id) == []  # that was before anybody listened
            first.open_.clear()  # it hangs
            await turn(keeper, cause(who, n=7), now=NOON + 3_600_000)  # other figures only
            await did(stack, of(keeper, who), "resolve")
            await until(keeper, lambda: of(keeper, who).state == "resolved")  # nobody waits for it
        second = Receiver()
        async with telling(stack, second):
            await until_true(lambda: second.of(alert_id) == ["alert.resolved"], 30)
    places = [delivery for delivery, said in (*first.told, *second.told) if said["alert"]["alert_id"] == alert_id]
    assert len(set(places)) == 3
    assert all(each.startswith(f"alerts/{place(stack, alert_id)}/") for each in places)
