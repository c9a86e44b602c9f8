"""A schema registry beside Kafka: what is registered, what is asked for, and what is waited for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline import keys, wire
from pipeline.collect.app import create_app
from pipeline.domain.identifiers import Keyring
from pipeline.domain.rules import Rules
from pipeline.registry import CONTENT_TYPE, Patience, Registry, RegistryFailed
from pipeline.settings import BadSetting, Settings
from pipeline.stitch.process import Stitch
from pipeline.topics import CHANNEL_TOPICS, REJECTED, TIMELINES, written_by
from tests.fakes import FakeBatch, FakeRecord
from tests.interactions import SCORING
from tests.unit.test_wire import EVENT, by_library

SCHEMAS = Path(__file__).parents[2] / "schemas"
WEB = next(topic for topic in CHANNEL_TOPICS if topic.schema == "interaction_web")
QUICK = Patience(request_s=2.0, register_s=5.0, retry_s_min=0.01, retry_s_max=0.02, absent_s=60.0)
FIELDS = json.loads((SCHEMAS / "avro" / "interaction_web.avsc").read_text())["fields"]
NAMED = {"type": "record", "name": "interaction_web", "namespace": "throughline"}


class FakeRegistry:
    """The Confluent API over a list of schemas: the id is the place in it. `faults` come first, one a request."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = [{"schema": '"null"'}]  # ids begin with 1
        self.faults: list[web.Response] = []
        self.away = False
        self.asked: list[str] = []  # paths
        self.refused = asyncio.Event()
        self.url = ""

    def add(self, schema: Any, **more: Any) -> int:
        answer = {"schema": schema if isinstance(schema, str) else json.dumps(schema), **more}
        if answer not in self.answers:
            self.answers.append(answer)
        return self.answers.index(answer)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.away:
            self.refused.set()
            return web.Response(status=503)
        if self.faults:
            return self.faults.pop(0)
        if request.method == "POST":
            assert request.headers["Content-Type"] == CONTENT_TYPE
            return web.json_response({"id": self.add((await request.json())["schema"])})
        number = int(request.match_info["id"])
        if number < len(self.answers):
            return web.json_response(self.answers[number])
        return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[FakeRegistry]:
        app = web.Application()
        app.router.add_post("/api/subjects/{subject}/versions", self.handle)
        app.router.add_get("/api/schemas/ids/{id}", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
async def fake() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry().served() as fake:
        yield fake


@dataclass
class Value:
    value: bytes | None


def framed(schema_id: int, body: bytes) -> bytes:
    return b"\x00" + schema_id.to_bytes(4) + body


def codec_of(fake: FakeRegistry, patience: Patience = QUICK) -> tuple[wire.Codec, Registry]:
    codec = wire.Codec(SCHEMAS)
    return codec, Registry(fake.url, codec, patience)


SINGLE = wire.Codec(SCHEMAS).encode("interaction_web", EVENT)
BODY = SINGLE[wire.HEADER :]


async def test_without_a_registry_nothing_changes() -> None:
    codec = wire.Codec(SCHEMAS)
    registry = Registry("", codec)
    await registry.register(CHANNEL_TOPICS)
    assert await registry.learn([Value(framed(1, BODY))])
    assert codec.encode("interaction_web", EVENT) == SINGLE
    with pytest.raises(wire.UnknownSchema, match="no schema registry is configured"):
        codec.decode(framed(1, BODY))


async def test_what_is_registered_is_written_by_its_id_and_read_back(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake)
    await registry.register(written_by("stitch"))  # those in MessagePack and JSON have no schema
    avro = {"timelines", "scores.customers", "scores.touchpoints", "interactions.rejected", "tallies"}
    assert set(fake.asked) == {f"/api/subjects/{topic}-value/versions" for topic in avro}
    await registry.register([WEB])
    number = len(fake.answers) - 1
    assert json.loads(fake.answers[number]["schema"]) == codec.schema("interaction_web")
    data = codec.encode("interaction_web", EVENT)
    assert data == framed(number, BODY)
    assert codec.decode(data) == codec.decode(SINGLE) == ("interaction_web", EVENT)


async def test_every_process_gets_the_same_ids(fake: FakeRegistry) -> None:
    one, other = codec_of(fake), codec_of(fake)
    for _, registry in (one, other):
        await registry.register(CHANNEL_TOPICS)
    assert len(fake.answers) == 1 + len(CHANNEL_TOPICS)
    assert one[0].encode("interaction_web", EVENT) == other[0].encode("interaction_web", EVENT)


async def test_an_older_and_a_newer_version_are_read_by_their_ids(fake: FakeRegistry) -> None:
    older = NAMED | {"fields": [f for f in FIELDS if f["name"] != "goal"] + [{"name": "gone", "type": "long"}]}
    newer = NAMED | {"fields": [{"name": "more", "type": "string"}, *FIELDS]}
    codec, registry = codec_of(fake)
    records = [
        Value(
            framed(fake.add(older), by_library(older, {k: v for k, v in EVENT.items() if k != "goal"} | {"gone": 7}))
        ),
        Value(framed(fake.add(newer), by_library(newer, EVENT | {"more": "x"}))),
    ]
    assert await registry.learn(records)
    assert codec.decode(records[0].value or b"") == ("interaction_web", EVENT | {"goal": ""})
    assert codec.decode(records[1].value or b"") == ("interaction_web", EVENT)


async def test_an_id_is_asked_for_once_and_values_of_other_kinds_not_at_all(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake)
    number = fake.add(codec.schema("interaction_web"), schemaType="AVRO")
    records = [Value(framed(number, BODY)), Value(SINGLE), Value(None), Value(b""), Value(b"\x00\x00"), Value(b"{}")]
    for _ in range(3):
        assert await registry.learn(records)
    assert fake.asked == [f"/api/schemas/ids/{number}"]
    assert codec.decode(framed(number, BODY)) == codec.decode(SINGLE)


FOREIGN = {
    "other-name": {**NAMED, "name": "parcel", "fields": FIELDS},
    "other-namespace": {**NAMED, "namespace": "shop", "fields": FIELDS},
    "lacks-a-field": {**NAMED, "fields": [f for f in FIELDS if f["name"] != "event_id"]},
    "other-type": {**NAMED, "fields": [{"name": "event_id", "type": "long"}, *FIELDS[1:]]},
    "no-record": "string",
    "union": ["null", "string"],
    "no-schema": {"type": "record"},
    "number": 7,
    "parsed": {**NAMED, "__fastavro_parsed__": True, "fields": 7},
    "unknown-type": {**NAMED, "fields": [*FIELDS, {"name": "more", "type": "shop.Parcel"}]},
    "recursive": {**NAMED, "fields": [*FIELDS, {"name": "more", "type": ["null", "interaction_web"]}]},
}


@pytest.mark.parametrize("schema", FOREIGN.values(), ids=FOREIGN)
async def test_a_schema_that_is_none_of_ours_is_unknown(fake: FakeRegistry, schema: Any) -> None:
    codec, registry = codec_of(fake)
    number = fake.add(json.dumps(schema))
    assert await registry.learn([Value(framed(number, BODY))])
    with pytest.raises(wire.UnknownSchema, match=f"schema {number} of the registry"):
        codec.decode(framed(number, BODY))


def nested(depth: int) -> Any:
    schema: Any = "string"
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def doubling(levels: int) -> list[dict[str, Any]]:
    """Fields whose reading would take 2**levels lines."""
    fields: list[dict[str, Any]] = [{"name": "a", "type": "string"}]
    for n in range(levels):
        inner = {"type": "record", "name": f"r{n}", "fields": fields}
        fields = [{"name": "a", "type": inner}, {"name": "b", "type": f"r{n}"}]
    return fields


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("{", {}),
        ("[" * 100_000, {}),
        (
            json.dumps(NAMED | {"fields": [*FIELDS, {"name": "deep", "type": nested(9)}]}),
            {"references": [{"name": "x"}]},
        ),
        (json.dumps(NAMED | {"fields": [*FIELDS, {"name": "deep", "type": nested(15)}]}), {}),
        (json.dumps(NAMED | {"fields": [*FIELDS, {"name": "deep", "type": nested(200)}]}), {}),
        (json.dumps(NAMED | {"fields": [*FIELDS, *doubling(24)]}), {}),
        ('"' + "x" * (1 << 20) + '"', {}),
        ('syntax = "proto3";', {"schemaType": "PROTOBUF"}),
    ],
    ids=["no-json", "brackets", "references", "deep", "deeper", "exploding", "large", "protobuf"],
)
async def test_a_schema_that_would_cost_too_much_is_unknown(fake: FakeRegistry, text: str, more: Any) -> None:
    codec, registry = codec_of(fake)
    number = fake.add(text, **more)
    assert await registry.learn([Value(framed(number, BODY))])
    with pytest.raises(wire.UnknownSchema):
        codec.decode(framed(number, BODY))


async def test_depths_that_are_allowed_compile(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake)
    for depth in range(1, 10):
        schema = NAMED | {"fields": [{"name": "deep", "type": nested(depth)}, *FIELDS]}
        deep: Any = "x"
        for _ in range(depth):
            deep = [deep]
        data = framed(fake.add(schema), by_library(schema, EVENT | {"deep": deep}))
        assert await registry.learn([Value(data)])
        assert codec.decode(data) == ("interaction_web", EVENT)


async def test_an_absent_id_is_unknown_and_asked_for_again_after_a_while(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake)
    data = framed(1, BODY)
    for _ in range(2):
        assert await registry.learn([Value(data)])
        with pytest.raises(wire.UnknownSchema, match="schema 1 of the registry: it has none"):
            codec.decode(data)
    assert len(fake.asked) == 1
    codec, registry = codec_of(fake, Patience(absent_s=0.0))
    assert await registry.learn([Value(data)])
    assert fake.add(codec.schema("interaction_web")) == 1
    assert await registry.learn([Value(data)])
    assert codec.decode(data) == codec.decode(SINGLE)


async def test_an_id_that_no_registry_can_have_is_not_asked_for(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake)
    data = framed(1 << 31, BODY)
    assert await registry.learn([Value(data)])
    assert not fake.asked
    with pytest.raises(wire.UnknownSchema):
        codec.decode(data)


async def test_a_registry_that_is_away_is_waited_for(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake)
    number = fake.add(codec.schema("interaction_web"))
    fake.away = True
    learning = asyncio.create_task(registry.learn([Value(framed(number, BODY))]))
    await asyncio.wait_for(fake.refused.wait(), 5)
    fake.refused.clear()
    await asyncio.wait_for(fake.refused.wait(), 5)
    assert not learning.done()
    fake.away = False
    assert await asyncio.wait_for(learning, 5)
    assert codec.decode(framed(number, BODY)) == codec.decode(SINGLE)


async def test_nobody_listening_is_waited_for_until_told_to_stop() -> None:
    async with FakeRegistry().served() as gone:
        pass
    _, registry = codec_of(gone)
    stop = asyncio.Event()
    learning = asyncio.create_task(registry.learn([Value(framed(1, BODY))], stop))
    assert not (await asyncio.wait([learning], timeout=0.2))[0]
    stop.set()
    assert await asyncio.wait_for(learning, 5) is False


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500},
        {"status": 401, "text": '{"error_code": 40101}'},
        {"status": 404, "text": "<html>"},
        {"status": 404, "text": '{"error_code": 404}'},
        {"status": 302, "headers": {"Location": "/elsewhere"}},
        {"status": 200, "text": "<html>"},
        {"status": 200, "text": "[]"},
        {"status": 200, "text": '{"schema": 7}'},
    ],
    ids=str,
)
async def test_an_answer_that_says_nothing_about_the_id_is_trouble(fake: FakeRegistry, answer: dict[str, Any]) -> None:
    codec, registry = codec_of(fake)
    number = fake.add(codec.schema("interaction_web"))
    fake.faults = [web.Response(**answer)]
    assert await registry.learn([Value(framed(number, BODY))])
    assert codec.decode(framed(number, BODY)) == codec.decode(SINGLE)


async def test_registering_waits_a_while_for_a_registry_that_is_away(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake)
    fake.faults = [web.Response(status=503), web.Response(status=200, text="{}")]
    await registry.register([WEB])
    assert codec.encode("interaction_web", EVENT)[:1] == b"\x00"


async def test_registering_ends_with_an_error_that_says_what_to_do(fake: FakeRegistry) -> None:
    fake.away = True
    host = fake.url.removeprefix("http://")
    codec = wire.Codec(SCHEMAS)
    registry = Registry(f"http://someone:secret@{host}", codec, Patience(register_s=0.1, retry_s_min=0.01))
    with pytest.raises(RegistryFailed, match=r"interactions.web-value within 0.1 s: it answers 503. Start it") as said:
        await registry.register([WEB])
    assert "secret" not in str(said.value)
    assert codec.encode("interaction_web", EVENT) == SINGLE


async def test_a_schema_that_the_registry_refuses_ends_at_once(fake: FakeRegistry) -> None:
    _, registry = codec_of(fake)
    fake.faults = [web.json_response({"error_code": 409, "message": "incompatible"}, status=409)]
    with pytest.raises(RegistryFailed, match=r"answers 409 \(incompatible\)"):
        await registry.register([WEB])
    assert len(fake.asked) == 1


async def test_a_collector_that_cannot_register_says_why(
    fake: FakeRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(home=tmp_path, schema_registry=fake.url)
    app = create_app(settings, keys.load_or_create(settings))
    fake.faults = [web.Response(status=403)]
    with pytest.raises(RegistryFailed):
        await app.router.lifespan_context(app).__aenter__()
    assert "interactions.web-value: it answers 403" in capsys.readouterr().err


async def test_what_it_remembers_is_bounded_but_never_less_than_the_batch(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake, Patience(ids_max=4))
    batch = [Value(framed(number, BODY)) for number in range(100, 110)]
    assert await registry.learn(batch)
    for each in batch:
        with pytest.raises(wire.UnknownSchema):
            codec.decode(each.value or b"")
    assert await registry.learn(batch[-1:])
    with pytest.raises(wire.Unlearnt):
        codec.decode(batch[0].value or b"")
    assert len(fake.asked) == 10


@pytest.mark.parametrize("url", ["registry:8081", "ftp://registry", "http://", "http://h:port", "http://h/?a=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadSetting, match="THROUGHLINE_SCHEMA_REGISTRY"):
        Registry(url, wire.Codec(SCHEMAS))


async def test_both_formats_in_one_batch_of_stitch(fake: FakeRegistry) -> None:
    codec, registry = codec_of(fake)
    await registry.register(written_by("stitch"))
    plain, numbered = wire.Codec(SCHEMAS), wire.Codec(SCHEMAS)
    await Registry(fake.url, numbered, QUICK).register(CHANNEL_TOPICS)
    phone = numbered.encode("interaction_phone", EVENT | {"event_id": "e3", "details": None})
    values = [
        plain.encode("interaction_web", EVENT | {"event_id": "e1"}),
        numbered.encode("interaction_web", EVENT | {"event_id": "e2"}),
        phone,  # on another channel's topic
        framed(fake.add(FOREIGN["other-name"]), BODY),
        framed(999, BODY),
        numbered.encode("interaction_web", EVENT | {"event_id": "e4"})[:-1],
    ]
    sources = [FakeRecord(WEB.name, 0, n, 1_763_805_600_000, None, value) for n, value in enumerate(values)]
    assert await registry.learn(sources)
    batch = FakeBatch(0, sources=sources)
    stitching = Stitch(codec, Keyring({"k1": bytes(32)}, "k1"), Rules(scoring=SCORING), 1, "US")
    for _ in stitching.process(batch):
        pass
    entries = [codec.decode(each.value or b"")[1] for each in batch.to(TIMELINES.name)]
    assert [each["event_id"] for each in entries] == ["e1", "e2"]
    assert all((each.value or b"")[:1] == b"\x00" for each in batch.to(TIMELINES.name))
    rejected = [codec.decode(each.value or b"")[1] for each in batch.to(REJECTED.name)]
    assert [(each["offset"], each["reason"]) for each in rejected] == [
        (2, "unknown_schema"),
        (3, "unknown_schema"),
        (4, "unknown_schema"),
        (5, "broken_avro"),
    ]
    assert rejected[2]["detail"] == "schema 999 of the registry: it has none"
    assert rejected[0]["value"] == phone
