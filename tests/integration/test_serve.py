"""What serve reads besides the workers, on the real things: routes and calls from Kafka, history from ClickHouse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import clickhouse_connect
import msgspec
import pytest

from pipeline import kafka
from pipeline.domain.interaction import Answer, Interaction, Item
from pipeline.partition import partition_of
from pipeline.registry import Registry
from pipeline.serve.calls import Calls
from pipeline.serve.follow import follow_calls, follow_routes
from pipeline.serve.history import ClickHouseHistory, HistoryAway
from pipeline.serve.routing import Routes
from pipeline.serve.timelines import NEWEST
from pipeline.settings import Settings
from pipeline.store import rows, writer
from pipeline.topics import ROUTES, TIMELINES
from pipeline.wire import Codec
from tests.conftest import Stack
from tests.interactions import NOON, made
from tests.serving import free_port, now_ms
from tests.unit.store.records import entry


async def until(true: Callable[[], bool]) -> None:
    """Wait, at most 20 s, until a condition holds."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0.02)


async def send(settings: Settings, topic: str, partition: int, *values: bytes, transaction: bool | None = None) -> None:
    """Write records; in a transaction that is committed (True) or aborted (False), or in none."""
    options = {} if transaction is None else {"transactional_id": uuid4().hex}
    async with kafka.producer(settings, **options) as producer:
        if transaction is not None:
            await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(topic, value, key=b"k", partition=partition)
        if transaction is not None:
            await (producer.commit_transaction() if transaction else producer.abort_transaction())


async def test_routes_are_followed_from_the_beginning_on(stack: Stack) -> None:
    def said(number: int, url: str) -> bytes:
        return msgspec.json.encode({"partition": number, "url": url, "worker": 0, "generation": 1})

    last = stack.settings.partitions - 1
    await send(stack.settings, ROUTES.name, 0, said(last, "http://old"), said(last, "http://now"))
    routes = Routes(stack.settings.partitions)
    following = asyncio.create_task(follow_routes(stack.settings, routes))
    await until(lambda: routes.owner(last) == "http://now")
    await send(stack.settings, ROUTES.name, 0, said(last, "http://next"))
    await until(lambda: routes.owner(last) == "http://next")
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_calls_are_followed_from_the_last_minutes_on(stack: Stack) -> None:
    codec = Codec(stack.settings.schemas)
    session = uuid4().hex
    identifier = f"customer:{session}"
    number = partition_of(identifier, stack.settings.partitions)

    def phase(kind: str, session_id: str, who: str = identifier) -> bytes:
        at = now_ms()
        more = {"type": kind, "channel": "phone", "session_id": session_id, "occurred_at": at, "occurred_at_sent": at}
        return codec.encode(
            "timeline_entry", entry(identifier=who, event_id=f"{kind}-{session_id}", details={}, **more)
        )

    calls = Calls()
    await send(stack.settings, TIMELINES.name, number, phase("call_ringing", f"{session}-1"), transaction=True)
    await send(stack.settings, TIMELINES.name, number, phase("call_ringing", f"{session}-never"), transaction=False)
    await send(stack.settings, TIMELINES.name, number, b"call_ringing, but no Avro", transaction=True)
    following = asyncio.create_task(follow_calls(stack.settings, codec, Registry("", codec), calls))

    def ringing() -> set[str]:
        return {each.session_id for each in calls.ringing(now_ms()) if each.session_id.startswith(session)}

    await until(lambda: ringing() == {f"{session}-1"})
    later = (phase("call_ringing", f"{session}-2"), phase("call_answered", f"{session}-1"))
    await send(stack.settings, TIMELINES.name, number, *later, transaction=True)
    await until(lambda: ringing() == {f"{session}-2"})

    phone = f"phone:k1.{session}"
    await send(stack.settings, TIMELINES.name, number, phase("call_ringing", f"{session}-3", phone), transaction=True)
    await until(lambda: ringing() == {f"{session}-2", f"{session}-3"})
    assert calls.whose(f"{session}-3", phone) == phone
    await send(stack.settings, TIMELINES.name, number, phase("account_opened", f"{session}-3"), transaction=True)
    await until(lambda: calls.whose(f"{session}-3", phone) == identifier)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


def stored(x: Interaction) -> dict[str, Any]:
    """The interaction as stitch publishes it."""
    record = {
        name: value for name, value in msgspec.structs.asdict(x).items() if name not in ("digest", "items", "answer")
    }
    record["details"] = {name: str(value) for name, value in x.details.items()}
    record["items"] = [msgspec.structs.asdict(each) for each in x.items]
    record["answer"] = msgspec.structs.asdict(x.answer) if x.answer else None
    return entry(**record)


async def test_history_gives_interactions_back_as_they_were(stack: Stack) -> None:
    settings = stack.settings
    who = f"customer:{uuid4().hex}"
    full = made(
        who,
        "full",
        at=NOON + 5,
        links=("anonymous:ä",),
        masks={"phone:k1.0": "+1 ••"},
        items=(Item("p", 2.0, None, "Sock"), Item("q", 1.0, 3.5)),
        answer=("goal", 4.0, 1.0, 5.0),
        measures={"results": 2.0},
        properties={"query": "blue 'shoes'\n\\"},
        details={"queue": "returns"},
        session_id="s",
        issue="late",
        public=True,
    )
    said = [made(who, f"e{n}", at=NOON + n // 2, channel="web" if n % 3 else "phone") for n in range(8)]
    full, *said = [msgspec.structs.replace(x, digest=0) for x in (full, *said)]  # only copies need it
    client = clickhouse_connect.get_client(
        dsn=settings.clickhouse,
        username=stack.keys.clickhouse_user,
        password=stack.keys.clickhouse_password,
        database=settings.clickhouse_database,
    )
    block = [rows.Stored(rows.version(1, n), stored(x)) for n, x in enumerate([full, *said])]
    writer.Writer(client, rows.INTERACTIONS).insert(rows.INTERACTIONS.columns_of(block))
    client.close()

    history = ClickHouseHistory(settings, stack.keys.clickhouse_user, stack.keys.clickhouse_password)
    everything = await history.before(who, NEWEST, None, 100)
    assert everything == sorted([full, *said], key=lambda x: x.position, reverse=True)
    assert everything[0].answer == Answer("goal", 4.0, 1.0, 5.0)
    assert await history.before(who, everything[3].position, None, 3) == everything[4:7]
    phone = await history.before(who, NEWEST, "phone", 100)
    assert phone == [x for x in everything if x.channel == "phone"]
    assert await history.before("customer:' OR 1 --", NEWEST, None, 10) == []
    await history.close()


async def test_without_clickhouse_it_says_so_and_does_not_ask_again_at_once() -> None:
    history = ClickHouseHistory(Settings(clickhouse_port=free_port()), "user", "password")
    for _ in range(2):
        with pytest.raises(HistoryAway):
            await history.before("customer:1", NEWEST, None, 1)
    await history.close()
