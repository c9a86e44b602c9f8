"""`throughline import` into a real Kafka: made-up rows, more than one chunk of them, and imported twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from pipeline import kafka
from pipeline.partition import partition_of
from pipeline.settings import Settings
from pipeline.sources.main import ALL_IMPORTED, CHUNK_ROWS, FAILED, SOME_REFUSED, run
from pipeline.wire import Codec
from tests.conftest import Stack

ROWS = 2 * CHUNK_ROWS + 100
TOPIC = "interactions.in_store"


def row(n: int) -> str:
    return f" 9{n % 700:05d} 0001 19970{1 + n % 9}01  2   29.33"  # each stands several times


async def _records(settings: Settings) -> list[ConsumerRecord]:
    consumer = kafka.consumer(settings, group=None)
    await consumer.start()
    try:
        places = [TopicPartition(TOPIC, n) for n in range(settings.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        found: list[ConsumerRecord] = []
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


def imported(settings: Settings) -> Counter[str]:
    """How often each event id of this test's rows stands in Kafka; checks keys and partitions on the way."""
    codec = Codec(settings.schemas)
    ids: Counter[str] = Counter()
    for record in asyncio.run(_records(settings)):
        name, event = codec.decode(record.value)
        if event["source"] != "cdnow" or not event["identifiers"]["customer"].startswith("9"):
            continue
        assert name == "interaction_in_store"
        key = f"customer:{event['identifiers']['customer']}"
        assert record.key == key.encode()
        assert record.partition == partition_of(key, settings.partitions)
        ids[event["event_id"]] += 1
    return ids


@pytest.mark.timeout(120)
def test_a_file_imported_twice_is_the_same_events_twice(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "purchases.txt"
    file.write_text("\n".join(row(n) for n in range(ROWS)) + "\n")
    assert run(stack.settings, "cdnow", file) == ALL_IMPORTED
    assert f"{ROWS:,} rows imported" in capsys.readouterr().err
    once = imported(stack.settings)
    assert len(once) == ROWS
    assert set(once.values()) == {1}

    with file.open("a") as more:
        more.write("not a row\n" * 12)
    assert run(stack.settings, "cdnow", file) == SOME_REFUSED
    said = capsys.readouterr().err
    assert f"line {ROWS + 1}: 3 columns instead of 5" in said
    assert "… and 2 more" in said
    assert f"{ROWS:,} rows imported, 12 refused" in said
    assert imported(stack.settings) == dict.fromkeys(once, 2)


def test_without_a_broker_it_says_so(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "purchases.txt"
    file.write_text(row(1))
    assert run(replace(stack.settings, kafka="127.0.0.1:1"), "cdnow", file) == FAILED
    assert "Is the stack up" in capsys.readouterr().err
