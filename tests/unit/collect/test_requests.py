"""Requests as a whole: keys, sizes, encodings, and what happens when the broker or the memory is not there."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from pipeline.collect.limits import Budget, Limits
from pipeline.wire import Codec
from tests.collecting import NOON, FakeBroker, event, until
from tests.unit.collect.conftest import AUTHORIZED, LIMITS, Site, collector_of


def check_problem(answer: httpx.Response, status: int, reason: str) -> None:
    """It is a problem+json with this status and reason, it says what to do, and is small."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["reason"]) == (status, reason)
    assert body["detail"]
    assert len(answer.content) < 1000


async def test_good_events_are_accepted_and_written(site: Site) -> None:
    answer = await site.send(event(), event(event_id="e-2", channel="phone", identifiers={"phone": "+1 202 555 0142"}))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "rejected": []}
    web, phone = site.broker.written
    assert (web.topic, phone.topic) == ("interactions.web", "interactions.phone")
    assert web.key == b"anonymous:c0ffee"
    assert phone.key.startswith(b"phone:k1.")
    assert b"555" not in phone.key
    assert site.written()[1]["identifiers"] == {"phone": "+1 202 555 0142"}, "the event itself is as it was sent"
    assert site.written()[0]["received_at"] == NOON + 1000
    assert site.budget.held == 0


async def test_no_events_is_no_error(site: Site) -> None:
    assert (await site.send()).json() == {"accepted": 0, "rejected": []}


async def test_good_events_go_through_beside_bad_ones(site: Site) -> None:
    answer = await site.send(event(event_id="a"), event(event_id="b", type=7), 5, event(event_id="c", identifiers={}))
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 1
    assert [(each["index"], each["event_id"], each["reason"]) for each in body["rejected"]] == [
        (1, "b", "wrong_type"),
        (2, None, "wrong_type"),
        (3, "c", "no_identifier"),
    ]
    assert [each["event_id"] for each in site.written()] == ["a"]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 401, "no_key"),
        ({"Authorization": "Bearer"}, 401, "no_key"),
        ({"Authorization": "Bearer wrong"}, 401, "no_key"),
        ({"Authorization": "Basic aW5nZXN0X3NlY3JldDo="}, 401, "no_key"),
        ({"Authorization": b"Bearer \xff\xfe"}, 401, "no_key"),
        ({"Authorization": "Bearer read_secret"}, 403, "missing_scope"),
        ({"Authorization": "Bearer admin_secret"}, 403, "missing_scope"),
    ],
)
async def test_keys(site: Site, headers: dict[str, str], status: int, reason: str) -> None:
    answer = await site.send(event(), headers=headers)
    check_problem(answer, status, reason)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert not site.broker.written


PUBLIC = {"Authorization": "Bearer public_secret", "Origin": "https://shop.example"}


@pytest.mark.parametrize("said", [{}, {"public": True}, {"public": False}, {"public": None}])
@pytest.mark.parametrize(("headers", "public"), [(PUBLIC, True), (AUTHORIZED, False)])
async def test_the_key_alone_says_whether_an_event_is_public(
    site: Site, said: dict[str, bool], headers: dict[str, str], public: bool
) -> None:
    assert (await site.send(event(**said), headers=headers)).json()["accepted"] == 1
    assert [each["public"] for each in site.written()] == [public]


async def test_a_page_of_any_origin_may_send_with_the_public_key_and_read_the_answer(site: Site) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    may = await site.client.options("/v1/interactions", headers={"Origin": "https://shop.example", **asked})
    assert may.status_code == 204
    assert may.headers["access-control-allow-origin"] == "*"
    assert {"authorization", "content-type", "content-encoding"} == {
        each.strip().lower() for each in may.headers["access-control-allow-headers"].split(",")
    }
    assert (await site.send(event(), headers=PUBLIC)).headers["access-control-allow-origin"] == "*"
    refused = await site.send(content=b"[]", headers=PUBLIC)
    check_problem(refused, 400, "wrong_type")
    assert refused.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("key", ["ingest_secret", "read_secret", "wrong"])
async def test_no_page_of_another_origin_reads_the_answer_to_another_key(site: Site, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Origin": "https://shop.example"}
    assert "access-control-allow-origin" not in (await site.send(event(), headers=headers)).headers


async def test_the_scheme_is_read_in_any_case(site: Site) -> None:
    assert (await site.send(event(), headers={"Authorization": "bearer ingest_secret"})).status_code == 202


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "broken_json"),
        (b"x", "broken_json"),
        (b'{"events":[{"a":1]}', "broken_json"),
        (b'{"events":[]} and more', "broken_json"),
        (b'{"events":[{"a":NaN}]}', "broken_json"),
        (b"\xff\xfe{}", "broken_json"),
        (b'{"events":[' + b"[" * 50_000 + b"]" * 50_000 + b"]}", "broken_json"),
        (b'{"events":["\\ud83d', "broken_json"),
        (b"[]", "wrong_type"),
        (b"7", "wrong_type"),
        (b'{"events":{}}', "wrong_type"),
        (b'{"events":null}', "wrong_type"),
        (b'{"events":[],"sent_at":1}', "wrong_type"),
        (b"{}", "missing_field"),
    ],
    ids=repr,
)
async def test_a_body_that_cannot_be_read(site: Site, body: bytes, reason: str) -> None:
    check_problem(await site.send(content=body), 400, reason)
    assert site.budget.held == 0


async def test_half_an_emoji_does_not_take_its_neighbours_with_it(site: Site) -> None:
    texts = ["caf\\ud83d", "\\ud83d\\ude00", "\\\\ud83d", "\\ude00 \\u00e9", '\\"\\ud83d\\"']
    events = [json.dumps(event(event_id=str(n), properties={"t": "@"})).replace("@", t) for n, t in enumerate(texts)]
    answer = await site.send(content='{"events":[' + ",".join(events) + "]}")
    assert answer.json()["accepted"] == len(texts)
    said = [each["properties"]["t"] for each in site.written()]
    assert said == ["caf\ufffd", "\U0001f600", "\\ud83d", "\ufffd é", '"\ufffd"']


async def test_too_many_events(site: Site) -> None:
    events = [event(event_id=str(number)) for number in range(LIMITS.events + 1)]
    check_problem(await site.send(*events), 413, "too_many_events")
    assert (await site.send(*events[1:])).json()["accepted"] == LIMITS.events
    assert len(site.broker.written) == LIMITS.events


async def test_a_body_that_is_too_large(site: Site) -> None:
    check_problem(await site.send(content=b" " * (LIMITS.body_bytes + 1)), 413, "oversize")
    padded = json.dumps({"events": [event()]}).encode().ljust(LIMITS.body_bytes)
    assert (await site.send(content=padded)).status_code == 202


async def test_a_body_that_does_not_say_its_length(site: Site) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65_536)

    check_problem(await site.send(content=endless()), 413, "oversize")
    assert site.budget.held == 0


async def test_a_body_that_does_not_arrive(site: Site) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b'{"events":'
        await asyncio.sleep(60)

    check_problem(await site.send(content=slow()), 408, "slow_body")
    assert site.budget.held == 0


GZIP = AUTHORIZED | {"Content-Encoding": "gzip"}


async def test_gzip(site: Site) -> None:
    body = json.dumps({"events": [event()]}).encode()
    assert (await site.send(content=gzip.compress(body), headers=GZIP)).json()["accepted"] == 1
    in_two = gzip.compress(body[:9]) + gzip.compress(body[9:])
    assert (await site.send(content=in_two, headers=GZIP)).json()["accepted"] == 1
    assert site.budget.held == 0


@pytest.mark.parametrize("size", [1, 64], ids=["just-too-large", "bomb"])
async def test_gzip_of_too_much(site: Site, size: int) -> None:
    bomb = gzip.compress(b" " * (LIMITS.body_bytes * size + 1))
    assert len(bomb) <= LIMITS.body_bytes
    check_problem(await site.send(content=bomb, headers=GZIP), 413, "oversize")


@pytest.mark.parametrize(
    "data",
    [b"", b"plain", gzip.compress(b"{}")[:-1], gzip.compress(b"{}") + b"x", zlib.compress(b"{}")],
    ids=["empty", "plain", "cut", "trailing", "deflate"],
)
async def test_gzip_that_is_none(site: Site, data: bytes) -> None:
    check_problem(await site.send(content=data, headers=GZIP), 400, "broken_gzip")
    assert site.budget.held == 0


async def test_another_encoding(site: Site) -> None:
    answer = await site.send(event(), headers=AUTHORIZED | {"Content-Encoding": "br"})
    check_problem(answer, 415, "unsupported_encoding")
    assert answer.headers["accept-encoding"] == "gzip"


async def test_a_broker_that_is_away(site: Site) -> None:
    site.broker.leave()
    for _ in range(3):
        answer = await site.send(event())
        check_problem(answer, 503, "kafka_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    site.broker.come_back()
    await until(lambda: not site.budget.held)
    assert (await site.send(event())).status_code == 202
    assert site.budget.held == 0


async def test_nothing_is_answered_before_the_broker_has_it(site: Site) -> None:
    site.broker.leave()
    answering = asyncio.create_task(site.send(event()))
    await asyncio.wait([answering], timeout=LIMITS.patience_s / 2)
    assert not answering.done()
    site.broker.come_back()
    assert (await answering).status_code == 202


async def test_bad_events_are_judged_without_the_broker(site: Site) -> None:
    site.broker.leave()
    assert (await site.send(event(type=7))).json()["accepted"] == 0


async def test_too_much_in_flight(site: Site) -> None:
    site.budget.take(LIMITS.in_flight_bytes - 20_000)
    large = event(properties={"a": "x" * 8_000, "b": "x" * 8_000})
    answer = await site.send(large)
    check_problem(answer, 429, "too_much_in_flight")
    assert int(answer.headers["retry-after"]) > 0
    assert site.budget.held == LIMITS.in_flight_bytes - 20_000
    assert (await site.send(event())).status_code == 202


async def test_memory_is_bounded_while_the_broker_is_away(site: Site) -> None:
    site.broker.leave()
    events = [event(event_id=str(number), properties={"a": "x" * 2000}) for number in range(400)]
    answers = await asyncio.gather(*(site.send(*events) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {429, 503}
    assert site.budget.held <= LIMITS.in_flight_bytes
    site.broker.come_back()
    await until(lambda: not site.budget.held)
    assert len(site.broker.written) == 400 * sum(answer.status_code == 503 for answer in answers)


async def test_parsing_gives_others_a_turn(codec: Codec) -> None:
    collector = collector_of(FakeBroker(), Limits(turn_s=0), Budget(LIMITS.in_flight_bytes), codec)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    await collector.take(json.dumps({"events": [event(identifiers={"customer": 1})] * 100}).encode())
    counting.cancel()
    assert turns >= 99


async def test_other_paths_and_methods_are_problems_too(site: Site) -> None:
    check_problem(await site.client.get("/v1/interactions"), 405, "method_not_allowed")
    check_problem(await site.client.get("/v2"), 404, "not_found")


async def test_what_is_unexpected_says_nothing_about_its_cause(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: bytes) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(site.collector, "take", fail)
    answer = await site.send(event())
    check_problem(answer, 500, "unexpected")
    assert "secret" not in answer.text


async def test_the_reference_shows_how_to_send(site: Site) -> None:
    document = (await site.client.get("/openapi.json")).json()
    post = document["paths"]["/v1/interactions"]["post"]
    assert {"202", "400", "401", "403", "408", "413", "415", "429", "503"} <= set(post["responses"])
    assert post["security"] == [{"ingest": []}]
    examples = post["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        answer = await site.send(*example["value"]["events"])
        assert answer.json()["rejected"] == []
    assert (await site.client.get("/docs")).status_code == 200
