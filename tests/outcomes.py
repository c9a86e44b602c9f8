"""Outcomes to send, write and store, to be changed by tests."""

from __future__ import annotations

from typing import Any

from tests.collecting import NOON


def sent(**changes: Any) -> dict[str, Any]:
    """An outcome as a sender writes it; a change to ... leaves the field out."""
    given = {
        "outcome_id": "r-1",
        "source": "billing",
        "kind": "refund",
        "identifiers": {"customer": "4711"},
        "occurred_at": NOON,
        "amount": -20.0,
        "currency": "USD",
    }
    return {name: value for name, value in (given | changes).items() if value is not ...}
