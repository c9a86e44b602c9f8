"""The rule that decided whose an identifier is, in words that people understand."""

from __future__ import annotations

from pipeline.domain.identity import Caps
from pipeline.domain.messages import Assignment, is_erased
from pipeline.identify.records import Record

#: Why an identifier stands alone.
ALONE = {
    "links": "more than {links} stronger identifiers came with it",
    "owners": "more than {owners} persons share it",
    "reach": "more than {reach} weaker identifiers came with it",
    "sessions": "several persons share it, in more than {sessions} sessions",
}
SOMEBODY = "somebody whose data was erased"


def alone(why: str, caps: Caps) -> str:
    """Why an identifier stands alone."""
    return ALONE[why].format(links=caps.links, owners=caps.owners, reach=caps.reach, sessions=caps.sessions)


def rule(identifier: str, record: Record, known: Assignment, caps: Caps) -> tuple[str, str]:
    """(code, sentence) for what was decided about an identifier."""
    if record.joined:
        if known.ambiguous:
            return "joined_ambiguous", f"An order joins it into {record.joined}, which is ambiguous itself."
        return "joined", f"An order joins it into {record.joined}."
    if record.alone:
        return "alone", f"It stands alone: {alone(record.alone, caps)}. What happens under it is nobody else's."
    if len(known.owners) == 1:
        if is_erased(known.owners[0]):
            return "erased", f"It was only ever {SOMEBODY}'s; what came later is its own."
        return "one_owner", f"All evidence about it leads to {known.owners[0]} alone: everything under it is theirs."
    if known.owners:
        names = [SOMEBODY if is_erased(owner) else owner for owner in known.owners]
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
