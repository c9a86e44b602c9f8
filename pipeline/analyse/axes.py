"""Round numbers for the axes of pictures. Pure."""

from __future__ import annotations

from math import floor, log10


def round_step(at_least: float) -> float:
    """The smallest of 1, 2, 5 or 10 times a power of ten that is not less than a positive number."""
    power = 10.0 ** floor(log10(at_least))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= at_least)
