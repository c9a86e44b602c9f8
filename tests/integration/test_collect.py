"""The collector as a process, with a real broker: what it accepted is in the topics, byte for byte what it promises."""

from __future__ import annotations

import gzip
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from pipeline.domain.identifiers import Keyring
from pipeline.local import ports, process
from pipeline.partition import partition_of
from pipeline.settings import Settings
from pipeline.wire import Codec
from tests.collecting import event
from tests.conftest import Stack
from tests.integration.records import ends, read

START_S = 30


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Iterator[Settings]:
    """Of a collector that runs."""
    settings = replace(stack.settings, http_port=ports.free_port(stack.settings.host))
    child = process.spawn("collect", settings)
    process.wait_until(lambda: healthy(settings), child, settings, START_S)
    yield settings
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(START_S) in (0, -signal.SIGTERM), "it does not end as it should"


def healthy(settings: Settings) -> bool:
    try:
        return httpx.get(f"http://{settings.host}:{settings.http_port}/v1/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def post(stack: Stack, settings: Settings, events: list[Any], *, zipped: bool = False) -> httpx.Response:
    body = json.dumps({"events": events}).encode()
    headers = {"Authorization": f"Bearer {stack.keys.ingest}"} | ({"Content-Encoding": "gzip"} if zipped else {})
    url = f"http://{settings.host}:{settings.http_port}/v1/interactions"
    return httpx.post(url, content=gzip.compress(body) if zipped else body, headers=headers, trust_env=False)


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
async def test_what_it_accepts_is_in_its_topic(stack: Stack, settings: Settings, zipped: bool) -> None:
    people = {
        "partner": {"customer": f"collect-{zipped}", "email": "jo@example.com"},
        "in_store": {"email": f"Jo.{zipped}@Example.com"},
    }
    before = {channel: await ends(settings, f"interactions.{channel}") for channel in people}
    asked = int(time.time() * 1000)
    good = [
        event(event_id=f"{channel}-{zipped}-{n}", channel=channel, identifiers=who)
        for n in range(20)
        for channel, who in people.items()
    ]
    answer = post(stack, settings, [*good, event(identifiers={"customer": "null"})], zipped=zipped)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == len(good)
    assert [each["reason"] for each in answer.json()["rejected"]] == ["placeholder_identifier"]

    codec, keyring = Codec(settings.schemas), Keyring(stack.keys.identifier_keys, stack.keys.identifier_key)
    strongest = {
        "partner": f"customer:collect-{zipped}",
        "in_store": keyring.identify("email", f"jo.{zipped}@example.com".lower()),
    }
    for channel, who in people.items():
        partition = partition_of(strongest[channel], settings.partitions)
        records = await read(settings, f"interactions.{channel}", partition, before[channel][partition], 20)
        assert {record.key.decode() for record in records} == {strongest[channel]}
        for number, record in enumerate(records):
            name, written = codec.decode(record.value)
            assert (name, written["event_id"]) == (f"interaction_{channel}", f"{channel}-{zipped}-{number}")
            assert written["identifiers"] == who
            assert asked <= written["received_at"] <= record.timestamp + 1000


def test_it_counts(stack: Stack, settings: Settings) -> None:
    post(stack, settings, [event(channel="chat", identifiers={"customer": "collect-counted"}), 7])
    shown = httpx.get(f"http://{settings.host}:{settings.http_port}/metrics", trust_env=False).text
    assert 'throughline_events_accepted_total{channel="chat"}' in shown
    assert 'throughline_events_rejected_total{reason="wrong_type",stage="collect"}' in shown
    assert "throughline_collect_seconds_count" in shown
