"""What identify does with a batch: evidence and orders in, changed assignments out.

A stretch of evidence between two orders is learnt first, and then settles what it may have changed, each identifier
once; so a burst of evidence about one device is settled once. An order is judged by what holds at its place in the log,
and its changes are its own: whoever gave it is told which assignments it changed.

One change can spread to a million identifiers, and a transaction has seconds: so a batch does no more than `Bounds`
say, keeps the rest in its state (`waiting`) and asks for another one. Evidence goes on meanwhile, before what spreads;
an order waits until nothing does, and all that is behind it in the log with it. An order's effect is complete when it
has spread.

Nothing of a batch counts before it is committed whole, and versions come from a counter in the state: so a batch that
is repeated publishes the same versions again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.identity import Change, check, ranks, same
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.messages import (
    UNASSIGNED,
    Assigned,
    Assignment,
    Erased,
    Evidence,
    decode_said,
    encode,
    erased_person,
    is_erased,
)
from pipeline.domain.orders import Erase, Finish, Order, Unblock, Withdraw
from pipeline.domain.slices import persons
from pipeline.domain.spreading import PAGE, Spread
from pipeline.engine.batch import Batch
from pipeline.identify import erasing, recall, words
from pipeline.identify.forgetting import Doing
from pipeline.identify.known import Known
from pipeline.identify.orders import Book, Ordered, Refused, find, note
from pipeline.identify.records import Cache
from pipeline.identify.waiting import Waiting, Waits
from pipeline.partition import partition_of
from pipeline.topics import ALERTS, IDENTITIES, IDENTITY_ORDERS, INBOX

PAUSE_EVERY = 64  # records between two chances to give the loop back


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one batch does at most, so that its transaction has time: what is left waits for the next."""

    changes: int = 5_000  # assignments published
    looks: int = 20_000  # at identifiers
    bytes: int = 8 * 1024 * 1024  # of the names in these assignments
    spread: int = 1_000  # changes, before nothing more is begun of what spreads: what is new comes first
    chores: int = 1_000  # keys looked at to be taken away
    waiting: int = 20_000  # identifiers that wait to be looked at, before nothing new is taken
    page: int = PAGE  # identifiers below another that are begun with at once


BOUNDS = Bounds()
UNDER = ("", "")  # of an outcome: it exceeds no cap


class Codec(Protocol):
    """What is needed of `wire.Codec`."""

    def encode(self, name: str, record: dict[str, Any], /) -> bytes:
        """The record as Avro of that schema."""
        ...


class Identify:
    """Handles the batches of the topic identity.evidence. Holds nothing itself: all state is the batch's."""

    def __init__(
        self,
        codec: Codec,
        partitions: int,
        seal: Callable[[str], bytes],
        namespaces: Sequence[str] = NAMESPACES,
        caps: Caps = CAPS,
        recalled: Sequence[recall.Recalled] = (),
        bounds: Bounds = BOUNDS,
    ) -> None:
        """`partitions`: the number that profiles are spread over; `recalled`: what a state from nothing begins with."""
        self._codec = codec
        self.partitions = partitions
        self.order = ranks(namespaces)  # namespace → rank
        self.bounds = bounds
        self._seal = seal
        self._caps = caps
        self._recalled = recalled

    def process(self, batch: Batch) -> Iterator[None]:
        """Handle one batch; yields whenever the loop may be given back. Done when exhausted.

        Raises ValueError and msgspec.DecodeError on what is neither evidence nor an order.
        """
        cache = batch.cache.get("identify")
        if not isinstance(cache, Cache):
            cache = batch.cache["identify"] = Cache()
        work = _Work(self, batch, Known(batch, cache, self._seal, self._caps))
        if self._recalled and work.known.is_new:
            recall.apply(work.known, self._recalled)
        records = work.waiting.records
        for record in batch.sources:
            if record.value is None:
                raise ValueError(f"evidence without a value: {record.topic}/{record.partition}/{record.offset}")
            records.append(Waits(record.timestamp, record.value))
        work.waiting.records = []
        for count, each in enumerate(records, 1):
            said = decode_said(each.value)
            work.at = each.timestamp
            if isinstance(said, Evidence):
                if not is_erased(said.strong):
                    check(said.strong, said.weak, self.order)
                work.known.learn(said)
            else:
                yield from work.settle()
                if work.is_full:
                    work.waiting.records = records[count - 1 :]
                    break
                yield from work.obey(said)
            if count % PAUSE_EVERY == 0:
                yield
        yield from work.settle()
        yield from work.clean()
        work.close()

    def publish(self, batch: Batch, topic: str, identifier: str, value: bytes | None) -> None:
        """Send something to the partition of an identifier's profile, or of its rows."""
        batch.send(topic, partition_of(identifier, self.partitions), identifier.encode(), value)

    def row(self, identifier: str, assignment: Assignment) -> bytes:
        """The assignment as the topic identities has it."""
        return self._codec.encode(IDENTITIES.schema, row(identifier, assignment))

    def alert(self, identifier: str, reason: str, opened_at: int, closed_at: int | None) -> bytes:
        """That an identifier stands alone, or no longer does."""
        alert = {"alert_id": alert_id(identifier), "kind": "stands_alone", "subject": identifier, "reason": reason}
        return self._codec.encode(ALERTS.schema, alert | {"opened_at": opened_at, "closed_at": closed_at})

    def reason(self, why: str, public: bool, freed: bool) -> str:
        """Why an identifier stands alone, in words."""
        return words.alone(why, public, self._caps.of(freed))


class _Work:
    """One batch. `at` is the time of the record that is handled."""

    def __init__(self, stage: Identify, batch: Batch, known: Known) -> None:
        self.known = known
        self.at = known.counters.at
        self._stage = stage
        self._batch = batch
        self._book = Book(known, stage.order)
        self._spread = Spread(known, stage.order, known.caps, stage.bounds.page)
        self.waiting = Waiting(known.state, known.counters, self._spread)
        self._ordered: Ordered | None = None  # the order whose effect is spreading
        if self.waiting.order_id:
            self._ordered = find(known.state, self.waiting.order_id)
        self._changes = self._looks = self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether no order can be judged in this batch: something waits to be looked at, or enough was done already."""
        return bool(self._spread) or self._changes >= self._stage.bounds.spread

    def settle(self, ordered: bool = False) -> Iterator[None]:
        """Publish what became of everything that changed, as much as the bounds allow.

        `ordered`: what changed since was ordered.
        """
        known, bounds, spread = self.known, self._stage.bounds, self._spread
        pending, known.pending = known.pending, set()
        spread.add(pending, ordered)
        while self._changes < bounds.changes and self._looks < bounds.looks and self._bytes < bounds.bytes:
            change = spread.next(pages=self._changes < bounds.spread and 4 * self._looks < bounds.looks)
            if change is None:
                break
            self._looks += 1
            self._take(change)
            yield
        if self._ordered is not None and not self._spread:
            self._complete(self._ordered)

    def _take(self, change: Change) -> None:
        """Publish what became of an identifier, where it is anything new."""
        if change.before[1:] != UNDER or change.after[1:] != UNDER:
            self._note_alone(change)
        before, after = change.before.assignment, change.after.assignment
        if same(before, after):
            return
        numbered = self.known.accept(change.identifier, after)
        self._publish(change.identifier, numbered)
        if change.ordered and self._ordered is not None:
            tell = sorted({change.identifier, *persons(before), *persons(after)})
            note(self._ordered, change.identifier, numbered.version, [t for t in tell if not t.startswith("erased:")])

    def _complete(self, ordered: Ordered) -> None:
        """All that an order changes is published."""
        self._ordered = None
        ordered.spreading = False
        self._book.keep(ordered)
        if ordered.kind == "erase":
            person = erased_person(int(ordered.said["at"]), ordered.order_id)
            for key, value in erasing.shares(self.known, ordered, person):
                self._recall(key, value)

    def obey(self, order: Order) -> Iterator[None]:
        """Accept or refuse an order, and let it have its effect."""
        if isinstance(order, Finish):
            self._finish(order)
            return
        ordered = self._book.enter(order)
        if ordered is None:
            return
        try:
            if isinstance(order, Erase):
                self._erase(order, ordered)
            else:
                self._book.apply(order, ordered)
        except Refused as refused:
            ordered.state, ordered.reason = "refused", str(refused)
            self._book.keep(ordered)
            return
        self._ordered = ordered
        ordered.spreading = True
        self._tell_others(order, ordered)
        yield from self.settle(ordered=True)

    def _tell_others(self, order: Order, ordered: Ordered) -> None:
        """Keep the order for whoever has to begin from nothing, and tell the profile where it is only a word to it."""
        if isinstance(order, Withdraw):
            self._recall(order.withdrawn, None)
        elif isinstance(order, Unblock):
            seal = self.known.seal(order.identifier)
            before = self.known.erased_before(seal)
            message = Erased(order.identifier, before, False, ordered.number)
            self._stage.publish(self._batch, INBOX.name, order.identifier, encode(message))
            self._recall(order.order_id, recall.erasure(ordered, before, False, [seal]))
        elif not isinstance(order, Erase):
            self._recall(order.order_id, recall.order(ordered))

    def _erase(self, order: Erase, ordered: Ordered) -> None:
        known, publish, batch = self.known, self._stage.publish, self._batch
        work = erasing.Erasing(known, self._book, order, ordered)
        scope = work.run()
        self._changes += len(scope.whole) + len(scope.shared)
        for identifier in scope.whole:
            if work.before[identifier].alone or work.before[identifier].muted:
                self._alert(identifier, None)
            version = known.next_version()
            assignment = Assigned(identifier, msgspec.structs.replace(UNASSIGNED, version=version))
            publish(batch, INBOX.name, identifier, encode(assignment))
            publish(batch, INBOX.name, identifier, encode(Erased(identifier, order.at, order.block, ordered.number)))
            publish(batch, IDENTITIES.name, identifier, None)
            note(ordered, identifier, version, [identifier])
        for order_id in work.ended:
            self._recall(order_id, None)
        self.waiting.unnaming[order.order_id] = 1
        seals = [known.seal(each) for each in scope.whole]
        self._recall(order.order_id, recall.erasure(ordered, order.at, order.block, seals))

    def _finish(self, finish: Finish) -> None:
        ordered = find(self.known.state, finish.order_id)
        if ordered is not None and ordered.kind == "erase" and ordered.state == "accepted":
            erasing.finish(self.known, ordered, finish.proof)
            self._book.keep(ordered)

    def clean(self) -> Iterator[None]:
        """Do a part of what is to be taken away."""
        left = self._stage.bounds.chores
        for cost in self._cleaning():
            left -= cost
            yield
            if left <= 0:
                return

    def _cleaning(self) -> Iterator[int]:
        """All of it, yielding how much each step cost. It can be left after any step."""
        chores, unnaming = self.waiting.chores, self.waiting.unnaming
        chores.update(self._book.chores)
        self._book.chores = {}
        for name in sorted(chores):
            yield from Doing(self.known, name.partition("\0")[0], chores[name]).steps()
            del chores[name]
        for order_id in sorted(unnaming):
            for number in erasing.unname_orders(self.known.state, order_id, unnaming[order_id]):
                unnaming[order_id] = number
                yield 1
            del unnaming[order_id]

    def close(self) -> None:
        """The end of the batch: keep what is left, and ask for another one where something is."""
        known, waiting, batch = self.known, self.waiting, self._batch
        self._spread.add(known.pending)  # what the taking away has changed
        known.pending = set()
        if self._ordered is not None:
            self._book.keep(self._ordered)
        waiting.order_id = self._ordered.order_id if self._ordered is not None else ""
        waiting.write()
        known.counters.at = self.at if known.counters.waiting else 0
        if self._spread or waiting.records or waiting.chores or waiting.unnaming:
            crowded = len(self._spread.looks) > self._stage.bounds.waiting
            batch.ask_again(hold=bool(waiting.records) or crowded)
        for unsaid in known.unsaid.values():
            self._stage.publish(batch, INBOX.name, unsaid.to, encode(unsaid))
        known.write()

    def _recall(self, order_id: str, value: bytes | None) -> None:
        self._batch.send(IDENTITY_ORDERS.name, 0, order_id.encode(), value)

    def _alert(self, identifier: str, value: bytes | None) -> None:
        partition = partition_of(identifier, self._stage.partitions)
        self._batch.send(ALERTS.name, partition, alert_id(identifier).encode(), value)

    def _note_alone(self, change: Change) -> None:
        """Open an alert where somebody stands alone from now on, or because of another cap; close it where it ends."""
        identifier, after = change.identifier, change.after
        why = after.alone or after.muted
        record = self.known.record(identifier)
        freed = bool(record.freed)
        told = f"{'public ' if after.muted else ''}{why}{' freed' if freed else ''}" if why else ""
        if (told, after.alone, after.muted) == (record.told, record.alone, record.muted):
            return
        opened_at = record.alone_at or self.at
        before = (change.before.alone or change.before.muted, bool(change.before.muted))
        reason = self._stage.reason(*((why, bool(after.muted)) if why else before), freed)
        self.known.set_alone(identifier, after, opened_at, told)
        self._alert(
            identifier, self._stage.alert(identifier, reason, opened_at, None if why else max(self.at, opened_at))
        )

    def _publish(self, identifier: str, assignment: Assignment) -> None:
        publish = self._stage.publish
        told = encode(Assigned(identifier, assignment))
        self._changes += 1
        self._bytes += len(told)
        publish(self._batch, INBOX.name, identifier, told)
        publish(self._batch, IDENTITIES.name, identifier, self._stage.row(identifier, assignment))


def alert_id(identifier: str) -> str:
    """The alert that an identifier stands alone."""
    return f"stands_alone|{identifier}"


def row(identifier: str, assignment: Assignment) -> dict[str, Any]:
    """The assignment as a record of the schema `identity`.

    `person` is whose the interactions are that neither a session nor `until` gives to somebody else.
    """
    return {
        "identifier": identifier,
        "version": assignment.version,
        "person": assignment.owners[0] if len(assignment.owners) == 1 else identifier,
        "until": assignment.until,
        "ambiguous": assignment.ambiguous,
        "owners": list(assignment.owners),
        "candidates": list(assignment.candidates),
        "sessions": assignment.sessions,
    }
