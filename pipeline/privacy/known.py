"""What the changelog of `identify` still holds of somebody who was erased: decoded as `identify` itself decodes it.

An edge that is from before is one whose evidence is: the erasure has cut them all, so no older one is left.
Marks that say only that there is an edge (`d`, `p`) are judged by it. An order is from before where its number is.
What a batch of identify could not finish names somebody until it has: it is looked for again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from pipeline.domain.messages import UNASSIGNED, Evidence, decode_said
from pipeline.identify import orders, recall
from pipeline.identify.entries import BELOW, MORE, SESSIONS
from pipeline.identify.orders import Ordered
from pipeline.identify.records import Edge, decode_edge, decode_record, decode_session
from pipeline.privacy.remains import Judge, Unread, names
from pipeline.privacy.scope import Scope
from pipeline.topics import IDENTIFY_CHANGELOG, IDENTITY_ORDERS

_NAMELESS = frozenset((b"z", b"n", b"q", b"f", b"g", b"c"))  # seals, counters, order ids, who shared with the erased
_EDGES = frozenset(each.encode() for each in MORE)
_SESSIONS = frozenset(each.encode() for each in SESSIONS)
_MARKS = frozenset(each.encode() for each in BELOW)
_UNFINISHED = frozenset((b"w", b"v", b"j"))
_decode_order = msgspec.msgpack.Decoder(Ordered).decode


class Known(Judge):
    """The changelog of `identify`."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            IDENTIFY_CHANGELOG.name, "each record of every identifier and order decoded, the newest of each key"
        )
        self._scope = scope
        self._own = (b"o" + scope.request.encode(), b"e" + scope.request.encode())
        self._after: dict[bytes, frozenset[tuple[str, str]]] = {}  # key → (strong, weak) with evidence from afterwards
        self._marks: dict[bytes, tuple[str, str]] = {}  # strong, weak
        self._depends: dict[bytes, str] = {}  # identifier's key → the newer orders about it

    def see(self, partition: int, key: bytes, value: bytes | None, timestamp: int) -> None:
        """See Judge."""
        self._after.pop(key, None)
        if value is None:
            self._marks.pop(key, None)
        super().see(partition, key, value, timestamp)

    def found(self, key: bytes, value: bytes, timestamp: int) -> str:
        """See Judge. The request's own two records are forgotten as its proof is kept, which is the last step."""
        kind = key[:1]
        if kind in _NAMELESS or key in self._own:
            return ""
        try:
            rest = key[1:].decode()
            if kind == b"i":
                return self._identifier(key, rest, value)
            if kind in _EDGES:
                weak, _, strong = rest.partition("\0")
                return self._edges(key, weak, [(strong, decode_edge(value))])
            if kind in _SESSIONS:
                return self._session(rest.partition("\0")[0], value)
            if kind in _MARKS or kind == b"k":
                return self._mark(key, rest)
            if kind in _UNFINISHED:
                return "waiting" if rest.partition("\0")[0] in self._scope.whole else ""
            if kind == b"r":
                return self._waiting(value)
            if kind == b"o":
                return self._order(value)
            if kind == b"a":
                return ""  # that somebody stands alone: judged by the identifier's own record
            if kind == b"e":
                return ""  # the scope of another erasure, until it is proven
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unread(type(error).__name__) from error
        raise Unread("a kind of record that is not known here")

    def _identifier(self, key: bytes, identifier: str, value: bytes) -> str:
        record, scope = decode_record(value), self._scope
        mine = identifier in scope.whole
        assignment = record.assignment or UNASSIGNED
        public = record.of_kind(True).above
        edges = self._edges(key, identifier, [*record.above.items(), *public.items()])
        if assignment.version < scope.version and record.assignment is not None and (mine or names(assignment, scope)):
            return "assignment"
        return edges

    def _edges(self, key: bytes, weak: str, above: Sequence[tuple[str, Edge]]) -> str:
        """Edges from above: the older are found, the newer are noted."""
        scope = self._scope
        mine = weak in scope.whole
        theirs = [(strong, edge) for strong, edge in above if mine or strong in scope.whole]
        if theirs:
            self._after[key] = frozenset((strong, weak) for strong, edge in theirs if edge.at >= scope.before)
        return "edge" if any(edge.at < scope.before for _, edge in theirs) else ""

    def _waiting(self, value: bytes) -> str:
        """A record of the log that waits. One that is from before is not learnt, and gone then."""
        said = decode_said(value)
        if not isinstance(said, Evidence) or self._scope.whole.isdisjoint((said.strong, said.weak)):
            return ""
        since = min(said.since or said.occurred_at, said.occurred_at)
        return "waiting" if since < self._scope.before else ""

    def _session(self, weak: str, value: bytes) -> str:
        scope, mine = self._scope, weak in self._scope.whole
        heard = decode_session(value).items()
        return "session" if any((mine or who in scope.whole) and edge.at < scope.before for who, edge in heard) else ""

    def _mark(self, key: bytes, rest: str) -> str:
        one, _, other = rest.partition("\0")
        if key[:1] in _MARKS and not self._scope.whole.isdisjoint((one, other)):
            self._marks[key] = one, other
        return ""

    def _order(self, value: bytes) -> str:
        ordered = _decode_order(value)
        if ordered.number >= self._scope.number:
            return ""
        return "order" if orders.names(ordered, self._scope.whole) else ""

    def remaining(self) -> dict[str, int]:
        """See Judge."""
        after = frozenset[tuple[str, str]]().union(*self._after.values())
        alone = sum(mark not in after for mark in self._marks.values())
        found = Counter(super().remaining()) + Counter({"edge": alone})
        return dict(sorted(found.items()))


class Recalled(Judge):
    """What outlives even the state: orders that hold, and the seals of the erased, which name nobody."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(IDENTITY_ORDERS.name, "each order decoded, the newest of each")
        self._scope = scope

    def found(self, key: bytes, value: bytes, timestamp: int) -> str:
        """See Judge."""
        try:
            recalled = recall.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unread(type(error).__name__) from error
        said = {text for text in recalled.said.values() if isinstance(text, str)}
        from_before = recalled.number < self._scope.number
        return "order" if from_before and not self._scope.whole.isdisjoint(said) else ""
