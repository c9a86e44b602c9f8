"""From an event as it came to an interaction as it is stored: the one verdict for every way in.

Guarantees: nothing in an Interaction is unbounded, no number in it is infinite, no name in it holds a control
character (so names may be joined by NUL in keys), and its identifiers are clean and keyed. The same bytes at the same
broker time give the same Interaction in every process. No id, type or touchpoint holds personal data (`texts`): an id
that does is replaced by a keyed hash, so that copies stay copies and what refers to it still does.

Decisions
- 2026-11-24 A weaker identifier that the source may not link is kept as a claim: it may be right, and shows nothing.
- 2026-11-26 A complaint is not closed without its root cause and a next step: what nobody learnt from will come again.
  A closing that was taken before this rule is refused where history is read again.
- 2026-11-24 Consent to a purpose that the policy does not list is refused: who asked for it believes that it is kept.

The event is a dict with the Avro schema's field names, times in milliseconds; its types are already sure, from the
Avro decoder or from collect. Its maps are taken over, not copied: do not change the event afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Any

import msgspec

from pipeline.domain import complaints, texts
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import CHANNELS, NAMESPACES, Answer, Interaction, Item
from pipeline.domain.policy import DEFAULT, Policy
from pipeline.domain.reasons import Reason, Rejected

NAME_CHARS_MAX = 256  # each of event_id, source, type, touchpoint, session_id, goal, issue, about, map keys
TEXT_CHARS_MAX = 8_192  # a property, a text of the details
ENTRIES_MAX = 64  # of each map
ITEMS_MAX = 256
NUMBER_MAX = 1e18  # either way; sums of squares stay finite
CONTENT_BYTES_MAX = 65_536  # all of it, as MessagePack
AHEAD_MS_MAX = 5 * 60_000  # of the broker's time
EARLIEST_MS = 631_152_000_000  # 1990
LATEST_MS = 4_102_444_800_000  # 2100; a time in microseconds is beyond it

#: One-way, to many: not interactions, however individually they are counted.
MASS_MEDIA = frozenset({"ad_viewed", "campaign_sent", "newsletter_opened"})

_CHANNELS = frozenset(CHANNELS)
_REQUIRED = ("event_id", "source", "type", "touchpoint")
_OPTIONAL = ("session_id", "goal", "issue", "about")
_NONE: dict[str, Any] = {}  # shared: never changed
_canonical = msgspec.msgpack.Encoder(order="deterministic")

Event = Mapping[str, Any]
Time = Annotated[datetime, msgspec.Meta(tz=True)] | int  # as it is sent: RFC 3339 with its offset, or ms since 1970
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def interaction(
    event: Event, channel: str, broker_time: int, keyring: Keyring, region: str, policy: Policy = DEFAULT
) -> Interaction:
    """The interaction that an event tells of.

    `channel` is its topic's, `broker_time` its record's (ms), `region` reads phone numbers without country prefix,
    `policy` says what the event may link and consent to. Raises Rejected.
    """
    if channel not in _CHANNELS:
        raise Rejected(Reason.UNKNOWN_CHANNEL, f"channel: none of {', '.join(CHANNELS)}")
    get = event.get
    event_id, source, kind, touchpoint = get("event_id"), get("source"), get("type"), get("touchpoint")
    if not event_id or not source or not kind or not touchpoint:
        raise Rejected(Reason.MISSING_FIELD, next(name for name in _REQUIRED if not get(name)))
    session_id, goal, issue, about = get("session_id", ""), get("goal", ""), get("issue", ""), get("about", "")
    codes = f"|{event_id}|{source}|{kind}|{touchpoint}|{session_id}|{about}|"
    names = f"{codes}{goal}{issue}"
    if len(names) > NAME_CHARS_MAX or not names.isprintable():
        for field in _REQUIRED + _OPTIONAL:
            check_name(field, get(field, ""))
    if kind in MASS_MEDIA:
        raise Rejected(Reason.NOT_AN_INTERACTION, f"type: {kind}")

    public = bool(get("public"))
    identifier, links, claims, masks = _who(get("identifiers"), keyring, region, policy.linkable(source, public))
    if texts.suspect(codes):
        event_id, source, session_id, about = (
            keyring.opaque(name) if texts.holds(name, region) else name
            for name in (event_id, source, session_id, about)
        )
        kind, touchpoint = texts.masked_code(kind, region), texts.masked_code(touchpoint, region)
    occurred_at, sent, received_at = _when(event, broker_time)
    items = _items(given) if (given := get("items")) else ()
    answer = _answer(given) if (given := get("answer")) else None
    measures: dict[str, float] = get("measures") or _NONE
    if measures:
        _check_numbers("measures", measures)
    properties: dict[str, str] = get("properties") or _NONE
    if properties:
        _check_texts("properties", properties)
    if kind == complaints.CLOSED and (missing := complaints.missing(kind, properties)):
        raise Rejected(Reason.UNEXPLAINED_CLOSING, f"properties.{missing}")
    details = _details(given) if (given := get("details")) else _NONE
    consent: dict[str, bool] = get("consent") or _NONE
    if consent and not policy.purposes.issuperset(consent):
        raise Rejected(Reason.BAD_VALUE, f"consent: none of {', '.join(sorted(policy.purposes))}")

    content: tuple[Any, ...] = (
        *(identifier, source, event_id, channel, kind, touchpoint, occurred_at, sent),
        *(session_id, goal, issue, about, links, items, answer, measures, properties, details, consent),
    )
    if claims or public:
        content = (*content, claims, public)
    return Interaction(
        *(identifier, source, event_id, channel, kind, touchpoint, occurred_at, sent, received_at, _digest(content)),
        *(session_id, goal, issue, about, links, masks, items, answer),
        measures,
        properties,
        details,
        consent,
        claims,
        public,
    )


def _who(
    given: Mapping[str, str] | None, keyring: Keyring, region: str, linkable: frozenset[str]
) -> tuple[str, tuple[str, ...], tuple[str, ...], Any]:
    """The strongest identifier, the weaker ones that may be linked to it, the others, and the masks of what is personal
    among the first two."""
    if not given:
        raise Rejected(Reason.NO_IDENTIFIER, "identifiers: empty")
    found: list[str] = []
    claims: tuple[str, ...] = ()
    masks: dict[str, str] | None = None
    for namespace in NAMESPACES:
        if namespace in given:
            identifier, mask = keyring.resolve(namespace, given[namespace], region)
            if found and namespace not in linkable:
                claims = (*claims, identifier)
                continue
            found.append(identifier)
            if mask:
                masks = masks or {}
                masks[identifier] = mask
    if len(found) + len(claims) != len(given):
        raise Rejected(Reason.UNKNOWN_NAMESPACE, f"identifiers: none of {', '.join(NAMESPACES)}")
    return found[0], tuple(found[1:]), claims, masks or _NONE


def _when(event: Event, broker_time: int) -> tuple[int, int, int]:
    """(occurred_at corrected, occurred_at as sent, received_at) in ms."""
    sent: int | None = event.get("occurred_at")
    if sent is None:
        raise Rejected(Reason.MISSING_FIELD, "occurred_at")
    received_at = arrival(event, broker_time)
    occurred_at = sent
    if (sent_at := event.get("sent_at")) is not None:
        check_time("sent_at", sent_at)
        occurred_at += received_at - sent_at  # the source's clock against ours
    occurred_at = min(occurred_at, broker_time + AHEAD_MS_MAX)
    if not EARLIEST_MS <= sent < LATEST_MS or occurred_at < EARLIEST_MS:
        raise Rejected(Reason.ABSURD_TIME, "occurred_at: before 1990 or after 2099")
    check_arrival(received_at)
    return occurred_at, sent, received_at


def arrival(given: Event, broker_time: int) -> int:
    """When it was received (ms), as it says; never after the broker had it."""
    received_at: int | None = given.get("received_at")
    return broker_time if received_at is None or received_at > broker_time else received_at


def check_arrival(received_at: int) -> None:
    """Raises Rejected where nothing can have been received then (ms)."""
    if received_at < EARLIEST_MS:
        raise Rejected(Reason.ABSURD_TIME, "received_at: before 1990")


def ms(time: datetime | int) -> int:
    """A time as milliseconds since 1970."""
    return time if isinstance(time, int) else (time - _EPOCH) // _MS


def check_time(field: str, value: int) -> None:
    """Raises Rejected where a time (ms) can be none that somebody means."""
    if not EARLIEST_MS <= value < LATEST_MS:
        raise Rejected(Reason.ABSURD_TIME, f"{field}: before 1990 or after 2099")


def check_name(field: str, value: str) -> None:
    """Raises Rejected where a name is too long, or cannot be shown."""
    if len(value) > NAME_CHARS_MAX:
        raise Rejected(Reason.OVERSIZE, f"{field}: longer than {NAME_CHARS_MAX} characters")
    if not value.isprintable():
        raise Rejected(Reason.BAD_VALUE, f"{field}: holds control or invisible characters")


def check_number(field: str, value: float) -> None:
    """Raises Rejected where a number is not finite, or too large to be added up."""
    if not -NUMBER_MAX <= value <= NUMBER_MAX:  # false for NaN as well
        raise Rejected(Reason.BAD_VALUE, f"{field}: not a finite number of at most {NUMBER_MAX:g}")


def _check_keys(field: str, given: Mapping[str, Any]) -> None:
    if len(given) > ENTRIES_MAX:
        raise Rejected(Reason.OVERSIZE, f"{field}: more than {ENTRIES_MAX} entries")
    names = "".join(given)
    if len(names) > NAME_CHARS_MAX or not names.isprintable():
        for name in given:
            check_name(f"{field}: a name in it", name)


def _shown(name: str) -> str:
    """The name of an entry, where it can be quoted: one that is plainly a name."""
    plain = name[:64].replace("-", "_").isidentifier() and not texts.holds(name[:64], "")
    return name[:64] if plain else "…"


def _check_numbers(field: str, given: Mapping[str, float]) -> None:
    _check_keys(field, given)
    for name, value in given.items():
        if not -NUMBER_MAX <= value <= NUMBER_MAX:
            check_number(f"{field}.{_shown(name)}", value)


def _check_texts(field: str, given: Mapping[str, str]) -> None:
    _check_keys(field, given)
    for name, value in given.items():
        if len(value) > TEXT_CHARS_MAX:
            raise Rejected(Reason.OVERSIZE, f"{field}.{_shown(name)}: longer than {TEXT_CHARS_MAX} characters")


def _items(given: Sequence[Event]) -> tuple[Item, ...]:
    if len(given) > ITEMS_MAX:
        raise Rejected(Reason.OVERSIZE, f"items: more than {ITEMS_MAX}")
    return tuple([_item(each) for each in given])


def _item(given: Event) -> Item:
    product, name = given.get("product", ""), given.get("name", "")
    check_name("items.product", product)
    check_name("items.name", name)
    quantity, price = given.get("quantity", 1.0), given.get("price")
    check_number("items.quantity", quantity)
    if price is not None:
        check_number("items.price", price)
    return Item(product, quantity, price, name)


def _answer(given: Event) -> Answer:
    answer = Answer(given.get("question", ""), given["value"], given["min"], given["max"])
    check_name("answer.question", answer.question)
    for field, number in (("value", answer.value), ("min", answer.min), ("max", answer.max)):
        check_number(f"answer.{field}", number)
    if not answer.min <= answer.value <= answer.max or answer.min == answer.max:
        raise Rejected(Reason.BAD_VALUE, "answer: min must be below max, and the value between them")
    return answer


def _details(given: Event) -> dict[str, str | int | float | bool]:
    """A channel's own fields, those that are there."""
    details = {name: value for name, value in given.items() if value is not None}
    if len(details) > ENTRIES_MAX:
        raise Rejected(Reason.OVERSIZE, f"details: more than {ENTRIES_MAX} entries")
    for name, value in details.items():
        if isinstance(value, str):
            if len(value) > TEXT_CHARS_MAX:
                raise Rejected(Reason.OVERSIZE, f"details.{_shown(name)}: longer than {TEXT_CHARS_MAX} characters")
        else:
            check_number(f"details.{_shown(name)}", value)
    return details


def _digest(content: tuple[Any, ...]) -> int:
    """63 bits of the content, the same in every process, whatever order its maps came in."""
    try:
        data = _canonical.encode(content)
    except (UnicodeEncodeError, OverflowError) as problem:  # half a surrogate pair; an integer beyond 64 bits
        raise Rejected(Reason.BAD_VALUE, "a text is not Unicode, or a number is beyond 64 bits") from problem
    if len(data) > CONTENT_BYTES_MAX:
        raise Rejected(Reason.OVERSIZE, f"the event holds more than {CONTENT_BYTES_MAX} bytes")
    return int.from_bytes(blake2b(data, digest_size=8).digest()) >> 1
