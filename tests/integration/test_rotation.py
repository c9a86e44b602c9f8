"""The identifier key is changed on the real things: workers before and after, the command killed in the middle."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from pipeline import kafka, keys, reconciliation, topics
from pipeline.domain import messages, records
from pipeline.domain.balance import Balance
from pipeline.domain.identifiers import Keyring
from pipeline.domain.orders import Erase
from pipeline.domain.renaming import Renaming
from pipeline.domain.state import DictState
from pipeline.local import process
from pipeline.local.ports import free_port
from pipeline.partition import partition_of
from pipeline.privacy.broker import Broker
from pipeline.rotate.migration import migrate
from pipeline.rotate.rewriting import copied
from pipeline.rotate.tables import tables
from pipeline.settings import REPO, Settings
from pipeline.store import erasing, writer
from pipeline.wire import Codec
from tests.conftest import Stack, started

WAIT_S = 60.0
CALLS = 12
PHONE, OTHER, ERASED, EMAIL = "+1 202 555 0142", "+1 202 555 0143", "+1 202 555 0144", "ann@example.com"
CODEC = Codec(Settings().schemas)
NOW = int(time.time() * 1000) - 3_600_000

#: The command, which dies between a commit and what follows it.
KILLED = """
import os, signal
from pipeline.rotate import rewriting
from pipeline.rotate.migration import migrate
from pipeline.settings import Settings

write, left = rewriting.Store.write, 6
def write_or_die(*given):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    write(*given)
rewriting.RECORDS_MAX = 5
rewriting.Store.write = write_or_die
migrate(Settings.from_environment(), print)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of our own: the command renames everything."""
    with started(tmp_path_factory.mktemp("rotation")) as stack:
        yield stack


@contextmanager
def stages(settings: Settings) -> Iterator[None]:
    """Stitch, identify and the store at work; killed at the end."""
    own = [replace(settings, worker_port=free_port(settings.host), identify_port=free_port(settings.host))] * 3
    names = ("stitch-0", "identify", "store")
    for name in names:
        (settings.home / "run" / "ready" / name).unlink(missing_ok=True)
    children = [process.spawn(name, each) for name, each in zip(names, own, strict=True)]
    try:
        for name, child in zip(names, children, strict=True):
            ready = settings.home / "run" / "ready" / name
            process.wait_until(ready.exists, child, settings, WAIT_S)
        yield
    finally:
        for child in children:
            child.process.send_signal(signal.SIGKILL)
            child.process.wait()


def event(channel: str, event_id: str, at: int, identifiers: dict[str, str], **more: Any) -> tuple[str, bytes]:
    said: dict[str, Any] = {"event_id": event_id, "source": "shop", "type": "page_viewed", "touchpoint": "call_queue"}
    said |= {"occurred_at": NOW + at, "received_at": NOW + at, "identifiers": identifiers, **more}
    return f"interactions.{channel}", CODEC.encode(f"interaction_{channel}", said)


def calls(phone: str, name: str, first: int, count: int) -> list[tuple[str, bytes]]:
    told = {"type": "call_ended", "measures": {"wait_s": 20.0}}
    return [
        event("phone", f"{name}{n}", n * 1000, {"phone": phone}, session_id=f"{name}{n}", **told)
        for n in range(first, first + count)
    ]


def refund(outcome_id: str, keyed: str) -> tuple[str, bytes]:
    """As collect writes it: of the identifier under the key of then."""
    namespace, _, value = keyed.partition(":")
    said = {"outcome_id": outcome_id, "source": "billing", "kind": "refund", "identifiers": {namespace: value}}
    said |= {"occurred_at": NOW, "received_at": NOW, "amount": -20.0, "currency": "USD"}
    return topics.OUTCOMES.name, CODEC.encode("outcome", said)


def looked_up(name: str, seal: bytes) -> bytes:
    said = {"audit_id": name, "at": NOW, "actor": "read", "action": "context", "purpose": "service"}
    said |= {"subjects": [seal.hex()], "shown": [seal.hex()], "outcome": "found", "reason": "", "order_id": ""}
    return CODEC.encode("audit", said)


def alert(subject: str) -> bytes:
    said = {"alert_id": f"stands_alone|{subject}", "kind": "stands_alone", "subject": subject, "reason": "many"}
    return CODEC.encode("alert", said | {"opened_at": NOW, "closed_at": None})


def severe(who: str) -> bytes:
    """An alert about somebody, whose id does not name them."""
    about = {"identifier": who, "person": who, "touchpoint": "doorstep", "cause": "doorstep/d", "state": "open"}
    return CODEC.encode("alert", {"alert_id": "severe-1", "kind": "severe", "opened_at": NOW, **about})


async def publish(settings: Settings, sent: Sequence[tuple[str, bytes]]) -> None:
    async with kafka.producer(settings) as producer:
        for topic, value in sent:
            await producer.send(topic, value)


async def publish_messages(settings: Settings, topic: topics.Topic, key: str, *said: bytes) -> None:
    number = 0 if topic.partitions else partition_of(key, settings.partitions)
    async with kafka.producer(settings) as producer:
        for each in said:
            await producer.send_and_wait(topic.name, each, key=key.encode(), partition=number)


async def settled(settings: Settings) -> None:
    """Wait until nothing is left to read, twice in a row."""
    deadline, quiet = time.monotonic() + WAIT_S, 0
    while quiet < 2:
        assert time.monotonic() < deadline, await kafka.lags(settings)
        lags = await kafka.lags(settings)
        quiet = quiet + 1 if not any(lag for group in lags.values() for lag in group.values()) else 0
        await asyncio.sleep(0.3)


async def newest(settings: Settings, topic: topics.Topic) -> list[dict[bytes, bytes]]:
    """The newest record of every key, by partition."""
    with copied(replace(settings, home=settings.home / "looked"), topic) as copy:
        await copy.read(lambda _what, _count: None)
        return [dict(store.everything()) for store in copy.stores]


async def nothing_is_left(settings: Settings, client: Client, renaming: Renaming) -> None:
    """No state, no compacted topic and no row has an identifier under the older key."""
    assert renaming.pattern is not None
    for topic in topics.TOPICS:
        if topic.cleanup == "compact":
            for found in await newest(settings, topic):
                assert not [key for key, value in found.items() if renaming.concerns(key) or renaming.concerns(value)]
    for table in tables(client):
        if condition := table.condition(renaming.pattern, 1):
            sql = f"SELECT count() FROM {table.name} WHERE {condition}"
            assert client.query(sql).result_rows == [(0,)], table.name


def count(client: Client, sql: str) -> int:
    return int(client.query(sql).result_rows[0][0])


async def shown(settings: Settings, person: str) -> set[str]:
    """The events that a profile shows, by its state."""
    found = (await newest(settings, topics.STITCH_CHANGELOG))[partition_of(person, settings.partitions)]
    state = DictState()
    state.data = found
    return {x.event_id for x in records.Held(state, person).shown}


@pytest.mark.timeout(240)
@pytest.mark.long
async def test_a_person_stays_one_person_when_the_key_changes(stack: Stack) -> None:
    settings = stack.settings
    first = keys.keyring(stack.keys)
    old, erased = first.keyed("phone", "+12025550142"), first.keyed("phone", "+12025550144")
    before = [
        *calls(PHONE, "a", 0, CALLS),
        *calls(OTHER, "b", 0, CALLS),
        *calls(ERASED, "x", 0, 2),
        event("web", "w1", 50_000, {"customer": "7", "phone": PHONE, "device": "d"}, type="identified", session_id="s"),
        event("web", "w2", 60_000, {"email": EMAIL, "anonymous": "q"}, session_id="s2"),
        event("web", "w3", 61_000, {"anonymous": "q"}, session_id="s2"),
    ]
    refunds = [refund("hers", old), refund("erased", erased)]
    with stages(settings):
        assert set(await kafka.members(settings, ("stitch", "identify", "store"))) == {"stitch", "identify", "store"}
        await publish(settings, [*before, *refunds])
        await settled(settings)
        order = messages.encode(Erase("o1", erased, False, "they asked", "key:admin", NOW + 100_000))
        await publish_messages(settings, topics.EVIDENCE, "o1", order)
        await publish_messages(settings, topics.AUDIT, "l1", looked_up("l1", first.seal(old)))
        await publish_messages(settings, topics.ALERTS, f"stands_alone|{old}", alert(old))
        await publish_messages(settings, topics.ALERTS, "severe-1", severe(old))
        await settled(settings)
    await rows_erased(settings, stack.keys, erased)
    await adds_up(settings)
    # These wait when the command comes.
    late = messages.Evidence("customer:7", first.keyed("phone", "+12025550143"), NOW, "", "shop", "late")
    await publish_messages(settings, topics.EVIDENCE, late.weak, messages.encode(late))
    waiting = messages.Slice("customer:8", old, messages.Assignment(1, (old,)), ())
    await publish_messages(settings, topics.INBOX, "customer:8", messages.encode(waiting))

    keys.add_identifier_key(settings)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, cwd=REPO, env=settings.environment())
    assert await killed.wait() == -signal.SIGKILL
    assert keys.under_way(settings) == "k2"
    began = time.monotonic()
    assert await asyncio.to_thread(migrate, settings, print) == "k2"
    print(f"migrated in {time.monotonic() - began:.1f} s")
    assert keys.under_way(settings) == ""
    second = keys.keyring(keys.load_or_create(settings))
    new, renaming = second.keyed("phone", "+12025550142"), Renaming(second)
    assert second.current_of(old) == new != old
    client = writer.connect(settings, stack.keys, settings.clickhouse_database)
    try:
        await nothing_is_left(settings, client, renaming)
        with stages(settings):
            await publish(settings, [*before, *refunds])
            await publish(settings, [*calls(PHONE, "a", CALLS, 3), event("web", "w4", 70_000, {"email": EMAIL})])
            await settled(settings)
        await nothing_is_left(settings, client, renaming)
        await one_person(settings, client, second, len(before) + 4)
        drawn = await adds_up(settings)
        assert sum(line.erased for line in drawn.channels) == 2 + 2  # their rows, and those that came again
        assert any(line.rekeyed for line in drawn.partitions)
    finally:
        client.close()


async def rows_erased(settings: Settings, secrets: keys.Keys, identifier: str) -> None:
    """What follows in ClickHouse when profiles have erased somebody, and that the sink does not read it again."""
    broker = Broker(settings)
    await broker.trim(await broker.ends([topics.TIMELINES, topics.OUTCOMES]))
    erasure = erasing.Erasure(NOW + 100_000, 1, frozenset([identifier]), request="o1", partitions=settings.partitions)
    with writer.connect(settings, secrets, settings.clickhouse_database) as client:
        deleted = erasing.delete_erased(client, settings.clickhouse_database, erasure)
        assert (deleted["interactions"], deleted["outcomes"]) == (2, 1)


async def adds_up(settings: Settings) -> Balance:
    """The ledger, which adds up in each partition."""
    elsewhere = replace(settings, kafka=settings.bootstrap)
    _, drawn = await asyncio.to_thread(reconciliation.read, elsewhere)
    assert (drawn.findings, drawn.moving) == ([], False)
    assert not any(line.in_flight or line.difference for line in (*drawn.partitions, *drawn.channels))
    return drawn


async def one_person(settings: Settings, client: Client, ring: Keyring, events: int) -> None:
    """What state and ClickHouse say in the end."""
    new, other, erased = (ring.keyed("phone", f"+1202555014{n}") for n in (2, 3, 4))
    theirs = {f"a{n}" for n in range(CALLS + 3)} | {f"b{n}" for n in range(CALLS)} | {"w1"}
    assert await shown(settings, "customer:7") == theirs
    assert await shown(settings, ring.keyed("email", EMAIL)) == {"w2", "w3", "w4"}
    assert await shown(settings, erased) == set()
    mine = "SELECT count() FROM interactions_by_person WHERE person = 'customer:7'"
    assert count(client, mine) == len(theirs)
    assert count(client, "SELECT count() FROM interactions FINAL") == events - 2  # the rows of the erased
    assert count(client, f"SELECT count() FROM interactions FINAL WHERE identifier = '{new}'") == CALLS + 3
    assert count(client, f"SELECT count() FROM identities FINAL WHERE identifier = '{other}' AND person = 'customer:7'")
    assert client.query("SELECT outcome_id, identifier FROM outcomes FINAL").result_rows == [("hers", new)]
    looked_up = f"has(subjects, '{ring.seal(new).hex()}') AND has(shown, '{ring.seal(new).hex()}')"
    assert count(client, f"SELECT count() FROM audit FINAL WHERE {looked_up}") == 1
    assert count(client, f"SELECT count() FROM alerts FINAL WHERE subject = '{new}'") == 1
    named = f"alert_id = 'severe-1' AND identifier = '{new}' AND person = '{new}'"
    assert count(client, f"SELECT count() FROM alerts FINAL WHERE {named}") == 1
    # Counted once, also what was sent again and what has moved to another partition.
    assert count(client, "SELECT toInt64(sum(interactions)) FROM touchpoint_hourly") == events
    cells = "SELECT toInt64(sum(interactions)) FROM touchpoint_scores FINAL"
    assert count(client, cells) == events
