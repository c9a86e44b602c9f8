"""What identify answers, as the API and the desk give it: times as texts, phone and e-mail masked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.domain import view
from pipeline.domain.identifiers import PERSONAL
from pipeline.domain.messages import is_erased

ERASED = "erased"  # all that is said of somebody whose data was erased
_KEYED = re.compile(r"\b([a-z]+):[a-z0-9]{1,16}\.[0-9a-f]{32}\b")
_ERASED = re.compile(r"\berased:[\w.-]+")
_KINDS = {
    "customer": "customer number",
    "loyalty": "loyalty card",
    "email": "e-mail address",
    "phone": "phone number",
    "anonymous": "browser",
    "device": "device",
}

Json = dict[str, Any]
Masks = Mapping[str, str]  # identifier → what people may see of it


def identity(said: Json, cards: Mapping[str, Json], masks: Masks) -> Json:
    """The answer about who an id is. `cards`: candidate → what may be shown of them."""
    rows = [_row(each, cards, masks) for each in said["identifiers"]]
    return {
        "id": said["id"],
        "person": _person(said["person"]),
        "identifiers": rows,
        "unresolved": [row["id"] for row in rows if row["state"] in ("ambiguous", "alone")],
        "orders": [order(each) for each in said["orders"]],
        "truncated": said["truncated"],
        "as_of": said["as_of"],
        "lag_ms": said["lag_ms"],
    }


def candidates(said: Json) -> list[str]:
    """Everyone whom one of the identifiers may be, each once."""
    return list(dict.fromkeys(who for row in said["identifiers"] for who in row["candidates"] if not is_erased(who)))


def concerned(said: Json) -> list[str]:
    """Everyone of whom the answer tells something."""
    named: Iterable[str | None] = (
        said["person"],
        *candidates(said),
        *(row["person"] for row in said["identifiers"]),
        *(each["from"] for row in said["identifiers"] for each in row["evidence"]),
    )
    return list(dict.fromkeys(who for who in named if who and who != ERASED and not is_erased(who)))


def order(said: Json) -> Json:
    """An order, and what came of it."""
    told = said["said"]
    return {
        "order_id": said["order_id"],
        "number": said["number"],
        "kind": said["kind"],
        "state": said["state"],
        "why": said["reason"],
        "at": _time(told.get("at")),
        "by": told.get("by", ""),
        "reason": told.get("reason", ""),
        **{name: _person(told.get(name)) for name in ("from", "into", "identifier", "person", "withdrawn")},
        "changed": [each["identifier"] for each in said["changed"]],
    }


def alone(said: Json) -> Json:
    """One that stands alone because of a cap."""
    return {**said, "since": _time(said["since"])}


def masked(text: str, masks: Masks) -> str:
    """A sentence without the keyed forms of identifiers, which say nothing to anyone."""
    text = _KEYED.sub(lambda found: masks.get(found[0]) or f"another {_KINDS.get(found[1], 'identifier')}", text)
    return _ERASED.sub("somebody whose data was erased", text)


def keyed(identifier: str) -> bool:
    """Whether an id says nothing to people: of phone and e-mail, and of other values that hold such."""
    return identifier.partition(":")[0] in PERSONAL or _KEYED.fullmatch(identifier) is not None


def shown(identifier: str, masks: Masks) -> str:
    """What people may see of an identifier's value."""
    value = identifier.partition(":")[2]
    return masks.get(identifier) or (view.HIDDEN if keyed(identifier) else value)


def _row(said: Json, cards: Mapping[str, Json], masks: Masks) -> Json:
    names = [who for who in said["candidates"] if not is_erased(who)]
    return {
        "id": said["id"],
        "namespace": said["id"].partition(":")[0],
        "value": shown(said["id"], masks),
        "state": _state(said),
        "person": _person(said["person"]),
        "candidates": [cards.get(who) or {"id": who, "initials": "", "last_seen": None} for who in names],
        "since": _time(said["since"]),
        "rule": said["rule"],
        "words": masked(said["words"], masks),
        "until": _time(said["until"]),
        "sessions": [
            {"session_id": session, "person": _person(who) or None} for session, who in said["sessions"].items()
        ],
        "sessions_n": said["sessions_n"],
        "evidence": [
            {
                **each,
                "from": _person(each["from"]),
                "since": _time(each["since"]),
                "why_not": masked(each["why_not"], masks),
            }
            for each in said["evidence"]
        ],
        "alone": said["alone"],
        "orders": said["orders"],
    }


def _state(said: Json) -> str:
    if said["alone"] and said["person"] == said["id"]:
        return "alone"
    if said["ambiguous"]:
        return "ambiguous"
    return "person" if said["person"] == said["id"] else "resolved"


def _person(who: str | None) -> str | None:
    return ERASED if who and is_erased(who) else who


def _time(ms: int | None) -> str | None:
    return None if ms is None else view.time_text(ms)
