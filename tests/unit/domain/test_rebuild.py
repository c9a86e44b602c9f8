"""Everything begins from nothing, but for the topic identity.orders: all events are read anew from Kafka."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain.orders import Erase
from pipeline.domain.rules import Rules
from tests.examples import examples
from tests.identity_machine import numbers
from tests.network import Network, interactions
from tests.oracle_rows import SCORING
from tests.strategies import DAY_MS, HOUR_MS, Copy, copies_of

ROOMY = Rules(SCORING, view_size=200)
seeds = st.integers(0, 2**32)


def copies(drawn: list[int], step_ms: int) -> list[Copy]:
    """Events, whose copies are all of one time: what was an erased person's, was so in every copy."""
    made = [copies_of(number, position, step_ms) for position, number in enumerate(drawn)]
    return [copy._replace(event=same[0].event, broker_time=same[0].broker_time) for same in made for copy in same]


@given(
    st.lists(numbers, min_size=1, max_size=9),
    st.sampled_from([1, HOUR_MS]),
    st.lists(st.integers(0, 2**16), min_size=1, max_size=3),
    seeds,
    seeds,
)
@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_rebuild_brings_back_what_was_kept_and_nothing_else(
    drawn: list[int], step_ms: int, erased: list[int], one: int, other: int
) -> None:
    sent = copies(drawn, step_ms)
    said = interactions(sent)
    names = sorted({name for each in said for name in (each.identifier, *each.links)})
    network = Network(sent, ROOMY, random.Random(one))
    network.run()
    now = max(x.received_at for x in said) + DAY_MS
    for number, which in enumerate(erased):
        who = names[which % len(names)]
        network.order(Erase(person=who, order_id=f"o{number}", reason="", by="test", at=now + number, block=False))
        network.run()

    again = Network(sent * 2, ROOMY, random.Random(other), recalled=network.recalled)
    again.run()
    kept = network.kept(names)
    assert again.kept(names) == kept
    assert again.stored.keys() == kept.keys()  # what was erased is not even sent on for a moment
    assert {name: again.view(name) for name in names} == {name: network.view(name) for name in names}
    assert again.identities == network.identities
