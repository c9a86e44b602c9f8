"""One event as JSON → the Avro event that Kafka gets, or the reason why not.

Types are strict and names are checked: a number where a text belongs, or a misspelt field, rejects the event and says
which field it was, since dropping it silently would lose data that its sender believes delivered. `null` in an
optional field is the same as leaving it out. The rules for values are `domain.validate`'s, not here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from pipeline.collect.strict import UNREADABLE, Shape, read_as, rejected
from pipeline.domain.interaction import CHANNELS
from pipeline.domain.reasons import Reason, Rejected
from pipeline.domain.validate import Time, ms


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a cart or order."""

    product: str
    quantity: float = 1.0
    price: float | None = None
    name: str = ""


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    """A survey answer."""

    question: str
    value: float
    min: float
    max: float


class Event(msgspec.Struct, forbid_unknown_fields=True):
    """The envelope. `details` waits for the channel to be known."""

    event_id: str
    source: str
    channel: str
    type: str
    touchpoint: str
    occurred_at: Time
    identifiers: dict[str, str]
    sent_at: Time | None = None
    session_id: str | None = None
    goal: str | None = None
    issue: str | None = None
    about: str | None = None
    items: list[Item] | None = None
    answer: Answer | None = None
    measures: dict[str, float] | None = None
    properties: dict[str, str] | None = None
    consent: dict[str, bool] | None = None
    public: bool | None = None  # what a client says is not asked: its key decides
    details: msgspec.Raw = msgspec.Raw(b"null")


_EVENT = Shape(Event, within={"items": Item, "answer": Answer}, own="your own fields belong in properties")
_TYPES: dict[str, Any] = {"string": str | None, "double": float | None, "long": int | None, "boolean": bool | None}
_asdict = msgspec.structs.asdict


class Events:
    """Reads events; make it once."""

    def __init__(self, schemas: Path) -> None:
        """The fields of each channel's `details` come from its Avro schema under ``schemas/avro``."""
        self._event = msgspec.json.Decoder(Event)
        self.details: dict[str, type[msgspec.Struct]] = {}
        for channel in CHANNELS:
            schema = json.loads((schemas / "avro" / f"interaction_{channel}.avsc").read_text())
            record = next(f for f in schema["fields"] if f["name"] == "details")["type"][1]
            fields = [(f["name"], _TYPES[f["type"][1]], None) for f in record["fields"]]
            self.details[channel] = msgspec.defstruct(record["name"], fields, forbid_unknown_fields=True)
        self._details = {channel: msgspec.json.Decoder(kind | None) for channel, kind in self.details.items()}

    def read(self, raw: msgspec.Raw, received_at: int, public: bool = False) -> tuple[str, dict[str, Any]]:
        """(channel, Avro event). `received_at` in ms; `public` says whether it came with a public key.

        Raises Rejected: broken_json, wrong_type, missing_field, unknown_channel.
        """
        event = read_as(self._event, raw, _EVENT)
        channel = event.channel
        decoder = self._details.get(channel)
        if decoder is None:
            raise Rejected(Reason.UNKNOWN_CHANNEL, f"channel: none of {', '.join(CHANNELS)}")
        try:
            details = decoder.decode(event.details)
        except UNREADABLE as error:
            shape = Shape(self.details[channel], under="details", own=_EVENT.own)
            raise rejected(error, event.details, shape) from error
        sent_at = event.sent_at
        return channel, {
            "event_id": event.event_id,
            "source": event.source,
            "type": event.type,
            "touchpoint": event.touchpoint,
            "occurred_at": ms(event.occurred_at),
            "sent_at": None if sent_at is None else ms(sent_at),
            "received_at": received_at,
            "identifiers": event.identifiers,
            "session_id": event.session_id or "",
            "goal": event.goal or "",
            "issue": event.issue or "",
            "about": event.about or "",
            "items": [_asdict(item) for item in event.items] if event.items else [],
            "answer": None if event.answer is None else _asdict(event.answer),
            "measures": event.measures or {},
            "properties": event.properties or {},
            "consent": event.consent or {},
            "public": public,
            "details": None if details is None else _asdict(details),
        }
