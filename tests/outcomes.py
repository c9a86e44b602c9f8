"""Outcomes to send, write and store, to be changed by tests; and customers with all that `analyse link` reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

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


@dataclass
class Rows:
    """Rows of customers to store, by table."""

    interactions: list[dict[str, Any]] = field(default_factory=list)
    customer_scores: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    identities: list[dict[str, Any]] = field(default_factory=list)

    def happened(self, who: str, when: datetime, type: str = "page_viewed", **more: Any) -> None:
        self.interactions.append(
            {
                "occurred_day": when.astimezone(UTC).date(),
                "identifier": who,
                "source": "link-test",
                "event_id": f"e{len(self.interactions)}",
                "channel": "web",
                "type": type,
                "touchpoint": "checkout",
                "occurred_at": when,
                "occurred_at_sent": when,
                "received_at": when,
                "measures": {},
                "properties": {},
                "consent": {},
                "ease": None,
                **more,
            }
        )

    def bought(self, who: str, when: datetime, amount: float, currency: str = "USD") -> None:
        self.happened(
            who,
            when,
            "order_placed",
            measures={"amount": amount},
            properties={"currency": currency} if currency else {},
        )

    def scored(self, who: str, day: date, overall: float) -> None:
        self.customer_scores.append(
            {
                "person": who,
                "day": day,
                "definition": 1,
                "overall": overall,
                "overall_n": 1,
                "ease": overall,
                "ease_n": 1,
            }
        )

    def outcome(self, who: str, when: datetime, kind: str, amount: float | None = None, currency: str = "USD") -> None:
        self.outcomes.append(
            {
                "source": "link-test-crm",
                "outcome_id": f"o{len(self.outcomes)}",
                "kind": kind,
                "identifier": who,
                "occurred_at": when,
                "received_at": when,
                "amount": amount,
                "currency": "" if amount is None else currency,
            }
        )

    def known_as(self, identifier: str, person: str) -> None:
        self.identities.append(
            {
                "identifier": identifier,
                "session_id": "",
                "person": person,
                "ambiguous": False,
                "owners": [person],
                "candidates": [],
                "assignment": 1,
                "version": 1,
            }
        )

    def store(self, client: Client) -> None:
        for table in ("interactions", "identities", "customer_scores", "outcomes"):
            rows: list[dict[str, Any]] = getattr(self, table)
            if rows:
                client.insert(table, [list(row.values()) for row in rows], list(rows[0]))
