"""A replay while events stream in: whatever the order, both definitions end as a batch computation has them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.domain.messages import Judging
from pipeline.domain.records import UNCOUNTED
from pipeline.domain.rules import Rules
from pipeline.domain.scores import is_retraction, rows
from pipeline.domain.scoring import Curve, Expectation, Observation, Outcome, Question, Scoring
from pipeline.stitch.process import score
from pipeline.topics import CUSTOMER_SCORES, TIMELINES, TOUCHPOINT_SCORES
from tests.examples import examples
from tests.interactions import pieces_of
from tests.network import Network, interactions
from tests.oracle import Truth, truth
from tests.oracle_consent import evidence
from tests.oracle_rows import SCORING
from tests.replaying import heeded, messages, taken, tell
from tests.strategies import DAY_MS, HOUR_MS, Copy, Sent, copies_of, world_of

#: Other questions, other curves, other contacts: hardly any event says the same by it.
OTHER = Scoring(
    version=2,
    half_life_ms=DAY_MS,
    questions={"csat": Question(0)},
    outcomes={"handled": Outcome((None, None, 80.0), False), "abandoned": Outcome((10.0, None, None))},
    contacts=frozenset({"call_ended", "order_placed"}),
    expects={"site_search": Expectation("results", 5.0), "call_queue": Expectation("wait_s", 300.0)},
    observed={
        "page_viewed": Observation((None, 70.0, None)),
        "call_ended": Observation((None, None, None), (Curve("wait_s", 0, ((0.0, 0.0), (600.0, 100.0))),)),
    },
)
SCORINGS = {1: SCORING, 2: OTHER}
RULES = Rules(SCORING, scorings=SCORINGS)
FRESH = Rules(OTHER, scorings=SCORINGS)
SMALL = Rules(SCORING, view_size=3, spare=0, scorings=SCORINGS)
SUMS = ("interactions", "_n", "_sum", "_sum2", "nps", "csat", "ces", "_high", "_low", "_met")

worlds = st.builds(
    world_of,
    st.lists(st.binary(min_size=10, max_size=10).map(int.from_bytes), min_size=1, max_size=12),
    st.sampled_from([1, 7 * HOUR_MS, 60 * DAY_MS]),
)
seeds = st.integers(0, 2**32)
thorough = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
Cells = dict[tuple[int, str, str], dict[str, float]]


def cells(network: Network, definition: int) -> Cells:
    """(window, touchpoint, channel) → all sums by a definition, over all partitions."""
    found: dict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)
    for row in network.outputs[TOUCHPOINT_SCORES.name].values():
        if row["definition"] == definition and row["interactions"]:
            sums = {name: value for name, value in row.items() if any(each in name for each in SUMS)}
            found[row["window_start"], row["touchpoint"], row["channel"]].update(sums)
    return {key: {name: round(value, 6) for name, value in sums.items()} for key, sums in found.items()}


def told(network: Network, definition: int) -> dict[tuple[str, int], dict[str, Any]]:
    """(person, day) → the row by a definition, without those that take one back."""
    return {
        (row["person"], row["day"]): row
        for row in network.outputs[CUSTOMER_SCORES.name].values()
        if row["definition"] == definition
        and any(row[name] for name in ("effectiveness_n", "ease_n", "emotion_n", "gap_n", "repeat_contacts"))
    }


def expected_rows(expected: Truth, scoring: Scoring) -> dict[tuple[str, int], dict[str, Any]]:
    """Every person's rows by a definition, from all that is theirs."""
    found = {}
    for person, theirs in expected.persons.items():
        for each in rows(person, pieces_of(evidence(person, theirs), scoring), 0, scoring):
            if not is_retraction(each):
                row = score(each)
                if any(row[name] for name in ("effectiveness_n", "ease_n", "emotion_n", "gap_n", "repeat_contacts")):
                    found[person, each.day] = row
    return found


def fresh(copies: list[Copy], rules: Rules) -> Network:
    """A network that has never known another definition."""
    network = Network(copies, rules, random.Random(0))
    network.run()
    return network


class Story:
    """Events that come in at any time before, while and after a definition is replayed and takes over."""

    def __init__(self, copies: list[Copy], seed: int, rules: Rules = RULES) -> None:
        self.chance = random.Random(seed)
        self.left = list(copies)
        self.chance.shuffle(self.left)
        self.rules = rules
        self.network = Network([], rules, random.Random(seed))

    def go_on(self, all_: bool = False) -> None:
        """Some more events, some of which arrive."""
        count = len(self.left) if all_ else self.chance.randint(0, len(self.left))
        sent, self.left = self.left[:count], self.left[count:]
        self.network.send(sent)
        if all_:
            self.network.run()
        else:
            self.network.run(self.chance.randint(0, 40))

    def judge(self, number: int, live: int, beside: int) -> None:
        """Tell the partitions what to judge by, until all heed it."""
        judging = Judging(number, live, beside)
        tell(self.network, judging)
        if self.chance.random() < 0.5:
            self.go_on()
        taken(self.network)
        assert heeded(self.network) == {number}

    def replay(self, scoring: Scoring, *, killed: bool = False) -> None:
        """Read what is stored, and tell what follows, while events come in."""
        self.network.run(self.chance.randint(0, 20))
        told_ = messages(self.network, scoring, self.rules)
        if killed:
            told_ = told_[: self.chance.randint(0, len(told_))]
        for message in told_:
            tell(self.network, message)
            if self.chance.random() < 0.2:
                self.network.run(self.chance.randint(0, 5))
        if self.chance.random() < 0.5:
            self.go_on()
        taken(self.network)


@given(worlds, seeds, st.booleans())
@thorough
def test_both_definitions_end_as_if_they_had_always_judged(sent: Sent, seed: int, killed: bool) -> None:
    story = Story(sent.copies, seed)
    story.go_on()
    story.judge(2, 1, 2)
    if killed:
        story.replay(OTHER, killed=True)
    story.replay(OTHER)
    story.judge(3, 2, 1)
    if killed:
        story.replay(OTHER, killed=True)
    story.replay(OTHER)
    story.go_on(all_=True)
    network = story.network

    assert cells(network, 1) == cells(fresh(sent.copies, RULES), 1)
    assert cells(network, 2) == cells(fresh(sent.copies, FRESH), 2)
    said = interactions(sent.copies)
    assert {row["definition"] for row in network.outputs[TIMELINES.name].values()} <= {2, UNCOUNTED}
    assert told(network, 2) == expected_rows(truth(said), OTHER)
    assert messages(network, OTHER, RULES) == []


@given(worlds, seeds)
@thorough
def test_before_the_switch_nothing_of_the_live_definition_changes(sent: Sent, seed: int) -> None:
    story = Story(sent.copies, seed)
    story.go_on()
    story.judge(2, 1, 2)
    story.replay(OTHER)
    story.go_on(all_=True)
    network, untouched = story.network, fresh(sent.copies, RULES)
    assert cells(network, 1) == cells(untouched, 1)
    assert cells(network, 2) == cells(fresh(sent.copies, FRESH), 2)
    assert network.outputs[TIMELINES.name] == untouched.outputs[TIMELINES.name]
    expected = truth(interactions(sent.copies))
    assert told(network, 1) == expected_rows(expected, SCORING)
    story.replay(OTHER)  # people's rows by a definition that is not live are as old as its last replay
    assert told(network, 2) == expected_rows(expected, OTHER)


@given(worlds, seeds)
@example(world_of([0, 0, 257], 1), 271548)  # one comes while the former is live, and is no evidence by it
@thorough
def test_going_back_is_another_replay(sent: Sent, seed: int) -> None:
    story = Story(sent.copies, seed)
    story.go_on()
    for number, scoring, former in ((2, OTHER, 1), (4, SCORING, 2), (6, OTHER, 1)):
        story.judge(number, former, scoring.version)
        story.replay(scoring)
        story.judge(number + 1, scoring.version, former)
        story.replay(scoring)
    story.go_on(all_=True)
    assert cells(story.network, 1) == cells(fresh(sent.copies, RULES), 1)
    assert cells(story.network, 2) == cells(fresh(sent.copies, FRESH), 2)
    assert told(story.network, 2) == expected_rows(truth(interactions(sent.copies)), OTHER)


@given(worlds, seeds)
@thorough
def test_cells_are_exact_of_what_has_left_the_views_too(sent: Sent, seed: int) -> None:
    story = Story(sent.copies * 2, seed, SMALL)
    story.go_on()
    story.judge(2, 1, 2)
    story.replay(OTHER)
    story.judge(3, 2, 1)
    story.replay(OTHER)
    story.go_on(all_=True)
    assert cells(story.network, 1) == cells(fresh(sent.copies, RULES), 1)
    assert cells(story.network, 2) == cells(fresh(sent.copies, FRESH), 2)


def test_more_evidence_than_a_row_rests_on_ends_as_in_a_fresh_stream() -> None:
    """Beyond the bound rows are those of a stream in the order of events, before the switch and after it."""
    copies = [at_day(n) for n in range(30)]
    rules = Rules(SCORING, evidence=5, scorings=SCORINGS)
    expected = Network([], Rules(OTHER, evidence=5, scorings=SCORINGS), random.Random(0))
    for copy in copies:
        expected.send([copy])
        expected.run()
    story = Story([], 1, rules)
    for n, copy in enumerate(copies):
        if n == 20:
            story.judge(2, 1, 2)
            story.replay(OTHER)
            story.judge(3, 2, 1)
            story.replay(OTHER)
        story.network.send([copy])
        story.network.run()
    story.replay(OTHER)
    assert len(told(expected, 2)) == 30
    assert told(story.network, 2) == told(expected, 2)


def at_day(n: int) -> Copy:
    """A call, one on each day, with a wait of its own; all of one customer."""
    copy = copies_of(0, n, 1)[0]
    said = {
        "type": "call_ended",
        "touchpoint": "call_queue",
        "identifiers": {"customer": "c0"},
        "occurred_at": copy.event["occurred_at"] + n * DAY_MS,
        "measures": {"wait_s": 37.0 * n % 600},
        "received_at": None,
        "sent_at": None,
    }
    return Copy("phone", copy.event | said, copy.broker_time, None)


def test_a_replay_that_was_left_out_is_noticed() -> None:
    differs = 0
    for seed in range(30):
        chance = random.Random(seed)
        sent = world_of([chance.getrandbits(80) for _ in range(10)], 1)
        story = Story(sent.copies, seed)
        story.go_on()
        story.judge(2, 1, 2)
        story.judge(3, 2, 1)
        story.go_on(all_=True)
        differs += cells(story.network, 2) != cells(fresh(sent.copies, FRESH), 2)
    assert differs > 5
