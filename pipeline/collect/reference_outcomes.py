"""What /docs says about outcomes; see `reference`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.collect.limits import Limits
from pipeline.collect.reference import TIME, accepted, errors, identifiers_schema, json_schema
from pipeline.domain.outcomes import KINDS
from pipeline.domain.validate import NAME_CHARS_MAX
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
    return {
        "status_code": 202,
        "summary": "Send business results",
        "description": _description(limits),
        "response_description": "The broker has all accepted outcomes. The rejected ones are listed.",
        "responses": {
            202: {"content": {"application/json": accepted("outcomes", "outcome_id", _REJECTED)}},
            **errors(
                limits,
                no_key="`no_key`: the ingest key was not sent.",
                missing_scope="`missing_scope`: the key (the public one, for instance) may not send outcomes.",
            ),
        },
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _request(limits, schemas), "examples": _EXAMPLES}},
            },
        },
    }


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


def _request(limits: Limits, schemas: Path) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["outcomes"],
        "additionalProperties": False,
        "properties": {"outcomes": {"type": "array", "maxItems": limits.events, "items": outcome_schema(schemas)}},
    }


def outcome_schema(schemas: Path) -> dict[str, Any]:
    """JSON Schema of one outcome."""
    avro = json.loads((schemas / "avro" / f"{OUTCOMES.schema}.avsc").read_text())
    fields = {f["name"]: f for f in avro["fields"] if f["name"] != "received_at"}
    properties: dict[str, Any] = {
        name: json_schema(f["type"]) | ({"description": f["doc"]} if "doc" in f else {}) for name, f in fields.items()
    }
    for name in ("outcome_id", "source"):
        properties[name] |= {"minLength": 1, "maxLength": NAME_CHARS_MAX}
    properties["kind"]["enum"] = list(KINDS)
    properties["currency"] = {
        "type": "string",
        "pattern": "^[A-Z]{3}$",
        "description": "of the amount, which needs one; ISO 4217",
    }
    properties["identifiers"] = identifiers_schema("at least one; it is the customer's who has the strongest of these")
    properties["occurred_at"] = TIME | {"description": fields["occurred_at"]["doc"]}
    return {
        "type": "object",
        "required": [name for name, f in fields.items() if "default" not in f],
        "additionalProperties": False,
        "properties": properties,
    }
