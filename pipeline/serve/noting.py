"""Writing what agents note of a call: events like any other, to the phone's topic, by collect's and stitch's verdict.

The agent's name is not in them: outside the desk they are a pseudonym, the same one everywhere (`domain.staff`). An
event's id comes with the form, so that sending it twice says it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline import metrics
from pipeline.domain.catalogue import Issue
from pipeline.domain.identifiers import Keyring
from pipeline.domain.policy import Policy
from pipeline.domain.validate import interaction
from pipeline.serve.audit import Codec
from pipeline.serve.writing import Writer
from pipeline.topics import NOTED_ON, channel_topic

Kind = Literal["note", "complaint", "compliment"]
#: Kind → the type of event that it is told with, beside the note on the call itself.
TYPES: Mapping[str, str] = {"note": "call_noted", "complaint": "complaint_opened", "compliment": "compliment_given"}
SOURCE = "desk"
TOUCHPOINT = "call_agent"  # where there is no call that says another
TEXT_CHARS_MAX = 1_000


class Incomplete(ValueError):
    """What was filled in cannot be taken; says what to do."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What an agent may choose from: the catalogue's codes."""

    issues: Sequence[Issue] = ()
    outcomes: Sequence[str] = ()  # of calls that an agent took


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it came. `id`: the form's own."""

    id: str
    kind: str = "note"
    issue: str = ""
    outcome: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a note is on, in which call, and who takes it. Agent and extension are pseudonyms, or ''."""

    identifier: str
    session_id: str = ""
    touchpoint: str = ""
    queue: str = ""
    agent: str = ""
    extension: str = ""


class Noting:
    """Writes notes."""

    def __init__(
        self, writer: Writer, codec: Codec, keyring: Keyring, region: str, policy: Policy, choices: Choices
    ) -> None:
        """`region` reads phone numbers without country prefix; `policy` is what events are judged by."""
        self.choices = choices
        self._writer = writer
        self._codec = codec
        self._keyring = keyring
        self._region = region
        self._policy = policy

    async def take(self, note: Note, place: Place, at_ms: int) -> None:
        """Return once Kafka has all that was noted.

        Raises Incomplete or Rejected, and then has written none; Unwritten, and then may have written any: say all of
        it again.
        """
        self._check(note)
        events = [_event(each, note, place, at_ms) for each in _told(note)]
        for each in events:
            key = self._judged(each, at_ms)
            value = self._codec.encode(f"interaction_{NOTED_ON}", each)
            await self._writer.write(channel_topic(NOTED_ON), key.encode(), value)
            metrics.NOTES_ACCEPTED.labels(each["type"]).inc()

    def _check(self, note: Note) -> None:
        if note.kind not in TYPES:
            raise Incomplete(f"Choose one of {', '.join(TYPES)}.")
        if note.issue and note.issue not in {each.id for each in self.choices.issues}:
            raise Incomplete("Choose an issue of the list.")
        if note.outcome and note.outcome not in self.choices.outcomes:
            raise Incomplete("Choose an outcome of the list.")
        if len(note.text) > TEXT_CHARS_MAX:
            raise Incomplete(f"The note may have at most {TEXT_CHARS_MAX:,} characters.")
        if note.kind != "note" and not (note.issue or note.text):
            raise Incomplete(f"Choose what the {note.kind} is about, or write it down.")
        if not (note.issue or note.outcome or note.text):
            raise Incomplete("Choose what the call was about or what came of it, or write a note.")

    def _judged(self, event: dict[str, Any], at_ms: int) -> str:
        """Where the event is filed. Raises Rejected."""
        return interaction(event, NOTED_ON, at_ms, self._keyring, self._region, self._policy).identifier


def _told(note: Note) -> list[str]:
    """The kinds of event that a note becomes: what came of the call is said of the call, whatever else there is."""
    if note.kind == "note":
        return ["note"]
    return [note.kind, "note"] if note.outcome else [note.kind]


def _event(kind: str, note: Note, place: Place, at_ms: int) -> dict[str, Any]:
    """An event with the fields of the phone's Avro schema."""
    namespace, _, value = place.identifier.partition(":")
    event_id = f"{note.id}-{kind}"
    properties = {"text": note.text} if note.text and kind == note.kind else {}
    if kind == "complaint":
        properties["complaint_id"] = event_id  # another one about the same issue is another one
    details: dict[str, Any] = {
        "queue": place.queue or None,
        "direction": "inbound" if place.session_id else None,
        "wait_s": None,
        "handle_s": None,
        "transfers": None,
        "outcome": (note.outcome or None) if kind == "note" else None,
        "agent": place.agent or None,
        "extension": place.extension or None,
    }
    return {
        "event_id": event_id,
        "source": SOURCE,
        "type": TYPES[kind],
        "touchpoint": place.touchpoint or TOUCHPOINT,
        "occurred_at": at_ms,
        "sent_at": None,
        "received_at": at_ms,
        "identifiers": {namespace: value},
        "session_id": place.session_id,
        "goal": "",
        "issue": note.issue,
        "about": "",
        "items": [],
        "answer": None,
        "measures": {},
        "properties": properties,
        "consent": {},
        "public": False,
        "details": details,
    }
