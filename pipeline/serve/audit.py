"""Every lookup leaves a line: who asked for whom, why, and what came of it. Identifiers are opaque or keyed."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.logs import Log
from pipeline.serve.access import Principal

IDS_MAX = 20


class Audit:
    """Writes the lines. The audit table in ClickHouse (governance) will be fed from the same place."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def looked_up(
        self, action: str, who: Principal, purpose: str, asked: Sequence[str], shown: Sequence[str], outcome: str
    ) -> None:
        """`asked`: identifiers in the question; `shown`: persons whose data the answer held."""
        self._log.info(
            "lookup",
            action=action,
            who=who.name,
            purpose=purpose,
            asked=list(asked[:IDS_MAX]),
            shown=list(shown[:IDS_MAX]),
            outcome=outcome,
        )
