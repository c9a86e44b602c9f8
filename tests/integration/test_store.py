"""The sink as a real process between the real Kafka and the real ClickHouse: kills, outages, reading again."""

from __future__ import annotations

import asyncio
import math
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from clickhouse_connect.driver.client import Client

from pipeline import kafka, keys, topics, wire
from pipeline.partition import partition_of
from pipeline.settings import REPO, Settings
from pipeline.store import rows, writer

from ..collecting import NOON
from ..conftest import Stack, started
from ..observing import observed
from ..outcomes import sent
from ..unit.store.records import entry, identity
from .clickhouse_proxy import Proxy, proxied

CODEC = wire.Codec(Settings().schemas)
WAIT_S = 60.0
names = count()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of our own: the sink reads whole topics, and others' tests write what it must refuse."""
    with started(tmp_path_factory.mktemp("store")) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    client = writer.connect(stack.settings, stack.keys, stack.settings.clickhouse_database)
    yield client
    client.close()


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    with proxied(stack.settings.clickhouse) as proxy:
        yield proxy


@contextmanager
def sink(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A running sink; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "run", "store"], cwd=REPO, env=settings.environment()
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(0.1)


async def publish(
    settings: Settings, schema: str, topic: str, records: Sequence[tuple[str, dict[str, Any] | None]]
) -> None:
    """Publish (key, record) pairs as stitch does; None is a tombstone."""
    async with kafka.producer(settings) as producer:
        await asyncio.gather(
            *[
                await producer.send(
                    topic,
                    None if record is None else CODEC.encode(schema, record),
                    key=key.encode(),
                    partition=partition_of(key, settings.partitions),
                )
                for key, record in records
            ]
        )


def entries(n: int, source: str) -> list[tuple[str, dict[str, Any]]]:
    made = [entry(identifier=f"customer:{i % 50}", source=source, event_id=f"e{i}") for i in range(n)]
    return [(each["identifier"], each) for each in made]


async def publish_entries(settings: Settings, n: int, source: str) -> None:
    await publish(settings, "timeline_entry", topics.TIMELINES.name, entries(n, source))


def stored(client: Client, source: str) -> int:
    sql = "SELECT count() FROM interactions FINAL WHERE source = {source:String}"
    return int(client.query(sql, parameters={"source": source}).result_rows[0][0])


async def stored_all(settings: Settings) -> bool:
    return not any((await kafka.lags(settings))["store"].values())


async def test_every_table_is_filled_and_nothing_is_left_to_read(stack: Stack, client: Client) -> None:
    settings, name = stack.settings, f"all-{next(names)}"
    score = {"person": f"customer:{name}", "day": 20_000, "definition": 1}
    rejected = {"topic": "interactions.web", "partition": 0, "offset": 5, "timestamp": 7, "reason": "broken_avro"}
    with sink(settings) as process:
        await publish_entries(settings, 10, name)
        owned = identity(identifier=f"anonymous:{name}", person="customer:1", owners=["customer:1"])
        await publish(settings, "identity", topics.IDENTITIES.name, [(owned["identifier"], owned)])
        await publish(settings, "customer_score", topics.CUSTOMER_SCORES.name, [(name, score)])
        cell = {"window_start": 0, "touchpoint": name, "channel": "web", "partition": 0, "definition": 1}
        await publish(settings, "touchpoint_score", topics.TOUCHPOINT_SCORES.name, [(name, cell)])
        await publish(settings, "rejected", topics.REJECTED.name, [(name, rejected | {"id": name, "value": b"12345"})])
        alert = {"alert_id": name, "kind": "stands_alone", "opened_at": 5}
        await publish(settings, "alert", topics.ALERTS.name, [(name, alert)])
        await publish(settings, "audit", topics.AUDIT.name, [(name, audited(name))])
        await until(lambda: stored_all(settings), "everything was stored")
        found = client.query(
            """SELECT (SELECT count() FROM interactions FINAL WHERE source = {n:String}),
                (SELECT count() FROM identities FINAL WHERE identifier = 'anonymous:' || {n:String}),
                (SELECT count() FROM customer_scores FINAL WHERE person = 'customer:' || {n:String}),
                (SELECT count() FROM touchpoint_scores FINAL WHERE touchpoint = {n:String}),
                (SELECT value_bytes FROM rejected FINAL WHERE id = {n:String}),
                (SELECT count() FROM alerts_open WHERE alert_id = {n:String}),
                (SELECT subjects FROM lookups WHERE actor = {n:String})""",
            parameters={"n": name},
        ).result_rows
        assert found == [(10, 1, 1, 1, 5, 1, ["ab" * 16])]
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


def audited(name: str) -> dict[str, Any]:
    """A lookup that is not old enough to go."""
    said = {"actor": name, "action": "context", "purpose": "call", "subjects": ["ab" * 16], "shown": []}
    return {"audit_id": name, "at": int(time.time() * 1000), **said}


async def test_an_observation_of_anybody_is_stored_or_set_aside_and_stops_nobody(stack: Stack, client: Client) -> None:
    settings, name = stack.settings, f"observed-{next(names)}"
    said = [(name, observed(source=name, observation_id=str(n), value=value)) for n, value in ((1, 1.0), (2, math.nan))]
    with sink(settings):
        async with kafka.producer(settings) as producer:
            await producer.send_and_wait(topics.OBSERVATIONS.name, b"junk", key=name.encode())
        await publish(settings, "observation", topics.OBSERVATIONS.name, said)
        await publish(settings, "observation", topics.OBSERVATIONS.name, [(name, {**said[0][1], "value": 7.0})])
        await publish_entries(settings, 10, name)
        await until(lambda: stored_all(settings), "everything was stored")
    told = client.query("SELECT observation_id, value FROM observations FINAL WHERE source = {n:String}", {"n": name})
    assert told.result_rows == [("1", 7.0)]
    aside = "SELECT reason FROM rejected FINAL WHERE topic = 'observations' ORDER BY reason"
    assert [row[0] for row in client.query(aside).result_rows] == ["bad_value", "broken_avro"]
    assert stored(client, name) == 10


async def test_an_outcome_of_anybody_is_stored_or_set_aside_and_nobody_erased_comes_back(
    stack: Stack, client: Client
) -> None:
    """Also where the erasure is recorded while the sink runs: it is asked for before each batch."""
    settings, name = stack.settings, f"results-{next(names)}"
    who = {n: {"customer": f"{name}.{n}"} for n in range(3)}

    async def send(*told: dict[str, Any]) -> None:
        await publish(settings, "outcome", topics.OUTCOMES.name, [(name, each) for each in told])

    with sink(settings):
        async with kafka.producer(settings) as producer:
            await producer.send_and_wait(topics.OUTCOMES.name, b"junk", key=name.encode())
        await send(sent(source=name, outcome_id="1", identifiers=who[0]), sent(source=name, amount=math.nan))
        await send(sent(source=name, outcome_id="1", identifiers=who[0], amount=-7.0))
        await send(sent(source=name, outcome_id="2", identifiers={"phone": "+1 202 555 0142"}))
        await until(lambda: stored_all(settings), "everything was stored")
        seals = [keys.keyring(stack.keys).seal(f"customer:{who[n]['customer']}").hex() for n in (1, 2)]
        order = f'{{"kind": "erase", "number": 1, "before": {NOON + 1}, "seals": ["{seals[0]}", "{seals[1]}"]}}'
        async with kafka.producer(settings) as producer:
            await producer.send_and_wait(topics.IDENTITY_ORDERS.name, order.encode(), key=name.encode(), partition=0)
        await send(sent(source=name, outcome_id="late", identifiers=who[1]))
        await send(sent(source=name, outcome_id="new", identifiers=who[2], occurred_at=NOON + 1))
        await until(lambda: stored_all(settings), "everything was stored")
    sql = "SELECT outcome_id, identifier, amount FROM outcomes FINAL WHERE source = {n:String} ORDER BY outcome_id"
    phone = keys.keyring(stack.keys).resolve("phone", "+12025550142", "US").identifier
    assert client.query(sql, {"n": name}).result_rows == [
        ("1", f"customer:{name}.0", -7.0),
        ("2", phone, -20.0),
        ("new", f"customer:{name}.2", -20.0),
    ]
    aside = "SELECT reason FROM rejected FINAL WHERE topic = 'outcomes' ORDER BY reason"
    assert [row[0] for row in client.query(aside).result_rows] == ["bad_value", "broken_avro"]


async def test_a_change_is_stored_as_it_was_recorded_last(stack: Stack, client: Client) -> None:
    settings, name = stack.settings, f"changed-{next(names)}"
    said = {"change_id": name, "touchpoint": "chat", "changed_on": 20_414, "what": "Two more agents."}
    said |= {"recorded_at": NOON, "recorded_by": "staff:0123456789abcdef"}
    with sink(settings):
        async with kafka.producer(settings) as producer:
            for each in (said, said | {"recorded_by": "Jo Smith"}, said | {"what": "Three more agents."}):
                value = CODEC.encode("change", each)
                await producer.send_and_wait(topics.CHANGES.name, value, key=name.encode(), partition=0)
        await until(lambda: stored_all(settings), "everything was stored")
    found = client.query("SELECT what FROM changes_current WHERE change_id = {n:String}", {"n": name})
    assert found.result_rows == [("Three more agents.",)]
    aside = "SELECT reason FROM rejected FINAL WHERE topic = 'changes'"
    assert [row[0] for row in client.query(aside).result_rows] == ["bad_value"]


async def test_a_tombstone_takes_rows_away_and_the_next_start_does_not_bring_them_back(
    stack: Stack, client: Client
) -> None:
    """The sink goes back a little when it starts, to what came before the tombstones."""
    settings, name = stack.settings, f"tombstone-{next(names)}"
    gone, stays = f"anonymous:{name}", f"device:{name}"
    score = {"person": gone, "day": 20_000, "definition": 1, "ease": 1.0, "ease_n": 1}
    alert = {"alert_id": f"stands_alone|{gone}", "kind": "stands_alone", "subject": gone, "opened_at": 5}
    letter = {"id": f"{name}/0/5", "topic": name, "partition": 0, "offset": 5, "timestamp": 7, "reason": "oversize"}
    everything: list[tuple[str, str, list[tuple[str, dict[str, Any]]]]] = [
        ("identity", topics.IDENTITIES.name, [(each, owned_by_one(each)) for each in (gone, stays)]),
        ("customer_score", topics.CUSTOMER_SCORES.name, [(f"{gone}|20000|1", score)]),
        ("alert", topics.ALERTS.name, [(str(alert["alert_id"]), alert)]),
        ("rejected", topics.REJECTED.name, [(str(letter["id"]), letter)]),
    ]

    def counts() -> list[int]:
        sql = """SELECT (SELECT count() FROM identities FINAL WHERE endsWith(identifier, {n:String})),
            (SELECT count() FROM customer_scores FINAL WHERE endsWith(person, {n:String})),
            (SELECT count() FROM alerts FINAL WHERE endsWith(subject, {n:String})),
            (SELECT count() FROM rejected FINAL WHERE topic = {n:String})"""
        return list(client.query(sql, parameters={"n": name}).result_rows[0])

    with sink(settings):
        for schema, topic, records in everything:
            await publish(settings, schema, topic, records)
        await until(lambda: stored_all(settings), "everything was stored")
        assert counts() == [2, 1, 1, 1]
        for schema, topic, records in everything:
            await publish(settings, schema, topic, [(records[0][0], None)])
        await until(lambda: stored_all(settings), "everything was stored")
        assert counts() == [1, 0, 0, 0]
    with sink(settings):
        await publish(settings, "identity", topics.IDENTITIES.name, [(gone, owned_by_one(gone))])  # it comes back
        await until(lambda: stored_all(settings), "everything was stored")
    assert counts() == [2, 0, 0, 0]


def owned_by_one(identifier: str) -> dict[str, Any]:
    return identity(identifier=identifier, person="customer:1", owners=["customer:1"])


async def test_what_a_transaction_took_back_is_not_stored(stack: Stack, client: Client) -> None:
    settings, name = stack.settings, f"transaction-{next(names)}"
    records = entries(20, name)
    producer = kafka.producer(settings, transactional_id=name)
    async with producer:
        for part, good in ((records[:10], False), (records[10:], True)):
            await producer.begin_transaction()
            for key, record in part:
                await producer.send(topics.TIMELINES.name, CODEC.encode("timeline_entry", record), key=key.encode())
            await (producer.commit_transaction() if good else producer.abort_transaction())
    with sink(settings):
        await until(lambda: stored_all(settings), "everything was stored")
    assert stored(client, name) == 10


async def test_killed_between_insert_and_commit(stack: Stack, client: Client, proxy: Proxy) -> None:
    """ClickHouse has the rows, Kafka does not know: the next process sends them again, and nobody sees it."""
    settings, name = replace(stack.settings, clickhouse_url=proxy.url), f"killed-{next(names)}"
    await publish_entries(settings, 500, name)
    with sink(settings) as process:
        killed: list[str] = []

        def kill(table: str) -> None:
            if table == "interactions" and not killed:
                process.kill()
                killed.append(table)

        proxy.on_inserted = kill
        assert await asyncio.to_thread(process.wait, WAIT_S) == -signal.SIGKILL
    assert killed
    assert stored(client, name) > 0
    assert not await stored_all(settings)
    with sink(settings):
        await until(lambda: stored_all(settings), "everything was stored")
    assert stored(client, name) == 500


@pytest.mark.long
async def test_killed_again_and_again(stack: Stack, client: Client) -> None:
    """Each process is killed in the middle of its work, while more is being published."""
    settings, name, part, kills = stack.settings, f"again-{next(names)}", 2_000, 4
    everything = entries(part * kills, name)
    for kill in range(kills):
        records = everything[part * kill : part * (kill + 1)]
        publishing = asyncio.create_task(publish(settings, "timeline_entry", topics.TIMELINES.name, records))
        with sink(settings) as process:

            async def begun(least: int = part * kill, process: subprocess.Popen[bytes] = process) -> bool:
                assert process.poll() is None
                return stored(client, name) > least

            await until(begun, "some of this part were stored")  # and is killed there
        await publishing
    with sink(settings):
        await until(lambda: stored_all(settings), "everything was stored")
    assert stored(client, name) == part * kills


async def test_clickhouse_away_costs_nothing_but_lag(stack: Stack, client: Client, proxy: Proxy) -> None:
    settings, name = replace(stack.settings, clickhouse_url=proxy.url), f"away-{next(names)}"
    with sink(settings) as process:
        await publish_entries(settings, 100, name)
        await until(lambda: stored_all(settings), "the first were stored")
        proxy.away = True
        refused = proxy.refused
        await publish_entries(settings, 2_000, name)

        async def tried() -> bool:
            return proxy.refused >= refused + 4

        await until(tried, "it had tried again and again")
        assert stored(client, name) == 100
        proxy.away = False
        await until(lambda: stored_all(settings), "everything was stored")
        assert stored(client, name) == 2_000
        assert process.poll() is None


async def test_started_while_clickhouse_is_away(stack: Stack, client: Client, proxy: Proxy) -> None:
    settings, name = replace(stack.settings, clickhouse_url=proxy.url), f"late-{next(names)}"
    proxy.away = True
    await publish_entries(settings, 50, name)
    with sink(settings) as process:

        async def tried() -> bool:
            assert process.poll() is None
            return proxy.refused > 3

        await until(tried, "it had tried")
        proxy.away = False
        await until(lambda: stored_all(settings), "everything was stored")
    assert stored(client, name) == 50


@pytest.mark.long
async def test_read_again_from_the_beginning_changes_nothing(stack: Stack, client: Client) -> None:
    settings, name = stack.settings, f"reread-{next(names)}"
    await publish_entries(settings, 3_000, name)
    with sink(settings):
        await until(lambda: stored_all(settings), "everything was stored")
    everything = "SELECT count(), sum(cityHash64(*)) FROM {table} FINAL"
    before = {t.name: client.query(everything.format(table=t.name)).result_rows for t in rows.TABLES}
    await until(lambda: back_to_the_beginning(settings), "the group let its positions be set")
    assert not await stored_all(settings)
    with sink(settings):
        await until(lambda: stored_all(settings), "everything was stored")
    assert {t.name: client.query(everything.format(table=t.name)).result_rows for t in rows.TABLES} == before


async def back_to_the_beginning(settings: Settings) -> bool:
    """Whether the group's positions could be set to 0: not before its last member is taken for gone."""
    count = {each.name: each.partitions or settings.partitions for each in topics.TOPICS}
    partitions = [TopicPartition(t.topic, n) for t in rows.TABLES for n in range(count[t.topic])]
    async with kafka.consumer(settings, group="store") as consumer:
        consumer.assign(partitions)
        try:
            await consumer.commit(dict.fromkeys(partitions, 0))
        except CommitFailedError:
            return False
    return True
