"""`throughline run stitch`: one worker, a Faust app whose agent files interactions and keeps profiles."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable

import msgspec

from pipeline import catalogue, definitions, garbage, keys, logs, partition
from pipeline.domain import texts
from pipeline.domain.messages import Scrub
from pipeline.domain.recalled import Recalled
from pipeline.domain.rules import Rules
from pipeline.engine import Batch, Engine, EngineApp, Sent, Spec, paced, run_worker
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.stitch import erasures
from pipeline.stitch.definitions import Definitions
from pipeline.stitch.process import Stitch
from pipeline.stitch.queries import Queries
from pipeline.stitch.watch import Watch
from pipeline.topics import CHANNEL_TOPICS, INBOX, ROUTES, STITCH_CHANGELOG, written_by
from pipeline.wire import Codec

GROUP = "stitch"


def specification(settings: Settings) -> Spec:
    """What this worker reads, and where its state is."""
    return Spec(
        app_id=GROUP,
        sources=tuple(topic.name for topic in CHANNEL_TOPICS),
        inbox=INBOX.name,
        trimmed=(INBOX.name,),
        changelog=STITCH_CHANGELOG.name,
        partitions=settings.partitions,
        bootstrap=settings.bootstrap,
        state_dir=settings.home / "state" / f"{GROUP}-{settings.worker}",
        worker=str(settings.worker),
    )


def rules(settings: Settings) -> Rules:
    """How much a profile holds, and how it is scored."""
    known = catalogue.load(settings.catalogue_folder)
    return Rules(
        scoring=known.scoring,
        scorings=known.scorings,
        view_size=settings.view_size,
        now_ms=settings.now_minutes * 60_000,
    )


def run(settings: Settings) -> None:
    """Work until SIGTERM."""
    name = f"{GROUP}-{settings.worker}"
    log = logs.get(GROUP)
    secrets = keys.load_or_create(settings)
    watch = Watch()
    judging = Definitions(rules(settings), lambda: catalogue.load(settings.catalogue_folder).scorings)
    started_at = int(time.time() * 1000)

    def announce(number: int) -> Iterable[tuple[str, int, Sent]]:
        url = f"http://{settings.host}:{settings.worker_port}"
        route = {"partition": number, "url": url, "worker": name, "generation": started_at}
        yield ROUTES.name, 0, (None, str(number).encode(), msgspec.json.encode(route))

    def ready(numbers: frozenset[int]) -> None:
        log.info("owning", numbers=sorted(numbers))
        marker = settings.home / "run" / "ready" / name
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()

    async def tell(messages: Iterable[Scrub]) -> None:
        await erasures.tell(settings, messages)

    def forget() -> int:
        return keyring.forget() + partition.forget() + texts.forget() + watch.forget()

    engine = Engine(specification(settings), announce, ready)
    identity = catalogue.load(settings.catalogue_folder).policy
    keyring = keys.keyring(secrets, identity.placeholders)
    recalled = Recalled()
    queries = Queries(
        *(engine, watch, judging, settings.partitions, secrets.worker_token, settings.host, settings.worker_port),
        *(keyring.seal, recalled.erasures, tell, forget),
    )
    codec = Codec(settings.schemas)
    registry = Registry(settings.schema_registry, codec)
    stitching = Stitch(
        codec,
        keyring,
        judging,
        settings.partitions,
        settings.phone_region,
        watch.changed,
        keyring.seal,
        recalled,
        identity,
    )

    async def stitch(batches: AsyncIterator[Batch]) -> None:
        await registry.register(written_by(GROUP))
        recalled.update(await erasures.read(settings))
        if (now := definitions.judging(await definitions.read(settings))) is not None:
            judging.record(now)
        async for batch in batches:
            await registry.learn(batch.sources)
            await paced(stitching.process(batch))

    garbage.settle()
    run_worker(EngineApp(engine, stitch, services=(queries,)))
