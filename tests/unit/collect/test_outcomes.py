"""Outcomes over HTTP: what is accepted and written, what is refused, by which key, and when to try again."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from pipeline.keys import keyring
from pipeline.partition import partition_of
from tests.collecting import KEYS, NOON, event, until
from tests.outcomes import sent
from tests.unit.collect.conftest import AUTHORIZED, LIMITS, Site
from tests.unit.collect.test_requests import check_problem


async def test_what_is_accepted_is_written_under_its_key_and_nobody_in_clear(site: Site) -> None:
    named = {"device": "d-1", "phone": "+1 202 555 0142"}
    answer = await site.account(sent(identifiers=named), sent(outcome_id="r-2", kind="churn", amount=..., currency=...))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "rejected": []}
    one, two = site.written()
    keyed = keyring(KEYS).resolve("phone", "+12025550142", "US").identifier.removeprefix("phone:")
    assert one == sent(identifiers={"phone": keyed}, received_at=NOON + 1000)
    assert two == sent(outcome_id="r-2", kind="churn", amount=None, currency="", received_at=NOON + 1000)
    first = site.broker.written[0]
    assert (first.topic, first.key) == ("outcomes", b"billing\0r-1")
    assert first.partition == partition_of("billing\0r-1", 8)
    assert b"555" not in first.value
    assert site.budget.held == 0


@pytest.mark.parametrize(
    ("given", "ms"), [("2025-11-22T11:00:00+01:00", NOON), (NOON - 1, NOON - 1), (NOON + 10**9, NOON + 1000 + 300_000)]
)
async def test_times(site: Site, given: Any, ms: int) -> None:
    assert (await site.account(sent(occurred_at=given))).json()["accepted"] == 1
    assert site.written()[0]["occurred_at"] == ms


TIME = "must be a time in RFC 3339 with its offset, or whole milliseconds since 1970"

BAD: list[tuple[Any, str, str]] = [
    (5, "wrong_type", "the outcome: must be an object, not a whole number"),
    ({}, "missing_field", "outcome_id"),
    *((sent(**{name: ...}), "missing_field", name) for name in sent() if name != "amount"),
    (sent(source=""), "missing_field", "source"),
    (sent(amount="3.5"), "wrong_type", "amount: must be a number or null, not text"),
    (sent(amount=True), "wrong_type", "amount: must be a number or null, not true or false"),
    (sent(amount=-1e300), "bad_value", "amount: not a finite number"),
    (sent(amount=20), "bad_value", "amount: a refund costs the business something, so it must be negative"),
    (sent(currency="dollars"), "bad_value", "currency: must be three capital letters"),
    (sent(kind="order"), "bad_value", "kind: none of renewal, refund, churn, cost"),
    (sent(identifiers=["4711"]), "wrong_type", "identifiers: must be an object, not a list"),
    (sent(identifiers={"customer": 4711}), "wrong_type", "identifiers.customer: must be text, not a whole number"),
    (sent(identifiers={}), "no_identifier", "identifiers: empty"),
    (sent(identifiers={"customer": "null"}), "placeholder_identifier", "identifiers.customer: a placeholder"),
    (sent(identifiers={"phone": "5"}), "bad_identifier", "identifiers.phone"),
    (sent(source="x" * 300), "oversize", "source: longer than 256 characters"),
    (sent(identifiers={"customer": "x" * 40_000}), "oversize", "at most 32768 are allowed"),
    (sent(source="a\nb"), "bad_value", "source: holds control"),
    (sent(outcome_id="customer:4711"), "bad_value", "outcome_id: stands for a customer: say who it is in identifiers"),
    (sent(ammount=-2), "wrong_type", "ammount: no such field; is it amount?"),
    (sent(touchpoint="x"), "wrong_type", "touchpoint: no such field"),
    (sent(received_at=NOON), "wrong_type", "received_at: no such field"),
    (sent(occurred_at="yesterday"), "wrong_type", f"occurred_at: {TIME}"),
    (sent(occurred_at=1), "absurd_time", "occurred_at: before 1990"),
]


@pytest.mark.parametrize(("given", "reason", "detail"), BAD, ids=[f"{b[1]}-{b[2][:40]}" for b in BAD])
async def test_a_bad_one_is_named_and_the_good_ones_go_through(
    site: Site, given: Any, reason: str, detail: str
) -> None:
    answer = await site.account(sent(outcome_id="before"), given, sent(outcome_id="after"))
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 2
    (rejected,) = body["rejected"]
    assert rejected.keys() == {"index", "outcome_id", "reason", "detail"}
    assert rejected["index"] == 1
    assert rejected["outcome_id"] == (given.get("outcome_id") if isinstance(given, dict) else None)
    assert rejected["reason"] == reason
    assert detail in rejected["detail"]
    assert [each["outcome_id"] for each in site.written()] == ["before", "after"]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({}, 401, "no_key"),
        ({"Authorization": "Bearer wrong"}, 401, "no_key"),
        ({"Authorization": "Bearer read_secret"}, 403, "missing_scope"),
        ({"Authorization": "Bearer admin_secret"}, 403, "missing_scope"),
        ({"Authorization": "Bearer public_secret"}, 403, "missing_scope"),
    ],
)
async def test_only_the_ingest_key_may(site: Site, headers: dict[str, str], status: int, reason: str) -> None:
    answer = await site.account(sent(), headers=headers)
    check_problem(answer, status, reason)
    assert "access-control-allow-origin" not in answer.headers
    assert not site.broker.written
    if headers.get("Authorization") == "Bearer public_secret":
        assert "ingest key" in answer.json()["detail"], "it says what to do"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "broken_json"),
        (b'{"outcomes":[{"a":1]}', "broken_json"),
        (b'{"events":[]}', "wrong_type"),
        (b'{"outcomes":{}}', "wrong_type"),
        (b"{}", "missing_field"),
    ],
    ids=repr,
)
async def test_a_body_that_cannot_be_read(site: Site, body: bytes, reason: str) -> None:
    answer = await site.account(content=body)
    check_problem(answer, 400, reason)
    assert reason == "broken_json" or '{"outcomes": [...]}' in answer.json()["detail"]
    assert site.budget.held == 0


async def test_size_and_number_are_bounded(site: Site) -> None:
    many = [sent(outcome_id=str(n)) for n in range(LIMITS.events + 1)]
    refused = await site.account(*many)
    check_problem(refused, 413, "too_many_events")
    assert "501 outcomes" in refused.json()["detail"]
    assert (await site.account(*many[1:])).json()["accepted"] == LIMITS.events
    check_problem(await site.account(content=b" " * (LIMITS.body_bytes + 1)), 413, "oversize")
    zipped = gzip.compress(json.dumps({"outcomes": [sent()]}).encode())
    answer = await site.account(content=zipped, headers=AUTHORIZED | {"Content-Encoding": "gzip"})
    assert answer.json()["accepted"] == 1


async def test_it_says_when_to_try_again(site: Site) -> None:
    site.broker.leave()
    answer = await site.account(sent())
    check_problem(answer, 503, "kafka_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    site.broker.come_back()
    await until(lambda: not site.budget.held)
    site.budget.take(LIMITS.in_flight_bytes - 1)
    answer = await site.account(sent())
    check_problem(answer, 429, "too_much_in_flight")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_is_sent_again_has_the_same_key(site: Site) -> None:
    for amount in (-1, -2):
        await site.account(sent(amount=amount))
    one, two = site.broker.written
    assert (one.key, one.partition) == (two.key, two.partition)


async def test_events_stay_events(site: Site) -> None:
    assert (await site.send(event())).json()["accepted"] == 1
    assert (await site.account(event())).json()["rejected"][0]["reason"] in ("missing_field", "wrong_type")


async def test_the_reference_shows_how_to_send(site: Site) -> None:
    document = (await site.client.get("/openapi.json")).json()
    post = document["paths"]["/v1/outcomes"]["post"]
    assert {"202", "400", "401", "403", "408", "413", "415", "429", "503"} <= set(post["responses"])
    assert post["security"] == [{"ingest": []}]
    content = post["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        answer = await site.account(*example["value"]["outcomes"])
        assert answer.json()["rejected"] == []
    fields = content["schema"]["properties"]["outcomes"]["items"]
    assert fields["properties"].keys() == sent().keys()
    assert set(fields["required"]) == sent().keys() - {"amount", "currency"}
