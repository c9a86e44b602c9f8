from __future__ import annotations

from typing import Any

import pytest

from pipeline.serve.calls import CALLS_MAX, RINGING_MS_MAX, SHOWN_MAX, Calls

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
