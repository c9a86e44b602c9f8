"""What /docs says about outcomes; see `reference`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.collect.limits import Limits
from pipeline.collect.reference import TIME, identifiers_schema, record_schema, taking
from pipeline.domain.outcomes import KINDS
from pipeline.topics import OUTCOMES

_EXAMPLES: dict[str, dict[str, Any]] = {
    "renewal": {
        "summary": "A membership is renewed, and another one ends",
        "value": {
            "outcomes": [
                {
                    "outcome_id": "membership-4711-2026",
                    "source": "billing",
                    "kind": "renewal",
                    "identifiers": {"customer": "4711"},
                    "occurred_at": "2025-11-22T00:00:00Z",
                    "amount": 49.9,
                    "currency": "USD",
                },
                {
                    "outcome_id": "membership-4712-end",
                    "source": "billing",
                    "kind": "churn",
                    "identifiers": {"customer": "4712"},
                    "occurred_at": "2025-11-22T00:00:00Z",
                },
            ]
        },
    },
    "refund": {
        "summary": "Money back for a late parcel, and what sending it again cost",
        "value": {
            "outcomes": [
                {
                    "outcome_id": "credit-note-1001",
                    "source": "bookkeeping",
                    "kind": "refund",
                    "identifiers": {"email": "ann.lee@example.com"},
                    "occurred_at": 1763805600000,
                    "amount": -20,
                    "currency": "USD",
                },
                {
                    "outcome_id": "parcel-77-again",
                    "source": "dispatch",
                    "kind": "cost",
                    "identifiers": {"customer": "4711", "phone": "+1 202 555 0142"},
                    "occurred_at": 1763805600000,
                    "amount": -6.5,
                    "currency": "USD",
                },
            ]
        },
    },
}
_REJECTED = {
    "index": 1,
    "outcome_id": "credit-note-1002",
    "reason": "bad_value",
    "detail": "amount: a refund costs the business something, so it must be negative, or 0",
}


def operation(limits: Limits, schemas: Path) -> dict[str, Any]:
    """The arguments of the route's decorator."""
    return taking(
        limits,
        ("outcomes", "outcome_id"),
        outcome_schema(schemas),
        _EXAMPLES,
        _REJECTED,
        ingest_only=True,
        summary="Send business results",
        description=_description(limits),
        response_description="The broker has all accepted outcomes. The rejected ones are listed.",
    )


def _description(limits: Limits) -> str:
    return (
        "What customers bring the business or cost it without contacting it: a renewal, a refund, a cost, or that they "
        "left (churn). Analyses hold how people fared against it (view `business_results`).\n\n"
        f"Up to {limits.events} outcomes and {limits.body_bytes // 1024} KiB a request (also after decompression; "
        f"`Content-Encoding: gzip` is fine), {limits.event_bytes // 1024} KiB an outcome. Needs the header "
        "`Authorization: Bearer <ingest key>`; the public key is refused. Each outcome is judged by itself, and types "
        "are strict, as with interactions.\n\n"
        "An outcome is (`source`, `outcome_id`). Sending it again is safe: it takes the place of the earlier one, also "
        "with another amount. Orders, returns and cancellations that come as interactions (`order_placed`, "
        "`order_returned`, `order_cancelled`) are results by themselves, so nothing need be sent for them; an outcome "
        "with such an event's `source` and id is taken for that event, and nothing counts twice.\n\n"
        "`amount` says what the business gained: positive of a renewal, negative of a refund, a churn or a cost; "
        "with the other sign it is rejected (`bad_value`). It needs a `currency`. Leave both out where it is not "
        "known.\n\n"
        "Whose it is, the strongest of its `identifiers` says (customer, loyalty, email, phone, anonymous, device); "
        "phone numbers and e-mail addresses are keyed before anything is written, and the weaker ones are looked at "
        "and not kept: unlike an interaction, an outcome shows nobody who anybody is. What comes of somebody who was "
        "erased after it is accepted, and not kept."
    )


def outcome_schema(schemas: Path) -> dict[str, Any]:
    """JSON Schema of one outcome."""
    schema = record_schema(schemas, OUTCOMES.schema, ("outcome_id", "source"))
    properties = schema["properties"]
    properties["kind"]["enum"] = list(KINDS)
    properties["currency"] = {
        "type": "string",
        "pattern": "^[A-Z]{3}$",
        "description": "of the amount, which needs one; ISO 4217",
    }
    properties["identifiers"] = identifiers_schema("at least one; it is the customer's who has the strongest of these")
    properties["occurred_at"] = TIME | {"description": properties["occurred_at"]["description"]}
    return schema
