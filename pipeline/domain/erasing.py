"""Taking away what was erased, in the profile itself and wherever copies of it were sent.

Guarantees: in the end nothing is there of which `since` is before the erasure, whatever order `Erased`, events, slices
and assignments come in, and no key or record of a profile names it while it holds nothing from afterwards. Only copies
of one event that fall on both sides of an erasure may end either way: what was erased leaves nothing to tell them by.

Not touched are the cells of touchpoints: sums without persons. What was erased is refused when it comes again, so
that it is not counted again either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import structs

from pipeline.domain import records
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Assignment, Erased, Forget, Scrub, erased_at, is_erased
from pipeline.domain.opened import Profile
from pipeline.domain.recalled import Seal
from pipeline.domain.records import Erasure, Kept, Lent, encode
from pipeline.domain.slices import persons
from pipeline.domain.state import State
from pipeline.domain.witness import PUBLIC

FORGET_EVENTS = 4_096  # in one message, 16 bytes each


class Erasing:
    """What is taken away from profiles of one partition number during one batch."""

    def __init__(self, state: State, seal: Seal) -> None:
        self._state = state
        self._seal = seal

    def erase(self, profile: Profile, message: Erased, seal: bytes) -> list[Forget] | None:
        """Take all that the erasure is about from a profile, its own and others'. None: it was known.

        What remains is from afterwards. Its evidence of identity has to be told anew, since nothing is known any more
        of what was told.
        """
        told = Erasure(message.before, message.blocked, message.order)
        erasure = told if profile.erasure is None else profile.erasure.merged(told)
        if erasure == profile.erasure:
            return None
        profile.erasure = erasure
        self._state.put(records.ERASURE + seal, encode(erasure))
        forget: dict[str, list[bytes]] = defaultdict(list)
        for key, kept in self._kept(profile):
            if erasure.refuses(kept.interaction.since):
                self._take_kept(profile, key, kept, forget)
        for key, value in list(self._state.scan(profile.prefix + records.SEEN)):
            seen = records.decode_seen(value)
            if erasure.refuses(seen.since):
                self._take_seen(profile, key, seen.told, forget)
        for key, value in list(self._state.scan(profile.prefix + records.LENT)):
            lent = records.decode_lent(value)
            if erasure.refuses(lent.interaction.since):
                self._take_lent(profile, key, lent)
        for kind in (records.ALIAS, records.SESSION):
            for key, _ in list(self._state.scan(profile.prefix + kind)):
                self._state.put(key, None)
        profile.aliases.clear()
        head = profile.head
        if not (head.kept or head.seen or head.lent):
            head.limit = 0  # nothing was ever let go
        profile.stale = profile.wiped = True
        return list(_messages(profile.identifier, forget))

    def remaining(self, profile: Profile) -> Iterator[Interaction]:
        """The interactions stored in a profile."""
        return (kept.interaction for _, kept in self._kept(profile))

    def share(self, profile: Profile, old: Assignment, new: Assignment) -> list[Forget]:
        """Take from a profile that several persons share what was that of one who was erased.

        The names of those whom the new assignment does not know any more go from all that is from before.
        """
        part = _erased_part(new)
        unsettled = new.owners[:1] == old.owners[:1] and old.sessions.keys() - new.sessions.keys()  # by an order
        if not part or (part == _erased_part(old) and not unsettled):
            return []
        at = max(map(erased_at, _erased_persons(new)))
        left = persons(old) - persons(new)
        me = profile.identifier
        forget: dict[str, list[bytes]] = defaultdict(list)
        for key, kept in self._kept(profile):
            x = kept.interaction
            if profile.is_nameless(x, new.owner(me, x.session_id, x.occurred_at), self._seal):
                self._take_kept(profile, key, kept, forget)
            elif x.since < at and not left.isdisjoint(kept.told):
                told = tuple(person for person in kept.told if person not in left)
                self._state.put(key, encode(structs.replace(kept, told=told)))
        for key, value in list(self._state.scan(profile.prefix + records.SEEN)):
            seen = records.decode_seen(value)
            owner = new.owner(me, seen.session_id, seen.occurred_at)
            if profile.is_nameless(seen, owner, self._seal):
                self._take_seen(profile, key, seen.told, forget)
            elif seen.since < at and not left.isdisjoint(seen.told):
                told = tuple(person for person in seen.told if person not in left)
                self._state.put(key, encode(structs.replace(seen, told=told)))
        return list(_messages(me, forget))

    def forget(self, profile: Profile, message: Forget) -> bool:
        """Take back what another profile sent by mistake, or what was erased there. False: nothing of it is here."""
        start = profile.prefix + records.LENT + records.name(message.sender)
        found = False
        for event in message.events:
            data = self._state.get(start + event)
            if data is not None:
                self._take_lent(profile, start + event, records.decode_lent(data))
                found = profile.stale = True
        return found

    def scrub(self, profile: Profile, message: Scrub) -> bool:
        """Take erased names out of what is from before, in a profile that stays. False: none was there."""
        names = frozenset(message.names)
        found = self._forget_aliases(profile, names, message.before)
        for key, kept in self._kept(profile):
            x = kept.interaction
            if x.since >= message.before:
                continue
            told = tuple(person for person in kept.told if person not in names)
            clean = _unnamed(x, names)
            if clean is not x or told != kept.told:
                self._state.put(key, encode(structs.replace(kept, interaction=clean, told=told)))
                found = True
        for key, value in list(self._state.scan(profile.prefix + records.SEEN)):
            seen = records.decode_seen(value)
            if seen.since < message.before and not names.isdisjoint(seen.told):
                told = tuple(person for person in seen.told if person not in names)
                self._state.put(key, encode(structs.replace(seen, told=told)))
                found = True
        for key, value in list(self._state.scan(profile.prefix + records.LENT)):
            lent = records.decode_lent(value)
            clean = _unnamed(lent.interaction, names)
            if clean is not lent.interaction and clean.since < message.before:
                self._state.put(key, encode(structs.replace(lent, interaction=clean)))
                found = True
        return found

    def _forget_aliases(self, profile: Profile, names: frozenset[str], before: int) -> bool:
        found = False
        for weak in names:
            key = profile.prefix + records.ALIAS + weak.encode()
            data = self._state.get(key)
            if data is None or records.decode_alias(data).earliest >= before:
                continue
            self._state.put(key, None)
            for session, _ in list(self._state.scan(profile.prefix + records.SESSION + records.name(weak))):
                self._state.put(session, None)
            profile.aliases.pop(weak, None)
            profile.aliases.pop(PUBLIC + weak, None)
            found = True
        return found

    def end(self, profile: Profile, sender: str, version: int) -> None:
        """Let go what another profile sent by assignments up to a version, since none of it is this one's now."""
        start = profile.prefix + records.LENT + records.name(sender)
        for key, value in list(self._state.scan(start)):
            lent = records.decode_lent(value)
            if lent.newest <= version:
                self._take_lent(profile, key, lent)
                profile.stale = True

    def is_blank(self, profile: Profile) -> bool:
        """Whether nothing is left of an erased profile, so that no record may name it."""
        head = profile.head
        if profile.erasure is None or head.kept or head.seen or head.lent or head.version:
            return False
        return next(iter(self._state.scan(profile.prefix + records.SENDER)), None) is None

    def wipe(self, profile: Profile) -> None:
        """Remove the records of a blank profile that there are."""
        for key, _ in list(self._state.scan(profile.prefix)):
            self._state.put(key, None)

    # One record.

    def _kept(self, profile: Profile) -> list[tuple[bytes, Kept]]:
        found = self._state.scan(profile.prefix + records.KEPT)
        return [(key, records.decode_kept(value)) for key, value in found]

    def _take_kept(self, profile: Profile, key: bytes, kept: Kept, forget: dict[str, list[bytes]]) -> None:
        x = kept.interaction
        self._state.put(key, None)
        profile.head.kept -= 1
        profile.gone.add((x.identifier, x.source, x.event_id))
        profile.stale = True
        for person in kept.told:
            forget[person].append(key[-records.NAME_BYTES :])

    def _take_seen(self, profile: Profile, key: bytes, told: Iterable[str], forget: dict[str, list[bytes]]) -> None:
        self._state.put(key, None)
        profile.head.seen -= 1
        for person in told:
            forget[person].append(key[-records.NAME_BYTES :])

    def _take_lent(self, profile: Profile, key: bytes, lent: Lent) -> None:
        x = lent.interaction
        self._state.put(key, None)
        profile.head.lent -= 1
        profile.gone.add((x.identifier, x.source, x.event_id))


def _unnamed(x: Interaction, names: frozenset[str]) -> Interaction:
    """The interaction without these beside its own identifier; itself, where it names none of them."""
    if names.isdisjoint(x.links) and names.isdisjoint(x.claims) and names.isdisjoint(x.masks):
        return x
    return structs.replace(
        x,
        links=tuple(each for each in x.links if each not in names),
        claims=tuple(each for each in x.claims if each not in names),
        masks={each: mask for each, mask in x.masks.items() if each not in names},
    )


def _messages(sender: str, forget: dict[str, list[bytes]]) -> Iterator[Forget]:
    for person, events in sorted(forget.items()):
        for start in range(0, len(events), FORGET_EVENTS):
            yield Forget(person, sender, tuple(events[start : start + FORGET_EVENTS]))


def _erased_persons(assignment: Assignment) -> list[str]:
    return [person for person in (*assignment.owners, *assignment.sessions.values()) if is_erased(person)]


def _erased_part(assignment: Assignment) -> tuple[object, ...]:
    """What an assignment gives to those who were erased: it grows seldom, while sessions come every day."""
    sessions = sorted(item for item in assignment.sessions.items() if is_erased(item[1]))
    first = assignment.owners[:1]
    rest = (*first, assignment.until, len(assignment.owners) == 1) if first and is_erased(first[0]) else ()
    return (*sessions, *rest)
