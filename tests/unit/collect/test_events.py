"""Single events: what is accepted, and the reason and detail for what is not."""

from __future__ import annotations

import contextlib
import json
from dataclasses import fields
from typing import Any

import msgspec
import pytest

from pipeline.collect.event import Answer, Event, Events, Item
from pipeline.collect.limits import Limits
from pipeline.collect.reference import event_schema
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import CHANNELS
from pipeline.domain.reasons import Rejected
from pipeline.domain.validate import interaction
from pipeline.wire import EVENT_BYTES, Codec
from tests.collecting import KEYS, NOON, event
from tests.unit.collect.conftest import SCHEMAS, Site

ALL = event(
    sent_at="2025-11-22T10:00:01Z",
    session_id="s-1",
    goal="buy",
    issue="late",
    about="e-0",
    items=[{"product": "p", "quantity": 2, "price": 9.5, "name": "n"}, {"product": "q"}],
    answer={"question": "nps", "value": 9, "min": 0, "max": 10},
    measures={"results": 12, "amount": 1.5},
    properties={"query": "espresso"},
    consent={"analysis": False},
    details={"url": "/", "device": None},
)


async def test_every_field_arrives(site: Site) -> None:
    assert (await site.send(ALL)).json() == {"accepted": 1, "rejected": []}
    assert site.written() == [
        {
            **{name: value for name, value in ALL.items() if name != "channel"},
            "public": False,
            "sent_at": NOON + 1000,
            "received_at": NOON + 1000,
            "items": [
                {"product": "p", "quantity": 2.0, "price": 9.5, "name": "n"},
                {"product": "q", "quantity": 1.0, "price": None, "name": ""},
            ],
            "details": {"url": "/", "referrer": None, "device": None, "browser": None, "campaign": None},
        }
    ]


async def test_null_in_an_optional_field_is_leaving_it_out(site: Site) -> None:
    optional = set(ALL) - set(event())
    assert (await site.send(event(**dict.fromkeys(optional)), event())).json()["accepted"] == 2
    with_nulls, without = site.written()
    assert with_nulls == without


@pytest.mark.parametrize(
    ("given", "ms"),
    [
        (NOON, NOON),
        ("2025-11-22T10:00:00Z", NOON),
        ("2025-11-22T11:00:00+01:00", NOON),
        ("2025-11-22T10:00:00.123456Z", NOON + 123),
        ("2025-11-22t10:00:00.999999999z", NOON + 1000),
        (631_152_000_000, 631_152_000_000),
    ],
)
async def test_times(site: Site, given: Any, ms: int) -> None:
    assert (await site.send(event(occurred_at=given))).json()["accepted"] == 1
    assert site.written()[0]["occurred_at"] == ms


TIME = "must be a time in RFC 3339 with its offset, or whole milliseconds since 1970"

BAD: list[tuple[Any, str, str]] = [
    # the event as a whole
    (5, "wrong_type", "the event: must be an object, not a whole number"),
    ([event()], "wrong_type", "the event: must be an object, not a list"),
    ({}, "missing_field", "event_id"),
    # fields
    (event(event_id=...), "missing_field", "event_id"),
    (event(source=...), "missing_field", "source"),
    (event(channel=...), "missing_field", "channel"),
    (event(type=...), "missing_field", "type"),
    (event(touchpoint=...), "missing_field", "touchpoint"),
    (event(occurred_at=...), "missing_field", "occurred_at"),
    (event(identifiers=...), "missing_field", "identifiers"),
    (event(source=""), "missing_field", "source"),
    (event(source=None), "wrong_type", "source: must be text, not null"),
    (event(type=7), "wrong_type", "type: must be text, not a whole number"),
    (event(session_id=["s"]), "wrong_type", "session_id: must be text or null, not a list"),
    (event(sesion_id="s"), "wrong_type", "sesion_id: no such field; is it session_id?"),
    (event(colour="red"), "wrong_type", "colour: no such field; your own fields belong in properties"),
    (event(received_at=NOON), "wrong_type", "received_at: no such field"),
    (event(source="x" * 257), "oversize", "source: longer than 256"),
    (event(source="a\x00b"), "bad_value", "source: holds control"),
    (event(channel="television"), "unknown_channel", "channel: none of web"),
    (event(channel=""), "unknown_channel", "channel"),
    (event(type="ad_viewed"), "not_an_interaction", "type: ad_viewed"),
    (event(type="newsletter_opened", channel="message"), "not_an_interaction", "type"),
    # times
    (event(occurred_at="yesterday"), "wrong_type", f"occurred_at: {TIME}"),
    (event(occurred_at="2025-11-22T10:00:00"), "wrong_type", f"occurred_at: {TIME}"),
    (event(occurred_at="2025-11-22"), "wrong_type", f"occurred_at: {TIME}"),
    (event(occurred_at="2025-13-40T10:00:00Z"), "wrong_type", f"occurred_at: {TIME}"),
    (event(occurred_at=1.5), "wrong_type", f"occurred_at: {TIME}"),
    (event(occurred_at=True), "wrong_type", f"occurred_at: {TIME}"),
    (event(sent_at="now"), "wrong_type", f"sent_at: {TIME}"),
    (event(occurred_at=1_763_805_600), "absurd_time", "occurred_at"),
    (event(occurred_at=NOON * 1000), "absurd_time", "occurred_at"),
    (event(occurred_at=10**30), "absurd_time", "occurred_at"),
    (event(occurred_at=-1), "absurd_time", "occurred_at"),
    (event(occurred_at="0001-01-01T00:00:00+10:00"), "absurd_time", "occurred_at"),
    (event(sent_at=0), "absurd_time", "sent_at"),
    # identifiers
    (event(identifiers={}), "no_identifier", "identifiers"),
    (event(identifiers=None), "wrong_type", "identifiers: must be an object, not null"),
    (event(identifiers={"customer": 4711}), "wrong_type", "identifiers.customer: must be text, not a whole number"),
    (event(identifiers={"customer": "guest"}), "placeholder_identifier", "identifiers.customer"),
    (event(identifiers={"customer": "0000"}), "placeholder_identifier", "identifiers.customer"),
    (event(identifiers={"anonymous": "[object Object]"}), "placeholder_identifier", "identifiers.anonymous"),
    (event(identifiers={"passport": "x"}), "unknown_namespace", "identifiers"),
    (event(identifiers={"phone": "ring me"}), "bad_identifier", "identifiers.phone"),
    (event(identifiers={"email": "nobody"}), "bad_identifier", "identifiers.email"),
    (event(identifiers={"customer": "x" * 257}), "bad_identifier", "identifiers.customer"),
    # the rest
    (event(properties={"a": 5}), "wrong_type", "properties.a: must be text, not a whole number"),
    (event(properties={"a": "b", "c": None}), "wrong_type", "properties.c: must be text, not null"),
    (event(properties=[]), "wrong_type", "properties: must be an object or null, not a list"),
    (event(measures={"a": 1, "b": "2"}), "wrong_type", "measures.b: must be a number, not text"),
    (event(measures={"a": True}), "wrong_type", "measures.a: must be a number, not true or false"),
    (event(measures={"a": 1e300}), "bad_value", "measures.a"),
    (event(consent={"marketing": True}), "bad_value", "consent: none of analysis, service"),
    (event(consent={"ads": "yes"}), "wrong_type", "consent.ads: must be true or false, not text"),
    (event(items=[{"product": "p"}, {"quantity": 1}]), "missing_field", "items[1].product"),
    (event(items=[{"product": 1}]), "wrong_type", "items[0].product: must be text, not a whole number"),
    (event(items=[{"product": "p", "quantiy": 1}]), "wrong_type", "items[0].quantiy: no such field; is it quantity?"),
    (event(items=[{"product": "p"}] * 257), "oversize", "items"),
    (event(answer={"question": "q", "value": 5, "min": 1}), "missing_field", "answer.max"),
    (event(answer={"question": "q", "value": 5, "min": 1, "max": 4}), "bad_value", "answer"),
    (event(answer={"question": "q", "value": "5", "min": 1, "max": 9}), "wrong_type", "answer.value: must be a number"),
    (event(details={"queue": "orders"}), "wrong_type", "details.queue: no such field"),
    (event(details={"url": 5}), "wrong_type", "details.url: must be text or null, not a whole number"),
    (event(details=5), "wrong_type", "details: must be an object or null, not a whole number"),
    (event(channel="phone", details={"wait_s": "9"}), "wrong_type", "details.wait_s: must be a number or null"),
    (event(channel="phone", details={"transfers": 1.5}), "wrong_type", "details.transfers: must be a whole number"),
    (event(channel="phone", details={"transfers": 2**63}), "bad_value", "details.transfers"),
    (event(properties={str(n): "x" * 8000 for n in range(5)}), "oversize", "bytes, at most 32768 are allowed"),
]


@pytest.mark.parametrize(("given", "reason", "detail"), BAD, ids=[f"{b[1]}-{b[2][:40]}" for b in BAD])
async def test_bad_events(site: Site, given: Any, reason: str, detail: str) -> None:
    answer = await site.send(event(event_id="before"), given, event(event_id="after"))
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 2
    (rejected,) = body["rejected"]
    assert rejected["index"] == 1
    assert (rejected["reason"], rejected["detail"][: len(detail)]) == (reason, detail) or detail in rejected["detail"]
    assert len(rejected["detail"]) <= 200
    assert [each["event_id"] for each in site.written()] == ["before", "after"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"event_id":"\xff"}', "broken_json"),
        (b'"\xff"', "wrong_type"),
        (b'{"event_id":"' + b"x" * 40_000 + b'"}', "oversize"),
        (b'{"a' + b"y" * 20_000 + b'":1}', "wrong_type"),
        (b'{"a\xc3\xa9 `b` - at `$.c`":1}', "wrong_type"),
        (b"[" * 400 + b"]" * 400, "wrong_type"),
        (b'{"details":' + b"[" * 400 + b"]" * 400 + b"}", "missing_field"),
    ],
    ids=["utf8", "text", "long", "long-name", "odd-name", "deep", "deep-details"],
)
async def test_hostile_bytes_in_one_event(site: Site, raw: bytes, reason: str) -> None:
    good = json.dumps(event()).encode()
    answer = await site.send(content=b'{"events":[' + good + b"," + raw + b"," + good + b"]}")
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    (rejected,) = answer.json()["rejected"]
    assert rejected["reason"] == reason
    assert len(rejected["detail"]) <= 200


async def test_an_event_that_grows_in_avro(site: Site) -> None:
    """Small enough as JSON, too large as Avro, where stitch would refuse it: so it is not accepted."""
    short = [chr(letter) for letter in range(0x21, 0x7F) if chr(letter) not in '"\\'][:64]
    given = event(measures=dict.fromkeys(short, 1), properties=dict.fromkeys("abcd", "x" * 7_900) | {"e": ""})
    given["properties"]["e"] = "x" * (EVENT_BYTES - len(compact(given)))
    assert len(compact(given)) == EVENT_BYTES
    (rejected,) = (await site.send(content=b'{"events":[' + compact(given) + b"]}")).json()["rejected"]
    assert rejected["reason"] == "oversize"
    assert "Avro" in rejected["detail"]
    del given["measures"]
    assert (await site.send(content=b'{"events":[' + compact(given) + b"]}")).json()["accepted"] == 1


def compact(given: Any) -> bytes:
    return json.dumps(given, separators=(",", ":")).encode()


async def test_what_is_accepted_is_what_stitch_accepts(site: Site) -> None:
    """The written bytes give the same interaction, filed under the key they were written with."""
    await site.send(ALL, *(event(event_id=c, channel=c, identifiers={"email": "A@Example.com"}) for c in CHANNELS))
    keyring = Keyring(KEYS.identifier_keys, KEYS.identifier_key)
    for record in site.broker.written:
        name, decoded = site.codec.decode(record.value)
        found = interaction(decoded, name.removeprefix("interaction_"), NOON + 1000, keyring, "US")
        assert found.identifier.encode() == record.key


def test_types_are_the_schemas(codec: Codec) -> None:
    """The envelope in Python, the Avro schemas and /docs name the same fields."""
    schema = json.loads((SCHEMAS / "avro" / "interaction_web.avsc").read_text())
    named = {f["name"]: f for f in schema["fields"]}
    assert set(Event.__struct_fields__) == set(named) - {"received_at"} | {"channel"}
    assert set(Item.__struct_fields__) == {f["name"] for f in named["items"]["type"]["items"]["fields"]}
    assert set(Answer.__struct_fields__) == {f["name"] for f in named["answer"]["type"][1]["fields"]}
    shown = event_schema(SCHEMAS)
    assert set(shown["properties"]) == set(Event.__struct_fields__)
    assert set(shown["required"]) == {f.name for f in msgspec.structs.fields(Event) if f.required}


def test_details_of_every_channel(codec: Codec) -> None:
    events = Events(SCHEMAS)
    given: dict[type, Any] = {str: "x", float: 1.5, int: 2, bool: True}
    for channel, kind in events.details.items():
        details = {f.name: given[f.type.__args__[0]] for f in msgspec.structs.fields(kind)}
        raw = msgspec.Raw(json.dumps(event(channel=channel, details=details)).encode())
        name, read = events.read(raw, NOON)
        assert name == channel
        assert codec.decode(codec.encode(f"interaction_{channel}", read))[1]["details"] == details


def test_a_rejection_never_quotes_a_value() -> None:
    """Reasons are logged and answered; values may be personal."""
    events = Events(SCHEMAS)
    keyring = Keyring(KEYS.identifier_keys, KEYS.identifier_key)
    secret = "s3cret-value"
    details = []
    for field in Event.__struct_fields__:
        for value in (secret, [secret], {"email": secret}, {"customer": "null", "phone": secret}):
            raw = msgspec.Raw(json.dumps(event(**{field: value})).encode())
            with contextlib.suppress(Rejected):
                try:
                    channel, read = events.read(raw, NOON)
                    interaction(read, channel, NOON, keyring, "US")
                except Rejected as why:
                    details.append(why.detail)
                    raise
    assert len(details) > 50
    assert not [detail for detail in details if secret in detail]


def test_limits_say_their_units() -> None:
    assert all(f.name == "events" or f.name.endswith(("_bytes", "_s")) for f in fields(Limits))
