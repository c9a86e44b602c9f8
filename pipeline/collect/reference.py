"""What /docs says about interactions. Names and meanings come from the Avro schemas, so that they cannot differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.collect.limits import Limits
from pipeline.domain.interaction import CHANNELS, NAMESPACES
from pipeline.domain.reasons import Reason
from pipeline.domain.validate import NAME_CHARS_MAX

_JSON_TYPES = {"string": "string", "double": "number", "long": "integer", "boolean": "boolean"}
TIME = {
    "oneOf": [{"type": "string", "format": "date-time"}, {"type": "integer", "format": "int64"}],
    "example": "2025-11-22T10:00:00.000Z",
}
#: Over HTTP these differ from Avro, or are the collector's own.
_OWN = ("received_at", "identifiers", "details", "occurred_at", "sent_at")

_EXAMPLES: dict[str, dict[str, Any]] = {
    "search": {
        "summary": "A visitor searches on the web",
        "value": {
            "events": [
                {
                    "event_id": "web-000001",
                    "source": "shop",
                    "channel": "web",
                    "type": "searched",
                    "touchpoint": "site_search",
                    "occurred_at": "2025-11-22T10:00:00.000Z",
                    "identifiers": {"anonymous": "c0ffee-1"},
                    "session_id": "visit-1",
                    "properties": {"query": "espresso machine"},
                    "measures": {"results": 12},
                }
            ]
        },
    },
    "login": {
        "summary": "The visitor logs in: two identifiers show who it is",
        "value": {
            "events": [
                {
                    "event_id": "web-000002",
                    "source": "shop",
                    "channel": "web",
                    "type": "identified",
                    "touchpoint": "login",
                    "occurred_at": 1763805660000,
                    "identifiers": {"customer": "4711", "anonymous": "c0ffee-1"},
                }
            ]
        },
    },
    "call": {
        "summary": "A call rings",
        "value": {
            "events": [
                {
                    "event_id": "call-77-ringing",
                    "source": "pbx",
                    "channel": "phone",
                    "type": "call_ringing",
                    "touchpoint": "call_queue",
                    "occurred_at": "2025-11-22T10:02:30+01:00",
                    "sent_at": "2025-11-22T10:02:30.120+01:00",
                    "identifiers": {"phone": "+1 202 555 0142"},
                    "session_id": "call-77",
                    "details": {"queue": "orders", "direction": "inbound"},
                }
            ]
        },
    },
}


_REJECTED = {
    "index": 1,
    "event_id": "web-000003",
    "reason": "placeholder_identifier",
    "detail": "identifiers.customer: a placeholder",
}


def operation(limits: Limits, schemas: Path) -> dict[str, Any]:
    """The arguments of the route's decorator."""
    return taking(
        limits,
        ("events", "event_id"),
        event_schema(schemas),
        _EXAMPLES,
        _REJECTED,
        summary="Send interactions",
        description=_description(limits),
        response_description="The broker has all accepted events. The rejected ones are listed; mend them first.",
    )


def _description(limits: Limits) -> str:
    return (
        f"Up to {limits.events} events and {limits.body_bytes // 1024} KiB a request (also after decompression; "
        f"`Content-Encoding: gzip` is fine), {limits.event_bytes // 1024} KiB an event. Needs the header "
        "`Authorization: Bearer <ingest key>`.\n\n"
        "In pages and apps, where anybody can read it, use the public key: it may send events and nothing else, from "
        "pages of any origin. What comes with it is marked `public` (what an event itself says there counts for "
        "nothing, whatever the key): it links only anonymous and device identifiers to a stronger one, as a login "
        "does, and not from before it arrived. Other identifiers beside the strongest stay claims that show nobody who "
        "anybody is. It is in the timeline and in what somebody searched for, looked at and has open; for somebody "
        "known by name it is no order, complaint, trait, preference or consent, rings at no desk and puts nobody at "
        "risk: send these from a system of yours, with the ingest key. What a browser says of consent holds for the "
        "event itself, and for what is filed under that browser.\n\n"
        "Each event is judged by itself: good ones are accepted beside bad ones, which come back with `index`, "
        "`reason` and `detail`. Types are strict, and a field that does not exist is rejected (`wrong_type`), so that "
        "a misspelt name loses nothing silently; `null` in an optional field is the same as leaving it out.\n\n"
        "An event is (`source`, `event_id`): sending it again, after a 503 or a lost answer, is safe and stores it "
        "once. Times are RFC 3339 with an offset, or whole milliseconds since 1970. `sent_at` corrects a wrong clock: "
        "set it to the sending device's time when sending.\n\n"
        "Reasons of rejected events:\n\n" + "\n".join(f"- `{reason}`: {reason.meaning}" for reason in Reason)
    )


def event_schema(schemas: Path) -> dict[str, Any]:
    """JSON Schema of one event."""
    channels = {c: json.loads((schemas / "avro" / f"interaction_{c}.avsc").read_text()) for c in CHANNELS}
    fields = {f["name"]: f for f in channels["web"]["fields"]}
    docs = {name: f.get("doc", "") for name, f in fields.items()}
    properties: dict[str, Any] = {
        name: json_schema(f["type"]) | {"description": docs[name]} for name, f in fields.items() if name not in _OWN
    }
    properties["consent"]["description"] = (
        "purpose → yes or no; purposes are service and analysis, and what else identity.yaml lists"
    )
    properties |= {
        "channel": {"type": "string", "enum": list(CHANNELS)},
        "occurred_at": TIME | {"description": docs["occurred_at"]},
        "sent_at": TIME | {"description": docs["sent_at"]},
        "identifiers": identifiers_schema("at least one; the event is filed under the strongest, the first of these"),
        "details": {
            "description": "the channel's own fields, all optional",
            "anyOf": [
                json_schema(next(f for f in schema["fields"] if f["name"] == "details")["type"]) | {"title": channel}
                for channel, schema in channels.items()
            ],
        },
    }
    required = [name for name, f in fields.items() if "default" not in f]
    return {
        "type": "object",
        "required": ["channel", *required],
        "additionalProperties": False,
        "properties": properties,
    }


def identifiers_schema(description: str) -> dict[str, Any]:
    """JSON Schema of identifiers."""
    return {
        "type": "object",
        "description": description,
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {namespace: {"type": "string", "maxLength": 256} for namespace in NAMESPACES},
    }


def json_schema(schema: Any) -> dict[str, Any]:
    """JSON Schema of an Avro type."""
    if isinstance(schema, list):
        return json_schema(schema[1])
    kind = schema if isinstance(schema, str) else schema["type"]
    match kind:
        case "map":
            return {"type": "object", "additionalProperties": json_schema(schema["values"])}
        case "array":
            return {"type": "array", "items": json_schema(schema["items"])}
        case "record":
            return {
                "type": "object",
                "additionalProperties": False,
                "required": [f["name"] for f in schema["fields"] if "default" not in f],
                "properties": {f["name"]: json_schema(f["type"]) | _described(f) for f in schema["fields"]},
            }
        case _:
            return {"type": _JSON_TYPES[kind]}


def _described(field: dict[str, Any]) -> dict[str, str]:
    return {"description": field["doc"]} if "doc" in field else {}


def taking(
    limits: Limits,
    named: tuple[str, str],
    item: dict[str, Any],
    examples: dict[str, dict[str, Any]],
    rejected: dict[str, Any],
    *,
    ingest_only: bool = False,
    **said: str,
) -> dict[str, Any]:
    """The arguments of the decorator of a route that takes a list.

    `named`: how the list is called, and what names one in it. `item`: JSON Schema of one; `rejected`: one that was, as
    an example. `ingest_only`: the public key is refused. `said`: the texts of the operation.
    """
    name = named[0]
    request = {
        "type": "object",
        "required": [name],
        "additionalProperties": False,
        "properties": {name: {"type": "array", "maxItems": limits.events, "items": item}},
    }
    refused = {
        "no_key": "`no_key`: the ingest key was not sent.",
        "missing_scope": f"`missing_scope`: the key (the public one, for instance) may not send {name}.",
    }
    return {
        "status_code": 202,
        **said,
        "responses": {
            202: {"content": {"application/json": accepted(*named, rejected)}},
            **errors(limits, **(refused if ingest_only else {})),
        },
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": request, "examples": examples}},
            },
        },
    }


def record_schema(schemas: Path, schema: str, names: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of one record as it is sent: the Avro schema, but for `received_at`.

    `names` are the fields that are names: there, and bounded.
    """
    avro = json.loads((schemas / "avro" / f"{schema}.avsc").read_text())
    found = json_schema(avro | {"fields": [f for f in avro["fields"] if f["name"] != "received_at"]})
    for name in names:
        found["properties"][name] |= {"minLength": 1, "maxLength": NAME_CHARS_MAX}
    return found


def accepted(name: str, id_name: str, example: dict[str, Any]) -> dict[str, Any]:
    """The answer's content: of which list, what names one of it, and one that was rejected."""
    text = {"type": "string"}
    rejected = {
        "type": "object",
        "properties": {
            "index": {"type": "integer", "description": f"position in `{name}`"},
            id_name: {"type": ["string", "null"]},
            "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
            "detail": text,
        },
    }
    return {
        "schema": {
            "type": "object",
            "required": ["accepted", "rejected"],
            "properties": {"accepted": {"type": "integer"}, "rejected": {"type": "array", "items": rejected}},
        },
        "example": {"accepted": 1, "rejected": [example]},
    }


def errors(limits: Limits, **said: str) -> dict[int | str, dict[str, Any]]:
    """The answers that are errors; `said` replaces what is said of some, by their `reason`."""
    meanings = {
        400: "The request cannot be read: `broken_json`, `wrong_type`, `missing_field`, `broken_gzip`.",
        401: said.get("no_key", "`no_key`: neither the ingest key nor the public one was sent."),
        403: said.get("missing_scope", "`missing_scope`: the key is known, and may not send events."),
        408: f"`slow_body`: the body took longer than {limits.body_s:g} s.",
        413: "`oversize` or `too_many_events`: send less at once.",
        415: "`unsupported_encoding`: only gzip is understood.",
        429: "`too_much_in_flight`: wait `Retry-After` seconds, then send all of it again.",
        503: "`kafka_unavailable`: wait `Retry-After` seconds, then send all of it again.",
    }
    schema = {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "reason": {"type": "string"},
            "detail": {"type": "string"},
        },
    }
    return {
        status: {"description": text, "content": {"application/problem+json": {"schema": schema}}}
        for status, text in meanings.items()
    }
