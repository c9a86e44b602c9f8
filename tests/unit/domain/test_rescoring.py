"""What a profile does with another definition's verdicts and rows, one by one; and what an erasure leaves of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pipeline.domain import exporting, records, rollup
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import (
    Assigned,
    Assignment,
    Erased,
    Judged,
    Judging,
    Message,
    Misfiled,
    Rescored,
    Verdict,
    decode_message,
    encode,
    erased_person,
)
from pipeline.domain.profile import advance
from pipeline.domain.records import UNCOUNTED, Kept, event_name
from pipeline.domain.rescoring import CLOCKS_MS, DAYS_MAX
from pipeline.domain.rules import Rules
from pipeline.domain.scores import NO_SCORES, ScoreRow
from pipeline.domain.scores import scores as scores_of
from pipeline.domain.scoring import Experience, Observation, Question, Scoring
from pipeline.domain.state import DictState
from pipeline.domain.step import Step
from pipeline.domain.sweeping import Concern, Sweep
from tests.interactions import DAY, HOUR, NOON, SCORING, made, pieces_of

A = "customer:a"
TODAY = NOON // DAY
OTHER = Scoring(
    version=2,
    half_life_ms=DAY,
    questions={"goal": Question(1)},
    observed={"goal_completed": Observation((40.0, None, None)), "page_viewed": Observation((None, 70.0, None))},
)
BEFORE = Rules(SCORING, scorings={1: SCORING, 2: OTHER})
BOTH = replace(BEFORE, beside=OTHER)
AFTER = replace(BEFORE, scoring=OTHER, beside=SCORING, switched=True)
READ = NOON + DAY


def run(state: DictState, *messages: Message, rules: Rules = BEFORE) -> Step:
    return advance(state, messages, rules)


def cells(state: DictState) -> dict[int, tuple[int, int]]:
    """Definition → interactions, and the sum of effectiveness that was observed, in points."""
    found: dict[int, tuple[int, int]] = {}
    for key, value in state.scan(rollup.PREFIX):
        cell, definition = rollup.decode(value), int(key.split(b"|")[2])
        count, total = found.get(definition, (0, 0))
        found[definition] = count + cell.interactions, total + cell.sums[4] // rollup.SCALE
    return found


def judged(x: Interaction, scoring: Scoring = OTHER, **fields: Any) -> Judged:
    said = {"experience": scoring.experience(x), "precedence": x.precedence[0], **fields}
    return Judged(x.identifier, scoring.version, (Verdict(event_name(x.source, x.event_id), **said),))


def row(day: int, definition: int = 2, *interactions: Interaction) -> ScoreRow:
    scoring = OTHER if definition == 2 else SCORING
    return ScoreRow(A, day, definition, scores_of(pieces_of(interactions or [done()], scoring), scoring))


def done(event_id: str = "e1", **fields: Any) -> Interaction:
    return made(A, event_id, type="goal_completed", **fields)


def days(step: Step) -> list[tuple[int, int, bool]]:
    """(day, definition, whether it says anything) of the rows that were told."""
    return [(each.day, each.definition, each.scores != NO_SCORES) for each in step.scores]


def test_a_verdict_is_counted_once_beside_what_is_live() -> None:
    state = DictState()
    run(state, Misfiled(done()))
    for _ in range(2):
        step = run(state, judged(done()))
        assert (step.entries, step.again, step.scores) == ([], [], [])
        assert cells(state) == {1: (1, 100), 2: (1, 40)}
    run(state, Misfiled(done()))  # known
    assert cells(state) == {1: (1, 100), 2: (1, 40)}


def test_what_is_here_in_full_is_judged_here_and_what_is_not_by_the_replay() -> None:
    wrong = Experience(False, 7.0, None, None)
    state = DictState()
    run(state, Misfiled(done()), judged(done(), experience=wrong))
    assert cells(state)[2] == (1, 40)

    small = replace(BEFORE, view_size=0, spare=0, evidence=0)
    state = DictState()
    run(state, Misfiled(done()), Misfiled(made(A, "e2", at=NOON + 1)), rules=small)
    run(state, judged(done(), experience=wrong), rules=small)
    assert [kind for key, _ in state.scan(records.prefix(A)) if (kind := key[len(records.prefix(A)) :][:1]) == b"s"]
    assert cells(state)[2] == (1, 7)
    run(state, judged(done()), rules=small)  # a later replay knows better
    assert cells(state)[2] == (1, 40)


def test_verdicts_on_other_copies_and_on_what_is_not_stored_are_not_heeded() -> None:
    state = DictState()
    run(state, Misfiled(done(received=5)))
    unknown = replace(BEFORE, scorings={})
    run(state, judged(done(received=6)), judged(done("e2")), judged(made("customer:b", "e1")), rules=unknown)
    assert cells(state) == {1: (1, 100)}
    run(state, judged(done(received=5)), rules=unknown)
    assert cells(state) == {1: (1, 100), 2: (1, 40)}


def test_what_refuses_analysis_is_counted_by_no_definition() -> None:
    state = DictState()
    refusing = done(consent={"analysis": False})
    step = run(state, Misfiled(refusing), rules=BOTH)
    assert step.entries == [(refusing, None, UNCOUNTED)]
    run(state, judged(refusing, experience=OTHER.experience(done())), rules=BOTH)
    assert cells(state) == {}


def test_a_better_copy_is_judged_by_all_that_judged_the_one_before() -> None:
    state = DictState()
    run(state, Misfiled(done(received=5)), rules=BOTH)
    assert cells(state) == {1: (1, 100), 2: (1, 40)}
    run(state, Misfiled(done(received=4, at=NOON + HOUR)), rules=AFTER)
    assert cells(state) == {1: (1, 100), 2: (1, 40)}
    run(state, Misfiled(done(received=3, at=NOON + 2 * HOUR)), rules=replace(AFTER, beside=None))
    assert cells(state) == {1: (1, 100), 2: (1, 40)}  # also where that one does not judge what is new any more
    run(state, Misfiled(done(received=2)), rules=Rules(OTHER, switched=True))
    assert cells(state) == {1: (0, 0), 2: (1, 40)}  # it is not known any more: nothing false stays in its cells


def test_after_the_switch_a_verdict_becomes_the_records_own_and_is_published() -> None:
    state = DictState()
    run(state, Misfiled(done()))
    step = run(state, judged(done()), rules=AFTER)
    assert step.again == [(done(), OTHER.experience(done()), 2)]
    [kept] = [records.decode_kept(value) for _, value in state.scan(records.prefix(A) + records.KEPT)]
    assert kept == Kept(done(), 2, OTHER.experience(done()), (), ((1, SCORING.experience(done())),))
    assert cells(state) == {1: (1, 100), 2: (1, 40)}
    assert run(state, judged(done()), rules=AFTER).again == []


def test_a_replays_rows_are_passed_on_while_the_definition_is_not_live() -> None:
    state = DictState()
    run(state, Misfiled(done()))
    step = run(state, Rescored(A, READ, (row(TODAY), row(TODAY - 3))))
    assert days(step) == [(TODAY, 2, True), (TODAY - 3, 2, True)]
    assert run(state, Rescored("customer:unknown", READ, (row(TODAY),))).scores == []


def test_the_stream_goes_on_where_the_replay_ended() -> None:
    """What is at hand is told whole at the first change; of days before that only what has left the bounds."""
    state = DictState()
    run(state, *(Misfiled(done(f"e{n}", at=NOON + n * DAY)) for n in range(3)))
    run(state, Rescored(A, READ, (row(TODAY), row(TODAY - 9))))
    step = run(state, Misfiled(done("e3", at=NOON + 3 * DAY)), rules=AFTER)
    assert days(step) == [(TODAY - 9, 2, False), *((TODAY + n, 2, True) for n in range(4))]
    assert run(state, Rescored(A, READ, (row(TODAY + 1),)), rules=AFTER).scores == []  # the stream has told that itself

    bound = replace(BEFORE, evidence=2)
    state = DictState()
    run(state, *(Misfiled(done(f"e{n}", at=NOON + n * DAY)) for n in range(3)), rules=bound)
    run(state, Rescored(A, READ, (row(TODAY),)), rules=bound)
    after = replace(AFTER, evidence=2)
    step = run(state, Misfiled(done("e3", at=NOON + 3 * DAY)), rules=after)
    assert days(step) == [(TODAY + 3, 2, True)]
    assert days(run(state, Rescored(A, READ, (row(TODAY + 2), row(TODAY + 3))), rules=after)) == [(TODAY + 2, 2, True)]


def test_what_was_no_evidence_before_is_some_by_a_definition_that_is_live_since() -> None:
    state = DictState()
    viewed = [made(A, f"e{n}", at=NOON + n * DAY) for n in range(2)]
    assert run(state, Misfiled(viewed[0])).scores == []
    step = run(state, Misfiled(viewed[1]), rules=AFTER)
    assert [(each.day, each.scores.ease.n) for each in step.scores] == [(TODAY, 1), (TODAY + 1, 2)]


def test_rows_of_somebody_who_is_somebody_else_by_now_are_only_taken_back() -> None:
    state = DictState()
    run(state, Misfiled(made("device:d", "e1")), Assigned("device:d", Assignment(1, (A,))))
    gone = ScoreRow("device:d", TODAY, 2, NO_SCORES)
    told = run(state, Rescored("device:d", READ, (row(TODAY)._replace(person="device:d"), gone)))
    assert told.scores == [gone]


def test_an_erasure_takes_the_rows_of_every_definition_and_lets_no_older_replay_bring_them_back() -> None:
    state = DictState()
    run(state, Misfiled(done()), rules=BOTH)
    run(state, Rescored(A, READ, (row(TODAY), row(TODAY - 400))), rules=BOTH)
    assert swept(state) != {}
    step = run(state, Erased(A, READ, False, 1), rules=BOTH)
    gone = {(each.day, each.definition) for each in step.unscored}
    assert gone == {(TODAY, 1), (TODAY, 2), (TODAY - 400, 2)}
    assert swept(state) == {}

    new = made(A, "new", at=READ + HOUR, received=DAY + HOUR, type="goal_completed")
    run(state, Misfiled(new), rules=BOTH)
    assert run(state, Rescored(A, READ + CLOCKS_MS - 1, (row(TODAY),)), rules=BOTH).scores == []
    assert days(run(state, Rescored(A, READ + CLOCKS_MS + 1, (row(TODAY + 1),)), rules=BOTH)) == [(TODAY + 1, 2, True)]
    run(state, judged(done()), rules=BOTH)  # a verdict on what is gone
    assert cells(state)[2] == (2, 80)  # what was counted stays, as for every definition; nothing was added


def test_what_is_taken_from_somebody_erased_stays_counted_beside() -> None:
    state = DictState()
    x = made("device:d", "e1", type="goal_completed")
    run(state, Misfiled(x), Assigned("device:d", Assignment(1, (A,))), rules=BOTH)
    gone = erased_person(READ, "o1")
    run(state, Assigned("device:d", Assignment(2, ("customer:b",), sessions={"s1": gone})), rules=BOTH)
    [kept] = [records.decode_kept(value) for _, value in state.scan(records.prefix("device:d") + records.KEPT)]
    assert kept == Kept(x, 1, SCORING.experience(x), ("customer:b",), ((2, OTHER.experience(x)),))


def test_days_that_nobody_asks_for_are_remembered_in_bounds() -> None:
    state = DictState()
    run(state, Misfiled(done()))
    told = tuple(row(TODAY - n) for n in range(DAYS_MAX + 5))
    run(state, Rescored(A, READ, told))
    ledger = records.decode_ledger(state.data[records.prefix(A) + records.LEDGER])
    assert ledger.beside[2] == list(range(TODAY - DAYS_MAX + 1, TODAY + 1))
    run(state, Rescored(A, READ, (ScoreRow(A, TODAY, 2, NO_SCORES),)))
    ledger = records.decode_ledger(state.data[records.prefix(A) + records.LEDGER])
    assert ledger.beside[2][-1] == TODAY - 1


def test_an_export_has_them() -> None:
    state = DictState()
    run(state, Misfiled(done()), Rescored(A, READ, (row(TODAY),)), rules=BOTH)
    found = {item["kind"]: item["value"] for _, item in exporting.items(state, A, "")}
    assert found["evidence for scores"]["beside"] == {2: [TODAY]}
    assert msgspec.json.encode(found)


def test_definitions_do_not_change_within_the_work() -> None:
    with pytest.raises(TypeError, match="close it, and make another"):
        run(DictState(), Judging(2, 1, 2))


def swept(state: DictState) -> dict[str, int]:
    sweep = Sweep(state, Concern([A], READ), records.name)
    for _ in sweep.look(state.scan(b"")):
        pass
    return dict(sweep.found)


@pytest.mark.parametrize(
    "message",
    [
        Rescored(A, -1, ()),
        Rescored(A, 1 << 53, ()),
        Rescored(A, NOON, (ScoreRow(A, 1 << 31, 2, NO_SCORES),)),
        Rescored(A, NOON, (ScoreRow(A, TODAY, 2, NO_SCORES._replace(repeats=1 << 31)),)),
        Judged(A, -1, ()),
        Judging(1, 1 << 31),
    ],
)
def test_what_a_row_has_no_room_for_is_no_message(message: Message) -> None:
    """So it is set aside as it is read, and does not end the worker when it is written."""
    with pytest.raises(msgspec.ValidationError):
        decode_message(encode(message))
