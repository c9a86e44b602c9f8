"""The state machine of `identity_machine` where nothing ever waits: compared in the end."""

from __future__ import annotations

import msgspec
from hypothesis.stateful import rule

from pipeline.domain.interaction import Interaction
from pipeline.domain.orders import Erase, Order
from pipeline.domain.rules import Rules
from tests.identity_machine import NAMES, SIZES, Machine, allowed, numbers, served_of
from tests.oracle import Key, Limits, strangers
from tests.oracle_orders import Story
from tests.oracle_rows import identity_rows
from tests.strategies import HOUR_MS


class Streaming(Machine):
    """Nothing ever waits: orders overtake events, and events orders. Compared in the end.

    Which orders are accepted depends on the order in which identify's log has them; what holds in the end decides.
    Where somebody is erased, this is compared: that nothing from before remains, and that nobody has more of it in the
    end than they had then, or would have without any erasure; or would have where nobody had said of the erased what
    came too late: from before, that leaves no nameless owner any more (README, limits).
    """

    def __init__(self) -> None:
        super().__init__()
        self.quiet: list[tuple[Erase, set[tuple[str, Key]], set[Key]]] = []  # what everybody had, and what there
        #   was, when somebody was erased
        self.arrived: dict[str, int] = {}  # order → the first of what was said that may have come after it

    def arrive(self, said: list[Interaction]) -> None:
        self.story.hear(said)
        self.network.run(len(said))

    def ordered(self, order: Order) -> None:
        self.network.run(1)

    @rule(number=numbers)
    def erase(self, number: int) -> None:
        if self.step_ms != HOUR_MS:
            return  # the other worlds are for comparing all
        order = self._erase(number)
        self.arrived[order.order_id] = 0
        if number % 2 and self.story.limits == Limits():  # near a cap, an erasure may take somebody below it
            self.network.run()  # so that what is from before is there, and comes no later
            self.arrived[order.order_id] = len(self.said)
            self.quiet.append((order, self._had(), set(self.story.stored)))
        self._give(order)

    def _had(self) -> set[tuple[str, Key]]:
        """Whoever is shown something of another identifier, and what."""
        views = ((name, x) for name in NAMES for x in self.network.view(name) if x.identifier != name)
        return {(name, (x.identifier, *x.event)) for name, x in views}

    def teardown(self) -> None:
        if not hasattr(self, "network"):
            return
        self.network.run()
        renewed = [found.renewed for order in self.orders if (found := self.network.ordered(order.order_id))]
        if any(isinstance(order, Erase) for order in self.orders) or any(renewed):
            self._compare_erased()
        else:
            self._compare()

    def _compare(self) -> None:
        story, network = self.story, self.network
        self._take_accepted(story)
        expected = story.truth(NAMES, SIZES[0], Rules().age_ms)
        shown = {name: view for name in NAMES if (view := network.view(name))}
        assert shown == expected.timelines
        assert served_of(network) == allowed(expected.timelines, expected.persons)
        assert network.identities == identity_rows(expected)
        story.settle((), ())
        assert strangers(shown, story.heard, self._ordered()) == []

    def _take_accepted(self, story: Story) -> None:
        """Let a story have the orders that hold in the end."""
        for order in self.orders:
            found = self.network.ordered(order.order_id)
            assert found is not None
            if found.state == "accepted":
                story.take(order)

    def _compare_erased(self) -> None:
        before: dict[str, int] = {}
        for order, whole in self._erased():
            before |= {name: max(order.at, before.get(name, 0)) for name in whole}
        for held in (self.network.kept(NAMES), self.network.lent(NAMES)):
            assert [x for x in held.values() if x.since < before.get(x.identifier, 0)] == []
        self._compare_owners()

    def _erased(self) -> list[tuple[Erase, frozenset[str]]]:
        """The erasures that were accepted, and who was erased whole by each."""
        scopes = ((order, self.network.scope(order.order_id)) for order in self.orders if isinstance(order, Erase))
        return [(order, frozenset(scope.whole)) for order, scope in scopes if scope is not None]

    def _compare_owners(self) -> None:
        """Nobody inherits anything: the story, in which nobody is erased, says what is whose without it."""
        without = self._owned(self.said) | self._owned(self._in_time())
        shown = [(name, x) for name in NAMES for x in self.network.view(name) if x.identifier != name]
        for order, had, there in self.quiet:
            gained = {
                (name, key) for name, x in shown if x.since < order.at and (key := (x.identifier, *x.event)) in there
            }
            assert gained - had - without == set(), order

    def _in_time(self) -> list[Interaction]:
        """What was said, without the links to anybody that may have come after their erasure, and are from before."""
        erased = [(order, self.arrived[order.order_id], whole) for order, whole in self._erased()]

        def late(n: int, since: int, names: set[str]) -> bool:
            return any(
                n >= first and whole & names and (since < order.at or order.block) for order, first, whole in erased
            )

        return [
            msgspec.structs.replace(
                x,
                links=tuple(weak for weak in x.links if not late(n, min(x.since, x.linked_at), {x.identifier, weak})),
            )
            for n, x in enumerate(self.said)
        ]

    def _owned(self, said: list[Interaction]) -> set[tuple[str, tuple[str, str, str]]]:
        """Who has what in the end, where this was said and nobody is erased."""
        story = Story(self.story.limits)
        story.hear(said)
        self._take_accepted(story)
        truth = story.truth(NAMES, SIZES[0], Rules().age_ms).timelines
        # Who is somebody else's without any erasure may be a person of their own, where that is only said of before it.
        persons = {name: story.who_is_who().person(name) for name in NAMES}
        return {(name, (x.identifier, *x.event)) for name in NAMES for x in truth.get(persons[name] or name, ())} | {
            (name, (x.identifier, *x.event)) for name, shown in truth.items() for x in shown
        }
