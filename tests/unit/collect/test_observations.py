"""Observations over HTTP: what is accepted and written, what is refused, by which key, and when to try again."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from pipeline.partition import partition_of
from tests.collecting import NOON, event, until
from tests.observing import observed
from tests.unit.collect.conftest import AUTHORIZED, LIMITS, Site
from tests.unit.collect.test_requests import check_problem


async def test_what_is_accepted_is_written_masked_under_its_key(site: Site) -> None:
    note = "ring (415) 555-0163, customer:4711 waits"
    answer = await site.observe(observed(note=note), observed(observation_id="o-2", kind="staff", value=-2, note=...))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "rejected": []}
    one, two = site.written()
    assert one == observed(received_at=NOON + 1000, note="ring [phone], [identifier] waits")
    assert two == observed(observation_id="o-2", kind="staff", value=-2.0, note="", received_at=NOON + 1000)
    first = site.broker.written[0]
    assert (first.topic, first.key) == ("observations", b"warehouse\0o-1")
    assert first.partition == partition_of("warehouse\0o-1", 8)
    assert site.budget.held == 0


@pytest.mark.parametrize(
    ("given", "ms"), [("2025-11-22T11:00:00+01:00", NOON), (NOON - 1, NOON - 1), (NOON + 10**9, NOON + 1000 + 300_000)]
)
async def test_times(site: Site, given: Any, ms: int) -> None:
    assert (await site.observe(observed(observed_at=given))).json()["accepted"] == 1
    assert site.written()[0]["observed_at"] == ms


TIME = "must be a time in RFC 3339 with its offset, or whole milliseconds since 1970"

BAD: list[tuple[Any, str, str]] = [
    (5, "wrong_type", "the observation: must be an object, not a whole number"),
    ({}, "missing_field", "observation_id"),
    *((observed(**{name: ...}), "missing_field", name) for name in observed() if name != "note"),
    (observed(source=""), "missing_field", "source"),
    (observed(value=None), "wrong_type", "value: must be a number, not null"),
    (observed(value="3.5"), "wrong_type", "value: must be a number, not text"),
    (observed(value=True), "wrong_type", "value: must be a number, not true or false"),
    (observed(value=1e300), "bad_value", "value: not a finite number"),
    (observed(kind="customer"), "bad_value", "kind: none of staff, system"),
    (observed(note=["x"]), "wrong_type", "note: must be text or null, not a list"),
    (observed(note="x" * 9_000), "oversize", "note: longer than 8192 characters"),
    (observed(note="x" * 40_000), "oversize", "at most 32768 are allowed"),
    (observed(measure="a\nb"), "bad_value", "measure: holds control"),
    (observed(mesure="x"), "wrong_type", "mesure: no such field; is it measure?"),
    (observed(colour="red"), "wrong_type", "colour: no such field"),
    (observed(received_at=NOON), "wrong_type", "received_at: no such field"),
    (observed(identifiers={"customer": "1"}), "wrong_type", "identifiers: no such field"),
    (observed(source="jo@example.com"), "bad_value", "source: stands for a customer"),
    (observed(observed_at="yesterday"), "wrong_type", f"observed_at: {TIME}"),
    (observed(observed_at=1), "absurd_time", "observed_at: before 1990"),
]


@pytest.mark.parametrize(("given", "reason", "detail"), BAD, ids=[f"{b[1]}-{b[2][:40]}" for b in BAD])
async def test_a_bad_one_is_named_and_the_good_ones_go_through(
    site: Site, given: Any, reason: str, detail: str
) -> None:
    answer = await site.observe(observed(observation_id="before"), given, observed(observation_id="after"))
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 2
    (rejected,) = body["rejected"]
    assert rejected.keys() == {"index", "observation_id", "reason", "detail"}
    assert rejected["index"] == 1
    assert rejected["observation_id"] == (given.get("observation_id") if isinstance(given, dict) else None)
    assert rejected["reason"] == reason
    assert detail in rejected["detail"]
    assert [each["observation_id"] for each in site.written()] == ["before", "after"]


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
    answer = await site.observe(observed(), headers=headers)
    check_problem(answer, status, reason)
    assert "access-control-allow-origin" not in answer.headers
    assert not site.broker.written
    if headers.get("Authorization") == "Bearer public_secret":
        assert "ingest key" in answer.json()["detail"], "it says what to do"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "broken_json"),
        (b'{"observations":[{"a":1]}', "broken_json"),
        (b'{"events":[]}', "wrong_type"),
        (b'{"observations":{}}', "wrong_type"),
        (b"{}", "missing_field"),
    ],
    ids=repr,
)
async def test_a_body_that_cannot_be_read(site: Site, body: bytes, reason: str) -> None:
    answer = await site.observe(content=body)
    check_problem(answer, 400, reason)
    assert reason == "broken_json" or '{"observations": [...]}' in answer.json()["detail"]
    assert site.budget.held == 0


async def test_size_and_number_are_bounded(site: Site) -> None:
    many = [observed(observation_id=str(n)) for n in range(LIMITS.events + 1)]
    refused = await site.observe(*many)
    check_problem(refused, 413, "too_many_events")
    assert "501 observations" in refused.json()["detail"]
    assert (await site.observe(*many[1:])).json()["accepted"] == LIMITS.events
    check_problem(await site.observe(content=b" " * (LIMITS.body_bytes + 1)), 413, "oversize")
    zipped = gzip.compress(json.dumps({"observations": [observed()]}).encode())
    answer = await site.observe(content=zipped, headers=AUTHORIZED | {"Content-Encoding": "gzip"})
    assert answer.json()["accepted"] == 1


async def test_it_says_when_to_try_again(site: Site) -> None:
    site.broker.leave()
    answer = await site.observe(observed())
    check_problem(answer, 503, "kafka_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    site.broker.come_back()
    await until(lambda: not site.budget.held)
    site.budget.take(LIMITS.in_flight_bytes - 1)
    answer = await site.observe(observed())
    check_problem(answer, 429, "too_much_in_flight")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_is_sent_again_has_the_same_key(site: Site) -> None:
    for value in (1, 2):
        await site.observe(observed(value=value))
    one, two = site.broker.written
    assert (one.key, one.partition) == (two.key, two.partition)


async def test_events_stay_events(site: Site) -> None:
    assert (await site.send(event())).json()["accepted"] == 1
    assert (await site.observe(event())).json()["rejected"][0]["reason"] in ("missing_field", "wrong_type")


async def test_the_reference_shows_how_to_send(site: Site) -> None:
    document = (await site.client.get("/openapi.json")).json()
    post = document["paths"]["/v1/observations"]["post"]
    assert {"202", "400", "401", "403", "408", "413", "415", "429", "503"} <= set(post["responses"])
    assert post["security"] == [{"ingest": []}]
    content = post["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        answer = await site.observe(*example["value"]["observations"])
        assert answer.json()["rejected"] == []
    fields = content["schema"]["properties"]["observations"]["items"]
    assert fields["properties"].keys() == observed().keys()
    assert set(fields["required"]) == observed().keys() - {"note"}
