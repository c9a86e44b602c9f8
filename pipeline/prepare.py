"""Before any stage runs: the topics of `topics.py`, the tables of `schemas/clickhouse`, and which definition is live.

Safe to repeat.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from pipeline import catalogue, definitions, kafka, keys, logs
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations, writer
from pipeline.topics import TOPICS


def prepare(settings: Settings) -> None:
    """Create what is missing in Kafka and ClickHouse, both at once; each must answer already.

    Raises kafka.UnequalPartitions, MissingDefinition, the errors of aiokafka and clickhouse-connect, and what
    migrations raise.
    """
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(prepare_kafka, settings), pool.submit(prepare_clickhouse, settings)]
        for each in waiting:
            each.result()
    prepare_definitions(settings)


def prepare_kafka(settings: Settings) -> None:
    """Create the topics that are missing; give the others the configuration that `topics.py` says, and log it."""

    async def prepared() -> None:
        created = set(await kafka.create_topics(settings))
        existing = [topic for topic in TOPICS if topic.name not in created]
        for name, changes in (await kafka.configure_topics(settings, existing)).items():
            logs.get("prepare").info("topic_changed", topic=name, **changes)

    asyncio.run(prepared())


def prepare_clickhouse(settings: Settings) -> None:
    """Bring the tables to the newest migration."""
    client = writer.connect(settings, keys.load_or_create(settings))
    try:
        migrations.migrate(client, settings)
    finally:
        client.close()


def prepare_definitions(settings: Settings) -> None:
    """Record which definition is live where nothing is recorded; put that and the catalogue into ClickHouse.

    That is the newest of the catalogue, or the one that has judged what is stored. Kafka and ClickHouse must be
    prepared. Raises BadCatalogue, MissingDefinition.
    """
    known = catalogue.load(settings.catalogue_folder)
    recorded = asyncio.run(definitions.read(settings))
    now_ms = int(time.time() * 1000)
    client = writer.connect(settings, keys.load_or_create(settings), settings.clickhouse_database)
    try:
        if not recorded:
            used = int(client.query("SELECT max(definition) FROM touchpoint_scores").result_rows[0][0])
            recorded = [definitions.Recorded(1, used or known.scoring.version, 0, now_ms, replayed=True)]
            asyncio.run(definitions.record(settings, recorded[0]))
        live = recorded[-1].live
        if live not in known.scorings:
            raise definitions.MissingDefinition(live, known.scorings)
        definitions.load(client, recorded)
        catalogued.load(client, known, now_ms, live)
    finally:
        client.close()
