"""What is planted: personal data in every field of events on every channel, and how it is found again.

Searched for is in letters and digits alone, so that no spelling hides it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from pipeline.domain.interaction import CHANNELS, NAMESPACES
from pipeline.settings import REPO
from tests.examples import whole

NOW = 1_763_805_600_000  # 2025-11-22 10:00:00 UTC
SCHEMAS = REPO / "schemas"

#: What is planted, and what is looked for, in letters and digits alone: no spelling hides it.
PLANTS = {
    "address": ("Zq.Planted@nobody.example", "zqplanted"),
    "number": ("+1 202 555 0187", "2025550187"),
    "E.164": ("+4915123456789", "15123456789"),
    "national": ("(415) 555-0163", "4155550163"),
    "card": ("4111 1111 1111 1111", "4111111111111111"),
    "account": ("DE89 3704 0044 0532 0130 00", "370400440532013000"),
}
if not whole():  # each plant costs some hundred events
    PLANTS = {name: PLANTS[name] for name in ("address", "E.164", "card")}
NEEDLES = [needle for _, needle in PLANTS.values()]
AGENT, AGENT_NEEDLE = "Quilla Featherstone", "quillafeatherstone"
STAFF = ("agent", "staff", "extension")

KNOWN_TYPES = (
    *("searched", "page_viewed", "product_viewed", "order_placed", "order_returned", "goal_started", "goal_completed"),
    *("identified", "profile_updated", "preference_set", "call_ringing", "call_ended", "chat_ended", "survey_answered"),
    *("complaint_opened", "complaint_acknowledged", "complaint_closed", "compliment_given", "delivery_promised"),
    "consent_changed",
)
OBSERVED = ("goal_completed", "complaint_opened")  # an answer would outrank what they say, and nobody have a score
LISTED = (
    "query",
    "page",
    "product",
    "product_name",
    "order_id",
    "comment",
    "text",
    "reason",
    "complaint_id",
    "name",
    "root_cause",
    "next_step",
)


def planted(channel: str, plant: str, mark: str, kind: str = "") -> dict[str, Any]:
    """An event with the plant in every text that the schema has, names of entries included; of a known type or not."""
    schema = json.loads((SCHEMAS / "avro" / f"interaction_{channel}.avsc").read_text())
    fields = {field["name"]: field["type"] for field in schema["fields"]}
    details = {
        field["name"]: f"{plant} {mark}" if field["type"][1] == "string" else None
        for field in fields["details"][1]["fields"]
    }
    details |= {name: f"{AGENT} {plant}" for name in STAFF if name in details}
    texts = {name: f"{plant} {mark}" for name, type_ in fields.items() if type_ == "string"}
    return {
        **texts,
        "type": kind or texts["type"],
        "occurred_at": NOW,
        "identifiers": {"customer": f"c-{mark}"},
        "items": [{"product": plant, "quantity": 1.0, "price": 1.0, "name": f"for {plant}"}],
        "answer": None if kind in OBSERVED else {"question": plant, "value": 1.0, "min": 0.0, "max": 10.0},
        "measures": {plant: 1.0, "amount": 2.0},
        "properties": {plant: plant, "ordinary": plant, **dict.fromkeys(LISTED, f"it is {plant}, really")},
        "consent": {"service": True},
        "details": details,
    }


def events() -> Iterator[tuple[str, dict[str, Any]]]:
    """(channel, event): every plant on every channel, and as every identifier."""
    for n, (plant, _) in enumerate(PLANTS.values()):
        for channel in CHANNELS:
            yield channel, planted(channel, plant, f"{n}-{channel}")
        for kind in KNOWN_TYPES:
            yield "web", planted("web", plant, f"{n}-{kind}", kind)
        for namespace in NAMESPACES:
            value = {"email": PLANTS["address"][0], "phone": PLANTS["E.164"][0]}.get(namespace, plant)
            alone = planted("phone", plant, f"{n}-as-{namespace}", "call_ringing")
            yield "phone", alone | {"identifiers": {namespace: value}}
            yield (
                "web",
                planted("web", plant, f"{n}-with-{namespace}")
                | {"identifiers": {"customer": f"c-{n}", namespace: value}},
            )


def refused() -> Iterator[tuple[str, dict[str, Any]]]:
    """(channel, event): what the pipeline sets aside, with the plant where the trouble is."""
    for n, (plant, _) in enumerate(PLANTS.values()):
        event = planted("web", plant, f"{n}-refused")
        for changes in (
            {"consent": {plant: True}},
            {"identifiers": {plant: plant}},
            {"identifiers": {"phone": f"{plant} {plant} {plant}"}},
            {"properties": {plant: "x" * 9_000}},
            {"measures": {plant: float("inf")}},
            {"details": {**event["details"], "url": "x" * 9_000 + plant}},
            {"session_id": f"{plant}\n"},
            {"touchpoint": f"{plant} " * 30},
        ):
            yield "web", event | changes


def found_in(text: str) -> list[str]:
    """The needles in a text, in any spelling."""
    squeezed = re.sub(r"[\W_]", "", unquote(text)).lower()
    return [needle for needle in (*NEEDLES, AGENT_NEEDLE) if needle in squeezed]


def leaves(value: Any) -> Iterator[str]:
    """Every text and number in a decoded row, names included."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield str(value)
