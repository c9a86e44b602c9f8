"""What a replay tells of stored interactions, and what people are told before they agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pipeline.catalogue import load
from pipeline.check import judging
from pipeline.definitions import Recorded
from pipeline.domain.catalogue_files import Thresholds
from pipeline.domain.messages import Judged, Rescored
from pipeline.domain.records import UNCOUNTED
from pipeline.rescore.difference import customers, dot
from pipeline.rescore.replay import ROWS_MAX, VERDICTS_MAX, Stored, replay
from pipeline.settings import Settings
from pipeline.stitch.outputs import score
from tests.interactions import DAY, HOUR, NOON, SCORING, made

KNOWN = load(Settings().catalogue_folder)
ANN = "customer:ann"
TODAY = NOON // DAY


def told(*stored: Stored, known: dict[tuple[str, int], dict[str, Any]] | None = None) -> list[Judged | Rescored]:
    return list(replay(stored, SCORING, 50, known or {}, NOON))


def done(n: int = 0, identifier: str = ANN, definition: int = 7, **fields: Any) -> Stored:
    return Stored(ANN, made(identifier, f"e{n}", type="goal_completed", at=NOON + n * HOUR, **fields), definition)


def test_messages_are_bounded() -> None:
    many = max(VERDICTS_MAX, 24 * ROWS_MAX) + 1
    found = told(*(done(n) for n in range(many)))
    verdicts = [len(each.verdicts) for each in found if isinstance(each, Judged)]
    rows = [len(each.rows) for each in found if isinstance(each, Rescored)]
    assert (max(verdicts), sum(verdicts)) == (VERDICTS_MAX, many)
    assert (max(rows), sum(rows)) == (ROWS_MAX, ROWS_MAX + 1)


def test_only_what_another_definition_has_judged_gets_a_verdict() -> None:
    found = told(done(0), done(1, definition=SCORING.version), done(2, definition=UNCOUNTED))
    assert [len(each.verdicts) for each in found if isinstance(each, Judged)] == [1]
    [rows] = (each.rows for each in found if isinstance(each, Rescored))
    assert rows[-1].scores.effectiveness.n == 3


def test_a_browser_that_refuses_is_no_evidence_of_a_person_with_a_name() -> None:
    """As in the stream (`Shelves.silent`): its word is stored, and counted nowhere."""
    refuses = {"consent": {"analysis": False}, "public": True}
    word = made("anonymous:b", "word", type="consent_changed", at=NOON + 9 * HOUR, **refuses)
    stored = [done(0), done(1, "anonymous:b"), Stored(ANN, word, UNCOUNTED)]
    found = told(*stored)
    assert {each.to: len(each.verdicts) for each in found if isinstance(each, Judged)} == {ANN: 1, "anonymous:b": 1}
    [rows] = (each.rows for each in found if isinstance(each, Rescored))
    assert rows[0].scores.effectiveness.n == 1


def test_a_row_that_is_known_is_not_told_again_and_one_without_evidence_is_taken_back() -> None:
    [rows] = (each.rows for each in told(done()) if isinstance(each, Rescored))
    known = {(ANN, TODAY): score(rows[0]), (ANN, 3): score(rows[0]), ("customer:gone", 3): score(rows[0])}
    again = [each for each in told(done(), known=known) if isinstance(each, Rescored)]
    assert {(each.to, each.rows[0].day, each.rows[0].scores.effectiveness.n) for each in again} == {
        (ANN, 3, 0),
        ("customer:gone", 3, 0),
    }
    empty = score(again[0].rows[0])
    assert not any(isinstance(each, Rescored) for each in told(known={("customer:gone", 3): empty}))


@pytest.mark.parametrize(
    ("ease", "says"),
    [
        ((0, 0.0, 0.0), "grey"),
        ((29, 29 * 90.0, 29 * 8100.0), "grey"),
        ((30, 30 * 90.0, 30 * 8100.0), "green"),
        ((30, 30 * 70.0, 30 * 4900.0), "yellow"),
        ((30, 30 * 10.0, 30 * 100.0), "red"),
        ((30, 15 * 100.0, 15 * 10_000.0), "grey"),  # anything between
    ],
)
def test_a_dot_has_a_colour_only_where_it_is_clear(ease: tuple[int, float, float], says: str) -> None:
    [place] = (each for each in KNOWN.touchpoints.values() if each.id == "checkout")
    limits = Thresholds(measure="score", green=80, yellow=60)
    assert (
        dot([(0, 0.0, 0.0), ease, (0, 0.0, 0.0)], msgspec.structs.replace(place, thresholds=limits, n_min=30)) == says
    )


def test_customers_are_told_of_in_words() -> None:
    row = {"definition_live": 1, "definition_beside": 2, "live": 1000, "beside": 999, "both": 998}
    assert customers({**row, "better": 5, "worse": 6, "risk_gained": 7, "risk_lost": 8}) == [
        "Customers with scores by version 1: 1,000; by version 2: 999; by both: 998.",
        "Overall better by more than 5 of 100: 5; worse: 6.",
        "At risk now, and not before: 7; not any more: 8.",
    ]


def test_check_says_what_is_live_and_what_waits() -> None:
    known = replace(KNOWN, scorings={version: replace(SCORING, version=version) for version in (1, 2, 3)})
    first = Recorded(1, 1, 0, NOON, replayed=True)
    assert judging(known, []) == (["It is not recorded yet which version of the scores is live."], False)
    lines, wrong = judging(known, [first])
    assert (lines[0], wrong) == ("Scores are by version 1, since 2023-11-14 22:13 UTC.", False)
    assert [line.split(":")[0] for line in lines[1:]] == ["Version 2 was never used", "Version 3 was never used"]
    begun = [first, Recorded(2, 1, 2, NOON + 1)]
    assert judging(known, begun)[0][1:3] == [
        "Version 2 is counted beside it.",
        "Its replay is not through: `throughline rescore --version 2`.",
    ]
    switched = [*begun, Recorded(3, 2, 1, NOON + DAY), Recorded(4, 2, 3, NOON + 2 * DAY, replayed=True)]
    assert judging(known, switched[:3])[0][2] == "Its replay is not through: `throughline rescore --version 2`."
    assert judging(known, switched)[0] == [
        "Scores are by version 2, since 2023-11-15 22:13 UTC.",
        "Version 3 is counted beside it.",
    ]
    lines, wrong = judging(replace(known, scorings={1: SCORING}), switched)
    assert (lines[-1], wrong) == ("Version 2 is live, and not in the catalogue: stitch cannot start.", True)
