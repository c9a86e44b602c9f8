"""What `changes` says in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pipeline.analyse.before_after import Changed, Compared
from pipeline.analyse.change_rows import COLUMNS, caveats, rows
from pipeline.domain.intervals import UNKNOWN, Interval

PLAIN = Compared(
    change=Changed("c1", "queue", date(2026, 5, 4)),
    days=28,
    before_n=300,
    after_n=310,
    before=Interval(50.0, 48.0, 52.0),
    after=Interval(58.0, 56.0, 60.0),
    difference=Interval(8.0, 5.0, 11.0),
    others=7,
    others_difference=Interval(1.0, 0.0, 2.0),
    effect=Interval(7.0, 3.0, 11.0),
    earlier=Interval(0.5, -3.0, 4.0),
)
GREY = Compared(PLAIN.change, reason="too early")
ALONE = replace(PLAIN, others=1, others_difference=UNKNOWN, effect=UNKNOWN, earlier=UNKNOWN, alone="fewer than 3")


def beware(of: Compared) -> str:
    return rows([of], {}, 28)[0].notes["caveats"]


def test_a_row() -> None:
    (row,) = rows([PLAIN], {"queue": "Call queue"}, 28)
    assert (row.item, row.label) == ("c1", "Call queue")
    assert row.notes == {
        "touchpoint": "queue",
        "changed_on": "2026-05-04",
        "verdict": "better",
        "reason": "",
        "caveats": "",
    }
    assert row.figures["effect_high"] == 11.0
    assert [column.text(row) for column in COLUMNS] == [
        *("Call queue", "2026-05-04", "50.0", "58.0", "8.0 (5.0 to 11.0)", "7", "7.0 (3.0 to 11.0)", "better"),
    ]


def test_grey_says_why_and_shows_nothing() -> None:
    (row,) = rows([GREY], {}, 28)
    assert row.label == "queue"  # a touchpoint that the catalogue does not know
    assert row.figures["effect"] is None
    assert [column.text(row) for column in COLUMNS][2:] == ["–", "–", "–", "0", "–", "grey. too early"]


@pytest.mark.parametrize(
    ("of", "begins"),
    [
        (ALONE, "It stands alone (fewer than 3): the season"),
        (replace(PLAIN, also=1), "Another change was made there in the same weeks"),
        (replace(PLAIN, also=2), "2 other changes were made there"),
        (replace(PLAIN, mix=True), "Another part of the evidence comes from surveys"),
        (replace(PLAIN, earlier=Interval(-6.0, -9.0, -3.0)), "It had fallen behind the others before (-6.0 points)"),
        (replace(PLAIN, earlier=Interval(6.0, 3.0, 9.0)), "It was gaining on the others before (+6.0 points)"),
        (replace(PLAIN, days=14), "Only 14 days after it are over, of 28."),
    ],
)
def test_what_may_mislead(of: Compared, begins: str) -> None:
    assert beware(PLAIN) == ""
    assert beware(of).startswith(begins)


def test_the_verdict_goes_by_the_others_where_there_are_any() -> None:
    assert replace(PLAIN, effect=Interval(7.0, -1.0, 15.0)).verdict == "no difference"
    assert ALONE.verdict == "better"
    assert replace(PLAIN, effect=Interval(-7.0, -11.0, -3.0)).verdict == "worse"


def test_many_changes_find_something_by_chance() -> None:
    assert caveats([GREY]) == ()
    assert len(caveats([PLAIN])) == 1
    assert caveats([PLAIN] * 5)[1].startswith("5 changes were compared: of 20 that do nothing, one looks by chance")
