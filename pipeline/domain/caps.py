"""How much evidence there may be about one identifier, before it is nobody's.

A cap is a function of the evidence alone, never of its order, and concerns one identifier: whoever else is connected
with it notices nothing but that this one does not speak for anybody any more.

What came with a public key is counted by itself: anybody can say such things in any number. Over a cap it is only
*that* which is left out, and what trusted sources said of the same identifier stands.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caps:
    """With more than this, an identifier stands alone. `freed_…`: once a person has freed it.

    Trusted and public evidence are counted apart, each against the same number. A change of the assignment is told
    whole, so `size` bounds what one piece of evidence can cost; a record of it has to fit into a transaction's batch
    (`engine.Limits.send_batch_bytes`) together with an interaction.
    """

    links: int = 1_000  # stronger identifiers that evidence connects with it
    owners: int = 64  # persons that these resolve to, or may
    reach: int = 1_000  # weaker identifiers
    sessions: int = 4_000  # with evidence, once for each stronger one in it, where it has two owners or more
    size: int = 256 * 1024  # bytes of all names in its assignment
    freed_links: int = 4_000
    freed_owners: int = 1_000
    freed_reach: int = 10_000
    freed_sessions: int = 8_000  # no more of them are kept, freed or not
    freed_size: int = 320 * 1024

    def of(self, freed: bool) -> Caps:
        """The caps that hold for an identifier: its `links`, `owners` and so on are to be looked at."""
        if not freed:
            return self
        return Caps(
            *(self.freed_links, self.freed_owners, self.freed_reach, self.freed_sessions, self.freed_size),
            *(self.freed_links, self.freed_owners, self.freed_reach, self.freed_sessions, self.freed_size),
        )


CAPS = Caps()
