"""Whether what came out is the truth: row by row, nothing missing and nothing more.

Rows are dicts with ClickHouse's column names, times in milliseconds; who reads them makes them so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.domain.messages import Assignment
from tests.policies import POLICY
from tests.truth import DIMENSIONS, Answer, Expected, Scores, Stored, Sums

Row = dict[str, Any]
Key = tuple[Any, ...]
SHOWN = 10  # differences of a kind that are told
STAFF = "staff:"  # what a pseudonym begins with


@dataclass(frozen=True)
class Seen:
    """What came out."""

    interactions: Mapping[Key, Row]  # by identifier, source, event id
    identities: Mapping[str, Row]
    scores: Mapping[Key, Row]  # by person and day; only those with evidence
    cells: Mapping[Key, Sums]  # by window, touchpoint, channel, partition; only those with interactions
    rejected: Counter[str]


def differences(told: Expected, seen: Seen, now_ms: int) -> list[str]:
    """Every kind of difference, with a few examples of each; nothing where all is exact.

    What was received after `now_ms` came through HTTP, at a time that is not known beforehand.
    """
    scores = {(person, day): scores_row(row) for person, days in told.scores.items() for day, row in days.items()}
    return [
        *_compare("interactions", {k: interaction_row(s) for k, s in told.stored.items()}, _received(seen, now_ms)),
        *_compare("identities", {k: identity_row(k, who) for k, who in told.identities.items()}, seen.identities),
        *_compare("customer scores", scores, seen.scores),
        *_compare("touchpoint cells", told.cells, seen.cells),
        *_compare("rejected", told.rejected, seen.rejected),
    ]


def answer_differences(told: Answer, seen: Row) -> list[str]:
    """Where a context answer says something else than it must."""
    profile = seen["profile"]
    actual = {
        "match": seen["match"],
        "candidates": sorted(each["id"] for each in seen["candidates"]),
        "person": profile and profile["id"],
        "timeline": [(each["source"], each["event_id"], each["occurred_at"]) for each in seen["timeline"]],
        "last_order": (seen["now"]["last_order"] or {}).get("order_id"),
        "traits": profile["traits"] if profile else {},
    }
    wanted: Row = told._asdict()
    wanted["timeline"] = [(source, event_id, time_text(at_ms)) for source, event_id, at_ms in told.timeline]
    scores = wanted.pop("scores")
    if scores:
        wanted["scores"] = scores_row(scores)
        seen_scores = seen["scores"]
        actual["scores"] = scores_row({d: (s["value"], s["n"], s["kind"]) for d in scores for s in (seen_scores[d],)})
    return [
        f"{name}: {wanted[name]} expected, {actual[name]} seen"
        for name in wanted
        if not _same(wanted[name], actual[name])
    ]


def interaction_row(stored: Stored) -> Row:
    """As the view interactions_by_person has it."""
    x = stored.interaction
    answer = (x.answer.question, x.answer.value, x.answer.min, x.answer.max) if x.answer else ("", None, None, None)
    return {
        "person": stored.person,
        "channel": x.channel,
        "type": x.type,
        "touchpoint": x.touchpoint,
        "occurred_at": x.occurred_at,
        "occurred_at_sent": x.occurred_at_sent,
        "received_at": x.received_at,
        "session_id": x.session_id,
        "goal": x.goal,
        "issue": x.issue,
        "about": x.about,
        "links": list(x.links),
        "masks": x.masks,
        "items": [[i.product, i.quantity, i.price, i.name] for i in x.items],
        "answer": list(answer),
        "measures": x.measures,
        "properties": {name: "" for name in x.properties if name in POLICY.traits}
        if x.type == "profile_updated"
        else {name: value for name, value in x.properties.items() if name in POLICY.properties},
        "details": {name: STAFF if name in POLICY.staff else _text(value) for name, value in x.details.items()},
        "consent": x.consent,
        "evidence_kind": stored.kind,
    } | dict(zip(DIMENSIONS, stored.values, strict=True))


def identity_row(identifier: str, who: Assignment) -> Row:
    """As the view identities_current has it."""
    return {
        "person": who.owners[0] if len(who.owners) == 1 else identifier,
        "until": who.until,
        "earlier_person": who.owners[0] if who.until is not None else "",
        "ambiguous": who.ambiguous,
        "owners": list(who.owners),
        "candidates": list(who.candidates),
        "sessions": {session: person or identifier for session, person in who.sessions.items()},
    }


def scores_row(scores: Scores) -> Row:
    """As the table customer_scores has it."""
    row: Row = {}
    for dimension, (value, n, kind) in scores.items():
        row |= {dimension: value, f"{dimension}_n": n, f"{dimension}_kind": kind}
    return row


def time_text(ms: int) -> str:
    """As the API writes a time."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _received(seen: Seen, now_ms: int) -> Mapping[Key, Row]:
    """The interactions, with one common time for all that came through HTTP, and one common pseudonym."""
    return {
        key: row
        | {
            "received_at": min(row["received_at"], now_ms + 1),
            "details": {
                name: value[: len(STAFF)] if name in POLICY.staff else value for name, value in row["details"].items()
            },
        }
        for key, row in seen.interactions.items()
    }


def _compare(what: str, told: Mapping[Any, Any], seen: Mapping[Any, Any]) -> Iterator[str]:
    missing = [key for key in told if key not in seen]
    more = [key for key in seen if key not in told]
    other = [key for key in told if key in seen and not _same(told[key], seen[key])]
    for label, keys in (("missing", missing), ("too many", more), ("different", other)):
        if keys:
            yield f"{what}: {len(keys)} {label} of {len(told)}"
            yield from (f"    {key}: {_difference(told.get(key), seen.get(key))}" for key in keys[:SHOWN])


def _difference(told: Any, seen: Any) -> str:
    if isinstance(told, dict) and isinstance(seen, dict):
        names = [name for name in told if not _same(told[name], seen.get(name))]
        return "; ".join(f"{name} {told[name]!r} expected, {seen.get(name)!r} seen" for name in names)
    return f"{told!r} expected, {seen!r} seen"


def _same(told: Any, seen: Any) -> bool:
    """Equal, numbers to nine digits: sums of doubles depend on their order."""
    if isinstance(told, dict):
        return isinstance(seen, dict) and told.keys() <= seen.keys() and all(_same(told[k], seen[k]) for k in told)
    if isinstance(told, list | tuple):
        return len(told) == len(seen) and all(map(_same, told, seen))
    if isinstance(told, float) and isinstance(seen, int | float):
        return math.isclose(told, seen, rel_tol=1e-9, abs_tol=1e-6)
    return bool(told == seen)


def _text(value: str | float | bool) -> str:
    """A value of the details as ClickHouse has it: 60, 4.25, true."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)
