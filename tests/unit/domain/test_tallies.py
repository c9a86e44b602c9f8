"""What became of each record, counted case by case. Whole worlds: test_convergence.py."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from pipeline.domain.messages import Erased, Message, Misfiled
from pipeline.domain.profile import Work
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from pipeline.domain.tallies import Tallies, Tally, state_key
from tests.interactions import HOUR, NOON, SCORING, made

RULES = Rules(scoring=SCORING)
SMALL = Rules(scoring=SCORING, view_size=2, spare=0)


def tallied(*messages: Message, rules: Rules = RULES) -> dict[str, Tally]:
    """The tallies after these, each in a batch of its own; what came in by the inbox is not looked at."""
    state = DictState()
    channels = set()
    for message in messages:
        work = Work(state, rules)
        work.advance(message)
        for _ in work.close():
            pass
        channels |= work.tallies.changed.keys()
    found = {channel: Tallies(state).of(channel) for channel in channels}
    assert not any(tally.difference for tally in found.values())
    return {channel: structs.replace(tally, rekeyed_in=0) for channel, tally in found.items()}


def copy(received: int, **more: Any) -> Misfiled:
    return Misfiled(made(received=received, **more))


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 1, 1)])
def test_of_several_copies_one_is_stored(order: tuple[int, ...]) -> None:
    assert tallied(*map(copy, order)) == {"web": Tally(stored=1, duplicates=2)}


@pytest.mark.parametrize("better_first", [True, False])
def test_where_copies_differ_in_their_channel_the_better_ones_counts(better_first: bool) -> None:
    copies = [copy(1, channel="phone"), copy(2, channel="web")]
    found = tallied(*(copies if better_first else reversed(copies)))
    assert found == {"phone": Tally(stored=1), "web": Tally(duplicates=1)}


def test_what_has_left_the_view_is_known_still() -> None:
    events = [copy(n, event_id=f"e{n}", at=NOON + n * HOUR) for n in range(1, 9)]
    assert tallied(*events, *events, rules=SMALL) == {"web": Tally(stored=8, duplicates=8)}


def test_what_is_erased_stays_counted_and_what_comes_again_is_refused_or_counts_anew() -> None:
    erased = Erased("customer:1", NOON + HOUR, False, 1)
    old, later = copy(1), copy(NOON + 2 * HOUR, at=NOON + 2 * HOUR, event_id="e2")
    assert tallied(old, erased, old, later) == {"web": Tally(stored=2, refused=1)}
    assert tallied(erased, old) == {"web": Tally(refused=1)}
    blocked = Erased("customer:1", NOON + HOUR, True, 1)
    assert tallied(blocked, later) == {"web": Tally(refused=1)}


def test_gaps_are_offsets_without_a_record() -> None:
    tally = Tally()
    for offset in (0, 1, 4, 5):
        tally.read(offset)
    assert tally == Tally(read_to=6, gaps=2, received=4)
    for offset in range(6):  # read again from the beginning
        tally.read(offset)
    assert tally == Tally(read_to=6, gaps=2, received=10)


def test_an_event_that_moves_is_re_keyed() -> None:
    here, there = DictState(), DictState()
    out, in_ = Tallies(here), Tallies(there)
    out.moved_out("web")
    in_.moved_in("web")
    for each in (out, in_):
        each.write()
    assert Tallies(here).of("web") == Tally(rekeyed_out=1, stored=-1)
    assert Tallies(there).of("web") == Tally(rekeyed_in=1, stored=1)
    assert list(here.data) == [state_key("web")]
    assert out.of("web").difference == in_.of("web").difference == 0
