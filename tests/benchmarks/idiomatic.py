"""The same work as an ordinary Faust app does it: an agent, an event at a time, a table of dicts in RocksDB.

It decodes and validates with the same code, keeps the newest 200 interactions and three scores of each profile, and
publishes the entry and the scores. It does less than stitch (no identity, no rollups, no transactions).
"""

from __future__ import annotations

import sys
from pathlib import Path

import faust
from mode.utils.logging import logging

from pipeline import keys
from pipeline.catalogue import load
from pipeline.domain.identifiers import Keyring
from pipeline.domain.scoring import DIMENSIONS
from pipeline.domain.validate import interaction
from pipeline.settings import Settings
from pipeline.topics import CHANNEL_TOPICS, CUSTOMER_SCORES, TIMELINES
from pipeline.wire import Codec

NEWEST = 200


def main() -> None:
    settings = Settings.from_environment()
    logging.getLogger().setLevel("WARNING")
    secrets = keys.load_or_create(settings)
    keyring = Keyring(dict(secrets.identifier_keys), secrets.identifier_key)
    codec, scoring = Codec(settings.schemas), load(settings.schemas).scoring
    app = faust.App(
        "idiomatic",
        broker=f"kafka://{settings.bootstrap}",
        store="rocksdb://?driver=rocksdict",
        datadir=str(Path(sys.argv[1])),
        topic_partitions=settings.partitions,
        topic_replication_factor=1,
        web_enabled=False,
        broker_max_poll_records=2_000,
    )
    timelines = app.topic(TIMELINES.name, value_serializer="raw", key_serializer="raw")
    scores = app.topic(CUSTOMER_SCORES.name, value_serializer="raw", key_serializer="raw")
    source = app.topic(*(topic.name for topic in CHANNEL_TOPICS), value_serializer="raw", key_serializer="raw")
    profiles = app.Table("profiles", default=dict, partitions=settings.partitions)

    @app.agent(source)
    async def stitch(stream):  # type: ignore[no-untyped-def]
        async for event in stream.events():
            name, decoded = codec.decode(event.value)
            channel = name.removeprefix("interaction_")
            x = interaction(decoded, channel, int(event.message.timestamp * 1000), keyring, settings.phone_region)
            profile = profiles[x.identifier] or {"timeline": [], "sums": [[0, 0.0] for _ in DIMENSIONS]}
            entry = [x.occurred_at, x.source, x.event_id, x.channel, x.type, x.touchpoint, x.properties, x.measures]
            if any(entry[:3] == known[:3] for known in profile["timeline"]):
                continue
            profile["timeline"] = sorted([entry, *profile["timeline"]], key=lambda each: each[:3], reverse=True)[
                :NEWEST
            ]
            experience = scoring.experience(x)
            for place, dimension in enumerate(DIMENSIONS):
                seen = None if experience is None else getattr(experience, dimension)
                if seen is not None:
                    profile["sums"][place][0] += 1
                    profile["sums"][place][1] += seen
            profiles[x.identifier] = profile
            key = x.identifier.encode()
            await timelines.send(key=key, value=event.value)
            if experience is not None:
                await scores.send(key=key, value=repr(profile["sums"]).encode())

    faust.Worker(app, loglevel="WARN", quiet=True, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
