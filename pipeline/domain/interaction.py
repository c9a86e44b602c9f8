"""An interaction as it is stored: validated, normalised, filed under its strongest identifier.

An identifier is one text, ``namespace:value``. Phone numbers and e-mail addresses never stand in one in clear:
their value is the keyed form (``phone:k1.9f86…``), and what people may see of them travels beside it in ``masks``.
Times are integer milliseconds since 1970 in UTC.

The values hold each other in one direction only, so Python's garbage collector need not look at them (`gc=False`):
with tens of thousands of them alive it would look often.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

CHANNELS = ("web", "mobile", "phone", "in_store", "chat", "message", "partner")

#: Added to when a copy that came with a public key was received (ms): so that one which did not counts before it.
PUBLIC_LATER = 1 << 52

#: Strongest first. An event is filed under the first of these that it carries.
NAMESPACES = ("customer", "loyalty", "email", "phone", "anonymous", "device")

#: Milliseconds since 1970. Decoding holds whatever comes through a topic of ours to what a clock may say.
Ms = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a cart or an order."""

    product: str
    quantity: float = 1.0
    price: float | None = None  # of one piece, in the currency of the event's property `currency`
    name: str = ""


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A survey answer on any scale: `value` between `min` and `max`, both included."""

    question: str
    value: float
    min: float
    max: float


class Interaction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One interaction, of one copy of its event. `(source, event_id)` names the event."""

    identifier: str  # the strongest one: the profile that stores it
    source: str
    event_id: str
    channel: str
    type: str
    touchpoint: str
    occurred_at: Ms  # corrected by received_at − sent_at, at most 5 minutes ahead of the broker's time
    occurred_at_sent: Ms  # as the source said it: the same in every copy, so it may be part of a key
    received_at: Ms  # the copy with the smallest one counts, see `precedence`
    digest: int  # 63 bits of the content: decides between copies received in the same millisecond
    session_id: str = ""
    goal: str = ""
    issue: str = ""
    about: str = ""  # the event_id that a survey, complaint or note speaks of
    links: tuple[str, ...] = ()  # the weaker identifiers that the event carried and its source may link
    masks: dict[str, str] = {}  # identifier → what people may see of it (phone and e-mail only)
    items: tuple[Item, ...] = ()
    answer: Answer | None = None
    measures: dict[str, float] = {}
    properties: dict[str, str] = {}
    details: dict[str, str | int | float | bool] = {}
    consent: dict[str, bool] = {}
    claims: tuple[str, ...] = ()  # weaker identifiers that its source may not link: no evidence, shown to nobody
    public: bool = False  # came with a public key (a browser's): as evidence of identity not older than its arrival

    @property
    def since(self) -> int:
        """The first sign of it (ms): what is erased is whatever occurred, or arrived, before."""
        return min(self.occurred_at, self.received_at)

    @property
    def linked_at(self) -> int:
        """Since when it shows that its identifiers belong together (ms)."""
        return max(self.occurred_at, self.received_at) if self.public else self.occurred_at

    @property
    def event(self) -> tuple[str, str]:
        """What makes two copies the same event."""
        return self.source, self.event_id

    @property
    def precedence(self) -> tuple[int, int]:
        """Of two copies of one event the one with the smaller precedence counts.

        One that came with a public key counts after all others: nobody can forestall what a source is going to send.
        """
        return self.received_at + PUBLIC_LATER if self.public else self.received_at, self.digest

    @property
    def position(self) -> tuple[int, str, str]:
        """Where it stands in a timeline: event time, ties by source and event id."""
        return self.occurred_at, self.source, self.event_id
