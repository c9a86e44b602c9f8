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

#: The files with a stack of their own, or with none: any worker may run them. Those that take longest come first, so
#: that none of them begins when all others have ended.
ALONE = (
    "system/test_stack.py",
    "system/test_desk.py",
    "integration/test_store.py",
    "system/test_privacy.py",
    "integration/test_planted.py",
    "system/test_storm_short.py",
    "integration/test_rotation.py",
    "integration/test_reconciliation.py",
    "contract/test_producers.py",
    "system/test_real_bank.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have one worker run all that shares a stack, and one all that shares a product: each is there only once.

    What shares a stack is about half of everything, and comes first; what shares a product comes last, so that nobody
    pays for one that only waits.
    """
    here = Path(__file__).parent

    def shares(file: str) -> str:
        folder = file.partition("/")[0]
        return file if file in ALONE else {"integration": "a stack", "system": "a product"}.get(folder, file)

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(here).as_posix()
        if file in ALONE:
            return 1 + ALONE.index(file)
        return 0 if shares(file) == "a stack" else 1 + len(ALONE)

    for item in items:
        item.add_marker(pytest.mark.xdist_group(shares(item.path.relative_to(here).as_posix())))
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
