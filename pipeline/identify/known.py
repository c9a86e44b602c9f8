"""What `identify` remembers: evidence, orders and assignments, as keyed bytes of its one partition.

| key | value |
| --- | --- |
| `i` `u` `b` `s` `t` `d` `p` | evidence, and the newest assignment of each identifier: see `entries` |
| `k` identifier NUL other | `1`: by an order the other depends on it |
| `a` identifier | `1`: it stands alone, or what public keys said of it does not count, because of a cap |
| `z` seal | `Erasure` of the identifier with that seal |
| `n` | `Counters` |

the orders themselves (`orders`), erasures that are not proven (`erasing`), and what one batch could not finish
(`waiting`). Sessions have keys of their own, because a customer may log in on the same device for years; they are read
only where an identifier has several stronger ones, since nobody asks for them before.

What one piece of evidence costs does not grow with what is known: edges beyond a few have keys of their own, sessions
beyond the widest cap are only counted (their identifier then stands alone where it is shared, until somebody has them
forgotten), and an identifier that has too many owners is not looked at again because of one more.

Records stay decoded in a bounded cache between batches. What a batch changes is written once, by `write`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.identity import NO_LINKS, Facts, Link, Outcome
from pipeline.domain.messages import UNASSIGNED, Assignment, Evidence, Unsaid, is_erased
from pipeline.domain.state import State
from pipeline.identify.entries import BELOW, MARK, Entries, encode, session_key
from pipeline.identify.records import Cache, Edge, Entry, Erasure, Record, Tally, blank, decode_erasure


class Known(Entries):
    """Evidence, orders and assignments as one batch sees them. A `Graph` for `Spread`."""

    def __init__(self, state: State, cache: Cache, seal: Callable[[str], bytes], caps: Caps = CAPS) -> None:
        super().__init__(state, cache, caps)
        self.unsaid: dict[tuple[str, str], Unsaid] = {}  # by (strong, weak): what to tell again
        self._seal = seal

    # Evidence.

    def learn(self, evidence: Evidence) -> None:
        """Remember evidence, unless it is from before its identifiers were erased, or what was said was forgotten."""
        strong, weak, at, public = evidence.strong, evidence.weak, evidence.occurred_at, evidence.public
        if is_erased(strong) and not self.counters.anew:
            return
        if self.counters.erasures and (outlived := self._outlived(evidence)) is not None:
            identifier, erasure = outlived
            if identifier == weak and not is_erased(strong):
                self.unsay(strong, weak, erasure.spoken)
            return
        renewed = bool(self.counters.renewals)
        if renewed and at < (since := max(self.since(strong, public), self.since(weak, public))):
            if not is_erased(strong):
                self.unsay(strong, weak, since)
            return
        entry = self.entry(weak)
        side = entry.side(public)
        edge = side.above.get(strong)
        if edge is None and side.more:
            edge = self.edge(strong, weak, public)
        counted = edge
        if edge is None:
            self._connect(strong, weak, public)
        elif renewed and not self.lives(strong, weak, public, edge):
            self._revive(strong, weak, public, edge)
            counted = None
        if counted is None or at < counted.at or (at == counted.at and _name(evidence) < _name(counted)):
            self.put_edge(strong, weak, public, self._edge_of(evidence, evidence.session_id), edge is None)
            if counted is None or at < counted.at:
                self._unsettle(entry, weak, public)
        if evidence.session_id and self._new_session(entry, evidence) and _has_several(entry.record):
            # With one stronger identifier there is one owner at most, and no session is asked about.
            self._unsettle(entry, weak, public)

    def _revive(self, strong: str, weak: str, public: bool, edge: Edge) -> None:
        """What was forgotten is said again: it is counted at the end where it was not any more."""
        if edge.weak_life != self.life(weak, public):
            self.count(weak, public, links=1)
        if edge.strong_life != self.life(strong, public):
            self.count(strong, public, reach=1)

    def unsay(self, strong: str, weak: str, since: int, order: int = 0) -> None:
        """What was told of a weaker identifier ('': of all) from a time on (ms) is to be told again."""
        self.unsaid[strong, weak] = Unsaid(strong, weak, since, order)

    def _edge_of(self, evidence: Evidence, session_id: str = "") -> Edge:
        edge = Edge(evidence.occurred_at, evidence.source, evidence.event_id, session_id)
        if self.counters.renewals:
            edge.strong_life = self.life(evidence.strong, evidence.public)
            edge.weak_life = self.life(evidence.weak, evidence.public)
        return edge

    def _unsettle(self, entry: Entry, weak: str, public: bool) -> None:
        """Its assignment may change. Not where it has too many owners: more evidence gives it more."""
        record = entry.record
        if record.alone != "owners" and not (public and record.muted == "owners"):
            self.pending.add(weak)

    def _outlived(self, evidence: Evidence) -> tuple[str, Erasure] | None:
        """Which of its two was erased after the event, or is blocked, and the erasure."""
        since = min(evidence.since or evidence.occurred_at, evidence.occurred_at)
        for identifier in (evidence.strong, evidence.weak):
            erasure = self.erasure(identifier)
            if erasure is not None and (erasure.blocked or since < erasure.before):
                return identifier, erasure
        return None

    def _connect(self, strong: str, weak: str, public: bool) -> None:
        """Count a new edge."""
        self.count(weak, public, links=1)
        if not is_erased(strong):  # a nameless owner, told again: nothing else is known of it
            self.mark(strong, weak, public, holds=True)
            self.count(strong, public, reach=1)

    def _new_session(self, entry: Entry, evidence: Evidence) -> bool:
        weak, strong, public, session_id = evidence.weak, evidence.strong, evidence.public, evidence.session_id
        side = entry.side(public)
        if side.sessions > self.caps.freed_sessions:
            return False
        known = entry.sessions[public]
        if known is not None and session_id in known.get(strong, ()):
            return False
        key = session_key(weak, session_id, public)
        if self.state.get(key) is None:
            self.state.put(key, encode({strong: self._edge_of(evidence)}))
            side.sessions += 1
            self.changed(weak)
        else:
            said = self.said(strong, weak, session_id, public)
            if said is not None and self.lives(strong, weak, public, said):
                return False
            self.hear(strong, weak, session_id, public, self._edge_of(evidence))
        if known is not None:
            known.setdefault(strong, set()).add(session_id)
        return True

    # A graph.

    def facts(self, identifier: str) -> Facts:
        """See `identity.Graph`."""
        record = self.entry(identifier).record
        public = record.public
        over = self.over(identifier, False)
        muted = self.over(identifier, True) if public is not None else ""
        if record.joined or over:
            return Facts(NO_LINKS, record.joined, record.parted, over=over, muted=muted)
        above = self.edges(identifier, False)
        heard = self.edges(identifier, True) if public is not None and not muted else {}
        several = len(above) + len(heard) > 1 or record.past
        return Facts(
            self._links(identifier, above, False, several),
            "",
            record.parted,
            record.sessions,
            over,
            bool(record.freed),
            self._links(identifier, heard, True, several) if heard else NO_LINKS,
            public.sessions if public is not None else 0,
            muted,
            identifier if record.past else "",
        )

    def _links(self, weak: str, edges: Mapping[str, Edge], public: bool, several: bool) -> Mapping[str, Link]:
        if not several:
            return {strong: (edge.at, ()) for strong, edge in edges.items()}
        sessions = self.sessions_by_strong(weak, public)
        return {strong: (edge.at, sessions.get(strong, ())) for strong, edge in edges.items()}

    def joined(self, identifier: str) -> str:
        """See `identity.Graph`."""
        return "" if is_erased(identifier) else self.entry(identifier).record.joined

    def below(self, identifier: str, after: str, limit: int, by_orders: bool) -> tuple[Sequence[str], str]:
        """See `identity.Graph`; `after` is a kind of key, NUL and a name."""
        kind, _, last = after.partition("\0")
        kinds = ("k",) if by_orders else ("k", *BELOW)
        found: list[str] = []
        for each in kinds[kinds.index(kind) if kind else 0 :]:
            for name in self._below(identifier, each, last):
                if len(found) == limit:
                    return found, f"{each}\0{last}"
                found.append(name)
                last = name
            last = ""
        return found, ""

    def _below(self, identifier: str, kind: str, after: str) -> Iterator[str]:
        if kind == "k":
            return self.dependents(identifier, after) if self.counters.orders else iter(())
        public = kind == BELOW[1]
        # Where none counts, there may be many all the same, which are still to be taken away.
        counts = self.entry(identifier).record.of_kind(public).reach
        return self.weaker(identifier, public, after) if counts else iter(())

    def outcome(self, identifier: str) -> Outcome:
        """See `identity.Graph`."""
        if is_erased(identifier):
            return Outcome(UNASSIGNED)
        record = self.entry(identifier).record
        return Outcome(record.assignment or UNASSIGNED, record.alone, record.muted)

    def accept(self, identifier: str, assignment: Assignment) -> Assignment:
        """Take over a new assignment; returns it with its version."""
        numbered = msgspec.structs.replace(assignment, version=self.next_version())
        self.change(identifier).assignment = numbered
        return numbered

    def next_version(self) -> int:
        """A version that is higher than all before."""
        self.counters.version += 1
        return self.counters.version

    def set_alone(self, identifier: str, outcome: Outcome, at: int, told: str) -> None:
        """Note why an identifier stands alone, or is not heard through public keys, or neither; and what was told."""
        record = self.change(identifier)
        record.alone, record.muted, record.told = outcome.alone, outcome.muted, told
        why = outcome.alone or outcome.muted
        record.alone_at = at if why else 0
        self.state.put(f"a{identifier}".encode(), MARK if why else None)

    # Orders and erasures.

    def record(self, identifier: str) -> Record:
        """What is known about an identifier, to be read."""
        return self.entry(identifier).record

    def change(self, identifier: str) -> Record:
        """The same, to be changed."""
        self.changed(identifier)
        return self.entry(identifier).record

    def depends(self, identifier: str, on: str, holds: bool) -> None:
        """By an order an identifier's assignment depends on another's, or no longer does."""
        self.state.put(f"k{on}\0{identifier}".encode(), MARK if holds else None)

    def forget(self, identifier: str, is_bare: bool = True) -> None:
        """Forget an identifier. Not `is_bare`: it still has edges, which do not count from here on."""
        entry = self.entry(identifier)
        before, entry.record = entry.record, blank()
        if not is_bare:
            public = before.public or Tally()
            entry.record.above, entry.record.more, entry.record.life = before.above, before.more, before.life + 1
            entry.record.public = Tally(public.above, more=public.more, life=public.life + 1)
            self.counters.renewals += 1
            self.forget_sessions()
        self.changed(identifier)
        self.state.put(f"a{identifier}".encode(), None)
        self.pending.discard(identifier)

    def outlive(self, identifier: str) -> None:
        """All of an erased identifier is taken away: it is known by its seal alone, unless there is something newer."""
        entry = self.entry(identifier)
        record, public = entry.record, entry.side(True)
        counts = (record.links, record.reach, record.sessions, public.links, public.reach, public.sessions)
        if not (any(counts) or record.joined or record.parted or record.freed):
            entry.record = blank()
            self.changed(identifier)

    def seal(self, identifier: str) -> bytes:
        """What an identifier is known by once it must not be known."""
        return self._seal(identifier)

    def erasure(self, identifier: str) -> Erasure | None:
        """What is known of it where it was erased."""
        return self.erasure_of(self._seal(identifier))

    def erasure_of(self, seal: bytes) -> Erasure | None:
        """The same by its seal."""
        data = self.state.get(b"z" + seal)
        return decode_erasure(data) if data is not None else None

    def erased_before(self, seal: bytes) -> int:
        """Up to when the identifier with that seal was erased, in ms; 0: never."""
        erasure = self.erasure_of(seal)
        return erasure.before if erasure is not None else 0

    def set_erasure(self, seal: bytes, erasure: Erasure) -> None:
        """Note that an identifier was erased, or (also) something newer about that."""
        key = b"z" + seal
        if self.state.get(key) is None:
            self.counters.erasures += 1
        self.state.put(key, encode(erasure))


def _name(said: Evidence | Edge) -> tuple[str, str]:
    return said.source, said.event_id


def _has_several(record: Record) -> bool:
    """Whether evidence leads to it from several stronger identifiers, or in both ways from one, or did so before."""
    public = record.of_kind(True)
    return len(record.above) + record.more + record.past + len(public.above) + public.more > 1
