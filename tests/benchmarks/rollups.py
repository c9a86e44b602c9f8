"""What dashboards' queries cost where there is much: `python -m tests.benchmarks.rollups`.

Fills ClickHouse (embedded) as days of 10,000,000 interactions at 200 touchpoints leave it, today and 30 before: cells
per 15 minutes, channel and partition, which the process store has summed up, and the last hours, which it has not. Then
1,000,000 contacts of a day. Prints the median of each query, which should be under 300 ms. With `--interactions N` also
N interactions of 28 days, for the views that read the interactions themselves.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import clickhouse_connect
import msgspec
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.domain.catalogue import Catalogue
from pipeline.domain.interaction import CHANNELS
from pipeline.local.clickhouse_engine import DEFAULTS
from pipeline.settings import Settings
from pipeline.store import catalogued, hours, migrations
from tests.benchmarks.bench import machine
from tests.benchmarks.embedded import own_devices

DAYS, TOUCHPOINTS, PARTITIONS, INTERACTIONS_A_DAY = 31, 200, 8, 10_000_000
PAIRS = 300  # touchpoints × their channels: one, some of them two or three
CONTACTS, BLOCKS = 1_000_000, 20
TARGET_MS, ROUNDS = 300, 9

QUERIES = {
    "touchpoint_hourly, a day, one figure": """SELECT hour, touchpoint, channel, interactions, nps_n, nps, nps_low,
        nps_high FROM touchpoint_hourly WHERE hour >= now() - INTERVAL 1 DAY""",
    "touchpoint_hourly, a day, all columns": "SELECT * FROM touchpoint_hourly WHERE hour >= now() - INTERVAL 1 DAY",
    "touchpoint_hourly, a day, one touchpoint": """SELECT * FROM touchpoint_hourly
        WHERE hour >= now() - INTERVAL 1 DAY AND touchpoint = 'touchpoint_7'""",
    "touchpoint_daily, 30 days, two figures": """SELECT day, touchpoint, channel, interactions, csat_n, csat_satisfied,
        csat_satisfied_low, csat_satisfied_high, ease_observed_mean FROM touchpoint_daily WHERE day >= today() - 30""",
    "touchpoint_daily, 30 days, one touchpoint": """SELECT * FROM touchpoint_daily
        WHERE day >= today() - 30 AND touchpoint = 'touchpoint_7'""",
    "touchpoint_weekly, 4 weeks, one figure": """SELECT week, touchpoint, expected_n, expected_met, expected_met_low
        FROM touchpoint_weekly WHERE week >= today() - 28""",
    "channel_daily, 30 days, one figure": """SELECT day, channel, interactions, nps, nps_low, nps_high
        FROM channel_daily WHERE day >= today() - 30""",
    "touchpoint_dots": "SELECT touchpoint, dot, reason, owner FROM touchpoint_dots",
    "touchpoint_control": "SELECT * FROM touchpoint_control WHERE broken",
    "queue_intervals, a day of 1,000,000 contacts": """SELECT queue, sum(offered), sum(abandoned) / sum(offered),
        sum(wait_sum_s) / sum(waits), sum(answered_within) / sum(offered) FROM queue_intervals
        WHERE interval_start >= today() AND interval_start < today() + 1 GROUP BY queue""",
    "queue_now": "SELECT * FROM queue_now",
}
REPORTS = {
    "contacts_resolved, 1,000,000 contacts": """SELECT countIf(repeat), countIf(first_contact_resolved)
        FROM contacts_resolved""",
    "experience_by_segment": "SELECT * FROM experience_by_segment",
    "touchpoint_consistency": "SELECT * FROM touchpoint_consistency",
    "journey_steps": "SELECT * FROM journey_steps",
    "journey_edges": "SELECT * FROM journey_edges",
}


_TABLES = """SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts
    WHERE active AND database = currentDatabase() GROUP BY table HAVING sum(rows) > 1000 ORDER BY table"""


def judged(shop: Catalogue) -> Catalogue:
    """The shop's catalogue with a dot for each of the 200 touchpoints."""
    like = shop.touchpoints["checkout"]
    many = [msgspec.structs.replace(like, id=f"touchpoint_{n}") for n in range(TOUCHPOINTS)]
    return replace(shop, touchpoints={**shop.touchpoints, **{each.id: each for each in many}})


def fill_cells(client: Client) -> None:
    """A day after the other, each as one block."""
    columns = [str(row[0]) for row in client.query("DESCRIBE TABLE touchpoint_scores").result_rows]
    mean = INTERACTIONS_A_DAY // (PAIRS * 96 * PARTITIONS)
    own = {
        "touchpoint": f"concat('touchpoint_', toString(pair % {TOUCHPOINTS}))",
        "channel": f"[{', '.join(map(repr, CHANNELS))}][(pair + intDiv(pair, {TOUCHPOINTS})) % {len(CHANNELS)} + 1]",
        "partition": f"toUInt32(number % {PARTITIONS})",
        "definition": "1",
        "interactions": f"{mean // 2} + rand(1) % {mean}",
    }
    for ago in range(DAYS - 1, -1, -1):
        said = own | {
            "window_start": f"toDateTime64(today() - {ago}, 3, 'UTC') + toIntervalMinute(15 * window)",
            "version": f"{(DAYS - ago) * 10_000_000} + number",
        }
        values = ", ".join(f"{said.get(name, _sum(name, seed))} AS `{name}`" for seed, name in enumerate(columns))
        rows = PAIRS * 96 * PARTITIONS
        names = ", ".join(f"`{name}`" for name in columns)
        client.command(
            f"INSERT INTO touchpoint_scores ({names}) SELECT {values} FROM (SELECT number, "
            f"intDiv(number, {PAIRS * PARTITIONS}) AS window, intDiv(number, {PARTITIONS}) % {PAIRS} AS pair "
            f"FROM numbers({rows})) WHERE window_start <= now()"
        )


def _sum(name: str, seed: int) -> str:
    asked = "observed" not in name and not name.startswith("expected")
    n = 3 if asked else 20
    if name.endswith("_n"):
        return str(n)
    if name.endswith("sum2"):
        return f"toFloat64({n * 3000} + rand({seed}) % {n * 3000})"
    return f"toFloat64({n * 40} + rand({seed}) % {n * 20})" if name.endswith("sum") else f"rand({seed}) % {n}"


def fill_contacts(client: Client) -> None:
    """A day of them, in blocks as a sink writes them: as they come, some up to an hour late, every tenth twice."""
    size = CONTACTS // BLOCKS
    for block in range(BLOCKS):
        client.command(
            f"""WITH toDateTime64(today(), 3, 'UTC') AS day,
                day + toIntervalMillisecond(intDiv(number * 86400000, {CONTACTS})) AS came,
                greatest(day, came - toIntervalSecond(if(number % 5 = 0, cityHash64(number, 2) % 3600, 0))) AS at
            INSERT INTO contacts (occurred_day, sent_hour, identifier, source, event_id, session_id, occurred_at,
                received_at, channel, type, touchpoint, issue, contact, queue, queue_outcome, wait_s, handle_s, outcome,
                version)
            SELECT today(), toStartOfHour(at), concat('customer:', toString(cityHash64(number) % 400000)), 'acd',
                toString(number) AS id, id, at, came, 'phone', 'call_ended', 'call_queue',
                ['delivery', 'invoice', 'return', ''][cityHash64(number, 3) % 4 + 1],
                'contact', concat('queue_', toString(cityHash64(number, 4) % 12)),
                if(cityHash64(number, 5) % 10 = 0, 'abandoned', 'answered'), toFloat64(cityHash64(number, 6) % 120),
                toFloat64(cityHash64(number, 7) % 600), 'handled', {block} * {CONTACTS} + number
            FROM numbers({block * size}, {size + size // 10}) WHERE number < {CONTACTS}"""
        )
    counted = client.query("SELECT sum(offered) FROM queue_intervals").result_rows[0][0]
    if counted != CONTACTS:
        raise RuntimeError(f"{counted:,} of {CONTACTS:,} contacts were counted: some of them twice, or not at all")


def fill_interactions(client: Client, count: int, known: Sequence[str]) -> None:
    """As many, over 28 days: an eighth of the people have a device that is theirs."""
    people, places = max(count // 20, 1), ", ".join(f"'{each}'" for each in known)
    for start in range(0, count, 500_000):
        client.command(
            f"""INSERT INTO interactions (occurred_day, identifier, source, event_id, channel, type, touchpoint,
                occurred_at, occurred_at_sent, received_at, session_id, details,
                effectiveness, ease, evidence_kind, version)
            SELECT toDate(at), concat(if(number % 8 = 0, 'device:', 'customer:'), toString(rand(1) % {people})) AS who,
                'shop', toString(number), ['web', 'mobile', 'phone', 'in_store'][rand(2) % 4 + 1], 'page_viewed',
                [{places}][rand(3) % {len(known)} + 1],
                now64(3) - toIntervalSecond(rand(4) % (27 * 86400)) AS at, at, at, toString(intDiv(number, 5)),
                map('store', concat('store_', toString(rand(5) % 40))),
                if(rand(6) % 3 = 0, toFloat64(rand(7) % 101), NULL),
                if(rand(8) % 2 = 0, toFloat64(rand(9) % 101), NULL), 'observed', number
            FROM numbers({start}, {min(500_000, count - start)})"""
        )
    own_devices(client, people)


def measure(client: Client, name: str, query: str, rounds: int = ROUNDS) -> float:
    """Print a line; the median in milliseconds, with the answer read. The engine is in this process: so is its work."""
    took, worked = [], time.process_time()
    for _ in range(rounds):
        started = time.perf_counter()
        rows = len(client.query(query).result_rows)
        took.append((time.perf_counter() - started) * 1000)
    median, work = statistics.median(took), (time.process_time() - worked) / rounds * 1000
    print(f"| {name} | {rows:,} | {median:,.0f} ms | {min(took):,.0f} ms | {work:,.0f} ms |", flush=True)
    return median


def main() -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=0, help="rows of interactions, for the reports")
    parser.add_argument("--folder", type=Path, help="where ClickHouse keeps its data; filled only if it is new")
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        new = not (folder / "store").exists()
        with clickhouse_connect.get_client(interface="chdb", path=str(folder), settings=DEFAULTS) as client:
            settings = Settings()
            migrations.migrate(client, settings)
            known = catalogue.load(settings.catalogue_folder)
            if new:
                catalogued.load(client, judged(known), 1)
                fill_cells(client)
                fill_contacts(client)
            started, summed = time.perf_counter(), 0
            while due := hours.due(client):
                hours.sum_up(client, due)
                summed += len(due)
            print(f"{summed:,} hours summed up in {time.perf_counter() - started:.1f} s")
            for table, rows, size in client.query(_TABLES).result_rows:
                print(f"{table}: {rows:,} rows, {size / 1e6:,.0f} MB")
            print("| query | rows | median | least | work of all threads |\n| --- | --- | --- | --- | --- |")
            slow = [name for name, query in QUERIES.items() if measure(client, name, query) > TARGET_MS]
            print(f"over {TARGET_MS} ms: {', '.join(slow) or 'none'}")
            if arguments.interactions:
                if new or not client.query("SELECT count() FROM interactions").result_rows[0][0]:
                    fill_interactions(client, arguments.interactions, sorted(known.touchpoints))
                print(f"with {arguments.interactions:,} interactions of 28 days:")
                for name, query in REPORTS.items():
                    measure(client, name, query, 3)


if __name__ == "__main__":
    main()
