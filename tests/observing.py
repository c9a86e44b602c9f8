"""Observations to send, write and store, to be changed by tests."""

from __future__ import annotations

from typing import Any

from tests.collecting import NOON


def observed(**changes: Any) -> dict[str, Any]:
    """An observation as a sender writes it; a change to ... leaves the field out."""
    given = {
        "observation_id": "o-1",
        "source": "warehouse",
        "touchpoint": "order_picking",
        "observed_at": NOON,
        "kind": "system",
        "measure": "open_orders_h",
        "value": 3.5,
        "note": "two pickers ill",
    }
    return {name: value for name, value in (given | changes).items() if value is not ...}
