"""What a profile tells other persons of its interactions: as little as concerns them, in messages of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assignment, Slice, is_erased

_encode = msgspec.msgpack.Encoder().encode


def persons(assignment: Assignment) -> set[str]:
    """Everyone whom an assignment names as an owner of something, but for those who were erased."""
    named = set(assignment.owners)
    named.update(assignment.sessions.values())
    named.discard("")
    return {person for person in named if not is_erased(person)}


def concerning(assignment: Assignment, person: str) -> Assignment:
    """The assignment without what makes no difference to that person: it gives them the same interactions.

    Other people's sessions count only for the first owner, whose all the rest would be. Whoever gets nothing is told
    nothing of others.
    """
    if person not in persons(assignment):
        return Assignment(assignment.version)
    first = bool(assignment.owners) and assignment.owners[0] == person
    sessions = {s: p if p == person else "" for s, p in assignment.sessions.items() if first or p == person}
    return msgspec.structs.replace(assignment, sessions=sessions)


def narrowed(assignment: Assignment, session_id: str) -> Assignment:
    """The assignment with only what concerns one session; itself, where it says nothing of sessions."""
    if not assignment.sessions:
        return assignment
    settled = assignment.sessions.get(session_id)
    return msgspec.structs.replace(assignment, sessions={} if settled is None else {session_id: settled})


def slices(
    person: str, sender: str, assignment: Assignment, interactions: Iterable[Interaction], bytes_max: int
) -> Iterator[Slice]:
    """At least one message, with all of the interactions between them, each of at most `bytes_max` encoded bytes.

    A message has at least one interaction where there are any, so one that is larger by itself goes alone.
    """
    room = bytes_max - len(_encode(Slice(person, sender, assignment, ())))
    part: list[Interaction] = []
    size = 8  # the array's own header, at its largest
    for x in interactions:
        each = len(_encode(x))
        if part and size + each > room:
            yield Slice(person, sender, assignment, tuple(part))
            part, size = [], 8
        part.append(x)
        size += each
    yield Slice(person, sender, assignment, tuple(part))
