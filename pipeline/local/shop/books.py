"""What the shop's customers bring and cost beside what they do, and what was changed lately: ``books.yaml``, played.

Each outcome is a function of its interaction alone, so whoever sends an interaction again sends the very same outcomes.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from pipeline.domain.outcomes import Kind
from pipeline.local.shop.plan import Event
from pipeline.local.shop.script import FOLDER, Span, read_file

CURRENCY = "USD"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes with a type of interaction; books.yaml says what the fields mean."""

    after: str
    say: str
    by: str
    kind: Kind
    chance: float = 1.0
    amount: Span | None = None


class Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was changed; books.yaml says what the fields mean."""

    id: str
    at: str
    days_ago: int
    what: str


class Books(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    entries: tuple[Entry, ...]
    changes: tuple[Changed, ...]

    def outcomes(self, event: Event) -> list[dict[str, Any]]:
        """What goes with an interaction, as POST /v1/outcomes takes it."""
        return [
            found
            for each in self.entries
            if each.after == event["type"]
            if (found := _outcome(each, event)) is not None
        ]

    def changed(self, now_ms: int) -> list[dict[str, Any]]:
        """What was changed lately, as POST /v1/changes takes it."""
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        return [
            {
                "change_id": each.id,
                "touchpoint": each.at,
                "on": (today - timedelta(days=each.days_ago)).isoformat(),
                "what": each.what,
            }
            for each in self.changes
        ]


def books(folder: Path = FOLDER) -> Books:
    """The books. Raises BadScript."""
    read: Books = read_file(folder / "books.yaml", Books)
    return read


def _outcome(entry: Entry, event: Event) -> dict[str, Any] | None:
    rng = random.Random(f"{entry.say} {event['event_id']}")  # noqa: S311  # a story, no secret
    if rng.random() >= entry.chance:
        return None
    amount = {} if entry.amount is None else {"amount": round(rng.uniform(*entry.amount), 2), "currency": CURRENCY}
    return {
        "outcome_id": f"{event['event_id']}-{entry.say}",
        "source": entry.by,
        "kind": entry.kind,
        "identifiers": event["identifiers"],
        "occurred_at": event["occurred_at"],
        **amount,
    }
