"""`throughline run identify`: the one worker that decides who is who, a Faust app of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable

import msgspec

from pipeline import garbage, kafka, keys, logs, partition
from pipeline.engine import Batch, Engine, EngineApp, Limits, Sent, Spec, paced, run_worker
from pipeline.identify import recall
from pipeline.identify.process import Identify
from pipeline.identify.queries import Queries
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.topics import EVIDENCE, IDENTIFY_CHANGELOG, IDENTITY_ORDERS, ROUTES, written_by
from pipeline.wire import Codec

GROUP = "identify"
BATCH_INTERVAL_S = 0.02  # shorter than the engine's: everybody waits for this one, and its transactions are few


def specification(settings: Settings) -> Spec:
    """What it reads, and where its state is."""
    return Spec(
        app_id=GROUP,
        sources=(EVIDENCE.name,),
        trimmed=(EVIDENCE.name,),
        changelog=IDENTIFY_CHANGELOG.name,
        partitions=1,
        bootstrap=settings.bootstrap,
        state_dir=settings.home / "state" / GROUP,
        worker="0",
        resumes=True,
        limits=Limits(batch_interval_s=BATCH_INTERVAL_S),
    )


async def recalled(settings: Settings) -> list[recall.Recalled]:
    """What identity.orders holds now, the newest of each order. Small: what people ordered, and seals of the erased."""
    found = {record.key: record.value for record in await kafka.read_whole(settings, IDENTITY_ORDERS)}
    return [recall.decode(value) for value in found.values() if value is not None]


def run(settings: Settings) -> None:
    """Work until SIGTERM."""
    log = logs.get(GROUP)
    secrets = keys.load_or_create(settings)
    started_at = int(time.time() * 1000)

    def announce(number: int) -> Iterable[tuple[str, int, Sent]]:
        url = f"http://{settings.host}:{settings.identify_port}"
        route = {"partition": -1, "url": url, "worker": GROUP, "generation": started_at}
        yield ROUTES.name, 0, (None, GROUP.encode(), msgspec.json.encode(route))

    def ready(numbers: frozenset[int]) -> None:
        log.info("owning", numbers=sorted(numbers))
        marker = settings.home / "run" / "ready" / GROUP
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()

    codec = Codec(settings.schemas)
    registry = Registry(settings.schema_registry, codec)
    engine = Engine(specification(settings), announce, ready)
    queries = Queries(engine, partition.forget).service(secrets.worker_token, settings.host, settings.identify_port)
    seal = keys.keyring(secrets).seal

    async def identify(batches: AsyncIterator[Batch]) -> None:
        await registry.register(written_by(GROUP))
        deciding = Identify(codec, settings.partitions, seal, recalled=await recalled(settings))
        async for batch in batches:
            await paced(deciding.process(batch))

    garbage.settle()
    run_worker(EngineApp(engine, identify, services=(queries,)))
