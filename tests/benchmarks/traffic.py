"""The traffic that is measured: a shop's ordinary day, seeded, as envelopes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

_PAGES = ("home", "returns", "shoes", "jackets", "size guide", "delivery")
_QUERIES = ("return blue shoes", "rain jacket", "where is my parcel", "gift card", "boots 42", "opening hours")
_BASE_MS = 1_760_000_000_000
FIRST_CUSTOMER = 1_000


def events(count: int, customers: int, seed: int = 1) -> Iterator[tuple[str, dict[str, Any]]]:
    """(channel, envelope): visits, searches, calls, surveys, orders; one in twenty names a customer's browser."""
    rng = random.Random(seed)
    for number in range(count):
        who = FIRST_CUSTOMER + rng.randrange(customers)
        kind = rng.random()
        channel, touchpoint, what = "web", "product_page", "page_viewed"
        identifiers = {"customer": str(who)}
        extra: dict[str, Any] = {}
        if kind < 0.45:
            extra["properties"] = {"page": rng.choice(_PAGES)}
        elif kind < 0.65:
            what, touchpoint = "searched", "site_search"
            extra["properties"] = {"query": rng.choice(_QUERIES)}
            extra["measures"] = {"results": float(rng.randrange(40))}
        elif kind < 0.75:
            channel, what, touchpoint = "mobile", "product_viewed", "app_home"
            extra["properties"] = {"product": f"p{rng.randrange(500)}"}
        elif kind < 0.80:
            what, touchpoint = "identified", "account"
            identifiers["anonymous"] = f"a{who}"
            extra["session_id"] = f"s{number}"
        elif kind < 0.90:
            channel, what, touchpoint = "phone", "call_ended", "call_queue"
            wait = float(rng.randrange(300))
            extra["details"] = {"queue": "service", "wait_s": wait, "handle_s": 180.0, "outcome": "answered"}
            extra["measures"] = {"wait_s": wait}
            extra["session_id"] = f"c{number}"
        elif kind < 0.95:
            channel, what, touchpoint = "message", "survey_answered", "call_queue"
            value = float(rng.randrange(1, 6))
            extra["answer"] = {"question": "ease", "value": value, "min": 1.0, "max": 5.0}
        else:
            channel, what, touchpoint = "in_store", "order_placed", "store_counter"
            extra["properties"] = {"order_id": f"o{number}", "currency": "EUR"}
            extra["items"] = [{"product": f"p{rng.randrange(500)}", "quantity": 1.0, "price": 49.0, "name": ""}]
            extra["measures"] = {"amount": 49.0}
        yield (
            channel,
            {
                "event_id": f"e{number}",
                "source": "bench",
                "type": what,
                "touchpoint": touchpoint,
                "occurred_at": _BASE_MS + number * 100,
                "identifiers": identifiers,
                **extra,
            },
        )


def avro(envelope: dict[str, Any]) -> dict[str, Any]:
    """The envelope with every field of the Avro schema."""
    blank: dict[str, Any] = {
        "sent_at": None,
        "received_at": None,
        "session_id": "",
        "goal": "",
        "issue": "",
        "about": "",
        "items": [],
        "answer": None,
        "measures": {},
        "properties": {},
        "consent": {},
        "public": False,
        "details": None,
    }
    return {**blank, **envelope}
