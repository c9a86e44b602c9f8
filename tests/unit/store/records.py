"""Output records as stitch and identify publish them, to be changed by tests."""

from __future__ import annotations

from typing import Any


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "identifier": "customer:1",
        "source": "shop",
        "event_id": "e1",
        "channel": "web",
        "type": "searched",
        "touchpoint": "search",
        "occurred_at": 1_700_000_000_000,
        "occurred_at_sent": 1_700_000_000_000,
        "received_at": 1_700_000_000_500,
        "session_id": "s",
        "goal": "",
        "issue": "",
        "about": "",
        "links": ["anonymous:a"],
        "masks": {},
        "items": [],
        "answer": None,
        "measures": {},
        "properties": {},
        "details": {},
        "consent": {},
        "evidence": {"effectiveness": None, "ease": None, "emotion": None},
        "evidence_kind": "",
        "definition": 1,
        "expected_gap": None,
        "contact": "",
        "resolved": None,
        "severe": False,
        "queue_outcome": "",
        "public": False,
        **changes,
    }


def identity(**changes: Any) -> dict[str, Any]:
    return {
        "identifier": "device:d",
        "version": 7,
        "person": "device:d",
        "until": None,
        "ambiguous": False,
        "owners": [],
        "candidates": [],
        "sessions": {},
        **changes,
    }
