"""Log lines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import logs
from pipeline.settings import BadSetting, Settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("throughline")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before
    logging.captureWarnings(False)


def lines(home: Path, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (home / "logs" / f"{name}.log").read_text().splitlines()]


def test_a_line_is_an_event_with_its_facts(tmp_path: Path) -> None:
    logs.configure("store", Settings(home=tmp_path))
    logs.get("writer").info("inserted", table="interactions", rows=3)
    (line,) = lines(tmp_path, "store")
    assert line["event"] == "inserted"
    assert (line["process"], line["source"], line["level"]) == ("store", "writer", "info")
    assert (line["table"], line["rows"]) == ("interactions", 3)
    assert str(line["at"]).endswith("Z")


def test_libraries_are_heard_from_warnings_on(tmp_path: Path) -> None:
    logs.configure("store", Settings(home=tmp_path))
    logging.getLogger("aiokafka").info("chatter")
    logging.getLogger("aiokafka").warning("node %s is gone", 1)
    assert [line["event"] for line in lines(tmp_path, "store")] == ["node 1 is gone"]


def test_an_unknown_level_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="THROUGHLINE_LOG_LEVEL"):
        logs.configure("store", Settings(home=tmp_path, log_level="loud"))


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 2_000)
    logs.configure("store", Settings(home=tmp_path))
    for number in range(200):
        logs.get("writer").info("inserted", number=number)
    files = list((tmp_path / "logs").iterdir())
    assert len(files) == 1 + logs.FILES_KEPT
    assert all(file.stat().st_size <= 2_000 for file in files)
