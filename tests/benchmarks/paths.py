"""How long it takes to count how people really go where there is much: `python -m tests.benchmarks.paths`.

Fills ClickHouse (embedded) with that many interactions of 28 days: visits of five, at all touchpoints of the catalogue,
a quarter of them calls with an issue and a handle time; an eighth of the people have a device that is theirs. Then runs
the statement of `throughline analyse paths`, makes the result of it and keeps it. Prints the seconds, and the most
memory that the process had with the engine in it; it should take under 60 s. People go as chance has it, so nearly
every path is one person's: nothing adds up early. `--folder` keeps the data.
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from pipeline.analyse import keeping, paths, paths_found, paths_plan, paths_sql
from pipeline.analyse.source import Period
from pipeline.domain.catalogue import Catalogue
from tests.benchmarks.embedded import Worked, filled, own_devices

TARGET_S, BLOCK, DAYS = 60.0, 500_000, 28


def fill(client: Client, known: Catalogue, count: int) -> None:
    """So many interactions."""
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
    own_devices(client, people)


def measure(client: Client, known: Catalogue, period: Period) -> float:
    """Print a line; the seconds that it took."""
    worked = Worked()
    plan = paths_plan.plan(known, *period.bounds_ms, paths_plan.How())
    rows = client.query(paths_sql.SQL, dict(plan.parameters), settings=dict(paths_sql.LIMITS)).result_rows
    how, costs = paths_plan.How(), known.business.contact_costs
    found = paths.result(paths_found.counts(rows), plan, how, (period, 1), costs)
    keeping.keep(client, found, time.time_ns() // 1_000_000)
    took, work, peak_mb = worked.so_far()
    print(f"| {found.n:,} | {len(found.rows)} | {took:.1f} s | {work:.1f} s | {peak_mb:,.0f} MB |", flush=True)
    return took


def main() -> None:
    """Fill and measure."""
    with filled(__doc__, fill) as there:
        until = date.today() + timedelta(days=1)  # of the fill's days, whichever zone
        period = Period(until - timedelta(days=DAYS), until, ZoneInfo("UTC"))
        print("| people | lines | seconds | work of all threads | most memory |\n| --- | --- | --- | --- | --- |")
        slowest = max(measure(there.client, there.known, period) for _ in range(there.rounds))
        print(f"the slowest: {slowest:.1f} s; target {TARGET_S:.0f} s")


if __name__ == "__main__":
    main()
