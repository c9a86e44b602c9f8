"""What the changelog of `identify` still holds of somebody who was erased: decoded as `identify` itself decodes it.

An edge that is from before is one whose evidence is: the erasure has cut them all, so no older one is left.
Marks that say only that there is an edge (`d`) are judged by the edge. An order is from before where its number is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from pipeline.domain.messages import UNASSIGNED
from pipeline.identify import recall
from pipeline.identify.orders import Ordered
from pipeline.identify.records import Edge, decode_record, decode_session
from pipeline.privacy.remains import Judge, Unread, names
from pipeline.privacy.scope import Scope
from pipeline.topics import IDENTIFY_CHANGELOG, IDENTITY_ORDERS

_NAMELESS = frozenset((b"z", b"n", b"q"))  # seals, counters, order ids
_decode_order = msgspec.msgpack.Decoder(Ordered).decode


class Known(Judge):
    """The changelog of `identify`."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            IDENTIFY_CHANGELOG.name, "each record of every identifier and order decoded, the newest of each key"
        )
        self._scope = scope
        self._own = (b"o" + scope.request.encode(), b"e" + scope.request.encode())
        self._after: dict[bytes, frozenset[str]] = {}  # identifier's key → stronger ones with evidence from afterwards
        self._marks: dict[bytes, tuple[str, str]] = {}  # strong, weak
        self._depends: dict[bytes, str] = {}  # identifier's key → the newer orders about it

    def see(self, partition: int, key: bytes, value: bytes | None, timestamp: int) -> None:
        """See Judge."""
        if value is None:
            self._after.pop(key, None)
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
            if kind == b"s":
                return self._session(rest.partition("\0")[0], value)
            if kind in (b"d", b"k"):
                return self._mark(key, rest)
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
        after = {strong for strong, edge in record.above.items() if edge.at >= scope.before}
        if mine or not scope.whole.isdisjoint(record.above):
            self._after[key] = frozenset(after)
        if assignment.version < scope.version and record.assignment is not None and (mine or names(assignment, scope)):
            return "assignment"
        return "edge" if self._old_edge(record.above, mine) else ""

    def _old_edge(self, above: Mapping[str, Edge], mine: bool) -> bool:
        whole, before = self._scope.whole, self._scope.before
        return any((mine or strong in whole) and edge.at < before for strong, edge in above.items())

    def _session(self, weak: str, value: bytes) -> str:
        heard = decode_session(value)
        return "session" if self._old_edge(heard, weak in self._scope.whole) else ""

    def _mark(self, key: bytes, rest: str) -> str:
        one, _, other = rest.partition("\0")
        if key[:1] == b"d" and not self._scope.whole.isdisjoint((one, other)):
            self._marks[key] = one, other
        return ""

    def _order(self, value: bytes) -> str:
        ordered = _decode_order(value)
        if ordered.number >= self._scope.number:
            return ""
        said = {text for text in ordered.said.values() if isinstance(text, str)}
        changed = {each.identifier for each in ordered.changed}.union(*(each.tell for each in ordered.changed))
        return "" if self._scope.whole.isdisjoint(said | changed) else "order"

    def remaining(self) -> dict[str, int]:
        """See Judge."""
        alone = sum(strong not in self._after.get(b"i" + weak.encode(), ()) for strong, weak in self._marks.values())
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
