"""What /docs says about observations; see `reference`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.collect.limits import Limits
from pipeline.collect.reference import TIME, record_schema, taking
from pipeline.domain.observations import FEELING, FEELING_MAX, KINDS
from pipeline.domain.validate import TEXT_CHARS_MAX
from pipeline.topics import OBSERVATIONS

_EXAMPLES: dict[str, dict[str, Any]] = {
    "system": {
        "summary": "A monitor says how the payment service does",
        "value": {
            "observations": [
                {
                    "observation_id": "payment-availability-2025-11-22T10:00",
                    "source": "monitoring",
                    "touchpoint": "payment_service",
                    "observed_at": "2025-11-22T10:00:00Z",
                    "kind": "system",
                    "measure": "availability",
                    "value": 99.97,
                }
            ]
        },
    },
    "staff": {
        "summary": "A shift lead says who is missing, and how it feels",
        "value": {
            "observations": [
                {
                    "observation_id": "shift-4711-missing",
                    "source": "shift-app",
                    "touchpoint": "shift_planning",
                    "observed_at": 1763805600000,
                    "kind": "staff",
                    "measure": "agents_missing",
                    "value": 2,
                    "note": "Two are ill, and the newsletter goes out at noon.",
                },
                {
                    "observation_id": "shift-4711-mood",
                    "source": "shift-app",
                    "touchpoint": "shift_planning",
                    "observed_at": 1763805600000,
                    "kind": "staff",
                    "measure": "mood",
                    "value": 4,
                },
            ]
        },
    },
}
_REJECTED = {
    "index": 1,
    "observation_id": "shift-4711-mood",
    "reason": "wrong_type",
    "detail": "value: must be a number, not text",
}


def operation(limits: Limits, schemas: Path) -> dict[str, Any]:
    """The arguments of the route's decorator."""
    return taking(
        limits,
        ("observations", "observation_id"),
        observation_schema(schemas),
        _EXAMPLES,
        _REJECTED,
        ingest_only=True,
        summary="Send observations",
        description=_description(limits),
        response_description="The broker has all accepted observations. The rejected ones are listed.",
    )


def _description(limits: Limits) -> str:
    return (
        "What staff and systems see of a touchpoint, most of all of those that customers do not see: who is missing in "
        "the shift, how long orders wait for the warehouse, whether the payment service answers. Touchpoints whose "
        "thresholds name a `measure` get their dot from it (view `touchpoint_dots`).\n\n"
        f"Up to {limits.events} observations and {limits.body_bytes // 1024} KiB a request (also after decompression; "
        f"`Content-Encoding: gzip` is fine), {limits.event_bytes // 1024} KiB an observation. Needs the header "
        "`Authorization: Bearer <ingest key>`; the public key is refused. Each observation is judged by itself, and "
        "types are strict, as with interactions.\n\n"
        "An observation is (`source`, `observation_id`) at its touchpoint. Sending it again is safe: it takes the "
        "place of the earlier one, also with another value. The source of what staff enter at `/observe` is `desk`.\n\n"
        "No observation names a customer: an id, source, touchpoint or measure with personal data in it is rejected "
        "(`bad_value`), and from notes e-mail addresses, phone, card and account numbers and identifiers such as "
        "`customer:4711` are taken out before they are kept. Names of people are not recognised: leave them out."
    )


def observation_schema(schemas: Path) -> dict[str, Any]:
    """JSON Schema of one observation."""
    schema = record_schema(schemas, OBSERVATIONS.schema, ("observation_id", "source", "touchpoint", "measure"))
    properties = schema["properties"]
    properties["note"]["maxLength"] = TEXT_CHARS_MAX
    properties["kind"]["enum"] = list(KINDS)
    properties["observed_at"] = TIME | {"description": properties["observed_at"]["description"]}
    properties["value"]["description"] = f"of `{FEELING}`: 0 to {FEELING_MAX}, higher is better"
    return schema
