"""Sums up hours that are over, so that no query has to add up their cells again.

An hour is *due* when a cell of it has changed since it was summed up (`touchpoint_hours_changed` says up to what), and
stays in the queries' sums all the while: they add up its cells themselves (the view `touchpoint_sums`). So nothing is
ever stale, it may be repeated, and several may do it at once; if nobody does it, queries are only slower.

The number up to which an hour has changed is read before its cells are: what changes in between makes it due again.
Hours are summed up by the definition that is live, and kept by each: going back to one costs only what has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from pipeline import logs, metrics
from pipeline.store.writer import is_transient

HOURS_MAX = 24  # summed up by one statement
OVER_S = 2 * 3600  # what began less than that ago still changes all the time
PACE_S = 60.0  # between two looks at what is due
BREATH_S = 1.0  # between two statements while more is due: others want the machine, too

_log = logs.get("store")

_DUE = """SELECT zone, toUnixTimestamp(hour), definition, through
FROM touchpoint_hours_due
WHERE hour < now() - {over_s:UInt32}
ORDER BY hour DESC
LIMIT {limit:UInt32}"""
_COLUMNS = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'touchpoint_hours'"
_SUM = """INSERT INTO touchpoint_hours ({columns})
SELECT {columns}
FROM
(
    SELECT
        *,
        transform(toUnixTimestamp(hour), {{hours:Array(UInt32)}}, {{through:Array(UInt64)}}, toUInt64(0)) AS through
    FROM touchpoint_quarters_summed
    WHERE hour >= fromUnixTimestamp({{first:UInt32}}) AND hour <= fromUnixTimestamp({{last:UInt32}})
        AND definition = {{definition:UInt32}}
)
WHERE toUnixTimestamp(hour) IN {{hours:Array(UInt32)}}"""


@dataclass(frozen=True, slots=True)
class Due:
    """An hour that is to be summed up: its start (s since 1970), and up to what its cells had changed."""

    zone: str
    hour: int
    definition: int  # that was live
    through: int


def due(client: Client, limit: int = HOURS_MAX, over_s: int = OVER_S) -> list[Due]:
    """The newest hours that are over and due. Raises the driver's Error."""
    found = client.query(_DUE, {"limit": limit, "over_s": over_s}).result_rows
    return [Due(str(zone), int(hour), int(definition), int(through)) for zone, hour, definition, through in found]


def sum_up(client: Client, hours: list[Due]) -> None:
    """Sum these hours up, all by one definition, and say so. Raises the driver's Error."""
    if not hours:
        return
    columns = ", ".join(f"`{row[0]}`" for row in client.query(_COLUMNS).result_rows)
    starts = sorted(each.hour for each in hours)
    parameters = {
        "definition": hours[0].definition,
        "hours": [each.hour for each in hours],
        "through": [each.through for each in hours],
        "first": starts[0],
        "last": starts[-1],
    }
    client.command(_SUM.format(columns=columns), parameters, settings={"async_insert": 0})
    rows = [[each.zone, each.hour, each.definition, each.through] for each in hours]
    columns_made = ["zone", "hour", "definition", "through"]
    client.insert("touchpoint_hours_made", rows, columns_made, settings={"async_insert": 0})


async def keep(connect: Callable[[], Client], stop: asyncio.Event, pace_s: float = PACE_S) -> None:
    """Sum up what is due, again and again, until told to stop. While ClickHouse is away, it waits.

    Raises the driver's Error for what does not pass by waiting.
    """
    client: Client | None = None
    try:
        while not stop.is_set():
            more = False
            try:
                if client is None:
                    client = await asyncio.to_thread(connect)
                more = await asyncio.to_thread(_once, client)
            except Error as error:
                if not is_transient(error):
                    raise
                _log.warning("hours_wait", code=error.code)
                if client is not None:
                    client.close()
                client = None
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), BREATH_S if more else pace_s)
    finally:
        if client is not None:
            client.close()


def _once(client: Client) -> bool:
    """Sum up some hours; whether more are due."""
    found = due(client)
    sum_up(client, found)
    metrics.HOURS_SUMMED.inc(len(found))
    return len(found) == HOURS_MAX
