"""collect as an ASGI app, and its route for an app that has others too."""

from __future__ import annotations

import asyncio
import hmac
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer

from pipeline import catalogue, kafka, metrics, problems
from pipeline.collect import reference
from pipeline.collect.body import body_of
from pipeline.collect.collector import Collector, Place, Verdict
from pipeline.collect.event import Events
from pipeline.collect.limits import Budget, Full, Limits
from pipeline.collect.producer import KafkaProducer, Unavailable
from pipeline.keys import Keys, keyring
from pipeline.problems import Problem
from pipeline.registry import Registry, RegistryFailed
from pipeline.settings import Settings
from pipeline.topics import CHANNEL_TOPICS
from pipeline.wire import Codec

#: Records wait this long for others to share a request to the broker: enough to batch under load, too short to see.
LINGER_MS = 2


#: To a page of any origin: its key is public, and no cookie of ours counts here.
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT = {
    **ANY_ORIGIN,
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Encoding, Content-Type",
    "Access-Control-Max-Age": "86400",
}


class Access:
    """Who may send events."""

    def __init__(self, keys: Keys) -> None:
        self._ingest = keys.ingest.encode()
        self._public = keys.public.encode()
        self._others = (keys.read.encode(), keys.admin.encode())

    def check(self, request: Request) -> bool:
        """Whether the key is the public one. Raises Problem 401 no_key, 403 missing_scope."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        key = given.strip().encode("latin-1")
        if scheme.lower() == "bearer":
            if hmac.compare_digest(key, self._ingest):
                return False
            if hmac.compare_digest(key, self._public):
                return True
            if any(hmac.compare_digest(key, other) for other in self._others):
                raise Problem(403, "missing_scope", "This key may not send events: use the ingest or public key.")
        raise Problem(
            401,
            "no_key",
            "Send the header 'Authorization: Bearer <ingest key>'; keys.json in THROUGHLINE_HOME has it.",
            {"WWW-Authenticate": 'Bearer realm="throughline"'},
        )


def routes(collector: Collector, access: Access, schemas: Path) -> APIRouter:
    """POST /v1/interactions; `schemas` is the folder that /docs takes its texts from."""
    # The scheme is for /docs; `access` decides.
    said = "The ingest key of keys.json; in pages and apps the public one."
    bearer = HTTPBearer(scheme_name="ingest", description=said, auto_error=False)
    router = APIRouter(tags=["interactions"], dependencies=[Depends(bearer)])
    limits = collector.limits
    wait = str(limits.retry_after_s)

    @router.post("/v1/interactions", **reference.operation(limits, schemas))
    async def post_interactions(request: Request) -> Response:
        public = access.check(request)
        shared = ANY_ORIGIN if public else {}
        try:
            verdict = await take(request, public)
        except Problem as problem:  # a page is to read this too
            problem.headers |= shared
            raise
        return Response(msgspec.json.encode(verdict), 202, shared, "application/json")

    async def take(request: Request, public: bool) -> Verdict:
        try:
            collector.check()
            async with body_of(request, limits, collector.budget) as body:
                return await collector.take(body, public)
        except Full as error:
            detail = f"Too many events are being taken in right now: send these again in {wait} s."
            raise Problem(429, "too_much_in_flight", detail, {"Retry-After": wait}) from error
        except Unavailable as error:
            detail = f"Not accepted, since {error}: send all events of this request again in {wait} s."
            raise Problem(503, "kafka_unavailable", detail, {"Retry-After": wait}) from error

    @router.options("/v1/interactions", include_in_schema=False)
    async def ask_for_another_origin() -> Response:
        """A browser asks so before it lets a page post; it does not say with which key."""
        return Response(status_code=204, headers=PREFLIGHT)

    return router


def create_app(settings: Settings, keys: Keys, limits: Limits | None = None) -> FastAPI:
    """The collector for these settings. Its lifespan connects to Kafka, and at the end waits for what is on its way."""
    limits = limits or Limits()
    budget = Budget(limits.in_flight_bytes)
    producer = KafkaProducer(
        lambda: kafka.producer(settings, linger_ms=LINGER_MS, request_timeout_ms=int(limits.patience_s * 1000)),
        partitions=settings.partitions,
        budget=budget,
        patience_s=limits.patience_s,
    )
    codec = Codec(settings.schemas)
    policy = catalogue.load(settings.catalogue_folder).policy
    registry = Registry(settings.schema_registry, codec)

    async def start() -> None:
        try:
            await registry.register(CHANNEL_TOPICS)
        except RegistryFailed as problem:
            sys.stderr.write(f"{problem}\n")  # the server says no more than that its start failed
            raise
        await producer.start()

    collector = Collector(
        Events(settings.schemas),
        codec,
        keyring(keys, policy.placeholders),
        producer,
        Place(settings.partitions, settings.phone_region),
        limits=limits,
        budget=budget,
        policy=policy,
    )
    app = app_of(routes(collector, Access(keys), settings.schemas), start, producer.stop)
    app.include_router(_condition(producer))
    return app


def _condition(producer: KafkaProducer) -> APIRouter:
    """For those who run it: whether it can take events now, and its metrics."""
    router = APIRouter(include_in_schema=False)

    @router.get("/v1/health")
    async def health() -> Response:
        if not producer.connected:
            raise Problem(503, "kafka_unavailable", "There is no connection to Kafka.", {"Retry-After": "1"})
        return Response(b'{"status":"ok"}', media_type="application/json")

    @router.get("/metrics")
    async def figures() -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    return router


Step = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    await asyncio.sleep(0)


def app_of(router: APIRouter, start: Step = _nothing, stop: Step = _nothing) -> FastAPI:
    """The app around a collector's routes; `start` and `stop` run with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await start()
        try:
            yield
        finally:
            await stop()

    app = FastAPI(title="Throughline: collect", version="1", lifespan=lifespan)
    problems.install(app)
    app.include_router(router)
    return app
