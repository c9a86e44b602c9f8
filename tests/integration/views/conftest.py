"""One engine for all tests of the package, with the shop's catalogue: making the views is what takes longest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.domain.catalogue import Catalogue
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations

#: All that a test may have filled.
TABLES = (
    *("interactions", "identities", "consents", "contacts", "customer_scores", "observations"),
    *("orders", "outcomes", "changes"),
    *("touchpoint_scores", "touchpoint_changes", "touchpoint_hours", "touchpoint_hours_made"),
    *("analyses", "analysis_rows"),
)
_loads = count(1)


@pytest.fixture(scope="package")
def engine() -> Iterator[Client]:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings(time_zone="UTC"))
        yield client


@pytest.fixture
def load(engine: Client) -> Callable[[Catalogue], None]:
    """Puts a catalogue in the place of the one before."""
    return lambda known: catalogued.load(engine, known, next(_loads))


@pytest.fixture
def client(engine: Client, load: Callable[[Catalogue], None]) -> Client:
    """Empty tables under the views of UTC, and the shop's catalogue."""
    migrations.migrate(engine, Settings(time_zone="UTC"))
    empty(engine)
    load(SHOP)
    return engine


def empty(client: Client) -> None:
    for table in TABLES:
        client.command(f"TRUNCATE TABLE {table}")


SHOP = catalogue.load(Settings().catalogue_folder)
