"""What `link` says in words, and where its windows are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.analyse import link
from pipeline.analyse.link_rows import COLUMNS, Known, caveats, rows
from pipeline.analyse.linking import OUTCOMES, Band, Link
from pipeline.analyse.source import Period
from pipeline.domain.intervals import UNKNOWN, Interval

KNOWN = Known(date(2026, 5, 1), 90, 30, "EUR")
NET = Link(
    outcome=OUTCOMES[0],
    n=400,
    mean=Interval(1234.5, 1200.0, 1270.0),
    spearman=Interval(0.3, 0.2, 0.4),
    effect=Interval(12.0, 5.0, 19.0),
    control_n=300,
    control=Interval(1.0, -2.0, 4.0),
    bands=(Band(0, 60, 150, Interval(1000.0, 900.0, 1100.0)), Band(60, 100, 250, Interval(1400.0, 1300.0, 1500.0))),
)
RETURNED = replace(
    NET, outcome=OUTCOMES[2], mean=Interval(0.2, 0.15, 0.25), effect=Interval(-0.02, -0.03, 0.01), control=UNKNOWN
)


def test_a_row_for_each_outcome_and_band() -> None:
    found = rows([NET, RETURNED], KNOWN)
    assert [row.item for row in found] == ["net", "net:0", "net:60", "returned", "returned:0", "returned:60"]
    assert found[0].figures["effect_low"] == 5.0
    assert found[0].notes["unit"] == "EUR"
    assert found[0].notes["verdict"] == "more with better experience"
    assert found[0].notes["control"] == "holds"
    assert (found[2].figures["from"], found[2].figures["to"], found[2].figures["n"]) == (60, 100, 250)
    assert found[3].notes["verdict"] == "no difference beyond chance"
    assert found[3].notes["control"] == "says nothing"


def test_each_is_shown_in_its_unit() -> None:
    found = rows([NET, RETURNED], KNOWN)
    shown = [[column.text(row) for column in COLUMNS] for row in found]
    assert shown[0] == [
        *("Net amount (EUR)", "400", "1,234 (1,200 to 1,270)", "0.30 (0.20 to 0.40)"),
        *("12.0 (5.00 to 19.0)", "1.00 (-2.00 to 4.00)"),
    ]
    assert shown[1] == ["  score 0 to 60", "150", "1,000 (900.0 to 1,100)", "", "", ""]
    assert shown[3][:3] == ["Returned or refunded (%)", "400", "20.0 (15.0 to 25.0)"]
    assert shown[3][5] == "–"


def test_that_it_is_association_comes_first() -> None:
    said = caveats([NET], KNOWN)
    assert len(said) == 1
    assert said[0].startswith("Association, not cause")


def test_a_negative_control_that_is_not_null_is_told() -> None:
    (_, fails) = caveats([replace(NET, control=Interval(8.0, 2.0, 14.0))], KNOWN)
    assert fails == (
        "The negative control of Net amount is not null: 10 points of experience in the 30 days before 2026-05-01 go "
        "with 8.00 EUR (2.00 EUR to 14.00 EUR) of the 90 days before those, which they cannot have caused. These "
        "customers differ in other ways too, or their results led to their experience: at most a part of the effect "
        "is one."
    )


def test_what_could_not_be_used_is_told() -> None:
    known = replace(
        KNOWN,
        without_score=10,
        gone=1_234,
        other_currency=30,
        no_currency=20,
        results_since=date(2026, 4, 1),
        control_unknown=("net", "bought"),
    )
    assert caveats([replace(NET, control=UNKNOWN)], known)[1:] == (
        "There is no negative control: business results do not reach back to its window.",
        "Business results begin on 2026-04-01, so earlier spend is not whole.",
        "Left out: 1,234 customers who had left by then.",
        "Left out: 10 customers who were active, without a score by then.",
        "Left out: 30 customers with amounts in other currencies than EUR.",
        "Amounts without a currency do not count; 20 people have some.",
    )
    silent = caveats([replace(NET, control=UNKNOWN), RETURNED], KNOWN)
    assert silent[1] == (
        "There is no negative control for Net amount and Returned or refunded: too few have what it takes."
    )
    both = caveats([replace(NET, control=UNKNOWN), RETURNED], known)
    assert both[1:3] == (
        "There is no negative control for Net amount: business results do not reach back to its window.",
        "There is no negative control for Returned or refunded: too few have what it takes.",
    )


def test_how_few_were_left_out_is_not_said() -> None:
    known = replace(KNOWN, without_score=1, gone=9, other_currency=3, no_currency=2)
    assert caveats([NET], known)[1:] == (
        "Left out: fewer than 10 customers who had left by then.",
        "Left out: fewer than 10 customers who were active, without a score by then.",
        "Left out: fewer than 10 customers with amounts in other currencies than EUR.",
        "Amounts without a currency do not count; fewer than 10 people have some.",
    )


@pytest.mark.parametrize(("control_n", "shown"), [(0, 0), (9, None), (10, 10)])
def test_of_how_few_a_control_was_made_is_not_shown(control_n: int, shown: float | None) -> None:
    (row, *_) = rows([replace(NET, control_n=control_n, control=UNKNOWN)], KNOWN)
    assert row.figures["control_n"] == shown


def test_windows_are_of_the_businesss_days_also_where_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    moments = link.Moments.of(Period(date(2026, 5, 1), date(2026, 7, 30), berlin), link.How())

    def day(at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()

    assert day(moments.landmark) == "2026-04-30T22:00:00+00:00"
    assert day(moments.before) == "2026-01-30T23:00:00+00:00"
    assert day(moments.recent) == "2026-03-31T22:00:00+00:00"
    assert day(moments.control) == "2025-12-31T23:00:00+00:00"
    assert moments.oldest < moments.control < moments.recent < moments.landmark < moments.until


@pytest.mark.parametrize(
    ("chosen", "amounts", "currency"),
    [
        (None, {"EUR": 5}, "EUR"),
        (None, {"EUR": 5, "": 2}, "EUR"),
        (None, {"": 2}, ""),
        (None, {}, ""),
        (None, {"EUR": 5, "CHF": 1}, None),
        ("CHF", {"EUR": 5, "CHF": 1}, "CHF"),
        ("USD", {"EUR": 5}, None),
    ],
)
def test_which_currency_counts(chosen: str | None, amounts: dict[str, int], currency: str | None) -> None:
    assert link.currency_of(chosen, amounts) == currency
