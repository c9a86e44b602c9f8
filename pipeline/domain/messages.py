"""What profiles and `identify` tell each other, and how it stands on the wire.

All of it is idempotent: interactions are a set union, assignments a highest version, evidence a smallest time.
So neither order nor repeats of messages matter. Private to Throughline: MessagePack, one tag in front.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.interaction import Interaction


class Evidence(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """An event showed that `strong` and the weaker `weak` belong together (topic identity.evidence)."""

    strong: str
    weak: str
    occurred_at: int
    session_id: str  # '' where the event had none
    source: str
    event_id: str


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


Message = Misfiled | Assigned | Slice

_encoder = msgspec.msgpack.Encoder()
_message: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Misfiled | Assigned | Slice)
_evidence = msgspec.msgpack.Decoder(Evidence)


def encode(message: Message | Evidence) -> bytes:
    """The message as bytes."""
    return _encoder.encode(message)


def decode_message(data: bytes) -> Message:
    """A message of profiles.inbox. Raises msgspec.DecodeError or UnicodeDecodeError where it is none."""
    return _message.decode(data)


def decode_evidence(data: bytes) -> Evidence:
    """A message of identity.evidence. Raises msgspec.DecodeError or UnicodeDecodeError where it is none."""
    return _evidence.decode(data)


def receiver(message: Message) -> str:
    """The profile that a message is for: the key under which it is sent."""
    return message.interaction.identifier if isinstance(message, Misfiled) else message.to
