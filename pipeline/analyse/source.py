"""Where analyses read from: a connection whose failures are sentences, the period, and the live definition."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error as ClickHouseError
from clickhouse_connect.driver.exceptions import OperationalError

from pipeline import catalogue, keys
from pipeline.clickhouse import ANSWER_S, connect
from pipeline.settings import Settings

DAYS = 90  # of a period of which nothing is said
_LIMITS = ("TIMEOUT_EXCEEDED", "MEMORY_LIMIT_EXCEEDED", "TOO_MANY_ROWS", "TOO_MANY_BYTES")  # errors of the server


class CannotAnalyse(RuntimeError):
    """Something that a person can mend; says what, and how."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the business's clock, half open, with the moments at which they begin and end."""

    since: date
    until: date  # the first day after it
    zone: ZoneInfo

    @property
    def bounds_ms(self) -> tuple[int, int]:
        """Milliseconds since 1970, half open."""
        begin, end = (datetime(day.year, day.month, day.day, tzinfo=self.zone) for day in (self.since, self.until))
        return round(begin.timestamp() * 1000), round(end.timestamp() * 1000)


def period(settings: Settings, options: argparse.Namespace, now: datetime, days: int = DAYS) -> Period:
    """What `--from` and `--to` say; without them the `days` before today. `now` has a zone. Raises CannotAnalyse."""
    zone = ZoneInfo(settings.time_zone or catalogue.load(settings.catalogue_folder).business.time_zone)
    until = options.until or now.astimezone(zone).date()
    since = options.since or until - timedelta(days=days)
    if since >= until:
        raise CannotAnalyse(f"--from {since} is not before --to {until}; --to is the first day that no longer counts")
    return Period(since, until, zone)


@contextmanager
def connected(settings: Settings, answer_s: int = ANSWER_S) -> Iterator[Client]:
    """A client of the settings' ClickHouse. Raises CannotAnalyse where it does not answer, says no, or gives up."""
    try:
        with connect(settings, keys.load_or_create(settings), settings.clickhouse_database, answer_s) as client:
            yield client
    except ClickHouseError as error:
        line = str(error).splitlines()[0][:200]
        raise CannotAnalyse(f"ClickHouse at {settings.clickhouse} says: {line}. {_help(error)}".rstrip()) from error


def _help(error: ClickHouseError) -> str:
    if any(limit in str(error) for limit in _LIMITS):
        return "That is more than may be asked at once: a shorter period (--from, --to) asks for less."
    return "Does it run?" if isinstance(error, OperationalError) else ""


def definition(client: Client) -> int:
    """The version of the scores that is live. Raises CannotAnalyse where none is recorded, and the driver's errors."""
    rows = client.query("SELECT definition FROM definition_live").result_rows
    if not rows:
        raise CannotAnalyse("it is not recorded which version of the scores is live; `throughline prepare` does that")
    return int(rows[0][0])
