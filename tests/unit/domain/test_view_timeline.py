"""What a profile shows: its timeline in pages, and whose an identifier is."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import view
from pipeline.domain.messages import Assigned, Assignment, Message, Misfiled, Slice
from pipeline.domain.profile import advance
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from tests.interactions import NOON, made
from tests.viewing import ME, RULES


def pages(state: DictState, limit: int, channel: str | None = None) -> list[str]:
    """All events, page after page."""
    found: list[str] = []
    before: str | None = None
    while True:
        page = view.timeline(state, ME, RULES, limit, before, channel)
        assert len(page["timeline"]) <= limit
        found += [e["event_id"] for e in page["timeline"]]
        before = page["next"]
        if before is None:
            return found


@given(st.integers(1, 12))
def test_pages_follow_each_other_without_gap_or_repeat(limit: int) -> None:
    state = DictState()
    channels = ("web", "phone")
    stored = [made(event_id=f"e{n:02}", at=NOON + n // 3, channel=channels[n % 2]) for n in range(20)]
    advance(state, [Misfiled(x) for x in stored], RULES)
    newest_first = [x.event_id for x in stored][::-1]
    assert pages(state, limit) == newest_first
    assert pages(state, limit, "phone") == newest_first[::2]


def test_a_page_before_nothing_is_empty() -> None:
    state = DictState()
    advance(state, [Misfiled(made())], RULES)
    told = view.timeline(state, ME, RULES, 50, view.cursor((NOON, "", "")), None)
    assert told == {"timeline": [], "next": None, "complete": True}


def test_a_timeline_that_was_cut_says_so() -> None:
    state, rules = DictState(), Rules(view_size=4, spare=0)
    for n in range(5):
        advance(state, [Misfiled(made(event_id=f"e{n}", at=NOON + n))], rules)
    assert view.timeline(state, ME, rules, 50, None, None)["complete"] is False
    few = DictState()
    advance(few, [Misfiled(made())], rules)
    assert view.timeline(few, ME, rules, 50, None, None)["complete"] is True


def test_a_timeline_with_a_share_of_something_may_not_be_all() -> None:
    state = DictState()
    shared = Assignment(1, (ME, "customer:2"), NOON + 1, {}, (ME, "customer:2"), True)
    advance(state, [Slice(ME, "device:d", shared, (made("device:d"),))], RULES)
    told = view.timeline(state, ME, RULES, 50, None, None)
    assert (len(told["timeline"]), told["complete"]) == (1, False)


@given(st.tuples(st.integers(0, 1 << 50), st.text(), st.text()))
def test_a_cursor_comes_back(at: tuple[int, str, str]) -> None:
    try:
        text = view.cursor(at)
    except UnicodeEncodeError:  # half a surrogate pair: no stored name holds one
        return
    assert text.isascii()
    assert view.position(text) == at


@given(st.text() | st.text("abcdefgABCDEFG0123456789-_=", max_size=40))
def test_a_cursor_of_nobodys_making_is_refused(text: str) -> None:
    try:
        at, source, event_id = view.position(text)
    except ValueError:
        return
    assert isinstance(at, int)
    assert isinstance(source + event_id, str)


@pytest.mark.parametrize(
    "data", [b"[1,2,3]", b'[true,"a","b"]', b"{}", b'[1,"a"]', b"[" * 5000, b"\xff", b'[1e999,"",""]']
)
def test_a_cursor_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a place"):
        view.position(urlsafe_b64encode(data).decode())


@given(st.integers(631_152_000_000, 4_102_444_800_000))
def test_times_come_back(ms: int) -> None:
    assert view.time_ms(view.time_text(ms)) == ms


def test_an_entry_knows_its_place() -> None:
    assert view.entry_position(view.entry(made())) == made().position


def resolve(*messages: Message, identifier: str = "anonymous:7") -> dict[str, Any]:
    state = DictState()
    advance(state, messages, RULES)
    return view.resolve(state, identifier)


NOTHING = {"initials": "", "last_seen": None}


def test_an_unknown_identifier_resolves_to_itself() -> None:
    assert resolve() == {
        "id": "anonymous:7",
        "known": False,
        "ambiguous": False,
        "person": "anonymous:7",
        "candidates": [],
        **NOTHING,
    }


def test_a_profile_of_its_own_shows_who_it_is() -> None:
    told = resolve(
        Misfiled(made(type="profile_updated", properties={"first_name": "Ada", "last_name": "King"})), identifier=ME
    )
    assert (told["known"], told["person"], told["initials"]) == (True, ME, "AK")
    assert told["last_seen"] == "2023-11-14T22:13:20.000Z"


def test_one_owner_is_the_person() -> None:
    told = resolve(Misfiled(made("anonymous:7")), Assigned("anonymous:7", Assignment(1, (ME,))))
    assert (told["known"], told["ambiguous"], told["person"], told["candidates"]) == (True, False, ME, [])


@pytest.mark.parametrize("owners", [(ME, "customer:2"), ()])
def test_an_ambiguous_one_has_candidates_and_no_person(owners: tuple[str, ...]) -> None:
    assignment = Assignment(1, owners, None, {}, (ME, "customer:2"), True)
    told = resolve(Assigned("anonymous:7", assignment))
    assert (told["known"], told["ambiguous"], told["person"]) == (True, True, None)
    assert told["candidates"] == [ME, "customer:2"]


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({}, ""),
        ({"name": "Ada King"}, "AK"),
        ({"name": "ada"}, "A"),
        ({"name": "Ada Augusta Byron Maria King"}, "AAK"),
        ({"name": "  "}, ""),
        ({"name": "42 (test)"}, ""),
        ({"first_name": "Örs", "last_name": "žák", "name": "X"}, "ÖŽ"),
        ({"first_name": "ßa"}, "S"),
    ],
)
def test_initials(traits: dict[str, str], expected: str) -> None:
    assert view.initials(traits) == expected
