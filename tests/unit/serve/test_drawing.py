"""Where things are on the map, that nothing overlaps, and what names that mean harm become in SVG and Mermaid."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.blueprint import Blueprint, Figures, Passage, Segment, Sums, blueprint
from pipeline.domain.catalogue import Journey, Step, Touchpoint
from pipeline.serve import said
from pipeline.serve.drawing import BOX_W, CHAR_W, Drawing, cut, drawing, lanes
from pipeline.serve.mermaid import escaped, mermaid
from tests.mapping import HOSTILE
from tests.serving import CATALOGUE


def sums(touchpoint: str) -> list[Sums]:
    part = (100, 7_000.0, 500_000.0)
    return [Sums(touchpoint, at, False, 1_234_567, [part, part, part], (10, 8)) for at in range(5)]


def of(name: str, **more: Any) -> Blueprint:
    ways = {(name, "find", "choose"): Passage(100, 300, 62, 240.0), (name, "find", ""): Passage(100, 300, 62, 240.0)}
    all_ = [each for touchpoint in CATALOGUE.touchpoints for each in sums(touchpoint)]
    figures = Figures(**{"sums": all_, "ways": ways, "alerts": {"chat": 120}, "buckets": range(5), **more})
    return blueprint(CATALOGUE.journeys[name], CATALOGUE.touchpoints, figures)


def hostile(text: str) -> Blueprint:
    """A journey in which everything that has a name has this one."""
    like = CATALOGUE.touchpoints["doorstep"]
    known = msgspec.structs.replace(like, id="a", name=text, owner=text, promise=text, partner=text)
    hidden = msgspec.structs.replace(CATALOGUE.touchpoints["dispatch"], id="b", name=text, owner=text)
    steps = (Step("one", text, ("a", "b")), Step("two", text, ("a",)))
    journey = Journey(id="j", name=text, persona=text, goal=text, steps=steps, edges=(("one", "two"), ("two", "one")))
    return blueprint(journey, {"a": known, "b": hidden}, Figures())


@pytest.mark.parametrize("name", CATALOGUE.journeys)
def test_every_touchpoint_has_a_box_in_its_column_and_nothing_overlaps(name: str) -> None:
    found = drawing(of(name))
    journey = CATALOGUE.journeys[name]
    assert len(found.boxes) == sum(len(step.touchpoints) for step in journey.steps)
    column = {head.x: step for head, step in zip(found.heads, journey.steps, strict=True)}
    for box in found.boxes:
        assert box.id in column[box.x].touchpoints
        (row,) = [row for row in found.rows if row.y <= box.y and box.y + box.height <= row.y + row.height]
        hidden = CATALOGUE.touchpoints[box.id].layer in ("backstage", "support")
        assert row.hidden == hidden == (box.y > found.visibility_y)
        assert all(box.y < text.y <= box.y + box.height for text in box.texts)
    for a, b in combinations(found.boxes, 2):
        assert a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
    assert max(box.x + box.width for box in found.boxes) <= found.width
    assert max(row.y + row.height for row in found.rows) <= found.height


ways = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(ways)
def test_ways_of_a_lane_meet_at_most_at_a_stage(taken: list[tuple[int, int]]) -> None:
    found = lanes(taken)
    assert len(found) == len(taken)
    for (a, one), (b, other) in combinations(list(zip(taken, found, strict=True)), 2):
        if one == other:
            (low_a, high_a), (low_b, high_b) = sorted(a), sorted(b)
            assert high_a <= low_b or high_b <= low_a
    assert set(found) == set(range(max(found, default=-1) + 1))


def test_a_way_says_share_and_time_and_is_wider_for_more_people() -> None:
    found = drawing(of("buy"))
    first, back, second = found.lines[0], found.lines[1], found.lines[2]
    assert (first.text, second.text) == ("62 % · 4 min", "–")
    assert first.width > second.width
    assert first.x1 < first.x2
    assert back.x1 > back.x2
    assert first.y != back.y
    assert first.title == (
        "Finds it → Makes up her mind: 62 of 100 people (62 %, between 52 % and 71 % with 95 %), "
        "half of them within 4 min"
    )
    assert [text.text for text in found.heads[0].texts] == ["1 Finds it", "100 people · 38 % drop off"]
    uncounted = drawing(of("buy", ways=None))
    assert (uncounted.lines[0].text, uncounted.lines[0].counted) == ("…", False)
    assert uncounted.heads[0].texts[1].text == "being counted"


def test_a_box_tells_all_that_it_shows_and_what_was_cut() -> None:
    found = drawing(of("buy"))
    doorstep = next(box for box in found.boxes if box.id == "doorstep")
    assert doorstep.label == "Doorstep, yellow, score 70, between 69 and 71 with 95 %, 1,500 pieces of evidence"
    assert doorstep.theirs
    assert "Promise: The courier comes within the promised two hours, and rings." in doorstep.title
    assert "Expects late ≤ 15 min: met 80 % of 50 times (between 67 % and 89 % with 95 %)" in doorstep.title
    assert "By couriers, seen as ours" in doorstep.title
    texts = [text.text for text in doorstep.texts]
    assert "70" in texts
    assert "Expects late ≤ 15 min: met 80 %" in texts
    assert "69–71 · n 1,500" in texts
    assert "6,172,835 ×" in texts
    chat = next(box for box in found.boxes if box.id == "chat")
    assert chat.alerts == 120
    assert chat.label.endswith("120 open alerts")
    assert len(chat.trend.split()) == 5


def test_texts_are_cut_to_their_box() -> None:
    assert cut("short", 100, 11) == "short"
    assert cut("  a \n b ", 100, 11) == "a b"
    long = cut("W" * 5_000, 190, 11)
    assert long.endswith("…")
    assert len(long) * 11 * CHAR_W <= 190
    for box in drawing(hostile("W" * 1_000)).boxes:
        assert max(len(text.text) for text in box.texts) * 11 * CHAR_W <= BOX_W


def svg(made: Blueprint) -> tuple[str, Drawing]:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from pipeline.serve.map import PATHS
    from pipeline.serve.pages import HERE

    loader = FileSystemLoader(HERE / "templates")
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    found = drawing(made)
    values = {"it": found, "name": made.journey.name, "about": "", "links": False, "choice": None, **PATHS}
    return templates.get_template("map_svg.html").render(values), found


@pytest.mark.parametrize("text", [HOSTILE, "]]></svg><svg onload='x'>", "&amp;&#60;", '"><a href="javascript:x">'])
def test_hostile_names_are_texts_in_the_svg(text: str) -> None:
    drawn, found = svg(hostile(text))
    root = ElementTree.fromstring(drawn)
    kinds = {each.tag.rpartition("}")[2] for each in root.iter()}
    assert kinds <= {"svg", "title", "desc", "rect", "text", "g", "line", "circle", "path", "polygon", "polyline"}
    assert not [name for each in root.iter() for name in each.attrib if name.startswith("on") or name == "style"]
    titles = [each.text for each in root.iter() if each.tag.endswith("title")]
    assert [box.title for box in found.boxes] == [each for each in titles if each and "pieces" not in each][-3:]


@pytest.mark.parametrize(
    "text",
    [HOSTILE, '"] --> x["', "%%{init: {}}%%", "end", "click a href", "a;b", "`x`", "#quot;", "\nend\n", "a\u2028b"],
)
def test_hostile_names_are_texts_in_mermaid(text: str) -> None:
    """Every line is one of the few that are made here, whatever stands in their texts."""
    label = r'"(?:[\w .,:\-–−…·%+/×≤≥]|#\d+;|<br>)*"'
    lines = mermaid(hostile(text), text).splitlines()
    shapes = (
        r"flowchart LR",
        r"  %% (?:[\w .,:\-–−…·%+/×≤≥]|#\d+;)*",
        rf"  subgraph s\d+\[{label}\]",
        r"    direction TB",
        rf"    s\d+n\d+\[{label}\]:::\w+",
        rf"    s\d+n\d+\[\[{label}\]\]:::\w+",
        r"  end",
        rf"  s\d+ -->\|{label}\| s\d+",
        r"  classDef \w+ fill:#[\w]{6},stroke:#\w{6},color:#\w{6}",
    )
    for line in lines:
        assert any(re.fullmatch(shape, line) for shape in shapes), line
    assert len([line for line in lines if "subgraph" in line]) == 2


def test_escaping_keeps_words_and_numbers_every_sign() -> None:
    assert escaped("Größe 5, 62 % · 4 min") == "Größe 5, 62 % · 4 min"
    assert escaped('<b>"x"#y;') == "#60;b#62;#34;x#34;#35;y#59;"
    assert len(escaped("W" * 5_000)) == 200


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.4, "0 s"), (59.4, "59 s"), (240, "4 min"), (5_400, "1.5 h"), (172_800, "2.0 days")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert said.duration(seconds) == text


def test_figures_in_words() -> None:
    assert [said.percent(each) for each in (None, 0, 0.031, 0.62, 1)] == ["–", "0 %", "3.1 %", "62 %", "100 %"]
    assert [said.number(each) for each in (12_304.4, 4, 82.44, 0.357)] == ["12,304", "4", "82.4", "0.36"]
    assert said.gone(None) == "being counted"
    assert said.gone(Passage(1, 1, None)) == "1 person"
    assert said.segment(Segment("store", "Main street")) == "Store: Main street"
    assert said.theirs(Touchpoint(**{**_plain(), "control": "partner"})) == "By a partner, seen as ours"


def _plain() -> dict[str, Any]:
    return {"id": "a", "name": "A", "owner": "o", "deputy": "d", "layer": "frontstage", "unit": "u"}
