"""Looking through all records of a partition number for what should have been erased.

Every record that may name somebody is decoded; what cannot be told counts as found. A head of another profile holds
counters alone: its key says enough. Of the erased identifiers' own profiles nothing may be left from before, and no
record at all where there is nothing from afterwards. Other profiles may hold nothing that the erased had a part in, and
nothing from before that names them (`naming`: who does, to be scrubbed).

What the search needs is counted, not guessed: the same rules as those that erase decide what is from before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from pipeline.domain import records, rollup, tallies
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assignment
from pipeline.domain.scoring import DAY_MS
from pipeline.domain.state import Reading

NEVER = 1 << 62  # a version that no assignment reaches
NAMING_MAX = 1_000  # profiles to be scrubbed after one sweep; the next finds the others


class Shared(msgspec.Struct):
    """What of an identifier that several persons share was the erased person's, as identify says it."""

    identifier: str
    placeholder: str  # who stands for them among its owners
    owned: list[str] = []  # sessions that were theirs
    settled: list[str] = []  # all sessions that are decided
    until: int | None = None  # outside of those, what occurred before is theirs (ms)

    def has(self, session_id: str, occurred_at: int) -> bool:
        """Whether an interaction of the identifier was theirs."""
        if session_id and session_id in self.settled:
            return session_id in self.owned
        return self.until is not None and occurred_at < self.until


class Concern:
    """Whom and what an erasure is about."""

    def __init__(self, ids: Iterable[str], before: int, shared: Sequence[Shared] = (), version: int = 0) -> None:
        """`before` in ms; `version`: assignments under that one are from before (0: it is not known which)."""
        self.ids = frozenset(ids)
        self.names = frozenset(map(records.name, self.ids))
        self.before = before
        self.shared = {each.identifier: each for each in shared}
        self.version = version

    def named(self, names: Iterable[str]) -> bool:
        """Whether one of them is erased."""
        return not self.ids.isdisjoint(names)

    def mentioned(self, x: Interaction) -> bool:
        """Whether an interaction names one of them beside its own identifier."""
        return self.named(x.links) or self.named(x.claims) or self.named(x.masks)

    def owned(self, identifier: str, session_id: str, occurred_at: int) -> bool:
        """Whether an interaction stored under that identifier was theirs."""
        if identifier in self.ids:
            return True
        shared = self.shared.get(identifier)
        return shared is not None and shared.has(session_id, occurred_at)


class Sweep:
    """One look through one partition number. `found` counts by kind of what was found; `looked` all records."""

    def __init__(self, state: Reading, concern: Concern, seal: Callable[[str], bytes]) -> None:
        self.looked = 0
        self.found: Counter[str] = Counter()
        self.naming: set[str] = set()
        self._state = state
        self._concern = concern
        self._seal = seal
        self._prefix = b""
        self._profile = ""
        self._plain = True  # neither erased nor shared with who was
        self._erased = False  # whether this profile is one of those
        self._records = 0  # of this profile, that nothing was found in
        self._after = False  # whether it holds anything from after the erasure
        self._version = 0  # assignments under this are from before

    def look(self, found: Iterable[tuple[bytes, bytes]]) -> Iterator[None]:
        """Look at all records in key order, yielding after each."""
        for key, value in found:
            if key[:1] == b"\x00":  # the store's own
                continue
            self.looked += 1
            if what := self._look_at(key, value):
                self.found[what] += 1
            else:
                self._records += 1
            yield
        self._end()

    def judge(self, key: bytes, value: bytes) -> str:
        """What one record gives away by itself: the kind of thing, or '' for nothing.

        'name' says that it is of an erased profile, and from no time.
        """
        self._after = False
        return self._look_at(key, value) or ("name" if self._erased and not self._after else "")

    def _look_at(self, key: bytes, value: bytes) -> str:
        kind = key[:1]
        if kind != records.PROFILE:
            if self._prefix:
                self._end()
            if (decode := _NAMELESS.get(kind)) is None:
                return "unknown"
            decode(value)
            return ""
        end = key.index(b"\x00") + 1
        if key[:end] != self._prefix:
            self._end()
            self._begin(key[:end])
        kind = key[end : end + 1]
        if kind == records.HEAD and not self._erased:
            return ""
        look = _LOOKS.get(kind)
        return "unknown" if look is None else look(self, key[end + 1 :], value)

    def _begin(self, prefix: bytes) -> None:
        self._prefix, self._profile = prefix, prefix[1:-1].decode()
        self._erased = self._profile in self._concern.ids
        self._plain = not self._erased and self._profile not in self._concern.shared
        self._records, self._after = 0, False
        self._version = self._concern.version
        if self._erased and not self._version:
            seal = self._seal(self._profile)
            self._version = records.heard(self._state, seal, seal) or NEVER

    def _end(self) -> None:
        if self._erased and not self._after and self._records:
            self.found["name"] += self._records
        self._prefix, self._erased = b"", False

    # What each kind of record may give away. '': nothing.

    def _head(self, _suffix: bytes, value: bytes) -> str:
        records.decode_head(value)
        return ""

    def _assignment(self, _suffix: bytes, value: bytes) -> str:
        return self._word(records.decode_assignment(value), "assignment")

    def _sender(self, _suffix: bytes, value: bytes) -> str:
        sender = records.decode_sender(value)
        named = (sender.identifier,) if self._concern.version else ()
        return self._word(sender.assignment, "sender", named)

    def _word(self, assignment: Assignment, kind: str, names: tuple[str, ...] = ()) -> str:
        if self._erased:
            newer = assignment.version >= self._version
            self._after = self._after or newer
            return "" if newer else kind
        if assignment.version >= self._version > 0:
            return ""
        every = (*names, *assignment.owners, *assignment.candidates, *assignment.sessions.values())
        return kind if self._concern.named(every) else ""

    def _kept(self, _suffix: bytes, value: bytes) -> str:
        kept = records.decode_kept(value)
        x = kept.interaction
        if self._plain and not (x.links or x.claims or x.masks or kept.told):
            return ""
        if x.since >= self._concern.before:
            self._after = True
            return ""
        if self._concern.owned(x.identifier, x.session_id, x.occurred_at):
            return "interaction"
        return self._mention(self._concern.mentioned(x) or self._concern.named(kept.told))

    def _seen(self, _suffix: bytes, value: bytes) -> str:
        seen = records.decode_seen(value)
        if self._plain and not seen.told:
            return ""
        if seen.since >= self._concern.before:
            self._after = True
            return ""
        if self._concern.owned(self._profile, seen.session_id, seen.occurred_at):
            return "seen"
        return self._mention(self._concern.named(seen.told))

    def _lent(self, _suffix: bytes, value: bytes) -> str:
        x = records.decode_lent(value).interaction
        if x.since >= self._concern.before:
            self._after = True
            return ""
        if self._erased or self._concern.owned(x.identifier, x.session_id, x.occurred_at):
            return "copy"
        return self._mention(self._concern.mentioned(x))

    def _alias(self, suffix: bytes, value: bytes) -> str:
        if records.decode_alias(value).earliest >= self._concern.before:
            return ""
        return "alias" if self._erased else self._mention(suffix.decode() in self._concern.ids)

    def _session(self, suffix: bytes, value: bytes) -> str:
        if records.decode_time(value) >= self._concern.before:
            return ""
        return "session" if self._erased else self._mention(suffix[: records.NAME_BYTES] in self._concern.names)

    def _ledger(self, _suffix: bytes, value: bytes) -> str:
        ledger = records.decode_ledger(value)
        before, ids = self._concern.before, self._concern.ids
        if any(p.occurred_at < before and (self._erased or p.identifier in ids) for p in ledger.pieces):
            return "scores"
        days = (day for found in (ledger.past, *ledger.beside.values()) for day in found)
        return "scores" if self._erased and any((day + 1) * DAY_MS <= before for day in days) else ""

    def _mention(self, found: bool) -> str:
        if found and len(self.naming) < NAMING_MAX:
            self.naming.add(self._profile)
        return "mention" if found else ""


_LOOKS: dict[bytes, Callable[[Sweep, bytes, bytes], str]] = {
    records.HEAD: Sweep._head,
    records.ASSIGNMENT: Sweep._assignment,
    records.KEPT: Sweep._kept,
    records.SEEN: Sweep._seen,
    records.SENDER: Sweep._sender,
    records.LENT: Sweep._lent,
    records.ALIAS: Sweep._alias,
    records.SESSION: Sweep._session,
    records.LEDGER: Sweep._ledger,
}
_NAMELESS: dict[bytes, Callable[[bytes], object]] = {
    records.ERASURE: records.decode_erasure,
    records.HEARD: records.decode_version,
    records.JUDGING: records.decode_judging,
    rollup.PREFIX: rollup.decode,
    tallies.PREFIX: tallies.decode,
}
