"""Telling the product of a storm: through HTTP and straight through Kafka, at a pace, all of it acknowledged.

A back-end's own code: Avro by fastavro with the schema files, and what HTTP answers 429 or 503 to is sent again.
"""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fastavro
import httpx
from aiokafka import AIOKafkaProducer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from tests.system.generator import Delivery
from tests.system.running import RunningStack

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "avro"
CHUNK = 400  # deliveries; an HTTP request takes 500
TRIES_MAX = 200
WAIT_S_MAX = 2.0


class Writer:
    """A channel's events as bytes."""

    def __init__(self, channel: str) -> None:
        self._schema = fastavro.parse_schema(json.loads((SCHEMAS / f"interaction_{channel}.avsc").read_text()))
        canonical = to_parsing_canonical_form(self._schema)
        self._header = b"\xc3\x01" + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))

    def write(self, event: dict[str, Any]) -> bytes:
        out = io.BytesIO(self._header)
        out.seek(0, io.SEEK_END)
        fastavro.schemaless_writer(out, self._schema, event, strict_allow_default=True)
        return out.getvalue()


async def feed(
    stack: RunningStack, deliveries: Sequence[Delivery], a_second: float, told: Callable[[int], None]
) -> None:
    """Send all, in order, at most so many a second; `told` hears after each chunk how many are acknowledged.

    Raises AssertionError where HTTP accepts or rejects other events than it must.
    """
    headers = {"Authorization": f"Bearer {stack.keys['ingest']}"}
    producer = AIOKafkaProducer(
        bootstrap_servers=f"127.0.0.1:{stack.port('kafka')}", acks="all", enable_idempotence=True
    )
    writers: dict[str, Writer] = {}
    began = time.monotonic()
    await producer.start()
    try:
        async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=30, trust_env=False) as client:
            for start in range(0, len(deliveries), CHUNK):
                chunk = deliveries[start : start + CHUNK]
                await asyncio.gather(
                    _through_kafka(producer, writers, [each for each in chunk if each.via == "kafka"]),
                    _through_http(client, [each for each in chunk if each.via == "http"]),
                )
                told(start + len(chunk))
                await asyncio.sleep(max(0.0, began + (start + len(chunk)) / a_second - time.monotonic()))
    finally:
        await producer.stop()


async def _through_kafka(producer: AIOKafkaProducer, writers: dict[str, Writer], chunk: list[Delivery]) -> None:
    sent = []
    for each in chunk:
        if each.channel not in writers:
            writers[each.channel] = Writer(each.channel)
        value = writers[each.channel].write(each.event) if each.event else each.value
        key = each.key.encode() if each.key else None
        sent.append(await producer.send(f"interactions.{each.channel}", value, key))
    await asyncio.gather(*sent)


async def _through_http(client: httpx.AsyncClient, chunk: list[Delivery]) -> None:
    if not chunk:
        return
    unsent = ("received_at", "sent_at")
    events = [
        {k: v for k, v in (each.event or {}).items() if k not in unsent} | {"channel": each.channel} for each in chunk
    ]
    for tried in range(TRIES_MAX):
        try:
            answer = await client.post("/v1/interactions", json={"events": events})
        except httpx.TransportError:
            answer = httpx.Response(503)
        if answer.status_code not in (429, 503):
            break
        await asyncio.sleep(min(WAIT_S_MAX, 0.05 * 2**tried))
    assert answer.status_code == 202, answer.text
    rejected = {each["index"]: each["reason"] for each in answer.json()["rejected"]}
    assert rejected == {n: each.reason for n, each in enumerate(chunk) if each.reason}
    assert answer.json()["accepted"] == len(chunk) - len(rejected)
