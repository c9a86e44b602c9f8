"""Whatever order messages come in, however often, in whatever batches: a profile ends as reckoned from all at once."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import records, rollup, view
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import UNASSIGNED, Assigned, Assignment, Message, Misfiled
from pipeline.domain.profile import Work
from pipeline.domain.records import Held
from pipeline.domain.rollup import WINDOW_MS, Cell
from pipeline.domain.rules import Rules
from pipeline.domain.scores import NO_SCORES, ScoreRow, rows
from pipeline.domain.shelves import arrange, position
from pipeline.domain.state import DictState
from tests.examples import examples
from tests.interactions import DAY, NOON, SCORING, changed, made, pieces_of

WIDE = Rules(scoring=SCORING)
NARROW = Rules(
    *(SCORING, 3, 0),
    evidence=2,
    orders=1,
    order_changes=2,
    complaints=1,
    goals=1,
    traits=2,
    preferences=1,
    alias_sessions=2,
    cached_profiles=2,
)
TYPES = (
    *("page_viewed", "searched", "goal_started", "goal_completed", "order_placed", "order_returned", "cart_updated"),
    *(
        "complaint_opened",
        "complaint_acknowledged",
        "complaint_assessed",
        "complaint_closed",
        "profile_updated",
        "preference_set",
        "call_ended",
        "survey_answered",
    ),
)
ME, A, B = "device:me", "customer:a", "customer:b"


sizes = st.integers(1, 25)
chances = st.integers(0, 2**32).map(random.Random)  # drawing every field from Hypothesis takes a hundred times as long


def interaction(chance: random.Random, event_id: str, identifier: str = ME) -> Interaction:
    """Of few times and few names, so that ties and neighbours are common."""
    kind, name = chance.choice(TYPES), chance.choice("xyz")
    return made(
        identifier,
        event_id,
        at=NOON + chance.randint(0, 9) * chance.choice((1, DAY // 3, 100 * DAY)),
        type=kind,
        touchpoint=chance.choice(("cart", "checkout")),
        session_id=chance.choice(("", "s1", "s2")),
        goal=name if kind.startswith("goal") else "",
        about=chance.choice(("", "e1", "e2")) if kind == "survey_answered" else "",
        answer=("effort", 2.0, 0.0, 5.0) if kind == "survey_answered" else None,
        measures={"wait_s": 30.0, "amount": 1.0},
        properties={"order_id": name, "complaint_id": name, name: "1"},
        links=() if identifier == ME else chance.choice(((), ("device:weak",))),
    )


def world(chance: random.Random, size: int, same_place: bool) -> list[Interaction]:
    """Events and copies of them. Copies differ in what they say, or (`same_place`) only in when they were received."""
    first = [interaction(chance, f"e{n}") for n in range(size)]
    copies = [x if same_place else interaction(chance, x.event_id) for x in chance.choices(first, k=size // 3)]
    return first + [changed(x, received_at=NOON + chance.randint(-3, 3)) for x in copies]


def orders(chance: random.Random, copies: list[Interaction]) -> list[list[Interaction]]:
    """Two orders of them, one with repeats."""
    again = copies + chance.choices(copies, k=len(copies) // 3)
    return [chance.sample(again, len(again)), chance.sample(copies, len(copies))]


def cuts(chance: random.Random, length: int) -> list[int]:
    """Where to cut that many messages into batches."""
    return sorted(chance.choices(range(length + 1), k=chance.randint(0, 6)))


class Ended:
    """A state after messages, and the last that was published under each key."""

    def __init__(self, messages: list[Message], cuts: list[int], rules: Rules) -> None:
        self.state = DictState()
        self.rows: dict[tuple[str, int], ScoreRow] = {}
        self.entries: dict[tuple[str, str], Interaction] = {}
        self.sent: list[Message] = []
        self.evidence: dict[tuple[str, str], int] = {}
        self.sessions: set[tuple[str, str, str]] = set()
        cache: dict[str, object] = {}
        for start, end in zip([0, *cuts], [*cuts, len(messages)], strict=True):
            work = Work(self.state, rules, cache)
            for message in messages[start:end]:
                work.advance(message)
            for _ in work.close():
                pass
            self.rows.update({(row.person, row.day): row for row in work.step.scores})
            self.entries.update({x.event: x for x, *_ in work.step.entries})
            self.sent += work.step.messages
            for e in work.step.evidence:
                known = self.evidence.get((e.strong, e.weak), e.occurred_at)
                self.evidence[e.strong, e.weak] = min(known, e.occurred_at)
                self.sessions.add((e.strong, e.weak, e.session_id))

    def cells(self) -> dict[bytes, Cell]:
        """Those that hold anything."""
        found = {key: rollup.decode(value) for key, value in self.state.scan(rollup.PREFIX)}
        return {key: cell for key, cell in found.items() if cell.interactions or any(cell.sums)}

    def figures(self) -> dict[tuple[str, int], Any]:
        """Rows that were not taken back."""
        return {key: row.scores for key, row in self.rows.items() if row.scores != NO_SCORES}

    def shown(self, person: str) -> list[Interaction]:
        return sorted(Held(self.state, person).shown, key=position)


def counting(copies: list[Interaction]) -> dict[tuple[str, str], Interaction]:
    """Of each event the copy that counts."""
    best: dict[tuple[str, str], Interaction] = {}
    for x in copies:
        best[x.event] = min(x, best.get(x.event, x), key=lambda copy: copy.precedence)
    return best


@given(chances, sizes)
@settings(max_examples=examples(300), deadline=None)
def test_a_profile_ends_as_reckoned_at_once(chance: random.Random, size: int) -> None:
    copies = world(chance, size, same_place=False)
    best = counting(copies)
    expected = sorted(best.values(), key=position)
    pieces = pieces_of(expected)
    counted: dict[bytes, Cell] = defaultdict(Cell)
    for x in expected:
        cell = counted[f"c{x.occurred_at - x.occurred_at % WINDOW_MS}|{x.channel}|1|{x.touchpoint}".encode()]
        said = SCORING.experience(x)
        if said is None:
            cell.interactions += 1
        else:
            cell.count(said, 1)
    for order in orders(chance, copies):
        ended = Ended([Misfiled(x) for x in order], cuts(chance, len(order)), WIDE)
        assert ended.shown(ME) == expected
        assert ended.entries == best
        assert ended.cells() == counted
        assert ended.figures() == {(ME, row.day): row.scores for row in rows(ME, pieces, 0, SCORING)}


@given(chances, sizes)
@settings(max_examples=examples(300), deadline=None)
def test_full_shelves_end_the_same(chance: random.Random, size: int) -> None:
    copies = world(chance, size, same_place=True)
    best = counting(copies)
    expected = arrange(best.values(), NARROW, ME)
    told = []
    for order in orders(chance, copies):
        ended = Ended([Misfiled(x) for x in order], cuts(chance, len(order)), NARROW)
        assert arrange(ended.shown(ME), NARROW, ME) == expected
        assert ended.entries == best
        assert sum(cell.interactions for cell in ended.cells().values()) == len(best)
        head = records.decode_head(ended.state.data[records.prefix(ME) + records.HEAD])
        assert head.kept == len(list(ended.state.scan(records.prefix(ME) + records.KEPT)))
        assert head.kept + head.seen == len(best)
        told.append(view.context(ended.state, ME, NOON + DAY, NARROW))
    assert told[0] == told[1]


SHARED = Assignment(3, (A, B), NOON + DAY, {"s1": B, "s2": ""}, (A, B), True)
ASSIGNMENTS = (UNASSIGNED, Assignment(1, (A,)), Assignment(2, (), None, {}, (A, B), True), SHARED, Assignment(4, (B,)))


@given(chances, sizes, st.integers(1, 4))
@settings(max_examples=examples(300), deadline=None)
def test_slices_end_the_same_in_any_order(chance: random.Random, size: int, last: int) -> None:
    """Assignments in any order among the interactions; then all slices in any order, some of them twice."""
    copies = world(chance, size, same_place=False)
    assignment = ASSIGNMENTS[last]
    theirs: dict[str, list[Interaction]] = defaultdict(list)
    for x in sorted(counting(copies).values(), key=position):
        theirs[assignment.owner(ME, x.session_id, x.occurred_at)].append(x)
    for order in orders(chance, copies):
        messages: list[Message] = [Misfiled(x) for x in order]
        for each in chance.sample(ASSIGNMENTS[1 : last + 1], last):
            messages.insert(chance.randint(0, len(messages)), Assigned(ME, each))
        sender = Ended(messages, cuts(chance, len(messages)), WIDE)
        assert sender.shown(ME) == theirs[ME]
        slices = sender.sent + (chance.choices(sender.sent, k=3) if sender.sent else [])
        chance.shuffle(slices)
        receiver = Ended(slices, cuts(chance, len(slices)), WIDE)
        for person in (A, B):
            assert receiver.shown(person) == theirs[person]
            pieces = pieces_of(theirs[person])
            expected = {(person, row.day): row.scores for row in rows(person, pieces, 0, SCORING)}
            assert {key: row for key, row in receiver.figures().items() if key[0] == person} == expected


@given(chances, sizes)
@settings(max_examples=examples(100), deadline=None)
def test_evidence_says_all_that_events_showed(chance: random.Random, size: int) -> None:
    said = [interaction(chance, f"e{n}", A) for n in range(size)]
    linked = [x for x in said if x.links]
    ended = Ended([Misfiled(x) for x in said], cuts(chance, size), NARROW)
    if not linked:
        assert ended.evidence == {}
        return
    assert ended.evidence == {(A, "device:weak"): min(x.occurred_at for x in linked)}
    assert {s for _, _, s in ended.sessions} - {""} == {x.session_id for x in linked} - {""}
