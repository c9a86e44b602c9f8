"""A collector with a broker in memory, asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from pipeline.collect.app import Access, app_of, routes
from pipeline.collect.collector import Collector, Place
from pipeline.collect.event import Events
from pipeline.collect.limits import Budget, Limits
from pipeline.keys import keyring
from pipeline.settings import Settings
from pipeline.wire import Codec
from tests.collecting import KEYS, NOON, FakeBroker, FakeProducer
from tests.policies import POLICY

SCHEMAS = Settings().schemas
LIMITS = Limits(patience_s=0.2, in_flight_bytes=4 * 1024 * 1024, body_s=0.5)
AUTHORIZED = {"Authorization": "Bearer ingest_secret"}


@dataclass
class Site:
    """The collector, its surroundings, and a client."""

    collector: Collector
    broker: FakeBroker
    budget: Budget
    codec: Codec
    client: httpx.AsyncClient

    async def send(self, *events: Any, **changes: Any) -> httpx.Response:
        """POST these events; `changes` go to httpx."""
        return await self.client.post(
            "/v1/interactions", **{"content": json.dumps({"events": events}), "headers": AUTHORIZED} | changes
        )

    async def observe(self, *observations: Any, **changes: Any) -> httpx.Response:
        """POST these observations; `changes` go to httpx."""
        body = json.dumps({"observations": observations})
        return await self.client.post("/v1/observations", **{"content": body, "headers": AUTHORIZED} | changes)

    async def account(self, *outcomes: Any, **changes: Any) -> httpx.Response:
        """POST these outcomes; `changes` go to httpx."""
        body = json.dumps({"outcomes": outcomes})
        return await self.client.post("/v1/outcomes", **{"content": body, "headers": AUTHORIZED} | changes)

    def written(self) -> list[dict[str, Any]]:
        """The Avro events, observations and outcomes that the broker has."""
        return [self.codec.decode(record.value)[1] for record in self.broker.written]


def collector_of(broker: FakeBroker, limits: Limits, budget: Budget, codec: Codec) -> Collector:
    return Collector(
        Events(SCHEMAS),
        codec,
        keyring(KEYS, POLICY.placeholders),
        FakeProducer(broker, budget=budget, patience_s=limits.patience_s),
        Place(partitions=8, region="US"),
        limits=limits,
        budget=budget,
        policy=POLICY,
        clock=lambda: NOON / 1000 + 1,
    )


@pytest.fixture(scope="session")
def codec() -> Codec:
    return Codec(SCHEMAS)


@pytest.fixture
async def site(codec: Codec) -> AsyncIterator[Site]:
    broker, budget = FakeBroker(), Budget(LIMITS.in_flight_bytes)
    collector = collector_of(broker, LIMITS, budget, codec)
    app = app_of(routes(collector, Access(KEYS), SCHEMAS))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://collect") as client:
        yield Site(collector, broker, budget, codec, client)
