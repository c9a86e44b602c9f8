"""What staff and systems see of a touchpoint, most of all behind the line of visibility: one verdict for every way in.

Guarantees: nothing in an Observation is unbounded, its value is finite, no name in it holds a control character (so
names may be joined by NUL in keys), and it names no customer: its names stand for nobody and hold no personal data,
and from its note e-mail addresses, phone, card and account numbers and identifiers are taken out. What has passed once
passes again.

Decisions
- 2026-11-26 A name with personal data in it is refused, where one of an interaction is replaced by a hash: whoever
  observes has no reason to name anybody, and is told so.
- 2026-11-26 An observation is (source, observation_id) at a touchpoint. Sent again it takes the place of the earlier
  one, whatever its value, so that a wrong number can be corrected.
- 2026-11-26 How staff feel about a touchpoint, 0 to 10, is the measure FEELING, at whatever touchpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from pipeline.domain.impersonal import check_impersonal, masked
from pipeline.domain.reasons import Reason, Rejected
from pipeline.domain.validate import (
    AHEAD_MS_MAX,
    TEXT_CHARS_MAX,
    arrival,
    check_arrival,
    check_number,
    check_time,
)

Kind = Literal["staff", "system"]
KINDS: tuple[Kind, ...] = ("staff", "system")
DESK = "desk"  # the source of what staff enter by hand: nobody's name
FEELING, FEELING_MAX = "mood", 10  # from 0; higher is better

_NAMES = ("observation_id", "source", "touchpoint", "measure")


class Observation(msgspec.Struct, frozen=True, gc=False):
    """One observation, with the fields of the Avro schema `observation`. Times are ms since 1970 UTC."""

    observation_id: str
    source: str
    touchpoint: str
    observed_at: int  # at most 5 minutes ahead of the broker's time
    received_at: int
    kind: str
    measure: str  # with its unit in the name
    value: float
    note: str = ""  # masked

    @property
    def key(self) -> str:
        """The same for everything that may take its place."""
        return f"{self.source}\0{self.observation_id}"


def observation(given: Mapping[str, Any], broker_time: int, region: str) -> Observation:
    """The observation that a mapping with the Avro schema's fields tells of; its types are already sure.

    `broker_time` is its record's (ms), or what stands for it; `region` reads phone numbers without country prefix.
    Raises Rejected.
    """
    for field in _NAMES:
        check_impersonal(field, given.get(field) or "", region, "observation")
    if given.get("kind") not in KINDS:
        raise Rejected(Reason.BAD_VALUE, f"kind: none of {', '.join(KINDS)}")
    if given.get("value") is None or given.get("observed_at") is None:
        raise Rejected(Reason.MISSING_FIELD, "value" if given.get("value") is None else "observed_at")
    check_number("value", given["value"])
    check_time("observed_at", given["observed_at"])
    received_at = arrival(given, broker_time)
    check_arrival(received_at)
    return Observation(
        given["observation_id"],
        given["source"],
        given["touchpoint"],
        min(given["observed_at"], broker_time + AHEAD_MS_MAX),
        received_at,
        given["kind"],
        given["measure"],
        float(given["value"]),
        masked("note", given.get("note") or "", region, TEXT_CHARS_MAX),
    )
