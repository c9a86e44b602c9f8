"""How many people, as far as it is said: `PEOPLE_MIN` is the least that a result names."""

from __future__ import annotations

from pipeline.analyse import PEOPLE_MIN


def few(n: int) -> str:
    """A count of people for a sentence; one under the least is not given away. Nobody is nobody: 0 stays 0."""
    return f"fewer than {PEOPLE_MIN}" if 0 < n < PEOPLE_MIN else f"{n:,}"


def kept(n: int) -> int:
    """A count of people as a result has it: 0 for one that is not given away."""
    return n if n >= PEOPLE_MIN else 0
