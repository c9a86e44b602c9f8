"""Which calls are ringing, from the newest timeline entries. In memory, bounded, for the last minutes only.

Phases may arrive in any order, since a call may ring under a phone number and end under a customer: the furthest
phase seen of a session counts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pipeline.serve.changes import Signal
from pipeline.serve.explained import keyed

PHASES = {"call_ringing": 0, "call_answered": 1, "call_ended": 2}
RINGING_MS_MAX = 3 * 60_000
CALLS_MAX = 5_000
SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class Call:
    """One call, named by its session. `caller` is what people may see of the identifier, '' where unknown."""

    session_id: str
    identifier: str
    caller: str
    touchpoint: str
    queue: str
    extension: str
    rang_at: int  # ms
    phase: int


class Calls:
    """The calls of the last minutes; `changed` fires when the list of ringing ones may differ."""

    def __init__(self) -> None:
        self.changed = Signal()
        self._calls: OrderedDict[str, Call] = OrderedDict()

    def see(self, entry: dict[str, Any], now_ms: int) -> None:
        """Take one entry of the topic `timelines`; others than calls, and old ones, change nothing."""
        phase = PHASES.get(entry["type"])
        if phase is None or now_ms - entry["occurred_at"] > RINGING_MS_MAX:
            return
        session = entry.get("session_id") or entry["event_id"]
        known = self._calls.get(session)
        if known is None:
            self._calls[session] = _call(session, entry, phase)
            while len(self._calls) > CALLS_MAX:
                self._calls.popitem(last=False)
        elif phase > known.phase:
            self._calls[session] = replace(known, phase=phase)
        else:
            return
        self.changed.fire()

    def forget(self, is_gone: Callable[[Call], bool]) -> int:
        """Take calls away, and return how many those were."""
        gone = [session for session, call in self._calls.items() if is_gone(call)]
        for session in gone:
            del self._calls[session]
        if gone:
            self.changed.fire()
        return len(gone)

    def ringing(self, now_ms: int) -> list[Call]:
        """What rings now, the newest first."""
        since = now_ms - RINGING_MS_MAX
        ringing = [each for each in self._calls.values() if each.phase == 0 and each.rang_at > since]
        return sorted(ringing, key=lambda each: (-each.rang_at, each.session_id))[:SHOWN_MAX]


def _call(session: str, entry: dict[str, Any], phase: int) -> Call:
    identifier = entry["identifier"]
    details = entry.get("details") or {}
    namespace, _, value = identifier.partition(":")
    masks = entry.get("masks") or {}
    # Known by number, the caller is who rings; known by a stronger identifier, the number still says most.
    number = next((mask for name, mask in masks.items() if name.startswith("phone:")), "")
    return Call(
        session_id=session,
        identifier=identifier,
        caller=masks.get(identifier, "") if keyed(identifier) else number or f"{namespace} {value}",
        touchpoint=entry.get("touchpoint", ""),
        queue=str(details.get("queue") or ""),
        extension=str(details.get("extension") or ""),
        rang_at=entry["occurred_at"],
        phase=phase,
    )
