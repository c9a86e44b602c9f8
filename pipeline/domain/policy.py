"""What the business decides about identity and privacy, as one frozen value: `schemas/catalogue/identity.yaml`, read.

Decisions
- 2026-11-24 The lists stand in the file alone. A `Policy()` of its own refuses no placeholder but what is empty or all
  zeros, lets every source link everything, and stores no property: for tests of something else.
- 2026-11-24 What a public key may link is at most PUBLIC, whatever the file says: anybody can read such a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.domain.consent import NAMELESS, PURPOSES
from pipeline.domain.interaction import NAMESPACES

#: What an event that came with a public key may link to a stronger identifier: a login in the browser links its cookie,
#: and nobody's phone number can be claimed by whoever has read the page's source.
PUBLIC = NAMELESS


@dataclass(frozen=True, slots=True)
class Placeholders:
    """What sources send when they know nobody, in lower case. Whoever trusts one joins strangers."""

    values: frozenset[str] = frozenset()  # of any namespace
    before_at: frozenset[str] = frozenset()  # of an e-mail address, before the @


NO_PLACEHOLDERS = Placeholders()


@dataclass(frozen=True, slots=True)
class Policy:
    """What identifies, what links, and what may be stored for analysis."""

    placeholders: Placeholders = NO_PLACEHOLDERS
    may_link: frozenset[str] = frozenset(NAMESPACES)  # namespaces that a source may link to a stronger one
    public_may_link: frozenset[str] = PUBLIC  # the same of events that came with a public key
    sources_may_link: Mapping[str, frozenset[str]] = field(
        default_factory=dict
    )  # source → the same, where it has its own
    purposes: frozenset[str] = frozenset(PURPOSES)  # that consent may speak of
    properties: frozenset[str] = frozenset()  # names of properties that ClickHouse may hold
    traits: frozenset[str] = frozenset()  # names of a profile's traits that ClickHouse may hold; never what they are
    texts: frozenset[str] = frozenset()  # properties and details that people write freely
    staff: frozenset[str] = frozenset()  # details that name one who works here

    def linkable(self, source: str, public: bool) -> frozenset[str]:
        """The namespaces that an event may link to a stronger one. A public one may say any source: it is not asked."""
        return self.public_may_link if public else self.sources_may_link.get(source, self.may_link)


DEFAULT = Policy()
