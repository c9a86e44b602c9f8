"""What identify does with a batch: evidence and orders in, changed assignments out.

A stretch of evidence between two orders is learnt first, and then settles what it may have changed, each identifier
once; so a burst of evidence about one device is settled once. An order is judged by what holds at its place in the log,
and its changes are its own: whoever gave it is told which assignments it changed.

Nothing of a batch counts before it is committed whole, and versions come from a counter in the state: so a batch that
is repeated publishes the same versions again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from pipeline.domain.identity import CAPS, Caps, Change, check, ranks, reassign, same
from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.messages import (
    UNASSIGNED,
    Assigned,
    Assignment,
    Erased,
    Evidence,
    Unsaid,
    decode_said,
    encode,
    is_erased,
)
from pipeline.domain.orders import Erase, Finish, Order, Unblock, Withdraw
from pipeline.domain.slices import persons
from pipeline.engine.batch import Batch
from pipeline.identify import erasing, recall, words
from pipeline.identify.known import Known
from pipeline.identify.orders import CHANGES_MAX, Book, Changed, Ordered, Refused, find
from pipeline.identify.records import Cache
from pipeline.partition import partition_of
from pipeline.topics import ALERTS, IDENTITIES, IDENTITY_ORDERS, INBOX

PAUSE_EVERY = 64  # records between two chances to give the loop back


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
    ) -> None:
        """`partitions`: the number that profiles are spread over; `recalled`: what a state from nothing begins with."""
        self._codec = codec
        self.partitions = partitions
        self.order = ranks(namespaces)  # namespace → rank
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
        for count, record in enumerate(batch.sources, 1):
            if record.value is None:
                raise ValueError(f"evidence without a value: {record.topic}/{record.partition}/{record.offset}")
            said = decode_said(record.value)
            work.at = record.timestamp
            if isinstance(said, Evidence):
                if not is_erased(said.strong):
                    check(said.strong, said.weak, self.order)
                work.known.learn(said)
            else:
                yield from work.settle(None)
                yield from work.obey(said)
            if count % PAUSE_EVERY == 0:
                yield
        yield from work.settle(None)
        for (strong, weak), before in work.known.unsaid.items():
            self.publish(batch, INBOX.name, strong, encode(Unsaid(strong, weak, before)))
        work.known.write()

    def publish(self, batch: Batch, topic: str, identifier: str, value: bytes | None) -> None:
        """Send something to the partition of an identifier's profile, or of its rows."""
        batch.send(topic, partition_of(identifier, self.partitions), identifier.encode(), value)

    def row(self, identifier: str, assignment: Assignment) -> bytes:
        """The assignment as the topic identities has it."""
        return self._codec.encode(IDENTITIES.schema, row(identifier, assignment))

    def alert(self, identifier: str, why: str, opened_at: int, closed_at: int | None) -> bytes:
        """That an identifier stands alone, or no longer does."""
        reason = words.alone(why, self._caps)
        alert = {"alert_id": alert_id(identifier), "kind": "stands_alone", "subject": identifier, "reason": reason}
        return self._codec.encode(ALERTS.schema, alert | {"opened_at": opened_at, "closed_at": closed_at})


class _Work:
    """One batch. `at` is the time of the record that is handled."""

    def __init__(self, stage: Identify, batch: Batch, known: Known) -> None:
        self.known = known
        self.at = 0
        self._stage = stage
        self._batch = batch
        self._book = Book(known, stage.order)

    def settle(self, ordered: Ordered | None) -> Iterator[None]:
        """Publish what became of everything that changed, and note it with the order that changed it."""
        pending, self.known.pending = self.known.pending, set()
        for change in reassign(pending, self.known, self._stage.order, self.known.caps):
            self._note_alone(change)
            before, after = change.before.assignment, change.after.assignment
            if not same(before, after):
                numbered = self.known.accept(change.identifier, after)
                self._publish(change.identifier, numbered)
                if ordered is not None:
                    tell = sorted({change.identifier, *persons(before), *persons(after)})
                    note(ordered, change.identifier, numbered.version, [t for t in tell if not t.startswith("erased:")])
            yield

    def obey(self, order: Order) -> Iterator[None]:
        """Accept or refuse an order, and let it have its effect."""
        if isinstance(order, Finish):
            self._finish(order)
            return
        ordered = self._book.enter(order)
        if ordered is None:
            return
        erased: erasing.Erasing | None = None
        try:
            if isinstance(order, Erase):
                erased = self._erase(order, ordered)
            else:
                self._book.apply(order, ordered.number)
        except Refused as refused:
            ordered.state, ordered.reason = "refused", str(refused)
            self._book.keep(ordered)
            return
        yield from self.settle(ordered)
        self._book.keep(ordered)
        self._tell_others(order, ordered)
        if erased is not None:
            for key, value in erased.shares():
                self._recall(key, value)

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

    def _erase(self, order: Erase, ordered: Ordered) -> erasing.Erasing:
        known, publish, batch = self.known, self._stage.publish, self._batch
        work = erasing.Erasing(known, self._book, order, ordered)
        scope = work.run()
        seals = [known.seal(each) for each in scope.whole]
        for identifier in scope.whole:
            if known.record(identifier).alone:
                self._alert(identifier, None)
            version = known.next_version()
            assignment = Assigned(identifier, msgspec.structs.replace(UNASSIGNED, version=version))
            publish(batch, INBOX.name, identifier, encode(assignment))
            publish(batch, INBOX.name, identifier, encode(Erased(identifier, order.at, order.block, ordered.number)))
            publish(batch, IDENTITIES.name, identifier, None)
            note(ordered, identifier, version, [identifier])
            known.forget(identifier)
        for order_id in work.ended:
            self._recall(order_id, None)
        self._recall(order.order_id, recall.erasure(ordered, order.at, order.block, seals))
        return work

    def _finish(self, finish: Finish) -> None:
        ordered = find(self.known.state, finish.order_id)
        if ordered is not None and ordered.kind == "erase" and ordered.state == "accepted":
            erasing.finish(self.known, ordered, finish.proof)
            self._book.keep(ordered)

    def _recall(self, order_id: str, value: bytes | None) -> None:
        self._batch.send(IDENTITY_ORDERS.name, 0, order_id.encode(), value)

    def _alert(self, identifier: str, value: bytes | None) -> None:
        partition = partition_of(identifier, self._stage.partitions)
        self._batch.send(ALERTS.name, partition, alert_id(identifier).encode(), value)

    def _note_alone(self, change: Change) -> None:
        why = change.after.alone
        if why == change.before.alone:
            return
        opened_at = self.known.record(change.identifier).alone_at or self.at
        self.known.set_alone(change.identifier, why, opened_at)
        value = self._stage.alert(
            change.identifier, why or change.before.alone, opened_at, None if why else max(self.at, opened_at)
        )
        self._alert(change.identifier, value)

    def _publish(self, identifier: str, assignment: Assignment) -> None:
        publish = self._stage.publish
        publish(self._batch, INBOX.name, identifier, encode(Assigned(identifier, assignment)))
        publish(self._batch, IDENTITIES.name, identifier, self._stage.row(identifier, assignment))


def note(ordered: Ordered, identifier: str, version: int, tell: list[str]) -> None:
    """Note a change with the order that made it; beyond the bound only how many there were."""
    ordered.changed_n += 1
    if len(ordered.changed) < CHANGES_MAX:
        ordered.changed.append(Changed(identifier, version, tell))


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
