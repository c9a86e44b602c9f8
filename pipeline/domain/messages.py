"""What profiles and `identify` tell each other, and how it stands on the wire.

All of it is idempotent: interactions are a set union, assignments a highest version, evidence a smallest time,
erasures a latest time. So neither order nor repeats of messages matter, but for two: what `Forget` takes back was sent
before it on the same way, and of two replays (`Rescored`) the later one counts. Private to Throughline: MessagePack,
one tag in front.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.interaction import Interaction, Ms
from pipeline.domain.orders import Order
from pipeline.domain.scores import Count, ScoreRow
from pipeline.domain.scoring import Experience


class Evidence(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """An event showed that `strong` and the weaker `weak` belong together (topic identity.evidence)."""

    strong: str
    weak: str
    occurred_at: int
    session_id: str  # '' where the event had none
    source: str
    event_id: str
    since: int = 0  # the first sign of the event (ms), where that was before `occurred_at`
    public: bool = False  # it came with a public key: anybody may have said it


class Assignment(msgspec.Struct, frozen=True, array_like=True):
    """Whose the interactions stored under one identifier are. Absolute; the highest version counts.

    No owners: it is a person of its own. One owner: everything is theirs. Two or more (`ambiguous`): a session in
    `sessions` is that person's ('' = stays); outside those, what occurred before `until` is `owners[0]`'s, and
    the rest stays. Ambiguous without owners (all stronger ones are ambiguous themselves): everything stays.
    """

    version: int
    owners: tuple[str, ...] = ()  # by first time
    until: int | None = None  # ms
    sessions: dict[str, str] = {}
    candidates: tuple[str, ...] = ()  # whom it may be, where ambiguous; sorted
    ambiguous: bool = False

    def owner(self, identifier: str, session_id: str, occurred_at: int) -> str:
        """The person whose that interaction of `identifier` is."""
        if len(self.owners) == 1:
            return self.owners[0]
        if not self.owners:
            return identifier
        settled = self.sessions.get(session_id) if session_id else None
        if settled is not None:
            return settled or identifier
        if self.until is not None and occurred_at < self.until:
            return self.owners[0]
        return identifier

    def erases(self, x: Interaction) -> bool:
        """Whether that interaction is of somebody who was erased after it: it is not kept, and given to nobody."""
        owner = self.owner(x.identifier, x.session_id, x.occurred_at)
        return is_erased(owner) and x.since < erased_at(owner)


NEVER = (1 << 63) - 1  # ms: a time that does not come

ERASED = "erased"  # the namespace of those who were erased: it points at nobody


def erased_person(at: int, order_id: str) -> str:
    """The nameless owner that remains of an erased person, so that nobody inherits what was theirs."""
    return f"{ERASED}:{at}.{order_id}"


def is_erased(person: str) -> bool:
    """Whether that is an erased person's remaining name."""
    return person.startswith("erased:")


def erased_at(person: str) -> int:
    """When an erased person was erased, in ms: what came before is theirs, what came after is not."""
    return int(person.removeprefix("erased:").partition(".")[0])


#: Before `identify` has said anything: a person of its own.
UNASSIGNED = Assignment(version=0)


class Misfiled(msgspec.Struct, frozen=True, array_like=True, tag="i"):
    """An interaction read on a partition that is not its profile's, on its way home."""

    interaction: Interaction


class Assigned(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """`identify` tells the profile `to` whose its interactions are."""

    to: str
    assignment: Assignment


class Slice(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """The profile `sender` tells the person `to` what is theirs of what it stores (possibly nothing).

    The assignment says all that concerns `to`; where it is not `whole`, only what concerns these interactions, so that
    one event of a device shared in thousands of sessions does not carry them all.
    """

    to: str
    sender: str
    assignment: Assignment
    interactions: tuple[Interaction, ...]
    whole: bool = True


class Erased(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """`identify` tells the profile `to` that all of it that occurred or arrived before a time is erased.

    Of two such messages the later time counts. Where `blocked`, nothing is stored afterwards either; `order` says
    which of two with different words on that is the newer: the number that `identify` gave it.
    """

    to: str
    before: int  # ms
    blocked: bool
    order: int


class Forget(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """The profile `sender` takes back what it once sent `to`: these events (hashes as in `records.event_name`)."""

    to: str
    sender: str
    events: tuple[bytes, ...]


class Scrub(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """A sweep tells the profile `to` that what it holds from before a time must not name these erased identifiers.

    The interactions are its own, or those of others who were not erased, so they stay.
    """

    to: str
    names: tuple[str, ...]
    before: int  # ms


class Unsaid(msgspec.Struct, frozen=True, array_like=True, tag="u"):
    """`identify` tells the profile `to` that it does not know what it was told of a weaker identifier.

    That was erased, is blocked, or what was said of it was forgotten by an order: what shows the two together from
    `before` on is to be told again.
    """

    to: str
    weak: str  # '': of all of them
    before: int  # ms; NEVER where it is blocked
    order: int = 0  # of all of them: the number of the order by which that was forgotten


class Judging(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    """Which definitions judge what is stored on a partition number. The highest number counts.

    What people see is by the one that is `live`. One more may judge `beside` it, in cells of its own (0: none does).
    """

    number: Count
    live: Count
    beside: Count = 0
    live_from: Count = 0  # the number by which `live` became so; its receiver fills it in

    @property
    def switched(self) -> bool:
        """Whether another definition may have been live before."""
        return self.number > 1

    def after(self, former: Judging) -> Judging:
        """With `live_from`, as it follows from the word before."""
        since = former.live_from if self.live == former.live else self.number
        return Judging(self.number, self.live, self.beside, since)


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a definition says of one copy of an event."""

    event: bytes  # hash as in `records.event_name`
    precedence: int  # the first of `Interaction.precedence`: which copy
    experience: Experience | None


class Judged(msgspec.Struct, frozen=True, array_like=True, tag="j"):
    """A replay tells the profile `to` what another definition says of events that are stored there."""

    to: str
    definition: Count
    verdicts: tuple[Verdict, ...]


class Rescored(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """A replay tells the person `to` their rows by another definition, from what was stored at `read_at`."""

    to: str
    read_at: Ms
    rows: tuple[ScoreRow, ...]


Message = Misfiled | Assigned | Slice | Erased | Forget | Scrub | Unsaid | Judging | Judged | Rescored

_encoder = msgspec.msgpack.Encoder()
_message: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_said: msgspec.msgpack.Decoder[Evidence | Order] = msgspec.msgpack.Decoder(Evidence | Order)


def encode(message: Message | Evidence | Order) -> bytes:
    """The message as bytes."""
    return _encoder.encode(message)


def decode_message(data: bytes) -> Message:
    """A message of profiles.inbox. Raises msgspec.DecodeError or UnicodeDecodeError where it is none."""
    return _message.decode(data)


def decode_said(data: bytes) -> Evidence | Order:
    """A message of identity.evidence. Raises msgspec.DecodeError or UnicodeDecodeError where it is none."""
    return _said.decode(data)


def receiver(message: Message) -> str:
    """The profile that a message is for: the key under which it is sent. '': all of the partition number."""
    if isinstance(message, Judging):
        return ""
    return message.interaction.identifier if isinstance(message, Misfiled) else message.to
