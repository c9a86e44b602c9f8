"""collect as an ASGI app, and its routes for an app that has others too."""

from __future__ import annotations

import asyncio
import hmac
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer

from pipeline import catalogue, kafka, metrics, problems
from pipeline.collect import reference, reference_observations, reference_outcomes
from pipeline.collect.body import body_of
from pipeline.collect.collector import Collector, Place, Verdict
from pipeline.collect.event import Events
from pipeline.collect.limits import Budget, Full, Limits
from pipeline.collect.producer import KafkaProducer, Unavailable
from pipeline.keys import Keys, keyring
from pipeline.problems import Problem
from pipeline.registry import Registry, RegistryFailed
from pipeline.settings import Settings
from pipeline.topics import written_by
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
    """Who may send events, observations and outcomes."""

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
                raise Problem(403, "missing_scope", "This key may not send anything: use the ingest or public key.")
        raise Problem(
            401,
            "no_key",
            "Send the header 'Authorization: Bearer <ingest key>'; keys.json in THROUGHLINE_HOME has it.",
            {"WWW-Authenticate": 'Bearer realm="throughline"'},
        )

    def check_ingest(self, request: Request, what: str) -> None:
        """Let the ingest key send something, and no other. Raises Problem 401 no_key, 403 missing_scope."""
        if self.check(request):
            detail = f"The public key sends interactions and nothing else: send {what} with the ingest key."
            raise Problem(403, "missing_scope", detail)


_NOT_PUBLIC = "The ingest key of keys.json; in pages and apps the public one, for interactions alone."


def routes(collector: Collector, access: Access, schemas: Path) -> APIRouter:
    """POST /v1/interactions, /v1/observations, /v1/outcomes; `schemas` is the folder that /docs takes texts from."""
    router = APIRouter()
    router.include_router(_interactions(collector, access, schemas))
    router.include_router(_observations(collector, access, schemas))
    router.include_router(_outcomes(collector, access, schemas))
    return router


def _bearer(said: str) -> Any:
    """The scheme is for /docs; `access` decides."""
    return Depends(HTTPBearer(scheme_name="ingest", description=said, auto_error=False))


def _interactions(collector: Collector, access: Access, schemas: Path) -> APIRouter:
    said = "The ingest key of keys.json; in pages and apps the public one."
    router = APIRouter(tags=["interactions"], dependencies=[_bearer(said)])

    @router.post("/v1/interactions", **reference.operation(collector.limits, schemas))
    async def post_interactions(request: Request) -> Response:
        public = access.check(request)
        shared = ANY_ORIGIN if public else {}
        try:
            verdict = await taken(request, collector, lambda body: collector.take(body, public))
        except Problem as problem:  # a page is to read this too
            problem.headers |= shared
            raise
        return Response(msgspec.json.encode(verdict), 202, shared, "application/json")

    @router.options("/v1/interactions", include_in_schema=False)
    async def ask_for_another_origin() -> Response:
        """A browser asks so before it lets a page post; it does not say with which key."""
        return Response(status_code=204, headers=PREFLIGHT)

    return router


def _observations(collector: Collector, access: Access, schemas: Path) -> APIRouter:
    router = APIRouter(tags=["observations"], dependencies=[_bearer(_NOT_PUBLIC)])

    @router.post("/v1/observations", **reference_observations.operation(collector.limits, schemas))
    async def post_observations(request: Request) -> Response:
        access.check_ingest(request, "observations")
        verdict = await taken(request, collector, collector.observe)
        return Response(msgspec.json.encode(verdict), 202, media_type="application/json")

    return router


def _outcomes(collector: Collector, access: Access, schemas: Path) -> APIRouter:
    router = APIRouter(tags=["outcomes"], dependencies=[_bearer(_NOT_PUBLIC)])

    @router.post("/v1/outcomes", **reference_outcomes.operation(collector.limits, schemas))
    async def post_outcomes(request: Request) -> Response:
        access.check_ingest(request, "outcomes")
        verdict = await taken(request, collector, collector.account)
        return Response(msgspec.json.encode(verdict), 202, media_type="application/json")

    return router


async def taken(request: Request, collector: Collector, take: Callable[[bytes], Awaitable[Verdict]]) -> Verdict:
    """What `take` says of a request's body. Raises Problem, also where nothing can be taken now."""
    limits = collector.limits
    wait = str(limits.retry_after_s)
    try:
        collector.check()
        async with body_of(request, limits, collector.budget) as body:
            return await take(body)
    except Full as error:
        detail = f"Too much is being taken in right now: send this again in {wait} s."
        raise Problem(429, "too_much_in_flight", detail, {"Retry-After": wait}) from error
    except Unavailable as error:
        detail = f"Not accepted, since {error}: send all of this request again in {wait} s."
        raise Problem(503, "kafka_unavailable", detail, {"Retry-After": wait}) from error


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
            await registry.register(written_by("collect"))
        except RegistryFailed as problem:
            sys.stderr.write(f"{problem}\n")  # the server says no more than that its start failed
            raise
        await producer.start()

    keyed = keyring(keys, policy.placeholders)
    collector = Collector(
        Events(settings.schemas),
        codec,
        keyed,
        producer,
        Place(settings.partitions, settings.phone_region),
        limits=limits,
        budget=budget,
        policy=policy,
    )
    app = app_of(routes(collector, Access(keys), settings.schemas), start, producer.stop)
    app.state.keyring = keyed  # it remembers identifiers, until it is told to forget them
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
