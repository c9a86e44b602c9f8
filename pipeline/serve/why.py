"""Why identifiers belong together, arranged for an agent's eye. Pure; the template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping
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
    "person": "The person",
    "resolved": "Belongs to the person",
}


def why(answer: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """What the template needs of an answer about who an id is."""
    rows = answer["identifiers"][:ROWS_MAX]
    groups = [
        {"label": label, "state": state, "rows": [_row(each, names) for each in rows if each["state"] == state]}
        for state, label in GROUPS.items()
    ]
    more = len(answer["identifiers"]) - len(rows)
    return {
        "groups": [each for each in groups if each["rows"]],
        "more": more if more else "some" if answer["truncated"] else 0,
    }


def _row(said: Mapping[str, Any], names: Names) -> dict[str, Any]:
    shown = said["evidence"][:EVIDENCE_MAX]
    namespace = said["namespace"]
    return {
        "id": said["id"],
        "label": words(NAMESPACES.get(namespace, namespace)),
        "value": said["value"],
        "words": said["words"],
        "since": names.time(said["since"]) if said["since"] is not None else None,
        "candidates": [candidate(each, names) for each in said["candidates"]],
        "evidence": [_evidence(each, names) for each in shown],
        "more": len(said["evidence"]) - len(shown),
    }


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
