"""What all tests may use: one real Kafka and one real ClickHouse per session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from xdist.scheduler import LoadScopeScheduling

from pipeline import keys
from pipeline.keys import Keys
from pipeline.local.bare import bare
from pipeline.settings import Settings
from tests import examples

examples.few()  # unless --hypothesis-profile says otherwise

#: In which order files are begun, and which of them one worker runs all of, since they share something that starts
#: slowly and costs a fifth of a processor while it waits. What takes long stands before what takes little, so that
#: nothing long begins when all else has ended; all that is not named comes last.
STACK = (
    *("integration/engine/test_asking_again", "integration/engine/test_faults", "integration/test_alert_keeping"),
    *("integration/test_analyse", "integration/test_clickhouse", "integration/test_collect"),
    *("integration/test_dashboards", "integration/test_examples", "integration/test_import"),
    *("integration/test_kafka", "integration/test_serve", "integration/test_writing"),
)
PRODUCT = (
    *("system/test_bad_input", "system/test_consent", "system/test_desk_stack", "system/test_identity"),
    *("system/test_map", "system/test_observe", "system/test_readme", "system/test_real_files", "system/test_shop"),
)
ORDER: tuple[str | tuple[str, ...], ...] = (
    STACK,
    *("system/test_stack", "system/test_desk.py", "integration/test_store.py", "system/test_privacy.py"),
    *("integration/test_planted", "system/test_storm_short", "integration/test_store_people"),
    "integration/test_rotation",
    PRODUCT,
    *("integration/test_reconciliation", "contract/test_producers"),
)


def place_of(file: str) -> int:
    """Where in that order a file is, from below this folder."""
    return next((n for n, group in enumerate(ORDER) if file.startswith(group)), len(ORDER))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put all of a group together, in the order of the groups."""
    here = Path(__file__).parent
    items.sort(key=lambda item: place_of(item.path.relative_to(here).as_posix()))


class Grouped(LoadScopeScheduling):  # type: ignore[misc]
    """Has one worker run all of a group."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].removeprefix("tests/")
        place = place_of(file)
        return file if place == len(ORDER) else str(place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """`--dist loadfile` is by these groups; all else is as ever."""
    return Grouped(config, log) if config.getvalue("dist") == "loadfile" else None


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
