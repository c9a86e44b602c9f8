"""Scores: what events say, and how a person's evidence adds up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.interaction import Interaction
from pipeline.domain.scores import NO_SCORES, UNKNOWN, Curve, Experience, Piece, Score, piece, rows, scores
from tests.interactions import DAY, NOON, SCORING, made


def pieces(*given_: Interaction) -> list[Piece]:
    return sorted(piece(x, said) for x in given_ if (said := SCORING.experience(x)) is not None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (("goal", 5.0, 1.0, 5.0), Experience(True, 100.0, None, None)),
        (("effort", 1.0, 1.0, 5.0), Experience(True, None, 0.0, None)),
        (("feeling", 3.0, 1.0, 5.0), Experience(True, None, None, 50.0)),
        (("feeling", 7.0, 0.0, 10.0), Experience(True, None, None, 70.0)),
        (("weather", 3.0, 1.0, 5.0), None),
        (("goal", 6.0, 1.0, 5.0), None),
        (("goal", 1.0, 1.0, 1.0), None),
    ],
)
def test_an_answer_is_its_place_on_the_scale(
    answer: tuple[str, float, float, float], expected: Experience | None
) -> None:
    assert SCORING.experience(made(type="survey_answered", answer=answer)) == expected


@pytest.mark.parametrize(
    ("kind", "measures", "details", "expected"),
    [
        ("goal_completed", {}, {}, (100.0, None, None)),
        ("complaint_opened", {}, {}, (None, None, 0.0)),
        ("call_ended", {"wait_s": 0.0}, {}, (None, 100.0, None)),
        ("call_ended", {"wait_s": 50.0}, {}, (None, 75.0, None)),
        ("call_ended", {"wait_s": 200.0}, {}, (None, 25.0, None)),
        ("call_ended", {"wait_s": 9000.0}, {}, (None, 0.0, None)),
        ("call_ended", {"wait_s": -5.0}, {}, (None, 100.0, None)),
        ("call_ended", {"wait_s": 0.0, "transfers": 1.0}, {}, (None, 60.0, None)),
        ("call_ended", {}, {"wait_s": 100.0}, (None, 50.0, None)),
        ("call_ended", {}, {"wait_s": "long"}, None),
        ("call_ended", {}, {}, None),
        ("page_viewed", {"wait_s": 50.0}, {}, None),
    ],
)
def test_observed_evidence_is_what_the_catalogue_reads(
    kind: str, measures: dict[str, float], details: dict[str, object], expected: tuple[float | None, ...] | None
) -> None:
    said = SCORING.experience(made(type=kind, measures=measures, details=details))
    assert said == (None if expected is None else Experience(False, *expected))


@given(st.floats(-1e18, 1e18))
def test_a_curve_stays_between_its_points(x: float) -> None:
    assert 0.0 <= Curve("m", 1, ((0.0, 100.0), (10.0, 40.0), (11.0, 0.0))).at(x) <= 100.0


def test_no_evidence_is_no_number() -> None:
    assert scores([], DAY) == NO_SCORES


def test_older_evidence_weighs_less() -> None:
    found = scores(
        pieces(
            made(event_id="old", type="survey_answered", answer=("goal", 0.0, 0.0, 1.0), at=NOON - DAY),
            made(event_id="new", type="survey_answered", answer=("goal", 1.0, 0.0, 1.0)),
        ),
        DAY,
    )
    assert found.effectiveness == Score(round(100 / 1.5, 9), 2, "asked")
    assert found.ease == UNKNOWN


def test_asked_and_observed_together_are_mixed() -> None:
    found = scores(
        pieces(
            made(event_id="a", type="goal_completed"),
            made(event_id="b", type="survey_answered", answer=("goal", 1.0, 0.0, 1.0)),
        ),
        DAY,
    )
    assert found.effectiveness == Score(100.0, 2, "mixed")


def test_an_answer_outranks_what_was_observed_of_that_interaction_in_its_dimension() -> None:
    call = made(event_id="call", type="call_ended", measures={"wait_s": 0.0})
    other = made(event_id="other", type="call_ended", measures={"wait_s": 0.0}, at=NOON + 1)
    effort = made(
        event_id="survey", type="survey_answered", answer=("effort", 0.0, 0.0, 1.0), about="call", at=NOON + 2
    )
    assert scores(pieces(call, effort), DAY).ease == Score(0.0, 1, "asked")
    assert scores(pieces(call, other, effort), DAY).ease.n == 2
    feeling = made(event_id="s2", type="survey_answered", answer=("feeling", 0.0, 0.0, 1.0), about="call", at=NOON + 3)
    assert scores(pieces(call, feeling), DAY).ease == Score(100.0, 1, "observed")


def test_a_row_reaches_up_to_the_end_of_its_day() -> None:
    midnight = NOON - NOON % DAY
    found = rows(
        "customer:1",
        pieces(
            made(event_id="a", type="goal_completed", at=midnight),
            made(event_id="b", type="goal_completed", at=midnight + DAY - 1),
            made(event_id="c", type="goal_completed", at=midnight + DAY),
            made(event_id="d", type="goal_completed", at=midnight + 9 * DAY),
        ),
        midnight // DAY + 1,
        SCORING,
    )
    assert [(row.day - midnight // DAY, row.scores.effectiveness.n) for row in found] == [(1, 3), (9, 4)]


def test_an_answer_given_later_does_not_change_the_days_before() -> None:
    call = made(event_id="call", type="call_ended", measures={"wait_s": 0.0})
    survey = made(event_id="s", type="survey_answered", answer=("effort", 0.0, 0.0, 1.0), about="call", at=NOON + DAY)
    first, second = rows("customer:1", pieces(call, survey), 0, SCORING)
    assert first.scores.ease == Score(100.0, 1, "observed")
    assert second.scores.ease == Score(0.0, 1, "asked")


def test_evidence_of_decades_gives_a_number() -> None:
    found = scores(
        pieces(*(made(event_id=f"e{n}", type="goal_completed", at=NOON - n * 3000 * DAY) for n in range(5))), 30 * DAY
    )
    assert found.effectiveness.value is not None
    assert math.isclose(found.effectiveness.value, 100.0)
