"""The rule that decided whose an identifier is, in words that people understand."""

from __future__ import annotations

from pipeline.domain.caps import Caps
from pipeline.domain.messages import Assignment, is_erased
from pipeline.identify.records import Record

#: Why an identifier stands alone.
ALONE = {
    "links": "more than {links} stronger identifiers came with it",
    "owners": "more than {owners} persons share it",
    "candidates": "it may be more than {owners} persons'",
    "reach": "more than {reach} weaker identifiers came with it",
    "sessions": "several persons share it, in more than {sessions} sessions",
    "size": "the names of those who share it, and of their sessions, take more than {size} bytes",
}
PUBLIC = "what public keys say of it does not count, since by that "
SOMEBODY = "somebody whose data was erased"
BEFORE = "those who had it before that was forgotten"


def alone(why: str, public: bool, caps: Caps) -> str:
    """Why an identifier stands alone, or is not heard through public keys; by the caps that hold for it."""
    bounds = {"links": caps.links, "owners": caps.owners, "reach": caps.reach}
    said = ALONE[why].format(**bounds, sessions=caps.sessions, size=caps.size)
    return PUBLIC + said if public else said


def stands_alone(record: Record) -> bool:
    """Whether nothing counts of all evidence about it: because of a cap it is nobody else's."""
    known = record.assignment
    nobody = known is None or not (known.owners or known.ambiguous)
    public = record.public is not None and bool(record.public.links)
    return bool(record.alone or (record.muted and nobody and public and not record.joined))


def rule(identifier: str, record: Record, known: Assignment, caps: Caps) -> tuple[str, str]:
    """(code, sentence) for what was decided about an identifier."""
    if record.joined:
        if known.ambiguous:
            return "joined_ambiguous", f"An order joins it into {record.joined}, which is ambiguous itself."
        return "joined", f"An order joins it into {record.joined}."
    if stands_alone(record):
        why = alone(record.alone or record.muted, not record.alone, caps.of(bool(record.freed)))
        return "alone", f"It stands alone: {why}. What happens under it is nobody else's."
    code, words = _by_evidence(identifier, record, known)
    if record.muted:
        why = alone(record.muted, True, caps.of(bool(record.freed)))
        return code, f"{words} But {why}."
    return code, words


def _by_evidence(identifier: str, record: Record, known: Assignment) -> tuple[str, str]:
    if len(known.owners) == 1:
        if is_erased(known.owners[0]):
            return "erased", f"It was only ever {SOMEBODY}'s; what came later is its own."
        return "one_owner", f"All evidence about it leads to {known.owners[0]} alone: everything under it is theirs."
    if known.owners:
        names = [SOMEBODY if is_erased(owner) else BEFORE if owner == identifier else owner for owner in known.owners]
        return (
            "shared",
            f"It is shared by {', '.join(names[:-1])} and {names[-1]}. A session in which exactly one of them showed "
            f"themselves is theirs; otherwise what came before the second one did belongs to {names[0]}, and the rest "
            "stays.",
        )
    if known.ambiguous:
        return "unresolved", "All that evidence leads to is ambiguous itself: nothing is guessed, everything stays."
    if record.parted:
        return "parted", f"An order parts it from {', '.join(sorted(record.parted))}: it is a person of its own."
    if identifier.startswith(("customer:",)):
        return "own", "Nothing is stronger: it is a person of its own."
    return "own", "No evidence leads from it to a stronger identifier: it is a person of its own."
