"""The network as Hypothesis drives it: events, orders, erasures and restarts, one after the other or all at once.

`Resting` lets everything come to rest after each step, and compares all there is with the oracle. `identity_streaming`
goes on while messages are on their way, and compares in the end.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipeline.domain.caps import Caps
from pipeline.domain.interaction import Interaction
from pipeline.domain.orders import Erase, Free, Join, Order, Part, Unblock, Withdraw
from pipeline.domain.rules import Rules
from tests.network import IDENTIFY, KEYRING, REGION, Network, Spoil, interactions
from tests.oracle import Limits, Ordered, strangers
from tests.oracle_consent import permitted
from tests.oracle_orders import REFUSALS, Story, rank
from tests.oracle_rows import SCORING, cells, counted, identity_rows, score_rows
from tests.strategies import DAY_MS, HOUR_MS, PEOPLE, START, TIMES, VALUES, Choices, Copy, copies_of

#: Everybody there is in these worlds.
NAMES = [
    KEYRING.resolve(namespace, VALUES[namespace].format(which), REGION).identifier
    for namespace, count in PEOPLE.items()
    for which in range(count)
]
LIMITS = (
    Limits(),
    Limits(
        links=6,
        owners=3,
        reach=4,
        sessions=5,
        freed_links=8,
        freed_owners=5,
        freed_reach=6,
        freed_sessions=6,
    ),
    Limits(
        links=3,
        owners=2,
        reach=3,
        sessions=2,
        freed_links=4,
        freed_owners=3,
        freed_reach=4,
        freed_sessions=2,
    ),
)
LATER = 4  # points of time by which events go on after each erasure
SIZES = (200, 120, 5, 3)  # of a view
ROOMY = 120  # a view of that size holds all of these worlds
Views = dict[str, list[Interaction]]

numbers = st.binary(min_size=10, max_size=10).map(int.from_bytes)


class Machine(RuleBasedStateMachine):
    """What both have in common: what is sent, and what is ordered."""

    spoil: Spoil | None = None

    @initialize(
        seed=st.integers(0, 2**32),
        step_ms=st.sampled_from([1, HOUR_MS, 7 * HOUR_MS, 60 * DAY_MS]),
        limits=st.sampled_from(LIMITS),
        first=st.lists(numbers, min_size=4, max_size=16),
    )
    def begin(self, seed: int, step_ms: int, limits: Limits, first: list[int]) -> None:
        self.step_ms = step_ms
        self.story = Story(limits)
        self.network = Network([], _rules(SIZES[0]), random.Random(seed), type(self).spoil, Caps(**vars(limits)))
        self.copies: list[Copy] = []
        self.said: list[Interaction] = []
        self.events = 0
        self.orders: list[Order] = []
        self.erasures = 0
        self.send(first)

    def arrive(self, said: list[Interaction]) -> None:
        """These copies are on their way."""
        raise NotImplementedError

    def ordered(self, order: Order) -> None:
        """This order is on its way."""
        raise NotImplementedError

    def portions(self, copies: list[Copy]) -> list[list[Copy]]:
        """What is sent at once, and what after that has arrived."""
        return [copies]

    def _send(self, copies: list[Copy]) -> None:
        for some in self.portions(copies):
            said = interactions(some)
            self.copies += some
            self.said += said
            self.network.send(some)
            self.arrive(said)

    def _give(self, order: Order) -> None:
        self.orders.append(order)
        self.network.order(order)
        self.ordered(order)

    def _ordered(self) -> Ordered:
        story = self.story
        quiet = (story.unheard, story.muffled, story.forgotten)
        return Ordered(story.joins, story.parts, story.before, *quiet, story.unsaid)

    def _head(self) -> dict[str, Any]:
        return {"order_id": f"o{len(self.orders)}", "reason": "", "by": "test", "at": 1}

    @rule(drawn=st.lists(numbers, min_size=1, max_size=5))
    def send(self, drawn: list[int]) -> None:
        """Events, whose copies are all of one time: what is before an erasure, is so in every copy."""
        copies: list[Copy] = []
        for number in drawn:
            made = copies_of(number, self.events, self.step_ms)
            copies += [_later(copy, self.erasures * LATER * self.step_ms) for copy in made]
            self.events += 1
        self._send(copies)

    @rule(number=numbers)
    def forge_a_crowd(self, number: int) -> None:
        """Somebody takes the key out of a web page, and says of one customer whatever there is."""
        choices = Choices(number)
        victim = VALUES["customer"].format(choices.below(PEOPLE["customer"]))
        crowd = [(name, which) for name in ("anonymous", "device") for which in range(PEOPLE[name])]
        for name, which in crowd:
            self._forge({"customer": victim, name: VALUES[name].format(which)}, choices)

    @rule(number=numbers)
    def forge(self, number: int) -> None:
        """Somebody takes the key out of a web page, and claims what they like, as of long ago: also whom they know, and
        what they allow, under the name of an event that there is already."""
        choices = Choices(number)
        claimed = {name: VALUES[name].format(choices.below(PEOPLE[name])) for name in PEOPLE if choices.below(2)}
        self._forge(claimed or {"device": "device-0"}, choices)

    def _forge(self, identifiers: dict[str, str], choices: Choices) -> None:
        forged: dict[str, Any] = {"identifiers": identifiers, "public": True, "source": "web"}
        copies = copies_of(choices.below(2**32), self.events, self.step_ms)
        self.events += 1
        early = {"occurred_at": START - DAY_MS, "sent_at": None}
        if self.copies and not self.erasures and choices.below(3) == 2:
            known = choices.of(self.copies).event
            forged |= {name: known[name] for name in ("source", "event_id", "identifiers")}
        if choices.below(2):
            said = {"service": bool(choices.below(2)), "analysis": bool(choices.below(2))}
            forged |= {"type": "consent_changed", "consent": said, "answer": None, "details": None}
        copies = [copy._replace(event=copy.event | forged | early) for copy in copies]
        said = interactions(copies)
        assert all(x.linked_at >= x.received_at for x in said)
        assert all(weak.startswith(("anonymous:", "device:")) for x in said for weak in x.links)
        self._send(copies)

    @precondition(lambda self: self.copies)
    @rule(number=numbers)
    def send_again(self, number: int) -> None:
        choices = Choices(number)
        self._send([choices.of(self.copies) for _ in range(1 + choices.below(4))])

    @rule(number=numbers)
    def join(self, number: int) -> None:
        choices = Choices(number)
        start = choices.of(NAMES)
        stronger = [name for name in NAMES if rank(name) <= rank(start)]
        self._give(Join(from_id=start, into_id=choices.of(stronger if choices.below(8) else NAMES), **self._head()))

    @rule(number=numbers)
    def part(self, number: int) -> None:
        choices = Choices(number)
        name = choices.of(NAMES)
        who = self.story.who_is_who().who(name).is_
        near = sorted(name for name in {*who.owners, *who.candidates} if name in NAMES)
        self._give(Part(identifier=name, person=choices.of(near or NAMES), **self._head()))

    @precondition(lambda self: self.orders)
    @rule(number=numbers)
    def withdraw(self, number: int) -> None:
        choices = Choices(number)
        orders = [each.order_id for each in self.orders if isinstance(each, Join | Part | Free)]
        withdrawn = choices.of(orders) if orders and choices.below(8) else f"o{choices.below(len(self.orders) + 1)}"
        self._give(Withdraw(withdrawn=withdrawn, **self._head()))

    @precondition(lambda self: self.network.alone)
    @rule(number=numbers)
    def free(self, number: int) -> None:
        choices = Choices(number)
        names = sorted(self.network.alone) if choices.below(8) else NAMES
        self._give(Free(identifier=choices.of(names), **self._head() | {"at": self._now()}))

    @rule(node=st.integers(0, IDENTIFY))
    def restart(self, node: int) -> None:
        self.network.restart(node)

    def _erase(self, number: int) -> Erase:
        """Somebody, mostly one who is a person. All so far is from before; of what comes, some is and some is not."""
        choices = Choices(number)
        persons = [name for name in NAMES if self.story.who_is_who().person(name) == name]
        who = choices.of(persons if persons and choices.below(8) else NAMES)
        return Erase(person=who, block=choices.below(4) == 3, **self._head() | {"at": self._now()})

    def _now(self) -> int:
        """A time after all so far, for an order that tells before from after: events go on from there."""
        self.erasures += 1
        return START + self.step_ms * (TIMES + (self.erasures - 1) * LATER)


class Resting(Machine):
    """After each step everything comes to rest, and is compared."""

    def __init__(self) -> None:
        super().__init__()
        self.smallest = SIZES[0]
        self.owners: dict[str, set[str]] = {name: set() for name in NAMES}  # whose each was, at any time
        self.shared: set[str] = set()  # by several persons, at any time
        self.most = dict.fromkeys(NAMES, 0)  # interactions stored under each, at any time
        self.published: set[tuple[bytes | None, int]] = set()

    def portions(self, copies: list[Copy]) -> list[list[Copy]]:
        """After an erasure event by event: whether one is a nameless owner's may depend on what came before it."""
        if not self.story.before:
            return [copies]
        events: dict[str, list[Copy]] = {}
        for copy in copies:
            events.setdefault(copy.event["event_id"], []).append(copy)
        return list(events.values())

    def arrive(self, said: list[Interaction]) -> None:
        self.story.hear(said)
        self.rest()

    def ordered(self, order: Order) -> None:
        # Where a cap is near, an erasure may take somebody below it: then more is theirs.
        before = self._theirs() if isinstance(order, Erase) and self.story.limits == Limits() else None
        why = self.story.obey(order)
        self.rest()
        found = self.network.ordered(order.order_id)
        assert found is not None, f"{order} is lost"
        assert (found.state == "refused") == bool(why), (order, why, found.reason)
        assert not why or re.search(REFUSALS[why], found.reason), (why, found.reason)
        if before is not None:
            after = ((person, x) for person, theirs in self.shown().items() for x in theirs)
            more = [(person, x) for person, x in after if person != x.identifier and x not in before.get(person, ())]
            assert [(person, x) for person, x in more if x.since < order.at] == []  # nobody inherits anything

    @rule(number=numbers)
    def erase(self, number: int) -> None:
        self._give(self._erase(number))

    @precondition(lambda self: self.story.blocked)
    @rule(number=numbers)
    def unblock(self, number: int) -> None:
        choices = Choices(number)
        who = choices.of(sorted(self.story.blocked if self.story.blocked and choices.below(8) else self.story.before))
        self._give(Unblock(identifier=who, **self._head() | {"at": self._now()}))

    @rule(size=st.sampled_from(SIZES))
    def change_size(self, size: int) -> None:
        if size < ROOMY and self.step_ms > DAY_MS:
            return  # what is too old for a view is let go, and would be back where its newest goes
        self.smallest = min(self.smallest, size)
        self.network.use(_rules(size))
        self.rest()

    # What must be so.

    def shown(self) -> dict[str, list[Interaction]]:
        """Identifier → what it shows, where it shows anything."""
        return {name: view for name in NAMES if (view := self.network.view(name))}

    def _theirs(self) -> Views:
        """Identifier → all that is theirs: what it shows, and what is too old for it or finds no room there."""
        if self.smallest >= ROOMY and self.step_ms <= DAY_MS:
            return self.shown()
        return self.story.truth(NAMES, self.smallest, Rules().age_ms).persons

    def served(self) -> dict[str, list[tuple[str, str]]]:
        """Identifier → the events that whoever serves them is told, where there are any."""
        return served_of(self.network)

    def rest(self) -> None:
        """Let everything arrive, and compare."""
        network, story = self.network, self.story
        network.run()
        tallies = network.tallies.values()
        assert [each.difference for each in tallies] == [0] * len(tallies)
        restless = {key.decode() for key, _ in network.published - self.published if key}
        self.published = set(network.published)
        kept = network.kept(NAMES)
        roomy = self.smallest >= ROOMY
        story.settle(restless if roomy else (), kept)

        expected = story.truth(NAMES, self.smallest, Rules().age_ms)
        assert network.identities == identity_rows(expected)
        everyone = story.who_is_who()
        assert network.alone == {name for name in NAMES if everyone.who(name).alone or everyone.who(name).muted}

        shown = self.shown()
        assert strangers(shown, self.story.heard, self._ordered()) == []
        if not roomy:
            self._compare_small(shown, expected.timelines, expected.persons)
            return
        assert kept == story.stored
        assert network.lent(NAMES).keys() <= story.stored.keys()
        assert (
            network.stored.items()
            >= {key: (x.occurred_at, x.occurred_at_sent, x.received_at) for key, x in story.stored.items()}.items()
        )
        assert sum(each.stored for each in tallies) >= len(network.stored)  # what comes after an erasure, counts anew
        assert shown == expected.timelines
        certain = cells(counted(story.stored.values())) + cells(story.sunk.elements())
        found = Counter(network.cells)
        assert found >= certain
        assert found <= certain + cells(story.unsure.elements())
        assert network.scores == score_rows(expected)
        assert self.served() == allowed(expected.timelines, expected.persons)

    def _compare_small(self, shown: Views, expected: Views, persons: Views) -> None:
        """Exact, but for what comes from an identifier that several persons share, and that holds more than a view; or
        of which a better copy moved something to another time: what it had pushed out of a full view is not sought.
        """
        own = Counter(key[0] for key in self.story.stored)
        for person, theirs in persons.items():
            for x in theirs:
                self.owners[x.identifier].add(person)
        for name in NAMES:
            self.most[name] = max(self.most[name], own[name])
            who = self.story.who_is_who().who(name).is_
            self.owners[name] |= {*who.owners, *who.candidates} & set(NAMES)
            if who.owners[1:]:
                self.shared.add(name)
        times: dict[tuple[str, tuple[str, str]], set[int]] = {}
        for x in self.said:
            times.setdefault((x.identifier, x.event), set()).add(x.occurred_at)
        moved = {name for (name, _), found in times.items() if len(found) > 1}
        crowded = [name for name in NAMES if name in moved or (name in self.shared and self.most[name] > self.smallest)]
        touched = {*crowded, *(person for name in crowded for person in self.owners[name])}
        for name in NAMES:
            assert {x.event for x in shown.get(name, ())} <= {x.event for x in persons.get(name, ())}
            if name not in touched:
                assert shown.get(name, [])[: self.smallest] == expected.get(name, [])
                may = [x.event for x in permitted(name, persons.get(name, ()), "service")]
                told = [(x["source"], x["event_id"]) for x in self.network.context(name)["timeline"]]
                assert told == [x.event for x in shown.get(name, ()) if x.event in may]


def served_of(network: Network) -> dict[str, list[tuple[str, str]]]:
    """Identifier → the events that whoever serves them is told, where there are any."""
    told = {name: network.context(name)["timeline"] for name in NAMES}
    return {name: [(x["source"], x["event_id"]) for x in shown] for name, shown in told.items() if shown}


def allowed(timelines: Views, persons: Views) -> dict[str, list[tuple[str, str]]]:
    """The same, as people allow it."""
    found = {}
    for person, shown in timelines.items():
        may = list(permitted(person, persons[person], "service"))
        if told := [x.event for x in shown if x in may]:
            found[person] = told
    return found


def _later(copy: Copy, ms: int) -> Copy:
    """The copy with all its times moved on, and without a clock of the source's own."""
    event = copy.event
    times = {name: event[name] + ms for name in ("occurred_at", "received_at") if event[name] is not None}
    return copy._replace(event=event | times | {"sent_at": None}, broker_time=copy.broker_time + ms)


def _rules(size: int) -> Rules:
    return Rules(SCORING, view_size=size, spare=10 if size >= ROOMY else 0)
