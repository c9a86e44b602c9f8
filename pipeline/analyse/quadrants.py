"""Importance against performance: in which quadrant a driver is, and the picture of it as SVG.

After Martilla and James (1977), J. Marketing 41, 77-79. The lines are an equal share for each driver, and the mean of
their performances. A driver whose interval box crosses a line may be on either side of it, so that is what is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import NamedTuple
from xml.sax.saxutils import escape

from pipeline.analyse.axes import round_step
from pipeline.analyse.driving import Study
from pipeline.analyse.result import Result, Row
from pipeline.serve.drawing import cut

FIRST, KEEP, LATER, LEAVE, UNCLEAR = "improve first", "keep it up", "look at later", "leave as it is", "not clear"
WIDTH, LEFT, TOP, PLOT_W, PLOT_H = 960, 70, 64, 520, 420
LEGEND_X, LINE_H = LEFT + PLOT_W + 36, 34
TICKS = 6  # on an axis, about
_STYLE = """
  svg { --ground: #ffffff; --ink: #1d2126; --muted: #5a626b; --line: #e1ded7; --accent: #0b5c6b; --box: #0b5c6b26;
    --first: #a02029; font: 12px system-ui, sans-serif; background: var(--ground); color-scheme: light dark; }
  @media (prefers-color-scheme: dark) { svg { --ground: #131619; --ink: #e7e9eb; --muted: #a3abb3; --line: #2d3339;
    --accent: #74cbd9; --box: #74cbd92e; --first: #ff9d9d; } }
  text { fill: var(--ink); } .quiet { fill: var(--muted); } .name { font-weight: 600; } .head { font-size: 16px; }
  .axis, .grid { stroke: var(--line); } .cut { stroke: var(--muted); stroke-dasharray: 5 4; }
  .box { fill: var(--box); stroke: var(--accent); } .dot { fill: var(--accent); } .number { fill: var(--ground);
    font-weight: 600; text-anchor: middle; } .first .box { stroke: var(--first); stroke-width: 1.8; }
  .first .dot { fill: var(--first); } .end { text-anchor: end; } .middle { text-anchor: middle; }
"""


class Lines(NamedTuple):
    """Where the quadrants meet."""

    importance: float  # a share
    performance: float  # 0 to 100


def lines(found: Study) -> Lines:
    """An equal share for each, and the mean of the performances."""
    return Lines(round(1 / len(found.n), 9), round(float(found.performance.value.mean()), 9))


def quadrant(at: Lines, found: Study, j: int) -> str:
    """Where driver j is, in words; not clear where its intervals cross a line."""
    share = _side(found.share.low[j], found.share.high[j], at.importance)
    doing = _side(found.performance.low[j], found.performance.high[j], at.performance)
    if not share or not doing:
        return UNCLEAR
    return {(1, -1): FIRST, (1, 1): KEEP, (-1, -1): LATER, (-1, 1): LEAVE}[share, doing]


def _side(low: float, high: float, line: float) -> int:
    return 1 if low > line else -1 if high < line else 0


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


def _axis(values: Sequence[float], start: float, end: float, bounds: tuple[float, float]) -> Axis:
    """One that holds the values, with round numbers at its ends, within bounds."""
    low, high = min(values), max(values)
    step = round_step(max((high - low) / TICKS, 1e-3))
    low, high = max(floor(low / step) * step, bounds[0]), min(ceil(high / step) * step, bounds[1])
    return Axis(low, high if high > low else low + step, start, end, step)


def svg(result: Result) -> str:
    """The picture. It holds no script and nothing from elsewhere, follows light and dark, and says itself in words."""
    ranked = list(enumerate(result.rows, 1))
    at = Lines(_of(result.rows[0], "importance_line"), _of(result.rows[0], "performance_line"))
    across = [_of(row, f"performance{end}") for row in result.rows for end in ("_low", "_high")]
    up = [_of(row, f"share{end}") for row in result.rows for end in ("_low", "_high")]
    x = _axis([*across, at.performance], LEFT, LEFT + PLOT_W, (0, 100))
    y = _axis([0.0, *up, at.importance], TOP + PLOT_H, TOP, (0, 1))
    height = max(TOP + PLOT_H + 70, TOP + 20 + LINE_H * (len(ranked) + 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-labelledby="title words"><title id="title">{escape(_title(result))}</title>',
        f'<desc id="words">{escape(" ".join(_words(n, row) for n, row in ranked))}</desc><style>{_STYLE}</style>',
        f'<text class="head" x="{LEFT}" y="26">{escape(_title(result))}</text>',
        f'<text class="quiet" x="{LEFT}" y="46">{result.period_from} up to {result.period_to} · n {result.n:,} · boxes '
        "are 95 % intervals</text>",
        *_frame(x, y, at),
        *(_driver(n, row, x, y) for n, row in reversed(ranked)),  # the largest on top
        *(part for n, row in ranked for part in _legend(n, row)),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _of(row: Row, name: str) -> float:
    value = row.figures[name]
    assert value is not None, name  # noqa: S101  # `drivers.rows` gives each of these
    return value


def _title(result: Result) -> str:
    return f"What carries overall experience: {result.of}"


def _words(n: int, row: Row) -> str:
    return (
        f"{n}. {row.label}: {_of(row, 'share'):.0%} of what is explained ({_of(row, 'share_low'):.0%} to "
        f"{_of(row, 'share_high'):.0%}), doing {_of(row, 'performance'):.0f} of 100 "
        f"({_of(row, 'performance_low'):.0f} to {_of(row, 'performance_high'):.0f}), n {_of(row, 'n'):,.0f}: "
        f"{row.notes['quadrant']}."
    )


def _frame(x: Axis, y: Axis, at: Lines) -> list[str]:
    """Axes, their ticks, the lines and the quadrants' names."""
    parts = []
    for tick in x.ticks():
        left = x.at(tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{left}" y1="{y.start}" y2="{y.end}"/>')
        parts.append(f'<text class="quiet middle" x="{left}" y="{y.start + 18}">{tick:g}</text>')
    for tick in y.ticks():
        top = y.at(tick)
        parts.append(f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{top}" y2="{top}"/>')
        parts.append(f'<text class="quiet end" x="{x.start - 8}" y="{top + 4}">{tick:.0%}</text>')
    left, top = x.at(at.performance), y.at(at.importance)
    parts.append(f'<line class="cut" x1="{left}" x2="{left}" y1="{y.start}" y2="{y.end}"/>')
    parts.append(f'<line class="cut" x1="{x.start}" x2="{x.end}" y1="{top}" y2="{top}"/>')
    for name, where, above in ((FIRST, "", True), (KEEP, "end", True), (LATER, "", False), (LEAVE, "end", False)):
        across = x.end - 8 if where else x.start + 8
        parts.append(
            f'<text class="quiet {where}" x="{across}" y="{y.end + 16 if above else y.start - 8}">{name}</text>'
        )
    middle = (x.start + x.end) / 2
    parts.append(f'<text class="middle" x="{middle}" y="{y.start + 42}">How well it is doing, 0 to 100</text>')
    centre = (y.start + y.end) / 2
    parts.append(
        f'<text class="middle" transform="translate(18 {centre}) rotate(-90)">Share of what is explained</text>'
    )
    return parts


def _kind(row: Row) -> str:
    return ' class="first"' if row.notes["quadrant"] == FIRST else ""


def _driver(n: int, row: Row, x: Axis, y: Axis) -> str:
    left, right = x.at(_of(row, "performance_low")), x.at(_of(row, "performance_high"))
    top, bottom = y.at(_of(row, "share_high")), y.at(_of(row, "share_low"))
    across, up = x.at(_of(row, "performance")), y.at(_of(row, "share"))
    return (
        f"<g{_kind(row)}><title>{escape(_words(n, row))}</title>"
        f'<rect class="box" x="{left}" y="{top}" width="{max(right - left, 1):.1f}" '
        f'height="{max(bottom - top, 1):.1f}" rx="3"/><circle class="dot" cx="{across}" cy="{up}" r="9"/>'
        f'<text class="number" x="{across}" y="{up + 4}">{n}</text></g>'
    )


def _legend(n: int, row: Row) -> list[str]:
    top = TOP + LINE_H * (n - 1)
    space = WIDTH - LEGEND_X - 40
    figures = f"{_of(row, 'share'):.0%} · doing {_of(row, 'performance'):.0f} · n {_of(row, 'n'):,.0f}"
    said = f"{figures} · {row.notes['quadrant']}"
    return [
        f'<g{_kind(row)} aria-hidden="true"><circle class="dot" cx="{LEGEND_X + 9}" cy="{top + 8}" r="9"/>'
        f'<text class="number" x="{LEGEND_X + 9}" y="{top + 12}">{n}</text></g>',
        f'<text class="name" x="{LEGEND_X + 28}" y="{top + 6}">{escape(cut(row.label, space, 12, 0.6))}</text>',
        f'<text class="quiet" x="{LEGEND_X + 28}" y="{top + 21}">{escape(cut(said, space, 12))}</text>',
    ]
