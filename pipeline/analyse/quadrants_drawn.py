"""The picture of importance against performance: for a file of its own, and for the report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple

from pipeline.analyse import TEMPLATES
from pipeline.analyse.axes import round_step
from pipeline.analyse.quadrants import FIRST, KEEP, LATER, LEAVE, Lines
from pipeline.analyse.result import Result, Row
from pipeline.serve.drawing import cut
from pipeline.templating import environment

WIDTH, HEIGHT = 612, 486  # of the plane with what stands at its axes
LEFT, TOP, RIGHT, BOTTOM = 70, 12, 590, 432
LEGEND_X, LEGEND_W, LINE_H = 626, 334, 34
TICKS = 6  # on an axis, about


class Axis(NamedTuple):
    """From values to pixels: `low` is at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float
    step: float  # between ticks

    def at(self, value: float) -> float:
        """Where it is."""
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Round numbers, from low to high."""
        return [self.step * n for n in range(round(self.low / self.step), round(self.high / self.step) + 1)]


class Tick(NamedTuple):
    """A place on an axis, and what stands there."""

    at: float
    text: str


class Corner(NamedTuple):
    """A quadrant's name, and where it stands; `end`: it ends there."""

    name: str
    x: float
    y: float
    end: bool


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver: its interval box, its dot, and what stands beside its number."""

    number: int
    first: bool  # it carries much and does badly
    title: str
    x: float
    y: float
    left: float
    top: float
    width: float
    height: float
    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn, in pixels."""

    title: str
    about: str
    across: Sequence[Tick]
    up: Sequence[Tick]
    cut: tuple[float, float]  # where the lines are
    corners: Sequence[Corner]
    drivers: Sequence[Driver]  # in the order of their numbers
    width: int = WIDTH
    height: int = HEIGHT
    plane: tuple[int, int, int, int] = (LEFT, TOP, RIGHT, BOTTOM)


def picture(result: Result, most: int | None = None) -> Picture:
    """The plane of a result that has rows; `most`: of its first so many."""
    rows = result.rows[:most]
    at = Lines(_of(rows[0], "importance_line"), _of(rows[0], "performance_line"))
    across = [_of(row, f"performance{end}") for row in rows for end in ("_low", "_high")]
    up = [_of(row, f"share{end}") for row in rows for end in ("_low", "_high")]
    x = _axis([*across, at.performance], LEFT, RIGHT, (0, 100))
    y = _axis([0.0, *up, at.importance], BOTTOM, TOP, (0, 1))
    return Picture(
        title=f"What carries overall experience: {result.of}",
        about=f"{result.period_from} up to {result.period_to} · n {result.n:,} · boxes are 95 % intervals",
        across=[Tick(x.at(each), f"{each:g}") for each in x.ticks()],
        up=[Tick(y.at(each), f"{each:.0%}") for each in y.ticks()],
        cut=(x.at(at.performance), y.at(at.importance)),
        corners=[
            Corner(FIRST, LEFT + 8, TOP + 16, False),
            Corner(KEEP, RIGHT - 8, TOP + 16, True),
            Corner(LATER, LEFT + 8, BOTTOM - 8, False),
            Corner(LEAVE, RIGHT - 8, BOTTOM - 8, True),
        ],
        drivers=[_driver(n, row, x, y) for n, row in enumerate(rows, 1)],
    )


def svg(result: Result) -> str:
    """A file of its own: without script or anything from elsewhere, for light and dark, and it says itself in words."""
    it = picture(result)
    height = max(it.height + 60, 84 + LINE_H * (len(it.drivers) + 1))
    legend = {"x": LEGEND_X, "step": LINE_H, "width": LEGEND_X + LEGEND_W, "height": height}
    return environment(TEMPLATES).get_template("quadrants.svg").render(it=it, legend=legend)


def _axis(values: Sequence[float], start: float, end: float, bounds: tuple[float, float]) -> Axis:
    """One that holds the values, with round numbers at its ends, within bounds."""
    low, high = min(values), max(values)
    step = round_step(max((high - low) / TICKS, 1e-3))
    low, high = max(floor(low / step) * step, bounds[0]), min(ceil(high / step) * step, bounds[1])
    return Axis(low, high if high > low else low + step, start, end, step)


def _of(row: Row, name: str) -> float:
    value = row.figures[name]
    assert value is not None, name  # noqa: S101  # `drivers.rows` gives each of these
    return value


def _words(n: int, row: Row) -> str:
    return (
        f"{n}. {row.label}: {_of(row, 'share'):.0%} of what is explained ({_of(row, 'share_low'):.0%} to "
        f"{_of(row, 'share_high'):.0%}), doing {_of(row, 'performance'):.0f} of 100 "
        f"({_of(row, 'performance_low'):.0f} to {_of(row, 'performance_high'):.0f}), n {_of(row, 'n'):,.0f}: "
        f"{row.notes['quadrant']}."
    )


def _driver(n: int, row: Row, x: Axis, y: Axis) -> Driver:
    left, right = x.at(_of(row, "performance_low")), x.at(_of(row, "performance_high"))
    top, bottom = y.at(_of(row, "share_high")), y.at(_of(row, "share_low"))
    figures = f"{_of(row, 'share'):.0%} · doing {_of(row, 'performance'):.0f} · n {_of(row, 'n'):,.0f}"
    return Driver(
        number=n,
        first=row.notes["quadrant"] == FIRST,
        title=_words(n, row),
        x=x.at(_of(row, "performance")),
        y=y.at(_of(row, "share")),
        left=left,
        top=top,
        width=round(max(right - left, 1), 1),
        height=round(max(bottom - top, 1), 1),
        name=cut(row.label, LEGEND_W - 68, 12, 0.6),
        said=cut(f"{figures} · {row.notes['quadrant']}", LEGEND_W - 68, 12),
    )
