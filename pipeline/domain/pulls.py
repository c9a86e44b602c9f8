"""What pulls a touchpoint down: of the points that its experiences lack to 100, which evidence says how many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """What evidence of one kind says: n pieces, and their sum, of values 0 to 100."""

    channel: str
    dimension: str  # effectiveness, ease, emotion
    kind: str  # asked, observed
    n: int
    total: float


@dataclass(frozen=True, slots=True)
class Pull:
    """Evidence that pulls down, and its share of the points that are lacking (0 to 1)."""

    evidence: Evidence
    mean: float
    share: float


def pulls(evidence: Iterable[Evidence], most: int = 5) -> list[Pull]:
    """The heaviest first, at most so many; none where nothing is lacking."""
    known = [each for each in evidence if each.n > 0]
    lacking = [max(100.0 * each.n - each.total, 0.0) for each in known]
    all_ = sum(lacking)
    if all_ <= 0:
        return []
    found = [Pull(each, each.total / each.n, lack / all_) for each, lack in zip(known, lacking, strict=True) if lack]
    return sorted(found, key=lambda pull: (-pull.share, pull.evidence.channel, pull.evidence.dimension))[:most]
