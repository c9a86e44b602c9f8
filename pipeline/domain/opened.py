"""The profiles that a batch has opened: as decoded, kept between batches in a bounded cache.

A profile is opened with what is known of its erasure, so that nothing has to be looked up per event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.domain import records
from pipeline.domain.messages import Assignment
from pipeline.domain.records import Erasure, Head, Ledger
from pipeline.domain.state import State

Seal = Callable[[str], bytes]

NOTHING_RECALLED: Mapping[bytes, Erasure] = {}


class Profile:
    """One profile as decoded: its head, and of its other records what was needed lately."""

    __slots__ = (
        *("aliases", "assignment", "dirty", "erasure", "gone", "head", "identifier", "ledger"),
        *("prefix", "since", "stale", "wiped"),
    )

    def __init__(
        self, identifier: str, prefix: bytes, head: Head, assignment: Assignment | None, erasure: Erasure | None
    ) -> None:
        self.identifier = identifier
        self.prefix = prefix
        self.head = head
        self.assignment = assignment  # None: a person of its own
        self.erasure = erasure  # None: it was never erased
        self.ledger: Ledger | None = None  # None: not read yet, in this batch
        self.aliases: dict[str, tuple[int, str]] = {}  # weaker identifier → its earliest time, its last session
        self.dirty = False  # in this batch
        self.stale = False  # the ledger must be made anew from the interactions
        self.since: int | None = None  # the first day whose row changes in this batch
        self.gone: set[tuple[str, str, str]] = set()  # events that were taken away in this batch
        self.wiped = False  # in this batch: of the rows written before, none stands

    def owner(self, session_id: str, occurred_at: int) -> str:
        """Whose an interaction of the profile is."""
        if self.assignment is None:
            return self.identifier
        return self.assignment.owner(self.identifier, session_id, occurred_at)


class Opened:
    """The profiles of one partition number. `dirty` are those to be written at the end of the batch."""

    def __init__(
        self,
        state: State,
        cache: dict[str, object] | None,
        seal: Seal,
        recalled: Mapping[bytes, Erasure] = NOTHING_RECALLED,
    ) -> None:
        """`recalled`: seal → an erasure that the state may not know, since it was begun from nothing."""
        self.dirty: list[Profile] = []
        self.seal = seal
        self._state = state
        self._recalled = recalled
        self._profiles: dict[str, Profile] = {} if cache is None else cache  # type: ignore[assignment]  # ours alone

    def open(self, identifier: str) -> Profile:
        """The profile, to be written at the end of the batch."""
        profile = self._profiles.get(identifier)
        if profile is None:
            prefix = records.prefix(identifier)
            profile = self._read(identifier, prefix, self._state.get(prefix + records.HEAD))
        if not profile.dirty:
            profile.dirty = True
            self.dirty.append(profile)
        return profile

    def knows(self, identifier: str) -> bool:
        """Whether this partition has that profile already (so it is the right one, without asking the hash)."""
        if identifier in self._profiles:
            return True
        prefix = records.prefix(identifier)
        data = self._state.get(prefix + records.HEAD)
        if data is None:
            return False
        self._read(identifier, prefix, data)
        return True

    def drop(self, profile: Profile) -> None:
        """Do not remember a profile of which nothing is left."""
        self._profiles.pop(profile.identifier, None)

    def trim(self, limit: int) -> None:
        """Remember few enough for the next batch: those first read go."""
        excess = len(self._profiles) - limit
        if excess > 0:
            for identifier in list(self._profiles)[: excess + limit // 4]:
                del self._profiles[identifier]

    def _read(self, identifier: str, prefix: bytes, data: bytes | None) -> Profile:
        head = records.decode_head(data) if data is not None else Head()
        assignment: Assignment | None = None
        if head.version:
            stored = self._state.get(prefix + records.ASSIGNMENT)
            assignment = records.decode_assignment(stored) if stored is not None else None
        erasure = records.erasure(self._state, self.seal(identifier), self._recalled)
        profile = self._profiles[identifier] = Profile(identifier, prefix, head, assignment, erasure)
        return profile
