"""What all tests may use: one real Kafka and one real ClickHouse per session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from pipeline import keys
from pipeline.keys import Keys
from pipeline.local.bare import bare
from pipeline.settings import Settings
from tests import examples

examples.few()  # unless --hypothesis-profile says otherwise

#: The files that take longest, first: two run at a time, and none of these is to begin when the others have ended.
#: Those with a product of their own stand before those that share one, which runs on until the end.
FIRST = (
    "system/test_privacy.py",
    "integration/test_planted.py",
    "system/test_storm_short.py",
    "system/test_stack.py",
    "system/test_real_bank.py",
    "integration/engine/test_faults.py",
    "integration/test_store_erasing.py",
    "integration/test_store_people.py",
    "integration/test_rotation.py",
    "integration/test_store.py",
    "system/test_desk.py",
    "system/test_real_files.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; all else keeps its order."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(here).as_posix()
        return FIRST.index(name) if name in FIRST else len(FIRST)

    items.sort(key=place)


@dataclass(frozen=True)
class Stack:
    """A running broker with topics, and ClickHouse with tables, in a temporary home on free ports."""

    settings: Settings
    keys: Keys

    def reader(self) -> Client:
        """A client of the user for reports."""
        return clickhouse_connect.get_client(
            dsn=self.settings.clickhouse,
            username=self.keys.bi_user,
            password=self.keys.bi_password,
            database="throughline",
        )


@contextmanager
def started(home: Path) -> Iterator[Stack]:
    """A stack of one's own, for tests that read whole topics or break what others rely on."""
    # As on a small machine: each partition number costs the broker transactions of its own.
    with bare(Settings(home=home, http_port=0, kafka_port=0, clickhouse_port=0, partitions=2)) as settings:
        yield Stack(settings, keys.load_or_create(settings))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka and ClickHouse for the whole session, shared by all tests: use keys, ids and groups of your own."""
    with started(tmp_path_factory.mktemp("stack")) as stack:
        yield stack
