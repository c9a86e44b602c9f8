"""Lists that are no events, over HTTP: what is accepted, what is refused, by which key, and when to try again.

The same of observations and of outcomes; what is written of each is in a file of its own.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.collecting import NOON, event, until
from tests.observing import observed
from tests.outcomes import sent
from tests.unit.collect import test_observations, test_outcomes
from tests.unit.collect.conftest import AUTHORIZED, LIMITS, Site
from tests.unit.collect.test_requests import check_problem


@dataclass(frozen=True)
class Kind:
    """What is listed."""

    name: str
    id_name: str
    time: str
    made: Callable[..., dict[str, Any]]
    bad: list[tuple[Any, str, str]]  # what is sent, the reason and the detail
    again: tuple[dict[str, Any], dict[str, Any]]  # the same one, told twice
    optional: frozenset[str]

    async def post(self, site: Site, *listed: Any, **changes: Any) -> httpx.Response:
        """POST these; `changes` go to httpx."""
        return await (site.observe if self is OBSERVATIONS else site.account)(*listed, **changes)


OBSERVATIONS = Kind(
    *("observations", "observation_id", "observed_at", observed, test_observations.BAD),
    again=(observed(value=1), observed(value=2)),
    optional=frozenset({"note"}),
)
OUTCOMES = Kind(
    *("outcomes", "outcome_id", "occurred_at", sent, test_outcomes.BAD),
    again=(sent(amount=-1), sent(amount=-2)),
    optional=frozenset({"amount", "currency"}),
)
KINDS = (OBSERVATIONS, OUTCOMES)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
BAD = [(kind, *bad) for kind in KINDS for bad in kind.bad]


@each_kind
@pytest.mark.parametrize(
    ("given", "ms"), [("2025-11-22T11:00:00+01:00", NOON), (NOON - 1, NOON - 1), (NOON + 10**9, NOON + 1000 + 300_000)]
)
async def test_times(site: Site, kind: Kind, given: Any, ms: int) -> None:
    assert (await kind.post(site, kind.made(**{kind.time: given}))).json()["accepted"] == 1
    assert site.written()[0][kind.time] == ms


@pytest.mark.parametrize(
    ("kind", "given", "reason", "detail"), BAD, ids=[f"{b[0].name}-{b[2]}-{b[3][:40]}" for b in BAD]
)
async def test_a_bad_one_is_named_and_the_good_ones_go_through(
    site: Site, kind: Kind, given: Any, reason: str, detail: str
) -> None:
    before, after = (kind.made(**{kind.id_name: name}) for name in ("before", "after"))
    answer = await kind.post(site, before, given, after)
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 2
    (rejected,) = body["rejected"]
    assert rejected.keys() == {"index", kind.id_name, "reason", "detail"}
    assert rejected["index"] == 1
    assert rejected[kind.id_name] == (given.get(kind.id_name) if isinstance(given, dict) else None)
    assert rejected["reason"] == reason
    assert detail in rejected["detail"]
    assert [each[kind.id_name] for each in site.written()] == ["before", "after"]


@each_kind
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
async def test_only_the_ingest_key_may(
    site: Site, kind: Kind, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = await kind.post(site, kind.made(), headers=headers)
    check_problem(answer, status, reason)
    assert "access-control-allow-origin" not in answer.headers
    assert not site.broker.written
    if headers.get("Authorization") == "Bearer public_secret":
        assert "ingest key" in answer.json()["detail"], "it says what to do"


@each_kind
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "broken_json"),
        ('{"NAME":[{"a":1]}', "broken_json"),
        ('{"events":[]}', "wrong_type"),
        ('{"NAME":{}}', "wrong_type"),
        ("{}", "missing_field"),
    ],
    ids=repr,
)
async def test_a_body_that_cannot_be_read(site: Site, kind: Kind, body: str, reason: str) -> None:
    answer = await kind.post(site, content=body.replace("NAME", kind.name).encode())
    check_problem(answer, 400, reason)
    assert reason == "broken_json" or f'{{"{kind.name}": [...]}}' in answer.json()["detail"]
    assert site.budget.held == 0


@each_kind
async def test_size_and_number_are_bounded(site: Site, kind: Kind) -> None:
    many = [kind.made(**{kind.id_name: str(n)}) for n in range(LIMITS.events + 1)]
    refused = await kind.post(site, *many)
    check_problem(refused, 413, "too_many_events")
    assert f"501 {kind.name}" in refused.json()["detail"]
    assert (await kind.post(site, *many[1:])).json()["accepted"] == LIMITS.events
    check_problem(await kind.post(site, content=b" " * (LIMITS.body_bytes + 1)), 413, "oversize")
    zipped = gzip.compress(json.dumps({kind.name: [kind.made()]}).encode())
    answer = await kind.post(site, content=zipped, headers=AUTHORIZED | {"Content-Encoding": "gzip"})
    assert answer.json()["accepted"] == 1


@each_kind
async def test_it_says_when_to_try_again(site: Site, kind: Kind) -> None:
    site.broker.leave()
    answer = await kind.post(site, kind.made())
    check_problem(answer, 503, "kafka_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    site.broker.come_back()
    await until(lambda: not site.budget.held)
    site.budget.take(LIMITS.in_flight_bytes - 1)
    answer = await kind.post(site, kind.made())
    check_problem(answer, 429, "too_much_in_flight")
    assert int(answer.headers["retry-after"]) > 0


@each_kind
async def test_what_is_sent_again_has_the_same_key(site: Site, kind: Kind) -> None:
    for each in kind.again:
        await kind.post(site, each)
    one, two = site.broker.written
    assert (one.key, one.partition) == (two.key, two.partition)


@each_kind
async def test_events_stay_events(site: Site, kind: Kind) -> None:
    assert (await site.send(event())).json()["accepted"] == 1
    assert (await kind.post(site, event())).json()["rejected"][0]["reason"] in ("missing_field", "wrong_type")


@each_kind
async def test_the_reference_shows_how_to_send(site: Site, kind: Kind) -> None:
    document = (await site.client.get("/openapi.json")).json()
    post = document["paths"][f"/v1/{kind.name}"]["post"]
    assert {"202", "400", "401", "403", "408", "413", "415", "429", "503"} <= set(post["responses"])
    assert post["security"] == [{"ingest": []}]
    content = post["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        answer = await kind.post(site, *example["value"][kind.name])
        assert answer.json()["rejected"] == []
    fields = content["schema"]["properties"][kind.name]["items"]
    assert fields["properties"].keys() == kind.made().keys()
    assert set(fields["required"]) == kind.made().keys() - kind.optional
