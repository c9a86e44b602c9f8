"""`throughline keys migrate`: with Kafka and ClickHouse of its own where the stack is local, and nobody beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from pipeline import keys, prepare
from pipeline.local import home
from pipeline.local.bare import bare
from pipeline.rotate.migration import StillWorking, migrate, wait_until_nobody_works
from pipeline.settings import Settings


def migrate_keys(settings: Settings, say: Callable[[str], None]) -> str:
    """Rename everything to the newest identifier key; returns its name.

    Raises StillWorking, and what `migrate`, `prepare` and `bare` raise.
    """
    keys.next_identifier_key(settings)  # or there is nothing to do
    if settings.kafka or settings.clickhouse_url:
        prepare.prepare(settings)
        asyncio.run(wait_until_nobody_works(settings, say))
        return migrate(settings, say)
    settings = replace(settings, home=settings.home.resolve(), kafka_port=0, clickhouse_port=0)
    try:
        lock = home.Lock(settings.home)
    except home.AlreadyRunning:
        raise StillWorking(f"The stack in {settings.home} is running: stop it, then run this again.") from None
    try:
        if lock.stale:
            home.end_leftovers(settings.home)
        say("Starting Kafka and ClickHouse …")
        with bare(settings) as running:
            say("Renaming …")
            return migrate(running, say)
    finally:
        lock.release()
