"""Importance against performance: in which quadrant a driver is. `quadrants_drawn` has the picture.

After Martilla and James (1977), J. Marketing 41, 77-79. The lines are an equal share for each driver, and the mean of
their performances. A driver whose interval box crosses a line may be on either side of it, so that is what is said.
"""

from __future__ import annotations

from typing import NamedTuple

from pipeline.analyse.driving import Study

FIRST, KEEP, LATER, LEAVE, UNCLEAR = "improve first", "keep it up", "look at later", "leave as it is", "not clear"


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
