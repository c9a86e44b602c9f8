"""Kafka's jars: fetched once, and only the right ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.local.jars import VERSION, NoJars, cached, expected

CONTENT = {"kafka.jar": b"kafka", "clients.jar": b"clients"}
WANTED = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}


class Repository:
    """What a resolver finds, and how often it was asked."""

    def __init__(self, folder: Path, **changed: bytes) -> None:
        self.asked = 0
        self._paths = []
        for place, (name, data) in enumerate({**CONTENT, **changed}.items()):
            path = folder / "repository" / str(place) / name
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
            self._paths.append(path)

    def __call__(self) -> Sequence[Path]:
        self.asked += 1
        return self._paths


def test_jars_are_fetched_once(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    for _ in range(2):
        jars = cached(tmp_path / "cache", WANTED, repository)
        assert {jar.name: jar.read_bytes() for jar in jars} == CONTENT
    assert repository.asked == 1


def test_a_damaged_jar_is_fetched_again(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    (first, _) = cached(tmp_path / "cache", WANTED, repository)
    first.write_bytes(b"damaged")
    cached(tmp_path / "cache", WANTED, repository)
    assert (first.read_bytes(), repository.asked) == (CONTENT[first.name], 2)


def test_another_version_of_a_jar_is_refused_and_not_kept(tmp_path: Path) -> None:
    repository = Repository(tmp_path, **{"clients.jar": b"an older one"})
    with pytest.raises(NoJars, match=r"not the expected ones: clients\.jar"):
        cached(tmp_path / "cache", WANTED, repository)
    assert not list((tmp_path / "cache").glob("kafka*"))


def test_a_missing_jar_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoJars, match=r"kafka\.jar"):
        cached(tmp_path / "cache", WANTED, list)


def test_the_list_is_of_the_broker_and_its_own_clients() -> None:
    names = expected()
    assert {f"kafka_2.13-{VERSION}.jar", f"kafka-clients-{VERSION}.jar"} <= set(names)
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in names.values())
