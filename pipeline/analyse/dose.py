"""The dose curve of `link` as a picture: pure places from a result; the template only writes them down.

A panel for each outcome: across, the bands of the score; up, their mean result with its 95 % interval. Lengths are in
pixels. It says how many people are behind each point, and that this is association.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor

from pipeline.analyse import TEMPLATES
from pipeline.analyse.axes import round_step
from pipeline.analyse.link_rows import AMOUNT, ASSOCIATION, BAND, EFFECT, SHARE, text
from pipeline.analyse.result import Result, Row
from pipeline.templating import environment

WIDTH, PANEL_H = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 92, 24, 46, 52  # around the curve, in a panel
HEAD_H, LINE_H = 44, 16
TICKS = 4  # some so many on the upright axis
LINE_CHARS = 110
BANDS_MIN = 2  # one point is no curve


@dataclass(frozen=True, slots=True)
class Point:
    """A band: its mean at x and y, the interval from `low` to `high` (y), the band from `left` to `right` (x)."""

    x: float
    y: float
    low: float
    high: float
    left: float
    right: float
    n: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis, at x or y."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """The curve of an outcome."""

    top: float
    bottom: float
    y: float  # of its heading
    title: str
    about: str
    points: Sequence[Point]
    line: str  # through the points
    across: Sequence[Tick]
    up: Sequence[Tick]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything, with its places."""

    width: int
    height: int
    left: int
    right: int
    title: str
    about: str
    panels: Sequence[Panel]
    notes: Sequence[Tick]


def svg(result: Result) -> str:
    """The picture, as SVG that needs nothing else. Of a result of `link`."""
    return environment(TEMPLATES).get_template("dose.svg").render(it=drawing(result))


def drawing(result: Result) -> Drawing:
    """Give everything its place."""
    effects = [row for row in result.rows if row.notes["part"] == EFFECT]
    curves = [(row, bands) for row in effects if len(bands := _bands(result, row)) >= BANDS_MIN]
    panels = [_panel(row, bands, HEAD_H + n * PANEL_H) for n, (row, bands) in enumerate(curves)]
    below = HEAD_H + len(panels) * PANEL_H + LINE_H
    caveats = result.caveats or (ASSOCIATION,)
    lines = [line for each in caveats for line in textwrap.wrap(each, LINE_CHARS)]
    return Drawing(
        width=WIDTH,
        height=below + LINE_H * (len(lines) + 1),
        left=LEFT,
        right=WIDTH - RIGHT,
        title="What goes with experience",
        about=f"{result.n:,} customers; experience up to {result.period_from}, results up to {result.period_to}",
        panels=panels,
        notes=[Tick(below + n * LINE_H, line) for n, line in enumerate(lines)],
    )


def _bands(result: Result, effect: Row) -> list[Row]:
    outcome = effect.notes["outcome"]
    return [row for row in result.rows if row.notes["part"] == BAND and row.notes["outcome"] == outcome]


def _panel(effect: Row, bands: Sequence[Row], y: int) -> Panel:
    unit = effect.notes["unit"]
    top, bottom = y + TOP, y + PANEL_H - BOTTOM
    least = min(_figure(row, "mean_low") for row in bands)
    most = max(_figure(row, "mean_high") for row in bands)
    marks = ticks(least, most)
    low, high = min(marks[0], least), max(marks[-1], most)

    def up(value: float) -> float:
        return round(bottom - (value - low) / (high - low) * (bottom - top), 1)

    points = [_point(row, unit, up) for row in bands]
    edges = [_figure(bands[0], "from"), *(_figure(row, "to") for row in bands)]
    return Panel(
        top=top,
        bottom=bottom,
        y=y + 18,
        title=effect.label if unit in (AMOUNT, SHARE) else f"{effect.label}, {unit}",
        about=_about(effect),
        points=points,
        line=" ".join(f"{each.x:g},{each.y:g}" for each in points),
        across=[Tick(across(each), f"{each:g}") for each in edges],
        up=[Tick(up(each), _mark(each, unit)) for each in marks],
    )


def across(score: float) -> float:
    """Where a score of 0 to 100 is."""
    return round(LEFT + score / 100 * (WIDTH - LEFT - RIGHT), 1)


def _point(row: Row, unit: str, up: Callable[[float], float]) -> Point:
    left, right = across(_figure(row, "from")), across(_figure(row, "to"))
    mean, low, high = (_figure(row, name) for name in ("mean", "mean_low", "mean_high"))
    n = f"{row.figures['n']:,.0f}"
    said = f"{row.label}: {text(mean, unit)} ({text(low, unit)} to {text(high, unit)}), n {n}"
    return Point((left + right) / 2, up(mean), up(low), up(high), left, right, n, said)


def _mark(value: float, unit: str) -> str:
    """What stands at an axis: a round number."""
    return f"{100 * value:g} %" if unit == SHARE else f"{value:,.10g}"


def _about(effect: Row) -> str:
    value, low, high = (effect.figures[name] for name in ("effect", "effect_low", "effect_high"))
    if value is None or low is None or high is None:
        return "No effect can be computed."
    unit = effect.notes["unit"]
    said = f"10 points go with {text(value, unit)} ({text(low, unit)} to {text(high, unit)}), tenure and spend equal"
    return f"{said}; the negative control fails" if effect.notes["control"] == "fails" else said


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`, some five of them."""
    span = (high - low) or abs(high) or 1.0
    step = round_step(span / TICKS)
    first, last = floor(low / step), ceil(high / step)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


def _figure(row: Row, name: str) -> float:
    """One that every band has."""
    value = row.figures[name]
    return 0.0 if value is None else value
