"""serve for tests: profiles in memory behind the stitch worker's real HTTP, and the app around them.

`World` keeps the domain's rules (profiles, who is who) without Kafka; `Worker` answers for it as a stitch worker does,
and can lose its partitions, be gone, come back elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from pipeline.domain.identifiers import Keyring
from pipeline.domain.identity import assign, same
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import UNASSIGNED, Assigned, Assignment, Message, Misfiled
from pipeline.domain.profile import advance
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from pipeline.domain.view import Position
from pipeline.engine import NotMine
from pipeline.serve.access import Gate, Links, Sessions
from pipeline.serve.audit import Audit
from pipeline.serve.history import HistoryAway
from pipeline.serve.parts import Parts
from pipeline.serve.routing import Routes
from pipeline.serve.workers import Patience, Workers
from pipeline.stitch.queries import Queries
from pipeline.stitch.watch import Watch
from tests.interactions import SCORING, made

PARTITIONS = 4
TOKEN = "a worker's token"
READ, INGEST, ADMIN = "read_key", "ingest_key", "admin_key"
KEYRING = Keyring({"k1": bytes(range(32))}, "k1")
RULES = Rules(scoring=SCORING)


def now_ms() -> int:
    """The clock."""
    return time.time_ns() // 1_000_000


def keyed(namespace: str, value: str) -> tuple[str, dict[str, str]]:
    """The identifier of a phone number or e-mail, and its mask by it."""
    known = KEYRING.resolve(namespace, value, "US")
    return known.identifier, {known.identifier: known.mask}


class World:
    """All profiles, and who is who, changed at once by whatever happens."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.state = DictState()
        self.watch = Watch()
        self._edges: dict[tuple[str, str], tuple[int, set[str]]] = {}
        self._assigned: dict[str, Assignment] = {}
        self._version = 0
        self._events = 0

    def say(self, identifier: str, **fields: Any) -> Interaction:
        """Let something happen now (or `ago_s` seconds ago) under an identifier."""
        self._events += 1
        at = fields.pop("at", None) or now_ms() - int(fields.pop("ago_s", 0) * 1000)
        x = made(identifier, fields.pop("event_id", f"e{self._events}"), at=at, **fields)
        step = advance(self.state, [Misfiled(x)], self.rules)
        changed = set(step.changed)
        for each in step.evidence:
            earliest, sessions = self._edges.get((each.strong, each.weak), (each.occurred_at, set()))
            sessions |= {each.session_id} - {""}
            self._edges[each.strong, each.weak] = min(earliest, each.occurred_at), sessions
        news = self._reassigned() if step.evidence else ()
        self._deliver([*step.messages, *news], changed)
        self.watch.changed(changed)
        return x

    def _reassigned(self) -> Iterator[Message]:
        for identifier, assignment in assign(self._edges).items():
            if not same(self._assigned.get(identifier, UNASSIGNED), assignment):
                self._version += 1
                self._assigned[identifier] = msgspec.structs.replace(assignment, version=self._version)
                yield Assigned(identifier, self._assigned[identifier])

    def _deliver(self, messages: list[Message], changed: set[str]) -> None:
        while messages:
            step = advance(self.state, messages, self.rules)
            changed |= step.changed
            messages = step.messages


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


def parts(home: Path, history: Memory | None = None, log: Lines | None = None, **patience: float) -> Parts:
    """serve's parts without a worker: let one `publish` to its routes."""
    sessions = Sessions("a key for sessions")
    routes = Routes(PARTITIONS)
    lines: Any = log or Lines()
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
        history=history or Memory(),
        audit=Audit(lines),
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
