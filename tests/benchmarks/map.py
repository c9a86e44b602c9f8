"""How soon the map is there where there is much: `python -m tests.benchmarks.map --interactions 10000000`.

Starts the whole stack (as `throughline up`), puts that many interactions of 28 days into ClickHouse, and cells of 60
days for every touchpoint of the catalogue, and asks for pages as a browser does. Prints how long a page takes while
nothing is counted yet, how long counting takes, and how long pages take while something is being counted and
afterwards; they should be under 1 s. `--home` keeps the data for the next run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import clickhouse_connect
import httpx
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.settings import Settings
from pipeline.store import catalogued, hours
from tests.benchmarks.bench import machine
from tests.benchmarks.rollups import PARTITIONS, _sum, fill_interactions
from tests.system.product import Product, running

CELL_DAYS, TARGET_S, ROUNDS, COUNT_S_MAX = 60, 1.0, 7, 300.0
COMING = 'data-coming="yes"'


def fill_cells(client: Client, places: list[str]) -> None:
    """Cells of every touchpoint, 15 minutes and partition, a channel each."""
    columns = [str(row[0]) for row in client.query("DESCRIBE TABLE touchpoint_scores").result_rows]
    names = ", ".join(f"`{name}`" for name in columns)
    listed = ", ".join(f"'{each}'" for each in places)
    for ago in range(CELL_DAYS - 1, -1, -1):
        own = {
            "window_start": f"toDateTime64(today() - {ago}, 3, 'UTC') "
            f"+ toIntervalMinute(15 * intDiv(number, {len(places) * PARTITIONS}))",
            "touchpoint": f"[{listed}][intDiv(number, {PARTITIONS}) % {len(places)} + 1]",
            "channel": "'web'",
            "partition": f"toUInt32(number % {PARTITIONS})",
            "definition": "1",
            "interactions": "20 + rand(1) % 40",
            "version": f"{(CELL_DAYS - ago) * 10_000_000} + number",
        }
        values = ", ".join(f"{own.get(name, _sum(name, seed))} AS `{name}`" for seed, name in enumerate(columns))
        rows = len(places) * 96 * PARTITIONS
        client.command(
            f"INSERT INTO touchpoint_scores ({names}) SELECT * FROM (SELECT {values} FROM numbers({rows})) "
            "WHERE window_start <= now()"
        )


def fill(product: Product, count: int) -> None:
    """What is not there yet."""
    known = product.keys["clickhouse"]
    with clickhouse_connect.get_client(
        host="127.0.0.1",
        port=product.clickhouse_port,
        username=known["user"],
        password=known["password"],
        database="throughline",
        autogenerate_session_id=False,
    ) as client:
        stored = client.query("SELECT count() FROM interactions").result_rows[0][0]
        if not stored:
            loaded = catalogue.load(Settings().catalogue_folder)
            catalogued.load(client, loaded, 1)
            fill_interactions(client, count, sorted(loaded.touchpoints))
            fill_cells(client, sorted(loaded.touchpoints))
        while due := hours.due(client):
            hours.sum_up(client, due)
        print("rows:", client.query("SELECT count() FROM interactions").result_rows[0][0])


def seconds(client: httpx.Client, path: str, rounds: int = ROUNDS) -> float:
    """Print a line; the median of how long a page takes, its body read."""
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        answer = client.get(path)
        took.append(time.perf_counter() - started)
        assert answer.status_code == 200, answer.status_code
    state = answer.text.partition('role="status">')[2].partition("<")[0].strip()
    print(f"| {path} | {statistics.median(took):.3f} s | {max(took):.3f} s | {state} |", flush=True)
    return statistics.median(took)


def counted(client: httpx.Client, path: str) -> None:
    """Wait until it is, and say how long that took."""
    started = time.perf_counter()
    while COMING in client.get(path).text:
        assert time.perf_counter() - started < COUNT_S_MAX
        time.sleep(0.5)
    print(f"counted {path}: {time.perf_counter() - started:.1f} s", flush=True)


def main() -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="where the stack keeps its data")
    parser.add_argument("--fill-only", action="store_true")
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary, running(arguments.home or Path(temporary)) as product:
        fill(product, arguments.interactions)
        if arguments.fill_only:
            return
        with httpx.Client(base_url=product.base, trust_env=False, timeout=30) as client:
            assert client.get(product.command("sign-in").stdout.strip()).status_code == 303
            print("| page | median | longest | what it says |\n| --- | --- | --- | --- |")
            paths = [f"/map?period={period}" for period in ("today", "7", "30", "90")]
            found = [seconds(client, path) for path in paths]
            counted(client, "/map?period=30")
            segment = "/map?period=30&segment=known:known+customer"
            found += [seconds(client, path) for path in (*paths, segment)]
            counted(client, segment)
            pages = (
                *paths,
                segment,
                "/map?journey=get_help",
                "/map/touchpoints/checkout?fragment=1&words=0",
                "/touchpoints",
            )
            found += [seconds(client, path) for path in pages]
            seconds(client, "/map/touchpoints/checkout?fragment=1")
            print(f"the slowest median: {max(found):.3f} s; target {TARGET_S:.0f} s")


if __name__ == "__main__":
    main()
