"""The dose curve: every point where its figures are, and nothing that is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import pytest

from pipeline.analyse.dose import across, drawing, svg, ticks
from pipeline.analyse.link_rows import Known, caveats, rows
from pipeline.analyse.linking import Band
from pipeline.analyse.result import Result
from pipeline.domain.intervals import Interval

from .test_link_rows import KNOWN, NET, RETURNED

SVG = "{http://www.w3.org/2000/svg}"


def result(*links: object, known: Known = KNOWN) -> Result:
    found = list(links) or [NET, RETURNED]
    return Result(
        *("link", 1, 1, date(2026, 5, 1), date(2026, 7, 30), 400, 1),
        caveats=caveats(found, known),  # type: ignore[arg-type]
        rows=rows(found, known),  # type: ignore[arg-type]
    )


def test_points_are_where_their_figures_are() -> None:
    net, _ = drawing(result()).panels
    low, high = net.points
    assert (low.left, low.right, high.right) == (across(0), across(60), across(100))
    assert low.x == (low.left + low.right) / 2
    top, bottom = net.up[-1], net.up[0]
    assert (bottom.text, top.text) == ("800", "1,600")
    scale = (bottom.at - top.at) / (1600 - 800)
    assert high.y == pytest.approx(bottom.at - (1400 - 800) * scale, abs=0.1)
    assert low.low - low.high == pytest.approx(200 * scale, abs=0.2)
    assert (low.n, high.n) == ("150", "250")
    assert net.title == "Net amount, EUR"
    assert net.about == "10 points go with 12.00 EUR (5.00 EUR to 19.00 EUR), tenure and spend equal"


def test_everything_is_within_the_picture() -> None:
    it = drawing(result())
    for panel in it.panels:
        for point in panel.points:
            assert panel.top <= point.high <= point.y <= point.low <= panel.bottom
    assert it.notes[-1].at < it.height
    assert it.notes[0].text.startswith("Association, not cause")


def test_one_band_is_no_curve() -> None:
    alone = replace(NET, bands=(Band(0, 100, 400, Interval(1.0, 0.5, 1.5)),))
    assert [panel.title for panel in drawing(result(alone, RETURNED)).panels] == ["Returned or refunded"]


def test_a_control_that_fails_stands_beside_the_effect() -> None:
    failing = replace(NET, control=Interval(8.0, 2.0, 14.0))
    assert drawing(result(failing)).panels[0].about.endswith("; the negative control fails")


def test_it_is_svg_and_names_mean_nothing() -> None:
    drawn = ElementTree.fromstring(svg(result(known=replace(KNOWN, currency="<script>"))))
    assert len(drawn.findall(f".//{SVG}circle")) == 4
    assert drawn.find(f".//{SVG}script") is None
    assert "<script>" in (drawn.find(f".//{SVG}circle/../{SVG}title").text or "")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.12, 0.31, [0.1, 0.15, 0.2, 0.25, 0.3, 0.35]), (-7, 93, [-50, 0, 50, 100]), (5, 5, [4, 6])],
)
def test_ticks_are_round_and_hold_all(low: float, high: float, expected: list[float]) -> None:
    found = ticks(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert found == pytest.approx(expected)
