"""`throughline analyse link`: experience up to a landmark day against the business results after it.

The landmark is `--from`; results count from then up to `--to`, 90 days later where nothing is said. Customers are
people who were known by name before it, were active, and had not left. Who refuses analysis is in none of the views
that this reads, and no id leaves ClickHouse.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

from pipeline.analyse import link_rows, shown, source
from pipeline.analyse.dose import svg as svg  # what --svg draws
from pipeline.analyse.few import few
from pipeline.analyse.link_sql import CURRENCIES, CUSTOMERS
from pipeline.analyse.linking import OUTCOMES, Customers, Floats, TooFew, links
from pipeline.analyse.result import Result
from pipeline.analyse.source import CannotAnalyse, Period
from pipeline.settings import Settings

SUMMARY = "what experience up to --from has to do with business results from then on"
COLUMNS: Sequence[shown.Column] = link_rows.COLUMNS
VERSION = 2
DAYS = 90  # of results
ACTIVE_DAYS, RECENT_DAYS = 90, 30
DAYS_MAX = 366
BLOCK_ROWS = 65_536
MISSING_DAYS_MAX = 7  # by which results may begin late, and still count as known


@dataclass(frozen=True, slots=True)
class How:
    """What was asked for."""

    currency: str | None = None  # None: whichever there is
    active_days: int = ACTIVE_DAYS
    recent_days: int = RECENT_DAYS


@dataclass(frozen=True, slots=True)
class Moments:
    """Where the windows begin and end, ms since 1970, by the clock of the business."""

    landmark: int
    until: int  # of results
    before: int  # the window of earlier spend begins
    active: int
    recent: int  # the last days before the landmark begin, and the control's window ends
    control: int  # the control's window begins
    oldest: int  # and the one before

    @classmethod
    def of(cls, period: Period, how: How) -> Moments:
        """Windows of days of the clock: those of results are as long as the period."""
        length = period.until - period.since
        recent = period.since - timedelta(days=how.recent_days)
        days = (
            *(period.since, period.until, period.since - length, period.since - timedelta(days=how.active_days)),
            *(recent, recent - length, recent - 2 * length),
        )
        return cls(*(round(datetime(d.year, d.month, d.day, tzinfo=period.zone).timestamp() * 1000) for d in days))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes beside the period: --from is the landmark, --to is 90 days after it."""
    parser.add_argument("--currency", metavar="CODE", help="of the amounts that count, where there are several")
    parser.add_argument(
        "--active-days",
        type=_days,
        default=ACTIVE_DAYS,
        metavar="N",
        help=f"who had an interaction in so many days before --from counts ({ACTIVE_DAYS})",
    )
    parser.add_argument(
        "--recent-days",
        type=_days,
        default=RECENT_DAYS,
        metavar="N",
        help=f"the negative control is about experience of so many days before --from ({RECENT_DAYS})",
    )


def run(settings: Settings, options: argparse.Namespace) -> Result:
    """Read, compute, say what was found. Raises CannotAnalyse and BadCatalogue."""
    now = datetime.now(UTC)
    if options.since and not options.until:
        options.until = options.since + timedelta(days=DAYS)
    how = How(options.currency, options.active_days, options.recent_days)
    period = source.period(settings, options, now, DAYS)
    with source.connected(settings) as client:
        return linked_from(client, period, how, options.seed, now)


def linked_from(client: Client, period: Period, how: How, seed: int, now: datetime) -> Result:
    """The analysis of what a client's ClickHouse has. Raises the driver's errors, CannotAnalyse."""
    asked = Asked(source.definition(client), period, how, seed)
    days = (period.until - period.since).days
    if days > DAYS_MAX:
        raise CannotAnalyse(f"results of {days} days are too many: choose at most {DAYS_MAX}")
    today = now.astimezone(period.zone).date()
    if period.until > today:
        latest = today - timedelta(days=days)
        return asked.refused(
            f"the {days} days after {period.since} are over on {period.until}. The last day whose results are known "
            f"is --from {latest}"
        )
    moments = Moments.of(period, how)
    told = [Amounts(*row) for row in client.query(CURRENCIES, {"until": moments.until}).result_rows]
    if not told:
        return asked.refused(
            f"there are no business results before {period.until}. Orders are events (order_placed); what has no "
            "contact is sent to POST /v1/outcomes, or imported"
        )
    people = {each.currency: each.people for each in told if each.amounts}
    currency = currency_of(how.currency, people)
    if currency is None:
        return asked.refused(_mixed(how.currency, people))
    asked = replace(asked, currency=currency)
    columns = _columns(client, {**_bound(moments), "currency": currency, "definition": asked.definition})
    if not columns:  # ClickHouse names the columns of rows only
        return asked.refused(
            f"no customer was active in the {how.active_days} days before {period.since}. "
            "Choose more --active-days, or another --from"
        )
    return analysed(asked, columns, moments, since_of(told, currency), people.get("", 0) if currency else 0)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amounts of one currency ('': of none), and when the first results were, ms since 1970; None: there are none."""

    currency: str
    people: int  # who have amounts in it
    amounts: int
    net: int | None
    bought: int | None
    returned: int | None


def since_of(told: Sequence[Amounts], currency: str) -> dict[str, int]:
    """Outcome → since when it is recorded, ms since 1970. Without an outcome that never was.

    Amounts are those of the currency; an order or a return is one whatever it says of amounts.
    """
    first = {
        "net": [each.net for each in told if each.currency == currency],
        "bought": [each.bought for each in told],
        "returned": [each.returned for each in told],
    }
    return {name: min(known) for name, each in first.items() if (known := [at for at in each if at is not None])}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a result says of how it was made."""

    definition: int
    period: Period
    how: How
    seed: int
    currency: str = ""

    def result(self, n: int, **found: Any) -> Result:
        parameters = {
            "currency": self.currency or self.how.currency or "",
            "active_days": str(self.how.active_days),
            "recent_days": str(self.how.recent_days),
        }
        since, until = self.period.since, self.period.until
        return Result("link", VERSION, self.definition, since, until, n, self.seed, parameters, **found)

    def refused(self, why: str) -> Result:
        return self.result(0, refused=why)


def analysed(
    asked: Asked, columns: dict[str, Floats], moments: Moments, since: Mapping[str, int], unsaid: int
) -> Result:
    """From arrays to a result. Pure. `since`: outcome → when its first result was, ms since 1970; `unsaid`: how many
    people have amounts of which no currency is said, and which do not count."""
    gone, elsewhere = columns.pop("gone") != 0, columns.pop("elsewhere") != 0
    here = ~gone & ~elsewhere
    customers = _customers({name: column[here] for name, column in columns.items()})
    late_ms = MISSING_DAYS_MAX * 86_400_000
    unknown = [name for name in customers.control if since.get(name, moments.until) > moments.control + late_ms]
    nothing = np.full_like(customers.score, np.nan)  # what was not recorded is not zero
    customers = replace(customers, control={**customers.control, **dict.fromkeys(unknown, nothing)})
    try:
        found = links(customers)
    except TooFew as error:
        active = f"active: {few(len(customers.score))}"
        return asked.refused(f"{error} ({active}). Choose more --active-days, or another --from")
    first = since.get("net", moments.oldest)
    known = link_rows.Known(
        landmark=asked.period.since,
        days=(asked.period.until - asked.period.since).days,
        recent_days=asked.how.recent_days,
        currency=asked.currency,
        without_score=int(np.count_nonzero(~np.isfinite(customers.score))),
        gone=int(np.count_nonzero(gone)),
        other_currency=int(np.count_nonzero(~gone & elsewhere)),
        no_currency=unsaid,
        results_since=_day(first, asked.period) if first > moments.before + late_ms else None,
        control_unknown=tuple(unknown),
    )
    n = int(np.count_nonzero(np.isfinite(customers.score)))
    return asked.result(n, caveats=link_rows.caveats(found, known), rows=link_rows.rows(found, known))


def _customers(of: dict[str, Floats]) -> Customers:
    def results(when: str) -> dict[str, Floats]:
        return {each.name: of[f"{each.name}_{when}"] for each in OUTCOMES if f"{each.name}_{when}" in of}

    plain = ("score", "tenure_days", "spend", "recent", "score_before", "score_between")
    return Customers(
        **{name: of[name] for name in (*plain, "control_tenure_days", "control_spend")},
        after=results("after"),
        control=results("control"),
    )


def _columns(client: Client, bound: dict[str, Any]) -> dict[str, Floats]:
    """What is known of each customer, an array a figure."""
    with client.query_column_block_stream(CUSTOMERS, bound, settings={"max_block_size": BLOCK_ROWS}) as blocks:
        names = blocks.source.column_names
        read = [[np.asarray(column, dtype=np.float64) for column in block] for block in blocks]
    return {name: np.concatenate([block[at] for block in read] or [np.empty(0)]) for at, name in enumerate(names)}


def _bound(moments: Moments) -> dict[str, Any]:
    names = ("landmark", "until", "before", "active", "recent", "control", "oldest")
    return {name: getattr(moments, name) for name in names}


def currency_of(chosen: str | None, amounts: dict[str, int]) -> str | None:
    """In which one amounts count; None where that is not clear. An amount without one counts only if all are."""
    said = [code for code in amounts if code]
    if chosen is not None:
        return chosen if chosen in amounts else None
    if len(said) > 1:
        return None
    return said[0] if said else ""


def _mixed(chosen: str | None, amounts: dict[str, int]) -> str:
    said = ", ".join(f"{code} ({few(people)} people)" for code, people in amounts.items() if code)
    if chosen is not None:
        return f"there are no amounts in {chosen!r}; there are in: {said or 'no currency at all'}"
    return f"amounts are in several currencies and cannot be added up: choose one by --currency, of {said}"


def _day(at_ms: int, period: Period) -> date:
    return datetime.fromtimestamp(at_ms / 1000, period.zone).date()


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= DAYS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to {DAYS_MAX}")
    return int(text)
