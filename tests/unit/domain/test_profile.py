"""A profile's rules, one by one."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from pipeline.domain import records, rollup, tallies
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assigned, Assignment, Evidence, Misfiled, Slice, Unsaid
from pipeline.domain.profile import Work, advance
from pipeline.domain.records import Held
from pipeline.domain.rollup import Cell, CellKey
from pipeline.domain.rules import Rules
from pipeline.domain.scores import UNKNOWN, Score
from pipeline.domain.shelves import arrange
from pipeline.domain.state import DictState
from pipeline.domain.step import Step
from tests.interactions import DAY, HOUR, MINUTE, NOON, SCORING, made

RULES = Rules(scoring=SCORING)
SMALL = Rules(scoring=SCORING, view_size=4, spare=0, evidence=2, alias_sessions=3)
ALL_TO_A = Assignment(version=1, owners=("customer:a",))


def store(state: DictState, *interactions: Interaction, rules: Rules = RULES) -> Step:
    """One batch of interactions."""
    return advance(state, [Misfiled(x) for x in interactions], rules)


def shown(state: DictState, person: str = "customer:1") -> list[str]:
    """The events that a profile shows, oldest first."""
    return [x.event_id for x in sorted(Held(state, person).shown, key=lambda x: x.position)]


def cells(state: DictState) -> dict[bytes, Cell]:
    return {key: rollup.decode(value) for key, value in state.scan(rollup.PREFIX)}


def row_values(step: Step) -> dict[tuple[str, int], tuple[Score, ...]]:
    return {(row.person, row.day): row.scores.dimensions for row in step.scores}


# Storing


def test_a_new_interaction_is_kept_published_and_counted() -> None:
    state = DictState()
    x = made()
    step = store(state, x)
    assert step.entries == [(x, None, 1)]
    assert step.changed == {"customer:1"}
    assert shown(state) == ["e1"]
    assert [cell.interactions for cell in cells(state).values()] == [1]


def uncounted(data: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """A state but for its tallies, which count repeats too."""
    return {key: value for key, value in data.items() if key[:1] != tallies.PREFIX}


def test_a_repeat_changes_nothing() -> None:
    state = DictState()
    store(state, made())
    before = dict(state.data)
    step = store(state, made(), made())
    assert (step.entries, step.changed, step.scores) == ([], set(), [])
    assert uncounted(state.data) == uncounted(before)


@pytest.mark.parametrize("better_first", [True, False])
def test_the_copy_received_first_counts_in_any_order(better_first: bool) -> None:
    state = DictState()
    worse = made(touchpoint="checkout", type="goal_completed", received=50)
    better = made(touchpoint="cart", type="goal_abandoned", received=10)
    for x in (better, worse) if better_first else (worse, better):
        store(state, x)
    [kept] = Held(state, "customer:1").shown
    assert kept == better
    counted = {key: cell.interactions for key, cell in cells(state).items() if cell.interactions}
    assert len(counted) == 1
    assert b"cart" in next(iter(counted))
    assert not any(any(cell.sums) for key, cell in cells(state).items() if b"checkout" in key)


def test_a_better_copy_is_published_anew() -> None:
    state = DictState()
    store(state, made(received=50))
    better = made(received=10)
    assert store(state, better).entries == [(better, None, 1)]


def test_a_better_copy_that_says_something_else_rewrites_the_scores() -> None:
    state = DictState()
    store(state, made(type="goal_completed", received=50), rules=RULES)
    step = store(state, made(type="page_viewed", received=10))
    assert row_values(step) == {("customer:1", NOON // DAY): (UNKNOWN, UNKNOWN, UNKNOWN)}


def test_the_same_event_id_of_another_source_is_another_event() -> None:
    state = DictState()
    store(state, made(source="shop"), made(source="app"))
    assert shown(state) == ["e1", "e1"]


# What leaves


def test_the_oldest_leave_once_a_quarter_too_many_are_held() -> None:
    state = DictState()
    for n in range(20):
        store(state, made(event_id=f"e{n:02}", at=NOON + n), rules=SMALL)
        assert len(shown(state)) <= 6
    assert shown(state)[-4:] == ["e16", "e17", "e18", "e19"]


def test_an_event_that_has_left_is_still_known() -> None:
    state = DictState()
    for n in range(20):
        store(state, made(event_id=f"e{n:02}", at=NOON + n), rules=SMALL)
    step = store(state, made(event_id="e00", at=NOON, received=5), rules=SMALL)
    assert step.entries == []
    assert sum(cell.interactions for cell in cells(state).values()) == 20


def test_a_better_copy_of_an_event_that_has_left_takes_its_count_back() -> None:
    state = DictState()
    store(state, made(event_id="e00", type="goal_completed", received=50), rules=SMALL)
    for n in range(1, 20):
        store(state, made(event_id=f"e{n:02}", type="goal_completed", at=NOON + n), rules=SMALL)
    assert "e00" not in shown(state)
    better = made(event_id="e00", at=NOON + HOUR, touchpoint="cart", received=10)
    step = store(state, better, rules=SMALL)
    assert step.entries == [(better, None, 1)]
    assert shown(state)[-1] == "e00"
    by_touchpoint = {key.rpartition(b"|")[2]: cell for key, cell in cells(state).items()}
    assert by_touchpoint[b"product_page"].interactions == 19
    assert by_touchpoint[b"product_page"].sums[3] == 19
    assert by_touchpoint[b"cart"].interactions == 1


def test_a_better_copy_that_moves_out_of_view_leaves_no_hole() -> None:
    state, rules = DictState(), Rules(view_size=4, spare=2)
    store(state, made(event_id="moved", at=NOON + HOUR, received=50), rules=rules)
    for n in range(20):
        store(state, made(event_id=f"e{n:02}", at=NOON + n), rules=rules)
    store(state, made(event_id="moved", at=NOON - HOUR, received=10), rules=rules)
    assert [x.event_id for x in arrange(Held(state, "customer:1").shown, rules, "customer:1").view] == [
        "e19",
        "e18",
        "e17",
        "e16",
    ]


def test_what_a_shelf_holds_stays_beyond_the_view() -> None:
    state = DictState()
    store(state, made(event_id="trait", type="profile_updated", properties={"name": "Ada"}, at=NOON - 1))
    store(state, made(event_id="order", type="order_placed", at=NOON - 2), rules=SMALL)
    for n in range(20):
        store(state, made(event_id=f"e{n:02}", at=NOON + n), rules=SMALL)
    assert shown(state)[:2] == ["order", "trait"]


def test_nothing_is_much_older_than_the_newest() -> None:
    state = DictState()
    store(state, made(event_id="trait", type="profile_updated", properties={"name": "Ada"}, at=NOON - 401 * DAY))
    for n in range(20):
        store(state, made(event_id=f"e{n:02}", at=NOON + n), rules=SMALL)
    assert "trait" not in shown(state)


def test_looking_for_what_can_leave_is_rare() -> None:
    class Counting(DictState):
        scans = 0

        def scan(self, prefix: bytes) -> Iterable[tuple[bytes, bytes]]:  # type: ignore[override]
            Counting.scans += 1
            return super().scan(prefix)

    state, rules = Counting(), Rules(view_size=100, spare=0)
    for n in range(1000):
        store(state, made(event_id=f"e{n:04}", at=NOON + n), rules=rules)
    assert Counting.scans <= 3 * (1000 / 25 + 1)


# Evidence of identity


def test_an_event_with_weaker_identifiers_is_evidence() -> None:
    step = store(DictState(), made(links=("email:k1.x", "anonymous:7"), session_id="s"))
    assert step.evidence == [
        Evidence("customer:1", "email:k1.x", NOON, "s", "shop", "e1"),
        Evidence("customer:1", "anonymous:7", NOON, "s", "shop", "e1"),
    ]


def test_only_new_sessions_and_earlier_times_are_evidence_again() -> None:
    state = DictState()

    def told(event_id: str, at: int, session_id: str) -> bool:
        return bool(
            store(state, made(event_id=event_id, at=at, links=("anonymous:7",), session_id=session_id)).evidence
        )

    assert told("e1", NOON, "s1")
    assert not told("e2", NOON + 1, "s1")
    assert told("e3", NOON + 2, "s2")
    assert not told("e4", NOON + 3, "s1")
    assert told("e5", NOON - 1, "s1")
    assert not told("e6", NOON, "s2")
    assert not told("e7", NOON, "")
    assert told("e8", NOON - 2, "")


def test_what_a_public_key_says_is_told_apart() -> None:
    """What it has said once, a trusted source may say again, and the other way round."""
    state = DictState()

    def told(event_id: str, at: int, session_id: str, public: bool) -> list[bool]:
        x = made(event_id=event_id, at=at, links=("anonymous:7",), session_id=session_id, public=public, received=-9)
        return [each.public for each in store(state, x).evidence]

    assert told("e1", NOON, "s1", True) == [True]
    assert told("e2", NOON + 1, "s1", True) == []
    assert told("e3", NOON + 2, "s1", False) == [False]
    assert told("e4", NOON + 3, "s1", False) == told("e5", NOON + 3, "s1", True) == []
    assert told("e6", NOON + 4, "s2", True) == [True]
    assert told("e7", NOON + 5, "s2", False) == [False]
    assert told("e8", NOON - 1, "", False) == [False]
    assert told("e9", NOON - 1, "", True) == [True]


def test_what_was_told_in_an_earlier_layout_counts_as_told_by_trusted_sources() -> None:
    state = DictState()
    store(state, made(links=("anonymous:7",)))
    key = b"pcustomer:1\0lanonymous:7"
    state.put(key, msgspec.msgpack.encode([NOON, 0]))
    assert store(state, made(event_id="e2", at=NOON + 1, links=("anonymous:7",))).evidence == []
    assert store(state, made(event_id="e3", at=NOON + 1, links=("anonymous:7",), public=True)).evidence != []


def test_after_all_was_forgotten_all_is_told_again() -> None:
    state, me = DictState(), "customer:1"
    links = ("anonymous:7", "device:7")
    store(state, made(links=links, session_id="s"))
    again = advance(state, [Unsaid(me, "", NOON + 1, 3)], Rules())
    assert again.evidence == []  # what is here is from before
    assert len(store(state, made(event_id="e2", at=NOON + 2, received=2, links=links, session_id="s")).evidence) == 2
    assert store(state, made(event_id="e3", at=NOON + 3, received=3, links=links, session_id="s")).evidence == []
    repeated = advance(state, [Unsaid(me, "", NOON + 1, 3)], Rules())
    assert repeated.evidence == []
    assert len(advance(state, [Unsaid(me, "", NOON + 1, 5)], Rules()).evidence) == 2  # and what is here by now


def test_every_copy_is_evidence() -> None:
    state = DictState()
    store(state, made(links=("anonymous:7",), received=1))
    step = store(state, made(links=("anonymous:7",), at=NOON - 5, received=2))
    assert step.entries == []
    assert [e.occurred_at for e in step.evidence] == [NOON - 5]


def test_the_memory_of_sessions_is_bounded() -> None:
    state = DictState()
    for n in range(30):
        store(state, made(event_id=f"e{n}", at=NOON + n, links=("anonymous:7",), session_id=f"s{n}"), rules=SMALL)
    assert len(list(state.scan(records.prefix("customer:1") + records.SESSION))) <= 4


# Scores


def test_evidence_makes_a_row_for_its_day_and_all_later_ones() -> None:
    state = DictState()
    store(state, made(event_id="e2", type="goal_completed", at=NOON + 2 * DAY))
    step = store(state, made(event_id="e1", type="complaint_opened"))
    assert {day for _, day in row_values(step)} == {NOON // DAY, NOON // DAY + 2}
    assert row_values(step)["customer:1", NOON // DAY + 2] == (
        Score(100.0, 1, "observed"),
        UNKNOWN,
        Score(0.0, 1, "observed"),
    )


def test_one_row_is_written_for_a_day_however_much_comes_in_a_batch() -> None:
    step = store(DictState(), *(made(event_id=f"e{n}", type="goal_completed", at=NOON + n) for n in range(9)))
    [row] = step.scores
    assert row.scores.effectiveness == Score(100.0, 9, "observed")


def test_rows_are_taken_back_when_everything_is_somebody_elses() -> None:
    state = DictState()
    store(
        state, *(made("anonymous:7", f"e{n}", type="goal_completed", at=NOON + n * DAY) for n in range(5)), rules=SMALL
    )
    step = advance(state, [Assigned("anonymous:7", ALL_TO_A)], SMALL)
    assert row_values(step) == {("anonymous:7", NOON // DAY + n): (UNKNOWN, UNKNOWN, UNKNOWN) for n in range(5)}


def test_a_receivers_rows_follow_what_it_is_given() -> None:
    state = DictState()
    x = made("anonymous:7", type="goal_completed")
    given = advance(state, [Slice("customer:a", "anonymous:7", ALL_TO_A, (x,))], RULES)
    assert row_values(given) == {("customer:a", NOON // DAY): (Score(100.0, 1, "observed"), UNKNOWN, UNKNOWN)}
    taken = advance(state, [Slice("customer:a", "anonymous:7", Assignment(2), ())], RULES)
    assert row_values(taken) == {("customer:a", NOON // DAY): (UNKNOWN, UNKNOWN, UNKNOWN)}


def test_evidence_that_is_only_too_old_keeps_its_row() -> None:
    state = DictState()
    for n in range(12):
        store(state, made(event_id=f"e{n:02}", type="goal_completed", at=NOON + n * DAY), rules=SMALL)
    step = store(state, made(event_id="e11", type="page_viewed", at=NOON + 11 * DAY, received=-1), rules=SMALL)
    assert row_values(step) == {("customer:1", NOON // DAY + 11): (UNKNOWN, UNKNOWN, UNKNOWN)}


def test_what_was_let_go_and_comes_again_counts_once() -> None:
    state = DictState()
    old = made("anonymous:7", "old", type="goal_completed", at=NOON - 401 * DAY)
    news = [made(event_id=f"e{n}", at=NOON + n) for n in range(9)]
    advance(state, [Slice("customer:1", "anonymous:7", Assignment(1, ("customer:1",)), (old,))], SMALL)
    store(state, *news, rules=SMALL)
    assert "old" not in [x.event_id for x in arrange(Held(state, "customer:1").shown, SMALL, "customer:1").view]
    again = Slice("customer:1", "anonymous:7", Assignment(2, ("customer:1",)), (old,))
    advance(state, [again], SMALL)
    ledger = records.decode_ledger(state.data[records.prefix("customer:1") + records.LEDGER])
    assert [p.event_id for p in ledger.pieces] in (["old"], [])


# Work


def test_a_cache_of_heads_makes_no_difference_but_is_bounded() -> None:
    state, plain = DictState(), DictState()
    cache: dict[str, object] = {}
    rules = Rules(scoring=SCORING, view_size=4, cached_profiles=8)
    for n in range(60):
        x = made(f"customer:{n % 13}", f"e{n}", type="goal_completed", links=("device:d",), at=NOON + n)
        work = Work(state, rules, cache)
        work.advance(Misfiled(x))
        for _ in work.close():
            pass
        advance(plain, [Misfiled(x)], rules)
        assert len(cache) <= 8
    assert state.data == plain.data


def test_closing_pauses_now_and_then() -> None:
    work = Work(DictState(), RULES)
    for n in range(200):
        work.store(made(f"customer:{n}"))
    assert len(list(work.close())) == 3


def test_work_knows_profiles_that_are_here() -> None:
    state = DictState()
    store(state, made())
    work = Work(state, RULES)
    assert work.knows("customer:1")
    assert not work.knows("customer:2")


def test_cells_stand_under_what_they_count() -> None:
    state = DictState()
    work = Work(state, RULES)
    work.store(made(at=NOON, type="call_ended", channel="phone", touchpoint="call_queue", measures={"wait_s": 50.0}))
    window = NOON - NOON % (15 * MINUTE)
    assert list(work.rollup.cells) == [CellKey(window, "call_queue", "phone", 1)]
    [(key, cell)] = work.rollup.cells.items()
    fields = rollup.fields(key, 3, cell)
    assert (fields["partition"], fields["interactions"]) == (3, 1)
    assert (fields["ease_observed_n"], fields["ease_observed_sum"], fields["ease_observed_sum2"]) == (1, 75.0, 5625.0)
    assert fields["ease_asked_n"] == 0
