"""What the worker answers about the profiles that it owns: HTTP with JSON, for `serve` alone.

Answers come from committed state and say how far behind it is. A worker that does not own a profile, or cannot be
sure that it still does, answers 421: whoever asks looks up the owner again.
"""

from __future__ import annotations

import contextlib
import hmac
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web
from mode import Service

from pipeline.domain import view
from pipeline.domain.rules import Rules
from pipeline.engine import Engine, NotMine, Store
from pipeline.partition import partition_of
from pipeline.stitch.watch import Watch

IDS_MAX = 64
BODY_BYTES_MAX = 64 * 1024
WAIT_MAX_S = 30.0


class Question(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    copy: bool = False  # a standby copy's answer will do, since the owner is away


class Resolve(Question):
    ids: list[str]
    now_ms: int | None = None  # given: where all ids are one person's whom this worker owns too, their context as well


class Context(Question):
    id: str
    now_ms: int


class Timeline(Question):
    id: str
    limit: int = 50
    before: str | None = None
    channel: str | None = None


class Wait(Question):
    id: str
    seen: int
    timeout_s: float


class Freshness:
    """How far behind the answers are: the oldest of the states that were asked."""

    def __init__(self, copy_will_do: bool = False) -> None:
        self.copy_will_do = copy_will_do
        self._as_of_ms = int(time.time() * 1000)

    def saw(self, as_of_ms: int) -> None:
        self._as_of_ms = min(self._as_of_ms, as_of_ms)

    def told(self) -> dict[str, Any]:
        moment = datetime.fromtimestamp(self._as_of_ms / 1000, UTC)
        text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"as_of": text, "lag_ms": int(time.time() * 1000) - self._as_of_ms}


class Queries(Service):  # type: ignore[misc]  # mode is untyped
    """The HTTP server beside the agent, on the same loop."""

    def __init__(
        self, engine: Engine, watch: Watch, rules: Rules, partitions: int, token: str, host: str, port: int
    ) -> None:
        self._engine = engine
        self._watch = watch
        self._rules = rules
        self._partitions = partitions
        self._token = token.encode()
        self._host = host
        self._port = port
        super().__init__()

    async def on_start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for path, kind, answer in (
            ("/internal/resolve", Resolve, self.resolve),
            ("/internal/context", Context, self.context),
            ("/internal/timeline", Timeline, self.timeline),
            ("/internal/wait", Wait, self.wait),
        ):
            app.router.add_post(path, self._handler(kind, answer))
        # Whoever waits for a change is cut off: serve asks the next owner.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def on_stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def _handler(
        self, kind: type[Any], answer: Callable[[Any], Awaitable[dict[str, Any]]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        decoder = msgspec.json.Decoder(kind)

        async def handle(request: web.Request) -> web.Response:
            given = request.headers.get("Throughline-Worker-Token", "").encode()
            if not hmac.compare_digest(given, self._token):
                return _problem(401, "the worker's token is missing or wrong")
            try:
                question = decoder.decode(await request.read())
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                return _problem(400, str(error))
            try:
                told = await answer(question)
            except NotMine as error:
                return _problem(421, f"partition number {error} is not this worker's")
            except ValueError as error:
                return _problem(400, str(error))
            return web.Response(body=msgspec.json.encode(told), content_type="application/json")

        return handle

    def _state(self, identifier: str, freshness: Freshness) -> Store:
        number = partition_of(identifier, self._partitions)
        try:
            store, as_of_ms = self._engine.state(number)
        except NotMine:
            if not freshness.copy_will_do:
                raise
            store, as_of_ms = self._engine.copy(number)
        freshness.saw(as_of_ms)
        return store

    async def resolve(self, asked: Resolve) -> dict[str, Any]:
        """Whose each identifier is."""
        if len(asked.ids) > IDS_MAX:
            raise ValueError(f"at most {IDS_MAX} ids at once")
        freshness = Freshness(asked.copy)
        results = {each: view.resolve(self._state(each, freshness), each) for each in asked.ids}
        persons = {told["person"] for told in results.values() if told["known"] or told["ambiguous"]}
        contexts: dict[str, Any] = {}
        if asked.now_ms is not None and len(persons) == 1 and (person := persons.pop()) is not None:
            with contextlib.suppress(NotMine):  # then whoever owns the person is asked
                state = self._state(person, freshness)
                contexts[person] = view.context(state, person, asked.now_ms, self._rules)
        return {"results": results, "contexts": contexts, **freshness.told()}

    async def context(self, asked: Context) -> dict[str, Any]:
        """The whole view of one person."""
        freshness = Freshness(asked.copy)
        told = view.context(self._state(asked.id, freshness), asked.id, asked.now_ms, self._rules)
        return {**told, **freshness.told()}

    async def timeline(self, asked: Timeline) -> dict[str, Any]:
        """A stretch of one person's timeline."""
        freshness = Freshness(asked.copy)
        state = self._state(asked.id, freshness)
        told = view.timeline(state, asked.id, self._rules, asked.limit, asked.before, asked.channel)
        return {**told, **freshness.told()}

    async def wait(self, asked: Wait) -> dict[str, Any]:
        """Wait until a profile changes."""
        self._state(asked.id, Freshness())
        return {"changed": await self._watch.wait(asked.id, asked.seen, min(asked.timeout_s, WAIT_MAX_S))}


def _problem(status: int, detail: str) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode({"detail": detail}), content_type="application/json")
