"""Bad input by both ways in, on the running product: each thing has its reason, and what is good beside it arrives."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import time
import uuid
from pathlib import Path
from typing import Any

import fastavro
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pipeline.local.home import StackFile
from tests.system.product import Product, eventually

SCHEMAS = Path(__file__).parents[2] / "schemas" / "avro"


def event(mark: str, **changes: Any) -> dict[str, Any]:
    """A good event over HTTP, unless changed."""
    return {
        "event_id": mark,
        "source": "bad-input",
        "channel": "web",
        "type": "page_viewed",
        "touchpoint": "product_page",
        "occurred_at": int(time.time() * 1000),
        "identifiers": {"customer": f"c-{mark}"},
    } | changes


BAD = {
    "wrong_type": {"measures": {"results": "many"}},
    "unknown_channel": {"channel": "television"},
    "not_an_interaction": {"type": "ad_viewed"},
    "no_identifier": {"identifiers": {}},
    "placeholder_identifier": {"identifiers": {"customer": "undefined"}},
    "unknown_namespace": {"identifiers": {"passport": "X1"}},
    "absurd_time": {"occurred_at": "1815-06-18T12:00:00Z"},
    "oversize": {"properties": {f"p{number}": "x" * 1_000 for number in range(40)}},
}


def test_over_http_each_is_named_and_the_good_ones_go_through(product: Product) -> None:
    mark = uuid.uuid4().hex
    events = [event(f"{mark}-{reason}", **changes) for reason, changes in BAD.items()]
    told = product.send(event(f"{mark}-first"), *events, event(f"{mark}-last"))

    assert told["accepted"] == 2
    assert [each["reason"] for each in told["rejected"]] == list(BAD)
    assert [each["index"] for each in told["rejected"]] == list(range(1, len(BAD) + 1))
    assert all(each["detail"] for each in told["rejected"])
    rows = eventually(lambda: _stored(product, mark, 2))
    assert {row["event_id"] for row in rows} == {f"{mark}-first", f"{mark}-last"}


def test_requests_that_cannot_be_read(product: Product) -> None:
    assert product.ask("POST", "/v1/interactions", b'{"events": [', key="ingest").json["reason"] == "broken_json"
    assert product.ask("POST", "/v1/interactions", {"events": []}).status == 401
    many = {"events": [event(str(number)) for number in range(501)]}
    assert product.ask("POST", "/v1/interactions", many, key="ingest").json["reason"] == "too_many_events"
    bomb = gzip.compress(b" " * 20_000_000)
    answer = product.ask("POST", "/v1/interactions", bomb, key="ingest", headers={"Content-Encoding": "gzip"})
    assert answer.status == 413


def test_a_compressed_request_and_a_repeated_one_are_stored_once(product: Product) -> None:
    mark = uuid.uuid4().hex
    body = gzip.compress(json.dumps({"events": [event(mark)]}).encode())
    for _ in range(3):
        answer = product.ask("POST", "/v1/interactions", body, key="ingest", headers={"Content-Encoding": "gzip"})
        assert answer.json == {"accepted": 1, "rejected": []}
    eventually(lambda: _stored(product, mark, 1))
    product.send(event(f"{mark}-after", identifiers={"customer": f"c-{mark}"}))
    eventually(lambda: _stored(product, mark, 2))
    entries = _timeline(product, f"customer:c-{mark}")
    assert [each["event_id"] for each in entries] == [f"{mark}-after", mark]


def avro(mark: str, **changes: Any) -> bytes:
    """A good event as a backend would write it itself, with nothing of ours but the schema file."""
    schema = fastavro.schema.load_schema(str(SCHEMAS / "interaction_web.avsc"))
    out = io.BytesIO()
    out.write(b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(_canonical(schema), "CRC-64-AVRO")))
    record = {name: value for name, value in event(mark, **changes).items() if name != "channel"}
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def _canonical(schema: Any) -> str:
    return fastavro.schema.to_parsing_canonical_form(schema)


async def _write(product: Product, records: list[tuple[bytes | None, bytes | None, int | None]]) -> list[str]:
    """Write (key, value, partition or the client's choice) to interactions.web; the origins."""
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{product.kafka_port}")
    await producer.start()
    try:
        origins = []
        for key, value, partition in records:
            done = await producer.send_and_wait("interactions.web", value, key=key, partition=partition)
            origins.append(f"{done.topic}/{done.partition}/{done.offset}")
        return origins
    finally:
        await producer.stop()


async def _rejected(product: Product, origins: set[str]) -> dict[str, bytes | None]:
    """Origin → original bytes, from the topic of rejected events."""
    consumer = AIOKafkaConsumer(
        "interactions.rejected",
        bootstrap_servers=f"127.0.0.1:{product.kafka_port}",
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    schema = fastavro.schema.load_schema(str(SCHEMAS / "rejected.avsc"))
    await consumer.start()
    found: dict[str, bytes | None] = {}
    try:
        async with asyncio.timeout(20):
            async for record in consumer:
                told = fastavro.schemaless_reader(io.BytesIO(record.value[10:]), schema)
                if told["id"] in origins:
                    found[told["id"]] = told["value"]
                if found.keys() == origins:
                    return found
    finally:
        await consumer.stop()
    raise AssertionError(f"only {found} of {origins}")


@pytest.fixture(scope="module")
def mark() -> str:
    return uuid.uuid4().hex


def test_through_kafka_each_is_set_aside_with_its_origin_and_bytes(product: Product, mark: str) -> None:
    good = avro(f"{mark}-good")
    bad = {
        "broken_avro": good[:-3],
        "unknown_schema": b"\xc3\x01" + b"\x00" * 8 + good[10:],
        "tombstone": None,
        "placeholder_identifier": avro(f"{mark}-p", identifiers={"customer": "null"}),
        "not_an_interaction": avro(f"{mark}-m", type="campaign_sent"),
        "absurd_time": avro(f"{mark}-t", occurred_at=-5),
    }
    key = b"customer:c-" + mark.encode()
    origins = asyncio.run(_write(product, [(key, value, None) for value in bad.values()] + [(key, good, None)]))

    aside = asyncio.run(_rejected(product, set(origins[:-1])))
    assert aside == dict(zip(origins, bad.values(), strict=False))
    wanted = dict(zip(origins, bad, strict=False))

    def told() -> bool:
        listed = ", ".join(f"'{each}'" for each in wanted)
        rows = product.sql(f"SELECT id, reason FROM rejected FINAL WHERE id IN ({listed})")
        return {row["id"]: row["reason"] for row in rows} == wanted

    eventually(told)
    eventually(lambda: _stored(product, f"{mark}-good", 1))


def test_a_wrong_key_and_a_wrong_partition_are_filed_where_they_belong(product: Product, mark: str) -> None:
    who = f"c-{mark}-stray"
    running = StackFile.read(product.home)
    assert running is not None
    assert running.partitions > 1
    records = [
        (b"customer:somebody else", avro(f"{mark}-key", identifiers={"customer": who}), None),
        *((None, avro(f"{mark}-{n}", identifiers={"customer": who}), n % running.partitions) for n in range(8)),
        *((None, avro(f"{mark}-{n}", identifiers={"customer": who}), (n + 1) % running.partitions) for n in range(8)),
    ]
    asyncio.run(_write(product, records))
    expected = {f"{mark}-key", *(f"{mark}-{n}" for n in range(8))}
    entries = eventually(lambda: _all_of(expected, _timeline(product, f"customer:{who}")))
    assert len(entries) == len(expected)
    counted = f"SELECT toUInt32(count()) AS n FROM interactions FINAL WHERE identifier = 'customer:{who}'"
    eventually(lambda: product.sql(counted) == [{"n": len(expected)}])


def test_what_is_repaired_and_sent_again_makes_no_duplicate(product: Product, mark: str) -> None:
    who = f"c-{mark}-again"
    value = avro(f"{mark}-again", identifiers={"customer": who})
    asyncio.run(_write(product, [(None, value[:-2], None), (None, value, None), (None, value, None)]))
    eventually(lambda: _timeline(product, f"customer:{who}"))
    assert len(_timeline(product, f"customer:{who}")) == 1


def _stored(product: Product, prefix: str, count: int) -> list[dict[str, Any]] | None:
    rows = product.sql(f"SELECT event_id FROM interactions FINAL WHERE startsWith(event_id, '{prefix}')")
    assert len(rows) <= count, f"{rows} is too many"
    return rows if len(rows) == count else None


def _timeline(product: Product, identifier: str) -> list[dict[str, Any]]:
    answer = product.ask(
        "GET", f"/v1/customers/{identifier}/timeline?limit=200", key="read", headers={"Throughline-Purpose": "test"}
    )
    assert answer.status == 200, answer
    return answer.json["timeline"]  # type: ignore[no-any-return]


def _all_of(expected: set[str], entries: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return entries if {each["event_id"] for each in entries} == expected else None
