"""serve for tests: profiles in memory behind the stitch worker's and identify's real HTTP, and the app around them.

`World` keeps the domain's rules (profiles, who is who) without Kafka; `Worker` answers for it as a stitch worker does,
and can lose its partitions, be gone, come back elsewhere; `Deciding` answers as identify does; `Ledger` stands for the
topics that serve writes.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from pipeline import catalogue
from pipeline.domain import texts
from pipeline.domain.caps import CAPS, Caps
from pipeline.domain.identifiers import Keyring
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Evidence, Message, Misfiled, decode_message, decode_said, encode
from pipeline.domain.orders import Order
from pipeline.domain.profile import advance
from pipeline.domain.rules import Rules
from pipeline.domain.staff import Staff
from pipeline.domain.state import DictState
from pipeline.domain.view import Position
from pipeline.engine import NotMine, Tidied
from pipeline.identify.process import Identify as Stage
from pipeline.identify.queries import Queries as Explaining
from pipeline.internal import Answering
from pipeline.serve.access import Gate, Links, Sessions
from pipeline.serve.alerting import Alerting
from pipeline.serve.audit import Audit
from pipeline.serve.changing import Changing
from pipeline.serve.history import HistoryAway
from pipeline.serve.identify import Identify
from pipeline.serve.main import choices_of
from pipeline.serve.noting import Noting
from pipeline.serve.observing import Observing
from pipeline.serve.parts import Parts
from pipeline.serve.passes import Passes
from pipeline.serve.routing import Routes
from pipeline.serve.workers import Patience, Workers
from pipeline.serve.writing import Unwritten
from pipeline.settings import Settings
from pipeline.stitch.queries import Queries
from pipeline.stitch.watch import Watch
from pipeline.topics import AUDIT, CHANGES, EVIDENCE, INBOX, NOTED_ON, OBSERVATIONS, channel_topic
from tests.fakes import FakeBatch, FakeRecord
from tests.interactions import SCORING, made
from tests.mapping import Told
from tests.policies import POLICY

PARTITIONS = 4
TOKEN = "a worker's token"
READ, INGEST, ADMIN = "read_key", "ingest_key", "admin_key"
KEYRING = Keyring({"k1": bytes(range(32))}, "k1", bytes(range(32, 64)), POLICY.placeholders)
MASKED = partial(texts.masked, region="US")
RULES = Rules(scoring=SCORING)
CATALOGUE = catalogue.load(Settings().catalogue_folder)


def now_ms() -> int:
    """The clock."""
    return time.time_ns() // 1_000_000


def keyed(namespace: str, value: str) -> tuple[str, dict[str, str]]:
    """The identifier of a phone number or e-mail, and its mask by it."""
    known = KEYRING.resolve(namespace, value, "US")
    return known.identifier, {known.identifier: known.mask}


class World:
    """All profiles, and who is who, changed at once by whatever happens."""

    def __init__(self, rules: Rules = RULES, caps: Caps = CAPS) -> None:
        self.rules = rules
        self.state = DictState()
        self.watch = Watch()
        self.known = DictState()  # identify's
        self.deaf = False  # what is said about identity waits
        self.slow = False  # what identify says to profiles waits
        self._undelivered: list[Message] = []
        self._unheard: list[Evidence | Order] = []
        self._deciding = Stage(JsonCodec(), PARTITIONS, KEYRING.seal, caps=caps)
        self._cache: dict[str, object] = {}
        self._said = 0
        self._events = 0

    def say(self, identifier: str, **fields: Any) -> Interaction:
        """Let something happen now (or `ago_s` seconds ago) under an identifier."""
        self._events += 1
        at = fields.pop("at", None) or now_ms() - int(fields.pop("ago_s", 0) * 1000)
        x = made(identifier, fields.pop("event_id", f"e{self._events}"), at=at, **fields)
        step = advance(self.state, [Misfiled(x)], self.rules)
        self._deliver(list(step.messages))
        self.watch.changed(set(step.changed))
        self.decide(*step.evidence)
        return x

    def decide(self, *said: Evidence | Order) -> None:
        """Let identify hear evidence and orders, and profiles what it makes of them."""
        self._unheard += said
        if self.deaf or not self._unheard:
            return
        records = []
        for each in self._unheard:
            self._said += 1
            records.append(FakeRecord(EVIDENCE.name, 0, self._said, now_ms(), None, encode(each)))
        self._unheard.clear()
        again = True
        while again:
            batch = FakeBatch(0, sources=records, data=self.known.data, cache=self._cache)
            for _ in self._deciding.process(batch):
                pass
            self._undelivered += [decode_message(each.value or b"") for each in batch.to(INBOX.name)]
            records, again = [], batch.again
        self.deliver()

    def deliver(self) -> None:
        """Let profiles hear what identify said, unless they are slow."""
        if not self.slow:
            waiting, self._undelivered = self._undelivered, []
            self._deliver(waiting)

    def _deliver(self, messages: list[Message]) -> None:
        changed: set[str] = set()
        while messages:
            step = advance(self.state, messages, self.rules)
            changed |= step.changed
            messages = step.messages
        self.watch.changed(changed)


class JsonCodec:
    """Stands in for Avro."""

    def encode(self, name: str, record: dict[str, Any], /) -> bytes:
        return msgspec.json.encode({"schema": name, **record})


class Ledger:
    """The topics that serve writes: audit is remembered, and a world hears what is said about identity."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world
        self.audit: list[dict[str, Any]] = []
        self.observed: list[tuple[bytes, dict[str, Any]]] = []  # key and record
        self.changed: list[tuple[bytes, dict[str, Any]]] = []  # key and record
        self.noted: list[tuple[str, dict[str, Any]]] = []  # identifier and event
        self.said: list[Order] = []
        self.away = False
        self.ready = True

    async def write(self, topic: str, key: bytes, value: bytes, partition: int | None = None) -> None:
        if self.away:
            raise Unwritten("Kafka is away")
        if topic == AUDIT.name:
            self.audit.append(msgspec.json.decode(value))
            return
        if topic == CHANGES.name:
            assert partition == 0
            self.changed.append((key, msgspec.json.decode(value)))
            return
        if topic == OBSERVATIONS.name:
            self.observed.append((key, msgspec.json.decode(value)))
            return
        if topic == channel_topic(NOTED_ON):
            self._note(key.decode(), msgspec.json.decode(value))
            return
        assert (topic, partition) == (EVIDENCE.name, 0)
        order: Any = decode_said(value)
        self.said.append(order)
        if self.world is not None:
            self.world.decide(order)

    def _note(self, identifier: str, event: dict[str, Any]) -> None:
        """A world hears of it, as stitch does."""
        self.noted.append((identifier, event))
        if self.world is not None:
            said = ("event_id", "source", "type", "touchpoint", "session_id", "issue", "properties")
            details = {name: value for name, value in event["details"].items() if value is not None}
            told = {name: event[name] for name in said}
            self.world.say(identifier, channel=NOTED_ON, at=event["occurred_at"], details=details, **told)


class _Engine:
    """What Queries needs of the engine: who owns what, and how fresh it is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.owned = set(range(PARTITIONS))
        self.copies: set[int] = set()
        self.lag_ms = 0

    def state(self, number: int) -> tuple[DictState, int]:
        if number not in self.owned:
            raise NotMine(number)
        return self._world.state, now_ms() - self.lag_ms

    def copy(self, number: int) -> tuple[DictState, int]:
        if number not in self.copies:
            raise NotMine(number)
        return self._world.state, now_ms() - self.lag_ms

    def offset(self, number: int) -> int:
        return 100 + number

    def copied(self) -> dict[int, int]:
        return dict.fromkeys(self.copies, 1_000)

    async def tidy(self) -> Tidied:
        return Tidied(0, len(self.owned), 0)


class Worker:
    """A stitch worker's HTTP over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = _Engine(world)
        self.port = free_port()
        self._queries: Queries | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        engine: Any = self.engine
        self._queries = Queries(engine, self.world.watch, self.world.rules, PARTITIONS, TOKEN, "127.0.0.1", self.port)
        await self._queries.on_start()

    async def stop(self) -> None:
        if self._queries is not None:
            await self._queries.on_stop()
            self._queries = None

    async def move(self) -> None:
        """Die, and come back at another address."""
        await self.stop()
        self.port = free_port()
        await self.start()

    def publish(self, routes: Routes, partitions: range = range(PARTITIONS)) -> None:
        """Say which partitions are its own."""
        for partition in partitions:
            route = {"partition": partition, "url": self.url, "worker": 0, "generation": 1}
            routes.see(msgspec.json.encode(route))


class Deciding:
    """identify's HTTP over a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.port = free_port()
        self._service: Answering | None = None

    def state(self, number: int) -> tuple[DictState, int]:
        """As the engine has it."""
        assert number == 0
        return self._world.known, now_ms()

    async def tidy(self) -> Tidied:
        return Tidied(0, 1, 0)

    async def start(self) -> None:
        engine: Any = self
        self._service = Explaining(engine).service(TOKEN, "127.0.0.1", self.port)
        await self._service.on_start()

    async def stop(self) -> None:
        if self._service is not None:
            await self._service.on_stop()
            self._service = None

    def publish(self, routes: Routes) -> None:
        """Say where it answers."""
        url = f"http://127.0.0.1:{self.port}"
        routes.see(msgspec.json.encode({"partition": -1, "url": url, "worker": "identify", "generation": 1}))


class Memory:
    """A History that holds what it is given."""

    def __init__(self) -> None:
        self.stored: list[Interaction] = []
        self.away = False
        self.asked = 0

    async def before(self, person: str, position: Position, channel: str | None, limit: int) -> list[Interaction]:
        self.asked += 1
        if self.away:
            raise HistoryAway("away")
        older = [x for x in self.stored if x.position < position and channel in (None, x.channel)]
        return sorted(older, key=lambda x: x.position, reverse=True)[:limit]


class Lines:
    """A log that remembers its lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append({"event": event, **facts})

    warning = info


def parts(
    home: Path,
    history: Memory | None = None,
    log: Lines | None = None,
    ledger: Ledger | None = None,
    framed_by: str = "",
    **patience: float,
) -> Parts:
    """serve's parts without a worker: let one `publish` to its routes."""
    sessions = Sessions("a key for sessions")
    routes = Routes(PARTITIONS)
    lines: Any = log or Lines()
    writer = ledger or Ledger()
    return Parts(
        gate=Gate(
            {
                READ: ("read", frozenset({"read"})),
                ADMIN: ("admin", frozenset({"read", "admin"})),
                INGEST: ("ingest", frozenset({"ingest"})),
            },
            sessions,
        ),
        sessions=sessions,
        links=Links(home / "run" / "sign-in"),
        keyring=KEYRING,
        region="US",
        routes=routes,
        workers=Workers(routes, TOKEN, Patience(**patience)) if patience else Workers(routes, TOKEN),
        identities=Identify(routes, TOKEN),
        alerting=Alerting(routes, TOKEN),
        writer=writer,
        masked=MASKED,
        history=history or Memory(),
        audit=Audit(lines, writer, JsonCodec(), KEYRING.seal, MASKED),
        staff=Staff(KEYRING.pseudonym, POLICY.staff),
        observing=Observing(writer, JsonCodec(), "US"),
        changing=Changing(writer, JsonCodec(), "US"),
        noting=Noting(writer, JsonCodec(), KEYRING, "US", POLICY, choices_of(CATALOGUE)),
        passes=Passes("a key for sessions"),
        framed_by=framed_by,
        catalogued=CATALOGUE.touchpoints,
        reports=Told(CATALOGUE),
        journeys=CATALOGUE.journeys,
        segment_kinds=CATALOGUE.business.segments,
        touchpoints={"site_search": "Site search", "call_queue": "Call queue", "returns_page": "Returns page"},
    )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(true: Any, timeout_s: float = 5.0) -> None:
    """Wait until a condition holds; fails when it never does."""
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0.01)


def sign_in_file(token: str) -> str:
    """The name of a one-time link's file."""
    return hashlib.sha256(token.encode()).hexdigest()
