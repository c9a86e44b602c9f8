"""What a profile shows: who it is, what is going on, how well they are served, and the timeline. As JSON values.

Everything is read from the state at the time of asking, and is a function of the interactions and assignments held:
nothing shown is kept up beside them. Times are RFC 3339 texts in UTC with milliseconds.

A phone number or e-mail address appears only as its mask.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pipeline.domain import records
from pipeline.domain.consent import SERVICE
from pipeline.domain.identifiers import PERSONAL
from pipeline.domain.interaction import NAMESPACES, Interaction
from pipeline.domain.messages import UNASSIGNED, is_erased
from pipeline.domain.records import Held
from pipeline.domain.rules import Rules
from pipeline.domain.scores import Scores, scores
from pipeline.domain.scoring import DIMENSIONS
from pipeline.domain.shelves import ORDER_CHANGES, Shelves, arrange, is_open, order_id, stage
from pipeline.domain.slices import persons
from pipeline.domain.state import Reading
from pipeline.domain.summary import amount, pieces, summary

IDENTIFIERS_MAX = 64  # shown; those seen last
HIDDEN = "•••"  # for a personal identifier whose mask is not known here
VIEWED = frozenset({"page_viewed", "product_viewed"})

Json = dict[str, Any]
Position = tuple[int, str, str]

_RANK = {namespace: rank for rank, namespace in enumerate(NAMESPACES)}
_RULES = Rules()


def context(state: Reading, person: str, now_ms: int, rules: Rules) -> Json:
    """`profile`, `now`, `scores` and `timeline` of a person, as the API gives them, at the time `now_ms`.

    For an identifier that resolves to another person, or that nothing is known of, it is what is left there. Of a
    person who refuses to be served by it, it is that they do (`consent`), and nothing else.
    """
    held = Held(state, person)
    every = arrange(held.shown, rules, person)
    consent = every.allowed()
    if consent.get(SERVICE) is False:
        return {"profile": {"id": person, "identifiers": [], "traits": {}}, **_parts(Shelves(), now_ms, rules, consent)}
    shelves = every.for_service()
    profile = {"id": person, "identifiers": _identifiers(state, held, shelves), "traits": _choices(shelves.traits)}
    return {"profile": profile, **_parts(shelves, now_ms, rules, consent)}


def _parts(shelves: Shelves, now_ms: int, rules: Rules, consent: dict[str, bool]) -> Json:
    """All of a context but who it is."""
    return {
        "consent": consent,
        "now": _now(shelves, now_ms, rules),
        "scores": scored(scores(shelves.pieces, rules.scoring), rules.scoring.version),
        "timeline": [entry(x) for x in shelves.view],
    }


def scored(values: Scores, definition: int | None) -> Json:
    """Scores as the API gives them. What too little is known of is None, as is the definition of no scores at all."""
    worst, gap, trend = values.worst, values.gap, values.trend
    return {
        "definition": definition,
        **{name: score._asdict() for name, score in zip(DIMENSIONS, values.dimensions, strict=True)},
        "overall": values.overall._asdict(),
        "worst_touchpoint": worst._asdict() if worst.n else None,
        "expectation_gap": gap._asdict() if gap.n else None,
        "trend": trend._asdict() if trend.direction else None,
        "at_risk": values.risk or None,
        "repeat_contacts": values.repeats,
    }


def timeline(state: Reading, person: str, rules: Rules, limit: int, before: str | None, channel: str | None) -> Json:
    """`{"timeline", "next", "complete"}`: at most `limit` entries, newest first, of one channel or (None) all.

    `before` is a `next` of an earlier answer (ValueError where it is none). `next` is None where nothing older is held;
    `complete` False then says that there may be older ones in the store all the same. Of a person who refuses to be
    served by it there is none.
    """
    start = position(before) if before is not None else None
    held = Held(state, person)
    every = arrange(held.shown, rules, person)
    if every.allowed().get(SERVICE) is False:
        return {"timeline": [], "next": None, "complete": True}
    shelves = every.for_service()
    matching = [
        x for x in shelves.view if (channel is None or x.channel == channel) and (start is None or x.position < start)
    ]
    page = matching[: max(limit, 0)]
    return {
        "timeline": [entry(x) for x in page],
        "next": cursor(page[-1].position) if page and len(matching) > len(page) else None,
        "complete": _complete(state, held, every),
    }


def resolve(state: Reading, identifier: str, rules: Rules = _RULES) -> Json:
    """Whose an identifier is, and a few words about the profile itself.

    `person` is None where it is ambiguous; then `candidates` says whom it may be. A `known` one has been heard of.
    `initials` and `last_seen` are there where it is a person of its own.
    """
    prefix = records.prefix(identifier)
    known = state.get(prefix + records.HEAD) is not None
    data = state.get(prefix + records.ASSIGNMENT)
    assignment = records.decode_assignment(data) if data is not None else UNASSIGNED
    person: str | None = assignment.owners[0] if len(assignment.owners) == 1 else identifier
    if assignment.ambiguous:
        person = None
    own = known and person == identifier
    return {
        "known": known,
        "ambiguous": assignment.ambiguous,
        "person": person,
        "candidates": [each for each in assignment.candidates if not is_erased(each)] if assignment.ambiguous else [],
        **(card(state, identifier, rules) if own else {"id": identifier, "initials": "", "last_seen": None}),
    }


def card(state: Reading, person: str, rules: Rules) -> Json:
    """`{"id", "initials", "last_seen"}`: enough to choose among candidates, and no more."""
    every = arrange(Held(state, person).shown, rules, person)
    shelves = Shelves() if every.allowed().get(SERVICE) is False else every.for_service()
    last_seen = time_text(shelves.view[0].occurred_at) if shelves.view else None
    return {"id": person, "initials": initials(_choices(shelves.traits)), "last_seen": last_seen}


def initials(traits: dict[str, str]) -> str:
    """Of the traits `first_name` and `last_name`, or `name`; at most three letters, '' where there is none."""
    name = f"{traits.get('first_name', '')} {traits.get('last_name', '')}".strip() or traits.get("name", "")
    words = [word for word in name.split() if word[0].isalpha()]
    if len(words) > 3:
        words = [*words[:2], words[-1]]
    return "".join(word[0].upper()[0] for word in words)  # ß becomes two


def entry(x: Interaction) -> Json:
    """One interaction in a timeline. What it does not say is left out, beyond the fields that all have."""
    result: Json = {
        "source": x.source,
        "event_id": x.event_id,
        "occurred_at": time_text(x.occurred_at),
        "channel": x.channel,
        "type": x.type,
        "touchpoint": x.touchpoint,
        "session_id": x.session_id,
        "identifier": x.identifier,
        "summary": summary(x),
    }
    for name in ("goal", "issue", "about", "measures", "details"):
        if value := getattr(x, name):
            result[name] = value
    if x.properties and x.type != "profile_updated":  # traits stand in the profile, as they are now
        result["properties"] = x.properties
    if x.public:  # anybody may have sent it
        result["public"] = True
    if x.items:
        result["items"] = _items(x)
    if x.answer is not None:
        a = x.answer
        result["answer"] = {"question": a.question, "value": a.value, "min": a.min, "max": a.max}
    return result


def cursor(at: Position) -> str:
    """A place in a timeline as opaque text."""
    return urlsafe_b64encode(json.dumps(at, ensure_ascii=False, separators=(",", ":")).encode()).decode().rstrip("=")


def position(text: str) -> Position:
    """The place that a cursor means. Raises ValueError."""
    try:
        data = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError) as problem:
        raise ValueError("not a place in a timeline") from problem
    match data:
        case [int(at), str(source), str(event_id)] if not isinstance(at, bool) and abs(at) < 1 << 62:
            return at, source, event_id
    raise ValueError("not a place in a timeline")


def entry_position(given: Json) -> Position:
    """The place of an entry."""
    return time_ms(given["occurred_at"]), given["source"], given["event_id"]


def time_text(ms: int) -> str:
    """2023-11-14T22:13:20.000Z"""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def time_ms(text: str) -> int:
    """Milliseconds since 1970 of what `time_text` gave. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


def _identifiers(state: Reading, held: Held, shelves: Shelves) -> list[Json]:
    """What the person is known by: where interactions in view are stored, came with, or what resolves to them."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    masks: dict[str, str] = {}
    for x in shelves.view:
        masks.update(x.masks)
        for each in (x.identifier, *x.links):
            first[each] = min(first.get(each, x.occurred_at), x.occurred_at)
            last[each] = max(last.get(each, x.occurred_at), x.occurred_at)
    start = records.prefix(held.person) + records.ALIAS
    for weak in first:  # it may have come with what has left the view
        if (data := state.get(start + weak.encode())) is not None:
            first[weak] = min(first[weak], records.decode_alias(data).earliest)
    theirs = [sender for sender, assignment in held.senders.items() if held.person in persons(assignment)]
    known = sorted({held.person, *theirs, *first}, key=lambda each: (-last.get(each, 0), each))[:IDENTIFIERS_MAX]
    result = []
    for each in sorted(known, key=lambda each: (_RANK.get(each.partition(":")[0], len(_RANK)), each)):
        namespace, _, value = each.partition(":")
        shown = masks.get(each) or HIDDEN if namespace in PERSONAL else value
        seen = (time_text(first[each]), time_text(last[each])) if each in first else (None, None)
        result.append({"id": each, "namespace": namespace, "value": shown, "first_seen": seen[0], "last_seen": seen[1]})
    return result


def _choices(shelf: dict[str, Interaction]) -> dict[str, str]:
    """Name → value of traits or preferences, by name. An empty value takes one back."""
    return {name: value for name, x in sorted(shelf.items()) if (value := x.properties[name])}


def _now(shelves: Shelves, now_ms: int, rules: Rules) -> Json:
    lately = [x for x in shelves.view if x.occurred_at >= now_ms - rules.now_ms]
    searches = [x for x in lately if x.type == "searched"][: rules.now_size]
    viewed = [x for x in lately if x.type in VIEWED][: rules.now_size]
    return {
        "searches": [{"text": x.properties.get("query", ""), **_when(x, now_ms)} for x in searches],
        "viewed": [_looked_at(x, now_ms) for x in viewed],
        "open_goals": list(islice(_goals(shelves, now_ms), rules.goals)),
        "open_complaints": list(islice(_complaints(shelves, now_ms), rules.complaints)),
        "last_order": _last_order(shelves, now_ms),
        "preferences": _choices(shelves.preferences),
    }


def _when(x: Interaction, now_ms: int) -> Json:
    """Where and when something was: the same of everything in `now`."""
    return {
        "channel": x.channel,
        "touchpoint": x.touchpoint,
        "occurred_at": time_text(x.occurred_at),
        "age_s": max(0, now_ms - x.occurred_at) // 1000,
    }


def _looked_at(x: Interaction, now_ms: int) -> Json:
    names = {name: value for name in ("product", "product_name", "page") if (value := x.properties.get(name))}
    text = names.get("product_name") or names.get("product") or names.get("page", "")
    return {"text": text, **names, **_when(x, now_ms)}


def _goals(shelves: Shelves, now_ms: int) -> Iterator[Json]:
    for x in shelves.goals.values():
        if is_open(x):
            basket = {"items": pieces(x), "amount": amount(x)} if x.type == "cart_updated" else {}
            public = {"public": True} if x.public else {}
            yield {"goal": x.goal or "cart", "summary": summary(x), **basket, **public, **_when(x, now_ms)}


def _complaints(shelves: Shelves, now_ms: int) -> Iterator[Json]:
    for key, x in shelves.complaints.items():
        if is_open(x):
            said = {"complaint_id": key, "issue": x.issue, "stage": stage(shelves, key), "summary": summary(x)}
            yield said | _when(x, now_ms)


def _last_order(shelves: Shelves, now_ms: int) -> Json | None:
    """The order placed last, with the last word on it."""
    placed: Iterable[tuple[str, Interaction]] = shelves.orders.items()
    for order, x in placed:
        change = shelves.order_changes.get(order)
        after = change is not None and change.position > x.position
        return {
            "order_id": order_id(x) or order,
            "status": ORDER_CHANGES[change.type] if change is not None and after else "placed",
            "items": _items(x),
            "amount": amount(x),
            "currency": x.properties.get("currency", ""),
            **_when(x, now_ms),
        }
    return None


def _items(x: Interaction) -> list[Json]:
    return [{"product": i.product, "quantity": i.quantity, "price": i.price, "name": i.name} for i in x.items]


def _complete(state: Reading, held: Held, shelves: Shelves) -> bool:
    """Whether nothing of this person's was ever let go: by this profile, or by one that they share."""
    data = state.get(records.prefix(held.person) + records.HEAD)
    cut = data is not None and records.decode_head(data).limit > 0
    shared = any(len(assignment.owners) > 1 for assignment in held.senders.values())
    return not cut and not shared and len(shelves.view) == len(held.shown)
