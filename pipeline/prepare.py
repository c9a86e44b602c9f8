"""Before any stage runs: the topics of `topics.py` and the tables of `schemas/clickhouse`. Safe to repeat."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from pipeline import catalogue, kafka, keys, logs
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations, writer
from pipeline.topics import TOPICS


def prepare(settings: Settings) -> None:
    """Create what is missing in Kafka and ClickHouse, both at once; each must answer already.

    Raises kafka.UnequalPartitions, the errors of aiokafka and clickhouse-connect, and what migrations raise.
    """
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(prepare_kafka, settings), pool.submit(prepare_clickhouse, settings)]
        for each in waiting:
            each.result()


def prepare_kafka(settings: Settings) -> None:
    """Create the topics that are missing; give the others the configuration that `topics.py` says, and log it."""

    async def prepared() -> None:
        created = set(await kafka.create_topics(settings))
        existing = [topic for topic in TOPICS if topic.name not in created]
        for name, changes in (await kafka.configure_topics(settings, existing)).items():
            logs.get("prepare").info("topic_changed", topic=name, **changes)

    asyncio.run(prepared())


def prepare_clickhouse(settings: Settings) -> None:
    """Bring the tables to the newest migration, and put the catalogue into them. Raises BadCatalogue."""
    client = writer.connect(settings, keys.load_or_create(settings))
    try:
        migrations.migrate(client, settings)
        catalogued.load(client, catalogue.load(settings.catalogue_folder), int(time.time() * 1000))
    finally:
        client.close()
