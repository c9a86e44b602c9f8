"""What an erasure takes away, one by one, and what it leaves."""

from __future__ import annotations

from typing import Any

from pipeline.domain import exporting, records, rollup, tallies, view
from pipeline.domain.erasing import FORGET_EVENTS
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import (
    Assigned,
    Assignment,
    Erased,
    Evidence,
    Forget,
    Message,
    Misfiled,
    Scrub,
    Slice,
    Unsaid,
    erased_person,
)
from pipeline.domain.profile import Work, advance
from pipeline.domain.recalled import Recalled
from pipeline.domain.records import UNCOUNTED, Erasure, Held
from pipeline.domain.rules import Rules
from pipeline.domain.scores import UNKNOWN, Score
from pipeline.domain.state import DictState
from pipeline.domain.step import Step
from pipeline.domain.sweeping import Concern, Shared, Sweep
from tests.interactions import DAY, HOUR, NOON, SCORING, made

RULES = Rules(scoring=SCORING)
SMALL = Rules(scoring=SCORING, view_size=2, spare=0, evidence=2)
ME, A, B = "device:me", "customer:a", "customer:b"
AT = NOON + HOUR
GONE = erased_person(AT, "o1")
ERASED = Erased(A, AT, False, 1)


def old(identifier: str = A, event_id: str = "old", **fields: Any) -> Interaction:
    return made(identifier, event_id, **{"at": NOON, **fields})


def new(identifier: str = A, event_id: str = "new", **fields: Any) -> Interaction:
    return made(identifier, event_id, **{"at": AT, "received": HOUR, **fields})


def run(state: DictState, *messages: Message, rules: Rules = RULES) -> Step:
    return advance(state, list(messages), rules)


def shown(state: DictState, person: str) -> list[str]:
    return sorted(x.event_id for x in Held(state, person).shown)


def sweep(state: DictState, *ids: str, shared: tuple[Shared, ...] = (), version: int = 0) -> Sweep:
    looking = Sweep(state, Concern(ids, AT, shared, version), records.name)
    for _ in looking.look(state.scan(b"")):
        pass
    return looking


def named(state: DictState, text: str) -> list[bytes]:
    """The keys that hold a text in key or value."""
    return [key for key, value in state.data.items() if text.encode() in key or text.encode() in value]


# The profile itself


def test_nothing_names_an_erased_profile_of_which_nothing_is_left() -> None:
    state = DictState()
    run(state, Misfiled(old(links=(ME,), session_id="s", type="goal_completed")), Slice(A, ME, Assignment(1, (A,)), ()))
    run(state, ERASED, Assigned(A, Assignment(3)), Slice(A, ME, Assignment(4), ()))
    assert named(state, A) == []
    assert not view.resolve(state, A)["known"]
    assert records.erasure(state, records.name(A), {}) == Erasure(AT, False, 1)


def test_what_came_afterwards_stays() -> None:
    state = DictState()
    run(state, Misfiled(old()), Misfiled(new()), ERASED)
    assert shown(state, A) == ["new"]


def test_what_arrived_before_is_erased_whenever_it_occurred() -> None:
    state = DictState()
    run(state, Misfiled(made(A, at=AT + DAY, received=0)), ERASED)
    assert shown(state, A) == []


def profiles_of(state: DictState) -> dict[bytes, bytes]:
    """What is kept of anybody: without the tallies, which say only how many records there were."""
    return {key: value for key, value in state.data.items() if not key.startswith(tallies.PREFIX)}


def test_late_and_repeated_events_are_dropped_before_they_show_anything() -> None:
    state = DictState()
    run(state, Misfiled(old(links=(ME,))), ERASED)
    before = profiles_of(state)
    step = run(state, Misfiled(old(links=(ME,))), Misfiled(old(event_id="late", links=(ME,))))
    assert (step.entries, step.evidence, step.messages, step.scores) == ([], [], [], [])
    assert step.dropped == {"erased": 2}
    assert profiles_of(state) == before


def test_cells_keep_what_was_counted() -> None:
    state = DictState()
    run(state, Misfiled(old()), ERASED)
    run(state, Misfiled(old()))
    assert [rollup.decode(value).interactions for _, value in state.scan(rollup.PREFIX)] == [1]


def test_a_blocked_profile_takes_nothing_until_it_is_unblocked() -> None:
    state = DictState()
    step = run(state, Erased(A, AT, True, 1), Misfiled(new()), Slice(A, ME, Assignment(1, (A,)), (new(ME),)))
    assert step.dropped == {"blocked": 2}
    assert named(state, A) == []
    run(state, Erased(A, AT, False, 2), Erased(A, AT, True, 1))
    run(state, Misfiled(new()))
    assert shown(state, A) == ["new"]


def test_of_two_erasures_the_later_time_counts() -> None:
    state = DictState()
    run(state, Erased(A, AT + 1, False, 2), ERASED, Misfiled(new()))
    assert shown(state, A) == []


def test_rows_of_an_erased_person_leave_no_key() -> None:
    state = DictState()
    for n in range(4):
        run(state, Misfiled(old(event_id=f"e{n}", at=NOON - n * DAY, type="goal_completed")), rules=SMALL)
    step = run(state, Misfiled(new(at=AT + DAY, type="goal_completed")), ERASED, rules=SMALL)
    assert {row.day for row in step.unscored} == {NOON // DAY - n for n in range(3)}
    assert [(row.day, row.scores.effectiveness.n) for row in step.scores] == [((AT + DAY) // DAY, 1)]


def test_the_evidence_of_what_came_afterwards_is_told_anew() -> None:
    """identify did not believe it while an older event had said so in the same session."""
    state = DictState()
    run(state, Misfiled(old(links=(ME,), session_id="s")))
    assert run(state, Misfiled(new(links=(ME,), session_id="s"))).evidence == []
    assert run(state, ERASED).evidence == [Evidence(A, ME, AT, "s", "shop", "new")]


def test_a_state_from_nothing_is_told_beside_it() -> None:
    state = DictState()
    work = Work(state, RULES, seal=records.name, recalled=Recalled({records.name(A): Erasure(AT, False, 1)}))
    work.store(old())
    work.store(new())
    assert work.step.dropped == {"erased": 1}
    assert [x.event_id for x, *_ in work.step.entries] == ["new"]


def test_who_was_told_of_an_erased_identifier_tells_again() -> None:
    state = DictState()
    run(state, Misfiled(new(B, links=(ME, "phone:k1.p"), session_id="s")))
    assert run(state, Unsaid(B, ME, AT + 1)).evidence == []  # from before that it would not be learnt
    assert run(state, Unsaid(B, ME, AT)).evidence == [Evidence(B, ME, AT, "s", "shop", "new")]
    assert run(state, Misfiled(new(B, "e2", links=(ME,), session_id="s"))).evidence == []
    assert run(state, Unsaid("customer:nobody", ME, 0)).evidence == []


# Copies elsewhere


def test_whoever_has_copies_is_told_to_forget_them() -> None:
    state = DictState()
    run(state, Assigned(ME, Assignment(1, (A,))), Misfiled(old(ME)))
    run(state, Assigned(ME, Assignment(2, (B,))))
    step = run(state, Erased(ME, AT, False, 1))
    name = records.event_name("shop", "old")
    assert step.messages == [Forget(A, ME, (name,)), Forget(B, ME, (name,))]


def test_many_events_are_forgotten_in_several_messages() -> None:
    state = DictState()
    run(state, Assigned(ME, Assignment(1, (A,))))
    run(state, *(Misfiled(old(ME, f"e{n}")) for n in range(FORGET_EVENTS + 1)), rules=SMALL)
    step = run(state, Erased(ME, AT, False, 1))
    assert [len(m.events) for m in step.messages if isinstance(m, Forget)] == [FORGET_EVENTS, 1]


def test_forgetting_takes_the_rows_back() -> None:
    state = DictState()
    run(state, Slice(B, ME, Assignment(1, (B,)), (old(ME, type="goal_completed"),)))
    step = run(state, Forget(B, ME, (records.event_name("shop", "old"), b"x" * 16)))
    assert [(row.person, row.scores.effectiveness) for row in step.scores] == [(B, UNKNOWN)]
    assert step.changed == {B}
    assert shown(state, B) == []


def test_forgetting_what_is_not_there_leaves_no_trace() -> None:
    state = DictState()
    assert run(state, Forget(B, ME, (b"x" * 16,))).changed == set()
    assert state.data == {}


# Shared identifiers


SHARED = Assignment(2, (GONE, B), NOON + 9 * HOUR, {"b": B, "": ""}, (B,), True)


def test_nobody_inherits_what_was_shared() -> None:
    state = DictState()
    run(state, Misfiled(old(ME)), Misfiled(old(ME, "b", session_id="b")))
    run(state, Assigned(ME, Assignment(1, (A, B), NOON + 9 * HOUR, {"b": B}, (A, B), True)))
    step = run(state, Assigned(ME, SHARED))
    assert [m.to for m in step.messages if isinstance(m, Forget)] == [A]
    assert named(state, A) == []
    step = run(state, Misfiled(old(ME)), Misfiled(old(ME, "late")), Misfiled(new(ME)))
    assert [x.event_id for x, *_ in step.entries] == ["new"]
    assert shown(state, ME) == ["new"]  # nobody's, so it stays at home
    assert not [m for m in step.messages if m.to == GONE]  # type: ignore[union-attr]


def test_what_has_left_the_view_is_erased_as_well() -> None:
    state = DictState()
    run(state, Assigned(ME, Assignment(1, (A,))))
    for n in range(9):
        run(state, Misfiled(old(ME, f"e{n}", session_id="b" if n == 0 else "")), rules=SMALL)
    run(state, Assigned(ME, SHARED), rules=SMALL)
    seen = [records.decode_seen(value) for _, value in state.scan(records.prefix(ME) + records.SEEN)]
    assert [each.session_id for each in seen] == ["b"]
    assert seen[0].told == ()


def test_a_login_on_a_device_that_an_erased_person_shared_looks_at_the_view_alone() -> None:
    state = DictState()
    run(state, Assigned(ME, SHARED))
    scanned: list[bytes] = []

    class Counting(DictState):
        def scan(self, prefix: bytes, after: bytes = b"") -> Any:
            scanned.append(prefix)
            return super().scan(prefix, after)

    counting = Counting()
    counting.data = state.data
    sessions = {**SHARED.sessions, "another": B}
    run(counting, Assigned(ME, Assignment(3, SHARED.owners, SHARED.until, sessions, (B,), True)))
    assert records.prefix(ME) + records.SEEN not in scanned


def test_the_erased_are_no_candidates() -> None:
    state = DictState()
    run(state, Assigned(ME, Assignment(1, (GONE, B), None, {}, (GONE, B), True)))
    assert view.resolve(state, ME)["candidates"] == [B]


# Names elsewhere


def test_others_do_not_name_the_erased_any_more() -> None:
    state = DictState()
    x = made(B, "x", links=(ME, "phone:k1.p"), claims=("email:k1.e",), masks={"email:k1.e": "a•••"}, session_id="s")
    run(state, Misfiled(x), Slice("loyalty:b", B, Assignment(1, ("loyalty:b",)), (x,)))
    ids = (ME, "email:k1.e")
    found = sweep(state, *ids)
    assert found.naming == {B, "loyalty:b"}
    assert set(found.found) == {"mention"}
    run(state, *(Scrub(each, ids, AT) for each in found.naming))
    assert sweep(state, *ids).found == {}
    [kept] = Held(state, B).shown
    assert kept.links == ("phone:k1.p",)
    assert named(state, ME) == named(state, "email:k1.e") == []
    assert run(state, Misfiled(x)).entries == []  # still the same event


def test_what_names_them_since_is_no_remainder() -> None:
    state = DictState()
    run(state, Misfiled(new(B, links=(ME,))), Assigned(ME, Assignment(9, (B,))))
    assert sweep(state, ME, version=5).found == {}


# Sweeping


def test_a_sweep_finds_every_kind_of_remainder() -> None:
    state = DictState()
    run(state, Assigned(ME, Assignment(1, (A,))), Misfiled(old(ME, type="goal_completed")))
    run(state, Misfiled(old(links=(ME,), session_id="s", type="goal_completed")), Slice(A, ME, Assignment(1, (A,)), ()))
    run(state, Slice(A, ME, Assignment(1, (A,)), (old(ME),)))
    for n in range(9):
        run(state, Misfiled(old(event_id=f"e{n}", at=NOON + n)), rules=SMALL)
    found = sweep(state, A, ME)
    kinds = {"interaction", "seen", "copy", "alias", "session", "assignment", "sender", "scores", "name"}
    assert set(found.found) == kinds
    assert found.looked == len(state.data)


def test_a_sweep_finds_what_a_shared_identifier_still_holds() -> None:
    state = DictState()
    run(state, Misfiled(old(ME, session_id="a")), Misfiled(old(ME, "b", session_id="b")))
    run(state, Slice(B, ME, Assignment(1, (B,)), (old(ME, session_id="a"),)))
    shared = Shared(ME, GONE, owned=["a"], settled=["a", "b"])
    assert sweep(state, A, shared=(shared,)).found == {"interaction": 1, "copy": 1}


def test_a_sweep_counts_what_it_does_not_know() -> None:
    state = DictState()
    state.put(b"?", b"1")
    state.put(records.prefix(B) + b"?", b"1")
    assert sweep(state, A).found == {"unknown": 2}


def test_heads_are_no_remainder_where_there_is_something_new() -> None:
    state = DictState()
    run(state, Misfiled(new(type="goal_completed")), ERASED)
    assert sweep(state, A).found == {}


# Exporting


def test_an_export_tells_everything_in_pages() -> None:
    state = DictState()
    run(state, Misfiled(old(links=(ME,), session_id="s", type="goal_completed")))
    run(state, Slice(A, ME, Assignment(1, (A, B), None, {"s": A, "t": B}, (A, B), True), (old(ME, session_id="s"),)))
    every = list(exporting.items(state, A, ""))
    assert len(every) == len(list(state.scan(records.prefix(A))))
    for n, (key, _) in enumerate(every):
        assert list(exporting.items(state, A, exporting.cursor(key))) == every[n + 1 :]
    by_kind = {item["kind"]: item["value"] for _, item in every}
    assert by_kind["interaction"]["interaction"]["event_id"] == "old"
    assert by_kind["identifier that came along"]["identifier"] == ME
    assert by_kind["identifier of the person"]["sessions"] == ["s"]
    assert B not in str(every)


# Consent


def scores_of(*interactions: Interaction) -> Any:
    state = DictState()
    step = run(state, *map(Misfiled, interactions))
    return state, step


def test_what_may_not_be_analysed_is_in_no_score_and_no_cell() -> None:
    refused = made(A, type="goal_completed", consent={"analysis": False})
    state, step = scores_of(refused)
    assert step.entries == [(refused, None, UNCOUNTED)]
    assert step.scores == []
    assert list(state.scan(rollup.PREFIX)) == []
    assert view.context(state, A, NOON, RULES)["scores"]["effectiveness"]["n"] == 0


def test_a_better_copy_that_may_be_analysed_is_counted_once() -> None:
    state, _ = scores_of(
        made(A, received=9, consent={"analysis": False}), made(A, received=1, type="goal_completed"), made(A)
    )
    assert [rollup.decode(value).interactions for _, value in state.scan(rollup.PREFIX)] == [1]


def test_score_of_the_rest_stays() -> None:
    _, step = scores_of(
        made(A, "e1", type="goal_completed"), made(A, "e2", type="goal_completed", consent={"analysis": False})
    )
    assert [row.scores.effectiveness for row in step.scores] == [Score(100.0, 1, "observed")]
