"""Taking evidence away: one edge at once, or all that is from before a time, bit by bit.

An identifier may stand over a million others (a bot), or under as many (a kiosk). What is to be forgotten of it is
dead from the moment of the order on, since it is of an earlier life of the identifier; taking it away is a `Chore`, of
which each batch does a part. Whoever told of what is forgotten is asked to tell what is newer again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

import msgspec

from pipeline.domain.messages import is_erased
from pipeline.identify.entries import BELOW, KINDS, MORE, SESSIONS, session_of
from pipeline.identify.known import Known
from pipeline.identify.records import Edge

PAGE = 256  # keys read at once
EVERYTHING = ""  # for Unsaid: all weaker identifiers


class Chore(msgspec.Struct, array_like=True):
    """What is to be taken away from around one identifier, and how far that is."""

    lives: list[int]  # of trusted and public evidence: what is from an earlier one
    kinds: list[bool]  # False: trusted, True: public
    spoken: int  # ms: what is from then on is to be told again
    erased: bool = False  # the identifier was
    place: str = MORE[0]  # which of its edges and sessions are next: a kind of `entries`
    after: str = ""  # the last name that was looked at there


decode_chore = msgspec.msgpack.Decoder(Chore).decode


def cut(known: Known, strong: str, weak: str, instead: str = "", kinds: Collection[bool] = KINDS) -> None:
    """Take all evidence of these kinds between two away, or let another name stand for the stronger one."""
    for public in kinds:
        edge = known.edge(strong, weak, public)
        if edge is None:
            continue
        lives = known.lives(strong, weak, public, edge)
        known.take_edge(strong, weak, public)
        known.mark(strong, weak, public, holds=False)
        _uncount(known, strong, weak, public, edge)
        _cut_sessions(known, strong, weak, public, instead)
        if instead and lives:
            _put_nameless(known, instead, weak, edge.at)
    known.pending.add(weak)


def clear(known: Known, weak: str, public: bool) -> list[str]:
    """Take all evidence of a kind from above an identifier away. Returns from whom it was."""
    stronger = [*known.entry(weak).side(public).above, *(strong for strong, _ in known.more(weak, public))]
    for strong in stronger:
        edge = known.edge(strong, weak, public)
        if edge is not None:
            known.take_edge(strong, weak, public)
            if not is_erased(strong):
                known.mark(strong, weak, public, holds=False)
            _uncount(known, strong, weak, public, edge)
    known.unhear_all(weak, public)
    return stronger


def _put_nameless(known: Known, nameless: str, weak: str, at: int) -> None:
    """What somebody showed who was erased counts as from a trusted source: nobody may take its place."""
    other = known.edge(nameless, weak, False)
    if other is None:
        known.count(weak, False, links=1)
    edge = Edge(at if other is None else min(at, other.at), weak_life=known.life(weak, False))
    known.put_edge(nameless, weak, False, edge, other is None)


def _uncount(known: Known, strong: str, weak: str, public: bool, edge: Edge) -> None:
    if edge.weak_life == known.life(weak, public):
        known.count(weak, public, links=-1)
    if not is_erased(strong) and edge.strong_life == known.life(strong, public):
        known.count(strong, public, reach=-1)


def _cut_sessions(known: Known, strong: str, weak: str, public: bool, instead: str) -> None:
    for session_id in _sessions_of(known, strong, weak, public):
        said = known.unhear(strong, weak, session_id, public)
        if instead and said is not None and known.lives(strong, weak, public, said):
            other = known.said(instead, weak, session_id, False)
            at = said.at if other is None else min(said.at, other.at)
            known.hear(instead, weak, session_id, False, Edge(at, weak_life=known.life(weak, False)))
    known.entry(weak).sessions = [None, None]


def _sessions_of(known: Known, strong: str, weak: str, public: bool) -> list[str]:
    """The sessions of a weaker identifier in which a stronger one showed itself."""
    return [session_of(name) for name, heard in known.sessions(weak, public) if strong in heard]


def renew(known: Known, identifier: str, since: int, public_only: bool, order: int) -> Chore:
    """Let nothing count that is known of an identifier from before a time: all, or only what public keys said."""
    record = known.change(identifier)
    sides = [known.entry(identifier).side(True)] if public_only else [record, known.entry(identifier).side(True)]
    held = record.assignment is not None and (record.assignment.owners or record.assignment.ambiguous)
    if not record.joined and not held and (_has_above(known, identifier) or record.past):
        record.past = True
    for side in sides:
        side.links = side.reach = side.sessions = 0
        side.since = max(side.since, since)
        side.life += 1
    known.counters.renewals += 1
    known.forget_sessions()
    known.pending.add(identifier)
    known.unsay(identifier, EVERYTHING, since, order)
    return Chore(lives_of(known, identifier), [True] if public_only else list(KINDS), since)


def lives_of(known: Known, identifier: str) -> list[int]:
    """Its lives, as a chore is told."""
    return [known.life(identifier, public) for public in KINDS]


def _has_above(known: Known, identifier: str) -> bool:
    return any(known.entry(identifier).side(public).links for public in KINDS)


#: The places where a chore looks, in their order: edges from above, sessions, edges to weaker ones.
PLACES = (*MORE, *SESSIONS, *BELOW)


class Doing:
    """One chore, some steps further."""

    def __init__(self, known: Known, identifier: str, chore: Chore) -> None:
        self._known = known
        self._identifier = identifier
        self._chore = chore

    def steps(self) -> Iterator[int]:
        """Do it, yielding how much each step cost (keys looked at). It can be left after any step."""
        chore = self._chore
        while chore.place:
            place = chore.place
            for places, look in ((MORE, self._edges), (SESSIONS, self._sessions), (BELOW, self._below)):
                if place in places and (public := place == places[True]) in chore.kinds:
                    yield from look(public)
            chore.place = (*PLACES, "")[PLACES.index(place) + 1]
            chore.after = ""
        if chore.erased:
            self._known.outlive(self._identifier)

    def _edges(self, public: bool) -> Iterator[int]:
        """Edges from above."""
        known, me, chore = self._known, self._identifier, self._chore
        if not chore.after:
            # All of these few at once: whoever goes on later has to know that they are done.
            for strong in list(known.entry(me).side(public).above):
                self._take(strong, me, public)
        while page := list(islice(known.more(me, public, chore.after), PAGE)):
            for strong, _ in page:
                chore.after = strong
                self._take(strong, me, public)
                yield 1

    def _take(self, strong: str, weak: str, public: bool) -> None:
        """Take an edge away if it is from an earlier life."""
        known = self._known
        edge = known.edge(strong, weak, public)
        if edge is None:
            return
        life = edge.weak_life if weak == self._identifier else edge.strong_life
        if life >= self._chore.lives[public]:
            return
        known.take_edge(strong, weak, public)
        if not is_erased(strong):
            known.mark(strong, weak, public, holds=False)
            if weak == self._identifier:
                known.unsay(strong, weak, self._chore.spoken)
        _uncount(known, strong, weak, public, edge)

    def _sessions(self, public: bool) -> Iterator[int]:
        """What came in sessions."""
        known, me, chore = self._known, self._identifier, self._chore
        while page := list(islice(known.sessions(me, public, chore.after), PAGE)):
            for name, heard in page:
                chore.after = name
                for strong, edge in heard.items():
                    if edge.weak_life < chore.lives[public]:
                        known.unhear(strong, me, session_of(name), public)
                yield 1
        known.entry(me).sessions = [None, None]

    def _clean_below(self, weak: str, public: bool) -> int:
        """Take an edge to a weaker one away, and what it left in sessions there. How many keys were looked at."""
        known, me = self._known, self._identifier
        looked = 0
        for name, heard in list(known.sessions(weak, public)):
            looked += 1
            said = heard.get(me)
            if said is not None and said.strong_life < self._chore.lives[public]:
                known.unhear(me, weak, session_of(name), public)
        self._take(me, weak, public)
        known.entry(weak).sessions[public] = None
        return looked

    def _below(self, public: bool) -> Iterator[int]:
        """Edges to weaker ones."""
        known, me, chore = self._known, self._identifier, self._chore
        while page := list(islice(known.weaker(me, public, chore.after), PAGE)):
            for weak in page:
                chore.after = weak
                yield 1 + self._clean_below(weak, public)
