"""Why identifiers belong together, arranged for an agent's eye. Pure; the template only lays it out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.serve.card import NAMESPACES, Names, candidate, shown_id, words
from pipeline.serve.explained import ERASED

ROWS_MAX = 50
EVIDENCE_MAX = 10  # of one identifier; the API has more
SOMEBODY = "somebody whose data was erased"
#: State → heading, in the order in which an agent needs them.
GROUPS = {
    "ambiguous": "Not settled: ask",
    "alone": "Stands alone",
    "person": "A person of their own",
    "resolved": "Belongs to the person",
}


def why(answer: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """What the template needs of an answer about who an id is."""
    rows = answer["identifiers"][:ROWS_MAX]
    named = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, _named(rows)))})(?!\w)")
    orders = {each["order_id"]: _order(each, names) for each in answer["orders"]}
    shown = [(each["state"], _row(each, orders, named, names)) for each in rows]
    groups = [
        {"label": label, "state": state, "rows": [row for its, row in shown if its == state]}
        for state, label in GROUPS.items()
    ]
    more = len(answer["identifiers"]) - len(rows)
    return {
        "groups": [each for each in groups if each["rows"]],
        "more": more if more else "some" if answer["truncated"] else 0,
    }


def _named(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids that sentences may name, the longest first."""
    ids = {id for row in rows for id in (row["id"], *(each["id"] for each in row["candidates"]))}
    return sorted(ids | {each["from"] for row in rows for each in row["evidence"]}, key=len, reverse=True)


def _row(
    said: Mapping[str, Any], orders: Mapping[str, dict[str, Any]], named: re.Pattern[str], names: Names
) -> dict[str, Any]:
    shown = said["evidence"][:EVIDENCE_MAX]
    namespace = said["namespace"]
    return {
        "id": said["id"],
        "label": words(NAMESPACES.get(namespace, namespace)),
        "value": said["value"],
        "words": named.sub(lambda found: shown_id(found[0]) if ":" in found[0] else found[0], said["words"]),
        "since": names.time(said["since"]) if said["since"] is not None else None,
        "candidates": [candidate(each, names) for each in said["candidates"]],
        "orders": [orders[each] for each in said["orders"] if each in orders],
        "evidence": [_evidence(each, names) for each in shown],
        "more": len(said["evidence"]) - len(shown),
    }


def _order(said: Mapping[str, Any], names: Names) -> dict[str, Any]:
    return {"at": names.time(said["at"]) if said["at"] is not None else None, "reason": said["reason"]}


def _evidence(said: Mapping[str, Any], names: Names) -> dict[str, Any]:
    return {
        "by": words(SOMEBODY if said["from"] == ERASED else shown_id(said["from"])),
        "at": names.time(said["since"]),
        "source": said["source"],
        "event": said["event_id"],
        "session": said["session_id"],
        "counts": said["counts"],
        "why_not": said["why_not"],
    }
