"""Small worlds for Hypothesis: few persons, devices and sessions, so that they meet in every possible way.

Each event is drawn as one number, whose digits are its choices: a hundred draws for each would cost more than all that
is tested with them. The smaller the number, the plainer the event, so that failures still shrink.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st

from pipeline.domain.interaction import Interaction

START = 1_700_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
COPIES_MAX = 3

#: Namespace → how many of them there are. Few of each: phones and devices are shared, people log in everywhere.
PEOPLE = {"customer": 3, "loyalty": 2, "email": 1, "phone": 2, "anonymous": 3, "device": 2}
SESSIONS = ("", "s1", "s2", "s3")
TIMES = 9  # few, so that ties are common

T = TypeVar("T")


class Choices:
    """The digits of a number, one choice each."""

    def __init__(self, number: int) -> None:
        self._left = number

    def below(self, count: int) -> int:
        """0 to `count` − 1."""
        self._left, chosen = divmod(self._left, count)
        return chosen

    def of(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.below(len(options))]

    def identifiers(self) -> dict[str, int]:
        """One to three namespaces, strongest first, each with a number."""
        chosen = {self.of(list(PEOPLE)): self.below(3) for _ in range(1 + self.below(3))}
        return {name: chosen[name] % count for name, count in PEOPLE.items() if name in chosen}


#: One for each event. Drawn as bytes, since integers are drawn small by preference.
numbers = st.integers(1, 30).flatmap(
    lambda count: st.lists(st.binary(min_size=10, max_size=10).map(int.from_bytes), min_size=count, max_size=count)
)


def interaction_of(number: int, event_id: str) -> list[Interaction]:
    """One event: its copies."""
    choices = Choices(number)
    strongest, *links = (f"{name}:{which}" for name, which in choices.identifiers().items())
    session_id = choices.of(SESSIONS)
    occurred_at = choices.below(TIMES)
    copies = [(choices.below(4), choices.below(3)) for _ in range(1 + choices.below(COPIES_MAX))]
    return [
        Interaction(
            identifier=strongest,
            source="shop",
            event_id=event_id,
            channel="web",
            type="page_viewed",
            touchpoint="site",
            occurred_at=START + occurred_at + shift,
            occurred_at_sent=START + occurred_at,
            received_at=START + 1000 + received,
            digest=shift * 8 + received,
            session_id=session_id,
            links=tuple(links),
        )
        for shift, received in copies
    ]


#: All copies of all events of a small world, in event order.
worlds = numbers.map(lambda drawn: [copy for n, number in enumerate(drawn) for copy in interaction_of(number, f"e{n}")])


class Copy(NamedTuple):
    """One copy of an event as somebody writes it to Kafka."""

    channel: str
    event: dict[str, Any]  # as the schema interaction_<channel> wants it
    broker_time: int  # ms
    astray: int | None  # the partition number it is written to, where that is not its key's


class Sent(NamedTuple):
    """Everything that is sent in a small world, in event order."""

    copies: list[Copy]
    step_ms: int  # between two points of time


VALUES = {
    "customer": "c{}",
    "loyalty": "L-{}",
    "email": "Person{}@Example.com",
    "phone": "+1 202 555 014{}",
    "anonymous": "cookie-{}",
    "device": "device-{}",
}
#: Channel, type and touchpoint.
_KINDS = [
    ("web", "page_viewed", "site"),
    ("web", "searched", "site_search"),
    ("mobile", "goal_completed", "app"),
    ("phone", "call_ended", "call_queue"),
    ("in_store", "order_placed", "till"),
    ("message", "survey_answered", "survey"),
    ("web", "consent_changed", "account"),
    ("mobile", "profile_updated", "account"),
]
#: Words on consent, of those who say something.
_CONSENTS = [
    {purpose: said for purpose, said in (("service", service), ("analysis", analysis)) if said is not None}
    for service in (False, True, None)
    for analysis in (False, True, None)
]
_ARRIVED = START + 1000 * DAY_MS


def copies_of(number: int, position: int, step_ms: int) -> list[Copy]:
    """One event: its copies, sent and received at times of their own, some of them astray."""
    choices = Choices(number)
    identifiers = {name: VALUES[name].format(which) for name, which in choices.identifiers().items()}
    session_id = choices.of(SESSIONS)
    occurred_at = START + step_ms * choices.below(TIMES)
    channel, kind, touchpoint = choices.of(_KINDS)
    event: dict[str, Any] = {
        "event_id": f"e{position}",
        "source": choices.of(["shop", "desk"]),
        "type": kind,
        "touchpoint": touchpoint,
        "occurred_at": occurred_at,
        "identifiers": identifiers,
        "session_id": session_id,
        "goal": "",
        "issue": "",
        "about": "",
        "items": [],
        "answer": None,
        "measures": {"wait_s": 100.0 * choices.below(7)} if kind == "call_ended" else {},
        "properties": {},
        "consent": {},
        "details": None,
        "public": False,
    }
    if kind in ("consent_changed", "profile_updated"):
        event["consent"] = choices.of(_CONSENTS)
        event["properties"] = {"language": choices.of(["fr", "de"])} if kind == "profile_updated" else {}
        event["public"] = choices.below(2) == 1
    elif choices.below(6) == 5:
        event["consent"] = choices.of(_CONSENTS)
        event["public"] = choices.below(2) == 1
    if kind in ("call_ended", "searched"):
        event["issue"] = choices.of(["", "parcel", "parcel", "invoice"])
    if kind == "call_ended":
        event["details"] = {"outcome": choices.of(["handled", "unsolved", "abandoned"])}
    if kind == "survey_answered":
        event["about"] = f"e{choices.below(position + 1)}"
        event["answer"] = {"question": "csat", "value": 1.0 + choices.below(5), "min": 1.0, "max": 5.0}
    copies = []
    for _ in range(1 + choices.below(COPIES_MAX)):
        received_at = _ARRIVED + choices.below(3)
        late = choices.below(3)
        times = {
            "sent_at": received_at - late * step_ms if late else None,
            "received_at": received_at if choices.below(2) else None,
        }
        copies.append(Copy(channel, event | times, received_at, choices.of([None, None, None, 0, 1])))
    return copies


def world_of(drawn: Sequence[int], step_ms: int) -> Sent:
    """The world that has one event for each number."""
    return Sent([copy for n, number in enumerate(drawn) for copy in copies_of(number, n, step_ms)], step_ms)


#: Small worlds as they are sent: within milliseconds, within days, or beyond what a view keeps.
sent_worlds = st.builds(world_of, numbers, st.sampled_from([1, 7 * HOUR_MS, 60 * DAY_MS]))
