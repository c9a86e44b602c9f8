"""Whose a profile's interactions are: what it tells others, and what it shows of theirs."""

from __future__ import annotations

from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assigned, Assignment, Message, Misfiled, Slice, encode
from pipeline.domain.profile import advance
from pipeline.domain.records import Held
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from pipeline.domain.step import Step
from tests.interactions import NOON, SCORING, made

RULES = Rules(scoring=SCORING)
ALL_TO_A = Assignment(version=1, owners=("customer:a",))


def store(state: DictState, *interactions: Interaction, rules: Rules = RULES) -> Step:
    """One batch of interactions."""
    return advance(state, [Misfiled(x) for x in interactions], rules)


def receive(state: DictState, *messages: Message) -> Step:
    """One batch of messages."""
    return advance(state, messages, RULES)


def shown(state: DictState, person: str) -> list[str]:
    """The events that a profile shows, oldest first."""
    return [x.event_id for x in sorted(Held(state, person).shown, key=lambda x: x.position)]


# What it tells


def test_a_new_assignment_sends_what_is_theirs() -> None:
    state = DictState()
    x, y = made("anonymous:7", "e1"), made("anonymous:7", "e2", at=NOON + 1)
    store(state, x, y)
    step = advance(state, [Assigned("anonymous:7", ALL_TO_A)], RULES)
    [slice_] = step.messages
    assert isinstance(slice_, Slice)
    assert (slice_.to, slice_.sender, slice_.assignment) == ("customer:a", "anonymous:7", ALL_TO_A)
    assert {i.event_id for i in slice_.interactions} == {"e1", "e2"}
    assert shown(state, "anonymous:7") == []
    assert step.changed == {"anonymous:7"}


def test_an_older_assignment_is_ignored() -> None:
    state = DictState()
    store(state, made("anonymous:7"))
    advance(state, [Assigned("anonymous:7", Assignment(5, ("customer:a",)))], RULES)
    step = advance(state, [Assigned("anonymous:7", Assignment(4, ("customer:b",)))], RULES)
    assert (step.messages, step.changed) == ([], set())


def test_those_whom_the_former_assignment_named_hear_that_it_is_over() -> None:
    state = DictState()
    store(state, made("anonymous:7"))
    advance(state, [Assigned("anonymous:7", ALL_TO_A)], RULES)
    step = advance(state, [Assigned("anonymous:7", Assignment(2, ("customer:b",)))], RULES)
    assert {(m.to, len(m.interactions)) for m in step.messages if isinstance(m, Slice)} == {
        ("customer:a", 0),
        ("customer:b", 1),
    }


def test_a_new_interaction_of_somebody_else_is_sent_at_once() -> None:
    state = DictState()
    advance(state, [Assigned("anonymous:7", ALL_TO_A)], RULES)
    x = made("anonymous:7")
    step = store(state, x)
    assert step.messages == [Slice("customer:a", "anonymous:7", ALL_TO_A, (x,))]
    assert step.entries == [(x, None, 1)]
    assert step.changed == set()


def test_sessions_of_others_do_not_travel_with_one_interaction() -> None:
    state = DictState()
    sessions = {f"s{n}": "customer:b" for n in range(500)} | {"mine": "customer:a"}
    shared = Assignment(1, ("customer:a", "customer:b"), NOON, sessions, ("customer:a", "customer:b"), True)
    advance(state, [Assigned("device:d", shared)], RULES)
    [m] = store(state, made("device:d", session_id="mine", at=NOON + 1)).messages
    assert isinstance(m, Slice)
    assert (m.to, m.assignment.sessions, m.whole) == ("customer:a", {"mine": "customer:a"}, False)


def test_large_slices_go_in_parts() -> None:
    state = DictState()
    rules = Rules(slice_bytes=4_000)
    for n in range(50):
        store(state, made("anonymous:7", f"e{n}", properties={"page": "x" * 500}), rules=rules)
    step = advance(state, [Assigned("anonymous:7", ALL_TO_A)], rules)
    assert len(step.messages) > 5
    assert all(len(encode(m)) <= 4_000 for m in step.messages)
    assert sum(len(m.interactions) for m in step.messages if isinstance(m, Slice)) == 50


def test_a_better_copy_that_belongs_to_another_is_told_to_both() -> None:
    state = DictState()
    assignment = Assignment(1, ("customer:a", "customer:b"), NOON, {}, ("customer:a", "customer:b"), True)
    advance(state, [Assigned("device:d", assignment)], RULES)
    store(state, made("device:d", at=NOON - 1, received=9))
    better = made("device:d", at=NOON + 1, received=1)
    [m] = store(state, better).messages
    assert m == Slice("customer:a", "device:d", assignment, (better,))
    assert shown(state, "device:d") == ["e1"]


def test_whoever_was_told_of_a_copy_hears_of_a_better_one_whosever_it_is_now() -> None:
    state = DictState()
    advance(state, [Assigned("device:d", ALL_TO_A)], RULES)
    store(state, made("device:d", received=9))
    nobodys = Assignment(2, (), None, {}, ("customer:a", "customer:b"), True)
    advance(state, [Assigned("device:d", nobodys)], RULES)
    better = made("device:d", session_id="s", received=1)
    assert store(state, better).messages == [Slice("customer:a", "device:d", Assignment(2), (better,))]


# What it is told


def test_a_receiver_shows_what_the_newest_assignment_gives_it() -> None:
    state = DictState()
    x = made("anonymous:7", session_id="s")
    step = receive(state, Slice("customer:a", "anonymous:7", ALL_TO_A, (x,)))
    assert step.changed == {"customer:a"}
    assert step.entries == []
    assert shown(state, "customer:a") == ["e1"]
    receive(state, Slice("customer:a", "anonymous:7", Assignment(2, ("customer:b",)), ()))
    assert shown(state, "customer:a") == []
    receive(state, Slice("customer:a", "anonymous:7", ALL_TO_A, (x,)))  # late
    assert shown(state, "customer:a") == []


def test_a_receiver_keeps_the_better_copy() -> None:
    state = DictState()
    better, worse = made("anonymous:7", goal="x", received=1), made("anonymous:7", goal="y", received=2)
    for x in (worse, better, worse):
        receive(state, Slice("customer:a", "anonymous:7", ALL_TO_A, (x,)))
    assert Held(state, "customer:a").shown == [better]


def test_a_part_that_overtakes_its_assignment_is_shown_until_that_comes() -> None:
    state = DictState()
    first = Assignment(1, ("customer:b",))
    part = Assignment(3, ("customer:a", "customer:b"), None, {"s": "customer:a"}, (), True)
    receive(state, Slice("customer:a", "device:d", first, ()))
    receive(state, Slice("customer:a", "device:d", part, (made("device:d", session_id="s"),), whole=False))
    assert shown(state, "customer:a") == ["e1"]
    receive(state, Slice("customer:a", "device:d", Assignment(4, ("customer:b",)), ()))
    assert shown(state, "customer:a") == []
