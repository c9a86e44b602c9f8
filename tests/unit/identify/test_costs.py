"""What one event costs in who is who, and in the profiles that hear of it, however many there were before.

Counted are operations and bytes, not seconds: of the state, and of what is sent. The accounts that grow for ever are a
kiosk (a device of more and more customers), a test account (a customer on more and more devices) and a bot (one
customer with more and more cookies); each visitor searches before they log in, so that there is something to hand on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.domain.rules import Rules
from pipeline.identify.process import Identify
from pipeline.stitch.process import Stitch
from pipeline.topics import EVIDENCE, INBOX, channel_topic
from tests.fakes import FakeBatch, FakeRecord
from tests.network import CODEC, KEYRING, REGION
from tests.strategies import START, copies_of

FEW, MANY = 2_000, 6_000  # beyond every cap both, and some time after it
MEASURED = 150  # events
SLACK, EACH = 1.3, 2  # that a look at a whole view, every 50 interactions, may fall here or there


class Counted(FakeBatch):
    """Counts what is done with it."""

    def __init__(self, *given: Any, counts: Counter[str]) -> None:
        super().__init__(*given)
        self._counts = counts

    def get(self, key: bytes) -> bytes | None:
        self._counts["gets"] += 1
        return super().get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        self._counts["puts"] += 1
        self._counts["bytes put"] += len(key) + len(value or b"")
        super().put(key, value)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        self._counts["scans"] += 1
        for key, value in super().scan(prefix, after):
            self._counts["keys read"] += 1
            yield key, value

    def send(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, timestamp: int | None = None
    ) -> None:
        self._counts["sent"] += 1
        self._counts["bytes sent"] += len(value or b"")
        super().send(topic, partition, key, value, timestamp)


class World:
    """One partition of stitch, and identify."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {"stitch": Counter(), "identify": Counter()}
        self._states: dict[str, dict[bytes, bytes]] = {"stitch": {}, "identify": {}}
        self._caches: dict[str, dict[str, object]] = {"stitch": {}, "identify": {}}
        self._stages = {
            "stitch": Stitch(CODEC, KEYRING, Rules(), 1, REGION, seal=KEYRING.seal),
            "identify": Identify(CODEC, 1, KEYRING.seal),
        }
        self._said = 0

    def say(self, *events: dict[str, str]) -> None:
        """Somebody shows these identifiers, each time in a session of its own; and all that follows from it."""
        sources = []
        for identifiers in events:
            self._said += 1
            name = f"{self._said:08}"
            at = START + 1_000 * self._said
            said = {"event_id": name, "identifiers": identifiers, "session_id": f"s{name}", "occurred_at": at}
            event = copies_of(0, 0, 1)[0].event | said | {"sent_at": None, "received_at": at, "public": False}
            value = CODEC.encode("interaction_web", event)
            sources.append(FakeRecord(channel_topic("web"), 0, self._said, at, None, value))
        inbox: list[FakeRecord] = []
        again = False
        while sources or inbox or again:
            evidence: list[FakeRecord] = []
            batch = self._process("stitch", inbox, sources)
            evidence += self._records(batch, EVIDENCE.name)
            decided = self._process("identify", [], evidence)
            inbox = self._records(batch, INBOX.name) + self._records(decided, INBOX.name)
            sources, again = [], decided.again

    def _process(self, stage: str, inbox: list[FakeRecord], sources: list[FakeRecord]) -> FakeBatch:
        given = (0, inbox, sources, self._states[stage], self._caches[stage])
        batch = Counted(*given, counts=self.counts[stage])
        for _ in self._stages[stage].process(batch):
            pass
        return batch

    def _records(self, batch: FakeBatch, topic: str) -> list[FakeRecord]:
        return [FakeRecord(topic, 0, 0, START, each.key, each.value) for each in batch.to(topic)]


def kiosk(n: int) -> list[dict[str, str]]:
    """One more customer on a device."""
    return [{"device": "kiosk"}, {"customer": f"{n:08}", "device": "kiosk"}]


def quality(n: int) -> list[dict[str, str]]:
    """One more device of a test account's customer."""
    return [{"device": f"{n:08}"}, {"customer": "tester", "device": f"{n:08}"}]


def bot(n: int) -> list[dict[str, str]]:
    """One more cookie of a customer."""
    return [{"anonymous": f"{n:08}"}, {"customer": "bot", "anonymous": f"{n:08}"}]


@pytest.mark.parametrize("account", [kiosk, quality, bot])
def test_an_event_costs_the_same_however_many_there_were(account: Callable[[int], list[dict[str, str]]]) -> None:
    world = World()
    costs: list[dict[tuple[str, str], float]] = []
    n = 0
    for many in (FEW, MANY):
        while n < many:
            world.say(*(event for each in range(n, n + 100) for event in account(each)))
            n += 100
        for counts in world.counts.values():
            counts.clear()
        for _ in range(MEASURED):
            world.say(*account(n))
            n += 1
        costs.append(
            {(stage, what): counts[what] / MEASURED for stage, counts in world.counts.items() for what in counts}
        )
    few, many_ = costs
    grown = {what: (few.get(what, 0), cost) for what, cost in many_.items() if cost > few.get(what, 0) * SLACK + EACH}
    assert grown == {}
    assert many_["identify", "bytes put"] < 2_000
    assert many_["identify", "gets"] < 20
