"""How a profile stands in the state: a small head, and records of their own for all that it holds.

Every key is ``p<identifier> NUL <kind> <suffix>`` (identifiers hold no control characters). A new interaction is a new
record, so that what one event costs does not grow with what the profile holds.

| kind | suffix | |
| --- | --- | --- |
| h | | `Head`: counters |
| a | | the profile's own assignment |
| i | event | `Kept`: an interaction stored here |
| s | event | `Seen`: one that has left the view, known still, so that a copy is not counted twice |
| o | sender | `Sender`: whose the interactions of another profile are |
| v | sender, event | `Lent`: an interaction of another profile that was said to be this one's |
| l | weaker identifier | `Alias`: since when the two are known to belong together |
| m | weaker identifier, session | a session that has said so, with its time |
| e | | `Ledger`: the person's score evidence, and the days with rows |

`event`, `sender` and so on are 16-byte hashes. Values are MessagePack arrays; they hold each other in one direction
only, so the garbage collector need not look at them (`gc=False`).

Three kinds of records name nobody. Keys of two hold seals (`Keyring.seal`), which only lead back from an identifier
that one has already:

| key | value |
| --- | --- |
| d | `Judging`: which definitions judge what is stored on this partition number |
| z seal | `Erasure`: what of that profile is not kept |
| y seal, seal | the version of a word that says nothing: the profile's own assignment, or a sender's to it |

The seals of kind y are the profile's and the sender's (the same where it is its own word). So of a link that is over
no name remains, and still an older word of it is known to be older. They are not hashed: when the identifier key
changes, new seals are made from the old ones (2026-11-24).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from pipeline.domain.interaction import PUBLIC_LATER, Interaction
from pipeline.domain.messages import UNASSIGNED, Assignment, Judging, is_erased
from pipeline.domain.scores import Piece
from pipeline.domain.scoring import Experience
from pipeline.domain.state import Reading

HEAD = b"h"
ASSIGNMENT = b"a"
KEPT = b"i"
SEEN = b"s"
SENDER = b"o"
LENT = b"v"
ALIAS = b"l"
SESSION = b"m"
LEDGER = b"e"
PROFILE = b"p"  # what all keys begin with that name a profile
ERASURE = b"z"
HEARD = b"y"
JUDGING = b"d"

NAME_BYTES = 16  # of the hash of an identifier, a session or an event
UNCOUNTED = -1  # in place of a definition: no cell was told of the interaction
UNJUDGED = 0  # in place of a definition: none has looked for evidence yet

Besides = tuple[tuple[int, Experience | None], ...]  # other definitions, by rising version, and what they say


class Head(msgspec.Struct, array_like=True, gc=False):
    """What a profile must know at every event."""

    kept: int = 0  # records of kind i
    lent: int = 0  # records of kind v
    limit: int = 0  # with more records than this, it is time to look what can leave
    seen: int = 0  # records of kind s
    version: int = 0  # of the assignment; 0: none
    told: int = 0  # the newest order by which all that was told of weaker identifiers was forgotten


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An interaction as stored, and who was told what of it, so that this can be taken back exactly."""

    interaction: Interaction
    definition: int  # or UNCOUNTED
    experience: Experience | None  # what its cell was told, by that definition
    told: tuple[str, ...] = ()  # other persons who have a copy of it, whether it still is theirs or not
    beside: Besides = ()  # what cells of other definitions were told

    @property
    def precedence(self) -> tuple[int, int]:
        """As of the interaction."""
        return self.interaction.precedence

    @property
    def channel(self) -> str:
        """As of the interaction."""
        return self.interaction.channel


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is left of an interaction that has left the view: enough to tell copies and to take one back."""

    precedence: tuple[int, int]
    occurred_at: int
    touchpoint: str
    channel: str
    definition: int  # or UNCOUNTED
    experience: Experience | None
    told: tuple[str, ...]
    session_id: str = ""
    beside: Besides = ()

    @property
    def since(self) -> int:
        """As of the interaction."""
        return min(self.occurred_at, self.precedence[0] % PUBLIC_LATER)


class Lent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another profile's interaction. `version`: of the assignment by which it came as this profile's; 0: it did not."""

    interaction: Interaction
    version: int
    newest: int = 0  # version of the newest assignment with which it, or another copy, came at all

    def belongs_to(self, person: str, assignment: Assignment) -> bool:
        """Whether it is that person's, by the newest `assignment` known of its sender."""
        if self.version > assignment.version:
            return True  # newer than what is known: that assignment is on its way
        x = self.interaction
        return assignment.owner(x.identifier, x.session_id, x.occurred_at) == person


class Sender(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another profile, and the newest that it has said about whose its interactions are."""

    identifier: str
    assignment: Assignment


class Erasure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was erased of a profile, and is not kept when it comes again."""

    before: int = 0  # whatever occurred or arrived before (ms)
    blocked: bool = False  # and whatever comes afterwards
    order: int = 0  # the number of the order that `blocked` is from

    def refuses(self, since: int) -> str:
        """Why an interaction of which `since` was the first sign is not kept: 'erased', 'blocked'; '' where it is."""
        if since < self.before:
            return "erased"
        return "blocked" if self.blocked else ""

    def merged(self, other: Erasure) -> Erasure:
        """Both of them: in whatever order they came."""
        newer = max(self, other, key=lambda each: (each.order, each.blocked))
        return Erasure(max(self.before, other.before), newer.blocked, newer.order)


class Alias(msgspec.Struct, array_like=True, gc=False):
    """A weaker identifier that came with this one. What came with a public key is told apart."""

    earliest: int  # ms
    sessions: int  # records of kind m
    trusted: int | None = None  # the earliest from a trusted source, ms; None where none was told
    public: int | None = None  # the same with a public key. Both None: all is from trusted ones
    told: int = 0  # as it was in the head


class Ledger(msgspec.Struct, array_like=True, gc=False):
    """A person's evidence in rising order, by which score rows are written."""

    definition: int
    pieces: list[Piece]
    past: list[int]  # days that have a row, but no piece in here any more; rising
    silent: tuple[str, ...] = ()  # browsers and devices of theirs whose own word keeps what is filed there out of it
    since: int = 0  # rows of earlier days are told by a replay
    beside: dict[int, list[int]] = {}  # other definition → the days that have a row by it, rising
    number: int = 0  # `Judging.live_from` when it was made: has its definition been live without a break since?


encode = msgspec.msgpack.Encoder().encode
decode_head = msgspec.msgpack.Decoder(Head).decode
decode_assignment = msgspec.msgpack.Decoder(Assignment).decode
decode_kept = msgspec.msgpack.Decoder(Kept).decode
decode_seen = msgspec.msgpack.Decoder(Seen).decode
decode_sender = msgspec.msgpack.Decoder(Sender).decode
decode_lent = msgspec.msgpack.Decoder(Lent).decode
decode_alias = msgspec.msgpack.Decoder(Alias).decode
decode_ledger = msgspec.msgpack.Decoder(Ledger).decode
decode_time = msgspec.msgpack.Decoder(int).decode
decode_erasure = msgspec.msgpack.Decoder(Erasure).decode
decode_version = msgspec.msgpack.Decoder(int).decode
decode_judging = msgspec.msgpack.Decoder(Judging).decode


def erasure(state: Reading, seal: bytes, recalled: Mapping[bytes, Erasure]) -> Erasure | None:
    """What is known of a profile's erasure: in the state, and beside it."""
    data = state.get(ERASURE + seal)
    told = recalled.get(seal)
    if data is None:
        return told
    known = decode_erasure(data)
    return known if told is None else known.merged(told)


def newest_heard(state: Reading, profile: str, sender: str, seal: Callable[[str], bytes]) -> int:
    """The version of the newest word of a sender that a profile has heard; 0 where it has heard none.

    Where both are the same: of identify's word about the profile itself.
    """
    quiet = heard(state, seal(profile), seal(sender))
    if profile == sender:
        data = state.get(prefix(profile) + ASSIGNMENT)
        return max(quiet, decode_assignment(data).version if data is not None else 0)
    data = state.get(prefix(profile) + SENDER + name(sender))
    return max(quiet, decode_sender(data).assignment.version if data is not None else 0)


def heard_key(profile: bytes, sender: bytes) -> bytes:
    """The key of kind y, from the seals of a profile and of whose word it is (the same, where it is its own)."""
    return HEARD + profile + sender


def heard(state: Reading, profile: bytes, sender: bytes) -> int:
    """The version of the newest word that said nothing; 0 where there was none."""
    data = state.get(heard_key(profile, sender))
    return decode_version(data) if data is not None else 0


def prefix(identifier: str) -> bytes:
    """What all keys of a profile begin with."""
    return b"p" + identifier.encode() + b"\x00"


def name(text: str) -> bytes:
    """16 bytes for an identifier or a session in a key."""
    return blake2b(text.encode(), digest_size=NAME_BYTES).digest()


def event_name(source: str, event_id: str) -> bytes:
    """16 bytes for an event in a key."""
    return blake2b(f"{source}\x00{event_id}".encode(), digest_size=NAME_BYTES).digest()


class Held:
    """All interactions that a profile holds, read in one go, and which of them are the person's."""

    __slots__ = ("kept", "lent", "person", "senders", "shown")

    def __init__(self, state: Reading, person: str) -> None:
        start = prefix(person)
        data = state.get(start + ASSIGNMENT)
        assignment = decode_assignment(data) if data else UNASSIGNED
        self.person = person
        self.kept: dict[bytes, Kept] = {key: decode_kept(value) for key, value in state.scan(start + KEPT)}
        self.lent: dict[bytes, Lent] = {key: decode_lent(value) for key, value in state.scan(start + LENT)}
        self.senders: dict[str, Assignment] = {}
        for _, value in state.scan(start + SENDER):
            sender = decode_sender(value)
            self.senders[sender.identifier] = sender.assignment
        # What an erased owner would have got, had it not come after the erasure, stays here.
        self.shown: list[Interaction] = [
            x
            for each in self.kept.values()
            if (owner := assignment.owner(person, (x := each.interaction).session_id, x.occurred_at)) == person
            or is_erased(owner)
        ]
        for lent in self.lent.values():
            if lent.belongs_to(person, self.senders.get(lent.interaction.identifier, UNASSIGNED)):
                self.shown.append(lent.interaction)

    def slices(self) -> list[list[Interaction]]:
        """The interactions stored here, and of each other profile those that are this person's."""
        parts: dict[str, list[Interaction]] = {}
        for x in self.shown:
            if x.identifier != self.person:
                parts.setdefault(x.identifier, []).append(x)
        return [[kept.interaction for kept in self.kept.values()], *parts.values()]

    def events(self) -> set[tuple[str, str, str]]:
        """(identifier, source, event_id) of all, shown or not."""
        every = [k.interaction for k in self.kept.values()] + [v.interaction for v in self.lent.values()]
        return {(x.identifier, x.source, x.event_id) for x in every}
