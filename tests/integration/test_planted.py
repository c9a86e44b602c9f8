"""Personal data planted in every field of events on every channel, by every way in, and looked for wherever it must not
be: in the keys of Kafka's records, in the topics that hold none, in logs, metrics and decoded rows of ClickHouse.

Where it may be is declared: the values of the channels' topics (events as they were sent), of interactions.rejected
(the same, set aside), and of the worker's state and inbox (what who serves the person sees).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.domain.interaction import CHANNELS, NAMESPACES
from pipeline.settings import REPO
from pipeline.wire import Codec, header
from tests.system.product import Product, eventually, running

NOW = 1_763_805_600_000  # 2025-11-22 10:00:00 UTC
SCHEMAS = REPO / "schemas"
CODEC = Codec(SCHEMAS)

#: What is planted, and what is looked for, in letters and digits alone: no spelling hides it.
PLANTS = {
    "address": ("Zq.Planted@nobody.example", "zqplanted"),
    "number": ("+1 202 555 0187", "2025550187"),
    "E.164": ("+4915123456789", "15123456789"),
    "national": ("(415) 555-0163", "4155550163"),
    "card": ("4111 1111 1111 1111", "4111111111111111"),
    "account": ("DE89 3704 0044 0532 0130 00", "370400440532013000"),
}
NEEDLES = [needle for _, needle in PLANTS.values()]
DECLARED = {
    "interactions.rejected",
    "stitch.changelog",
    "profiles.inbox",
    *(f"interactions.{each}" for each in CHANNELS),
}
KNOWN_TYPES = (
    *("searched", "page_viewed", "product_viewed", "order_placed", "order_returned", "goal_started", "goal_completed"),
    *("identified", "profile_updated", "preference_set", "call_ringing", "call_ended", "chat_ended", "survey_answered"),
    *("complaint_opened", "complaint_closed", "compliment_given", "delivery_promised", "consent_changed"),
)
OBSERVED = ("goal_completed", "complaint_opened")  # an answer would outrank what they say, and nobody have a score
LISTED = ("query", "page", "product", "product_name", "order_id", "comment", "text", "reason", "complaint_id", "name")


def planted(channel: str, plant: str, mark: str, kind: str = "") -> dict[str, Any]:
    """An event with the plant in every text that the schema has, names of entries included; of a known type or not."""
    schema = json.loads((SCHEMAS / "avro" / f"interaction_{channel}.avsc").read_text())
    fields = {field["name"]: field["type"] for field in schema["fields"]}
    details = {
        field["name"]: f"{plant} {mark}" if field["type"][1] == "string" else None
        for field in fields["details"][1]["fields"]
    }
    texts = {name: f"{plant} {mark}" for name, type_ in fields.items() if type_ == "string"}
    return {
        **texts,
        "type": kind or texts["type"],
        "occurred_at": NOW,
        "identifiers": {"customer": f"c-{mark}"},
        "items": [{"product": plant, "quantity": 1.0, "price": 1.0, "name": f"for {plant}"}],
        "answer": None if kind in OBSERVED else {"question": plant, "value": 1.0, "min": 0.0, "max": 10.0},
        "measures": {plant: 1.0, "amount": 2.0},
        "properties": {plant: plant, "ordinary": plant, **dict.fromkeys(LISTED, f"it is {plant}, really")},
        "consent": {"service": True},
        "details": details,
    }


def events() -> Iterator[tuple[str, dict[str, Any]]]:
    """(channel, event): every plant on every channel, and as every identifier."""
    for n, (plant, _) in enumerate(PLANTS.values()):
        for channel in CHANNELS:
            yield channel, planted(channel, plant, f"{n}-{channel}")
        for kind in KNOWN_TYPES:
            yield "web", planted("web", plant, f"{n}-{kind}", kind)
        for namespace in NAMESPACES:
            value = {"email": PLANTS["address"][0], "phone": PLANTS["E.164"][0]}.get(namespace, plant)
            alone = planted("phone", plant, f"{n}-as-{namespace}", "call_ringing")
            yield "phone", alone | {"identifiers": {namespace: value}}
            yield (
                "web",
                planted("web", plant, f"{n}-with-{namespace}")
                | {"identifiers": {"customer": f"c-{n}", namespace: value}},
            )


def refused() -> Iterator[tuple[str, dict[str, Any]]]:
    """(channel, event): what the pipeline sets aside, with the plant where the trouble is."""
    for n, (plant, _) in enumerate(PLANTS.values()):
        event = planted("web", plant, f"{n}-refused")
        for changes in (
            {"consent": {plant: True}},
            {"identifiers": {plant: plant}},
            {"identifiers": {"phone": f"{plant} {plant} {plant}"}},
            {"properties": {plant: "x" * 9_000}},
            {"measures": {plant: float("inf")}},
            {"details": {**event["details"], "url": "x" * 9_000 + plant}},
            {"session_id": f"{plant}\n"},
            {"touchpoint": f"{plant} " * 30},
        ):
            yield "web", event | changes


def found_in(text: str) -> list[str]:
    """The needles in a text, in any spelling."""
    squeezed = re.sub(r"[\W_]", "", unquote(text)).lower()
    return [needle for needle in NEEDLES if needle in squeezed]


def leaves(value: Any) -> Iterator[str]:
    """Every text and number in a decoded row, names included."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield str(value)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A stack that has seen all of it."""
    with running(tmp_path_factory.mktemp("planted"), PHONE_REGION="US") as product:
        sent = _send_over_http(product) + asyncio.run(_write_to_kafka(product))
        _ask(product)
        eventually(lambda: _all_is_there(product, *sent_in_all(sent)), 60)
        yield product


def sent_in_all(sent: list[tuple[str, bool]]) -> tuple[int, int]:
    """(events that are stored, records that are set aside)"""
    return len({key for key, good in sent if good}), sum(not good for _, good in sent)


def _send_over_http(product: Product) -> list[tuple[str, bool]]:
    """With the ingest key and the public one; nothing of it is set aside in Kafka."""
    sent = []
    for key in ("ingest", "public"):
        for channel, event in events():
            given = event | {"channel": channel, "source": f"{key} {event['source']}"}
            answer = product.ask("POST", "/v1/interactions", {"events": [given]}, key=key)
            assert answer.json == {"accepted": 1, "rejected": []}, answer.text
            sent.append((f"{key} {event['event_id']}", True))
        for channel, event in refused():
            answer = product.ask("POST", "/v1/interactions", {"events": [event | {"channel": channel}]}, key=key)
            assert "Infinity" in json.dumps(event) or answer.json["accepted"] == 0, answer.text
    _observe(product)
    return sent


def _observe(product: Product) -> None:
    """Observations: in a note the plants are taken out, in a name they are refused."""
    for n, (plant, _) in enumerate(PLANTS.values()):
        good = {"observation_id": f"o-{n}", "source": "planted", "touchpoint": "dispatch", "observed_at": NOW}
        good |= {"kind": "staff", "measure": "handover_late_min", "value": n, "note": f"it is {plant}, really"}
        bad = [good | {name: plant} for name in ("observation_id", "source", "touchpoint", "measure", "kind", "value")]
        answer = product.ask("POST", "/v1/observations", {"observations": [good, *bad]}, key="ingest")
        assert (answer.json["accepted"], len(answer.json["rejected"])) == (1, len(bad)), answer.text


async def _write_to_kafka(product: Product) -> list[tuple[str, bool]]:
    """As a back-end does, under no key; and bytes that are no event at all."""
    sent = []
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{product.kafka_port}")
    await producer.start()
    try:
        for good, source in ((True, events()), (False, refused())):
            for channel, event in source:
                value = CODEC.encode(f"interaction_{channel}", event)
                await producer.send_and_wait(f"interactions.{channel}", value)
                sent.append((f"kafka {event['event_id']}", good))
        schema = json.loads((SCHEMAS / "avro" / "interaction_web.avsc").read_text())
        for plant, _ in PLANTS.values():
            for value in (plant.encode(), header(schema) + plant.encode()):
                await producer.send_and_wait("interactions.web", value)
                sent.append((plant, False))
    finally:
        await producer.stop()
    return sent


def _ask(product: Product) -> None:
    """Lookups whose purpose, value and path hold the plants: they are answered or refused, and audited."""
    for plant, _ in PLANTS.values():
        for namespace in NAMESPACES:
            keys = [{"namespace": namespace, "value": plant}]
            product.ask("POST", "/v1/context", {"keys": keys, "purpose": f"for {plant}"[:64]}, key="read")
        order = {"from": {"namespace": "customer", "value": plant}, "into": "customer:c-0", "reason": f"says {plant}"}
        product.ask("POST", "/v1/identity/join", order, key="admin")


def _all_is_there(product: Product, stored: int, aside: int) -> bool:
    counts = {
        table: product.sql(f"SELECT toUInt32(count()) AS n FROM {table} FINAL")[0]["n"]
        for table in ("interactions", "rejected")
    }
    assert counts == {"interactions": stored, "rejected": aside}
    assert product.sql("SELECT toUInt32(count()) AS n FROM observations FINAL")[0]["n"] == len(PLANTS)
    return bool(product.sql("SELECT * FROM customer_scores LIMIT 1"))


async def _places(product: Product) -> list[TopicPartition]:
    """Every partition of every topic but Kafka's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{product.kafka_port}")
    await admin.start()
    try:
        topics = [name for name in await admin.list_topics() if not name.startswith("__")]
        told = await admin.describe_topics(topics)
        return [TopicPartition(each["topic"], place["partition"]) for each in told for place in each["partitions"]]
    finally:
        await admin.close()


async def _records(product: Product) -> list[Any]:
    """Every record of every topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{product.kafka_port}", isolation_level="read_uncommitted")
    await consumer.start()
    try:
        places = await _places(product)
        ends = await consumer.end_offsets(places)
        begins = await consumer.beginning_offsets(places)
        waiting = {place for place in places if begins[place] < ends[place]}
        consumer.assign(list(waiting))
        await consumer.seek_to_beginning()
        found: list[Any] = []
        async with asyncio.timeout(60):
            while waiting:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
                waiting = {place for place in waiting if await consumer.position(place) < ends[place]}
        return found
    finally:
        await consumer.stop()


@pytest.fixture(scope="module")
def records(product: Product) -> list[Any]:
    return asyncio.run(_records(product))


def test_what_is_looked_for_would_be_found(records: list[Any]) -> None:
    """In the declared places it is, in every spelling: so the search works."""
    for topic in ("interactions.web", "interactions.rejected", "stitch.changelog"):
        values = [each.value.decode("latin-1") for each in records if each.topic == topic and each.value]
        assert {needle for value in values for needle in found_in(value)} == set(NEEDLES), topic


def test_no_key_of_a_record_holds_any(records: list[Any]) -> None:
    keyed = [each for each in records if each.key]
    assert {each.topic for each in keyed} >= {"timelines", "identities", "stitch.changelog", "interactions.web"}
    held = [(each.topic, each.key) for each in keyed if found_in(each.key.decode("latin-1"))]
    assert not held


def test_no_topic_but_the_declared_ones_holds_any(records: list[Any]) -> None:
    others = [each for each in records if each.topic not in DECLARED]
    assert {each.topic for each in others} >= {
        "timelines",
        "identity.evidence",
        "identities",
        "scores.touchpoints",
        "observations",
        "audit",
    }
    held = [(each.topic, each.value) for each in others if each.value and found_in(each.value.decode("latin-1"))]
    assert not held
    assert not [each.headers for each in records if each.headers and found_in(str(each.headers))]


def test_no_row_of_clickhouse_holds_any(product: Product) -> None:
    # A view that takes parameters shows what others do.
    known = (
        "SELECT name FROM system.tables WHERE database = 'throughline' AND NOT match(create_table_query, '[{]\\\\w+:')"
    )
    names = [row["name"] for row in product.sql(known)]
    assert {"interactions", "rejected", "identities", "touchpoint_scores", "interactions_by_person"} <= set(names)
    read = 0
    for name in names:
        rows = product.sql(f"SELECT * FROM {name}")
        read += len(rows)
        held = [(name, leaf) for row in rows for leaf in leaves(row) if found_in(leaf)]
        assert not held
    assert read > 500


def test_no_log_holds_any(product: Product) -> None:
    files = [path for path in (product.home / "logs").rglob("*") if path.is_file()]
    assert files
    held = [
        (path.name, line)
        for path in files
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if found_in(line)
    ]
    assert not held
    assert not found_in("".join(product.printed))


def test_no_metric_holds_any(product: Product) -> None:
    told = product.ask("GET", "/metrics")
    assert "throughline" in told.text
    assert not found_in(told.text)


def test_who_serves_the_person_sees_what_was_written(product: Product) -> None:
    """Cleaning is for analysis: the context shows the texts as they are."""
    shown = json.dumps(product.context("customer", "c-0-web"))
    assert "zqplanted" in found_in(shown)


def test_names_of_folders_hold_none(product: Product) -> None:
    assert not [path for path in Path(product.home).rglob("*") if found_in(path.name)]
