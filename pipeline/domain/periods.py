"""Periods that reports are about: days of the business's clock up to now, each with as long a one before it.

The one before is the same days and hours as many days earlier, so that a morning is not compared with a whole day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

#: Name → days, today among them.
PERIODS: Final = {"today": 1, "7": 7, "30": 30, "90": 90}
DEFAULT: Final = "30"
HOURLY: Final = "today"  # its trend is one of hours, the others' of days


@dataclass(frozen=True, slots=True)
class Window:
    """A period and the one before it: from (inclusive) and until (exclusive), ms since 1970."""

    since: int
    until: int
    earlier_since: int
    earlier_until: int

    def bound(self) -> dict[str, int]:
        """As parameters of a query: since, until, earliest, earlier_until."""
        return {
            "since": self.since,
            "until": self.until,
            "earliest": self.earlier_since,
            "earlier_until": self.earlier_until,
        }


def window(period: str, now_ms: int, zone: tzinfo) -> Window:
    """The window of a period that ends now. Raises KeyError for an unknown name."""
    days = PERIODS[period]
    now = datetime.fromtimestamp(now_ms / 1000, zone)
    first = now.date() - timedelta(days=days - 1)
    since, earlier = midnight(first, zone), midnight(first, zone, -days)
    earlier_until = datetime.combine(now.date() - timedelta(days=days), now.time(), zone)
    return Window(since, now_ms, earlier, min(_ms(earlier_until), since))


def week(year: int, number: int, zone: tzinfo) -> Window:
    """An ISO week, and the week before it. Raises ValueError where there is none."""
    monday = datetime.fromisocalendar(year, number, 1).date()
    begins = [midnight(monday, zone, each) for each in (0, 7, -7)]
    return Window(begins[0], begins[1], begins[2], begins[0])


def midnight(day: date, zone: tzinfo, days: int = 0) -> int:
    """When a day begins, or one so many days later; ms since 1970."""
    return _ms(datetime.combine(day + timedelta(days=days), time(), zone))


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
