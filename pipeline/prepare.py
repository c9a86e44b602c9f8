"""Before any stage runs: the topics of `topics.py` and the tables of `schemas/clickhouse`. Safe to repeat."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pipeline import kafka, keys
from pipeline.settings import Settings
from pipeline.store import migrations, writer


def prepare(settings: Settings) -> None:
    """Create what is missing in Kafka and ClickHouse, both at once; each must answer already.

    Raises kafka.UnequalPartitions, the errors of aiokafka and clickhouse-connect, and what migrations raise.
    """
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(prepare_kafka, settings), pool.submit(prepare_clickhouse, settings)]
        for each in waiting:
            each.result()


def prepare_kafka(settings: Settings) -> None:
    """Create the topics that are missing."""
    asyncio.run(kafka.create_topics(settings))


def prepare_clickhouse(settings: Settings) -> None:
    """Bring the tables to the newest migration."""
    client = writer.connect(settings, keys.load_or_create(settings))
    try:
        migrations.migrate(client, settings)
    finally:
        client.close()
