"""Importance against performance: in which quadrant a driver is. `quadrants_drawn` has the picture.

After Martilla and James (1977), J. Marketing 41, 77-79. The lines are an equal share for each driver, and the mean of
their performances. A driver whose interval box crosses a line may be on either side of it, so that is what is said.
Nor is it clear what follows of one with which overall experience does not rise for certain, the others equal: to make
it better may do nothing, or harm.
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


def quadrant(at: Lines, study: Study, j: int) -> str:
    """Where driver j is, in words; not clear where its intervals cross a line, or where better may not be better."""
    share = _side(study.share.low[j], study.share.high[j], at.importance)
    doing = _side(study.performance.low[j], study.performance.high[j], at.performance)
    if not share or not doing:
        return UNCLEAR
    found = {(1, -1): FIRST, (1, 1): KEEP, (-1, -1): LATER, (-1, 1): LEAVE}[share, doing]
    return UNCLEAR if found in (FIRST, KEEP) and study.coefficient.low[j] <= 0 else found


def _side(low: float, high: float, line: float) -> int:
    return 1 if low > line else -1 if high < line else 0
