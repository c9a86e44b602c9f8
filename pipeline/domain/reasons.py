"""Why something is refused: a closed set of named reasons, each with one sentence of meaning.

The names stand in HTTP answers and in interactions.rejected: they are an outside interface, so they never change
their meaning. What goes with a reason is a `detail` for people, bounded, and without personal data: it names a field,
never its value.
"""

from __future__ import annotations

from enum import StrEnum

DETAIL_CHARS_MAX = 200


class Reason(StrEnum):
    """The closed set."""

    BROKEN_JSON = "broken_json"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    BAD_VALUE = "bad_value"
    UNKNOWN_CHANNEL = "unknown_channel"
    NOT_AN_INTERACTION = "not_an_interaction"
    NO_IDENTIFIER = "no_identifier"
    PLACEHOLDER_IDENTIFIER = "placeholder_identifier"
    UNKNOWN_NAMESPACE = "unknown_namespace"
    BAD_IDENTIFIER = "bad_identifier"
    ABSURD_TIME = "absurd_time"
    OVERSIZE = "oversize"
    TOO_MANY_EVENTS = "too_many_events"
    UNEXPLAINED_CLOSING = "unexplained_closing"
    BROKEN_AVRO = "broken_avro"
    UNKNOWN_SCHEMA = "unknown_schema"
    TOMBSTONE = "tombstone"

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return _MEANINGS[self]


_MEANINGS: dict[Reason, str] = {
    Reason.BROKEN_JSON: "The bytes are not JSON.",
    Reason.WRONG_TYPE: "A field holds another type than it should, or is none of the fields that there are.",
    Reason.MISSING_FIELD: "A required field is not there, or empty.",
    Reason.BAD_VALUE: "A number is not finite or too large, an answer is outside its scale, a name holds "
    "characters that cannot be shown, consent is to a purpose that is not listed, an observation or outcome is of no "
    "known kind, an observation, a change or an outcome's id names a customer, or an amount has the wrong sign.",
    Reason.UNKNOWN_CHANNEL: "The channel is none of web, mobile, phone, in_store, chat, message and partner.",
    Reason.NOT_AN_INTERACTION: "It is mass media, not a two-way contact with one person.",
    Reason.NO_IDENTIFIER: "Nothing in it points at a person.",
    Reason.PLACEHOLDER_IDENTIFIER: "An identifier is a stand-in such as null, guest or zeros, which many share.",
    Reason.UNKNOWN_NAMESPACE: "An identifier is of a kind that Throughline does not know.",
    Reason.BAD_IDENTIFIER: "An identifier is too long, unreadable, or no usable phone number or e-mail address.",
    Reason.ABSURD_TIME: "A time lies before 1990, or after 2099.",
    Reason.OVERSIZE: "All of it, one of its texts or one of its lists is too large.",
    Reason.TOO_MANY_EVENTS: "The request holds more than one request may.",
    Reason.UNEXPLAINED_CLOSING: "A complaint is closed without its root cause or a next step: say both, in the "
    "properties root_cause and next_step.",
    Reason.BROKEN_AVRO: "The bytes do not read as the schema that they name.",
    Reason.UNKNOWN_SCHEMA: "The bytes name no schema that Throughline knows for this topic.",
    Reason.TOMBSTONE: "The message has no value.",
}


class Rejected(Exception):
    """This cannot be used, now or later: it is answered or set aside with its reason, and never retried."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail[:DETAIL_CHARS_MAX]

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail or self.reason.meaning}"
