"""serve as a process of its own (beside collect in one process: pipeline/http.py)."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from pipeline import catalogue, garbage, logs
from pipeline.domain import texts
from pipeline.domain.catalogue import Catalogue
from pipeline.domain.staff import Staff
from pipeline.keys import Keys, keyring, load_or_create
from pipeline.listening import options
from pipeline.registry import Registry
from pipeline.serve.access import Gate, Links, Sessions
from pipeline.serve.alerting import Alerting
from pipeline.serve.app import create_app
from pipeline.serve.audit import Audit
from pipeline.serve.changing import Changing
from pipeline.serve.follow import follow_calls, follow_routes
from pipeline.serve.history import ClickHouseHistory, History
from pipeline.serve.identify import Identify
from pipeline.serve.live import Streams
from pipeline.serve.noting import Choices, Noting
from pipeline.serve.observing import Observing
from pipeline.serve.parts import Parts
from pipeline.serve.passes import Passes
from pipeline.serve.reports import ClickHouseReports, Reports
from pipeline.serve.routing import Routes
from pipeline.serve.workers import Workers
from pipeline.serve.writing import KafkaWriter, Writer
from pipeline.settings import Settings
from pipeline.topics import written_by
from pipeline.wire import Codec

READ = frozenset({"read"})


def parts_of(settings: Settings, keys: Keys, history: History, reports: Reports, writer: Writer, codec: Codec) -> Parts:
    """The real parts for these settings."""
    sessions = Sessions(keys.session_key)
    known = catalogue.load(settings.catalogue_folder)
    keyed = keyring(keys, known.policy.placeholders)
    masked = partial(texts.masked, region=settings.phone_region)
    routes = Routes(settings.partitions)
    scopes = {
        keys.read: ("read", READ),
        keys.admin: ("admin", READ | {"admin"}),
        keys.ingest: ("ingest", frozenset({"ingest"})),
        keys.public: ("public", frozenset({"ingest"})),
    }
    return Parts(
        gate=Gate(scopes, sessions),
        sessions=sessions,
        links=Links(settings.home / "run" / "sign-in"),
        keyring=keyed,
        region=settings.phone_region,
        routes=routes,
        workers=Workers(routes, keys.worker_token),
        identities=Identify(routes, keys.worker_token),
        alerting=Alerting(routes, keys.worker_token),
        writer=writer,
        masked=masked,
        history=history,
        audit=Audit(logs.get("audit"), writer, codec, keyed.seal, masked),
        staff=Staff(keyed.pseudonym, known.policy.staff),
        observing=Observing(writer, codec, settings.phone_region),
        changing=Changing(writer, codec, settings.phone_region),
        noting=Noting(writer, codec, keyed, settings.phone_region, known.policy, choices_of(known)),
        passes=Passes(keys.session_key),
        framed_by=settings.frame_ancestors,
        catalogued=known.touchpoints,
        reports=reports,
        journeys=known.journeys,
        segment_kinds=known.business.segments,
        touchpoints={each.id: each.name for each in known.touchpoints.values()},
        zone=settings.time_zone or known.business.time_zone,
        now_minutes=settings.now_minutes,
    )


def choices_of(known: Catalogue) -> Choices:
    """What agents may say of a call: its issues, and what came of it, where somebody took it."""
    taken = [name for name, said in known.scoring.outcomes.items() if said.contact and said.queue != "abandoned"]
    return Choices(known.business.issues, taken)


def app_of(settings: Settings, keys: Keys, failures: list[BaseException]) -> FastAPI:
    """serve's app with its readers of Kafka beside it. What ends one of them goes to `failures`, and ends all."""
    history = ClickHouseHistory(settings, keys.clickhouse_user, keys.clickhouse_password)
    reports = ClickHouseReports(settings, keys.clickhouse_user, keys.clickhouse_password)
    codec = Codec(settings.schemas)
    registry = Registry(settings.schema_registry, codec)
    written = written_by("serve")
    writer = KafkaWriter(settings, written, lambda: registry.register(written))
    parts = parts_of(settings, keys, history, reports, writer, codec)

    @asynccontextmanager
    async def beside() -> AsyncIterator[None]:
        readers = [
            _started(follow_routes(settings, parts.routes), failures),
            _started(follow_calls(settings, codec, registry, parts.calls), failures),
            _started(writer.run(), failures),
            _started(parts.counting.run(), failures),
            _started(parts.lately.run(), failures),
        ]
        try:
            yield
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
            await history.close()
            await reports.close()

    return create_app(parts, beside)


def _started(work: Coroutine[Any, Any, None], failures: list[BaseException]) -> asyncio.Task[None]:
    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            failures.append(error)
            signal.raise_signal(signal.SIGTERM)  # uvicorn ends as it should; `run` raises the error then

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


class Server(uvicorn.Server):
    """Ends the live streams first when it is to stop, and then waits for the other requests."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._streams.end()
        await super().shutdown(sockets)


def run_app(app: Any, streams: Streams, settings: Settings, failures: list[BaseException]) -> None:
    """Serve an app until SIGTERM. Raises what ended its readers, so that the supervisor starts it anew."""
    config = uvicorn.Config(app, **options(settings))
    server = Server(config, streams)
    garbage.settle()
    server.run()
    if failures:
        raise failures[0]
    if not server.started:
        raise SystemExit(1)  # uvicorn has said why


def run(settings: Settings) -> None:
    """Serve until SIGTERM."""
    failures: list[BaseException] = []
    app = app_of(settings, load_or_create(settings), failures)
    run_app(app, app.state.parts.streams, settings, failures)
