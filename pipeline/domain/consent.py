"""What people allow: a map from a purpose to yes or no, on each interaction and for the person.

Without a word, everything is allowed. Of a person, the newest word on each purpose counts, by event time, among the
interactions that speak of the person as such (`SPEAKING`); it does not age.

- `service`: what is refused is shown to nobody who serves the person.
- `analysis`: what is refused is no evidence in any score and in no cell, and no view of ClickHouse has it.

Decisions
- 2026-11-24 A score is analysis, also where an agent sees it: so evidence is counted once, by one rule.
"""

from __future__ import annotations

from pipeline.domain.interaction import Interaction

PURPOSES = ("service", "analysis")
SERVICE, ANALYSIS = PURPOSES

#: Event types whose consent is the person's, and not only the event's own.
SPEAKING = frozenset({"profile_updated", "consent_changed"})


def refuses(x: Interaction, purpose: str) -> bool:
    """Whether the interaction must not be used for that purpose."""
    return bool(x.consent) and x.consent.get(purpose) is False
