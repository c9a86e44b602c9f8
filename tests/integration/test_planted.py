"""Personal data planted in every field of events on every channel, by every way in, and looked for wherever it must not
be: in the keys of Kafka's records, in the topics that hold none, in logs, metrics and decoded rows of ClickHouse, and
in whatever names a page or says where to go: paths, links, headers. Looked for before and after somebody was erased.

Where it may be is declared: the values of the channels' topics (events as they were sent), of interactions.rejected
(the same, set aside), and of the worker's state and inbox (what who serves the person sees). The name of somebody who
works here may be there, and nowhere else but on the desk.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.domain.interaction import CHANNELS, NAMESPACES
from pipeline.wire import Codec, header
from tests.examples import whole
from tests.integration.browsing import Browser, Page
from tests.integration.planting import (
    AGENT_NEEDLE,
    NEEDLES,
    NOW,
    PLANTS,
    SCHEMAS,
    events,
    found_in,
    leaves,
    refused,
)
from tests.system.product import Product, eventually, running

CODEC = Codec(SCHEMAS)
pytestmark = pytest.mark.sized

PURPOSE = {"Throughline-Purpose": "test"}
ERASED = "c-1-phone"  # a customer with an event of every field
DECLARED = {
    "interactions.rejected",
    "stitch.changelog",
    "profiles.inbox",
    *(f"interactions.{each}" for each in CHANNELS),
}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A stack that has seen all of it."""
    with running(tmp_path_factory.mktemp("planted"), PHONE_REGION="US") as product:
        sent = _send_over_http(product) + asyncio.run(_write_to_kafka(product))
        _ask(product)
        eventually(lambda: _all_is_there(product, *sent_in_all(sent)), 60)
        yield product


@pytest.fixture(scope="module")
def pages(product: Product) -> list[Page]:
    """The desk's pages: found by every plant, and wherever they lead."""
    browser = Browser(product)
    browser.go("GET", "/desk")
    wanted: list[str] = []
    for plant, _ in PLANTS.values():
        for text in (plant, *(f"{namespace}:{plant}" for namespace in (NAMESPACES if whole() else ("phone",)))):
            found = browser.go("POST", "/desk/search", q=text)
            wanted += (
                [found.location] if found.status == 303 else [each for each in found.links if "customers/" in each]
            )
    wanted += [f"/desk/customers/customer:c-{n}-phone" for n in range(len(PLANTS))]
    for path in dict.fromkeys(wanted):
        card = browser.card(path)
        assert card.status == 200, path
        for link in dict.fromkeys(each for each in card.links if each.startswith(("/desk/identity", "/desk/older"))):
            assert browser.go("GET", link.replace("&amp;", "&")).status == 200, link
    return browser.seen


@dataclass
class Erased:
    """What somebody was told, and what became of them."""

    lines: list[dict[str, Any]]
    said: list[str]  # all that else was answered
    records: list[Any]  # of Kafka, afterwards


@pytest.fixture(scope="module")
def erased(product: Product, records: list[Any], pages: list[Page]) -> Erased:
    """Export and erase somebody, with plants in the reasons, and refuse to erase those who are nobody for certain."""
    assert records
    assert pages
    said, lines = [], list[dict[str, Any]]()
    for plant, _ in PLANTS.values():
        asked = {"id": f"customer:{ERASED}", "reason": f"asked by {plant}"}
        told = product.ask("POST", "/v1/privacy/export", asked, key="admin")
        lines = [json.loads(line) for line in told.text.splitlines()]
        for namespace in ("email", "phone"):
            asked = {"id": {"namespace": namespace, "value": plant}, "reason": f"says {plant}"}
            said.append(product.ask("POST", "/v1/privacy/erase", asked, key="admin").text)
    asked = {"id": f"customer:{ERASED}", "reason": f"says {PLANTS['address'][0]}"}
    url = product.ask("POST", "/v1/privacy/erase", asked, key="admin").json["status_url"]

    def finished() -> Any:
        told = product.ask("GET", url, key="admin")
        assert told.json["state"] == "finished", told.json["steps"]
        return told

    said += [url, eventually(finished, 60).text]
    headers = {"Throughline-Purpose": f"for {PLANTS['card'][0]}"}
    said.append(product.ask("GET", "/v1/identity/orders", key="admin", headers=headers).text)
    return Erased(lines, said, asyncio.run(_records(product)))


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
    _account(product)
    return sent


def _observe(product: Product) -> None:
    """Observations: in a note the plants are taken out, in a name they are refused."""
    for n, (plant, _) in enumerate(PLANTS.values()):
        good = {"observation_id": f"o-{n}", "source": "planted", "touchpoint": "dispatch", "observed_at": NOW}
        good |= {"kind": "staff", "measure": "handover_late_min", "value": n, "note": f"it is {plant}, really"}
        bad = [good | {name: plant} for name in ("observation_id", "source", "touchpoint", "measure", "kind", "value")]
        answer = product.ask("POST", "/v1/observations", {"observations": [good, *bad]}, key="ingest")
        assert (answer.json["accepted"], len(answer.json["rejected"])) == (1, len(bad)), answer.text


def _account(product: Product) -> None:
    """Outcomes and changes: of whom they are is keyed, in an id it is hashed, elsewhere it is refused or taken out."""
    for n, (plant, _) in enumerate(PLANTS.values()):
        good = {"outcome_id": f"r-{n}", "source": "planted", "kind": "refund", "occurred_at": NOW}
        good |= {"identifiers": {"customer": "c-0"}, "amount": -1, "currency": "USD"}
        tried = [good, good | {"outcome_id": f"credit for {plant}"}]
        tried += [good | {"outcome_id": f"of-{n}-{each}", "identifiers": {each: plant}} for each in NAMESPACES]
        answer = product.ask("POST", "/v1/outcomes", {"outcomes": tried}, key="ingest")
        assert answer.json["accepted"] >= 2, answer.text
        bad = [good | {name: plant} for name in ("kind", "currency", "amount", "occurred_at")]
        assert product.ask("POST", "/v1/outcomes", {"outcomes": bad}, key="ingest").json["accepted"] == 0
        change = {"change_id": f"c-{n}", "touchpoint": "dispatch", "on": "2025-11-24", "what": f"Ask {plant} first."}
        assert product.ask("POST", "/v1/changes", change, key="admin").status == 200
        for name in ("change_id", "touchpoint", "on"):
            assert product.ask("POST", "/v1/changes", change | {name: plant}, key="admin").status == 400


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
        for path in ("identity", "timeline"):  # keyed forms only may stand there: these are refused
            answer = product.ask("GET", f"/v1/customers/{quote(f'phone:{plant}')}/{path}", key="read", headers=PURPOSE)
            assert answer.status == 400


def _all_is_there(product: Product, stored: int, aside: int) -> bool:
    counts = {
        table: product.sql(f"SELECT toUInt32(count()) AS n FROM {table} FINAL")[0]["n"]
        for table in ("interactions", "rejected")
    }
    assert counts == {"interactions": stored, "rejected": aside}
    assert product.sql("SELECT toUInt32(count()) AS n FROM observations FINAL")[0]["n"] == len(PLANTS)
    assert product.sql("SELECT toUInt32(count()) AS n FROM changes_current")[0]["n"] == len(PLANTS)
    assert product.sql("SELECT toUInt32(count()) AS n FROM business_results")[0]["n"] >= 2 * len(PLANTS)
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
    for topic in ("interactions.phone", "interactions.rejected", "stitch.changelog"):
        values = [each.value.decode("latin-1") for each in records if each.topic == topic and each.value]
        named = {AGENT_NEEDLE} if topic != "interactions.rejected" else set()
        assert {needle for value in values for needle in found_in(value)} == {*NEEDLES, *named}, topic


def test_no_key_of_a_record_holds_any(records: list[Any], erased: Erased) -> None:
    keyed = [each for each in (*records, *erased.records) if each.key]
    assert {each.topic for each in keyed} >= {"timelines", "identities", "stitch.changelog", "interactions.web"}
    held = [(each.topic, each.key) for each in keyed if found_in(each.key.decode("latin-1"))]
    assert not held


def test_no_topic_but_the_declared_ones_holds_any(records: list[Any], erased: Erased) -> None:
    others = [each for each in (*records, *erased.records) if each.topic not in DECLARED]
    assert {each.topic for each in others} >= {
        "timelines",
        "identity.evidence",
        "identities",
        "scores.touchpoints",
        "observations",
        "outcomes",
        "changes",
        "audit",
    }
    held = [(each.topic, each.value) for each in others if each.value and found_in(each.value.decode("latin-1"))]
    assert not held
    assert not [each.headers for each in records if each.headers and found_in(str(each.headers))]


@pytest.mark.usefixtures("erased")
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


@pytest.mark.usefixtures("erased")
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


@pytest.mark.usefixtures("erased")
def test_no_metric_holds_any(product: Product) -> None:
    told = product.ask("GET", "/metrics")
    assert "throughline" in told.text
    assert not found_in(told.text)


def test_who_serves_the_person_sees_what_was_written(product: Product) -> None:
    """Cleaning is for analysis: the context shows the texts as they are."""
    shown = json.dumps(product.context("customer", "c-0-web"))
    assert "zqplanted" in found_in(shown)


def unfolded(link: str) -> str:
    """A link with what stands in it in base64, as places in a timeline do."""
    query = urlsplit(link.replace("&amp;", "&")).query
    told = [link]
    for part in re.findall(r"[\w-]{16,}", unquote(query)):
        try:
            told.append(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue
    return " ".join(told)


def test_no_link_or_header_of_the_desk_holds_any(pages: list[Page]) -> None:
    assert len([each for each in pages if each.location]) > 2 * len(PLANTS)
    links = [link for page in pages for link in page.links]
    assert {urlsplit(link).path for link in links} >= {"/desk/search", "/desk/older", "/desk/identity"} - {
        "/desk/older"
    }
    assert any('"' in unfolded(link) for link in links), "no place in a timeline was unfolded"
    assert not [link for link in links if found_in(unfolded(link))]
    assert not [header for page in pages for header in page.headers if found_in(str(header))]
    assert any("zqplanted" in found_in(page.body) for page in pages), "whoever serves the person sees what was written"


def test_who_somebody_is_is_told_without_any(product: Product) -> None:
    seen = 0
    for n in range(len(PLANTS)):
        for customer in (f"c-{n}", f"c-{n}-phone"):
            answer = product.ask("GET", f"/v1/customers/customer:{customer}/identity", key="read", headers=PURPOSE)
            assert answer.status == 200
            seen += sum(len(row["evidence"]) for row in answer.json["identifiers"])
            assert not found_in(answer.text), answer.text
            assert not found_in(str(answer.headers))
    assert seen > len(PLANTS)


def test_programs_are_told_of_nobody_who_works_here(product: Product, erased: Erased) -> None:
    for n in range(len(PLANTS)):
        if f"c-{n}-phone" != ERASED:
            context = product.context("customer", f"c-{n}-phone")
            assert "agent" in context["timeline"][0]["details"]
            path = f"/v1/customers/customer:c-{n}-phone/timeline"
            timeline = product.ask("GET", path, key="read", headers=PURPOSE).text
            assert AGENT_NEEDLE not in found_in(json.dumps(context) + timeline)
    told = json.dumps(erased.lines)
    assert {NEEDLES[1]} <= set(found_in(told)), "the person is told what they said"
    assert AGENT_NEEDLE not in found_in(told)


def test_what_is_said_of_an_erasure_holds_none(erased: Erased) -> None:
    assert not [text for text in erased.said if found_in(text)]
    assert erased.lines[-1]["value"]["complete"]
    assert not [line["where"] for line in erased.lines if found_in(line["where"])]


def test_names_of_folders_hold_none(product: Product) -> None:
    assert not [path for path in Path(product.home).rglob("*") if found_in(path.name)]
