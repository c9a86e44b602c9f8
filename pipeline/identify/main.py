"""`throughline run identify`: the one worker that decides who is who, a Faust app of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pipeline import logs
from pipeline.engine import Batch, Engine, EngineApp, Spec, paced, run_worker
from pipeline.identify.process import Identify
from pipeline.registry import Registry
from pipeline.settings import Settings
from pipeline.topics import EVIDENCE, IDENTIFY_CHANGELOG, written_by
from pipeline.wire import Codec

GROUP = "identify"


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
    )


def run(settings: Settings) -> None:
    """Work until SIGTERM."""
    log = logs.get(GROUP)

    def ready(numbers: frozenset[int]) -> None:
        log.info("owning", numbers=sorted(numbers))
        marker = settings.home / "run" / "ready" / GROUP
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()

    codec = Codec(settings.schemas)
    registry = Registry(settings.schema_registry, codec)
    deciding = Identify(codec, settings.partitions)

    async def identify(batches: AsyncIterator[Batch]) -> None:
        await registry.register(written_by(GROUP))
        async for batch in batches:
            await paced(deciding.process(batch))

    run_worker(EngineApp(Engine(specification(settings), on_ready=ready), identify))
