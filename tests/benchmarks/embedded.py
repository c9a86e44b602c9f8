"""ClickHouse in this process with very many interactions, for benchmarks of what it is asked."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.domain.catalogue import Catalogue
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations
from tests.benchmarks.bench import machine

ROUNDS = 3


@dataclass(frozen=True)
class Filled:
    """An engine with its interactions, and how often to measure."""

    client: Client
    known: Catalogue
    rounds: int


class Worked:
    """What was used since it was made: seconds, those of processors, and at most how much memory, engine included."""

    def __init__(self) -> None:
        self._began, self._worked = time.perf_counter(), time.process_time()

    def so_far(self) -> tuple[float, float, float]:
        """Seconds, seconds of all threads, MB."""
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return time.perf_counter() - self._began, time.process_time() - self._worked, peak_mb


@contextmanager
def filled(about: str | None, fill: Callable[[Client, Catalogue, int], None]) -> Iterator[Filled]:
    """As the command's arguments say, which are `about` that; `fill` is asked for so many interactions of a new one."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where ClickHouse keeps its data; filled only if it is new")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        with clickhouse_connect.get_client(interface="chdb", path=str(folder)) as client:
            settings = Settings(time_zone="UTC")
            migrations.migrate(client, settings)
            known = catalogue.load(settings.catalogue_folder)
            began = time.perf_counter()
            if not client.query("SELECT count() FROM interactions").result_rows[0][0]:
                catalogued.load(client, known, 1)
                fill(client, known, arguments.interactions)
            print(f"filled in {time.perf_counter() - began:.0f} s", flush=True)
            yield Filled(client, known, arguments.rounds)


def own_devices(client: Client, people: int) -> None:
    """Each of so many customers has a device that is theirs: `device:7` of `customer:7`."""
    client.command(
        f"""INSERT INTO identities
        SELECT concat('device:', toString(number)), '', concat('customer:', toString(number)),
            NULL, '', false, [concat('customer:', toString(number))], [], 1, number FROM numbers({people})"""
    )
