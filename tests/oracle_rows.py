"""What the sinks must say where the oracle is right: identities, scores and cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import UNASSIGNED
from pipeline.domain.rollup import WINDOW_MS
from pipeline.domain.scores import is_retraction, rows
from pipeline.domain.scoring import Curve, Expectation, Observation, Outcome, Question, Scoring
from pipeline.identify.process import row
from pipeline.stitch.process import score
from tests.interactions import pieces_of
from tests.oracle import Truth
from tests.oracle_consent import evidence

SCORING = Scoring(
    version=1,
    questions={"csat": Question(2, "csat")},
    outcomes={"handled": Outcome((100.0, None, None), True), "unsolved": Outcome((0.0, None, None), False)},
    contacts=frozenset({"call_ended"}),
    self_service=frozenset({"searched"}),
    expects={"call_queue": Expectation("wait_s", 200.0)},
    observed={
        "goal_completed": Observation((100.0, None, None)),
        "call_ended": Observation((None, None, None), (Curve("wait_s", 1, ((30.0, 100.0), (600.0, 0.0))),)),
    },
)


def score_rows(expected: Truth) -> dict[tuple[str, int], dict[str, Any]]:
    """The score rows of every person, from all that is theirs."""
    found = {}
    for person, theirs in expected.persons.items():
        pieces = pieces_of(evidence(person, theirs), SCORING)
        for each in rows(person, pieces, 0, SCORING):
            if not is_retraction(each):
                found[person, each.day] = score(each)
    return found


def identity_rows(expected: Truth) -> dict[str, dict[str, Any]]:
    """The rows of all that have an owner or are ambiguous, without versions."""
    found = {name: row(name, who) for name, who in expected.assignments.items() if who != UNASSIGNED}
    for each in found.values():
        del each["version"]
    return found


def counted(interactions: Iterable[Interaction]) -> list[tuple[int, str, str]]:
    """Where cells count them: those that do not refuse it."""
    return [place(x) for x in interactions if x.consent.get("analysis") is not False]


def cells(places: Iterable[tuple[int, str, str]]) -> Counter[tuple[int, str, str]]:
    """(window, touchpoint, channel) → interactions."""
    return Counter((at - at % WINDOW_MS, touchpoint, channel) for at, touchpoint, channel in places)


def place(x: Interaction) -> tuple[int, str, str]:
    """Where a cell counts it."""
    return x.occurred_at, x.touchpoint, x.channel
