"""Who sits at a desk: where their phone rings, and which callers they have verified.

Both are in the session's signed cookie, so a restart asks nobody again, and any serve process knows them. A caller is
verified for one call at one desk: the mark is of the call and of the person that it was, so that whoever else turns
out to call is not. A person who was looked for by hand is verified until the next search.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import tzinfo

from msgspec import structs

from pipeline.domain.staff import Staff
from pipeline.serve.access import Principal, Ticket

VERIFIED_S = 2 * 3600  # as long as a call may last
VERIFIED_MAX = 16  # of one desk: the newest, since a cookie has to hold them
EXTENSION_CHARS_MAX = 32
_EXTENSION = re.compile(r"[\w+*#.@-]{1,32}")
_BY_HAND = "hand"


@dataclass(frozen=True, slots=True)
class Seat:
    """One desk. `zone` is the agent's time zone."""

    who: Principal
    zone: tzinfo
    ticket: Ticket
    purpose: str

    @property
    def extension(self) -> str:
        """Where the agent's phone rings, '' where they have not said."""
        return self.ticket.extension

    def rings_at(self, staff: Staff) -> frozenset[str]:
        """What calls may name the extension by: itself, or its pseudonym. Nothing where there is none."""
        return frozenset((self.extension, staff.name(self.extension))) if self.extension else frozenset()

    def has_verified(self, call: str, person: str | None, now_s: float) -> bool:
        """Whether the agent has verified that this person is on the phone in that call ('': in none)."""
        if person is None:
            return False
        mark = _mark(call, person)
        return any(known == mark and until > now_s for known, until in self.ticket.verified)


def usable_extension(said: str) -> str | None:
    """An extension as somebody typed it, without blanks around it; '' takes it back, None where it is none."""
    text = said.strip()
    return text if not text or _EXTENSION.fullmatch(text) else None


def with_verified(ticket: Ticket, call: str, person: str, now_s: float) -> Ticket:
    """The ticket after this person was verified in that call."""
    mark, until = _mark(call, person), int(now_s) + VERIFIED_S
    kept = [each for each in ticket.verified if each[0] != mark and each[1] > now_s]
    return structs.replace(ticket, verified=(*kept, (mark, until))[-VERIFIED_MAX:])


def without_by_hand(ticket: Ticket) -> Ticket:
    """The ticket at the beginning of another search: who was found by the one before is not on the phone any more."""
    kept = tuple(each for each in ticket.verified if not each[0].startswith(_BY_HAND))
    return structs.replace(ticket, verified=kept)


def _mark(call: str, person: str) -> str:
    digest = hashlib.blake2b(f"{call}\0{person}".encode(), digest_size=8).hexdigest()
    return digest if call else f"{_BY_HAND}{digest}"
