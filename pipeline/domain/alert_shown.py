"""An alert as people and programs outside are told of it, and places in the list of them. Pure."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from pipeline.domain.alerts import STANDS_ALONE, Alert
from pipeline.domain.view import time_text

Position = tuple[int, str]  # opened_at and id

_ALONE = (
    "See why (GET /v1/identity/alone); if it is somebody all the same, POST /v1/identity/free gives it a wider cap."
)


def shown(alert: Alert) -> dict[str, Any]:
    """An alert as people and programs outside are told of it."""
    times = {
        name: None if at is None else time_text(at)
        for name, at in (
            ("since", alert.since),
            ("acknowledged_at", alert.acknowledged_at),
            ("escalated_at", alert.escalated_at),
            ("resolved_at", alert.closed_at),
        )
    }
    alone = alert.kind == STANDS_ALONE
    return {
        "alert_id": alert.alert_id,
        "kind": alert.kind,
        "state": alert.stage,
        "reason": alert.reason,
        "touchpoint": alert.touchpoint,
        "person": alert.subject or alert.person or None,
        "owner": alert.owner,
        "deputy": alert.deputy,
        "assigned_to": alert.deputy if alert.escalated_at is not None else alert.owner,
        "what_to_do": _ALONE if alone else alert.what_to_do,
        "opened_at": time_text(alert.opened_at),
        **times,
        "acknowledged_by": alert.acknowledged_by,
        "resolved_by": alert.resolved_by,
        "resolution": alert.resolution,
        "note": alert.note,
        "figures": {"value": alert.value, "low": alert.low, "high": alert.high, "n": alert.n},
    }


def place(alert: Alert) -> Position:
    """Where it stands in the list, which goes from the last to the first."""
    return alert.opened_at, alert.alert_id


def cursor(at: Position) -> str:
    """A place in the list as opaque text."""
    return urlsafe_b64encode(msgspec.json.encode(at)).decode().rstrip("=")


def position(text: str) -> Position:
    """The place that a cursor means. Raises ValueError."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found: Position = msgspec.json.decode(data, type=tuple[int, str])
    except (ValueError, msgspec.DecodeError) as problem:
        raise ValueError("not a place in the list of alerts") from problem
    return found
