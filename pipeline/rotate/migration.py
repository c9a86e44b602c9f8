"""The whole migration, step by step. Each step finds by itself what is left to do, so all are simply run again.

fence ─ waiting messages ─ identify's state ─ stitch's state ─ compacted topics ─ ClickHouse ─ local copies ─ key
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from pipeline import kafka, keys
from pipeline.domain.identifiers import Keyring
from pipeline.engine.transaction import Fence
from pipeline.registry import Registry
from pipeline.rotate import outputs, rewriting, state, waiting
from pipeline.rotate.rewriting import Commits, copied
from pipeline.rotate.tables import rename_tables
from pipeline.settings import Settings
from pipeline.store import writer
from pipeline.topics import EVIDENCE, IDENTIFY_CHANGELOG, INBOX, STITCH_CHANGELOG, TOPICS
from pipeline.wire import Codec

GROUPS = ("stitch", "identify", "store")
LEAVE_S_MAX = 15.0  # a killed member is missed after its session's time-out
SAY_EVERY_S = 2.0

Say = Callable[[str], None]


class StillWorking(RuntimeError):
    """Stages are running that would write under the old key; says which."""


async def wait_until_nobody_works(settings: Settings, say: Say) -> None:
    """Return once no stage is a member of its group. Raises StillWorking, aiokafka's errors."""
    deadline = time.monotonic() + LEAVE_S_MAX
    said = False
    while found := await kafka.members(settings, GROUPS):
        named = ", ".join(f"{group} ({count})" for group, count in sorted(found.items()))
        if time.monotonic() > deadline:
            raise StillWorking(f"These groups still have members: {named}. Stop all stages first.")
        if not said:
            said = True
            say(f"Waiting until the members of {named} are gone …")
        await asyncio.sleep(0.5)


def migrate(settings: Settings, say: Say) -> str:
    """Make the newest identifier key the current one, and rename everything; returns its name.

    Kafka and ClickHouse must answer and be prepared, and no stage may run. Raises keys.BrokenKeys, keys.NoRotation,
    UnknownRecord, NotRenamed, and the errors of aiokafka and clickhouse-connect; then it can be run again.
    """
    name = keys.begin_migration(settings)
    made = keys.load_or_create(settings)
    keyring = keys.keyring(replace(made, identifier_key=name))
    progress = Progress(say)
    asyncio.run(_rename_kafka(settings, keyring, progress))
    client = writer.connect(settings, made, settings.clickhouse_database)
    try:
        rename_tables(client, keyring, progress.tell)
    finally:
        client.close()
    # Workers restore theirs from the changelog; what they would catch up on is not kept in old files either.
    for local in ((settings.home / "state").glob("stitch-*"), (settings.home / "state").glob("identify*")):
        for each in local:
            shutil.rmtree(each)
    shutil.rmtree(rewriting.folder(settings), ignore_errors=True)
    keys.finish_migration(settings)
    return name


async def _rename_kafka(settings: Settings, keyring: Keyring, progress: Progress) -> None:
    codec = Codec(settings.schemas)
    registry = Registry(settings.schema_registry, codec)
    await registry.register(tuple(topic for topic in TOPICS if topic.schema in codec.names))
    async with AsyncExitStack() as stack:
        identify, _, *others = await asyncio.gather(
            _fenced(stack, settings, "identify-0"),
            _fenced(stack, settings, "alert"),
            *(_fenced(stack, settings, f"stitch-{number}") for number in range(settings.partitions)),
        )
        workers = dict(enumerate(others))
        await waiting.rename_waiting(settings, EVIDENCE, {0: identify}, keyring, progress.tell)
        await waiting.rename_waiting(settings, INBOX, workers, keyring, progress.tell)
        with copied(settings, IDENTIFY_CHANGELOG) as copy:
            await copy.read(progress.tell)
            await state.rename_known(copy, identify, keyring, progress.tell)
        with copied(settings, STITCH_CHANGELOG) as copy:
            await copy.read(progress.tell)
            await state.rename_profiles(copy, workers, keyring, codec, progress.tell)
        await _rename_outputs(settings, workers, keyring, codec, registry, progress)


async def _rename_outputs(
    settings: Settings,
    workers: Mapping[int, Commits],
    keyring: Keyring,
    codec: Codec,
    registry: Registry,
    progress: Progress,
) -> None:
    for output in outputs.OUTPUTS:
        with copied(settings, output.topic) as copy:
            await copy.read(progress.tell)
            await outputs.rename_output(copy, output.who, workers[0], keyring, codec, registry, progress.tell)


async def _fenced(stack: AsyncExitStack, settings: Settings, transactional_id: str) -> Fence:
    fence = rewriting.fence(settings, transactional_id)
    stack.push_async_callback(fence.close)
    await fence.start()
    return fence


class Progress:
    """Says what is being done, now and then."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said_at = time.monotonic()

    def tell(self, what: str, looked: int) -> None:
        """So many records were looked at of what is being renamed."""
        now = time.monotonic()
        if now - self._said_at >= SAY_EVERY_S:
            self._said_at = now
            self._say(f"  {what}: {looked:,} …")
