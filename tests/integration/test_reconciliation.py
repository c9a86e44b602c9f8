"""`throughline ledger` beside the real Kafka and ClickHouse, while no stage runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipeline import kafka, keys, reconciliation
from pipeline.domain import tallies
from pipeline.domain.tallies import Tally
from pipeline.partition import partition_of
from pipeline.settings import Settings
from pipeline.store import rows, writer
from pipeline.topics import TALLIES
from pipeline.wire import Codec
from tests.conftest import Stack, started

from ..unit.store.records import entry
from .stored import put

CODEC = Codec(Settings().schemas)
HOME = partition_of("customer:1", 2)  # the stack's


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A stack of our own: everything in it is counted."""
    with started(tmp_path_factory.mktemp("ledger")) as stack:
        _prepared(stack)
        yield replace(stack.settings, kafka=stack.settings.bootstrap)


def _prepared(stack: Stack) -> None:
    """Three interactions that stitch has stored, one of them twice."""
    with writer.connect(stack.settings, stack.keys, stack.settings.clickhouse_database) as client:
        put(client, rows.INTERACTIONS, *(entry(event_id=f"e{n}") for n in range(3)))
        tally = Tally(read_to=4, received=4, stored=3, duplicates=1)
        put(client, rows.TALLIES, tallies.fields("web", HOME, stack.settings.partitions, tally))
        put(client, rows.INTERACTIONS, entry(event_id="e0"))


async def publish(settings: Settings, topic: str, *values: bytes) -> None:
    async with kafka.producer(settings) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, b"key", HOME)


def asked(settings: Settings, **how: Any) -> tuple[bool, str]:
    said: list[str] = []
    wrong = reconciliation.run(settings, said.append, attempts_s_max=0.5, **how)
    return wrong, "\n".join(said)


def test_what_waits_is_in_flight(settings: Settings) -> None:
    """The topic has six records, of which stitch has read four."""
    asyncio.run(publish(settings, "interactions.web", *[b"x"] * 6))
    wrong, said = asked(settings, as_json=True)
    told = json.loads(said)
    assert (wrong, told["adds_up"], told["moving"]) == (False, True, False), told
    [line] = [each for each in told["channels"] if each["received"]]
    assert line == {
        "channel": "web",
        "partition": None,
        "received": 6,
        "carried": 0,
        "rekeyed": 0,
        "stored": 3,
        "duplicates": 1,
        "rejected": 0,
        "erased": 0,
        "in_flight": 2,
        "gaps": 0,
    }


@pytest.mark.parametrize("partitions", [False, True])
def test_people_read_that_it_adds_up(settings: Settings, partitions: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(settings, partitions=partitions) == (False, "")
    said = capsys.readouterr().out
    assert "It adds up: received + carried" in said
    assert ("rekeyed" in said) == partitions


@pytest.mark.long
def test_a_row_that_is_gone_is_missed_and_one_too_many_is_carried_when_somebody_says_so(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with writer.connect(settings, keys.load_or_create(settings), settings.clickhouse_database) as client:
        client.command("ALTER TABLE interactions DELETE WHERE event_id = 'e1' SETTINGS mutations_sync = 2")
        wrong, said = asked(settings, as_json=True)
        missed = f"web, partition {HOME}: 1 interactions that stitch stored are not in ClickHouse"
        assert (wrong, json.loads(said)["findings"]) == (True, [missed])
        put(client, rows.INTERACTIONS, *(entry(event_id=f"e{n}") for n in (1, 7, 8)))
    assert asked(settings)[0]
    assert f"web, partition {HOME}: 2 interactions are in ClickHouse that stitch has not" in capsys.readouterr().out
    wrong, said = asked(settings, carry=True)
    assert (wrong, said) == (False, f"web, partition {HOME}: +2 interactions from before are carried forward.")
    assert asked(settings, carry=True) == (False, "")


def test_where_nobody_answers_it_says_who(settings: Settings) -> None:
    for away, who in ({"clickhouse_url": "http://127.0.0.1:9"}, "ClickHouse"), ({"kafka": "127.0.0.1:9"}, "Kafka"):
        wrong, said = asked(replace(settings, **away))
        assert wrong
        assert f"It cannot be said whether the ledger adds up. {who} at" in said
        assert "does not answer" in said


def test_counts_that_are_not_stored_yet_say_nothing(settings: Settings) -> None:
    tally = tallies.fields("web", HOME, settings.partitions, Tally())
    asyncio.run(publish(settings, TALLIES.name, CODEC.encode(TALLIES.schema, tally)))
    wrong, said = asked(settings, as_json=True)
    assert wrong
    assert json.loads(said)["troubles"] == [
        "ClickHouse has not got 1 records of what stitch counted. Does `store` run, and keep up?"
    ]
