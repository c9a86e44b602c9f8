"""A complaint as it is told: words on it, one after the other, each an interaction of its own.

    received ─ acknowledged ─ assessed ─ investigated ─ responded ─ closed

What is known of a complaint is a function of the set of its words and their times, never of the order in which they
arrive. Only the customer opens it again, by a later `complaint_opened` or `complaint_updated`: a stage that is told
late does not. The view `complaint_times` says the same in SQL; but a profile, which keeps only the last word of each
type, counts what was told between a closing and the next opening as of the new round.

2026-11-26: `about` names a complaint only where the word is not its opening: an opening is about the experience that
is complained of.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.interaction import Interaction

OPENED, UPDATED, CLOSED = "complaint_opened", "complaint_updated", "complaint_closed"
#: Type of the word → the stage that it says was reached, in their order.
STAGES = {
    OPENED: "received",
    "complaint_acknowledged": "acknowledged",
    "complaint_assessed": "assessed",
    "complaint_investigated": "investigated",
    "complaint_responded": "responded",
    CLOSED: "closed",
}
#: Types that decide whether it is open: the last of them does.
DECIDING = frozenset({OPENED, UPDATED, CLOSED})
#: Types between its opening and its end.
BETWEEN = tuple(kind for kind in STAGES if kind not in DECIDING)
BETWEEN_STAGES = tuple(STAGES[kind] for kind in BETWEEN)
#: The properties without which it cannot be closed.
CLOSED_WITH = ("root_cause", "next_step")


def missing(kind: str, properties: Mapping[str, str]) -> str:
    """The property that an event of that type lacks, where it closes a complaint without saying why; else ''."""
    if kind != CLOSED:
        return ""
    return next((name for name in CLOSED_WITH if not properties.get(name, "").strip()), "")


def key(x: Interaction) -> str:
    """Which of the person's complaints a word is on."""
    said = x.properties.get("complaint_id") or x.issue
    return said or (x.about if x.type != OPENED else "") or x.event_id
