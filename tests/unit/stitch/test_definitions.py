"""By which definitions a worker judges, and what it does when it knows none of that number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.definitions import MissingDefinition
from pipeline.domain import records
from pipeline.domain.messages import Judging, Misfiled, encode
from pipeline.domain.rules import Rules
from pipeline.domain.scoring import Scoring
from pipeline.domain.state import DictState
from pipeline.domain.sweeping import Concern, Sweep
from pipeline.stitch.definitions import Definitions
from pipeline.topics import CUSTOMER_SCORES, TIMELINES
from tests.interactions import SCORING, made
from tests.unit.stitch.test_stitch import RULES, event, run, sent

SECOND = replace(SCORING, version=2)


def test_the_newest_word_counts_whether_it_is_in_the_state_or_was_recorded() -> None:
    definitions, state = Definitions(Rules(SCORING, scorings={1: SCORING, 2: SECOND})), DictState()
    assert definitions.rules(state).scoring is SCORING
    definitions.record(Judging(4, 2, 1))
    rules = definitions.rules(state)
    assert (rules.scoring, rules.beside, rules.switched) == (SECOND, SCORING, True)
    assert not definitions.heed(state, Judging(4, 1))
    assert definitions.heed(state, Judging(5, 1))
    rules = definitions.rules(state)
    assert (rules.scoring, rules.beside) == (SCORING, None)
    definitions.record(Judging(6, 2))
    assert definitions.rules(state).scoring is SECOND


def test_the_catalogue_is_read_again_for_a_definition_that_is_new() -> None:
    reads: list[dict[int, Scoring]] = []
    there = {1: SCORING}

    def load() -> dict[int, Scoring]:
        reads.append(dict(there))
        return there

    definitions = Definitions(Rules(SCORING), load)
    for _ in range(3):
        definitions.look_for(2)  # not there: asked once, and not at every message
    assert len(reads) == 1
    with pytest.raises(MissingDefinition, match=r"version 2, which is not in the catalogue \(it has 1\). Put scores-2"):
        definitions.heed(DictState(), Judging(2, 2))
    assert definitions.rules_of(Judging(2, 1, 3)).beside is None  # what cannot be counted beside does not stop the rest
    there[2] = SECOND
    assert definitions.rules_of(Judging(3, 2)).scoring is SECOND


def test_what_follows_the_word_in_a_batch_is_judged_by_it() -> None:
    definitions = Definitions(replace(RULES, scorings={1: SCORING, 2: SECOND}))
    said = {"type": "goal_completed", "touchpoint": "checkout"}
    before = Misfiled(made("customer:1", "e1", type="goal_completed"))
    batch = run(
        [event(event_id="e3", **said)],
        [before, Judging(2, 2, 1), Misfiled(made("customer:1", "e2"))],
        rules=definitions,
    )
    assert [(row["event_id"], row["definition"]) for row in sent(batch, TIMELINES.name)] == [
        *(("e1", 1), ("e2", 2), ("e3", 2))
    ]
    assert [row["definition"] for row in sent(batch, CUSTOMER_SCORES.name)] == [1, 2]
    assert batch.get(records.JUDGING) == encode(Judging(2, 2, 1, live_from=2))
    sweep = Sweep(batch, Concern([], 0), records.name)
    for _ in sweep.look(batch.scan(b"")):
        pass
    assert sweep.found == {}  # it names nobody
