"""Who counts in `analyse link`, and how far back results reach: on stored rows, by what was known at the landmark."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from pipeline.analyse.link import How, linked_from
from pipeline.analyse.result import Result
from pipeline.analyse.source import Period
from tests.outcomes import Rows

LANDMARK = date(2024, 5, 1)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
PERIOD = Period(LANDMARK, LANDMARK + timedelta(days=90), ZoneInfo("UTC"))
LATER = datetime(2025, 1, 1, tzinfo=UTC)
N = 100


def days(n: float) -> datetime:
    """So many days after the landmark's noon."""
    return NOON + timedelta(days=n)


def score(n: int, day: int) -> float:
    """Of a customer at a day: any."""
    return round(float(np.random.default_rng((n, abs(day))).uniform(20, 100)), 3)


def customer(rows: Rows, n: int, named: bool = True) -> str:
    """Somebody who called 20 days before the landmark, with a score at each moment that counts."""
    who = f"customer:{n}"
    filed = who if named else f"device:{n}"
    rows.happened(filed, days(-400))
    rows.happened(filed, days(-20), "call_ended", ease=score(n, -20))
    for day in (-130, -40, -2):
        rows.scored(who, days(day).date(), score(n, day))
    return who


def linked(client: Client, rows: Rows) -> Result:
    """The analysis of these rows; it is not refused."""
    rows.store(client)
    found = linked_from(client, PERIOD, How("USD"), 1, LATER)
    assert found.refused == ""
    return found


def figure(found: Result, outcome: str, name: str) -> float | None:
    return next(row.figures[name] for row in found.rows if row.item == outcome)


def test_who_had_left_before_the_landmark_is_no_customer_who_stays(client: Client) -> None:
    rows = Rows()
    for n in range(N):
        who = customer(rows, n)
        rows.bought(who, days(-300), 20.0)
        if n % 5 == 0:  # a fifth had left
            rows.outcome(who, days(-5 if n % 2 else -250), "churn")  # lately, or before all windows
        elif n % 5 == 1:  # these had come back
            rows.outcome(who, days(-60), "churn")
            if n % 2:
                rows.bought(who, days(-50), 20.0)
            else:
                rows.outcome(who, days(-50), "renewal", 20.0)
        if n % 5 == 0 and n % 2:
            rows.bought(who, days(30), 20.0)  # that they come back later, nobody knew
        if n % 5 == 2:
            rows.outcome(who, days(10), "churn")  # these leave
        if n % 5 == 3:
            rows.bought(who, days(20), 10.0)
    found = linked(client, rows)
    assert found.n == 80
    assert figure(found, "churned", "mean") == 20 / 80
    assert figure(found, "net", "mean") == 200 / 80
    assert "Left out: 20 customers who had left by then." in found.caveats


def test_who_became_a_customer_after_the_landmark_does_not_count(client: Client) -> None:
    rows = Rows()
    for n in range(N):
        who = customer(rows, n, named=n % 5 > 0)
        if n % 5 == 0:
            rows.known_as(f"device:{n}", who)  # they log in, and buy
        rows.bought(who, days(5), 100.0 if n % 5 == 0 else float(n % 7))
    found = linked(client, rows)
    assert found.n == 80
    assert figure(found, "net", "mean") == sum(n % 7 for n in range(N) if n % 5) / 80


NO_CONTROL = "There is no negative control{}: business results do not reach back to its window."


@pytest.mark.parametrize(
    ("kind", "amount", "currency", "of"),
    [
        ("churn", None, "", ""),
        ("cost", -5.0, "CHF", ""),  # of another currency
        ("renewal", None, "", " for Net amount"),  # who buys is known, and not for how much
        ("cost", -5.0, "USD", " for Ordered or renewed"),
    ],
)
def test_one_old_result_does_not_let_others_reach_back(
    client: Client, kind: str, amount: float | None, currency: str, of: str
) -> None:
    """Orders are recorded since the middle of the control's window: what was before is not nothing."""
    rows = Rows()
    for n in range(N):
        who = customer(rows, n)
        rows.bought(who, days((-60, 20)[n % 2]), 10.0 + n % 3)
    rows.happened("customer:old", days(-2000))
    rows.outcome("customer:old", days(-1500), kind, amount, currency)
    found = linked(client, rows)
    assert NO_CONTROL.format(of) in found.caveats
    for outcome, label in (("net", "Net amount"), ("bought", "Ordered or renewed")):
        assert (figure(found, outcome, "control") is None) == (not of or label in of), outcome
    begin = "Business results begin on 2024-03-02, so earlier spend is not whole."
    assert (begin in found.caveats) == (currency != "USD")


def test_how_few_use_a_currency_is_not_said(client: Client) -> None:
    rows = Rows()
    for n in range(N):
        rows.bought(customer(rows, n), days(5), 10.0, "CHF" if n < 3 else "EUR")
    rows.store(client)
    found = linked_from(client, PERIOD, How(), 1, LATER)
    assert found.refused.endswith("choose one by --currency, of EUR (97 people), CHF (fewer than 10 people)")
