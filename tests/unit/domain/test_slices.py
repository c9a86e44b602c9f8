"""What one profile tells another: everything that concerns it, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.messages import Assignment, encode
from pipeline.domain.slices import concerning, narrowed, persons, slices
from tests.interactions import NOON, made

ME, PEOPLE, SESSIONS = "device:d", ("customer:a", "customer:b", "customer:c"), ("s1", "s2", "s3")

assignments = st.builds(
    Assignment,
    version=st.integers(1, 9),
    owners=st.lists(st.sampled_from(PEOPLE), unique=True, max_size=3).map(tuple),
    until=st.none() | st.integers(NOON - 5, NOON + 5),
    sessions=st.dictionaries(st.sampled_from(SESSIONS), st.sampled_from(("", *PEOPLE))),
)
times, some_session = st.integers(NOON - 9, NOON + 9), st.sampled_from(("", *SESSIONS))


@given(assignments, st.sampled_from(PEOPLE), some_session, times)
def test_what_concerns_a_person_gives_them_the_same(whole: Assignment, person: str, session: str, at: int) -> None:
    part = concerning(whole, person)
    assert (part.owner(ME, session, at) == person) == (whole.owner(ME, session, at) == person)
    assert set(part.sessions.values()) <= {"", person}


@given(assignments, some_session, times)
def test_what_concerns_a_session_gives_it_to_the_same(whole: Assignment, session: str, at: int) -> None:
    part = narrowed(whole, session)
    assert part.owner(ME, session, at) == whole.owner(ME, session, at)
    assert len(part.sessions) <= 1


@given(assignments, some_session, times)
def test_all_owners_are_named(whole: Assignment, session: str, at: int) -> None:
    assert whole.owner(ME, session, at) in persons(whole) | {ME}


@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(500, 4000))
def test_messages_are_bounded_and_lose_nothing(sizes: list[int], bytes_max: int) -> None:
    interactions = [made(event_id=f"e{n}", properties={"page": "x" * size}) for n, size in enumerate(sizes)]
    found = list(slices("customer:a", ME, Assignment(1), interactions, bytes_max))
    assert [x for m in found for x in m.interactions] == interactions
    assert found
    assert all(len(encode(m)) <= bytes_max or len(m.interactions) == 1 for m in found)
