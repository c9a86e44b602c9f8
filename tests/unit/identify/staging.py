"""Identify with its state, batch after batch, for tests."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.messages import UNASSIGNED, Assigned, Assignment, Erased, Evidence, Unsaid, decode_message, encode
from pipeline.domain.orders import Erase, Finish, Free, Join, Order, Part, Unblock, Withdraw
from pipeline.domain.state import DictState
from pipeline.identify import recall
from pipeline.identify.orders import Ordered, find
from pipeline.identify.process import BOUNDS, Bounds, Identify
from pipeline.partition import partition_of
from pipeline.topics import ALERTS, EVIDENCE, IDENTITIES, IDENTITY_ORDERS, INBOX
from tests.fakes import FakeBatch, FakeRecord, Sent

PARTITIONS = 4
A, B, C, D = "customer:a", "customer:b", "customer:c", "customer:d"
EMAIL, PHONE, COOKIE, DEVICE = "email:1", "phone:1", "anonymous:1", "device:1"


class JsonCodec:
    """Stands in for Avro."""

    def encode(self, name: str, record: dict[str, Any], /) -> bytes:
        return json.dumps([name, record]).encode()


def seal(identifier: str) -> bytes:
    """Stands in for the keyring's."""
    return hashlib.blake2b(identifier.encode(), digest_size=16).digest()


def said(strong: str, weak: str, at: int = 1, session: str = "", event: str = "e1", public: bool = False) -> Evidence:
    """Evidence."""
    return Evidence(strong, weak, at, session, "shop", event, public=public)


def forged(strong: str, weak: str, at: int = 1, session: str = "", event: str = "e1") -> Evidence:
    """Evidence that came with a public key."""
    return said(strong, weak, at, session, event, public=True)


class Stage:
    """Feed it; it keeps what it published."""

    def __init__(
        self, caps: Caps = CAPS, recalled: list[recall.Recalled] | None = None, bounds: Bounds = BOUNDS
    ) -> None:
        self.state = DictState()
        self.cache: dict[str, object] = {}
        self.published: dict[str, Assignment] = {}
        self.versions: list[int] = []
        self.erased: dict[str, Erased] = {}
        self.unsaid: list[Unsaid] = []
        self.identities: dict[str, dict[str, Any] | None] = {}
        self.alerts: dict[str, dict[str, Any] | None] = {}
        self.orders: dict[str, bytes | None] = {}
        self.sent: list[Sent] = []
        self._identify = Identify(JsonCodec(), PARTITIONS, seal, caps=caps, recalled=recalled or [], bounds=bounds)
        self.batches: list[FakeBatch] = []  # that it took to do the last thing
        self._orders = 0
        self.at = 0

    def handle(self, *messages: Evidence | Order) -> list[Sent]:
        """One batch, and those that it asks for."""
        self.start(*messages)
        self.rest()
        return [each for batch in self.batches for each in batch.sent]

    def rest(self) -> None:
        """The batches that were asked for."""
        while self.batches and self.batches[-1].again:
            self.go_on()

    def start(self, *messages: Evidence | Order) -> None:
        """One batch, whether it can do all or not."""
        records = []
        for each in messages:
            self.at += 1
            records.append(FakeRecord(EVIDENCE.name, 0, self.at, self.at, None, encode(each)))
        self.batches = []
        self._process(records)

    def go_on(self) -> None:
        """One batch of nothing new."""
        self._process([])

    def _process(self, records: list[FakeRecord]) -> None:
        batch = FakeBatch(0, sources=records, data=self.state.data, cache=self.cache)
        for _ in self._identify.process(batch):
            pass
        for each_sent in batch.sent:
            self._take(each_sent)
        self.sent += batch.sent
        self.batches.append(batch)

    def _take(self, each: Sent) -> None:
        key = (each.key or b"").decode()
        if each.topic == INBOX.name:
            message = decode_message(each.value or b"")
            if isinstance(message, Assigned):
                assert message.assignment.version > self.published.get(message.to, UNASSIGNED).version
                assert each.partition == partition_of(message.to, PARTITIONS)
                self.versions.append(message.assignment.version)
                self.published[message.to] = message.assignment
            elif isinstance(message, Unsaid):
                self.unsaid.append(message)
            else:
                assert isinstance(message, Erased)
                self.erased[message.to] = message
        elif each.topic == IDENTITY_ORDERS.name:
            self.orders[key] = each.value
        else:
            row = json.loads(each.value)[1] if each.value is not None else None
            {IDENTITIES.name: self.identities, ALERTS.name: self.alerts}[each.topic][key] = row

    def restart(self) -> None:
        """Lose what is only in memory."""
        self.cache = {}

    def _order(self, order: Order) -> Ordered:
        self.handle(order)
        found = find(self.state, order.order_id)
        assert found is not None
        return found

    def _next(self) -> str:
        self._orders += 1
        return f"o{self._orders}"

    def joining(self, start: str, into: str) -> Join:
        """An order to join, to be handled."""
        return Join(self._next(), start, into, "same person", "key:admin", 1)

    def join(self, start: str, into: str) -> Ordered:
        """Order a join."""
        return self._order(self.joining(start, into))

    def part(self, identifier: str, person: str) -> Ordered:
        """Order a parting."""
        return self._order(Part(self._next(), identifier, person, "not hers", "key:admin", 1))

    def free(self, identifier: str, at: int = 1) -> Ordered:
        """Order that an identifier is free of the caps."""
        return self._order(Free(self._next(), identifier, "a big family", "key:admin", at))

    def withdraw(self, order_id: str) -> Ordered:
        """Take an order back."""
        return self._order(Withdraw(self._next(), order_id, "a mistake", "key:admin", 1))

    def erasing(self, person: str, at: int = 100, block: bool = False) -> Erase:
        """An order to erase, to be handled."""
        return Erase(self._next(), person, block, "she asked", "key:admin", at)

    def erase(self, person: str, at: int = 100, block: bool = False) -> Ordered:
        """Order an erasure."""
        return self._order(self.erasing(person, at, block))

    def unblock(self, identifier: str, at: int = 1) -> Ordered:
        """End a blocking."""
        return self._order(Unblock(self._next(), identifier, "she came back", "key:admin", at))

    def finish(self, order_id: str) -> None:
        """Prove an erasure."""
        self.handle(Finish(order_id, b'{"remains":[]}', 200))

    def who(self, identifier: str) -> Assignment:
        """The newest assignment, without its version."""
        known = self.published.get(identifier, UNASSIGNED)
        return Assignment(0, known.owners, known.until, known.sessions, known.candidates, known.ambiguous)

    def holds(self, text: str) -> list[bytes]:
        """The keys of the state that name it, or whose value does."""
        needle = text.encode()
        return [key for key, value in self.state.data.items() if needle in key or needle in value]
