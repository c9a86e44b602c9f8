"""What people allow: a map from a purpose to yes or no, on each interaction and for the person.

Without a word, everything is allowed. Of a person, the newest word on each purpose counts, by event time, among the
interactions that speak of the person as such (`SPEAKING`); it does not age.

- `service`: what is refused is shown to nobody who serves the person.
- `analysis`: what is refused is no evidence in any score and in no cell, and no view of ClickHouse has it.

Anybody can read a public key, and name any customer with it. So what came with one says nothing of a person who is
known by name (`vouched`). Its word on consent holds for the event itself; and filed under a browser or a device, also
for all that is filed there and is the same person's, or, as long as nobody knows the name, for that person. Whoever
knows a browser's id speaks from that browser. It can add a no and take its own back; a no of the person it leaves
alone, and a newer word of the person is the last.

Decisions
- 2026-11-24 A score is analysis, also where an agent sees it: so evidence is counted once, by one rule.
- 2026-11-26 A visitor's no stays with the browser's history when they log in, and is not the customer's: else a forged
  login could empty anybody's context.
"""

from __future__ import annotations

from pipeline.domain.interaction import NAMESPACES, Interaction

PURPOSES = ("service", "analysis")
SERVICE, ANALYSIS = PURPOSES

#: Event types whose consent is the person's, and not only the event's own.
SPEAKING = frozenset({"profile_updated", "consent_changed"})

#: Namespaces of those of whom no name is known. Whoever knows such an identifier has the browser or the device.
NAMELESS = frozenset({"anonymous", "device"})

_NAMED = tuple(f"{namespace}:" for namespace in NAMESPACES if namespace not in NAMELESS)


def refuses(x: Interaction, purpose: str) -> bool:
    """Whether the interaction must not be used for that purpose."""
    return bool(x.consent) and x.consent.get(purpose) is False


def is_named(identifier: str) -> bool:
    """Whether an identifier is stronger than a browser or a device."""
    return identifier.startswith(_NAMED)


def vouched(x: Interaction, person: str) -> bool:
    """Whether what an interaction of that person's says of them is to be believed."""
    return not x.public or not is_named(person)
