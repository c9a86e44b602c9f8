"""Whatever order erasures, events, assignments and slices come in: nothing from before is there in the end.

Only what `Forget` takes back comes after what it takes back: both go the same way, so queues here keep their order.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain import records, rollup
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assigned, Assignment, Erased, Message, Misfiled, Scrub, erased_person, receiver
from pipeline.domain.profile import Work, advance
from pipeline.domain.records import Held
from pipeline.domain.rules import Rules
from pipeline.domain.scores import ScoreRow, is_retraction, rows
from pipeline.domain.shelves import arrange, position
from pipeline.domain.state import DictState
from pipeline.domain.sweeping import Concern, Shared, Sweep
from tests.examples import examples
from tests.interactions import HOUR, NOON, SCORING, changed, made, pieces_of

WIDE = Rules(scoring=SCORING, cached_profiles=2)
NARROW = Rules(SCORING, view_size=3, spare=0, evidence=2, alias_sessions=2, cached_profiles=2)
TYPES = ("page_viewed", "goal_completed", "complaint_opened", "profile_updated", "order_placed")
ME, A, B = "device:me", "customer:a", "customer:b"
SESSIONS = ("", "s1", "s2", "s3")
AT = NOON + 5 * HOUR  # of the erasure: events are within nine hours
GONE = erased_person(AT, "o1")

sizes = st.integers(1, 25)
chances = st.integers(0, 2**32).map(random.Random)


def events(chance: random.Random, size: int, identifiers: tuple[str, ...]) -> list[Interaction]:
    """Events and copies of them, each event's on one side of the erasure."""
    first = [
        made(
            chance.choice(identifiers),
            f"e{n}",
            at=(at := NOON + chance.randint(0, 9) * HOUR),
            received=at - NOON,
            type=chance.choice(TYPES),
            session_id=chance.choice(SESSIONS),
            properties={"name": chance.choice("xy")},
        )
        for n in range(size)
    ]
    linked = [changed(x, links=(ME,)) if x.identifier != ME and chance.random() < 0.5 else x for x in first]
    copies = [changed(x, received_at=x.received_at + chance.randint(0, 3)) for x in chance.choices(linked, k=size // 3)]
    return linked + copies


def counting(copies: Iterable[Interaction]) -> list[Interaction]:
    """Of each event the copy that counts."""
    best: dict[tuple[str, str], Interaction] = {}
    for x in copies:
        best[x.event] = min(x, best.get(x.event, x), key=lambda copy: copy.precedence)
    return sorted(best.values(), key=position)


def cut(chance: random.Random, messages: list[Message]) -> list[list[Message]]:
    """Batches of them."""
    places = sorted(chance.choices(range(len(messages) + 1), k=chance.randint(0, 6)))
    return [messages[a:b] for a, b in zip([0, *places], [*places, len(messages)], strict=True)]


class Profiles:
    """All profiles in one state, and what waits for them: a queue for each receiver."""

    def __init__(self, chance: random.Random, rules: Rules) -> None:
        self.state = DictState()
        self.rows: dict[tuple[str, int], ScoreRow] = {}
        self._chance = chance
        self._rules = rules
        self._cache: dict[str, object] = {}
        self._queues: dict[str, deque[Message]] = defaultdict(deque)

    def run(self, batch: Iterable[Message]) -> None:
        """One batch."""
        if self._chance.random() < 0.1:
            self._cache.clear()
        work = Work(self.state, self._rules, self._cache)
        for message in batch:
            work.advance(message)
        for _ in work.close():
            pass
        for row in work.step.scores:
            self.rows[row.person, row.day] = row
        for row in work.step.unscored:
            self.rows.pop((row.person, row.day), None)
        for message in work.step.messages:
            self._queues[receiver(message)].append(message)

    def deliver(self, some: bool) -> None:
        """What waits: some of it, or all."""
        while waiting := [queue for queue in self._queues.values() if queue]:
            queue = self._chance.choice(waiting)
            self.run([queue.popleft() for _ in range(self._chance.randint(1, len(queue)))])
            if some and self._chance.random() < 0.7:
                return

    def shown(self, person: str) -> list[Interaction]:
        return sorted(Held(self.state, person).shown, key=position)

    def figures(self, person: str) -> dict[int, object]:
        """Day → scores, of the rows that were not taken back."""
        return {day: row.scores for (who, day), row in self.rows.items() if who == person and not is_retraction(row)}

    def counted(self) -> int:
        return sum(rollup.decode(value).interactions for _, value in self.state.scan(rollup.PREFIX))

    def sweep(self, concern: Concern) -> Sweep:
        """A look at all there is."""
        sweep = Sweep(self.state, concern, records.name)
        for _ in sweep.look(self.state.scan(b"")):
            pass
        assert sweep.looked == len(self.state.data)
        return sweep


def expected_figures(person: str, theirs: list[Interaction]) -> dict[int, object]:
    pieces = pieces_of(theirs)
    return {row.day: row.scores for row in rows(person, pieces, 0, SCORING)}


@given(chances, sizes, st.sampled_from((WIDE, NARROW)), st.booleans(), st.integers(0, 2))
@settings(max_examples=examples(300), deadline=None)
def test_an_erased_profile_holds_only_what_came_afterwards(
    chance: random.Random, size: int, rules: Rules, blocked: bool, earlier: int
) -> None:
    copies = events(chance, size, (A,))
    messages: list[Message] = [Misfiled(x) for x in copies + chance.choices(copies, k=size // 2)]
    # A block that an earlier order laid and a later one took back does not hold.
    erasures = [Erased(A, AT, blocked, 9), *(Erased(A, AT - n * HOUR, not blocked, n) for n in range(1, earlier + 1))]
    own: list[Message] = [*erasures, Assigned(A, Assignment(7)), Assigned(A, Assignment(6, (B,)))]
    messages = chance.sample(messages + own, len(messages) + len(own))
    profiles = Profiles(chance, rules)
    was_blocked = False
    for batch in cut(chance, messages):
        profiles.run(batch)
        profiles.deliver(some=True)
        was_blocked = was_blocked or any(isinstance(m, Erased) and m.blocked for m in batch)
    profiles.deliver(some=False)
    # Again: whatever was erased, or stored, is known.
    before = profiles.counted()
    profiles.run([Misfiled(x) for x in copies])
    profiles.deliver(some=False)

    after = [] if blocked else [x for x in counting(copies) if x.since >= AT]
    if rules is WIDE:
        assert profiles.shown(A) == after
        assert profiles.figures(A) == expected_figures(A, after)
    assert arrange(profiles.shown(A), rules, A).view == arrange(after, rules, A).view
    assert profiles.shown(B) == []
    assert profiles.sweep(Concern([A], AT)).found == {}
    if not after:
        assert not list(profiles.state.scan(records.prefix(A)))
    if not was_blocked:  # a block also takes away what came afterwards, and that may come again once it is lifted
        assert profiles.counted() == before


FORMER = (
    Assignment(1, (A,)),
    Assignment(2, (), None, {}, (A, B), True),
    Assignment(3, (A, B), AT + HOUR, {"s1": B, "s2": "", "s3": A}, (A, B), True),
    Assignment(4, (B, A), NOON + 2 * HOUR, {"s3": A}, (A, B), True),
)
SHARED = (
    (Assignment(5, (GONE, B), AT + HOUR, {"s1": B, "s2": "", "s3": GONE}, (B,), True), ["s3"], ["s1", "s2", "s3"]),
    (Assignment(5, (B, GONE), NOON + 2 * HOUR, {"s3": GONE}, (B,), True), ["s3"], ["s3"]),
    (Assignment(5, (GONE,)), [], []),
)


@given(chances, sizes, st.integers(0, 2))
@settings(max_examples=examples(300), deadline=None)
def test_nobody_inherits_what_was_on_a_shared_device(chance: random.Random, size: int, which: int) -> None:
    copies = events(chance, size, (ME, ME, A, B))
    assignment, owned, settled = SHARED[which]
    until = (AT + HOUR, None, 1 << 60)[which]
    own: list[Message] = [Erased(A, AT, False, 1), Assigned(A, Assignment(6))]
    who: list[Message] = [Assigned(ME, each) for each in (*chance.sample(FORMER, chance.randint(0, 4)), assignment)]
    messages: list[Message] = [Misfiled(x) for x in copies + chance.choices(copies, k=size // 2)]
    messages = chance.sample([*messages, *own, *who], len(messages) + len(own) + len(who))
    profiles = Profiles(chance, WIDE)
    for batch in cut(chance, messages):
        profiles.run(batch)
        profiles.deliver(some=True)
    profiles.deliver(some=False)

    theirs: dict[str, list[Interaction]] = defaultdict(list)
    for x in counting(copies):
        owner = assignment.owner(ME, x.session_id, x.occurred_at) if x.identifier == ME else x.identifier
        if owner == GONE:
            owner = ME
            if x.since < AT:
                continue
        if owner != A or x.since >= AT:
            theirs[owner].append(x)
    concern = Concern([A], AT, [Shared(ME, GONE, owned, settled, until)], version=5)
    first = profiles.sweep(concern)
    assert set(first.found) <= {"mention"}  # somebody once had copies, by an assignment long before this one
    profiles.run([Scrub(profile, (A,), AT) for profile in first.naming])
    assert profiles.sweep(concern).found == {}
    for person in (ME, A, B):
        assert profiles.shown(person) == theirs[person]
        assert profiles.figures(person) == expected_figures(person, theirs[person])
    profiles.run([Misfiled(x) for x in copies])
    profiles.deliver(some=False)
    assert profiles.counted() <= len(counting(copies))


@given(chances, sizes)
@settings(max_examples=examples(300), deadline=None)
def test_of_a_device_that_was_theirs_alone_nothing_is_left_anywhere(chance: random.Random, size: int) -> None:
    copies = events(chance, size, (ME, A))
    own: list[Message] = [
        *(Erased(A, AT, False, 1), Assigned(A, Assignment(8)), Erased(ME, AT, False, 1), Assigned(ME, Assignment(7))),
        *(Assigned(ME, each) for each in chance.sample(FORMER, chance.randint(0, 4))),
    ]
    messages: list[Message] = [*(Misfiled(x) for x in copies), *own]
    messages = chance.sample(messages, len(messages))
    profiles = Profiles(chance, WIDE)
    for batch in cut(chance, messages):
        profiles.run(batch)
        profiles.deliver(some=True)
    profiles.deliver(some=False)
    for person in (ME, A):
        after = [x for x in counting(copies) if x.identifier == person and x.since >= AT]
        assert profiles.shown(person) == after
        assert profiles.figures(person) == expected_figures(person, after)
        if not after:
            assert not list(profiles.state.scan(records.prefix(person)))
    assert profiles.shown(B) == []
    assert profiles.sweep(Concern([A, ME], AT, version=7)).found == {}
    assert profiles.figures(B) == {}


def test_what_a_parting_gives_to_the_erased_goes_as_well() -> None:
    shared = Assignment(1, (GONE, A, B), NOON + 9 * HOUR, {"s1": A, "s2": B}, (A, B), ambiguous=True)
    parted = Assignment(2, (GONE, A), NOON + 9 * HOUR, {"s1": A}, (A,), ambiguous=True)
    state = DictState()
    session = made(ME, session_id="s2")
    advance(state, [Misfiled(session), Assigned(ME, shared)], WIDE)
    assert Held(state, ME).kept != {}
    advance(state, [Assigned(ME, parted)], WIDE)
    assert Held(state, ME).kept == {}
