"""Which calls are ringing, and whose they are, from the newest timeline entries. In memory, and bounded.

Phases may arrive in any order, since a call may ring under a phone number and end under a customer: the furthest
phase seen of a session counts. Whoever is named in a call's session by a stronger identifier than it rang under is who
calls, in that call and no other; where two of the same rank are named, nobody is. What came with a public key rings
nowhere and names nobody: anybody may have sent it. A call that rings elsewhere later was passed on: it is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from pipeline.domain.interaction import NAMESPACES
from pipeline.serve.explained import keyed
from pipeline.serve.waking import Signal

PHASES = {"call_ringing": 0, "call_answered": 1, "call_ended": 2}
RINGING_MS_MAX = 3 * 60_000
CALLS_MAX = 5_000
EARLY_MAX = 5_000  # sessions in which somebody was named, and no call has been seen yet
NAMES_MAX = 4  # of one call: two are one too many already
SHOWN_MAX = 50
LASTS_MS_MAX = 2 * 3_600_000  # so long after it rang, what else happens in its session is looked at
#: With more calls under way than this, it is cheaper to decode every entry than to look for their sessions in it.
SOUGHT_MAX = 128
SEEK_EVERY_MS = 1_000  # calls of which no end is heard are over some time, and too many may be no more

LISTED_MS = 1_000  # so long the same lists do, where no call has changed

_NAMING = "identified"
_MARKS = tuple(each.encode() for each in (*PHASES, _NAMING))


@dataclass(frozen=True, slots=True)
class Call:
    """One call, named by its session. `caller` is what people may see of the identifier, '' where unknown."""

    session_id: str
    rang_under: str
    caller: str
    touchpoint: str
    queue: str
    extension: str
    rang_at: int  # ms
    phase: int
    named: tuple[str, ...] = ()  # in its session: the strongest identifiers, if they are stronger than `rang_under`

    @property
    def identifier(self) -> str:
        """Who calls, as far as it is known."""
        return self.named[0] if len(self.named) == 1 else self.rang_under

    @property
    def identifiers(self) -> tuple[str, ...]:
        """All that is kept of whom it may be."""
        return (self.rang_under, *self.named)

    def naming(self, identifier: str) -> Call:
        """The same, after somebody was named in its session."""
        rank, best = _rank(identifier), _rank(self.named[0] if self.named else self.rang_under)
        if rank < best:
            return replace(self, named=(identifier,))
        if self.named and rank == best and identifier not in self.named:
            return replace(self, named=(*self.named, identifier)[:NAMES_MAX])
        return self


class Calls:
    """The calls of the last minutes; `changed` fires when the list of ringing ones may differ."""

    def __init__(self) -> None:
        self.changed = Signal()
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._early: OrderedDict[str, Call] = OrderedDict()  # named, before it rang: partitions are read as they come
        self._sought: set[bytes] | None = set()  # sessions under way, in UTF-8; None: too many
        self._sought_until = 0  # ms: then it is time to look which are over
        self._live: OrderedDict[str, Call] = OrderedDict()  # of them, those that are not over
        self._lists = _Lists()

    def see(self, entry: dict[str, Any], now_ms: int) -> None:
        """Take one entry of the topic `timelines`; old ones, and what is of no call, change nothing."""
        if entry.get("public") or now_ms - entry["occurred_at"] > RINGING_MS_MAX:
            return
        phase = PHASES.get(entry["type"])
        session = entry.get("session_id") or ("" if phase is None else entry["event_id"])
        known = self._calls.get(session)
        if phase is not None:
            call = self._ring(session, entry, phase, known)
        elif known is not None:
            call = known.naming(entry["identifier"])
        elif session and entry["type"] == _NAMING:
            self._hear(session, entry)
            return
        else:
            return
        if call != known:
            _put(self._calls, call, CALLS_MAX)
            self._seek_also(call)
            self._live.pop(session, None)
            if call.phase < 2:
                _put(self._live, call, CALLS_MAX)
            if known is not None or call.phase < 2:  # of one that is over when it is first heard of, nobody shows any
                self.changed.fire()

    def _hear(self, session: str, entry: dict[str, Any]) -> None:
        who = entry["identifier"]
        early = self._early.get(session)
        call = replace(_call(session, entry, -1), named=(who,)) if early is None else early.naming(who)
        _put(self._early, call, EARLY_MAX)

    def _ring(self, session: str, entry: dict[str, Any], phase: int, known: Call | None) -> Call:
        if known is not None:
            return _passed_on(replace(known.naming(entry["identifier"]), phase=max(phase, known.phase)), entry, phase)
        call = _call(session, entry, phase)
        early = self._early.pop(session, None)
        for each in early.named if early is not None else ():
            call = call.naming(each)
        return call

    def may_concern(self, entry: bytes, now_ms: int) -> bool:
        """Whether an encoded entry may be one that `see` looks at: never wrongly False."""
        # Types and sessions stand in its bytes as they are: what holds none of them is not worth decoding.
        if any(mark in entry for mark in _MARKS):
            return True
        if now_ms > self._sought_until:
            self._seek(now_ms)
        return self._sought is None or any(session in entry for session in self._sought)

    def _seek_also(self, call: Call) -> None:
        """Calls begin and end by the dozen in a second: all of them are gone through only now and then."""
        if self._sought is None:
            return
        if call.phase == 2:
            self._sought.discard(call.session_id.encode())
        else:
            self._sought.add(call.session_id.encode())
            if len(self._sought) > SOUGHT_MAX:
                self._sought = None

    def _seek(self, now_ms: int) -> None:
        since = now_ms - LASTS_MS_MAX
        under_way = (each for each in reversed(self._calls.values()) if each.phase < 2 and each.rang_at > since)
        sessions = {each.session_id.encode() for each in islice(under_way, SOUGHT_MAX + 1)}
        self._sought = sessions if len(sessions) <= SOUGHT_MAX else None
        self._sought_until = now_ms + SEEK_EVERY_MS

    def whose(self, session: str, identifier: str) -> str:
        """Who calls in that session, where it is the call of this identifier; else the identifier itself."""
        call = self._calls.get(session)
        return call.identifier if call is not None and identifier in call.identifiers else identifier

    def forget(self, is_gone: Callable[[Call], bool]) -> int:
        """Take calls away, and return how many those were."""
        count = 0
        for session in [session for session, call in self._live.items() if is_gone(call)]:
            del self._live[session]
        for calls in (self._calls, self._early):
            gone = [session for session, call in calls.items() if is_gone(call)]
            for session in gone:
                del calls[session]
            count += len(gone)
        if count:
            self._lists = _Lists()  # which would hold them until somebody asks
            self.changed.fire()
        return count

    def ringing(self, now_ms: int) -> list[Call]:
        """What rings now, the newest first."""
        return self._at(now_ms).ringing[:SHOWN_MAX]

    def ringing_at(self, extension: Collection[str], now_ms: int) -> list[Call]:
        """The same, of a desk with an extension, by any of its names: not what rings at another one."""
        if not extension:
            return self.ringing(now_ms)
        lists = self._at(now_ms)
        found = [call for name in ("", *extension) for call in lists.at.get(name, ()) if call.phase == 0]
        return sorted(found, key=_newest)[:SHOWN_MAX]

    def newest_at(self, extension: Collection[str], after_ms: int, now_ms: int) -> Call | None:
        """The newest call that rang at an extension after a time, and is not over; also one just answered."""
        lists = self._at(now_ms)
        found = (call for name in extension for call in lists.at.get(name, ()) if call.rang_at > after_ms)
        return min(found, key=_newest, default=None)

    def call(self, session: str) -> Call | None:
        """The call of a session, as long as it is remembered."""
        return self._calls.get(session)

    def _at(self, now_ms: int) -> _Lists:
        """Hundreds of desks ask after every change: the calls are gone through once."""
        if self._lists.count != self.changed.count or not 0 <= now_ms - self._lists.at_ms < LISTED_MS:
            since = now_ms - RINGING_MS_MAX
            live = (each for each in self._live.values() if each.rang_at > since)
            self._lists = _Lists(self.changed.count, now_ms, sorted(live, key=_newest))
        return self._lists


class _Lists:
    """The calls that are not over, as desks want them; as of a count of changes and a time."""

    def __init__(self, count: int = -1, at_ms: int = 0, calls: Collection[Call] = ()) -> None:
        """`calls`: the newest first."""
        self.count = count
        self.at_ms = at_ms
        self.ringing = [each for each in calls if each.phase == 0]
        self.at: dict[str, list[Call]] = {}
        for each in calls:
            self.at.setdefault(each.extension, []).append(each)


def _newest(call: Call) -> tuple[int, str]:
    return -call.rang_at, call.session_id


def _passed_on(call: Call, entry: dict[str, Any], phase: int) -> Call:
    """The call, after it was said where it rings or was answered: the newest place counts."""
    extension = str((entry.get("details") or {}).get("extension") or "")
    if phase == 2 or not extension or extension == call.extension:
        return call
    at = entry["occurred_at"]
    if not call.extension:
        return replace(call, extension=extension)
    return replace(call, extension=extension, rang_at=at) if at > call.rang_at else call


def _put(calls: OrderedDict[str, Call], call: Call, size: int) -> None:
    calls[call.session_id] = call
    while len(calls) > size:
        calls.popitem(last=False)


def _rank(identifier: str) -> int:
    """0 is the strongest."""
    return NAMESPACES.index(identifier.partition(":")[0])


def _call(session: str, entry: dict[str, Any], phase: int) -> Call:
    identifier = entry["identifier"]
    details = entry.get("details") or {}
    namespace, _, value = identifier.partition(":")
    masks = entry.get("masks") or {}
    # Known by number, the caller is who rings; known by a stronger identifier, the number still says most.
    number = next((mask for name, mask in masks.items() if name.startswith("phone:")), "")
    return Call(
        session_id=session,
        rang_under=identifier,
        caller=masks.get(identifier, "") if keyed(identifier) else number or f"{namespace} {value}",
        touchpoint=entry.get("touchpoint", ""),
        queue=str(details.get("queue") or ""),
        extension=str(details.get("extension") or ""),
        rang_at=entry["occurred_at"],
        phase=phase,
    )
