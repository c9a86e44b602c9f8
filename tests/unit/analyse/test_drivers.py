"""What `throughline analyse drivers` says, refuses, warns of and draws, of tables of people."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from pipeline.analyse import drivers, driving, quadrants, quadrants_drawn, warned
from pipeline.analyse.driving import Sampling
from pipeline.analyse.reading import Outcome, Table
from pipeline.analyse.resampling import Array
from pipeline.analyse.result import Result
from pipeline.analyse.warned import About

from .worlds import world

NPS = Outcome("recommendation", ("nps", "recommendation"))
SCORE = Outcome("score")
NAMES = ("queue", "chat", "shop")
LABELS = {"queue": "Call queue & <b>hold</b>", "chat": "Chat", "shop": "Shop"}


def about(outcome: Outcome = NPS, n: int = 500, **coverage: int) -> About:
    return About(outcome, 1_000, Table(np.empty((n, 4)), **{"evidence": 1_000} | coverage), LABELS)


def enough(values: Array, all_of_them: bool = False) -> drivers.Asked:
    return drivers.enough(NPS, NAMES[: values.shape[1] - 1], Table(values), all_of_them, lambda each: LABELS[each])


def result(values: Array, of: About | None = None) -> Result:
    empty = Result(
        *("drivers", 1, 1, date(2026, 9, 1), date(2026, 10, 1), len(values), 1), parameters={"of": "touchpoints"}
    )
    return drivers._result(empty, enough(values), driving.study(values, Sampling(1)), of or about())


def test_fewer_than_ten_people_a_driver_are_refused_with_the_reason() -> None:
    assert enough(world(30, [0.5, 0.5, 0.5])).refused == ""
    refused = enough(world(29, [0.5, 0.5, 0.5]), all_of_them=True).refused
    assert "Of people who said whether they would recommend us, 29 have experienced" in refused
    assert "10 people for each driver are needed, 30 for these 3" in refused
    assert "--from" in refused


def test_a_refusal_names_the_pair_that_too_few_know() -> None:
    values = world(200, [0.5, 0.5, 0.5])
    values[:100, 1] = values[112:, 3] = np.nan
    assert "12 have experienced both Call queue & <b>hold</b> and Shop" in enough(values, all_of_them=True).refused
    values[:105, 1] = np.nan
    assert "fewer than 10 have experienced both" in enough(values, all_of_them=True).refused


def test_one_driver_nobody_and_no_spread_are_refused() -> None:
    assert "not two drivers" in enough(world(19, [0.5, 0.5])).refused
    assert "not two drivers" in enough(np.empty((0, 4))).refused
    values = world(100, [0.5, 0.5])
    values[:, 0] = 80
    assert "have the same value" in enough(values).refused


def test_what_cannot_be_compared_is_left_out_and_named() -> None:
    values = world(100, [0.5, 0.5, 0.5])
    values[8:, 2] = np.nan
    asked = enough(values)
    assert (asked.drivers, asked.left_out, asked.table.values.shape[1]) == (("queue", "shop"), (("chat", 8),), 3)
    assert "Chat (fewer than 10)" in " ".join(warned.of_data(about(), asked.left_out, ()))
    values = world(100, [0.5, 0.5, 0.5])
    values[:, 2] = 100
    asked = enough(values)
    assert (asked.drivers, asked.even) == (("queue", "shop"), ("chat",))
    assert "everybody's score is the same there: Chat" in " ".join(warned.of_data(about(), (), asked.even))


def test_nothing_found_is_said_and_has_no_shares() -> None:
    found = result(world(400, [0, 0, 0], seed=4))
    assert found.rows == ()
    assert "explain no more of recommendation than chance does" in found.refused


def test_rows_say_everything_and_the_largest_share_comes_first() -> None:
    found = result(world(2_000, [0.2, 0.8, 0.0], seed=1))
    assert [row.item for row in found.rows] == ["chat", "queue", "shop"]
    assert [row.notes["found"] for row in found.rows] == ["yes", "yes", "no"]
    first = found.rows[0].figures
    assert first["share_low"] < first["share"] < first["share_high"]  # type: ignore[operator]
    assert first["coefficient"] == pytest.approx(8, abs=1)  # by 10 points
    assert first["share_error"] is None
    assert sum(row.figures["share"] or 0 for row in found.rows) == pytest.approx(1)


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (about(), "these answers count in no driver"),
        (about(SCORE), "computed from the same evidence as the drivers"),
        (about(n=100), "100 of 1,000 people with evidence in the period have an outcome (10.0%)"),
        (about(evidence=1_000, same_day=700), "70% of the evidence on the drivers was answered on the same day"),
        (about(), "that one causes the other is not shown"),
    ],
)
def test_what_may_mislead_is_said(of: About, says: str) -> None:
    assert says in " ".join(warned.of_data(of, (), ()))


@pytest.mark.parametrize("of", [about(n=200), about(evidence=1_000, same_day=500)])
def test_what_does_not_mislead_is_not_said(of: About) -> None:
    said = " ".join(warned.of_data(of, (), ()))
    assert "halo" not in said
    assert "Few are in it" not in said


def test_overlapping_ranks_inflation_and_wrong_ways_are_said() -> None:
    values = world(600, [0.5, 0.5, -0.6], seed=2, alike=0.0)
    said = " ".join(result(values).caveats)
    assert "which comes first is not certain among" in said
    assert "worse the outcome, the others equal: Shop" in said
    assert "variance inflation" not in said
    values[:, 3] = values[:, 1] + np.random.default_rng(1).normal(size=600)
    assert "variance inflation): Call queue & <b>hold</b> (" in " ".join(result(values).caveats)


def test_a_chain_of_ranks_is_said_once() -> None:
    assert warned._chains(((2, 0), (0, 1), (3, 4))) == [[2, 0, 1], [3, 4]]


def at(share: tuple[float, float], doing: tuple[float, float], goes_with: float = 0.1) -> str:
    base = driving.study(world(300, [0.5, 0.5]), Sampling(1, 50))
    low, high = (np.array([pair[end] for pair in (share, share)]) for end in (0, 1))
    worst, best = (np.array([pair[end] for pair in (doing, doing)]) for end in (0, 1))
    slopes = np.array([goes_with, goes_with])
    of = replace(
        base,
        share=driving.Interval(low, low, high),
        performance=driving.Interval(worst, worst, best),
        coefficient=driving.Interval(slopes, slopes, slopes),
    )
    return quadrants.quadrant(quadrants.Lines(0.2, 70), of, 0)


def test_a_quadrant_is_said_where_the_box_is_in_one() -> None:
    assert at((0.3, 0.4), (40, 60)) == quadrants.FIRST
    assert at((0.3, 0.4), (80, 90)) == quadrants.KEEP
    assert at((0.1, 0.15), (40, 60)) == quadrants.LATER
    assert at((0.1, 0.15), (80, 90)) == quadrants.LEAVE
    assert at((0.1, 0.3), (80, 90)) == quadrants.UNCLEAR
    assert at((0.3, 0.4), (60, 80)) == quadrants.UNCLEAR


def test_what_does_not_go_with_better_experience_is_no_work_to_do_first() -> None:
    assert at((0.3, 0.4), (40, 60), goes_with=-0.6) == quadrants.UNCLEAR
    assert at((0.3, 0.4), (40, 60), goes_with=0.0) == quadrants.UNCLEAR
    assert at((0.1, 0.15), (80, 90), goes_with=-0.1) == quadrants.LEAVE
    values = world(600, [0.5, 0.5, -0.9], seed=2, alike=0.0)
    values[:, 3] -= 20
    (worst,) = [row for row in result(values).rows if row.label == "Shop"]
    assert worst.figures["share_low"] > worst.figures["importance_line"]
    assert worst.notes == {"quadrant": quadrants.UNCLEAR, "found": "yes"}


def test_the_picture_says_itself_in_words_and_holds_no_markup_of_others() -> None:
    drawn = quadrants_drawn.svg(result(world(2_000, [0.2, 0.8, 0.3], seed=1)))
    root = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.findtext(f"{space}title") == "What carries overall experience: touchpoints"
    words = root.findtext(f"{space}desc") or ""
    assert "1. Chat: " in words
    assert "Call queue & <b>hold</b>: " in words
    assert "<b>" not in drawn
    assert "prefers-color-scheme: dark" in drawn
    assert len(root.findall(f".//{space}rect[@class='box']")) == 3


@pytest.mark.parametrize("values", [(62.1, 62.4), (0.0, 100.0), (55.0, 71.0), (0.0, 0.07), (99.99, 100.0)])
def test_an_axis_holds_its_values_between_round_numbers(values: tuple[float, float]) -> None:
    axis = quadrants_drawn._axis(values, 0, 500, (0, 100))
    assert axis.low - 1e-9 <= values[0] < values[1] <= axis.high + 1e-9
    assert 2 <= len(axis.ticks()) <= 9
    assert axis.at(axis.low) == 0
    assert axis.at(axis.high) == 500
