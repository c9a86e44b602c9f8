"""How long it takes to count how people really go where there is much: `python -m tests.benchmarks.paths`.

Starts ClickHouse as the stack does, fills it with that many interactions of 28 days (visits of five, at all touchpoints
of the catalogue, a quarter of them calls with an issue and a handle time; an eighth of the people have a device that is
theirs), and runs `throughline analyse paths` from outside. Prints the seconds and the most memory that ClickHouse's
process had; it should take under 60 s. No two people go the same way, so nothing is rare work. `--home` keeps the data.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.settings import Settings
from pipeline.store import catalogued
from tests.benchmarks.bench import machine
from tests.system.product import Product, running

TARGET_S, ROUNDS, BLOCK = 60.0, 3, 500_000


def fill(client: Client, count: int) -> None:
    """What is not there yet."""
    if client.query("SELECT count() FROM interactions").result_rows[0][0]:
        return
    known = catalogue.load(Settings().catalogue_folder)
    catalogued.load(client, known, 1)
    places, people = ", ".join(f"'{each}'" for each in sorted(known.touchpoints)), max(count // 20, 1)
    for start in range(0, count, BLOCK):
        client.command(
            f"""INSERT INTO interactions (occurred_day, identifier, source, event_id, channel, type, touchpoint,
                occurred_at, occurred_at_sent, received_at, session_id, issue, contact, measures, details, version)
            SELECT toDate(at),
                concat(if(visit % 8 = 0, 'device:', 'customer:'), toString(cityHash64(visit) % {people})),
                'shop', toString(number), via, if(calls, 'call_ended', 'page_viewed'),
                [{places}][rand(1) % {len(known.touchpoints)} + 1],
                toDateTime64(today(), 3, 'UTC') - toIntervalSecond(cityHash64(visit, 1) % (27 * 86400))
                    + toIntervalSecond(number % 5 * 400 + rand(2) % 300) AS at, at, at, toString(visit),
                if(calls, ['delivery', 'return', 'product', ''][rand(3) % 4 + 1], ''), if(calls, 'contact', ''),
                if(calls, map('handle_s', toFloat64(rand(4) % 600)), map()),
                map('store', concat('store_', toString(rand(5) % 40))), number
            FROM (SELECT number, intDiv(number, 5) AS visit,
                ['web', 'mobile', 'phone', 'in_store'][rand(6) % 4 + 1] AS via, via = 'phone' AS calls
                FROM numbers({start}, {min(BLOCK, count - start)}))"""
        )
    client.command(
        f"""INSERT INTO identities
        SELECT concat('device:', toString(number)), '', concat('customer:', toString(number)),
            NULL, '', false, [concat('customer:', toString(number))], [], 1, number FROM numbers({people})"""
    )


def memory_mb(pid: int) -> float:
    """The most that a process had in memory since it began."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [each for each in status.splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def measure(product: Product) -> float:
    """Print a line; the seconds that the command took."""
    began = time.perf_counter()
    answer = product.command("analyse", "paths", "--json")
    took = time.perf_counter() - began
    found = json.loads(answer.stdout)
    processes = json.loads(product.command("status", "--json").stdout)["processes"]
    pid = next(each["pid"] for each in processes if each["name"] == "clickhouse")
    print(
        f"| {found['n']:,} people | {len(found['rows'])} lines | {took:.1f} s | {memory_mb(pid):,.0f} MB |", flush=True
    )
    return took


def main() -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--home", type=Path, help="where the stack keeps its data")
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary, running(arguments.home or Path(temporary)) as product:
        known = product.keys["clickhouse"]
        with clickhouse_connect.get_client(
            host="127.0.0.1",
            port=product.clickhouse_port,
            username=known["user"],
            password=known["password"],
            database="throughline",
            autogenerate_session_id=False,
        ) as client:
            began = time.perf_counter()
            fill(client, arguments.interactions)
            print(f"filled in {time.perf_counter() - began:.0f} s")
        slowest = max(measure(product) for _ in range(ROUNDS))
        print(f"the slowest: {slowest:.1f} s; target {TARGET_S:.0f} s")


if __name__ == "__main__":
    main()
