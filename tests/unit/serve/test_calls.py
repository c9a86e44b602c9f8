from __future__ import annotations

from typing import Any

import pytest

from pipeline.serve.calls import CALLS_MAX, EARLY_MAX, LASTS_MS_MAX, RINGING_MS_MAX, SHOWN_MAX, SOUGHT_MAX, Calls

NOW = 1_700_000_000_000


def phase(kind: str, session: str = "c1", at: int = NOW, **more: Any) -> dict[str, Any]:
    """An entry of the topic timelines."""
    entry = {"type": f"call_{kind}", "session_id": session, "event_id": f"{kind}-{session}", "occurred_at": at}
    return {**entry, "identifier": "phone:k1.0", "touchpoint": "call_queue", "masks": {"phone:k1.0": "+1 ••"}, **more}


def ringing(*entries: dict[str, Any], at: int = NOW) -> list[str]:
    """The sessions that ring after these."""
    calls = Calls()
    for each in entries:
        calls.see(each, NOW)
    return [each.session_id for each in calls.ringing(at)]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([phase("ringing")], ["c1"]),
        ([phase("ringing"), phase("answered")], []),
        ([phase("answered"), phase("ringing")], []),  # in any order
        ([phase("ended"), phase("answered"), phase("ringing")], []),
        ([phase("ringing"), phase("answered", identifier="customer:1")], []),  # known better by now
        ([phase("ringing"), phase("answered", "c2")], ["c1"]),
        ([phase("ringing", "a", NOW - 5), phase("ringing", "b", NOW - 3)], ["b", "a"]),
        ([phase("ringing", at=NOW - RINGING_MS_MAX - 1)], []),
        ([phase("ringing", ""), phase("ringing", "", event_id="other")], ["other", "ringing-"]),
        ([{**phase("ringing"), "type": "searched"}], []),
    ],
)
def test_what_rings(entries: list[dict[str, Any]], expected: list[str]) -> None:
    assert ringing(*entries) == expected


def test_nothing_rings_for_ever() -> None:
    assert ringing(phase("ringing"), at=NOW + RINGING_MS_MAX) == []


def test_it_is_bounded() -> None:
    calls = Calls()
    for n in range(CALLS_MAX + 10):
        calls.see(phase("ringing", f"c{n}"), NOW)
    assert len(calls.ringing(NOW)) == SHOWN_MAX
    assert len(calls._calls) == CALLS_MAX


def test_only_changes_are_told() -> None:
    calls = Calls()
    for each in (phase("ringing"), phase("ringing"), {**phase("ringing"), "type": "searched"}):
        calls.see(each, NOW)
    assert calls.changed.count == 1


def test_a_call_that_is_over_when_it_is_first_heard_of_wakes_nobody() -> None:
    calls = Calls()
    calls.see(phase("ended"), NOW)
    assert calls.changed.count == 0
    calls.see(phase("ringing"), NOW)  # late: it is known already, and over
    assert calls.ringing(NOW) == []


@pytest.mark.parametrize(
    ("identifier", "masks", "caller"),
    [
        ("phone:k1.0", {"phone:k1.0": "+1 ••• ••42"}, "+1 ••• ••42"),
        ("customer:4711", {"phone:k1.0": "+1 ••• ••42"}, "+1 ••• ••42"),
        ("customer:4711", {}, "customer 4711"),
        ("phone:k1.0", {}, ""),
        ("email:k1.0", {"email:k1.0": "a•••"}, "a•••"),
    ],
)
def test_who_it_is_said_to_be(identifier: str, masks: dict[str, str], caller: str) -> None:
    calls = Calls()
    calls.see(phase("ringing", identifier=identifier, masks=masks), NOW)
    (call,) = calls.ringing(NOW)
    assert call.caller == caller


# Whose a call is

PHONE, BOB, ANN = "phone:k1.0", "customer:bob", "customer:ann"


def named(who: str, session: str = "c1", kind: str = "identified", **more: Any) -> dict[str, Any]:
    """An entry of a person in a session."""
    return {**phase("ringing", session), "type": kind, "event_id": f"{kind}-{who}", "identifier": who, **more}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([phase("ringing")], PHONE),
        ([phase("ringing"), named(BOB)], BOB),
        ([phase("ringing"), named(BOB, kind="account_opened")], BOB),  # whatever it is that names them
        ([named(BOB), phase("ringing")], BOB),  # in any order
        ([phase("ringing"), phase("answered", identifier=BOB)], BOB),
        ([phase("ringing"), phase("answered"), named(BOB)], BOB),
        ([phase("ringing"), named("email:k1.1"), named(BOB)], BOB),  # the strongest
        ([phase("ringing"), named(BOB), named("email:k1.1")], BOB),
        ([phase("ringing"), named(BOB), named(BOB, kind="searched")], BOB),
        ([phase("ringing"), named("anonymous:a")], PHONE),  # weaker than what it rang under
        ([phase("ringing"), named(BOB, "c2")], PHONE),  # another call
        ([phase("ringing"), named(BOB, "")], PHONE),
        ([phase("ringing"), named(BOB, public=True)], PHONE),  # anybody may have said so
        ([named(BOB, public=True), phase("ringing")], PHONE),
        ([phase("ringing"), named(BOB, occurred_at=NOW - RINGING_MS_MAX - 1)], PHONE),
        ([phase("ringing"), named(BOB), named(ANN)], PHONE),  # two are nobody
        ([named(BOB), named(ANN), phase("ringing")], PHONE),
    ],
)
def test_who_is_named_in_a_call_is_who_calls(entries: list[dict[str, Any]], expected: str) -> None:
    calls = Calls()
    for each in (phase("ringing", "other"), *entries):
        calls.see(each, NOW)
    assert calls.whose("c1", PHONE) == expected
    assert calls.whose("other", PHONE) == PHONE  # and only that one
    ringing = {each.session_id: each.identifier for each in calls.ringing(NOW)}
    assert ringing.get("c1", expected) == expected


def test_a_session_says_nothing_of_other_identifiers() -> None:
    calls = Calls()
    calls.see(phase("ringing"), NOW)
    calls.see(named(BOB), NOW)
    assert calls.whose("c1", BOB) == BOB
    assert calls.whose("c1", ANN) == ANN
    assert calls.whose("", PHONE) == calls.whose("c9", PHONE) == PHONE


def test_what_came_with_a_public_key_rings_at_no_desk() -> None:
    assert ringing(phase("ringing", public=True)) == []


def test_entries_that_may_be_of_a_call_are_found_in_their_bytes() -> None:
    calls = Calls()
    assert calls.may_concern(b"..call_ringing..", NOW)
    assert calls.may_concern(b"..identified..", NOW)
    assert not calls.may_concern(b"..searched..session-1..", NOW)
    calls.see(phase("ringing", "session-1"), NOW)
    assert calls.may_concern(b"..searched..session-1..", NOW)
    assert not calls.may_concern(b"..searched..session-2..", NOW)
    calls.see(phase("ended", "session-1"), NOW)
    assert not calls.may_concern(b"..searched..session-1..", NOW)
    for n in range(SOUGHT_MAX + 1):
        calls.see(phase("ringing", f"many-{n}"), NOW)
    assert calls.may_concern(b"..searched..", NOW)  # too many to look for
    assert not calls.may_concern(b"..searched..", NOW + LASTS_MS_MAX + RINGING_MS_MAX)


def test_who_is_forgotten_is_not_named_any_more() -> None:
    calls = Calls()
    for each in (named(BOB, "early"), phase("ringing"), named(BOB), named(ANN)):
        calls.see(each, NOW)
    assert calls.forget(lambda call: BOB in call.identifiers) == 2
    assert calls.ringing(NOW) == []
    calls.see(phase("ringing", "early"), NOW)
    assert calls.whose("early", PHONE) == PHONE


def test_what_was_named_early_is_bounded() -> None:
    calls = Calls()
    for n in range(EARLY_MAX + 10):
        calls.see(named(BOB, f"s{n}"), NOW)
    assert len(calls._early) == EARLY_MAX
    assert calls.changed.count == 0
