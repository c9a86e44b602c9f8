"""The profiles that a batch has opened: as decoded, kept between batches in a bounded cache.

A profile is opened with what is known of its erasure, so that nothing has to be looked up per event.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.domain import records
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assignment, Evidence, erased_at, is_erased
from pipeline.domain.recalled import NOTHING_RECALLED, Recalled, Seal, Share
from pipeline.domain.records import Erasure, Head, Ledger, Seen
from pipeline.domain.state import State

#: The erasure of nobody: notes that a partition was begun from nothing after somebody had been erased.
ANEW = records.ERASURE + bytes(records.NAME_BYTES)


class Profile:
    """One profile as decoded: its head, and of its other records what was needed lately."""

    __slots__ = (
        *("aliases", "assignment", "dirty", "erasure", "gone", "head", "identifier", "ledger"),
        *("prefix", "recalled", "shares", "since", "stale", "turned", "wiped"),
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
        self.recalled = NOTHING_RECALLED  # what the state may not know
        self.shares: tuple[Share, ...] = ()  # and of that, what erased persons had of this one
        self.dirty = False  # in this batch
        self.stale = False  # the ledger must be made anew from the interactions
        self.turned = False  # the ledger is of another definition, and there is new evidence
        self.since: int | None = None  # the first day whose row changes in this batch
        self.gone: set[tuple[str, str, str]] = set()  # events that were taken away in this batch
        self.wiped = False  # in this batch: of the rows written before, none stands

    def owner(self, session_id: str, occurred_at: int) -> str:
        """Whose an interaction of the profile is."""
        if self.assignment is None:
            return self.identifier
        return self.assignment.owner(self.identifier, session_id, occurred_at)

    def refuses(self, x: Interaction, owner: str, seal: Seal) -> str:
        """Why an interaction, which is `owner`'s, is not kept: 'erased', 'blocked'; '' where it is."""
        if self.erasure is not None and (why := self.erasure.refuses(x.since)):
            return why
        if self.is_nameless(x, owner, seal) or any(share.erases(x, seal) for share in self.shares):
            return "erased"
        return ""

    def is_nameless(self, x: Interaction | Seen, owner: str, seal: Seal) -> bool:
        """Whether an interaction is of somebody who was erased after it.

        Where it is known what was theirs then, that alone decides: while all is read anew, assignments may give them
        more for a moment than they have in the end.
        """
        if not is_erased(owner) or x.since >= erased_at(owner):
            return False
        if owner not in self.recalled.persons:
            return True
        return any(share.erases(x, seal) for share in self.shares if share.person == owner)


class Opened:
    """The profiles of one partition number. `dirty` are those to be written at the end of the batch."""

    def __init__(
        self,
        state: State,
        cache: dict[str, object] | None,
        seal: Seal,
        recalled: Recalled = NOTHING_RECALLED,
    ) -> None:
        """`recalled`: what the state may not know, where it was begun from nothing.

        What erased persons shared counts only there: a state that was there then has long done what follows from it.
        """
        self.dirty: list[Profile] = []
        self.seal = seal
        self._state = state
        self._erasures = recalled.erasures
        self._recalled = recalled if recalled.shares and _is_anew(state) else NOTHING_RECALLED
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
        seal = self.seal(identifier)
        erasure = records.erasure(self._state, seal, self._erasures)
        profile = self._profiles[identifier] = Profile(identifier, prefix, head, assignment, erasure)
        profile.recalled = self._recalled
        profile.shares = self._recalled.shares.get(seal, ())
        return profile

    def nameless(self, profile: Profile, x: Interaction, why: str) -> Iterator[Evidence]:
        """What identify may not know of nameless owners, told again; `why` the event is not kept, or ''."""
        for share in profile.shares:
            if share.at is not None and share.person not in profile.aliases:
                profile.aliases[share.person] = share.at, ""
                yield Evidence(share.person, profile.identifier, share.at, "", "", "")
        if why == "erased":
            yield from self._recalled.evidence(x, self.seal)


def _is_anew(state: State) -> bool:
    """Whether a partition's state was begun from nothing since somebody was erased; noted at its first batch."""
    if state.get(ANEW) is not None:
        return True
    if any(next(iter(state.scan(kind)), None) is not None for kind in (records.PROFILE, records.ERASURE)):
        return False
    state.put(ANEW, records.encode(Erasure()))
    return True
