"""Who is meant, given what each key's profile says: one person, several possible ones, or nobody known. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.serve.workers import Resolution


@dataclass(frozen=True, slots=True)
class Match:
    """`person` where there is exactly one; `candidates` (ids, the likeliest to ask about first) where several."""

    person: str | None = None
    candidates: tuple[str, ...] = ()
    ambiguous: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """Everyone of whom an answer tells something."""
        return (self.person,) if self.person is not None else self.candidates

    @property
    def kind(self) -> str:
        """As the API says it."""
        return "ambiguous" if self.ambiguous else "one" if self.person is not None else "none"


def match(resolutions: Iterable[Resolution]) -> Match:
    """What the keys of one request come to.

    Unknown keys say nothing. An ambiguous key agrees with a person who is among its candidates; every other
    disagreement is ambiguous: nothing is guessed.
    """
    known = [each for each in resolutions if each.known or each.ambiguous]
    persons = list(dict.fromkeys(each.person or each.id for each in known if not each.ambiguous))
    shared = [each for each in known if each.ambiguous]
    if len(persons) == 1 and all(persons[0] in each.candidates for each in shared):
        return Match(person=persons[0])
    if not known:
        return Match()
    named = Counter(persons)
    for each in shared:
        named.update(each.candidates)
    order = {person: place for place, person in enumerate(named)}
    ranked = sorted(named, key=lambda person: (-named[person], order[person]))
    return Match(candidates=tuple(ranked), ambiguous=True)
