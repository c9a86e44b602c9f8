"""What an analysis comes to: a value that is shown, kept and read back unchanged."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

OF = "of"  # the parameter that tells a kind's analyses apart: drivers of touchpoints, of dimensions


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a result: a driver, a segment, a path.

    `figures` are finite numbers or None (nobody knows). Raises ValueError for what is not finite.
    """

    item: str  # its id within the analysis
    label: str  # for people
    figures: Mapping[str, float | None]
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.figures.items():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{self.item}: {name} is {value}; a figure that nobody knows is None")


@dataclass(frozen=True, slots=True)
class Result:
    """An analysis of a period. The period is half open, in days of the business's clock."""

    kind: str  # drivers, link, paths, segments, changes
    version: int  # of the method
    definition: int  # of the scores
    period_from: date
    period_to: date  # the first day after it
    n: int  # people, or what the analysis says it counts
    seed: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    refused: str = ""  # why there are no figures; empty: there are
    rows: tuple[Row, ...] = ()

    @property
    def of(self) -> str:
        """Which of its kind's analyses it is; empty where there is only one."""
        return self.parameters.get(OF, "")


def analysis_id(result: Result) -> str:
    """A hash of what identifies an analysis, 32 hex digits: the same again has the same, whatever it comes to."""
    named = (
        *(result.kind, result.version, result.definition, result.period_from.isoformat()),
        *(result.period_to.isoformat(), result.seed, sorted(result.parameters.items())),
    )
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]
