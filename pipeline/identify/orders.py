"""What people ordered: accepted or refused, one after the other, and kept with what came of it.

| key | value |
| --- | --- |
| `o` order_id | `Ordered` |
| `q` number, 8 bytes | order_id: the orders in their order |

An order is never overruled by a later one: what contradicts one that holds is refused, and says which one has to be
withdrawn first. So there are no rings of joins, and nobody can be both joined to and parted from the same person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

import msgspec

from pipeline.domain.identity import person
from pipeline.domain.messages import is_erased
from pipeline.domain.orders import Erase, Finish, Free, Join, Order, Part, Unblock, Withdraw
from pipeline.domain.state import State
from pipeline.identify.forgetting import Chore, renew
from pipeline.identify.known import Known
from pipeline.identify.records import Erasure

CHAIN_MAX = 32  # joins one after the other
CHANGES_MAX = 2_000  # kept with an order: the first half of them, and the last
CHANGES_BYTES_MAX = 256 * 1024  # of all their names
RENEWALS_MAX = 100
FORGOTTEN = "somebody it named was erased"
KINDS = {Join: "join", Part: "part", Free: "free", Withdraw: "withdraw", Erase: "erase", Unblock: "unblock"}

_encode = msgspec.msgpack.Encoder().encode


class Getting(Protocol):
    """Keyed bytes."""

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        ...


class Refused(Exception):
    """An order that cannot be accepted; its text says why, and what to do."""


class Changed(msgspec.Struct, array_like=True):
    """An assignment that an order changed."""

    identifier: str
    version: int
    tell: list[str]  # profiles that hear of it: its own, and those of the persons before and after


class Ordered(msgspec.Struct):
    """An order, and what came of it."""

    order_id: str
    number: int
    kind: str
    state: str  # 'accepted', 'refused', 'withdrawn', 'finished' (an erasure that is proven)
    reason: str = ""  # why it was refused or withdrawn
    said: dict[str, Any] = {}
    changed: list[Changed] = []
    changed_n: int = 0
    changed_bytes: int = 0  # of the names in `changed`
    proof: bytes = b"null"  # JSON, of an erasure
    spreading: bool = False  # its effect is not complete yet
    renewed: str = ""  # of a freeing: what it had forgotten, 'all' or what came with 'public' keys
    past: bool = False  # and that there were owners that were forgotten


_decode = msgspec.msgpack.Decoder(Ordered).decode


def note(ordered: Ordered, identifier: str, version: int, tell: list[str]) -> None:
    """Note a change with the order that made it; beyond the bounds only how many there were."""
    changed = ordered.changed
    ordered.changed_n += 1
    changed.append(Changed(identifier, version, tell))
    ordered.changed_bytes += _size(changed[-1])
    while len(changed) > CHANGES_MAX or ordered.changed_bytes > CHANGES_BYTES_MAX:
        ordered.changed_bytes -= _size(changed.pop(len(changed) // 2))


def _size(changed: Changed) -> int:
    return 16 + len(changed.identifier.encode()) + sum(2 + len(each.encode()) for each in changed.tell)


def find(state: Getting, order_id: str) -> Ordered | None:
    """An order by its id."""
    data = state.get(b"o" + order_id.encode())
    return _decode(data) if data is not None else None


def keep(state: State, ordered: Ordered) -> None:
    """Write an order."""
    state.put(b"o" + ordered.order_id.encode(), _encode(ordered))
    state.put(_place(ordered.number), ordered.order_id.encode())


def names(ordered: Ordered, whole: AbstractSet[str]) -> bool:
    """Whether an order names one of these: in what it said, whom it changed, or why it does not hold."""
    if any(text in whole for text in ordered.said.values() if isinstance(text, str)):
        return True
    if any(_tells(each, whole) for each in ordered.changed):
        return True
    # A sentence with a name that begins with one of these is taken for theirs: only words are lost.
    return bool(ordered.reason) and any(each in ordered.reason for each in whole)


def _tells(changed: Changed, whole: AbstractSet[str]) -> bool:
    return changed.identifier in whole or any(each in whole for each in changed.tell)


def unname(state: State, number: int, whole: AbstractSet[str]) -> None:
    """Let the order with a number name none of these, who were erased.

    One that holds says no more than whom it changed; erasures forget what they said when they are proven.
    """
    order_id = state.get(_place(number))
    ordered = find(state, order_id.decode()) if order_id is not None else None
    if ordered is None or not names(ordered, whole):
        return
    ordered.changed = [each for each in ordered.changed if not _tells(each, whole)]
    ordered.changed_bytes = sum(map(_size, ordered.changed))
    holds = ordered.state == "accepted" and ordered.kind in ("join", "part", "free", "erase")
    if not holds and names(ordered, whole):
        ordered.said, ordered.reason = {}, FORGOTTEN
    keep(state, ordered)


def count(state: Getting) -> int:
    """How many orders there ever were."""
    return _last(state)


def newest(state: Getting, before: int | None, limit: int) -> Iterator[Ordered]:
    """At most `limit` orders with a number under `before` (None: all), newest first."""
    number = before - 1 if before is not None else _last(state)
    while number > 0 and limit > 0:
        order_id = state.get(_place(number))
        if order_id is not None and (ordered := find(state, order_id.decode())) is not None:
            yield ordered
            limit -= 1
        number -= 1


def _last(state: Getting) -> int:
    data = state.get(b"n")
    return int(msgspec.msgpack.decode(data)[1]) if data is not None else 0


def _place(number: int) -> bytes:
    return b"q" + number.to_bytes(8)


class Book:
    """The orders as one batch sees them; applies to `known` what it accepts."""

    def __init__(self, known: Known, order: Mapping[str, int]) -> None:
        """`order`: namespace → rank."""
        self._known = known
        self._order = order
        self.chores: dict[str, Chore] = {}  # identifier NUL order_id → what is to be taken away from around it

    def enter(self, order: Order) -> Ordered | None:
        """Give an order its number and its place; None for one that is known already."""
        if isinstance(order, Finish) or find(self._known.state, order.order_id) is not None:
            return None
        self._known.counters.orders += 1
        said = msgspec.structs.asdict(order)
        del said["order_id"]
        return Ordered(order.order_id, self._known.counters.orders, KINDS[type(order)], "accepted", said=said)

    def apply(self, order: Order, ordered: Ordered) -> None:
        """Let an order hold. Raises Refused, and has changed nothing then. Not for erasures: see `erasing`."""
        if isinstance(order, Join):
            self._join(order)
        elif isinstance(order, Part):
            self._part(order)
        elif isinstance(order, Free):
            self._free(order, ordered)
        elif isinstance(order, Withdraw):
            self._withdraw(order)
        elif isinstance(order, Unblock):
            self._unblock(order, ordered.number)

    def keep(self, ordered: Ordered) -> None:
        """Write an order, with what came of it."""
        keep(self._known.state, ordered)

    def end(self, order_id: str, why: str, forget: bool = False) -> Ordered | None:
        """An order no longer holds; `forget`: nor may it be known what it said. Returns it, where it held."""
        ordered = find(self._known.state, order_id)
        if ordered is None or ordered.state != "accepted":
            return None
        self._undo(ordered)
        ordered.state, ordered.reason = "withdrawn", why
        if forget:
            ordered.said, ordered.changed = {}, []
        self.keep(ordered)
        return ordered

    def rank(self, identifier: str) -> int:
        """The rank of an identifier. Raises Refused where it can have none."""
        rank = self._order.get(identifier.partition(":")[0])
        if rank is None or is_erased(identifier) or "\0" in identifier or not identifier.partition(":")[2]:
            raise Refused(f"{identifier!r} is no identifier: one looks like customer:4711.")
        return rank

    def owner(self, identifier: str) -> str | None:
        """The person that an identifier resolves to; None where it is ambiguous."""
        return person(identifier, self._known.outcome(identifier).assignment)

    # What people order.

    def _join(self, order: Join) -> None:
        known, start, into = self._known, order.from_id, order.into_id
        if self.rank(into) > self.rank(start):
            raise Refused(f"{into} is of a weaker kind than {start}: join the weaker one into the stronger.")
        if start == into:
            raise Refused(f"{start} is itself already.")
        record = known.record(start)
        if record.joined:
            raise Refused(f"{start} is joined into {record.joined} already: withdraw order {record.joined_by} first.")
        chain = self._chain(into)
        if start in chain:
            raise Refused(
                f"{into} is joined into {start} already, directly or by way of others: "
                f"withdraw order {known.record(into).joined_by} first."
            )
        self._receives(into)
        targets = {*chain, self.owner(into)} - {None}
        length = 0
        for joining, depth in self._joining(start):
            length = max(length, depth)
            for parted, order_id in known.record(joining).parted.items():
                if parted in targets or self.owner(parted) in targets:
                    raise Refused(f"{joining} was parted from {parted}: withdraw order {order_id} first.")
        if len(chain) + length > CHAIN_MAX:
            raise Refused(f"More than {CHAIN_MAX} joins one after the other: join into the last one directly.")
        record = known.change(start)
        record.joined, record.joined_by = into, order.order_id
        known.depends(start, into, holds=True)
        known.pending.add(start)

    def _receives(self, into: str) -> None:
        """Raises Refused where what is joined into it would be lost."""
        erasure = self._known.erasure(into)
        if erasure is not None and erasure.blocked:
            raise Refused(f"{into} is blocked, nothing can be theirs: unblock it first.")
        owner = self.owner(into)
        if owner is not None and is_erased(owner):
            raise Refused(f"{into} was only ever somebody's whose data was erased: nothing can be joined into it.")

    def _chain(self, identifier: str) -> list[str]:
        """Itself, what it is joined into, what that is joined into, …"""
        chain = [identifier]
        while into := self._known.record(chain[-1]).joined:
            chain.append(into)
        return chain

    def _joining(self, identifier: str) -> Iterator[tuple[str, int]]:
        """Itself and all that are joined into it, directly or by way of others, with how many joins that takes."""
        waiting = [(identifier, 0)]
        while waiting:
            each, depth = waiting.pop()
            yield each, depth
            joined = (o for o in self._known.dependents(each) if self._known.record(o).joined == each)
            waiting += ((other, depth + 1) for other in joined)

    def _part(self, order: Part) -> None:
        known, identifier, owner = self._known, order.identifier, order.person
        if self.rank(owner) >= self.rank(identifier):
            raise Refused(
                f"{owner} is not of a stronger kind than {identifier}: no evidence joins them. "
                "What an order has joined is parted by withdrawing that order."
            )
        resolved = self.owner(owner)
        if resolved is None:
            raise Refused(f"{owner} is ambiguous: name the person.")
        if resolved != owner:
            raise Refused(f"{owner} is {resolved}: name that person.")
        record = known.record(identifier)
        if owner in record.parted:
            raise Refused(f"Order {record.parted[owner]} parts {identifier} from {owner} already.")
        if record.joined and any(owner in (each, self.owner(each)) for each in self._chain(identifier)):
            raise Refused(f"{identifier} was joined into {record.joined}: withdraw order {record.joined_by} first.")
        known.change(identifier).parted[owner] = order.order_id
        known.depends(identifier, owner, holds=True)
        known.pending.add(identifier)

    def _free(self, order: Free, ordered: Ordered) -> None:
        """Give wider caps; where it has them, or they would not do, let what was said so far be forgotten."""
        known, identifier = self._known, order.identifier
        self.rank(identifier)
        record = known.record(identifier)
        if not (record.alone or record.muted):
            if record.freed:
                raise Refused(f"Order {record.freed} has freed {identifier} already, and it does not stand alone.")
            raise Refused(f"{identifier} does not stand alone because of a cap.")
        public_only = not record.alone
        renewing = bool(record.freed) or self._beyond(identifier, public_only)
        if renewing and len(record.renewals) >= RENEWALS_MAX:
            raise Refused(f"{identifier} was freed {RENEWALS_MAX} times: it is nobody's.")
        record = known.change(identifier)
        record.freed = record.freed or order.order_id
        known.pending.add(identifier)
        if renewing:
            self.chores[f"{identifier}\0{order.order_id}"] = renew(
                *(known, identifier, order.at, public_only, ordered.number)
            )
            record.renewals.append(order.order_id)
            ordered.renewed, ordered.past = "public" if public_only else "all", record.past

    def _beyond(self, identifier: str, public: bool) -> bool:
        """Whether it has more than the wider caps allow, as far as that is known without looking."""
        side, caps = self._known.entry(identifier).side(public), self._known.caps
        too_many = side.links > caps.freed_links or side.sessions > caps.freed_sessions
        return too_many or side.reach > caps.freed_reach

    def _withdraw(self, order: Withdraw) -> None:
        ordered = find(self._known.state, order.withdrawn)
        if ordered is None:
            raise Refused(f"There is no order {order.withdrawn}.")
        if ordered.kind not in ("join", "part", "free"):
            raise Refused(f"Order {order.withdrawn} is of the kind {ordered.kind!r}: that cannot be taken back.")
        if ordered.state != "accepted":
            raise Refused(f"Order {order.withdrawn} does not hold: it is {ordered.state}.")
        if ordered.renewed:
            raise Refused(f"Order {order.withdrawn} had evidence forgotten: that cannot be taken back.")
        self.end(order.withdrawn, f"withdrawn by order {order.order_id}")

    def _undo(self, ordered: Ordered) -> None:
        known, said = self._known, ordered.said
        if ordered.kind == "join":
            record = known.change(said["from_id"])
            record.joined = record.joined_by = ""
            known.depends(said["from_id"], said["into_id"], holds=said["into_id"] in record.parted)
            known.pending.add(said["from_id"])
        elif ordered.kind == "part":
            record = known.change(said["identifier"])
            record.parted.pop(said["person"], None)
            known.depends(said["identifier"], said["person"], holds=record.joined == said["person"])
            known.pending.add(said["identifier"])
        elif ordered.kind == "free" and known.record(said["identifier"]).freed == ordered.order_id:
            known.change(said["identifier"]).freed = ""
            known.pending.add(said["identifier"])

    def _unblock(self, order: Unblock, number: int) -> None:
        self.rank(order.identifier)
        erasure = self._known.erasure(order.identifier)
        if erasure is None or not erasure.blocked:
            raise Refused("That identifier is not blocked.")
        # What happened meanwhile stays away: else it would depend on when it arrives, or is told again.
        before = max(erasure.before, order.at)
        self._known.set_erasure(self._known.seal(order.identifier), Erasure(before, False, number))
