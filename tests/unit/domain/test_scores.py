"""Scores: what events say, and how a person's evidence adds up."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import scores as module
from pipeline.domain.interaction import Interaction
from pipeline.domain.scores import NO_SCORES, UNKNOWN, Piece, Score, Scores, rows
from pipeline.domain.scoring import MARK, MARKS, Curve, Expectation, Experience, Observation, Outcome, Question
from tests.interactions import DAY, HOUR, MINUTE, NOON, SCORING, made, pieces_of


def pieces(*given_: Interaction) -> list[Piece]:
    return pieces_of(given_)


def scores(given_: list[Piece], half_life_ms: int) -> Scores:
    return module.scores(given_, replace(SCORING, half_life_ms=half_life_ms))


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
    said = SCORING.experience(made(type="survey_answered", answer=answer))
    assert (None if said is None else Experience(said.asked, *said.values)) == expected


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
    assert (None if said is None else said.values) == expected


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


# What the scores come to

WEEK = 7 * DAY


def contact(event_id: str, at: int, **fields: object) -> Interaction:
    return made(**{"event_id": event_id, "at": at, "type": "call_ended", "issue": "parcel", **fields})  # type: ignore[arg-type]


CONTACTS = replace(
    SCORING,
    contacts=frozenset({"call_ended", "chat_ended"}),
    self_service=frozenset({"searched"}),
    outcomes={"solved": Outcome((100.0, None, None), True)},
    mild=frozenset({"goal_abandoned"}),
    expects={"call_queue": Expectation("wait_s", 100.0), "shelf": Expectation("stock", 50.0, lower_is_better=False)},
)


def told(*interactions: Interaction) -> Scores:
    return module.scores(pieces_of(interactions, CONTACTS), CONTACTS)


def test_the_overall_score_is_the_mean_of_what_is_known() -> None:
    found = told(made(event_id="a", type="goal_completed"), made(event_id="b", type="complaint_opened"))
    assert found.overall == Score(50.0, 2, "observed")
    assert told(made(type="goal_completed")).overall.value == 100.0


@pytest.mark.parametrize(
    ("apart", "kind", "issue", "repeats"),
    [
        (WEEK, "chat_ended", "parcel", 1),
        (WEEK + 1, "chat_ended", "parcel", 0),
        (HOUR, "chat_ended", "invoice", 0),
        (HOUR, "chat_ended", "", 0),
        (HOUR, "page_viewed", "parcel", 0),
    ],
)
def test_a_repeat_contact_is_about_the_same_issue_within_a_week_on_any_channel(
    apart: int, kind: str, issue: str, repeats: int
) -> None:
    first = contact("a", NOON, details={"outcome": "solved"})
    found = told(first, contact("b", NOON + apart, type=kind, channel="chat", issue=issue))
    assert found.repeats == repeats
    assert found.effectiveness.value == (0.0 if repeats else 100.0), "it takes back that the first was resolved"
    assert (found.risk != "") == (repeats == 1)


def test_a_search_and_then_a_call_is_a_repeat_contact() -> None:
    look = contact("a", NOON, type="searched")
    assert told(look, contact("b", NOON + HOUR)).repeats == 1
    assert told(contact("b", NOON), contact("c", NOON + HOUR, type="searched")).repeats == 0


def test_what_is_of_one_session_is_one_contact() -> None:
    first = contact("a", NOON, session_id="s", details={"outcome": "solved"})
    same = contact("b", NOON + HOUR, session_id="s", type="chat_ended")
    assert told(first, same).repeats == 0
    found = told(first, same, contact("c", NOON + 2 * HOUR))
    assert (found.repeats, found.effectiveness.value) == (1, 0.0)


def test_one_severe_experience_puts_a_person_at_risk() -> None:
    complaint = made(event_id="a", type="complaint_opened", touchpoint="doorstep")
    assert told(complaint).risk == "a severe experience at doorstep"
    later = [made(event_id=f"g{n}", type="goal_completed", at=NOON + 31 * DAY) for n in range(3)]
    assert told(complaint, *later[:1]).risk == ""
    assert told(made(type="survey_answered", answer=("feeling", 1.0, 1.0, 5.0))).risk
    assert not told(made(type="survey_answered", answer=("feeling", 2.0, 1.0, 5.0))).risk


def test_the_worst_touchpoint_is_the_poorest_of_late() -> None:
    complaint = made(event_id="a", type="complaint_opened", touchpoint="doorstep")
    slow = made(event_id="b", type="call_ended", touchpoint="call_queue", measures={"wait_s": 120.0}, at=NOON + DAY)
    assert told(complaint, slow).worst == ("doorstep", 0.0, 1)
    assert told(complaint, slow, made(event_id="c", type="goal_completed", at=NOON + 31 * DAY)).worst.touchpoint == (
        "call_queue"
    )
    assert told(made(type="goal_completed")).worst == ("", None, 0)


@pytest.mark.parametrize(
    ("place", "measures", "gap", "share"),
    [
        ("call_queue", {"wait_s": 150.0}, 50.0, -50.0),
        ("call_queue", {"wait_s": 40.0}, -60.0, 60.0),
        ("call_queue", {"wait_s": 900.0}, 800.0, -100.0),
        ("shelf", {"stock": 40.0}, 10.0, -20.0),
        ("shelf", {"stock": 60.0}, -10.0, 20.0),
        ("shelf", {"wait_s": 40.0}, None, None),
        ("cart", {"wait_s": 40.0}, None, None),
    ],
)
def test_a_gap_is_what_was_against_what_was_expected(
    place: str, measures: dict[str, float], gap: float | None, share: float | None
) -> None:
    x = made(touchpoint=place, measures=measures)
    said = CONTACTS.experience(x)
    assert (None if said is None else said.gap) == gap
    assert told(x).gap == (share, 0 if share is None else 1)
    if said is not None:
        marks = dict(zip(said.marks[::2], said.marks[1::2], strict=True))
        assert marks[MARK["expected_n"]] == 1
        assert marks.get(MARK["expected_met"], 0) == (gap is not None and gap <= 0)


def felt(values: list[float]) -> Scores:
    return told(
        *(
            made(event_id=f"e{n:02}", type="survey_answered", answer=("feeling", value, 0.0, 100.0), at=NOON + n)
            for n, value in enumerate(values)
        )
    )


def test_a_trend_needs_evidence() -> None:
    assert felt([50.0] * 11).trend == ("", None, None, None, 11)
    assert felt([50.0] * 12).trend.direction == "steady"


def test_a_trend_is_an_average_within_control_limits() -> None:
    """By hand: target 50, spread 5 (the least), one step of 0.2 after another, limits 3·5·√(0.2/1.8·(1 − 0.8^2n))."""
    base = [50.0] * 8
    found = felt([*base, 0.0, 0.0, 0.0, 0.0]).trend
    assert found.value == pytest.approx(50 * 0.8**4)
    margin = 15 * math.sqrt(0.2 / 1.8 * (1 - 0.8**8))
    assert (found.low, found.high) == (pytest.approx(50 - margin), pytest.approx(50 + margin))
    assert (found.direction, found.n) == ("falling", 12)
    assert felt([*base, 100.0, 100.0, 100.0, 100.0]).trend.direction == "rising"
    assert felt([*base, 49.0, 51.0, 49.0, 51.0]).trend.direction == "steady"


def test_a_restless_persons_trend_has_wide_limits() -> None:
    base = [20.0, 80.0] * 4
    found = felt([*base, 30.0, 30.0, 30.0, 30.0]).trend
    spread = math.sqrt(8 * 30.0**2 / 7)
    assert found.low == pytest.approx(50 - 3 * spread * math.sqrt(0.2 / 1.8 * (1 - 0.8**8)))
    assert found.direction == "steady"


@pytest.mark.parametrize(
    ("metric", "answer", "expected"),
    [
        ("nps", (9.0, 0.0, 10.0), {"nps_n": 1, "nps_promoters": 1}),
        ("nps", (8.0, 0.0, 10.0), {"nps_n": 1}),
        ("nps", (6.0, 0.0, 10.0), {"nps_n": 1, "nps_detractors": 1}),
        ("nps", (4.0, 1.0, 5.0), {}),
        ("csat", (4.0, 1.0, 5.0), {"csat_n": 1, "csat_satisfied": 1, "csat_sum": 75_000, "csat_sum2": 5_625_000}),
        ("csat", (3.0, 1.0, 5.0), {"csat_n": 1, "csat_sum": 50_000, "csat_sum2": 2_500_000}),
        ("csat", (1.0, 0.0, 1.0), {"csat_n": 1, "csat_satisfied": 1, "csat_sum": 100_000, "csat_sum2": 10_000_000}),
        ("ces", (5.0, 1.0, 7.0), {"ces_n": 1, "ces_sum": 5_000, "ces_sum2": 25_000, "ces_easy": 1}),
        ("ces", (6.0, 1.0, 7.0), {"ces_n": 1, "ces_sum": 6_000, "ces_sum2": 36_000, "ces_easy": 1, "ces_very_easy": 1}),
        ("ces", (3.0, 1.0, 7.0), {"ces_n": 1, "ces_sum": 3_000, "ces_sum2": 9_000, "ces_hard": 1}),
        ("ces", (3.0, 1.0, 5.0), {}),
        ("needs_met", (4.0, 1.0, 5.0), {"needs_met_n": 1, "needs_met_high": 1}),
        ("enjoyment", (2.0, 1.0, 5.0), {"enjoyment_n": 1, "enjoyment_low": 1}),
        ("question_ease", (3.0, 1.0, 5.0), {"question_ease_n": 1}),
    ],
)
def test_an_answer_counts_for_its_metric_on_the_metrics_own_scale(
    metric: str, answer: tuple[float, float, float], expected: dict[str, int]
) -> None:
    scoring = replace(SCORING, questions={"q": Question(None, metric)})
    said = scoring.experience(made(type="survey_answered", answer=("q", *answer)))
    found = {} if said is None else dict(zip(said.marks[::2], said.marks[1::2], strict=True))
    assert {MARKS[index]: amount for index, amount in found.items()} == expected


def test_a_delivery_is_late_by_what_it_says_was_promised() -> None:
    late = replace(SCORING, observed={"delivered": Observation(curves=(Curve("late_min", 0, ((0, 100), (60, 0))),))})
    for minutes, value in ((-30, 100.0), (0, 100.0), (30, 50.0)):
        x = made(type="delivered", details={"promised_until": NOON - minutes * MINUTE})
        said = late.experience(x)
        assert said is not None
        assert said.effectiveness == value
