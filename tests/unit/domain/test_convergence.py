"""The central promise: any interleaving and duplication of the same events ends in the same persons, timelines and
scores, equal to what a batch function computes from the whole set, and nobody is shown what is not theirs.

The real stages run on real bytes; only Kafka and RocksDB are stood in for (tests/network.py).
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Evidence
from pipeline.domain.orders import Order
from pipeline.domain.rules import Rules
from pipeline.partition import partition_of
from tests.examples import examples
from tests.network import PARTITIONS, Network, Spoil, interactions
from tests.oracle import Truth, strangers, truth
from tests.oracle_consent import permitted
from tests.oracle_rows import SCORING, cells, counted, identity_rows, score_rows
from tests.strategies import Copy, Sent, sent_worlds, world_of

RULES = Rules(SCORING)
SMALL = Rules(SCORING, view_size=5, spare=0)

quick = settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2**32)


def ended(copies: list[Copy], seed: int, rules: Rules = RULES, spoil: Spoil | None = None) -> Network:
    """The network after everything has arrived."""
    network = Network(copies, rules, random.Random(seed), spoil)
    network.run()
    return network


def everyone(said: list[Interaction]) -> set[str]:
    """Every identifier that was named."""
    return {name for each in said for name in (each.identifier, *each.links)}


def views(network: Network, said: list[Interaction]) -> dict[str, list[Interaction]]:
    """Identifier → what it shows, where it shows anything."""
    return {name: shown for name in sorted(everyone(said)) if (shown := network.view(name))}


def served(network: Network, said: list[Interaction]) -> dict[str, list[tuple[str, str]]]:
    """Identifier → the events that whoever serves them is told, where there are any."""
    told = {name: network.context(name)["timeline"] for name in sorted(everyone(said))}
    return {name: [(x["source"], x["event_id"]) for x in shown] for name, shown in told.items() if shown}


def allowed(expected: Truth) -> dict[str, list[tuple[str, str]]]:
    """The same, as people allow it."""
    found = {}
    for person, theirs in expected.persons.items():
        may = list(permitted(person, theirs, "service"))
        if shown := [x.event for x in expected.timelines[person] if x in may]:
            found[person] = shown
    return found


@given(sent_worlds, seeds)
@quick
def test_everything_ends_as_the_oracle_says(sent: Sent, seed: int) -> None:
    said = interactions(sent.copies)
    expected = truth(said)
    network = ended(sent.copies, seed)

    shown = views(network, said)
    assert shown == expected.timelines
    assert strangers(shown, said) == []
    assert served(network, said) == allowed(expected)

    assert network.identities == identity_rows(expected)

    stored = [x for theirs in expected.persons.values() for x in theirs]
    assert network.stored == {
        (x.identifier, x.source, x.event_id): (x.occurred_at, x.occurred_at_sent, x.received_at) for x in stored
    }
    assert network.cells == cells(counted(stored))
    assert network.scores == score_rows(expected)


@given(sent_worlds, seeds)
@quick
def test_the_tallies_say_what_became_of_every_record(sent: Sent, seed: int) -> None:
    """Whatever was repeated, done again or astray: they count what was delivered, and what the oracle stores."""
    expected = truth(interactions(sent.copies))
    network = ended(sent.copies, seed)
    assert [each.difference for each in network.tallies.values()] == [0] * len(network.tallies)
    assert {place: each.received for place, each in network.tallies.items() if each.received} == {
        (topic.partition(".")[2], node): count
        for (topic, node), count in network.delivered.items()
        if node < PARTITIONS
    }
    stored = Counter(
        (x.channel, partition_of(x.identifier, PARTITIONS)) for theirs in expected.persons.values() for x in theirs
    )
    assert {place: each.stored for place, each in network.tallies.items() if each.stored} == stored
    assert not any(each.rejected or each.refused for each in network.tallies.values())


@given(sent_worlds, seeds, seeds)
@quick
def test_any_two_orders_end_the_same(sent: Sent, one: int, other: int) -> None:
    said = interactions(sent.copies)
    first, second = ended(sent.copies, one), ended(sent.copies * 2, other)
    assert views(first, said) == views(second, said)
    assert first.identities == second.identities
    assert first.stored == second.stored
    assert first.cells == second.cells


@given(sent_worlds, seeds)
@quick
def test_a_small_view_shows_the_newest(sent: Sent, seed: int) -> None:
    """Exact, but for what comes from a shared identifier that holds more of its own than a view does, or older.

    All copies are of one time here: a better one that moves out of a view without `spare` leaves a hole in it.
    """
    copies = [copy._replace(event=copy.event | {"sent_at": None}) for copy in sent.copies]
    said = interactions(copies)
    expected = truth(said, size=SMALL.view_size)
    own = defaultdict(list)
    for x in (x for theirs in expected.persons.values() for x in theirs):
        own[x.identifier].append(x.occurred_at)
    crowded = {
        name
        for name, who in expected.assignments.items()
        if who.owners[1:]
        and (len(at := own[name]) > SMALL.view_size or max(at, default=0) - min(at, default=0) > SMALL.age_ms)
    }
    touched = crowded | {person for name in crowded for person in expected.assignments[name].owners}
    shown = views(ended(copies, seed, SMALL), said)
    assert {name: view for name, view in shown.items() if name not in touched} == {
        name: view for name, view in expected.timelines.items() if name not in touched
    }
    assert strangers(shown, said) == []


# Wrong on purpose: each of these must be noticed, or the comparison above is worth nothing.


def _without_sessions(evidence: Evidence | Order) -> Evidence | Order:
    return msgspec.structs.replace(evidence, session_id="")


def _without_times(evidence: Evidence | Order) -> Evidence | Order:
    return msgspec.structs.replace(evidence, occurred_at=0)


def _of_one_customer(evidence: Evidence | Order) -> Evidence | Order:
    assert isinstance(evidence, Evidence)
    return msgspec.structs.replace(evidence, strong="customer:c0") if evidence.strong < "customer:d" else evidence


def _found(what: Callable[[Sent], bool]) -> bool:
    """Whether it is true of any of a few hundred worlds."""
    chance = random.Random(1)
    return any(what(world_of([chance.getrandbits(80) for _ in range(20)], 1)) for _ in range(300))


def _differs(sent: Sent, spoil: Spoil | None) -> bool:
    said = interactions(sent.copies)
    return views(ended(sent.copies, 1, spoil=spoil), said) != truth(said).timelines


def _shows_strangers(sent: Sent, spoil: Spoil) -> bool:
    said = interactions(sent.copies)
    return strangers(views(ended(sent.copies, 1, spoil=spoil), said), said) != []


@pytest.mark.parametrize("spoil", [_without_sessions, _without_times, _of_one_customer])
def test_what_is_wrong_is_noticed(spoil: Spoil) -> None:
    assert _found(lambda sent: _differs(sent, spoil))


def test_mistaking_one_customer_for_another_is_noticed_without_knowing_the_rules() -> None:
    assert _found(lambda sent: _shows_strangers(sent, _of_one_customer))


def test_in_the_same_worlds_nothing_else_is_wrong() -> None:
    assert not _found(lambda sent: _differs(sent, None))
