"""Who is who: DESIGN.md's sentences as cases, then every small world against the oracle."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.caps import Caps
from pipeline.domain.identity import Edges, Facts, Link, Outcome, check, ranks, same, settle
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import UNASSIGNED, Assignment
from pipeline.domain.spreading import assign, reassign
from tests.examples import examples
from tests.oracle import strangers, truth
from tests.strategies import worlds


def edges_of(copies: list[Interaction]) -> dict[tuple[str, str], tuple[int, set[str]]]:
    """The evidence of all copies, as edges."""
    edges: dict[tuple[str, str], tuple[int, set[str]]] = {}
    for each in copies:
        for weak in each.links:
            at, sessions = edges.get((each.identifier, weak), (each.occurred_at, set()))
            edges[each.identifier, weak] = (
                min(at, each.occurred_at),
                sessions | ({each.session_id} if each.session_id else set()),
            )
    return edges


A, B, C = "customer:a", "customer:b", "customer:c"
COOKIE, PHONE, DEVICE = "anonymous:1", "phone:1", "device:1"


def test_without_evidence_nobody_is_connected() -> None:
    assert assign({}) == {}


def test_one_owner_has_everything() -> None:
    found = assign({(A, COOKIE): (5, ["s"])})
    assert found == {A: UNASSIGNED, COOKIE: Assignment(0, (A,))}
    assert found[COOKIE].owner(COOKIE, "", 1) == A  # also from before they were known
    assert found[COOKIE].owner(COOKIE, "other", 9) == A


def test_ownership_goes_down_to_the_person() -> None:
    found = assign({(A, PHONE): (5, []), (PHONE, COOKIE): (7, []), (COOKIE, DEVICE): (9, [])})
    assert found[PHONE].owners == found[COOKIE].owners == found[DEVICE].owners == (A,)


def test_a_shared_identifier_is_ambiguous() -> None:
    who = assign({(A, COOKIE): (5, ["sa", "both", "long"]), (B, COOKIE): (8, ["sb", "both"])})[COOKIE]
    assert who.ambiguous
    assert who.owners == (A, B)
    assert who.candidates == (A, B)
    assert who.until == 8
    assert who.owner(COOKIE, "sa", 99) == A
    assert who.owner(COOKIE, "sb", 1) == B
    assert who.owner(COOKIE, "both", 1) == COOKIE  # a session with any other evidence stays whole
    assert who.owner(COOKIE, "unknown", 7) == A  # before the second owner came
    assert who.owner(COOKIE, "", 8) == COOKIE


def test_the_first_owner_is_whom_any_evidence_named_first() -> None:
    # The phone speaks for B before A's own evidence: B is first, though B's own edge is the latest.
    edges: Edges = {(B, PHONE): (1, []), (PHONE, DEVICE): (3, []), (A, DEVICE): (5, []), (B, DEVICE): (9, [])}
    assert assign(edges)[DEVICE] == Assignment(0, (B, A), 5, {}, (A, B), ambiguous=True)


def test_at_equal_times_the_smaller_name_is_first() -> None:
    assert assign({(B, DEVICE): (5, []), (A, DEVICE): (5, [])})[DEVICE].owners == (A, B)
    found = assign({("loyalty:a", DEVICE): (5, []), ("customer:z", DEVICE): (5, [])})
    assert found[DEVICE].owners == ("customer:z", "loyalty:a")


def test_an_ambiguous_one_is_left_out_while_another_remains() -> None:
    edges: Edges = {
        (A, PHONE): (1, []),
        (B, PHONE): (2, []),
        (PHONE, DEVICE): (3, ["s"]),
        (C, DEVICE): (9, []),
    }
    found = assign(edges)
    assert found[PHONE].ambiguous
    assert found[DEVICE] == Assignment(0, (C,))


def test_if_all_are_ambiguous_so_is_it_and_everything_stays() -> None:
    edges: Edges = {
        (A, PHONE): (1, []),
        (B, PHONE): (2, []),
        (B, "email:1"): (1, []),
        (C, "email:1"): (2, []),
        (PHONE, DEVICE): (3, ["s"]),
        ("email:1", DEVICE): (3, ["s"]),
    }
    who = assign(edges)[DEVICE]
    assert who == Assignment(0, candidates=(A, B, C), ambiguous=True)
    assert who.owner(DEVICE, "s", 0) == DEVICE


def test_ambiguous_evidence_does_not_unsettle_a_session_but_settles_none() -> None:
    edges: Edges = {
        (A, PHONE): (1, []),
        (B, PHONE): (2, []),
        (PHONE, DEVICE): (3, ["sa", "unclear"]),
        (A, DEVICE): (4, ["sa"]),
        (B, DEVICE): (5, ["sb"]),
    }
    assert assign(edges)[DEVICE].sessions == {"sa": A, "sb": B, "unclear": ""}


def test_the_order_of_namespaces_is_a_parameter() -> None:
    assert assign({("b:1", "a:1"): (1, [])}, ("b", "a"))["a:1"].owners == ("b:1",)


@pytest.mark.parametrize(("strong", "weak"), [(A, B), (COOKIE, A), ("shoe:1", A), (A, "shoe:1"), (A, A)])
def test_evidence_that_leads_nowhere(strong: str, weak: str) -> None:
    with pytest.raises(ValueError, match="no evidence leads"):
        assign({(strong, weak): (1, [])})


@given(worlds)
@settings(max_examples=examples(500), deadline=None)
def test_it_equals_the_oracle(copies: list[Interaction]) -> None:
    found = assign(edges_of(copies))
    expected = truth(copies)
    assert found == expected.assignments
    shown: dict[str, list[Interaction]] = {}
    for name, interactions in expected.persons.items():
        for each in interactions:
            who = found.get(each.identifier, UNASSIGNED)
            assert who.owner(each.identifier, each.session_id, each.occurred_at) == name
            shown.setdefault(name, []).append(each)
    assert strangers(shown, copies) == []


class Growing:
    """A graph that grows edge by edge."""

    def __init__(self) -> None:
        self.edges: dict[tuple[str, str], tuple[int, set[str]]] = {}
        self.assignments: dict[str, Assignment] = {}

    def facts(self, weak: str) -> Facts:
        links: dict[str, Link] = {strong: link for (strong, below), link in self.edges.items() if below == weak}
        # Sessions may be left out where there is one stronger identifier alone.
        return Facts(links if len(links) > 1 else {strong: (at, ()) for strong, (at, _) in links.items()})

    def joined(self, identifier: str) -> str:
        return ""

    def below(self, identifier: str, after: str, limit: int, by_orders: bool) -> tuple[list[str], str]:
        weaker = sorted(weak for above, weak in self.edges if above == identifier and weak > after)
        return weaker[:limit], weaker[limit - 1] if len(weaker) > limit else ""

    def outcome(self, identifier: str) -> Outcome:
        return Outcome(self.assignments.get(identifier, UNASSIGNED))


@given(worlds, st.integers(1, 5), st.randoms(use_true_random=False))
@settings(max_examples=examples(300), deadline=None)
def test_growing_in_any_order_ends_the_same(copies: list[Interaction], chunk: int, shuffle: random.Random) -> None:
    expected = {name: who for name, who in assign(edges_of(copies)).items() if not same(who, UNASSIGNED)}
    shuffle.shuffle(copies)
    graph = Growing()
    for start in range(0, len(copies), chunk):
        part = copies[start : start + chunk]
        for edge, (at, sessions) in edges_of(part).items():
            before, known = graph.edges.get(edge, (at, set()))
            graph.edges[edge] = (min(at, before), known | sessions)
        looked_at = []
        for change in reassign({w for each in part for w in each.links}, graph, ranks()):
            assert change.before == graph.outcome(change.identifier)
            graph.assignments[change.identifier] = change.after.assignment
            looked_at.append(change.identifier)
        assert len(looked_at) == len(set(looked_at))
        assert graph.assignments == {n: w for n, w in assign(graph.edges).items() if not same(w, UNASSIGNED)}
    assert graph.assignments == expected


def test_what_does_not_change_does_not_spread() -> None:
    graph = Growing()
    graph.edges = {(A, PHONE): (5, set()), (PHONE, COOKIE): (5, set()), (COOKIE, DEVICE): (5, set())}
    graph.assignments = {name: who for name, who in assign(graph.edges).items() if who.owners}
    assert [found[0] for found in reassign([PHONE], graph, ranks())] == [PHONE]


def test_checking_an_edge() -> None:
    check(A, DEVICE, ranks())


FEW = Caps(links=4, owners=2, reach=3, sessions=2, freed_owners=4, freed_reach=6)


def test_an_identifier_with_too_many_owners_stands_alone_and_gives_nothing_on() -> None:
    edges: Edges = {(A, DEVICE): (1, ["s"]), (B, DEVICE): (2, []), (C, DEVICE): (3, []), (A, COOKIE): (4, [])}
    found = assign(edges, caps=FEW)
    assert found[DEVICE] == UNASSIGNED
    assert found[COOKIE].owners == (A,)
    assert assign({**edges, (DEVICE, "x:1"): (1, [])}, ("customer", "anonymous", "device", "x"), FEW)["x:1"] == (
        UNASSIGNED
    )


def test_many_identifiers_of_one_person_are_one_owner() -> None:
    edges: Edges = {(A, f"phone:{n}"): (n, []) for n in range(3)}
    edges |= {(f"phone:{n}", DEVICE): (n, []) for n in range(3)}
    assert assign(edges, caps=FEW)[DEVICE].owners == (A,)


def test_a_test_account_stands_alone_and_nobody_else_notices() -> None:
    tested: Edges = {(C, f"anonymous:{n}"): (n, []) for n in range(4)}
    found = assign({**tested, (A, "anonymous:0"): (9, [])}, caps=FEW)
    assert found["anonymous:0"].owners == (A,)
    assert found["anonymous:1"] == UNASSIGNED
    assert assign(dict(list(tested.items())[:3]), caps=FEW)["anonymous:1"].owners == (C,)


def test_shared_in_too_many_sessions_stands_alone_but_one_owner_may_have_any_number() -> None:
    mine: Edges = {(A, DEVICE): (1, ["s", "t", "u"])}
    assert assign(mine, caps=FEW)[DEVICE].owners == (A,)
    assert assign({**mine, (B, DEVICE): (1, [])}, caps=FEW)[DEVICE] == UNASSIGNED


def test_a_join_makes_the_only_owner_whatever_evidence_says() -> None:
    known = {A: Outcome(UNASSIGNED), B: Outcome(UNASSIGNED)}.__getitem__
    facts = Facts({A: (1, ())}, joined=B)
    assert settle(facts, known).assignment == Assignment(0, (B,))


def test_a_join_into_somebody_ambiguous_is_ambiguous() -> None:
    shared = Outcome(Assignment(0, (A, B), 5, {}, (A, B), ambiguous=True))
    assert settle(Facts({}, joined=PHONE), {PHONE: shared}.__getitem__).assignment == Assignment(
        0, candidates=(A, B), ambiguous=True
    )


def test_parted_counts_for_whomever_the_person_has_become() -> None:
    known = {A: Outcome(Assignment(1, (B,))), B: Outcome(UNASSIGNED), C: Outcome(UNASSIGNED)}
    above: dict[str, Link] = {A: (1, ()), B: (2, ()), C: (3, ())}
    assert settle(Facts(above, parted=(A,)), known.__getitem__).assignment.owners == (C,)
    assert settle(Facts(above, parted=(C,)), known.__getitem__).assignment.owners == (B,)
    assert settle(Facts({A: (1, ())}, parted=(A,)), known.__getitem__) == Outcome(UNASSIGNED)


def test_at_equal_times_somebody_erased_is_first_so_that_nobody_inherits() -> None:
    who = settle(Facts({A: (5, ()), "erased:9.o1": (5, ())}), lambda _: Outcome(UNASSIGNED)).assignment
    assert who.owner(DEVICE, "", 4) == "erased:9.o1"


def test_somebody_erased_stays_an_owner_and_is_no_candidate() -> None:
    erased = "erased:7.abc"
    above: dict[str, Link] = {erased: (1, ("s",)), B: (2, ("t",))}
    who = settle(Facts(above), lambda _: Outcome(UNASSIGNED)).assignment
    assert who == Assignment(0, (erased, B), 2, {"s": erased, "t": B}, (B,), ambiguous=True)
