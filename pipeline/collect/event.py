"""One event as JSON → the Avro event that Kafka gets, or the reason why not.

Types are strict and names are checked: a number where a text belongs, or a misspelt field, rejects the event and says
which field it was, since dropping it silently would lose data that its sender believes delivered. `null` in an
optional field is the same as leaving it out. The rules for values are `domain.validate`'s, not here.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec

from pipeline.domain.interaction import CHANNELS
from pipeline.domain.reasons import Reason, Rejected

EVENT_ID_CHARS_MAX = 256  # of an event_id in an answer

Time = Annotated[datetime, msgspec.Meta(tz=True)] | int


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


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_TYPES: dict[str, Any] = {"string": str | None, "double": float | None, "long": int | None, "boolean": bool | None}
_asdict = msgspec.structs.asdict
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)  # msgspec raises both


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
        try:
            event = self._event.decode(raw)
        except _UNREADABLE as error:
            raise _rejected(error, raw, Event) from error
        channel = event.channel
        decoder = self._details.get(channel)
        if decoder is None:
            raise Rejected(Reason.UNKNOWN_CHANNEL, f"channel: none of {', '.join(CHANNELS)}")
        try:
            details = decoder.decode(event.details)
        except _UNREADABLE as error:
            raise _rejected(error, event.details, self.details[channel], "details") from error
        sent_at = event.sent_at
        return channel, {
            "event_id": event.event_id,
            "source": event.source,
            "type": event.type,
            "touchpoint": event.touchpoint,
            "occurred_at": _ms(event.occurred_at),
            "sent_at": None if sent_at is None else _ms(sent_at),
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


def event_id(raw: msgspec.Raw) -> str | None:
    """The event_id of an event that was rejected, as far as there is one."""
    try:
        given = msgspec.json.decode(raw)
    except (*_UNREADABLE, RecursionError):
        return None
    found = given.get("event_id") if isinstance(given, dict) else None
    return found[:EVENT_ID_CHARS_MAX] if isinstance(found, str) else None


def _ms(time: datetime | int) -> int:
    return time if isinstance(time, int) else (time - _EPOCH) // _MS


# From msgspec's errors to ours. They name types as Python does, and not the key of a map.

_WORDS = {
    "str": "text",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "datetime": "a text",
    "null": "null",
}
_TIME = "a time in RFC 3339 with its offset, or whole milliseconds since 1970"
_EXPECTED = re.compile(r"Expected `([^`]+)`(?: with a timezone component)?(?:, got `([^`]+)`)?")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`$", re.DOTALL)
_PATH = re.compile(r" - at `\$\.?([^`]*)`\Z")


def _rejected(error: Exception, raw: msgspec.Raw, kind: type[msgspec.Struct], under: str = "") -> Rejected:
    """What msgspec says, in our words: which field, and what it should be."""
    if not isinstance(error, msgspec.ValidationError):
        return Rejected(Reason.BROKEN_JSON, f"{under or 'the event'}: not JSON in UTF-8")
    said = str(error)
    found = _PATH.search(said)
    if found:
        said = said[: found.start()]
    path = ".".join(part for part in (under, found[1] if found else "") if part)
    if missing := _MISSING.search(said):
        return Rejected(Reason.MISSING_FIELD, f"{path}.{missing[1]}" if path else missing[1])
    if unknown := _UNKNOWN.search(said):
        return Rejected(Reason.WRONG_TYPE, _no_such_field(unknown[1][:64], path, kind))
    if path.endswith("[...]"):
        path = _entry(path, raw, said, under)
    if "datetime" in said or "RFC3339" in said:
        return Rejected(Reason.WRONG_TYPE, f"{path}: must be {_TIME}")
    if expected := _EXPECTED.search(said):
        words = " or ".join(_WORDS.get(each, each) for each in expected[1].split(" | "))
        got = f", not {_WORDS.get(expected[2], expected[2])}" if expected[2] else ""
        return Rejected(Reason.WRONG_TYPE, f"{path or 'the event'}: must be {words}{got}")
    return Rejected(Reason.WRONG_TYPE, f"{path or 'the event'}: {said}")


def _no_such_field(name: str, path: str, kind: type[msgspec.Struct]) -> str:
    place = f"{path}.{name}" if path else name
    known = {"items": Item, "answer": Answer}.get(path.partition("[")[0], kind)
    near = difflib.get_close_matches(name, known.__struct_fields__, 1)
    return f"{place}: no such field" + (f"; is it {near[0]}?" if near else "; your own fields belong in properties")


def _entry(path: str, raw: msgspec.Raw, said: str, under: str) -> str:
    """The path of the first entry of a map that has the wrong type."""
    name = path.removesuffix("[...]")
    given = msgspec.json.decode(raw)
    entries = given.get(name.removeprefix(f"{under}.")) if isinstance(given, dict) else None
    if not isinstance(entries, Mapping):
        return name
    fits = {
        "str": lambda v: isinstance(v, str),
        "float": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
        "bool": lambda v: isinstance(v, bool),
    }
    expected = _EXPECTED.search(said)
    fit = fits.get(expected[1]) if expected else None
    wrong = next((key for key, value in entries.items() if fit and not fit(value)), None)
    return name if wrong is None else f"{name}.{wrong[:64]}"
