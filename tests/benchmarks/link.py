"""How long business results and `analyse link` take where there is much: `python -m tests.benchmarks.link`.

Fills ClickHouse (embedded) with that many interactions of 300 days, a twentieth as many customers: 6 of 100 tell of
orders, each of which is told three times by two systems; some are returns and cancellations, half of them without
an amount; an eighth is filed under a device that is somebody's. Beside them scores, renewals and who left. Then adds up
`business_results`, and runs all of `throughline analyse link` on it. Prints the seconds, and the most memory that the
process has had with the engine in it. `--folder` keeps the data.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from pipeline.analyse import link
from pipeline.analyse.source import Period
from pipeline.domain.catalogue import Catalogue
from tests.benchmarks.embedded import Worked, filled, own_devices

BLOCK, DAYS, PER_PERSON = 500_000, 300, 20
LANDMARK_DAYS = 100  # ago
RESULTS = "SELECT kind, count(), sum(amount) FROM business_results GROUP BY kind ORDER BY kind"


def fill(client: Client, known: Catalogue, count: int) -> None:  # all are at one touchpoint
    """So many interactions, and what else `link` reads."""
    people = max(count // PER_PERSON, 1)
    for start in range(0, count, BLOCK):
        client.command(
            f"""INSERT INTO interactions (occurred_day, identifier, source, event_id, channel, type, touchpoint,
                occurred_at, occurred_at_sent, received_at, measures, properties, ease, evidence_kind, definition,
                version)
            SELECT toDate(at), concat(if(number % 8 = 0, 'device:', 'customer:'), toString(person)),
                if(type = 'order_placed' AND number % 3 = 0, 'erp', 'shop'), toString(number), 'web', type, 'checkout',
                now64(3) - toIntervalSecond(86400 + cityHash64(number, 'at') % ({DAYS} * 86400)) AS at, at, at,
                if(type = 'page_viewed' OR (type != 'order_placed' AND number % 2), map(),
                    map('amount', toFloat64(cityHash64(bought) % 100 + 1))),
                if(type = 'page_viewed', map(), map('order_id', toString(bought), 'currency', 'EUR')),
                if(type = 'page_viewed', toFloat64(cityHash64(person, 'is') % 60 + cityHash64(number) % 40), NULL),
                if(type = 'page_viewed', 'observed', ''), 1, number
            FROM (SELECT number, intDiv(number, 4) AS bought, cityHash64(bought) % {people} AS person,
                multiIf(number % 100 < 6, 'order_placed', number % 100 = 6, 'order_returned',
                    number % 200 = 7, 'order_cancelled', 'page_viewed') AS type
                FROM numbers({start}, {min(BLOCK, count - start)}))"""
        )
    own_devices(client, people)
    client.command(
        f"""INSERT INTO customer_scores (person, day, definition, ease, ease_n, overall, overall_n)
        SELECT concat('customer:', toString(number % {people})), today() - 1 - intDiv(number, {people}) * 30, 1,
            cityHash64(number % {people}, 'is') % 60 + 20 AS score, 1, score, 1 FROM numbers({people * DAYS // 30})"""
    )
    client.command(
        f"""INSERT INTO outcomes (source, outcome_id, kind, identifier, occurred_at, received_at, amount, currency)
        SELECT 'billing', toString(number), if(number % 2, 'renewal', 'churn') AS kind,
            concat('customer:', toString(number)),
            now64(3) - toIntervalSecond(cityHash64(number) % ({DAYS} * 86400)) AS at, at,
            if(kind = 'churn', NULL, 10), if(kind = 'churn', '', 'EUR') FROM numbers({people}) WHERE number % 10 < 3"""
    )


def measure(what: str, work: Callable[[], str]) -> None:
    """Print a line."""
    worked = Worked()
    said = work()
    took, did, peak_mb = worked.so_far()
    print(f"| {what} | {said} | {took:.1f} s | {did:.1f} s | {peak_mb:,.0f} MB |", flush=True)


def added_up(client: Client) -> str:
    """All results, by kind."""
    return ", ".join(f"{n:,} {kind}" for kind, n, _ in client.query(RESULTS).result_rows)


def linked(client: Client, today: date) -> str:
    """All of the command, but for reading its words and showing what it found."""
    landmark = today - timedelta(days=LANDMARK_DAYS)
    period = Period(landmark, landmark + timedelta(days=link.DAYS), ZoneInfo("UTC"))
    found = link.linked_from(client, period, link.How(), 1, datetime.now(UTC))
    return found.refused or f"{found.n:,} customers"


def main() -> None:
    """Fill and measure."""
    with filled(__doc__, fill) as there:
        print("| what | found | seconds | work of all threads | most memory |\n| --- | --- | --- | --- | --- |")
        for _ in range(there.rounds):
            measure("business_results", lambda: added_up(there.client))
            measure("analyse link", lambda: linked(there.client, datetime.now(UTC).date()))


if __name__ == "__main__":
    main()
