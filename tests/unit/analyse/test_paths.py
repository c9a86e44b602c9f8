"""The pure parts of paths: which step a touchpoint is, how a way differs from the design, what is drawn of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree

import msgspec
import pytest

from pipeline import catalogue
from pipeline.analyse import paths_drawn, paths_found, paths_plan
from pipeline.analyse.paths_found import Count, Counts
from pipeline.analyse.paths_plan import How
from pipeline.analyse.paths_sql import GOES_ON, PUT_TOGETHER, SQL, Fact
from pipeline.analyse.result import Result, Row
from pipeline.settings import Settings
from tests.mapping import HOSTILE

SHOP = catalogue.load(Settings().catalogue_folder)
GET_HELP, BUY = SHOP.journeys["get_help"], SHOP.journeys["buy"]
EDGES = frozenset({(1, 2), (2, 3), (3, 2), (3, 4)})  # of get_help


@pytest.mark.parametrize(
    ("state", "steps", "away", "comes_to"),
    [
        (0, {1}, False, [1]),
        (1, {1}, False, []),  # another touchpoint of the step where they are
        (1, {1}, True, [1]),  # after a pause they are there anew
        (0, {2, 3}, False, [2, 3]),  # a chat gets them through and solves it
        (2, {2, 3}, False, [3]),
        (3, {2, 3}, False, []),
        (3, {2, 3}, True, [2, 3]),
        (1, {3}, False, [3]),  # not as designed, and yet so
        (1, {2, 4}, False, [2]),  # 4 does not follow 2 at once
        (3, {1, 4}, False, [4]),
        (2, set(), False, []),
    ],
)
def test_a_touchpoint_of_several_steps_is_what_fits_the_design(
    state: int, steps: set[int], away: bool, comes_to: list[int]
) -> None:
    assert paths_plan.entered(state, steps, away, EDGES) == comes_to


def test_a_way_is_compared_with_the_design_in_words() -> None:
    assert paths_found.what(BUY, 0, 1) == ""
    assert paths_found.what(BUY, 2, 1) == ""  # designed to go back
    assert paths_found.what(BUY, 0, 3) == "begins at “Orders and pays”, not at “Finds it”"
    assert paths_found.what(BUY, 1, 5) == (
        "goes from “Finds it” to “Has it in her hands” without “Makes up her mind”, “Orders and pays”, “Waits for it”"
    )
    assert paths_found.what(BUY, 5, 4) == "goes back from “Has it in her hands” to “Waits for it”"
    straight = msgspec.structs.replace(BUY, edges=())
    assert (
        paths_found.what(straight, 1, 2) == "goes from “Finds it” to “Makes up her mind”, which the design does not say"
    )


def test_a_median_of_buckets_is_close() -> None:
    assert paths_found.median_s({}) is None
    assert paths_found.median_s({0: 3}) == 0
    assert paths_found.median_s({40: 1, 56: 5, 90: 2}) == pytest.approx(127)  # 2**7 - 1


def test_every_number_of_the_statement_is_known() -> None:
    assert "$" not in SQL
    assert {int(each) for each in Fact} == set(range(1, len(Fact) + 1))
    assert set(PUT_TOGETHER) <= set(Fact)


def hostile() -> Result:
    """A journey whose every name means something to somebody."""
    steps = tuple(msgspec.structs.replace(step, name=f"{HOSTILE} {n}") for n, step in enumerate(BUY.steps))
    journey = msgspec.structs.replace(BUY, name=HOSTILE, steps=steps)
    plan = paths_plan.plan(SHOP, 0, 1, How())
    plan = paths_plan.Plan(plan.parameters, [journey], plan.touchpoints, plan.channels, plan.issues)
    counts = {
        (Fact.PEOPLE,): Count(900, 900),
        (Fact.FITS, 1, 1, 1): Count(5, 5),
        (Fact.FITS, 1, 1, 0): Count(300, 300),
        (Fact.FITS, 1, 0, 0): Count(100, 100),
        **{(Fact.AT, 1, n): Count(400 - 70 * n, 400) for n in range(1, 6)},
        (Fact.ENDED, 1, 2): Count(60, 60),
        (Fact.AGAIN, 1, 3): Count(11, 11),
        **{(Fact.MOVE, 1, n, n + 1): Count(200 - 20 * n, 300) for n in range(5)},
        **{(Fact.MOVE, 1, *way): Count(40 + sum(way), 50) for way in ((1, 3), (5, 2), (2, 5), (4, 3), (0, 3))},
        (Fact.PATH, 1, 1, 2, GOES_ON): Count(10, 10),
    }
    rows = tuple(paths_found.rows(counts, plan))
    return Result("paths", 1, 1, date(2026, 9, 1), date(2026, 10, 1), 900, 0, rows=rows)


def test_few_people_are_in_no_line() -> None:
    items = {row.item for row in hostile().rows}
    assert "kept:buy:" in items
    assert "completed:buy:" not in items  # they are 5
    assert "path:buy:find>choose>…" in items
    assert "path:buy:*" in items


def crowd(*ways: tuple[int, tuple[int, ...]]) -> Counts:
    """People who bought so many at a time, each in one visit: what the statement counts of them."""
    found: dict[tuple[int, ...], int] = defaultdict(int)
    for people, steps in ways:
        for key in [
            (Fact.FITS, 1, int(paths_found.what(BUY, 0, steps[0]) == ""), int(steps[-1] == 5)),
            (Fact.PATH, 1, *steps),
            (Fact.ENDED, 1, steps[-1]),
            *((Fact.AT, 1, step) for step in steps),
            *((Fact.MOVE, 1, *pair) for pair in pairwise((0, *steps))),
        ]:
            found[key] += people
    return {key: Count(people, people) for key, people in found.items()}


def lines(counts: Counts) -> dict[str, Row]:
    return {row.item: row for row in paths_found.rows(counts, paths_plan.plan(SHOP, 0, 1, How()))}


def few_in(rows: Iterable[Row]) -> list[str]:
    """Lines that tell of 1 to 9 people: who did it, or who of all these did not."""
    told = [(row.item, row.figures.get("people"), row.figures.get("of")) for row in rows]
    return [item for item, k, n in told if k is not None and (0 < k < 10 or (n is not None and 0 < n - k < 10))]


@pytest.mark.parametrize("most", [0, 1, 9, 10, 40, 991, 999, 1_000])
def test_neither_who_did_it_nor_who_did_not_is_told_where_they_are_few(most: int) -> None:
    of = lines(crowd((most, (1, 2, 3, 4, 5)), (1_000 - most, (3,))))
    assert few_in(of.values()) == []
    enough = most in (0, 10, 40, 1_000)
    assert ("completed:buy:" in of, "kept:buy:" in of) == (enough, enough)
    assert of["step:buy:pay"].figures["people"] == 1_000


def test_few_that_are_left_are_told_together_with_the_last_path() -> None:
    ways = ((500, (1, 2, 3)), (30, (2, 3)), (20, (3,)))
    of = lines(crowd(*ways, (4, (5,)), (5, (4, 5))))
    assert [row.figures["people"] for item, row in of.items() if item.startswith("path:")] == [500, 30, 29]
    assert of["path:buy:*"].figures["people"] == 29
    of = lines(crowd(*ways, (10, (5,))))
    assert of["path:buy:receive"].figures["people"] == 10
    assert "path:buy:*" not in of
    of = lines(crowd((500, (1, 2, 3)), (9, (3,))))
    assert not [item for item in of if item.startswith("path:")]  # that 509 went any way tells nothing


def test_a_step_and_a_way_of_nearly_all_are_drawn_without_their_number() -> None:
    rows = tuple(lines(crowd((60, (1, 2, 3)), (4, (3,)))).values())
    found = Result("paths", 1, 1, date(2026, 9, 1), date(2026, 10, 1), 64, 0, rows=rows)
    (journey,) = paths_drawn.journeys(found)
    assert (journey.people, [step.name for step in journey.steps]) == (64, [each.name for each in BUY.steps[:3]])
    picture = paths_drawn.picture(journey)
    assert [box.filled for box in picture.boxes] == [paths_drawn.BOX_W] * 3
    assert len(picture.ways) == 2
    for drawn in (paths_drawn.svg(found), paths_drawn.mermaid(found)):
        assert "all but fewer than 10 people" in drawn
        assert not re.search(r"\b(60|4|0) people|\b94", drawn)


def test_few_who_changed_soon_are_not_told() -> None:
    base = {(Fact.PEOPLE,): Count(900, 900), (Fact.SWITCH, 1, 3): Count(100, 120)}
    for soon, told in ((0, True), (1, False), (9, False), (10, True), (90, True), (95, False), (100, True)):
        of = lines({**base, (Fact.SOON, 1, 3): Count(soon, soon), (Fact.CONTACT, 1, 1, 3, 0): Count(soon, soon)})
        assert few_in(of.values()) == []
        assert of["switch:web>phone"].figures["switched"] == 100
        assert of["switch:web>phone"].figures.get("people") == (soon if told else None)
        assert of["switch:web>phone"].figures.get("of") == (100 if told else None)
        contact = of.get("contact:1:1:3:0")
        assert (contact is not None) == (soon >= 10)
        assert contact is None or ("of" in contact.figures) == told


def test_no_name_means_anything_in_a_picture() -> None:
    drawn = paths_drawn.svg(hostile())
    root = ElementTree.fromstring(drawn)  # made by us
    assert not [each for each in root.iter() if each.tag.endswith("script")]
    assert "&lt;script&gt;" in drawn
    text = paths_drawn.mermaid(hostile())
    assert not re.search(r"<(?!br>)|>(?!\|)(?<!-->)(?<!->)(?<!<br>)", text.replace("-.->", "").replace("-->", ""))
    assert "script" in text
    assert text.count('"') % 2 == 0


def test_a_picture_has_the_ways_and_says_which_are_not_designed() -> None:
    (journey,) = paths_drawn.journeys(hostile())
    picture = paths_drawn.picture(journey)
    assert len(picture.boxes) == 5
    assert sum(each.designed for each in picture.ways) == 4
    assert [each.text for each in picture.ways if not each.designed] == ["47", "47", "47", "44"]
    assert all(each.x < picture.width for each in picture.ways)
    assert "300 of" not in picture.about
    assert any("43 began here" in text.text for box in picture.boxes for text in box.texts)


def test_nothing_found_is_an_empty_picture() -> None:
    empty = Result("paths", 1, 1, date(2026, 9, 1), date(2026, 10, 1), 0, 0, refused="Nobody.")
    assert paths_drawn.journeys(empty) == []
    ElementTree.fromstring(paths_drawn.svg(empty))  # made by us
