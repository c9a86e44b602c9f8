"""Putting privacy's routes among serve's, and its work beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from pipeline.domain.identifiers import Keyring
from pipeline.keys import Keys
from pipeline.privacy import api, reading
from pipeline.privacy.asking import Workers
from pipeline.privacy.broker import Broker
from pipeline.privacy.erasing import Means
from pipeline.privacy.erasures import Erasures
from pipeline.privacy.export import Sources
from pipeline.privacy.letters import Letters, learn
from pipeline.privacy.memory import Memory
from pipeline.privacy.rows import ClickHouseRows
from pipeline.privacy.tables import ClickHouseTables
from pipeline.registry import Registry
from pipeline.serve.app import Beside
from pipeline.serve.parts import Parts
from pipeline.settings import Settings
from pipeline.wire import Codec


def install(app: FastAPI, settings: Settings, secrets: Keys, keyrings: Sequence[Keyring] = ()) -> Beside:
    """Add the routes to serve's app; what is returned runs beside it, for as long as it does.

    `keyrings`: those of this process beside serve's own, which remember identifiers too.
    """
    parts: Parts = app.state.parts
    codec = Codec(settings.schemas)
    profiles = Workers(parts.routes, secrets.worker_token)
    rows = ClickHouseRows(settings, secrets)
    memory = Memory(parts.calls, (parts.keyring, *keyrings))
    means = Means(
        identify=parts.identities,
        orders=parts.orders,
        writer=parts.writer,
        profiles=profiles,
        kafka=Broker(settings),
        look=partial(reading.look_apart, settings),
        tables=ClickHouseTables(settings, secrets),
        drop=memory.drop,
        forget=memory.forget,
    )
    erasures = Erasures(means)
    sources = Sources(
        identify=parts.identities,
        profiles=profiles,
        rows=rows,
        read=partial(reading.whole, settings),
        learn=partial(learn, Registry(settings.schema_registry, codec) if settings.schema_registry else None, codec),
        codec=codec,
        letters=Letters(codec, parts.keyring, settings.phone_region),
        staff=parts.staff,
        seal=parts.keyring.seal,
    )
    app.include_router(api.router(parts, sources, erasures, profiles))

    @asynccontextmanager
    async def beside() -> AsyncIterator[None]:
        await profiles.open()
        working = asyncio.create_task(erasures.run(), name="erasures")
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await profiles.close()
            await rows.close()

    return beside
