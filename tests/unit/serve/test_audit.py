"""Who looked at whom, when and why: on record before the answer leaves, and nobody's data in the record."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from pipeline.serve.desk_stream import desk_events
from pipeline.serve.live import events
from pipeline.serve.pages import Pages
from tests.serving import keyed, now_ms
from tests.unit.serve.conftest import Serving, seat
from tests.unit.serve.test_api import problem, searched

PHONE, MASKS = keyed("phone", "+14155550142")
#: Everything that shows somebody: with the read key, by POST or GET.
LOOKUPS = [
    "/v1/customers/anonymous:a1/timeline",
    "/v1/customers/anonymous:a1/identity",
    "/v1/calls/ringing",
]
DESK = [
    "/desk/customers/anonymous:a1",
    "/desk/older?id=anonymous:a1&before=WzEsICJhIiwgImIiXQ",
    "/desk/identity?id=anonymous:a1",
]


def ring(serving: Serving) -> None:
    """A call that rings."""
    entry = {"type": "call_ringing", "event_id": "e", "identifier": PHONE, "masks": MASKS, "session_id": "c1"}
    serving.parts.calls.see({**entry, "touchpoint": "call_queue", "occurred_at": now_ms()}, now_ms())


async def test_a_record_says_who_looked_at_whom_and_why(serving: Serving) -> None:
    searched(serving)
    ring(serving)
    before = now_ms()
    await serving.context(("phone", "+14155550142"), purpose="why not")
    for path in LOOKUPS:
        assert (await serving.get(path)).status_code == 200
    records = serving.ledger.audit
    assert [(each["action"], each["purpose"], each["actor"], each["outcome"]) for each in records] == [
        ("context", "why not", "key:read", "one"),
        ("timeline", "test", "key:read", "3 entries"),
        ("identity", "test", "key:read", "3 identifiers"),
        ("ringing", "test", "key:read", "1 calls"),
    ]
    assert records[0]["subjects"] == serving.sealed(PHONE)
    assert records[1]["subjects"] == serving.sealed("anonymous:a1")
    assert records[0]["shown"] == records[1]["shown"] == records[2]["shown"] == serving.sealed("customer:1")
    assert records[3]["shown"] == serving.sealed(PHONE)
    assert all(before <= each["at"] <= now_ms() for each in records)
    assert len({each["audit_id"] for each in records}) == 4


async def test_what_people_write_is_masked(serving: Serving) -> None:
    number, address = "+1 415 555 0142", "ada@example.com"
    await serving.context(("customer", "1"), purpose=f"call from {number}")
    await serving.post(
        "/v1/identity/join", {"from": "customer:1", "into": "customer:2", "reason": f"as {address} says"}
    )
    assert [(each["purpose"], each["reason"]) for each in serving.ledger.audit] == [
        ("call from [phone]", ""),
        ("", "as [e-mail] says"),
        ("", "as [e-mail] says"),
    ]
    assert [each.reason for each in serving.ledger.said] == ["as [e-mail] says"]


async def test_neither_records_nor_log_lines_name_anybody(serving: Serving) -> None:
    searched(serving)
    await serving.context(("phone", "+14155550142"))
    for path in LOOKUPS:
        await serving.get(path)
    await serving.post("/v1/identity/part", {"identifier": PHONE, "person": "customer:1", "reason": "not hers"})
    kept = msgspec.json.encode([serving.ledger.audit, serving.log.lines]).decode()
    for name in ("customer:1", "anonymous:a1", PHONE, PHONE.partition(":")[2], "4155550142", "Ada"):
        assert name not in kept
    assert [each["event"] for each in serving.log.lines] == ["lookup"] * 4 + ["order"] * 2


@pytest.mark.parametrize("path", [*LOOKUPS, "/v1/customers/anonymous:a1/live"])
async def test_what_cannot_be_audited_is_not_given(serving: Serving, path: str) -> None:
    searched(serving)
    serving.ledger.away = True
    answer = await serving.get(path)
    problem(answer, 503, "audit_away")
    assert answer.headers["retry-after"] == "1"
    problem(await serving.context(("customer", "1")), 503, "audit_away")


async def test_the_desk_is_audited_too(serving: Serving) -> None:
    searched(serving)
    ring(serving)
    serving.sign_in("customer:1")
    for path in DESK:
        assert (await serving.client.get(path)).status_code == 200
    await serving.client.post("/desk/search", data={"q": "+1 415 555 0142"})
    serving.sign_in()
    await serving.client.post("/desk/verify", data={"id": PHONE, "call": "c1"})
    said = [(each["action"], each["purpose"]) for each in serving.ledger.audit]
    assert serving.ledger.audit[-1]["shown"] == serving.sealed("customer:1")
    for action in ("card", "timeline", "identity", "search", "ringing", "verify"):
        assert (action, "agent desk") in said
    assert all(each["actor"].startswith("desk:") for each in serving.ledger.audit)


async def test_the_desk_shows_nobody_whom_it_cannot_audit(serving: Serving) -> None:
    searched(serving)
    ring(serving)
    serving.sign_in("customer:1")
    serving.ledger.away = True
    for path in DESK:
        answer = await serving.client.get(path)
        assert answer.status_code == 503
        assert "Ada" not in answer.text
        assert "•42" not in answer.text
    home = await serving.client.get("/desk")
    assert home.status_code == 200
    assert "No call is ringing" in home.text


async def heard(stream: Any, mark: bytes) -> bytes:
    """The next chunk of a stream that holds the mark."""
    async with asyncio.timeout(5):
        async for chunk in stream:
            if mark in chunk:
                return bytes(chunk)
    raise AssertionError("the stream has ended")


async def test_a_stream_is_audited_again_when_it_shows_another_person(serving: Serving) -> None:
    told: list[str] = []

    async def audited(person: str) -> None:
        told.append(person)

    serving.world.say("anonymous:a1")
    stream = events(serving.parts.lookup, "anonymous:a1", None, audited, dict)
    await heard(stream, b"id: ")
    serving.world.say("anonymous:a1", event_id="second")
    await heard(stream, b"second")
    assert told == ["anonymous:a1"]
    serving.world.say("customer:1", links=("anonymous:a1",), event_id="login")
    await heard(stream, b"login")
    assert told == ["anonymous:a1", "customer:1"]
    await stream.aclose()


async def test_the_desks_stream_shows_a_new_person_only_when_that_is_on_record(serving: Serving) -> None:
    serving.world.say("anonymous:a1", type="searched", properties={"query": "shoes"})
    stream = desk_events(serving.parts, Pages(serving.parts), seat(), "anonymous:a1")
    assert b"shoes" in await heard(stream, b"event: card")
    assert serving.ledger.audit[-1]["shown"] == serving.sealed("anonymous:a1")
    serving.ledger.away = True
    serving.world.say("customer:1", type="profile_updated", properties={"name": "Ada"})
    serving.world.say("customer:1", links=("anonymous:a1",))
    assert b'"away":true' in await heard(stream, b'"away":true')
    serving.ledger.away = False
    assert b"Ada" in await heard(stream, b"event: card")
    assert serving.ledger.audit[-1]["shown"] == serving.sealed("customer:1")
    await stream.aclose()


async def test_ringing_calls_are_pushed_only_when_that_is_on_record(serving: Serving) -> None:
    stream = desk_events(serving.parts, Pages(serving.parts), seat(), None)
    assert b"No call is ringing" in await heard(stream, b"event: calls")
    ring(serving)
    assert "•42".encode() in await heard(stream, b"event: calls")
    assert [(each["action"], each["shown"]) for each in serving.ledger.audit] == [("ringing", serving.sealed(PHONE))]
    await stream.aclose()
